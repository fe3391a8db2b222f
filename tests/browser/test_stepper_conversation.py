"""The conversation of an agent in the Task pane: in order, folded part by part, in both themes."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.lab import Lab
from tests.browser.stepping import HOSTILE, Stepper
from tests.browser.test_stepper_access import CONTRAST

LOAD = """%load_ext smithers_nb
from pydantic import BaseModel
from pydantic_ai.exceptions import ModelHTTPError
from smithers_nb import call_tool"""

PLAN = f"""%%smithers trip
class Trip(BaseModel):
    city: str
    days: int

def weather(city: str) -> str:
    return "snow, " * 100 + {HOSTILE!r}

model = scripted(
    ModelHTTPError(503, "mine"),
    call_tool("weather", city={HOSTILE!r}),
    {{"city": "Oslo", "days": "two"}},
    {{"city": "Oslo", "days": 2}},
)

@component
def Plan(ctx):
    return <Claude id="plan" model={{model}} tools={{[weather]}} output_type={{Trip}}
                   system="You plan short trips.">Plan two days in Oslo. Look at the weather first.</Claude>"""


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_the_conversation_of_an_agent_is_read_in_the_task_pane(theme: str) -> None:
    settings = {"@jupyterlab/apputils-extension:themes": {"theme": theme}}
    with Lab([LOAD, PLAN, "trip.transcript('plan')"], settings=settings) as notebook:
        notebook.run_cell(0)
        notebook.run_cell(1)
        stepper = Stepper(notebook.page, "trip")
        stepper.button("Until idle").click()
        stepper.wait(status="finished")
        stepper.tab("Tasks")
        stepper.region.locator("[aria-label=Tasks] tbody td:nth-child(2) .ss-link").first.click()
        stepper.tab("Task")
        pane = stepper.region.get_by_role("tabpanel", name="Task", exact=True)
        requests = pane.get_by_role("list", name="Conversation").get_by_role("listitem")
        expect(requests).to_have_count(4)
        first, second, third, last = requests.all()
        expect(first).to_contain_text("turn 1")
        expect(first).to_contain_text("You plan short trips.")
        expect(first).to_contain_text("failed: ")
        expect(second).to_contain_text("turn 1, attempt 2 after ")
        expect(second).to_contain_text("calls weather")
        expect(second).to_contain_text("<img src=x onerror=alert(1)>")
        result = third.locator("details").first
        assert result.get_attribute("open") is None, "a long part is folded"
        summary = result.locator("summary")
        summary.focus()
        notebook.page.keyboard.press("Enter")
        expect(result).to_have_attribute("open", "")
        notebook.page.keyboard.press("Space")
        expect(result).not_to_have_attribute("open", "")
        expect(last).to_contain_text("final_result is rejected")
        expect(last).to_contain_text("days: Input should be a valid integer")
        expect(last).to_contain_text("50 tokens in")
        assert stepper.region.evaluate(CONTRAST) == []
        second.scroll_into_view_if_needed()
        notebook.shot(f"conversation-{theme.split()[-1].lower()}.png")
        notebook.run_cell(2)
        output = notebook.page.get_by_text("plan: succeeded in attempt 2 of 4 (plan@1; 4 requests").last
        expect(output).to_be_visible()
        output.scroll_into_view_if_needed()
        notebook.shot(f"transcript-{theme.split()[-1].lower()}.png")
        assert notebook.page.locator("img[src=x]").count() == 0
        notebook.assert_quiet()
