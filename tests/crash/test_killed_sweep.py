"""kill -9 in the middle of a sweep of 50; another process takes it up: nothing lost, nothing twice, nothing paid twice."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from smithers_nb import Store
from tests.agents.fake_server import FakeServer, say

WORKER = Path(__file__).with_name("sweeping.py")
ROOT = Path(__file__).parents[2]
POINTS = ["before _branched 30", "before put_model_call 61", "after end_branch 20"]
LONG = [
    f"{moment} {name} {number}"
    for name, numbers in {
        "add_sweep": (1,),
        "_branched": (1, 9, 50),
        "commit_frame": (1, 40, 140),
        "start_tasks": (1, 33),
        "put_model_call": (1, 2, 50, 100),
        "end_task": (1, 30, 50),
        "flush_frame": (1, 70, 149),
        "set_result": (1, 25, 50),
        "release_lease": (1, 25),
        "end_branch": (1, 25, 50),
        "score_branch": (1, 10),
    }.items()
    for number in numbers
    for moment in ("before", "after")
    # Before it is recorded there is no sweep to take up: the same call begins it.
    if (moment, name) != ("before", "add_sweep")
]


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(WORKER), *arguments],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def answered(folder: Path) -> set[str]:
    """The questions whose answer is in the file."""
    with closing(sqlite3.connect(folder / "sweep.db")) as db:
        rows = db.execute(
            "SELECT '\"question ' || value FROM model_calls JOIN state USING (execution_id)"
            " WHERE response IS NOT NULL AND key = 'n'"
        )
        return {f"{text}".strip('"') for (text,) in rows}


def asked(server: FakeServer) -> Counter[str]:
    """The requests for each question so far."""
    return Counter(entry.asked.prompt for entry in server.requests)


def killed_and_resumed(folder: Path, *points: str) -> None:
    with FakeServer(say("hello")) as server:
        first, *others = points
        killed = run(folder, "run", server.anthropic_url, first)
        assert killed.returncode == -signal.SIGKILL, f"{first} was never reached: {killed.stderr[-2000:]}"
        # Answered questions with the requests they took: one that was on its way at a kill is asked again, and paid then.
        paid = {question: asked(server)[question] for question in answered(folder)}
        assert {*paid.values()} <= {1}
        for point in others:
            again = run(folder, "resume", server.anthropic_url, point)
            assert again.returncode == -signal.SIGKILL, f"{point} was never reached: {again.stderr[-2000:]}"
            paid = {question: asked(server)[question] for question in answered(folder)} | paid
        resumed = run(folder, "resume", server.anthropic_url)
        assert resumed.returncode == 0, resumed.stderr[-3000:]
        found = asked(server)
        after = len(server.requests)
        run(folder, "resume", server.anthropic_url)
        assert len(server.requests) == after, "a sweep that was whole asked again"
    assert {question: found[question] for question in paid} == paid
    assert {*found} == {f"question {n}" for n in range(50)} and max(found.values()) <= 1 + len(points)
    store = Store(folder / "sweep.db")
    df = store.sweep("s").df
    assert [*df["state.n"]] == [*range(50)] and {*df.status} == {"finished"} and [*df.score] == [*range(50)]
    assert [*df.result] == [[n, 1] for n in range(50)], "each handler was called once"
    assert len(store.executions()) == 51 and df.execution_id.is_unique
    tasks = store.df.tasks
    assert len(tasks) == 50 and {*tasks.status} == {"succeeded"}
    assert store.check().ok, store.check()


@pytest.mark.parametrize("point", POINTS)
def test_a_sweep_that_is_killed_is_taken_up_by_another_process(point: str, tmp_path: Path) -> None:
    killed_and_resumed(tmp_path, point)


@pytest.mark.long
@pytest.mark.parametrize("point", LONG)
def test_a_sweep_is_taken_up_wherever_it_was_killed(point: str, tmp_path: Path) -> None:
    killed_and_resumed(tmp_path, point)


@pytest.mark.long
def test_a_sweep_is_taken_up_that_is_killed_three_times(tmp_path: Path) -> None:
    killed_and_resumed(tmp_path, "after end_branch 9", "before end_task 12", "after fork 5")
