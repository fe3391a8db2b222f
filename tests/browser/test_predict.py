"""Predicting the next frame in a real JupyterLab: asked, locked, marked, and told with causes."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.stepping import HOSTILE, REPORT, Stepper


def cell(source: str) -> str:
    return source.replace("%%smithers report", "%%smithers report --predict")


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_a_step_is_locked_until_the_frame_was_predicted(lab, theme):
    notebook = lab(["%load_ext smithers_nb", cell(REPORT), "report.df.predictions"], viewport=(1280, 720))
    notebook.page.evaluate(f"window.jupyterapp.commands.execute('apputils:change-theme', {{theme: '{theme}'}})")
    for index in range(2):
        notebook.run_cell(index)
    stepper = Stepper(notebook.page, "report")
    form = stepper.region.get_by_role("form", name="Prediction of frame 1")
    expect(form).to_be_visible(timeout=60_000)
    expect(stepper.button("Step frame")).to_have_attribute("aria-disabled", "true")
    expect(stepper.button("Continue")).to_have_attribute("aria-disabled", "true")
    notebook.shot(f"predict-form-{theme[11:]}.png")
    stepper.press("n")
    expect(stepper.region).to_have_attribute("data-frame", "0")
    # By keyboard alone: the mark, then Enter in the form.
    form.get_by_role("checkbox", name="claude #notes", exact=True).focus()
    notebook.page.keyboard.press("Space")
    form.get_by_role("button", name="Predict", exact=True).focus()
    notebook.page.keyboard.press("Enter")
    expect(stepper.button("Step frame")).not_to_have_attribute("aria-disabled", "true")
    stepper.step(1)
    expect(stepper.region.get_by_role("list", name="Result of frame 1")).to_contain_text("claude #notes starts")
    form = stepper.region.get_by_role("form", name="Prediction of frame 2")
    form.get_by_label("Value of notes").fill("something else")
    expect(form.get_by_role("checkbox", name="notes", exact=True)).to_be_checked()
    notebook.shot(f"predict-second-{theme[11:]}.png")
    form.get_by_role("button", name="Predict", exact=True).click()
    stepper.step(2)
    result = stepper.region.get_by_role("list", name="Result of frame 2")
    expect(result).to_contain_text("on_finished of notes, because notes succeeded")
    expect(result.get_by_text("miss").first).to_be_visible()
    notebook.shot(f"predict-result-{theme[11:]}.png")
    result.get_by_role("button", name="Why on_finished of claude #notes fires").click()
    expect(stepper.region.get_by_role("tab", name="Why")).to_have_attribute("aria-selected", "true")
    stepper.button("Skip frame 3").click()
    stepper.step(3)
    notebook.run_cell(2)


def test_hostile_names_are_inert_in_the_form_and_its_result(lab):
    source = f"""%%smithers report --predict
@component
def App(ctx):
    ctx.state.init({HOSTILE!r}, 1)
    return <Phase name={{{HOSTILE!r}}}><Task id={{{HOSTILE!r}}} run={{lambda: 1}} on_finished={{lambda r: ctx.state.set({HOSTILE!r}, 2)}}/></Phase>"""
    notebook = lab(["%load_ext smithers_nb", source], viewport=(1280, 900))
    for index in range(2):
        notebook.run_cell(index)
    stepper = Stepper(notebook.page, "report")
    stepper.region.get_by_role("form", name="Prediction of frame 1").get_by_role("checkbox").first.check()
    stepper.region.get_by_role("button", name="Predict", exact=True).click()
    stepper.step(1)
    expect(stepper.region.get_by_role("list", name="Result of frame 1")).to_contain_text("<img src=x onerror=")
    assert stepper.region.locator("img").count() == 0
