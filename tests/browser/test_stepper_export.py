"""The Export button: the run in one file, also while it runs, and in words what went out."""

from __future__ import annotations

from playwright.sync_api import expect

from smithers_nb import Store
from tests.browser.stepping import Stepper

SECRET = "sk-ant-REDACTED"

SLOW = f"""%%smithers slow
import asyncio

key = "{SECRET}"

@component
def Slow(ctx):
    return (
        <Fragment>
            <Phase name="first">
                <Task id="note" run={{lambda: key}} on_finished={{lambda r: ctx.state.set("note", r.output)}}/>
            </Phase>
            <Phase name="then"><Task id="wait" run={{gate.wait}}/></Phase>
        </Fragment>
    )"""


def test_a_running_execution_is_exported_and_what_went_out_is_told(lab):
    notebook = lab(["%load_ext smithers_nb\nimport asyncio\ngate = asyncio.Event()", SLOW])
    notebook.run_all()
    stepper = Stepper(notebook.page, "slow")
    stepper.button("Continue").click()
    expect(stepper.node("wait")).to_contain_text("running")
    expect(stepper.button("Continue")).to_have_attribute("aria-disabled", "true")

    stepper.button("Export").click()
    dialog = stepper.region.get_by_role("dialog", name="Export")
    expect(dialog.get_by_label("File", exact=True)).to_be_focused()
    notebook.page.keyboard.press("Enter")
    told = dialog.get_by_role("note", name="What went out")
    expect(told).to_contain_text("slow.html has slow")
    expect(told).to_contain_text("keys of the state: note")
    expect(told).to_contain_text("credentials masked")
    notebook.shot("export.png")
    page = notebook.folder / "slow.html"
    assert SECRET not in page.read_text()
    history = Store(page).open("slow")
    assert len(history.df.frames) >= 2
    assert "note" in set(history.df.state.key)

    # What can't be written is told in the dialog, with what to do, and the file stays as it was.
    before = page.stat().st_mtime_ns
    dialog.get_by_label("File", exact=True).fill("slow.txt")
    dialog.get_by_role("button", name="Export").click()
    expect(dialog.get_by_role("alert")).to_contain_text("run.ndjson")
    dialog.get_by_label("File", exact=True).fill("slow.html")
    dialog.get_by_label("Leave out").fill("notes")
    dialog.get_by_role("button", name="Export").click()
    expect(dialog.get_by_role("alert")).to_contain_text("notes")
    assert page.stat().st_mtime_ns == before
    dialog.get_by_label("File", exact=True).fill("no folder/slow.html")
    dialog.get_by_label("Leave out").fill("note")
    dialog.get_by_role("button", name="Export").click()
    expect(dialog.get_by_role("alert")).to_contain_text("no folder")
    dialog.get_by_label("File", exact=True).fill("slow.html")
    dialog.get_by_role("button", name="Export").click()
    expect(told).to_contain_text("removed: note")

    notebook.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    stepper.press("x")
    expect(dialog).to_have_count(1)
    notebook.page.keyboard.press("Escape")
    stepper.button("Stop").click()
    stepper.button("Stop now").click()
    expect(stepper.button("Continue")).to_have_attribute("aria-disabled", "false")
