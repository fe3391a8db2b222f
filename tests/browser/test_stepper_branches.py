"""Branches in the stepper: made by F, listed in the header, marked on the timeline, and shown in the same place."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from smithers_nb import Store
from tests.browser.lab import Lab
from tests.browser.stepping import HOSTILE, REPORT, Stepper
from tests.browser.test_stepper_access import CONTRAST, ELEMENTS, HELD

LOAD = "%load_ext smithers_nb"
SET_SOURCE = """([cell, text]) => window.jupyterapp.shell.currentWidget.content.widgets[cell]
  .model.sharedModel.setSource(text)"""
SLOW = """%%smithers slow
import asyncio

async def work():
    while not free:
        await asyncio.sleep(0.02)
    return "done"

@component
def Slow(ctx):
    return <Fragment>
        <Task id="quick" run={lambda: 1} on_finished={lambda r: ctx.state.set("n", 1)}/>
        <Task id="long" run={work} on_finished={lambda r: ctx.state.set("long", r.output)}/>
    </Fragment>"""


def stepped(lab: Any, frames: int = 4) -> tuple[Lab, Stepper]:
    """A notebook with a report that was stepped this far."""
    notebook = lab([LOAD, REPORT, "1"])
    notebook.run_cell(0)
    notebook.run_cell(1)
    stepper = Stepper(notebook.page, "report")
    for frame in range(1, frames + 1):
        stepper.step(frame)
    return notebook, stepper


def rows_of(notebook: Lab, name: str) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of an execution, by table."""
    reader = Store(notebook.folder / "smithers.db").reader
    id = reader.execution_id(name)
    tables = [table for (table,) in reader.query("SELECT name FROM sqlite_schema WHERE type = 'table'").rows]
    of_one = [table for table in tables if "execution_id" in reader.query(f"SELECT * FROM {table} LIMIT 0").columns]
    found = {table: reader.query(f"SELECT * FROM {table} WHERE execution_id = ?", (id,)).rows for table in of_one}
    lease = {"lease_expires_at", "updated_at"}  # Renewed by the second.
    columns = [name for name in reader.query("SELECT * FROM executions LIMIT 0").columns if name not in lease]
    found["executions"] = reader.query(
        f"SELECT {', '.join(columns)} FROM executions WHERE execution_id = ?", (id,)
    ).rows
    return found


def names(notebook: Lab) -> list[str]:
    return list(Store(notebook.folder / "smithers.db").executions().name)


def dialog(stepper: Stepper, name: str) -> Locator:
    return stepper.region.get_by_role("dialog", name=name, exact=True)


def branched(notebook: Lab, stepper: Stepper, title: str, name: str, **state: str) -> Stepper:
    """Branch by F from the frame of the title, with these values; return the stepper of the branch."""
    stepper.press("f")
    asked = dialog(stepper, title)
    for key, text in state.items():
        asked.get_by_label(f"State {key}").fill(text)
    asked.get_by_role("button", name="Branch", exact=True).click()
    branch = Stepper(notebook.page, name)
    made = dialog(branch, "The branch is made")
    expect(made.get_by_role("button", name="Go on")).to_be_focused()
    notebook.page.keyboard.press("Escape")
    expect(made).to_have_count(0)
    return branch


def choose(stepper: Stepper, name: str) -> Stepper:
    """Choose an execution in the menu of branches; return its stepper."""
    stepper.button("Branches").click()
    menu = dialog(stepper, "Branches").get_by_role("tree", name="Branches")
    menu.get_by_role("treeitem").filter(has_text=name).first.click()
    return Stepper(stepper.page, name)


# First: a browser of its own can't be opened beside that of the module.
@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_dialog_menu_and_marks_have_contrast_and_fit_at_every_width(theme):
    settings = {"@jupyterlab/apputils-extension:themes": {"theme": theme}}
    shot = theme.split()[-1].lower()
    with Lab([LOAD, REPORT], settings=settings) as notebook:
        notebook.run_all()
        notebook.command("application:toggle-left-area")
        page = notebook.page
        stepper = Stepper(page, "report")
        for frame in range(1, 5):
            stepper.step(frame)
        stepper.press("ArrowLeft")
        stepper.wait(cursor=3)
        stepper.press("f")
        dialog(stepper, "Branch from frame 3").get_by_label("State notes").fill('"waves"')
        fits(notebook, stepper, f"{shot}-fork")
        page.keyboard.press("Escape")
        branch = branched(notebook, stepper, "Branch from frame 3", "report~2", notes='"waves"')
        branch.step(4)
        branch.button("Branches").click()
        expect(branch.region.get_by_role("treeitem", selected=True).filter(has_text="report~2")).to_contain_text(
            "paused"
        )
        fits(notebook, branch, f"{shot}-branches")
        page.keyboard.press("Escape")
        fits(notebook, branch, f"{shot}-line")
        parent = choose(branch, "report")
        fits(notebook, parent, f"{shot}-leaves")
        notebook.assert_quiet()


def fits(notebook: Lab, stepper: Stepper, name: str) -> None:
    page: Page = notebook.page
    for width in (1280, 500):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(250)
        stepper.region.scroll_into_view_if_needed()
        assert stepper.region.evaluate(CONTRAST) == [], (name, width)
        over = "root => [...root.querySelectorAll('.ss-popup, .ss-header')].filter(e => e.scrollWidth > e.clientWidth + 1).length"
        assert stepper.region.evaluate(over) == 0, (name, width)
        notebook.shot(f"{name}-{width}.png")
    page.set_viewport_size({"width": 1280, "height": 900})


def test_a_branch_is_made_with_another_value_and_shown_and_stepped_and_its_parent_is_unchanged(lab):
    notebook, stepper = stepped(lab, frames=5)
    before = rows_of(notebook, "report")
    stepper.press("Home", "ArrowRight")
    stepper.wait(cursor=2)
    stepper.press("f")
    asked = dialog(stepper, "Branch from frame 2")
    expect(asked.get_by_label("Frame")).to_be_focused()
    field = asked.get_by_label("State notes")
    expect(field).to_have_value('"1. tides 2. turbines"')
    for kind in ("Agents' answers", "Tools' results", "Approvals"):
        expect(asked.get_by_label(kind)).to_be_checked()
    asked.get_by_label("Approvals").uncheck()
    field.fill('"waves"')
    asked.get_by_label("Name").fill("waves")
    field.press("Enter")
    branch = Stepper(notebook.page, "waves")
    made = dialog(branch, "The branch is made")
    expect(made).to_contain_text("This is waves, which left after frame 2. Step renders frame 3.")
    expect(made).to_contain_text("In cells it is waves.")
    expect(made.get_by_role("list", name="Notes")).to_contain_text("called handlers after frame 2")
    notebook.page.keyboard.press("Escape")
    branch.step(3)
    expect(branch.node("draft")).to_contain_text("claude")
    expect(branch.region.get_by_role("tree", name="Plan")).to_contain_text("Write it up: waves")
    branch.step(4)
    assert notebook.evaluate("waves.recorded, waves.state['notes'], report.state['notes']") == (
        "(4, 'waves', '1. tides 2. turbines')"
    )
    kinds = Store(notebook.folder / "smithers.db").sql("SELECT reuse FROM executions WHERE name = 'waves'").reuse[0]
    assert json.loads(kinds)["kinds"] == ["agents", "tools"]
    assert rows_of(notebook, "report") == before
    back = choose(branch, "report")
    back.wait(cursor="live", frame=5)
    back.button("Step frame").click()
    back.wait(status="finished")


def test_what_is_wrong_is_said_in_the_dialog_and_nothing_is_lost(lab):
    notebook, stepper = stepped(lab)
    stepper.press("f")
    expect(dialog(stepper, "Branch from frame 3")).to_be_visible()
    asked = stepper.region.get_by_role("dialog")  # Its name follows the frame.
    expect(asked).to_contain_text("The writes of frame 4 are pending")
    field, frame, alert = asked.get_by_label("State notes"), asked.get_by_label("Frame"), asked.get_by_role("alert")
    for text, words in (
        ("waves", "notes: it is no JSON"),
        ("", "notes: it is empty"),
        ('"\\ud800"', "can't hold this str"),
    ):
        field.fill(text)
        field.press("Enter")
        expect(alert).to_contain_text(words)
        expect(field).to_have_value(text)
    field.fill('"waves"')
    for number, words in (("four", "Enter the number of a frame"), ("99", "The nearest that can be forked is frame 3")):
        frame.fill(number)
        asked.get_by_role("button", name="Branch", exact=True).click()
        expect(alert).to_contain_text(words)
    frame.fill("0")
    expect(dialog(stepper, "Branch from frame 0")).to_be_visible()
    expect(asked.get_by_label("State notes")).to_have_value('"waves"')  # A key that was not there yet.
    asked.get_by_label("New key").fill("depth")
    asked.get_by_label("New key").press("Enter")
    asked.get_by_label("State depth").fill("[1, 2.50]")
    assert names(notebook) == ["report"]
    asked.get_by_role("button", name="Branch", exact=True).click()
    expect(dialog(Stepper(notebook.page, "report~2"), "The branch is made")).to_contain_text("after frame 0")
    assert notebook.evaluate("dict(report_2.state)") == "{'depth': [1, 2.5], 'notes': 'waves'}"


def test_the_menu_is_a_tree_for_keys_and_screen_readers_and_leads_back_and_forth(lab):
    notebook, stepper = stepped(lab)
    expect(stepper.button("Branches")).to_have_count(0)
    stepper.press("ArrowLeft")
    stepper.wait(cursor=3)
    branch = branched(notebook, stepper, "Branch from frame 3", "report~2", notes='"waves"')
    branch.step(4)
    branch.press("ArrowLeft")
    below = branched(notebook, branch, "Branch from frame 3", "report~3")
    page = notebook.page
    below.button("Branches").focus()
    page.keyboard.press("Enter")
    menu = dialog(below, "Branches").get_by_role("tree", name="Branches")
    rows = menu.get_by_role("treeitem")
    expect(rows).to_have_count(3)
    expect(rows.nth(2)).to_be_focused()
    assert [row.get_attribute("aria-level") for row in rows.all()] == ["1", "2", "3"]
    assert [row.get_attribute("aria-selected") for row in rows.all()] == ["false", "false", "true"]
    expect(rows.nth(0)).to_contain_text("paused")
    expect(rows.nth(1)).to_contain_text("left report after frame 3 · changed state notes · frame 4 · variable report_2")
    expect(rows.nth(2)).to_contain_text("left report~2 after frame 3 · changed nothing · frame 3 · variable report_3")
    page.keyboard.press("ArrowUp")
    expect(rows.nth(1)).to_be_focused()
    page.keyboard.press("Home")
    expect(rows.nth(0)).to_be_focused()
    page.keyboard.press("End")
    page.keyboard.press("Escape")
    expect(menu).to_have_count(0)
    expect(below.button("Branches")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    back = Stepper(page, "report")
    back.wait(cursor="live", frame=4)
    expect(back.button("Branches")).to_be_focused()
    expect(back.button("Branches")).to_have_attribute("aria-expanded", "false")
    expect(back.status).to_contain_text("Frame 4 is at rest")


def test_the_timeline_marks_where_branches_leave_and_whose_the_frames_are(lab):
    notebook, stepper = stepped(lab)
    stepper.press("ArrowLeft")
    stepper.wait(cursor=3)
    branch = branched(notebook, stepper, "Branch from frame 3", "report~2", notes='"waves"')
    slider = branch.region.get_by_role("slider", name="Timeline")
    expect(branch.region.locator(".ss-of-ancestor")).to_have_attribute("data-last", "3")
    expect(slider).to_have_attribute(
        "aria-valuetext", "live, frame 3 of 3, 0 writes, of report, which report~2 leaves here"
    )
    branch.step(4)
    expect(slider).to_have_attribute("aria-valuetext", "live, frame 4 of 4, 0 writes")
    branch.press("Home")
    branch.wait(cursor=1)
    expect(slider).to_have_attribute("aria-valuetext", "frame 1 of 4, 0 writes, of report")
    expect(branch.node("notes")).to_be_visible()
    branch.press("ArrowRight")
    branch.wait(cursor=2)
    expect(branch.grid("Pending writes")).to_contain_text("notes")
    branch.press("End")
    branch.wait(cursor="live")
    branch.press("/")
    notebook.page.keyboard.type("on_finished of notes")
    found = branch.region.get_by_role("list", name="Results")
    expect(found).to_contain_text("on_finished of notes")
    notebook.page.keyboard.press("Escape")
    parent = choose(branch, "report")
    mark = parent.region.locator(".ss-leaves")
    expect(mark).to_have_attribute("data-frame", "3")
    parent.press("ArrowLeft")
    expect(parent.region.get_by_role("slider")).to_have_attribute(
        "aria-valuetext", "frame 3 of 4, 0 writes, branch report~2 leaves here"
    )
    box = mark.bounding_box()
    assert box is not None
    notebook.page.mouse.move(box["x"], box["y"] + 2)
    tip = parent.region.get_by_role("tooltip")
    expect(tip).to_have_text(re.compile(r"^frame 3: .*branch report~2 leaves here$"))
    # The branch has a lane of its own, whose name leads to it.
    expect(parent.region.locator("[data-branch='report~2']")).to_have_count(1)
    parent.region.locator(".ss-lanes").get_by_text("report~2").click()
    branch.wait(frame=4)


def test_reverse_continue_of_a_branch_finds_the_hits_of_its_line(lab):
    notebook = lab([LOAD, REPORT, "report.breakpoints.add(key='notes', log=True); None"])
    for cell in (0, 1, 2):
        notebook.run_cell(cell)
    stepper = Stepper(notebook.page, "report")
    for frame in range(1, 5):
        stepper.step(frame)
    stepper.press("ArrowLeft")
    stepper.wait(cursor=3)
    branch = branched(notebook, stepper, "Branch from frame 3", "report~2")
    branch.step(4)
    branch.press("Shift+C")
    branch.wait(cursor=2)
    expect(branch.status).to_contain_text("notes")
    expect(branch.region).to_have_attribute("data-frame", "4")


def test_a_double_click_makes_one_branch(lab):
    notebook, stepper = stepped(lab)
    stepper.button("Branch").dblclick()
    asked = dialog(stepper, "Branch from frame 3")
    asked.get_by_role("button", name="Branch", exact=True).dblclick()
    branch = Stepper(notebook.page, "report~2")
    expect(dialog(branch, "The branch is made")).to_be_visible()
    notebook.page.wait_for_timeout(500)
    assert names(notebook) == ["report", "report~2"]


def test_a_branch_is_made_and_stepped_while_its_parent_runs(lab):
    notebook = lab([LOAD, "free = False", SLOW, "slow.run_sync()"])
    for cell in range(3):
        notebook.run_cell(cell)
    stepper = Stepper(notebook.page, "slow")
    stepper.press("c")
    stepper.wait(frame=3, status="waiting")
    stepper.press("f")
    asked = stepper.region.get_by_role("dialog")
    asked.get_by_label("Frame").fill("1")
    asked.get_by_role("button", name="Branch", exact=True).click()
    branch = Stepper(notebook.page, "slow~2")
    expect(dialog(branch, "The branch is made")).to_contain_text("slow_2")
    notebook.page.keyboard.press("Escape")
    expect(branch.button("Step frame")).to_have_attribute("aria-disabled", "false")
    branch.button("Step phase").click()
    branch.wait(frame=2, phase="SNAPSHOT")
    parent = choose(branch, "slow")
    parent.wait(frame=3, status="waiting")
    expect(parent.button("Step frame")).to_have_attribute("aria-disabled", "true")
    notebook.evaluate("globals().update(free=True)")
    parent.wait(status="finished")
    assert notebook.evaluate("slow.state['long'], slow_2.recorded") == "('done', 1)"


def test_after_a_restart_a_recorded_stepper_says_how_to_branch_and_shows_the_branch_that_was_made(lab):
    recorded = 'from smithers_nb import Stepper, Store\nStepper(Store("smithers.db").open("report"))'
    define = REPORT.replace("%%smithers report", "%%smithers again --quiet")
    notebook = lab([LOAD, REPORT, define, recorded, "1"])
    for cell in (0, 1):
        notebook.run_cell(cell)
    stepper = Stepper(notebook.page, "report")
    for frame in range(1, 5):
        stepper.step(frame)
    notebook.restart_kernel()
    for cell in (0, 2, 3):
        notebook.run_cell(cell)
    page = notebook.page
    stepper.region = notebook.cell(3).get_by_role("region", name="Stepper report", exact=True)
    stepper.wait(frame=4)
    stepper.press("Home", "ArrowRight", "f")
    asked = dialog(stepper, "Branch from frame 2")
    expect(asked).to_contain_text("This execution is recorded")
    code = asked.get_by_label("Code that branches").input_value()
    page.keyboard.press("Escape")
    page.evaluate(SET_SOURCE, [4, code])
    notebook.run_cell(4)
    branch = choose(stepper, "report~2")
    branch.region = notebook.cell(3).get_by_role("region", name="Stepper report~2", exact=True)
    branch.wait(frame=2)
    branch.step(3)
    assert notebook.evaluate("branch.recorded") == "3"


def test_hostile_names_keys_and_values_are_inert_in_dialog_menu_and_tooltip(lab):
    app = f"""bad = {HOSTILE!r}
@component
def App(ctx):
    return Task(id="t", run=lambda: 1, on_finished=lambda r: ctx.state.set("n", 1))
hostile = Execution(App, name=bad, state={{bad: bad}})
hostile"""
    notebook = lab([LOAD, app])
    seen: list[str] = []
    notebook.page.on("dialog", lambda shown: (seen.append(shown.message), shown.dismiss()))
    for cell in (0, 1):
        notebook.run_cell(cell)
    stepper = Stepper(notebook.page, HOSTILE)
    stepper.step(1)
    stepper.step(2)
    stepper.press("f")
    asked = dialog(stepper, "Branch from frame 1")
    expect(asked.locator("label code").first).to_contain_text(HELD)
    asked.get_by_label("Name").fill(HOSTILE + "~2")
    asked.get_by_role("textbox", name="State <img").fill(json.dumps(HOSTILE + "!"))
    asked.get_by_role("button", name="Branch", exact=True).click()
    branch = Stepper(notebook.page, HOSTILE + "~2")
    expect(dialog(branch, "The branch is made")).to_contain_text(HELD)
    assert branch.region.locator(ELEMENTS).count() == 0
    notebook.page.keyboard.press("Escape")
    branch.button("Branches").click()
    expect(dialog(branch, "Branches").get_by_role("treeitem").nth(1)).to_contain_text(f"changed state {HELD}")
    assert branch.region.locator(ELEMENTS).count() == 0
    notebook.page.keyboard.press("Escape")
    expect(branch.region.get_by_role("slider")).to_have_attribute("aria-valuetext", f"live, frame 1 of 1, 0 writes, of {HOSTILE}, which {HOSTILE}~2 leaves here")  # fmt: skip
    assert seen == []
