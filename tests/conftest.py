"""What all tests share: executions that are closed, gates instead of sleeps, and a log that must stay clean."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from smithers_nb import Execution
from smithers_nb.bridge import engine
from smithers_nb.engine.phases.render import render
from smithers_nb.engine.state import Cell
from smithers_nb.engine.user_code.context import Context
from smithers_nb.engine.user_code.purity import Snapshot
from smithers_nb.nodes.tree import Tree
from smithers_nb.values import encode

ROOT = Path(__file__).parents[1]
PATIENCE_S = 60.0
"""A test that waits longer than this for an event has failed."""
LONGEST = ("browser", "workers", "crash", "docs", "release")
"""The folders with the longest tests in a file."""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "logs_errors: the test is about something that is logged as an error")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # A file runs whole on one worker. Those that take minutes begin first: at the end, the other worker would be idle.
    items.sort(key=lambda item: item.path.parent.name not in LONGEST)


class _Errors(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(self.format(record))


@pytest.fixture(autouse=True)
def no_logged_errors(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test during which something was logged as an error, unless it is marked ``logs_errors``."""
    handler = _Errors()
    logging.getLogger().addHandler(handler)
    yield
    logging.getLogger().removeHandler(handler)
    if handler.messages and not request.node.get_closest_marker("logs_errors"):
        pytest.fail("logged as errors:\n" + "\n".join(handler.messages))


@pytest.fixture
def run_of(tmp_path: Path) -> Iterator[Callable[..., Execution]]:
    """Make executions of an app, in one file, and close them after the test."""
    made: list[Execution] = []

    def make(app: object, **options: Any) -> Execution:
        ex = Execution(app, **{"store": tmp_path / "t.db", **options})
        made.append(ex)
        return ex

    yield make
    for ex in reversed(made):
        ex.close()


@pytest.fixture
def resumed(tmp_path: Path) -> Iterator[Callable[..., Execution]]:
    """Resume executions, and close them after the test."""
    made: list[Execution] = []

    def make(app: object, **options: Any) -> Execution:
        ex = Execution.resume(app, **{"store": tmp_path / "t.db", **options})
        made.append(ex)
        return ex

    yield make
    for ex in reversed(made):
        ex.close()


class Gate:
    """What a task waits at until the test lets it through."""

    def __init__(self) -> None:
        self._reached = threading.Event()
        self._open = threading.Event()
        self._open_on_loop = asyncio.Event()

    async def passed(self) -> None:
        """In an async task."""
        self._reached.set()
        await self._open_on_loop.wait()

    def passed_in_thread(self) -> None:
        """In a sync task."""
        self._reached.set()
        assert self._open.wait(PATIENCE_S), "nobody opened the gate"

    def reached(self) -> None:
        """In the test: wait until a task stands here."""
        assert self._reached.wait(PATIENCE_S), "nobody came to the gate"

    def open(self) -> None:
        self._open.set()
        engine.loop.call_soon_threadsafe(self._open_on_loop.set)


@pytest.fixture
def gate() -> Iterator[Callable[[], Gate]]:
    """Make gates; all are open after the test, so that no thread stays behind."""
    made: list[Gate] = []

    def make() -> Gate:
        made.append(Gate())
        return made[-1]

    yield make
    for one in made:
        one.open()


@pytest.fixture(scope="session")
def plan() -> Callable[..., Tree]:
    """Render an app over a state, without an execution."""

    def rendered(app: object, state: dict[str, object] | None = None) -> Tree:
        cells = {key: Cell(encode(value), 1) for key, value in (state or {}).items()}
        return render(app, Snapshot(1, cells, 0.0, 0), Context(None)).tree  # type: ignore[arg-type]

    return rendered


@pytest.fixture
def python(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a script in a process of its own, in the test's folder."""

    def run(script: str, *args: object, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", textwrap.dedent(script), *map(str, args)],
            cwd=tmp_path,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def wait_until() -> Callable[[Callable[[], bool]], None]:
    """Wait for something on the engine's thread that has no event of its own."""

    def wait(condition: Callable[[], bool]) -> None:
        pause = threading.Event()
        for _ in range(int(PATIENCE_S / 0.005)):
            if condition():
                return
            pause.wait(0.005)
        pytest.fail("it never became true")

    return wait
