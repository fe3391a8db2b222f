"""kill -9 at every point of a run; another process goes on, and nobody can tell but by the frames."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

APP = Path(__file__).with_name("app.py")

PHASES = ["SNAPSHOT", "RENDER", "RECONCILE", "COMMIT", "EXECUTE", "EFFECTS", "FLUSH"]

POINTS = [
    *(f"after: {phase} {frame}" for frame in (1, 3) for phase in PHASES),
    *(f"inside: commit_frame {n}" for n in (1, 2, 3)),
    *(f"inside: flush_frame {n}" for n in (1, 2, 3)),
    "inside: start_tasks 1",
    "inside: start_tasks 2",
    "inside: end_task 1",
    "inside: put_model_call 1",  # It is about to be asked.
    "inside: put_model_call 2",  # It has answered.
    "ended: a@",
    "ended: b@",
    "ended: t@",
    "in the handler of a",
    "in the handler of b",
    "in the handler of t",
    "in the task",
    "in the task, after a write",
]


def run(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(APP), *args], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )


def answered(folder: Path) -> set[str]:
    """The agents whose reply is in the file."""
    with closing(sqlite3.connect(folder / "crash.db")) as db:
        return {id for (id,) in db.execute("SELECT node_id FROM tasks WHERE ended_at IS NOT NULL")}


def kill_and_resume(folder: Path, point: str) -> tuple[Any, ...]:
    folder.mkdir()
    killed = run(folder, "run", point)
    return killed, answered(folder), run(folder, "resume")


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Any]]]:
    """All of them at once: they mostly wait for imports."""
    folder = tmp_path_factory.mktemp("crash")
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        yield {point: pool.submit(kill_and_resume, folder / str(n), point) for n, point in enumerate(POINTS)}


@pytest.mark.parametrize("point", POINTS)
def test_an_execution_that_was_killed_goes_on_and_applies_everything_once(
    point: str, outcomes: dict[str, Future[Any]]
) -> None:
    killed, answered_before, resumed = outcomes[point].result()
    assert killed.returncode == -signal.SIGKILL, f"{point} was never reached: {killed.stdout} {killed.stderr[-2000:]}"
    assert resumed.returncode == 0, resumed.stderr[-3000:]
    end: dict[str, Any] = json.loads(resumed.stdout)
    assert (end["integrity"], end["dangling"]) == (["ok"], [])
    assert (end["status"], end["unsettled"]) == ("finished", [])
    once = {"a": 1, "b": 1, "t": 1, "e": 1, "first": 1, "a said": "reply to one", "b said": "reply to two"}
    assert {key: end["state"].get(key) for key in once} == once
    assert end["handlers"] == ["a", "b", "t"]
    assert set(end["tasks"].values()) == {"succeeded"} and len(end["tasks"]) == 3
    assert end["frames"] == list(range(1, len(end["frames"]) + 1))
    assert len(end["open"]) <= 1
    for agent, prompt in (("a", "one"), ("b", "two")):
        asked = end["asked"].count(prompt)
        assert asked == 1 if agent in answered_before else asked in (1, 2)


def test_the_points_are_of_both_kinds(outcomes: dict[str, Future[Any]]) -> None:
    """Some die before the reply of the first agent is in the file, and some after."""
    found = [outcome.result()[1] for outcome in outcomes.values()]
    assert sum("a" not in ids for ids in found) >= 5
    assert sum("a" in ids for ids in found) >= 10
