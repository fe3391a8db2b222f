"""The stepper in a real JupyterLab: what the screen says, the frame objects and the DataFrames agree."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import expect

from tests.browser.lab import Lab
from tests.browser.stepping import HOSTILE, REPORT, Stepper

LOOK = """import json
print(json.dumps({
    "status": report.status, "frame": report.frame.number, "xml": report.frame.xml,
    "pending": [[w.key, w.new] for w in report.pending],
    "handlers": report.df.handlers[["frame", "node_id", "status"]].values.tolist(),
    "transitions": report.df.transitions[["key", "new", "status"]].values.tolist(),
    "frames": report.df.frames["frame"].tolist(), "tasks": report.df.tasks["node_id"].tolist(),
    "nodes": sorted(report.df.nodes["node_id"].unique().tolist()),
}))"""


def looked(lab: Lab, cell: int) -> dict:
    lab.run_cell(cell)
    return json.loads(lab.text(cell))


def test_the_report_is_stepped_to_its_end_and_screen_objects_and_dataframes_agree(lab):
    notebook = lab(["%load_ext smithers_nb", REPORT, LOOK])
    notebook.run_cell(0)
    notebook.run_cell(1)
    stepper = Stepper(notebook.page, "report")
    expect(stepper.region).to_contain_text("nothing has been executed", ignore_case=True)
    stepper.wait(frame=0, status="ready")

    stepper.step(1)
    assert looked(notebook, 2)["tasks"] == ["notes"]
    stepper.step(2)
    assert 'Step applies notes = "1. tides 2. turbines"' in stepper.sentence
    stepper.tab("Pending writes")
    grid = stepper.region.get_by_role("grid", name="Pending writes")
    expect(grid).to_contain_text("notes")
    expect(grid).to_contain_text("handler")
    stepper.tab("Handlers")
    expect(stepper.region.get_by_role("grid", name="Handlers")).to_contain_text("on_finished")
    found = looked(notebook, 2)
    assert found["pending"] == [["notes", "1. tides 2. turbines"]]
    assert found["handlers"] == []  # FLUSH has not written the call yet.
    assert found["xml"].split() == stepper.xml().split()

    stepper.step(3)
    stepper.tab("State")
    expect(stepper.region.get_by_role("grid", name="State")).to_contain_text("1. tides 2. turbines")
    found = looked(notebook, 2)
    assert found["transitions"] == [["notes", "1. tides 2. turbines", "applied"]]
    assert found["handlers"] == [[2, "notes", "ok"]]
    assert "Write it up: 1. tides 2. turbines" in found["xml"]

    stepper.button("Until idle").click()
    stepper.wait(frame=5, status="finished")
    assert "finished" in stepper.sentence
    found = looked(notebook, 2)
    assert found["frames"] == [1, 2, 3, 4, 5]
    assert found["xml"].split() == stepper.xml().split()
    stepper.tab("Tree")
    on_screen = stepper.region.get_by_role("treeitem").evaluate_all("rows => rows.map(r => r.dataset.nodeId)")
    assert sorted(on_screen) == found["nodes"]
    notebook.shot("report.png")


def test_all_seven_phases_are_stepped_singly(lab):
    notebook = lab(["%load_ext smithers_nb", REPORT])
    notebook.run_all()
    stepper = Stepper(notebook.page, "report")
    phases = stepper.region.get_by_role("list", name="Phases").get_by_role("listitem")
    expect(phases).to_have_count(7)
    for phase in ("SNAPSHOT", "RENDER", "RECONCILE", "COMMIT", "EXECUTE", "EFFECTS", "FLUSH"):
        stepper.button("Step phase").click()
        stepper.wait(frame=1, phase=phase)
    stepper.button("Step phase").click()
    stepper.wait(frame=2, phase="SNAPSHOT")
    assert phases.nth(1).get_attribute("aria-current") == "step"


def test_a_double_click_steps_once(lab):
    notebook = lab(["%load_ext smithers_nb", REPORT, "print(len(report.df.frames), report.frame.number)"])
    notebook.run_cell(0)
    notebook.run_cell(1)
    stepper = Stepper(notebook.page, "report")
    stepper.button("Step frame").dblclick()
    stepper.wait(frame=1, phase="EFFECTS", status="paused")
    notebook.page.wait_for_timeout(700)  # Time for a second step, if there were one.
    notebook.run_cell(2)
    assert notebook.text(2).split() == ["1", "1"]


def test_python_and_the_widget_move_the_same_execution(lab):
    notebook = lab(["%load_ext smithers_nb", REPORT, "report.step_sync()", "await report.step()", "report"])
    notebook.run_all()
    first = Stepper(notebook.page, "report").region.first
    both = notebook.page.get_by_role("region", name="Stepper report")
    expect(both).to_have_count(2)
    for index in range(2):
        expect(both.nth(index)).to_have_attribute("data-frame", "2", timeout=60_000)
    first.get_by_role("button", name="Until idle").click()
    for index in range(2):
        expect(both.nth(index)).to_have_attribute("data-status", "finished", timeout=60_000)


def test_hostile_text_is_inert_and_literal(lab):
    app = f"""%%smithers hostile
bad = {HOSTILE!r}

@component
def Hostile(ctx):
    return (
        <Phase name={{bad}}>
            <Claude id="say" model={{scripted(bad)}} on_finished={{lambda r: ctx.state.set(bad, r.output)}}>{{bad}}</Claude>
        </Phase>
    )"""
    notebook = lab(["%load_ext smithers_nb", app])
    dialogs: list[str] = []
    notebook.page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    notebook.run_all()
    stepper = Stepper(notebook.page, "hostile")
    stepper.step(1)
    stepper.step(2)
    for tab in ("Pending writes", "State", "Handlers", "Problems", "XML", "Tree"):
        stepper.tab(tab)
        assert stepper.region.locator("img, script, b, a").count() == 0, tab
    assert HOSTILE[:60] in stepper.region.get_by_role("tree", name="Plan").inner_text()
    stepper.tab("Pending writes")
    assert "onerror=alert(1)" in stepper.region.get_by_role("grid", name="Pending writes").inner_text()
    assert dialogs == []
    saved = json.dumps(notebook.save())
    html = [o["data"]["text/html"] for o in notebook.outputs(1) if "text/html" in o.get("data", {})]
    assert html and all("<img" not in "".join(part) for part in html)
    assert "onerror" in saved


def test_keys_step_and_reach_neither_lab_nor_the_cell(lab):
    notebook = lab(["%load_ext smithers_nb", REPORT, "1"])
    notebook.run_all()
    stepper = Stepper(notebook.page, "report")
    stepper.button("Step frame").focus()
    notebook.page.keyboard.press("n")
    stepper.wait(frame=1, phase="EFFECTS")
    expect(stepper.button("Step phase")).not_to_have_attribute("aria-disabled", "true")  # The command is over.
    notebook.page.keyboard.press("s")
    stepper.wait(phase="FLUSH")
    notebook.page.keyboard.press("d")
    notebook.page.keyboard.press("d")
    assert notebook.page.evaluate("() => window.jupyterapp.shell.currentWidget.content.widgets.length") == 3


def test_pause_works_while_a_cell_blocks(lab):
    app = """%%smithers slow
@component
def Slow(ctx):
    return <Task id="sleep" run={asyncio.Event().wait}/>"""
    notebook = lab(["%load_ext smithers_nb\nimport asyncio", app, "slow.run_sync()", "slow.status"])
    notebook.run_cell(0)
    notebook.run_cell(1)
    stepper = Stepper(notebook.page, "slow")
    notebook.start_cell(2)
    stepper.wait(status="waiting")
    stepper.button("Pause").click()
    stepper.wait(status="paused")
    notebook.run_cell(3)
    assert "paused" in notebook.text(3)


LEFT = """from smithers_nb.bridge import engine
async def left(): return sorted(t.get_coro().__name__ for t in asyncio.all_tasks() if t is not asyncio.current_task())
engine.call(asyncio.sleep(0.1))
print(engine.call(left()))"""


@pytest.mark.parametrize("call", ["slow.run_sync()", "await slow.run()"])
def test_the_stop_button_ends_a_running_cell_and_the_execution_goes_on_later(lab, call):
    app = """%%smithers slow
gate = asyncio.Event()
@component
def Slow(ctx):
    return <Task id="sleep" run={lambda: time.sleep(0.5)} on_finished={lambda r: ctx.state.set("done", True)}/>"""
    notebook = lab(
        [
            "%load_ext smithers_nb\nimport asyncio, time",
            app.replace("lambda: time.sleep(0.5)", "gate.wait"),
            call,
            "slow.status",
            LEFT,
            "from smithers_nb.bridge import engine\nengine.do(gate.set)\nr = await slow.run()\nprint(r.status, dict(slow.state))",
        ]
    )
    for cell in (0, 1):
        notebook.run_cell(cell)
    stepper = Stepper(notebook.page, "slow")
    notebook.start_cell(2)
    stepper.wait(status="waiting")
    notebook.interrupt()
    stepper.wait(status="paused")
    # For a moment after an error the kernel drops what it is sent: wait for an answer that it did not drop.
    notebook.wait_cell(2)
    notebook.wait_kernel()
    notebook.run_cell(3)
    assert "paused" in notebook.text(3)
    notebook.run_cell(4)
    # The one that keeps the lease; and the node's own, which continues, with the one in which its function is awaited.
    assert notebook.text(4).strip() == "['_heartbeat', '_outcome', '_run']"
    notebook.run_cell(5)
    assert "finished {'done': True}" in notebook.text(5)


def test_an_error_while_rendering_is_shown_in_the_widget_and_the_frame_before_stands(lab):
    app = """%%smithers broken
@component
def Broken(ctx):
    if ctx.state.get("n") == 2:
        raise ValueError("no <b>luck</b>")
    return <Task id="one" run={lambda: 1} on_finished={lambda r: ctx.state.set("n", 2)}/>"""
    notebook = lab(["%load_ext smithers_nb", app])
    notebook.run_all()
    stepper = Stepper(notebook.page, "broken")
    stepper.step(1)
    stepper.step(2)
    stepper.button("Step frame").click()
    expect(stepper.region.get_by_role("alert")).to_contain_text("no <b>luck</b>")
    expect(stepper.region.get_by_role("alert")).to_contain_text("broken:5")
    expect(stepper.region).to_have_attribute("data-frame", "2")


def test_after_a_restart_of_the_kernel_every_frame_is_still_there(lab):
    notebook = lab(
        [
            "%load_ext smithers_nb",
            REPORT + "\n",
            "report.run_sync()",
            "from smithers_nb import Store\nstore = Store('smithers.db')\nprint(store.df.executions['name'].tolist(), store.open('report').df.frames['frame'].tolist())\nprint(store.open('report').at(3).xml)",
        ]
    )
    for cell in (0, 1, 2):
        notebook.run_cell(cell)
    notebook.restart_kernel()
    notebook.run_cell(3)
    assert "['report'] [1, 2, 3, 4, 5]" in notebook.text(3)
    assert "Write it up: 1. tides 2. turbines" in notebook.text(3)


def test_a_kernel_that_is_killed_leaves_an_execution_that_goes_on(lab):
    notebook = lab(
        [
            "%load_ext smithers_nb",
            REPORT + "\n",
            "report.step_sync(); report.step_sync().pending",
            "await Execution.resume(Report, name='report').run()",
        ]
    )
    for cell in (0, 1, 2):
        notebook.run_cell(cell)
    notebook.kill_kernel()
    notebook.restart_kernel()
    notebook.run_cell(0)
    notebook.page.evaluate(
        "() => { window.jupyterapp.shell.currentWidget.content.widgets[1].model.sharedModel.setSource("
        "window.jupyterapp.shell.currentWidget.content.widgets[1].model.sharedModel.getSource()"
        ".replace('%%smithers report', '%%smithers again --quiet')) }"
    )
    notebook.run_cell(1)
    notebook.run_cell(3)
    assert "finished" in notebook.text(3)
