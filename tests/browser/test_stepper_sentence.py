"""The sentence on a page: what it says, of which kind it looks, and what can be done in it."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.stepping import Stepper

TEAM = """%%smithers team
@component
def Team(ctx):
    return (
        <Fragment>
            <Phase name="research">
                <Claude key="tides" model={scripted("1. tides")} on_finished={lambda r: ctx.state.set("notes", r.output)}>
                    Give two notes.
                </Claude>
            </Phase>
            <Phase name="check">
                <Task id="sum" run={lambda: 3} on_finished={lambda r: 1 / 0}/>
            </Phase>
            <Phase name="publish">
                <Approval id="ok" prompt="Publish it?"/>
            </Phase>
            <Phase name="later">{[<Step key={str(n)} name="wait"/> for n in range(4)]}</Phase>
        </Fragment>
    )"""
WAIT_MS = 30_000


def test_the_sentence_tells_what_happened_and_has_what_can_be_done(lab):
    notebook = lab(["%load_ext smithers_nb", TEAM])
    notebook.run_all()
    stepper = Stepper(notebook.page, "team")
    hero = stepper.region.locator(".ss-hero")
    inspector = stepper.region.get_by_role("tabpanel", name="Node", exact=True)

    stepper.tab("Node")
    # Before the first frame nothing is claimed about one.
    expect(inspector).not_to_contain_text("changed nothing")
    stepper.step(1)
    expect(stepper.status).to_contain_text('Frame 1 is at rest: claude "tides" started')
    high = hero.bounding_box()["height"]
    stepper.step(2)
    expect(stepper.status).to_contain_text(
        'claude "tides" succeeded, 1 handler fired, 1 write is pending. Step applies notes'
    )
    assert hero.bounding_box()["height"] == high  # Nothing below it jumps.
    expect(hero).to_have_attribute("data-tone", "live")
    assert stepper.region.locator(".ss-header").inner_text().split("\n")[0:2] != ["team", "paused"]
    expect(stepper.region.locator(".ss-status")).to_contain_text("at rest")
    # Names in the grids, with the id on hover.
    link = stepper.grid("Pending writes").get_by_role("button", name='claude "tides"', exact=True)
    assert link.get_attribute("title").split(":")[0] == stepper.region.locator("[data-node-id]").nth(1).get_attribute(
        "data-node-id"
    )

    # A handler that raised: the sentence, its node, and the way to the error.
    stepper.button("Until idle").click()
    expect(stepper.status).to_contain_text("Stopped: frame", timeout=WAIT_MS)
    expect(hero).to_have_attribute("data-tone", "bad")
    stepper.button("Until idle").click()
    expect(stepper.status).to_contain_text("Waiting for a person: ok.", timeout=WAIT_MS)
    expect(stepper.node("sum")).to_have_attribute("data-raised", "true")
    expect(stepper.node("sum")).to_contain_text("handler raised")
    failed = int(notebook.evaluate("int(team.df.handlers.query('status == \"raised\"').frame.item())"))
    stepper.press(*["ArrowLeft"] * (int(notebook.evaluate("team.recorded")) - failed))
    stepper.wait(cursor=failed)
    expect(hero).to_have_attribute("data-tone", "bad")
    expect(stepper.status).to_contain_text("on_finished of sum raised ZeroDivisionError: division by zero")
    stepper.button("Show error").click()
    expect(stepper.region.get_by_role("grid", name="Problems", exact=True)).to_contain_text("task #sum")
    stepper.button("Why").click()
    expect(stepper.region.get_by_role("tab", name="Why", exact=True)).to_have_attribute("aria-selected", "true")

    # A person's answer is in the sentence, and only where it can be given.
    expect(stepper.region.get_by_role("group", name="Answer ok")).to_have_count(0)
    stepper.press("End")
    stepper.region.get_by_role("group", name="Answer ok").get_by_role("button", name="approve").click()
    stepper.button("Until idle").click()
    stepper.wait(status="finished")
    expect(hero).to_have_attribute("data-tone", "good")
    # What has settled is one line with how it ended; a failed handler keeps its phase open.
    expect(stepper.node("sum")).to_be_visible()
    notebook.shot("sentence.png")
