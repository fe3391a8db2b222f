"""The stepper on a page, by its accessible names, and the workflows that several browser tests step."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

REPORT = """%%smithers report
topic = "tidal energy"

@component
def Report(ctx):
    notes = ctx.state.get("notes")
    return (
        <Fragment>
            <Phase name="research">
                <Claude id="notes" model={scripted("1. tides 2. turbines")}
                        on_finished={lambda r: ctx.state.set("notes", r.output)}>
                    Give two notes on {topic}.
                </Claude>
            </Phase>
            <Phase name="write">
                <Claude id="draft" model={scripted("A short draft.")}
                        on_finished={lambda r: ctx.state.set("draft", r.output)}>
                    Write it up: {notes}
                </Claude>
            </Phase>
        </Fragment>
    )"""

HOSTILE = '<img src=x onerror=alert(1)></script><b>bold</b> & "q" {{7*7}} [x](http://x.invalid/y)'


class Stepper:
    """The stepper on the page, by its accessible names."""

    def __init__(self, page: Page, name: str) -> None:
        self.page = page
        self.region = page.get_by_role("region", name=f"Stepper {name}", exact=True)

    def button(self, name: str) -> Locator:
        return self.region.get_by_role("button", name=name, exact=True)

    def tab(self, name: str) -> None:
        self.region.get_by_role("tab", name=name, exact=True).click()

    def grid(self, name: str) -> Locator:
        """The pane of that name, opened."""
        self.tab(name)
        return self.region.get_by_role("grid", name=name, exact=True)

    def node(self, node_id: str) -> Locator:
        return self.region.locator(f"[role=treeitem][data-node-id={node_id!r}]")

    def dot(self, name: str) -> Locator:
        """The breakpoint button beside a thing: ``Breakpoint on notes``, ``Watch n``."""
        return self.region.get_by_role("button", name=name, exact=True).first

    def press(self, *keys: str) -> None:
        """Press keys with the focus on the region itself."""
        self.region.focus()
        for key in keys:
            self.page.keyboard.press(key)

    def wait(self, **data: object) -> None:
        """Wait until the region's data attributes have these values."""
        for name, value in data.items():
            expect(self.region).to_have_attribute(f"data-{name}", str(value), timeout=60_000)

    @property
    def status(self) -> Locator:
        return self.region.get_by_role("status", name="Stepper status")

    @property
    def sentence(self) -> str:
        return self.status.inner_text()

    def step(self, frame: int) -> None:
        self.button("Step frame").click()
        self.wait(frame=frame, phase="EFFECTS", status="paused")

    def xml(self) -> str:
        self.tab("XML")
        return self.region.get_by_label("Plan XML").inner_text()
