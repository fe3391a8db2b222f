"""Tasks under way: time, attempts, cancel, retry, approve; Pause and Stop whatever happens; clicks that count."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.stepping import Stepper

WORK = """%%smithers work
async def forever():
    await asyncio.Event().wait()

tries = []
def flaky():
    tries.append(1)
    raise ValueError(f"try {len(tries)}")

def count(so_far):
    return (so_far or 0) + 1

@component
def Work(ctx):
    return (
        <Parallel>
            <Task id="long" run={forever} on_error={lambda e: None}/>
            <Task id="flaky" run={flaky} retries={4} on_error={lambda e: ctx.state.update("failed", count)}/>
            <Task id="quick" run={lambda: "7 tides"} on_finished={lambda r: ctx.state.update("found", count)}/>
            <Approval id="ok" prompt="Go <b>on</b>?" on_finished={lambda r: ctx.state.set("answer", r.output)}/>
        </Parallel>
    )"""


def test_running_tasks_are_seen_and_a_person_can_act_on_them(lab):
    notebook = lab(["%load_ext smithers_nb\nimport asyncio", WORK, "dict(work.state)", "len(tries)"])
    for cell in (0, 1):
        notebook.run_cell(cell)
    stepper = Stepper(notebook.page, "work")
    stepper.step(1)
    tasks = stepper.grid("Tasks")
    row = tasks.locator("tbody").filter(has_text="long")
    expect(row).to_contain_text("running")
    expect(row).to_contain_text("2 s", timeout=8000)  # It counts without a message from the kernel.
    flaky = tasks.locator("tbody").filter(has_text="flaky")
    expect(flaky).to_contain_text("attempt 5/5")
    expect(flaky).to_contain_text("try 5")
    expect(stepper.node("long")).to_contain_text("running")
    notebook.shot("tasks.png")

    # Stop asks first, names what runs, and Esc keeps it running.
    stepper.button("Stop").click()
    question = stepper.region.get_by_role("alertdialog")
    expect(question).to_contain_text("long")
    expect(question.get_by_role("button", name="Keep running")).to_be_focused()
    notebook.page.keyboard.press("Escape")
    expect(question).to_have_count(0)
    expect(row).to_contain_text("running")

    # Approve, and cancel.
    approval = tasks.locator("tbody").filter(has_text="approval #ok")
    approval.get_by_role("button", name="approve").click()
    row.get_by_role("button", name="Cancel long").click()
    expect(row).to_contain_text("cancelled", timeout=60_000)
    stepper.button("Until idle").click()
    stepper.wait(status="finished")
    expect(stepper.status).to_contain_text("finished")
    notebook.run_cell(2)
    assert "'answer': 'approve'" in notebook.text(2)
    expect(flaky).to_contain_text("failed")
    flaky.get_by_role("button", name="task #flaky", exact=True).click()
    stepper.tab("Task")
    pane = stepper.region.get_by_role("tabpanel", name="Task", exact=True)
    expect(pane).to_contain_text("ValueError: try 5")

    # Handled again, a success and an error: a frame is due for them, and their functions are not called again.
    pane.get_by_role("button", name="Handle again flaky").click()
    stepper.tab("Tasks")
    tasks.get_by_role("button", name="Handle again quick").click()
    for id in ("quick", "flaky"):
        expect(stepper.region).to_contain_text(f"{id} is handled again by hand")
    notebook.shot("handled_again_queued.png")
    notebook.run_cell(2)
    assert notebook.text(2).count(": 1") == 2
    stepper.step(int(stepper.region.get_attribute("data-frame")) + 1)
    pending = stepper.grid("Pending writes").locator("tbody")
    expect(pending.filter(has_text="found").filter(has_text="on_finished")).to_contain_text("quick")
    expect(pending.filter(has_text="failed").filter(has_text="on_error")).to_contain_text("flaky")
    notebook.shot("handled_again.png")
    stepper.button("Until idle").click()
    stepper.wait(status="finished")
    notebook.run_cell(2)
    assert notebook.text(2).count(": 2") == 2
    notebook.run_cell(3)
    assert notebook.text(3).strip() == "5"


FLOOD = """%%smithers flood
@component
def Flood(ctx):
    n = ctx.state.get("n") or 0
    ctx.use_effect("tick", [n], lambda: ctx.state.set("n", n + 1))
    return <Step name={str(n)}/>"""


def test_pause_and_stop_work_under_a_flood_of_frames(lab):
    notebook = lab(["%load_ext smithers_nb", FLOOD, "await flood.run(max_frames=1_000_000); None", "flood.status"])
    for cell in (0, 1):
        notebook.run_cell(cell)
    stepper = Stepper(notebook.page, "flood")
    notebook.start_cell(2)
    stepper.wait(status="running")
    stepper.button("Back").click()
    stepper.button("Pause").click()
    stepper.wait(status="paused")
    notebook.wait_cell(2)
    expect(stepper.region.get_by_role("button", name="go live")).to_be_visible()
    stepper.button("Live").click()
    stepper.button("Until idle").click()
    stepper.wait(status="running")
    stepper.button("Stop").click()
    stop = stepper.region.get_by_role("button", name="Stop now")
    if stop.count():
        stop.click()
    stepper.wait(status="stopped")
    notebook.run_cell(3)
    assert "stopped" in notebook.text(3)


SLOW_SENDS = """
import threading, time
session = get_ipython().kernel.session
send = session.send

def slow(stream, kind, *args, **named):
    sent = send(stream, kind, *args, **named)
    if kind == "comm_msg" and threading.current_thread().name == "smithers":
        time.sleep(0.5)
    return sent

session.send = slow
"""


CLICK_AT_ONCE = """(region, pause) => {
    const seen = new MutationObserver(() => {
        if (Number(region.dataset.frame) >= 10) { seen.disconnect(); pause.click(); }
    });
    seen.observe(region, {attributes: true});
}"""


def test_a_click_while_the_kernel_is_sending_is_not_sent_to_the_cell_that_runs(lab):
    notebook = lab(["%load_ext smithers_nb", FLOOD, SLOW_SENDS, "flood.run_sync(max_frames=1_000_000).status"])
    for cell in (0, 1, 2):
        notebook.run_cell(cell)
    stepper = Stepper(notebook.page, "flood")
    pause = stepper.button("Pause").element_handle()
    stepper.region.evaluate(CLICK_AT_ONCE, pause)
    notebook.start_cell(3)
    stepper.wait(status="paused")
    notebook.wait_cell(3)
    assert "paused" in notebook.text(3)


def test_six_clicks_while_a_cell_awaits_are_six_actions(lab):
    notebook = lab(["%load_ext smithers_nb", FLOOD, "import asyncio; await asyncio.sleep(15)"])
    for cell in (0, 1):
        notebook.run_cell(cell)
    stepper = Stepper(notebook.page, "flood")
    notebook.start_cell(2)
    notebook.page.wait_for_timeout(300)
    for phase in ("SNAPSHOT", "RENDER", "RECONCILE", "COMMIT", "EXECUTE", "EFFECTS"):
        stepper.button("Step phase").click()
        stepper.wait(phase=phase)
    assert stepper.region.get_attribute("data-frame") == "1"
    notebook.interrupt()


LOSE = """
from smithers_nb.notebook.stepper import Stepper as _S
send, lost = _S._send, []
_S._send = lambda self, msg, buffers=None: lost.append(msg)
"""


def test_lost_messages_are_noticed_and_the_page_catches_up(lab):
    notebook = lab(["%load_ext smithers_nb", FLOOD, LOSE, "_S._send = send; len(lost)"])
    for cell in (0, 1, 2):
        notebook.run_cell(cell)
    stepper = Stepper(notebook.page, "flood")
    stepper.button("Step frame").click()
    notebook.page.wait_for_timeout(1000)
    stepper.wait(frame=0)  # All that the kernel said was lost.
    notebook.run_cell(3)
    assert int(notebook.text(3)) > 0
    stepper.wait(frame=1, phase="EFFECTS", status="paused")
    stepper.step(2)


def test_views_of_one_execution_agree_also_in_a_side_tab(lab):
    notebook = lab(["%load_ext smithers_nb", FLOOD, "from smithers_nb import Stepper\nStepper(flood)"])
    notebook.run_all()
    notebook.page.evaluate(
        "() => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = 1;"
        "return window.jupyterapp.commands.execute('notebook:create-output-view').then(() => true); }"
    )
    views = notebook.page.get_by_role("region", name="Stepper flood")
    expect(views).to_have_count(3)
    views.last.get_by_role("button", name="Step frame").click()
    for index in range(3):
        expect(views.nth(index)).to_have_attribute("data-frame", "1", timeout=60_000)
        expect(views.nth(index).get_by_role("tree", name="Plan")).to_contain_text('name="0"')
    notebook.page.evaluate(
        "() => { for (const one of [...window.jupyterapp.shell.widgets('main')]) if (!one.context) one.dispose(); }"
    )
