"""The stepper in other JupyterLabs, in Notebook 7 and on ipykernel 6.

``SMITHERS_JUPYTERS`` names them, each an app and the Python of an environment that has it and this package:
``lab:/envs/a/bin/python notebook:/envs/a/bin/python``. Without it, the JupyterLab that runs these tests.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.lab import Lab, Notebook, Server
from tests.browser.stepping import REPORT, Stepper

pytestmark = pytest.mark.long

JUPYTERS = os.environ.get("SMITHERS_JUPYTERS", f"lab:{sys.executable}").split()

VERSIONS = """import importlib.metadata as m
print({name: m.version(name) for name in ("jupyterlab", "ipykernel", "anywidget", "ipywidgets")}, m.version("ipykernel"))"""


@pytest.fixture(scope="module", params=JUPYTERS)
def jupyter(request: pytest.FixtureRequest) -> Iterator[Server]:
    app, _, python = request.param.partition(":")
    with Server(app=app, python=python) as server:
        yield server


@pytest.fixture
def opened(jupyter: Server, chromium: Browser) -> Iterator[Any]:
    """Opens notebooks, each in a page of its own: Notebook 7 shows one a page."""
    made: list[Lab] = []

    def open_(cells: Notebook, **options: Any) -> Lab:
        made.append(Lab(cells, server=jupyter, page=chromium.new_page(), **options).__enter__())
        return made[-1]

    yield open_
    for notebook in made:
        notebook.assert_quiet()
        notebook.close()
        notebook.page.close()


def test_a_workflow_is_stepped_watched_edited_and_walked_back(opened: Any, jupyter: Server) -> None:
    notebook = opened(["%load_ext smithers_nb", REPORT, VERSIONS, "report.run_sync().status", "1"])
    for cell in (0, 1, 2):
        notebook.run_cell(cell)
    print("figure:", jupyter.app, notebook.text(2).strip())
    stepper = Stepper(notebook.page, "report")
    stepper.step(1)
    stepper.step(2)
    stepper.grid("Pending writes").get_by_role("button", name="Edit notes").click()
    stepper.region.get_by_role("textbox", name="New value of notes").fill('"mine"')
    notebook.page.keyboard.press("Enter")
    stepper.press("n")
    stepper.wait(frame=3, phase="EFFECTS", status="paused")
    expect(stepper.region.get_by_role("tree", name="Plan")).to_contain_text("Write it up: mine")
    stepper.press("ArrowLeft")
    stepper.wait(cursor=2)
    stepper.press("d", "d", "x")
    assert notebook.page.evaluate("() => window.jupyterapp.shell.currentWidget.content.widgets.length") == 5
    notebook.wait_output(1, "smithers_nb: report, at rest, frame 3")
    stepper.press("Control+s")
    notebook.page.wait_for_function("() => !window.jupyterapp.shell.currentWidget.context.model.dirty")
    assert "smithers_nb: report, at rest, frame 3" in notebook.path.read_text(encoding="utf-8")
    notebook.shot(f"{jupyter.app}-{notebook.text(2).split()[-1]}.png")
    stepper.press("End")
    notebook.run_cell(3)
    stepper.wait(status="finished", frame=5)
    expect(stepper.status).to_contain_text("finished")

    # A position leads to its line, where the page has the cell.
    stepper.node("notes").click()
    stepper.tab("Node")
    stepper.region.get_by_role("button", name="report:10:17").click()
    line = "() => getSelection().anchorNode?.parentElement?.closest('.cm-line')?.textContent ?? ''"
    notebook.page.wait_for_function(f"() => ({line})().includes('id=\"notes\"')")
    # What is saved can be read without a kernel: the page below follows.
    notebook.wait_output(1, "smithers_nb: report, finished, frame 5")
    expect(notebook.page.locator(".smithers-static")).to_be_hidden()


WAIT = """%%smithers slow
@component
def Slow(ctx):
    return <Task id="sleep" run={asyncio.Event().wait}/>"""


def test_a_click_while_a_cell_runs_is_taken_at_once_or_the_page_says_that_it_waits(opened: Any) -> None:
    cells = ["%load_ext smithers_nb\nimport asyncio, time", WAIT, "slow.run_sync()", "slow.status", VERSIONS]
    notebook = opened(cells)
    for cell in (0, 1, 4):
        notebook.run_cell(cell)
    stepper = Stepper(notebook.page, "slow")
    notebook.start_cell(2)
    stepper.wait(status="waiting")
    stepper.button("Pause").click()
    if int(notebook.text(4).split()[-1].partition(".")[0]) >= 7:
        stepper.wait(status="paused")
        expect(stepper.region.get_by_text("limited")).to_have_count(0)
    else:
        expect(stepper.status).to_contain_text("The kernel is busy: the click is queued.")
        limits = stepper.region.get_by_text("limited")
        expect(limits).to_have_attribute("title", re.compile(r"This kernel \(ipykernel 6"))
        notebook.interrupt()
        stepper.wait(status="paused")
    notebook.wait_cell(2)
    notebook.wait_kernel()
    notebook.run_cell(3)
    assert "paused" in notebook.text(3)
