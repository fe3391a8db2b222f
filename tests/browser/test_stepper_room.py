"""How the panes share their room: the plan has most of it, bars between them are dragged or moved by keys."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.lab import Lab
from tests.browser.stepping import REPORT, Stepper
from tests.browser.test_stepper_access import TABS

# Counts what is written into the page's storage.
COUNT_KEPT = """() => { window.kept = 0; const put = Storage.prototype.setItem;
  Storage.prototype.setItem = function (...of) { if (of[0].startsWith('smithers_nb')) window.kept += 1; put.apply(this, of); }; }"""

# At each width of the stepper: what runs past its edge, and how many rows the toolbar has.
WIDTHS = """async root => {
  const faults = [], next = () => new Promise(done => requestAnimationFrame(() => setTimeout(done, 0)));
  for (let width = 320; width <= 1600; width += 16) {
    root.style.width = `${width}px`;
    await next(); await next();
    const head = [...root.querySelectorAll('.ss-header, .ss-controls, .ss-timeline')].reduce((sum, e) => sum + e.offsetHeight, 0);
    if (head > 120) faults.push(`${width}: header, toolbar, strip and timeline are ${head} px high`);
    const { right } = root.getBoundingClientRect(), seen = e => e.getBoundingClientRect().width > 0;
    const parts = '.ss-toolbar > *, .ss-header > *, .ss-facts > *, .ss-phases > *, .ss-phase > *, .ss-timeline > *, .ss-timeline-tools > *';
    for (const part of [...root.querySelectorAll(parts)].filter(seen))
      if (part.getBoundingClientRect().right > right) faults.push(`${width}: ${part.className} ${part.textContent} runs past the edge`);
    const names = [...root.querySelectorAll('.ss-toolbar .ss-label, .ss-phase-name')].filter(seen);
    for (const name of names) if (name.scrollWidth > name.clientWidth + 1 && getComputedStyle(name).display !== 'inline')
      faults.push(`${width}: ${name.textContent} is cut`);
    const tops = [...root.querySelectorAll('.ss-toolbar > *')].filter(seen).map(e => e.getBoundingClientRect().top);
    if (new Set(tops).size !== 1) faults.push(`${width}: the toolbar has ${new Set(tops).size} rows`);
  }
  root.style.width = '';
  return faults;
}"""

SIZES = """root => {
  const sizes = new Set(), walk = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  for (let text = walk.nextNode(); text; text = walk.nextNode())
    if (text.textContent.trim()) sizes.add(getComputedStyle(text.parentElement).fontSize);
  return [...sizes];
}"""

# What scrolls in something that scrolls. A text field may.
NESTED = """root => {
  const scrolls = e => ['auto', 'scroll'].includes(getComputedStyle(e).overflowY) && e.scrollHeight > e.clientHeight + 1;
  return [...root.querySelectorAll(':not(textarea)')].filter(scrolls)
    .filter(e => { for (let up = e.parentElement; up && root.contains(up); up = up.parentElement) if (scrolls(up)) return true; })
    .map(e => e.className || e.parentElement.className);
}"""


# Tables that are wider than their pane, at three widths of the stepper.
CLIPPED = """async root => {
  const faults = [], next = () => new Promise(done => setTimeout(done, 30));
  const cut = () => [...root.querySelectorAll('table[role=grid]')]
    .filter(grid => grid.offsetWidth > grid.parentElement.clientWidth + 1).map(grid => grid.ariaLabel);
  for (const width of [1200, 640, 400]) {
    root.style.width = `${width}px`;
    await next();
    for (let waited = 0; cut().length > 0 && waited < 300; waited += 1) await next();
    faults.push(...cut().map(name => `${width}: ${name} is cut`));
  }
  root.style.width = '';
  await next();
  return faults;
}"""


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
        notebook.page.evaluate(COUNT_KEPT)
        mouse.move(x, y)
        mouse.down()
        mouse.move(x - 100, y, steps=4)
        mouse.up()
        assert notebook.page.evaluate("window.kept") == 1, "a drag is remembered once, at its end"
        assert box(group(stepper, "Inspector"))["width"] == pytest.approx(wide["width"] + 100, abs=4)

        height.focus()
        notebook.page.keyboard.press("ArrowUp")
        notebook.page.keyboard.press("ArrowUp")
        higher = box(group(stepper, "Details"))["height"]
        assert higher > high["height"]
        expect(stepper.region).to_have_attribute("data-cursor", "live")  # The arrows moved the bar, not the cursor.
        expect(height).to_have_attribute("aria-valuetext", f"{valued(height)} percent")

        # A stepper that is shown anew has the same room: the third cell shows the execution once more.
        notebook.run_cell(2)
        again = Stepper(notebook.page, "report")
        again.region = again.region.last
        assert box(group(again, "Details"))["height"] == pytest.approx(higher, abs=2)

        # The layout decides again, and the bar tells the share that the pane has then.
        inspector.dblclick()
        percents = 100 * box(group(stepper, "Inspector"))["width"] / box(stepper.region.locator(".ss-panes"))["width"]
        # A half is rounded to either side: here by Python, there by the page, from widths that it measured itself.
        expect(inspector).to_have_attribute("aria-valuenow", re.compile(f"^({int(percents)}|{int(percents) + 1})$"))
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
        expect(inspector).to_contain_text("What frame 2 did")
        stepper.node("draft").click()
        expect(inspector).to_contain_text("draft")
        stepper.step(3)
        expect(inspector).to_contain_text("draft")  # A selection stays.
        notebook.shot("followed.png")
        notebook.assert_quiet()


FIRST = Path(__file__).parents[2] / "notebooks" / "01_first_frames.ipynb"


def test_the_first_notebook_needs_no_scrolling_between_a_cell_and_its_stepper() -> None:
    with Lab(FIRST, viewport=(1280, 720)) as notebook:
        sources = ["".join(cell["source"]) for cell in json.loads(FIRST.read_text())["cells"]]
        shown = sources.index("report")
        for cell in range(shown + 1):
            if not sources[cell].startswith("#"):
                notebook.run_cell(cell)
        stepper = Stepper(notebook.page, "report")
        stepper.step(1)
        cell = notebook.cell(shown)
        cell.evaluate("e => e.scrollIntoView({block: 'start'})")
        page = box(notebook.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-WindowedPanel-outer"))
        top, end = box(cell)["y"], box(stepper.region)
        assert top >= page["y"]
        assert end["y"] + end["height"] <= page["y"] + page["height"]
        notebook.shot("first.png")


LONG = """long = "a long line of text " * 200 + "\\n" * 9 + "x" * 3000

def broken(result, ctx):
    raise ValueError(long)

@component
def Long(ctx):
    return Fragment()[
        Claude(id="say", model=scripted(long), on_finished=lambda r: ctx.state.set("said", r.output))["Say it: ", long],
        Task(id="fail", run=lambda: [long], on_finished=broken),
    ]

shown = Execution(Long, name="report", state={"long": long})
# Two lines more,
shown  # and the stepper."""


def test_it_fits_a_laptop_beside_its_cell_and_no_width_has_anything_run_past_its_edge() -> None:
    with Lab(["%load_ext smithers_nb", LONG, "# One\n# two\nshown"], viewport=(1280, 720)) as notebook:
        notebook.run_all()
        stepper = Stepper(notebook.page, "report")
        stepper.region = stepper.region.last
        stepper.wait(room="middle")
        notebook.command("application:toggle-left-area")
        stepper.wait(room="wide")
        notebook.cell(2).locator(".jp-Cell-inputWrapper").evaluate("e => e.scrollIntoView({block: 'start'})")
        page = box(notebook.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-WindowedPanel-outer"))
        end = box(stepper.region)
        assert end["y"] + end["height"] <= page["y"] + page["height"]
        notebook.shot("laptop.png")

        stepper.step(1)
        stepper.button("Step frame").click()
        stepper.wait(frame=2, phase="EFFECTS")
        stepper.button("Bookmark").click()  # Another row of the timeline.
        assert stepper.region.evaluate(WIDTHS) == []
        stepper.wait(room="wide")
        sizes: set[str] = set()
        stepper.node("say").click()
        for tab in TABS:
            stepper.tab(tab)
            expect(stepper.region.get_by_role("tabpanel", name=tab, exact=True)).to_have_attribute("aria-busy", "false")
            stepper.region.evaluate("root => root.querySelectorAll('details').forEach(e => { e.open = true; })")
            assert stepper.region.evaluate(NESTED) == [], tab
            assert stepper.region.evaluate(CLIPPED) == [], tab
            sizes |= set(stepper.region.evaluate(SIZES))
        assert len(sizes) <= 4 and min(float(size.removesuffix("px")) for size in sizes) >= 11, sizes
        # A long value is folded, not scrolled.
        state = stepper.grid("State")
        folded = box(state)["height"]
        state.get_by_role("button", name="load all").first.click()
        state.get_by_role("button", name="show less").click()
        assert box(state)["height"] == pytest.approx(folded, abs=2)
        notebook.assert_quiet()
