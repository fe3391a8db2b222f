"""What the stepper says is so: after an answer, a retry, a run from a cell, and without a kernel."""

from __future__ import annotations

import time

import pytest
from playwright.sync_api import expect

from tests.browser.stepping import Stepper

ASKS = """%%smithers asks
@component
def Asks(ctx):
    return (
        <Fragment>
            <Phase name="review">
                <Approval id="ok" prompt="Publish the report?" on_finished={lambda r: ctx.state.set("answer", r.output)}/>
            </Phase>
            <Phase name="publish">
                <Task id="send" run={lambda: 1}/>
            </Phase>
        </Fragment>
    )"""


def test_an_answer_is_given_beside_the_sentence_and_seen_at_once_and_a_finished_run_is_retried_and_stepped(lab):
    notebook = lab(["%load_ext smithers_nb", ASKS, "asks"])
    for cell in (0, 1):
        notebook.run_cell(cell)
    stepper = Stepper(notebook.page, "asks")
    stepper.button("Until idle").click()
    stepper.wait(status="waiting")
    expect(stepper.status).to_have_text("Waiting for a person: ok. Answer with the buttons.")
    notebook.shot("approve-before.png")
    stepper.region.get_by_role("group", name="Answer ok").get_by_role("button", name="approve").click()
    stepper.wait(status="paused")
    expect(stepper.status).to_contain_text("Step renders frame 2, because of: ok succeeded.")
    expect(stepper.region.get_by_role("group", name="Answer ok")).to_have_count(0)
    notebook.shot("approve-after.png")
    stepper.button("Continue").click()
    stepper.wait(status="finished")
    expect(stepper.button("Step frame")).to_have_attribute("aria-disabled", "true")

    last = int(stepper.region.get_attribute("data-frame") or 0)
    grid = stepper.grid("Tasks")
    grid.get_by_role("row").filter(has_text="send").get_by_role("button", name="retry").click()
    stepper.wait(status="paused")
    expect(stepper.status).to_contain_text("because of: send is run again by hand, and starts send.")
    expect(stepper.button("Step frame")).not_to_have_attribute("aria-disabled", "true")
    notebook.shot("retry.png")
    stepper.button("Step frame").click()
    stepper.wait(frame=last + 1, status="paused")
    stepper.button("Continue").click()
    stepper.wait(status="finished")


FLOOD = """%%smithers flood
@component
def Flood(ctx):
    n = ctx.state.get("n", 0)
    ctx.use_effect("tick", [n], lambda: ctx.state.set("n", n + 1))
    return <Phase name={str(n)}/>"""


@pytest.mark.parametrize(
    ("by", "run"), [("the button", "a cell"), ("the kernel's Stop", "a cell"), ("the button", "Continue")]
)
def test_stop_ends_a_flood_within_a_second(lab, by, run):
    notebook = lab(["%load_ext smithers_nb", FLOOD, "print(flood.run_sync(max_frames=20_000).status)", "flood.status"])
    for cell in (0, 1):
        notebook.run_cell(cell)
    stepper = Stepper(notebook.page, "flood")
    if run == "a cell":
        notebook.start_cell(2)
    else:
        stepper.button("Continue").click()
    stepper.wait(status="running")
    expect(stepper.button("Step frame")).to_have_attribute("aria-disabled", "true")
    notebook.page.wait_for_timeout(500)
    began = time.monotonic()
    if by == "the button":
        stepper.button("Stop").click()
    else:
        notebook.interrupt()
    expect(stepper.region).to_have_attribute("data-status", "stopped" if by == "the button" else "paused")
    took = time.monotonic() - began
    frames = stepper.region.get_attribute("data-frame")
    print(f"{run}, {by}: {took:.2f} s")
    notebook.page.wait_for_timeout(300)
    notebook.shot(f"flood-{by}-{run}.png".replace(" ", "-").replace("'", ""))
    assert took < 30, "a second, and the time that a busy machine takes"
    assert stepper.region.get_attribute("data-frame") == frames, "nothing goes on"
    notebook.wait_kernel()
    notebook.run_cell(3)
    assert ("stopped" if by == "the button" else "paused") in notebook.text(3)


def test_a_kernel_that_dies_is_noticed_without_a_click(lab):
    notebook = lab(["%load_ext smithers_nb", ASKS], quiet=False)
    for cell in (0, 1):
        notebook.run_cell(cell)
    stepper = Stepper(notebook.page, "asks")
    stepper.button("Step frame").click()
    stepper.wait(status="waiting")
    began = time.monotonic()
    notebook.kill_kernel()
    expect(stepper.region).to_have_attribute("data-connected", "false", timeout=30_000)
    print(f"noticed after {time.monotonic() - began:.1f} s")
    expect(stepper.status).to_contain_text("There is no kernel.")
    expect(stepper.button("Step frame")).to_have_attribute("aria-disabled", "true")
    expect(stepper.region.get_by_role("group", name="Answer ok")).to_have_count(0)
    notebook.shot("dead-kernel.png")


def test_the_stop_dialog_says_what_runs_and_costs_again(lab):
    app = """%%smithers slow
@component
def Slow(ctx):
    return (
        <Parallel>
            <Claude id="writer" model={scripted("late", delay_s=60)}>A long text.</Claude>
            <Task id="sleep" run={asyncio.Event().wait}/>
        </Parallel>
    )"""
    notebook = lab(["%load_ext smithers_nb\nimport asyncio", app])
    for cell in (0, 1):
        notebook.run_cell(cell)
    stepper = Stepper(notebook.page, "slow")
    stepper.step(1)
    stepper.button("Stop").click()
    dialog = stepper.region.get_by_role("alertdialog", name="Stop the execution?")
    expect(dialog).to_contain_text("2 tasks are running and will be interrupted. The next step runs them again")
    expect(dialog).to_contain_text("is paid for again")
    expect(dialog).to_contain_text("writer running")
    notebook.shot("stop-dialog.png")
    dialog.get_by_role("button", name="Stop now").click()
    stepper.wait(status="stopped")
    expect(stepper.status).to_contain_text("Step runs writer, sleep again.")


def test_what_is_wrong_with_an_expression_stands_on_one_line_below_its_field(lab):
    notebook = lab(["%load_ext smithers_nb", ASKS])
    for cell in (0, 1):
        notebook.run_cell(cell)
    stepper = Stepper(notebook.page, "asks")
    stepper.tab("Breakpoints")
    form = stepper.region.get_by_role("form", name="New breakpoint")
    field = form.get_by_role("textbox", name="Expression")
    field.fill("answer == 'approve'")
    expect(form.get_by_role("alert")).to_have_text(
        "✗ there is no 'answer' here. There are frame, node, prev, state, writes; a key of the state is state.answer."
    )
    form.get_by_role("button", name="Add breakpoint").scroll_into_view_if_needed()
    form.get_by_role("alert").scroll_into_view_if_needed()
    notebook.shot("bad-expression.png")
    above, below = field.bounding_box(), form.get_by_role("alert").bounding_box()
    assert above and below
    assert 0 <= below["y"] - (above["y"] + above["height"]) < 12
    assert below["height"] < 30, "one line"
