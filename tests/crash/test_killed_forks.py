"""kill -9 at every statement and every commit of a fork, and at every commit of the run of a branch: there is no branch
or a whole one, its parent is as it was, and nothing that the file has is asked or paid for again.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.crash.branching import BRANCH, FILE, FRAME, PARENT
from tests.crash.campaign import Launchers, launchers
from tests.crash.launcher import POINTS, STATEMENT
from tests.crash.workflow import SIDE

OWN = ("rowid", "owner", "owned_since", "lease_expires_at", "created_at", "updated_at")
"""Columns that differ between two forks of the same."""


def rows(folder: Path, name: str) -> dict[str, list[Any]]:
    """All rows of an execution, by table, as they are stored."""
    with closing(sqlite3.connect(folder / FILE)) as db:
        db.row_factory = sqlite3.Row
        ids = [id for (id,) in db.execute("SELECT execution_id FROM executions WHERE name = ?", (name,))]
        found = {}
        for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            if "execution_id" in [row[1] for row in db.execute(f"PRAGMA table_info({table})")]:
                marks = ", ".join("?" * len(ids))
                sql = f"SELECT * FROM {table} WHERE execution_id IN ({marks})"
                found[table] = sorted((dict(row) for row in db.execute(sql, ids)), key=repr)
        return found


def hashed(folder: Path) -> str:
    return sha256(repr(rows(folder, PARENT)).encode()).hexdigest()


def branch(folder: Path) -> dict[str, list[Any]]:
    """The rows of the branch, without what differs from fork to fork; {} if the file has none of any other execution."""
    with closing(sqlite3.connect(folder / FILE)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        others = [
            (table, count)
            for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            if "execution_id" in [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
            for (count,) in db.execute(
                f"SELECT count(*) FROM {table} WHERE execution_id NOT IN"
                " (SELECT execution_id FROM executions WHERE name = ?)",
                (PARENT,),
            )
            if count
        ]
    if not others:
        return {}
    return {
        table: [{k: v for k, v in row.items() if k not in OWN and k != "execution_id"} for row in found]
        for table, found in rows(folder, BRANCH).items()
        if found
    }


def done(folder: Path) -> Counter[str]:
    """What was done outside."""
    side = folder / SIDE
    return Counter(side.read_text().splitlines() if side.exists() else ())


@pytest.fixture(scope="module")
def running() -> Iterator[Launchers]:
    with launchers() as found:
        yield found


@pytest.fixture(scope="module")
def parent(running: Launchers, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the file of the execution that is forked."""
    folder = tmp_path_factory.mktemp("parent")
    assert running.run(folder, None, "record")["code"] == 0, (folder / "output.txt").read_text()
    (folder / SIDE).unlink()
    (folder / POINTS).unlink()
    return folder


def copied(parent: Path, folder: Path) -> Path:
    shutil.copytree(parent, folder)
    return folder


def test_a_fork_that_is_killed_leaves_no_branch_or_a_whole_one(
    running: Launchers, parent: Path, tmp_path: Path
) -> None:
    whole = copied(parent, tmp_path / "whole")
    assert running.run(whole, None, "only_fork")["code"] == 0, (whole / "output.txt").read_text()
    seen: dict[str, int] = json.loads((whole / POINTS).read_text())
    as_forked, before = branch(whole), hashed(parent)
    assert as_forked["state"] and as_forked["nodes"] and as_forked["tasks"] and hashed(whole) == before
    kills = [{"point": point, "count": n + 1} for point, count in seen.items() for n in range(count)]
    assert len([kill for kill in kills if kill["point"] == STATEMENT]) > 30
    assert {"before COMMIT of _branched", "after COMMIT of _branched"} <= seen.keys()

    def killed(number: int) -> tuple[dict[str, Any], Path]:
        folder = copied(parent, tmp_path / str(number))
        assert running.run(folder, kills[number], "only_fork")["code"] == -signal.SIGKILL, kills[number]
        return kills[number], folder

    with ThreadPoolExecutor(running.count) as pool:
        outcomes = list(pool.map(killed, range(len(kills))))
    found = Counter[str]()
    for kill, folder in outcomes:
        left = branch(folder)
        if left:
            # The row says who has it, and what the process did besides, which is nothing here.
            assert left.keys() == as_forked.keys(), kill
            for table in as_forked.keys() - {"executions"}:
                assert left[table] == as_forked[table], (kill, table)
        found["whole" if left else "none"] += 1
        assert hashed(folder) == before, kill
    assert min(found["whole"], found["none"]) >= 3, found


@pytest.mark.parametrize("every", [False, pytest.param(True, marks=pytest.mark.long)], ids=["some", "every"])
def test_a_branch_that_is_killed_at_a_commit_asks_and_pays_nothing_twice(
    every: bool, running: Launchers, parent: Path, tmp_path: Path
) -> None:
    whole = copied(parent, tmp_path / "whole")
    assert running.run(whole, None, "fork_and_run")["code"] == 0, (whole / "output.txt").read_text()
    status, state, _ = json.loads((whole / "end.json").read_text())
    before = hashed(parent)
    # The plan and the payment are on the line, the look, the count and the person's answer are taken from the file.
    assert (status, state["topic"], state["paid"], state["ok"]) == ("finished", "wind", 5, "approve")
    assert done(whole) == {"asked\tSay wind, 1.": 1, "asked\tSay wind, 2.": 1}
    seen: dict[str, int] = json.loads((whole / POINTS).read_text())
    # Pieces of a stream are written in batches by time, which differ from run to run.
    commits = {point: count for point, count in seen.items() if "COMMIT of" in point and "pieces" not in point}
    kills = [{"point": point, "count": n + 1} for point, count in commits.items() for n in range(count)]
    assert len(kills) > 60
    if not every:
        middle = {point: (count + 1) // 2 for point, count in commits.items()}
        kills = [kill for kill in kills if kill["count"] == middle[kill["point"]]]

    def survived(number: int) -> tuple[dict[str, Any], Path, Counter[str]]:
        folder = copied(parent, tmp_path / str(number))
        assert running.run(folder, kills[number], "fork_and_run")["code"] == -signal.SIGKILL, kills[number]
        recorded = answers(folder)
        resumed = running.run(folder, None, "fork_and_run")
        assert resumed["code"] == 0, (kills[number], (folder / "output.txt").read_text())
        return kills[number], folder, recorded

    with ThreadPoolExecutor(running.count) as pool:
        outcomes = list(pool.map(survived, range(len(kills))))
    for kill, folder, recorded in outcomes:
        assert json.loads((folder / "end.json").read_text())[:2] == [status, state], kill
        assert hashed(folder) == before, kill
        for what, times in done(folder).items():
            assert what.startswith("asked\tSay wind"), (kill, what)
            # One that was sent and whose answer had not come to the file is asked again, and only that one.
            assert times == 1 or (times == 2 and not recorded[what.partition("\t")[2]]), (kill, what, times)


def answers(folder: Path) -> Counter[str]:
    """The answers that the file has of the branch, by their prompt."""
    with closing(sqlite3.connect(folder / FILE)) as db:
        found = db.execute(
            "SELECT response ->> '$.parts[0].content' FROM model_calls JOIN executions USING (execution_id)"
            " WHERE name = ? AND response IS NOT NULL AND answered_by = 'model'",
            (BRANCH,),
        ).fetchall()
    return Counter(text.removeprefix("reply to ") for (text,) in found)


def test_the_frame_that_is_forked_has_both_kinds_of_tasks(parent: Path) -> None:
    with closing(sqlite3.connect(parent / FILE)) as db:
        settled = dict(db.execute("SELECT node_id, settled_at_frame FROM tasks WHERE node_id != 'say'").fetchall())
    assert settled["plan"] <= FRAME and settled["pay"] <= FRAME < settled["look"]
    assert os.cpu_count()
