"""Looks and access: narrow columns, dark theme, contrast, keys that belong to Lab, and a notebook without a kernel."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.lab import Lab
from tests.browser.stepping import HOSTILE, REPORT, Stepper

TABS = (
    "Tree",
    "XML",
    "Node",
    "State",
    "Task",
    "Why",
    "Pending writes",
    "Handlers",
    "Tasks",
    "Breakpoints",
    "Output",
    "Problems",
    "Compare",
)

# Every text on the page against what is behind it, as WCAG computes it; returns what is below 4.5.
CONTRAST = """root => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgba = color => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data].map((v, i) => i < 3 ? v : v / 255);
  };
  const over = (top, under) => [0, 1, 2].map(i => top[i] * top[3] + under[i] * (1 - top[3]));
  const behind = element => {
    const layers = [];
    for (let up = element; up; up = up.parentElement) layers.push(rgba(getComputedStyle(up).backgroundColor));
    return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255]);
  };
  const light = c => c.map(v => v / 255).map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const poor = [];
  const walk = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  for (let text = walk.nextNode(); text; text = walk.nextNode()) {
    const element = text.parentElement, box = element.getBoundingClientRect();
    if (!text.textContent.trim() || box.width < 2 || element.closest('canvas, .ss-said')) continue;
    const under = behind(element), top = over(rgba(getComputedStyle(element).color), under);
    const [a, b] = [light(top), light(under)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) poor.push(`${ratio.toFixed(2)} ${element.className} ${text.textContent.trim().slice(0, 40)}`);
  }
  return poor;
}"""

OVERFLOW = """root => {
  const right = root.getBoundingClientRect().right + 1;
  return [...root.querySelectorAll('.ss-toolbar .ss-button, .ss-status, .ss-sentence')]
    .filter(e => e.getBoundingClientRect().width && e.getBoundingClientRect().right > right).map(e => e.className);
}"""


def look(notebook: Lab, stepper: Stepper, theme: str) -> None:
    """Screenshots at four widths, and contrast in every pane."""
    page: Page = notebook.page
    for tab in TABS[2:]:
        stepper.tab(tab)
        page.wait_for_timeout(60)
        assert stepper.region.evaluate(CONTRAST) == [], tab
    stepper.tab("Pending writes")
    notebook.command("application:toggle-left-area")
    for width in (1280, 800, 500, 360):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(300)
        stepper.region.scroll_into_view_if_needed()
        assert stepper.region.evaluate(OVERFLOW) == [], width
        assert stepper.region.evaluate(CONTRAST) == [], width
        notebook.shot(f"{theme}-{width}.png")
    page.set_viewport_size({"width": 1280, "height": 900})


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_every_pane_has_contrast_and_every_width_its_layout(theme):
    settings = {"@jupyterlab/apputils-extension:themes": {"theme": theme}}
    with Lab(["%load_ext smithers_nb", REPORT], settings=settings) as notebook:
        notebook.run_all()
        stepper = Stepper(notebook.page, "report")
        for frame in (1, 2):
            stepper.step(frame)
        stepper.node("notes").click()
        look(notebook, stepper, theme.split()[-1].lower())
        notebook.page.set_viewport_size({"width": 360, "height": 900})
        stepper.button("Step frame").click()
        stepper.wait(frame=3, phase="EFFECTS")  # It works there, too.
        stepper.press("ArrowLeft")
        stepper.wait(cursor=2)
        notebook.page.set_viewport_size({"width": 1280, "height": 900})
        page = notebook.page
        panel = stepper.region.get_by_role("tabpanel").first
        moves = "e => parseFloat(getComputedStyle(e).transitionDuration)"
        assert panel.evaluate(moves) > 0
        page.emulate_media(reduced_motion="reduce")
        assert panel.evaluate(moves) == 0
        page.wait_for_timeout(200)
        assert stepper.region.evaluate(CONTRAST) == []  # In the records, too.
        notebook.shot(f"{theme.split()[-1].lower()}-recorded.png")
        notebook.assert_quiet()


ALL_HOSTILE = f"""bad = {HOSTILE!r}

def broken(result, ctx):
    print(bad)
    ctx.state.set("k" + bad, bad)
    raise ValueError(bad)

def failing():
    raise RuntimeError(bad)

@component
def Hostile(ctx):
    return Fragment()[
        Phase(name=bad)[
            Claude(id="say", system=bad, model=scripted(bad), on_finished=lambda r: ctx.state.set(bad, r.output))[bad],
            Task(id="fail", run=failing, on_error=broken),
            Task(id="odd" + bad, run=failing),
            Step(key=bad, name=bad),
        ]
    ]

Execution(Step(), name="other " + bad).close()  # For the choice in Compare.
hostile = Execution(Hostile, name=bad, state={{bad: bad[:28]}})
hostile.breakpoints.add(key=bad)
hostile.breakpoints.add(when=f"state.x == {{bad!r}}", log=True)
hostile"""

HELD = "<img src=x onerror=alert(1)>"
ELEMENTS = "img, script, b, a, iframe, [onerror], [href], [src]"


def shows_it_in_every_pane(stepper: Stepper) -> None:
    for tab in TABS:
        stepper.tab(tab)
        panel = stepper.region.get_by_role("tabpanel", name=tab, exact=True)
        # As XML it is escaped, once; all other panes show it as it is.
        expect(panel).to_contain_text("&lt;img src=x onerror=alert(1)&gt;" if tab == "XML" else HELD)
        assert stepper.region.locator(ELEMENTS).count() == 0, tab


def test_hostile_text_is_inert_and_literal_in_every_pane_and_in_the_saved_notebook(lab):
    notebook = lab(["%load_ext smithers_nb", ALL_HOSTILE, "hostile.frame", "hostile.run_sync(max_frames=3)"])
    dialogs: list[str] = []
    notebook.page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    for cell in (0, 1):
        notebook.run_cell(cell)
    stepper = Stepper(notebook.page, HOSTILE)
    stepper.step(1)
    notebook.evaluate("__import__('time').sleep(0.5)")
    stepper.step(2)
    expect(stepper.status).to_contain_text(HELD)
    stepper.node("say").click()
    shows_it_in_every_pane(stepper)
    stepper.button("Step frame").click()  # To the breakpoint, whose hit says the key.
    stepper.wait(frame=2, phase="FLUSH", status="paused")
    expect(stepper.status).to_contain_text("Stopped: <img src=x onerror=alert(1)>")
    stepper.press("/")
    notebook.page.keyboard.type("<img")
    expect(stepper.region.get_by_role("list", name="Results")).to_contain_text(HELD)
    assert stepper.region.locator(ELEMENTS).count() == 0
    notebook.page.keyboard.press("Escape")
    for cell in (2, 3):
        notebook.run_cell(cell)
    last = int(notebook.evaluate("hostile.recorded"))
    stepper.wait(frame=last)
    for cursor in range(last - 1, 1, -1):  # The records of the same frame.
        stepper.press("ArrowLeft")
        stepper.wait(cursor=cursor)
    shows_it_in_every_pane(stepper)
    stepper.press("End")
    notebook.wait_output(1, f"frame {last}</b>")
    # The pages have a <b> of their own.
    assert notebook.page.locator(f".jp-OutputArea-output :is({ELEMENTS}):not(summary b, div > b)").count() == 0
    assert dialogs == []
    saved = notebook.save()
    html = [
        "".join(o["data"]["text/html"])
        for cell in saved["cells"]
        for o in cell["outputs"]
        if "text/html" in o.get("data", {})
    ]
    assert len(html) >= 4
    for part in html:
        assert "<img" not in part and "<script" not in part and "</script" not in part
    assert sum("&lt;img src=x onerror=alert(1)&gt;" in part or "&amp;lt;img" in part for part in html) >= 3


def test_a_screen_reader_hears_frame_and_result_once_and_politely(lab):
    notebook = lab(["%load_ext smithers_nb", REPORT])
    notebook.run_all()
    stepper = Stepper(notebook.page, "report")
    stepper.step(1)
    stepper.step(2)
    tree = notebook.page.context.new_cdp_session(notebook.page).send("Accessibility.getFullAXTree")["nodes"]
    by_id = {node["nodeId"]: node for node in tree}

    def text(node: dict) -> str:
        own = node.get("name", {}).get("value", "") if node["role"]["value"] == "StaticText" else ""
        return own + "".join(text(by_id[child]) for child in node.get("childIds", []) if child in by_id)

    def live(node: dict) -> str | None:
        return next((one["value"]["value"] for one in node.get("properties", []) if one["name"] == "live"), None)

    (region,) = [node for node in tree if node.get("name", {}).get("value") == "Stepper report" and not node["ignored"]]
    inside = [region]
    for node in inside:
        inside.extend(by_id[child] for child in node.get("childIds", []) if child in by_id)
    spoken = [node for node in inside if node["role"]["value"] == "status"]
    assert [(live(node), node["name"]["value"]) for node in spoken] == [("polite", "Stepper status")]
    assert text(spoken[0]).startswith(
        "Frame 2 is at rest: notes succeeded, 1 handler fired, 1 write is pending. Step applies notes"
    )
    # Nothing else is announced: no tokens, no times.
    assert [node["role"]["value"] for node in inside if live(node) not in (None, "off") and node not in spoken and node.get("parentId") not in {one["nodeId"] for one in spoken}] == []  # fmt: skip
    roles = {node["role"]["value"] for node in inside}
    assert roles >= {"toolbar", "list", "slider", "tree", "treeitem", "tablist", "tab", "tabpanel", "grid", "status"}
    # The browser's tree has no text of a value in it: it is handed to the reader as the attribute says it.
    slider = stepper.region.get_by_role("slider", name="Timeline")
    expect(slider).to_have_attribute("aria-valuetext", re.compile("frame 2 of 2, 1 write"))


def test_keys_of_lab_are_labs_and_the_notebook_stays_readable_and_small(lab):
    notebook = lab(["%load_ext smithers_nb", REPORT, "1"])
    notebook.run_all()
    page = notebook.page
    stepper = Stepper(page, "report")
    for frame in (1, 2):
        stepper.step(frame)
    cells = "() => window.jupyterapp.shell.currentWidget.content.widgets.length"
    for place in (stepper.button("Stop"), stepper.node("notes"), stepper.region.get_by_role("slider")):
        place.focus()
        for key in ("d", "d", "a", "m", "y"):
            page.keyboard.press(key)
        page.keyboard.press("x")  # Cuts the cell in Lab, and exports here.
        page.keyboard.press("Escape")
    assert page.evaluate(cells) == 3
    dirty = "() => window.jupyterapp.shell.currentWidget.context.model.dirty"
    notebook.wait_output(1, "report, at rest, frame 2")
    page.keyboard.press("Control+s")
    page.wait_for_function(f"!({dirty})()")
    assert notebook.path.stat().st_size < 64_000

    # Without a kernel: what was fetched can be looked at, and nothing can be executed.
    stepper.button("Back").click()
    stepper.wait(cursor=1)
    stepper.button("Live").click()
    notebook.shutdown_kernel()
    stepper.button("Step frame").click()
    expect(stepper.region).to_have_attribute("data-connected", "false", timeout=60_000)
    expect(stepper.status).to_contain_text("There is no kernel")
    expect(stepper.button("Step frame")).to_have_attribute("aria-disabled", "true")
    stepper.press("ArrowLeft")
    stepper.wait(cursor=1)
    expect(stepper.region.get_by_role("tree", name="Plan")).to_contain_text("notes")
    notebook.shot("no-kernel.png")

    # Opened again, trusted and without the widget's state: the page below says how it stood.
    saved = notebook.path.read_text()
    notebook.reload()
    static = notebook.cell(1).locator(".smithers-static")
    expect(static).to_contain_text("smithers_nb: report, at rest, frame 2", timeout=60_000)
    expect(static).to_contain_text("Give two notes on tidal energy.")
    expect(static).to_contain_text('set notes: null → "1. tides 2. turbines"')
    notebook.shot("reopened-trusted.png")

    # Who is given the file, and trusts nothing in it yet, can read the static page, too.
    given = json.loads(saved)
    given["metadata"]["of"] = "somebody else"
    reader = lab(given)
    static = reader.cell(1).locator(".jp-OutputArea-output").last
    expect(static).to_contain_text("smithers_nb: report, at rest, frame 2", timeout=60_000)
    expect(static).to_contain_text("Give two notes on tidal energy.")
    reader.shot("reopened.png")
    # What ipywidgets says where the widget was.
    assert all("widget model not found" in line for line in notebook.console_errors)
    notebook.console_errors.clear()


def test_the_notebook_stays_small_however_many_steps_and_however_big_the_plan(lab):
    app = """%%smithers many
@component
def Many(ctx):
    n = ctx.state.get("n") or 0
    ctx.use_effect("tick", [n], lambda: ctx.state.set("n", n + 1))
    return <Phase name={f"{n}"}>{[<Step key={str(i)} name={"long " * 20}/> for i in range(1000)]}</Phase>"""
    notebook = lab(["%load_ext smithers_nb", app, "many.run_sync(max_frames=60); None"])
    for cell in (0, 1):
        notebook.run_cell(cell)
    stepper = Stepper(notebook.page, "many")
    for frame in range(1, 11):
        stepper.step(frame)
    sizes = []
    for frames in (70, 130):
        notebook.run_cell(2, timeout_s=300)
        stepper.wait(frame=frames)
        notebook.wait_output(1, f"at rest, frame {frames}")
        notebook.save()
        sizes.append(notebook.path.stat().st_size)
    assert sizes[1] < 100_000
    assert abs(sizes[1] - sizes[0]) < 1000
