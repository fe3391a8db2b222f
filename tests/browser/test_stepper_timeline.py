"""The timeline: numbers, bars, what a frame did in words, the tasks on demand, and a lane for each branch."""

from __future__ import annotations

import itertools
import re

from playwright.sync_api import Locator, expect

from tests.browser.lab import Lab
from tests.browser.stepping import REPORT, Stepper
from tests.browser.test_stepper_room import box

BAR_PX = 28

# The canvas has something to see at a place.
DRAWN = """([canvas, x, y]) => {
  const scale = canvas.width / canvas.clientWidth;
  return canvas.getContext('2d').getImageData(Math.round(x * scale), Math.round(y * scale), 1, 1).data[3] > 0;
}"""


def drawn(canvas: Locator, x: float, y: float) -> bool:
    return bool(canvas.page.evaluate(DRAWN, [canvas.element_handle(), x, y]))


def closest(labels: Locator) -> float:
    """The least distance between two of them, in pixels."""
    tops = labels.evaluate_all("all => all.map(e => e.getBoundingClientRect().top)")
    return min(after - before for before, after in itertools.pairwise(tops))


def test_the_timeline_tells_what_each_frame_did_and_shows_the_tasks_on_demand(lab) -> None:
    notebook: Lab = lab(["%load_ext smithers_nb", REPORT, "report.fork(1, name='other').run_sync(); None"])
    for cell in (0, 1):
        notebook.run_cell(cell)
    stepper = Stepper(notebook.page, "report")
    timeline = stepper.region.locator(".ss-timeline")
    labels, numbers = timeline.locator(".ss-lanes"), timeline.locator(".ss-numbers")
    expect(labels).to_have_text("frames")
    before = box(timeline)["height"]
    for frame in (1, 2, 3):
        stepper.step(frame)
    expect(labels).to_have_text("frameswriteshandlers")  # Nothing failed, hit or was marked.
    expect(numbers.locator("span")).to_have_text(["1", "2", "3"])
    assert box(timeline)["height"] == before, "the panes below must not jump with the first writes"

    # A frame has at most 28 px, and says what it did where one points at it.
    slider, tip = stepper.region.get_by_role("slider", name="Timeline"), stepper.region.get_by_role("tooltip")
    at, mouse = box(slider), notebook.page.mouse
    canvas = slider.locator("canvas")
    assert drawn(canvas, 1.5 * BAR_PX, 22) and not drawn(canvas, 0.5 * BAR_PX, 22), "frame 2 alone had a write"
    mouse.move(at["x"] + 1.5 * BAR_PX, at["y"] + 20)
    expect(tip).to_have_text(re.compile(r"^frame 2: 1 write, notes changed, 1 handler"))
    mouse.move(at["x"] + 0.5 * BAR_PX, at["y"] + 20)
    expect(tip).to_have_text(re.compile(r"^frame 1: .*nodes changed"))
    mouse.down()
    mouse.move(at["x"] + 1.5 * BAR_PX, at["y"] + 20, steps=2)
    mouse.up()
    stepper.wait(cursor=2)
    stepper.button("Bookmark").click()
    expect(labels).to_contain_text("bookmarks")
    stepper.press("End")

    # The tasks, by T: a bar says its task, and leads to it.
    stepper.press("t")
    gantt = stepper.region.get_by_role("img", name="Tasks by frame: 2 tasks")
    bars = box(gantt)
    mouse.move(bars["x"] + 5, bars["y"] + 5)
    expect(tip).to_have_text("claude #notes: succeeded, frames 1 to 2")
    mouse.click(bars["x"] + 5, bars["y"] + 5)
    expect(stepper.region.get_by_role("tabpanel", name="Task", exact=True)).to_contain_text("Give two notes")
    notebook.shot("timeline.png")
    stepper.press("t")
    expect(gantt).to_have_count(0)

    # A branch has a lane of its own, which leads to it, and its parent has one there.
    notebook.run_cell(2)
    lane = timeline.locator("[data-branch=other]")
    expect(lane).to_have_count(1)
    expect(labels).to_have_text("framesactivitybookmarksother")  # Writes and handlers share a row for it.
    assert closest(labels.locator("> *")) >= 11, "the labels must not run into each other"
    assert box(lane)["x"] == at["x"] + BAR_PX, "it leaves after frame 1"
    assert box(timeline)["height"] <= 49
    labels.get_by_text("other").click()
    other = Stepper(notebook.page, "other")
    other.wait(cursor="live")
    expect(other.region.locator("[data-branch=report]")).to_have_count(1)
