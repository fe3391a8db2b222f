"""Makes the README's picture from a real JupyterLab: ``python -m tests.browser.picture``.

It shows a frame with a diff and the chain of causes of what changed.
"""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect

from tests.browser.lab import Lab, Server, browser
from tests.browser.stepping import REPORT, Stepper

PICTURE = Path(__file__).parents[2] / "notebooks" / "images" / "stepper.png"
SIZE = "width: 1120px; height: 650px"


def main() -> None:
    """Step the README's report to its third frame, ask why, and write the picture."""
    with browser() as chromium, Server() as server:
        page = chromium.new_page(device_scale_factor=2)
        with Lab(["%load_ext smithers_nb", REPORT], server=server, page=page, viewport=(1400, 900)) as notebook:
            notebook.command("application:toggle-left-area")
            notebook.run_all()
            stepper = Stepper(page, "report")
            for frame in (1, 2, 3):
                stepper.step(frame)
            stepper.region.evaluate("(region, size) => region.setAttribute('style', size)", SIZE)
            stepper.wait(room="wide")
            stepper.tab("Handlers")
            stepper.node("draft").click()
            stepper.press("q")
            why = stepper.region.get_by_role("tabpanel", name="Why", exact=True)
            why.get_by_text("why draft.prompt?").first.click()
            expect(why).to_contain_text("tides")
            stepper.region.scroll_into_view_if_needed()
            page.mouse.move(0, 0)
            stepper.region.screenshot(path=PICTURE)
            notebook.assert_quiet()
    print(PICTURE)


if __name__ == "__main__":
    main()
