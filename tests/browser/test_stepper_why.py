"""Why, why not and what it would take, in the stepper: the clicks from a value to its root, and from nothing to a branch."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.stepping import HOSTILE, Stepper
from tests.browser.test_stepper_access import CONTRAST

REVIEW = """%%smithers review
@component
def Review(ctx):
    score, notes = ctx.state.get("score", 0), ctx.state.get("notes", "")
    return (
        <Fragment>
            <Phase name="research">
                <Claude id="notes" model={scripted(HOSTILE)} on_finished={lambda r: ctx.state.set("notes", r.output)}>
                    Give two notes.
                </Claude>
            </Phase>
            <Phase name="judge">
                <Claude id="judge" model={scripted("6")} on_error={lambda e: ctx.state.set("score", 0)}
                        on_finished={lambda r: ctx.state.set("score", int(r.output))}>
                    Score from 1 to 10: {notes}
                </Claude>
            </Phase>
            <Phase name="end">
                {score >= 7 and <Task id="publish" run={lambda: "published"}/>}
                <Task id="log" run={lambda: score}/>
            </Phase>
        </Fragment>
    )"""

RECORDED = """from smithers_nb import Stepper, Store
review.close()
Stepper(Store("smithers.db").open("review"))"""


def count_clicks(page: Page) -> None:
    page.evaluate("window.clicks = 0; window.addEventListener('click', () => { window.clicks += 1; }, true)")


def clicks(page: Page) -> int:
    """The clicks since the last time that this was asked."""
    return int(page.evaluate("(() => { const made = window.clicks; window.clicks = 0; return made; })()"))


def test_a_wrong_value_leads_to_its_root_and_an_absent_node_to_a_branch_that_has_it(lab):
    notebook = lab(["%load_ext smithers_nb", f"HOSTILE = {HOSTILE!r}", REVIEW, "review.run_sync(); None", RECORDED])
    for cell in range(4):
        notebook.run_cell(cell)
    page, stepper = notebook.page, Stepper(notebook.page, "review")
    stepper.wait(status="finished")
    count_clicks(page)
    why = stepper.region.get_by_role("tabpanel", name="Why", exact=True)

    # A wrong value: 6, and not 7. Its root is the answer of a model; the third click is left.
    score = stepper.grid("State").locator("tbody", has_text="score")
    expect(score).to_contain_text("6")
    clicks(page)
    score.get_by_role("button", name="Why score", exact=True).click()
    root = why.locator("li[data-root]").last
    expect(root).to_contain_text('scripted answered in turn 1: "6"')
    expect(root).to_contain_text("recorded")
    root.get_by_role("button", name='scripted answered in turn 1: "6"').click()
    expect(stepper.node("judge")).to_have_attribute("aria-selected", "true")
    frame = stepper.region.get_attribute("data-cursor")
    assert clicks(page) <= 3
    assert frame is not None and frame.isdigit()
    # The answer stays while the cursor moves, and goes on to the prompt that was answered.
    why.get_by_role("button", name="why judge.prompt?").click()
    expect(why.get_by_role("heading")).to_have_text(f"why judge.prompt, in frame {frame}?")
    expect(why).to_contain_text(HOSTILE[:55])
    why.get_by_role("button", name="Back to the question before").click()
    expect(why.get_by_role("heading")).to_have_text("why score?")

    # By keys alone: Q asks about the row that has the focus, Tab and Enter follow a sentence.
    stepper.press("End")
    stepper.wait(cursor="live")
    stepper.node("notes").focus()
    page.keyboard.press("q")
    expect(why.get_by_role("heading", name="why notes?")).to_be_focused()
    page.keyboard.press("Tab")
    expect(why.locator(".ss-told").first).to_be_focused()
    page.keyboard.press("Enter")
    stepper.wait(cursor="1")
    stepper.press("End")

    # What is absent: a handler that never fired, a name that no row shows, and a node that the code could return.
    stepper.node("judge").get_by_role("button", name="Why on_error of judge").click()
    expect(why.get_by_role("heading")).to_have_text("why not judge.on_error?")
    expect(why).to_contain_text("there was no error")
    why.get_by_role("searchbox", name="Ask about").fill("publisch")
    page.keyboard.press("Enter")
    expect(why).to_contain_text("Did you mean 'publish'?")
    stepper.region.get_by_role("checkbox", name="show what could be here").check()
    ghost = stepper.region.get_by_role("treeitem", name="could be here: task publish")
    expect(ghost).to_contain_text("if score >= 7 is true")
    assert stepper.region.evaluate(CONTRAST) == []
    clicks(page)
    ghost.click()
    expect(why).to_contain_text("in Review, score >= 7 is not true")
    why.get_by_role("button", name="What would it take?").click()
    expect(why).to_contain_text("publish would be in the plan if score were 7")
    assert clicks(page) == 2
    why.get_by_role("button", name="Branch with this").click()
    branch = Stepper(page, "review~2")
    expect(branch.region).to_be_visible(timeout=30_000)
    branch.button("Step frame").click()
    expect(branch.node("publish")).to_be_visible(timeout=30_000)

    # Text of a model does nothing, wherever it is told.
    assert page.locator(".smithers-stepper img, .smithers-stepper script").count() == 0

    # A file has no code: what only code can tell is said to be unknown.
    notebook.run_cell(4)
    recorded = Stepper(page, "review")
    recorded.region.get_by_role("checkbox", name="show what could be here").check()
    expect(recorded.region).to_contain_text("Not known: this execution is recorded, and a file has no code")
    recorded.node("judge").focus()
    page.keyboard.press("q")
    told = recorded.region.get_by_role("tabpanel", name="Why", exact=True)
    expect(told.get_by_role("heading")).to_have_text("why judge?")
    expect(told).to_contain_text("claude #judge is in the plan since frame 1")
