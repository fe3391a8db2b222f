"""What the stepper says is so: after an answer, a retry, a run from a cell, and without a kernel."""

from __future__ import annotations

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
