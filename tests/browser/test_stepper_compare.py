"""Another execution beside this one: chosen, marked in the plan, listed, linked on both sides; nothing is executed."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.lab import Lab
from tests.browser.stepping import HOSTILE, Stepper
from tests.browser.test_stepper_access import CONTRAST, OVERFLOW

DRAFT = """%%smithers report
from smithers_nb import scripted
prompt, answer = "Two notes on tides.", "1. tides 2. turbines"

@component
def Report(ctx):
    notes = ctx.state.get("notes")
    return (
        <Fragment>
            <Phase name="research">
                <Claude id="notes" model={scripted(answer)} on_finished={lambda r: ctx.state.set("notes", r.output)}>
                    {prompt}
                </Claude>
            </Phase>
            <Phase name="write">
                {notes and <Claude id="draft" model={scripted("A draft.")}>Write it up: {notes}</Claude>}
            </Phase>
        </Fragment>
    )"""
OTHER = DRAFT.replace("%%smithers report", "%%smithers other").replace("Two notes on tides.", "Sing of <b>wind</b>.").replace(
    '"1. tides 2. turbines"', repr(HOSTILE))  # fmt: skip
EDITED = DRAFT.replace("%%smithers report", "%%smithers report --dry").replace("Write it up:", "{'Sing <b>of it</b>:'}")
CELLS = ["%load_ext smithers_nb", OTHER, "other.run_sync(); None", DRAFT]


def opened(notebook: Lab) -> Stepper:
    for cell in range(len(CELLS)):
        notebook.run_cell(cell)
    return Stepper(notebook.page, "report")


def choose(stepper: Stepper, name: str) -> Locator:
    """Choose an execution by keyboard alone, and return the list of differences."""
    stepper.press("o")
    chooser = stepper.region.get_by_label("Other execution")
    value = chooser.locator("option", has_text=name).get_attribute("value")
    chooser.select_option(value)
    return stepper.region.get_by_role("grid", name="Differences", exact=True)


# First, because it has a server of its own.
@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_the_comparison_can_be_read_in_both_themes_and_a_narrow_column(theme):
    settings = {"@jupyterlab/apputils-extension:themes": {"theme": theme}}
    with Lab([*CELLS, EDITED], settings=settings) as notebook:
        stepper = opened(notebook)
        for frame in (1, 2, 3):
            stepper.step(frame)
        differences = choose(stepper, "other")
        expect(differences).to_be_visible()
        notebook.command("application:toggle-left-area")
        for width in (1280, 900, 500):
            notebook.page.set_viewport_size({"width": width, "height": 900})
            expect(differences).to_be_visible()
            notebook.page.wait_for_timeout(300)
            stepper.region.scroll_into_view_if_needed()
            assert stepper.region.evaluate(OVERFLOW) == [], width
            assert stepper.region.evaluate(CONTRAST) == [], width
            notebook.shot(f"compare-{theme.split()[-1].lower()}-{width}.png")
        notebook.run_cell(len(CELLS))
        result = notebook.cell(len(CELLS)).locator(".jp-OutputArea-output")
        expect(result).to_contain_text("Answers of models and people")
        result.scroll_into_view_if_needed()
        notebook.shot(f"edited-dry-{theme.split()[-1].lower()}.png")
        edited = stepper.region.get_by_role("region", name="Edited code")
        edited.get_by_role("button", name="First frame that differs").click()
        stepper.wait(cursor="live")  # It is the newest one.
        for width in (1280, 500):
            notebook.page.set_viewport_size({"width": width, "height": 900})
            notebook.page.wait_for_timeout(300)
            stepper.region.scroll_into_view_if_needed()
            assert stepper.region.evaluate(OVERFLOW) == [], width
            assert stepper.region.evaluate(CONTRAST) == [], width
            notebook.shot(f"edited-{theme.split()[-1].lower()}-{width}.png")
        notebook.assert_quiet()


def test_another_execution_is_a_baseline_of_the_plan_and_its_differences_lead_to_frames(lab):
    notebook = lab(CELLS)
    stepper = opened(notebook)
    for frame in (1, 2, 3):
        stepper.step(frame)
    differences = choose(stepper, "other")
    expect(differences).to_be_visible()
    text = stepper.region.locator(".ss-comparison-text")
    expect(text).to_contain_text("report and other differ in")
    expect(text).to_contain_text("matches frame 3 of other")

    # The plan has the marks, old beside new.
    expect(stepper.region.get_by_label("Compare with")).to_have_value("other")
    prompt = stepper.region.locator("[role=treeitem][data-change=changed]").filter(has_text="Two notes on tides.")
    expect(prompt).to_contain_text("Sing of <b>wind</b>.")
    assert stepper.node("draft").get_attribute("data-change") is None

    # A row leads to the frame here and says the one there.
    rows = differences.locator("tbody")
    assert rows.count() >= 4
    write = rows.filter(has_text="write notes").first
    write.locator("td").nth(2).click()
    stepper.wait(cursor=2)
    expect(stepper.status).to_contain_text("Frame 2 here, frame 2 of other: write notes of claude #notes.")
    expect(stepper.node("notes")).to_have_attribute("aria-selected", "true")
    assert notebook.evaluate("len(report.df.frames)") == "3"

    # The first difference is a key away, from everywhere.
    stepper.press("End")
    stepper.wait(cursor="live")
    stepper.press("Shift+O")
    stepper.wait(cursor=1)
    expect(stepper.status).to_contain_text("Frame 1 here, frame 1 of other")
    stepper.press("End")
    stepper.button("First difference").click()
    stepper.wait(cursor=1)

    # The hostile answer is text.
    expect(differences).to_contain_text(HOSTILE[:30])
    assert stepper.region.locator("img, b, script, iframe").count() == 0

    # Live it goes on, and without a baseline the plan is compared with the frame before.
    stepper.press("End")
    stepper.step(4)
    expect(text).to_contain_text("matches frame 4 of other")
    stepper.region.get_by_label("Other execution").select_option("")
    expect(differences).to_have_count(0)
    expect(stepper.region.get_by_label("Compare with")).to_have_value("previous")
    notebook.assert_quiet()


def test_differences_are_walked_with_the_keys(lab):
    notebook = lab(CELLS)
    stepper = opened(notebook)
    for frame in (1, 2, 3):
        stepper.step(frame)
    differences = choose(stepper, "other")
    expect(differences.locator("tbody").first).to_be_visible()
    stepper.region.get_by_label("Other execution").focus()
    page = notebook.page
    page.keyboard.press("Tab")
    expect(stepper.button("First difference")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    stepper.wait(cursor=1)
    expect(differences.locator("[aria-selected=true]")).to_have_count(1)
    focused = "() => document.activeElement.closest('[role=grid]')?.getAttribute('aria-label')"
    assert page.evaluate(focused) == "Differences"
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    assert page.evaluate(focused) == "Differences"
    notebook.assert_quiet()


def test_a_recorded_execution_is_compared_with_a_branch_of_its_family(lab):
    notebook = lab([
        *CELLS, "report.run_sync(); branch = report.fork(1, name='branch'); branch.run_sync()\n"
        "from smithers_nb import Store, Stepper\nStepper(Store(report.store.path).open('report'))",
    ])  # fmt: skip
    opened(notebook)
    notebook.run_cell(len(CELLS))
    page = notebook.page
    stepper = Stepper(page, "report")
    stepper.region = notebook.cell(len(CELLS)).get_by_role("region", name="Stepper report")
    stepper.press("o")
    family = stepper.region.locator("optgroup[label='Branches of the family'] option")
    expect(family).to_have_count(1)
    expect(family).to_contain_text("branch · branch, finished")
    stepper.region.get_by_label("Other execution").select_option(family.get_attribute("value"))
    expect(stepper.region.locator(".ss-comparison-text")).to_contain_text("report and branch do not differ.")
    notebook.assert_quiet()


def test_an_edited_cell_marks_frames_is_a_baseline_and_branches(lab):
    notebook = lab(["%load_ext smithers_nb", DRAFT, "report.run_sync(); before = report.df.nodes.to_csv()", EDITED])
    for cell in range(4):
        notebook.run_cell(cell)
    # The result of --dry has a look of its own, and nothing in it is markup of the user's.
    result = notebook.cell(3).locator(".jp-OutputArea-output")
    expect(result).to_contain_text("is the first that differs: draft's prompt. A branch reuses 1 of 2 answers")
    expect(result).to_contain_text("Answers of models and people")
    assert result.locator("b").count() == 0

    stepper = Stepper(notebook.page, "report")
    stepper.region.scroll_into_view_if_needed()
    marks = stepper.region.locator(".ss-edit-marks line")
    expect(marks).to_have_count(1)
    first = int(marks.get_attribute("data-first"))
    assert first > 1
    slider = stepper.region.get_by_role("slider", name="Timeline")
    expect(slider).to_have_attribute("aria-valuetext", re.compile("the edited code differs here"))

    stepper.press("o")
    panel = stepper.region.get_by_role("region", name="Edited code")
    expect(panel).to_contain_text(f"Frame {first} is the first that differs: draft's prompt.")
    panel.get_by_role("button", name="First frame that differs").click()
    stepper.wait(cursor=first)
    changed = stepper.region.locator("[role=treeitem][data-change=changed]")
    expect(changed).to_have_count(1)
    expect(changed).to_contain_text("Sing <b>of it</b>:")
    expect(stepper.region.get_by_label("Compare with")).to_have_value("other")
    stepper.press("ArrowLeft")
    expect(changed).to_have_count(0)
    expect(slider).not_to_have_attribute("aria-valuetext", re.compile("differs here"))
    stepper.press("Shift+O")
    stepper.wait(cursor=first)
    expect(stepper.status).to_contain_text("is the first that differs")

    # By keyboard: the button branches, the parent stays as it is.
    button = panel.get_by_role("button", name=f"Branch from frame {first - 1}", exact=True)
    button.focus()
    notebook.page.keyboard.press("Enter")
    branch = Stepper(notebook.page, "report~2")
    branch.wait(frame=first - 1)
    expect(branch.region.locator(".ss-edit-marks line")).to_have_count(0)
    assert notebook.evaluate("report_2.name, report.df.nodes.to_csv() == before") == "('report~2', True)"
    assert notebook.evaluate("(report_2.run_sync().status, 'Sing' in report_2.at(report_2.recorded).xml)") == (
        "('finished', True)"
    )
    notebook.assert_quiet()
