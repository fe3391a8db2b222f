"""How the panes share their room: the plan has most of it, bars between them are dragged or moved by keys."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.lab import Lab
from tests.browser.stepping import REPORT, Stepper


def opened(notebook: Lab) -> Stepper:
    """The stepper of the report in a wide column, in sight."""
    notebook.command("application:toggle-left-area")
    notebook.run_all()
    stepper = Stepper(notebook.page, "report")
    stepper.region = stepper.region.first
    stepper.wait(room="wide")
    stepper.region.scroll_into_view_if_needed()
    return stepper


def box(part: Locator) -> dict[str, float]:
    found = part.bounding_box()
    assert found is not None
    return dict(found)


def group(stepper: Stepper, name: str) -> Locator:
    return stepper.region.locator(f"[data-group={name}]")


def bar(stepper: Stepper, name: str) -> Locator:
    return stepper.region.get_by_role("separator", name=name, exact=True)


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_the_plan_has_the_room_that_the_details_do_not_need(theme: str) -> None:
    settings = {"@jupyterlab/apputils-extension:themes": {"theme": theme}}
    with Lab(["%load_ext smithers_nb", REPORT], settings=settings) as notebook:
        stepper = opened(notebook)
        stepper.step(1)
        stepper.step(2)
        plan, details = box(group(stepper, "Plan")), box(group(stepper, "Details"))
        assert plan["height"] > 2 * details["height"], "one write waits: the details need few rows"
        notebook.shot(f"room-{theme.split()[-1].lower()}.png")
        stepper.tab("Breakpoints")
        expect(stepper.region.get_by_role("form", name="New breakpoint")).to_be_visible()
        assert box(group(stepper, "Details"))["height"] <= 0.46 * box(stepper.region)["height"]
        notebook.assert_quiet()


def test_a_bar_is_dragged_moved_by_keys_remembered_and_given_back() -> None:
    with Lab(["%load_ext smithers_nb", REPORT, "report"]) as notebook:
        stepper = opened(notebook)
        stepper.step(1)
        inspector, height = bar(stepper, "Width of the inspector"), bar(stepper, "Height of the details")
        wide, high = box(group(stepper, "Inspector")), box(group(stepper, "Details"))

        at = box(inspector)
        x, y = at["x"] + at["width"] / 2, at["y"] + 60
        mouse = notebook.page.mouse
        mouse.move(x, y)
        mouse.down()
        mouse.move(x - 100, y, steps=4)
        mouse.up()
        assert box(group(stepper, "Inspector"))["width"] == pytest.approx(wide["width"] + 100, abs=4)

        height.focus()
        notebook.page.keyboard.press("ArrowUp")
        notebook.page.keyboard.press("ArrowUp")
        higher = box(group(stepper, "Details"))["height"]
        assert higher > high["height"]
        expect(stepper.region).to_have_attribute("data-cursor", "live")  # The arrows moved the bar, not the cursor.
        expect(height).to_have_attribute("aria-valuetext", f"{float(valued(height)):.0f} percent")

        # A stepper that is shown anew has the same room: the third cell shows the execution once more.
        notebook.run_cell(2)
        again = Stepper(notebook.page, "report")
        again.region = again.region.last
        assert box(group(again, "Details"))["height"] == pytest.approx(higher, abs=2)

        inspector.dblclick()
        assert box(group(stepper, "Inspector"))["width"] == pytest.approx(wide["width"], abs=2)
        height.focus()
        notebook.page.keyboard.press("Enter")
        expect(height).to_have_attribute("aria-valuetext", "automatic")
        assert box(group(stepper, "Details"))["height"] == pytest.approx(high["height"], abs=2)
        notebook.assert_quiet()


def valued(part: Locator) -> str:
    found = part.get_attribute("aria-valuenow")
    assert found is not None
    return found


def test_while_nothing_is_selected_the_inspector_shows_what_changed() -> None:
    with Lab(["%load_ext smithers_nb", REPORT]) as notebook:
        stepper = opened(notebook)
        stepper.step(1)
        inspector = stepper.region.get_by_role("tabpanel", name="Node", exact=True)
        expect(inspector).to_contain_text("research")  # The first of those that were mounted.
        stepper.step(2)
        expect(inspector).to_contain_text("This frame changed nothing in the plan")
        stepper.node("draft").click()
        expect(inspector).to_contain_text("draft")
        stepper.step(3)
        expect(inspector).to_contain_text("draft")  # A selection stays.
        notebook.shot("followed.png")
        notebook.assert_quiet()
