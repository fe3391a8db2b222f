"""Fixtures of the browser tests: one server for the session, one Chromium a module, one notebook a `lab(...)`."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Error, Page

from tests.browser.lab import Lab, Notebook, Server, browser

HERE = Path(__file__).parent
FAILED = pytest.StashKey[bool]()

OpenLab = Callable[..., Lab]
"""``lab(cells, *, quiet=True, files=None, viewport=(1280, 900))``: see the `lab` fixture."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # pytest hands every collected test to this hook, not only those below this folder.
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
    return report


@pytest.fixture(scope="session")
def lab_server() -> Iterator[Server]:
    """The JupyterLab server that all browser tests share; each notebook has its own folder and kernel."""
    with Server() as server:
        yield server


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A Chromium for one module, not for the session: while Playwright runs, `asyncio.run` fails in this thread."""
    with browser() as opened:
        yield opened


class Pages:
    """Hands out pages; one that was given back shows JupyterLab already, and saves its next user 2 to 3 s."""

    def __init__(self, chromium: Browser) -> None:
        self._chromium = chromium
        self._idle: list[Page] = []

    def take(self) -> Page:
        return self._idle.pop() if self._idle else self._chromium.new_page()

    def give_back(self, page: Page) -> None:
        self._idle.append(page)


@pytest.fixture(scope="module")
def lab_pages(chromium: Browser) -> Pages:
    return Pages(chromium)


@pytest.fixture
def lab(lab_server: Server, lab_pages: Pages, request: pytest.FixtureRequest) -> Iterator[OpenLab]:
    """Opens notebooks: ``lab(["print(1)"])`` is a `Lab` whose kernel is ready, closed after the test.

    Each must have been quiet (`Lab.assert_quiet`) unless it was opened with ``quiet=False``. A test that fails
    leaves ``test-output/<test>-<n>.png`` of each page, and the server's last lines in its captured output.
    Pages are used again by the module's next test, but for those of a failed or a noisy one.
    """
    opened: list[tuple[Lab, bool]] = []

    def open_lab(notebook: Notebook, *, quiet: bool = True, **options: Any) -> Lab:
        made = stack.enter_context(Lab(notebook, server=lab_server, page=lab_pages.take(), **options))
        opened.append((made, quiet))
        return made

    with contextlib.ExitStack() as stack:
        yield open_lab
        if request.node.stash.get(FAILED, False):
            _keep_evidence([made for made, _ in opened], request.node.name, lab_server)
            return
        for made, quiet in opened:
            if quiet:
                made.assert_quiet()
    for made, quiet in opened:
        if quiet:
            lab_pages.give_back(made.page)
        else:
            made.page.close()


def _keep_evidence(labs: list[Lab], test_name: str, server: Server) -> None:
    name = re.sub(r"[^\w.-]+", "-", test_name)
    for number, made in enumerate(labs):
        with contextlib.suppress(Error):  # The page may have crashed.
            print("screenshot:", made.shot(f"{name}-{number}.png"))
        print("console:", *made.console[-20:], sep="\n  ")
    print("server log:", server.log_text[-3000:], sep="\n")
