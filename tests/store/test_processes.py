"""Many processes in one file: one writer each, readers that see whole frames only, and owners that are told."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from smithers_nb import Execution, Store
from smithers_nb.errors import ExecutionOwnedError
from smithers_nb.store import connection
from tests.store import owner

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60


@contextmanager
def process(args: list[object], folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Start Python in a process of its own; it is ended with the test."""
    child = subprocess.Popen(
        [sys.executable, *map(str, args)],
        cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield child
    finally:
        if child.poll() is None:
            child.kill()
        child.communicate()


def line_of(child: subprocess.Popen[str]) -> str:
    """Return what the process says next."""
    assert child.stdout is not None
    line = child.stdout.readline()
    if not line:
        pytest.fail(f"the process said nothing: {child.communicate(timeout=PATIENCE_S)[1][-3000:]}")
    return line.strip()


def tell(child: subprocess.Popen[str]) -> None:
    """Let the process go on: it reads a line."""
    assert child.stdin is not None
    child.stdin.write("go\n")
    child.stdin.flush()


# ---- eight writers and a reader --------------------------------------------------------------------------------

WRITERS = 8
FRAMES = 50

WRITER = """
import sys
from smithers_nb import Effect, Execution, Step, Task, component

name, frames = sys.argv[1], int(sys.argv[2])

@component
def App(ctx):
    n = ctx.state.get("left", 0)

    def both(result):
        ctx.state.set("right", n + 1)
        ctx.state.set("left", n + 1)

    # Half of them with tasks and handlers, half with effects.
    if int(name) % 2:
        again = Task(key=str(n), run=lambda: n, on_finished=both) if n < frames else None
    else:
        again = Effect(id="e", deps=[n], run=lambda: both(None)) if n < frames else None
    return [Step(name=str(n)), again]

print("ready", flush=True)
sys.stdin.readline()
with Execution(App(), store="many.db", name=name, state={"left": 0, "right": 0}) as ex:
    result = ex.run_sync()
    print(result.status, result.frames, ex.state["left"], flush=True)
"""

READER = """
import sys, threading
from pathlib import Path
from smithers_nb import Store

path = Path("many.db")
store, over, looks = Store(path), threading.Event(), 0
print("ready", flush=True)
threading.Thread(target=lambda: (sys.stdin.readline(), over.set()), daemon=True).start()
while not over.is_set() or looks == 0:
    if not path.exists() or store.sql("SELECT 1 FROM sqlite_master WHERE name = 'executions'").empty:
        continue
    frames = store.df.frames
    writes = store.df.transitions
    nodes = store.df.nodes
    state = store.df.state
    looks += len(frames) > 0
    # What is there with a frame is there with all that its two transactions wrote.
    done = frames[frames.status == "done"]
    written = writes[writes.frame > 0].groupby(["execution_id", "frame"]).size()
    for row in done[done.writes > 0].itertuples():
        assert written[row.execution_id, row.frame] == row.writes, ("a frame without its writes", row)
    for id, theirs in frames.groupby("execution_id"):
        assert list(theirs.frame) == list(range(1, len(theirs) + 1)), ("a hole", list(theirs.frame))
        last = theirs.frame.max()
        there = nodes[(nodes.execution_id == id) & (nodes.from_frame <= last)]
        assert (there.to_frame.isna() | (there.to_frame > last)).any(), ("a frame without nodes", id, last)
    now = state[state.to_frame.isna()].pivot(index="execution_id", columns="key", values="value")
    assert (now.left == now.right).all(), ("half a transaction", now)
print(looks, flush=True)
"""


def test_eight_processes_run_eight_executions_in_one_file_while_a_ninth_reads(tmp_path: Path) -> None:
    with ExitStack() as stack:
        writers = [stack.enter_context(process(["-c", WRITER, n, FRAMES], tmp_path)) for n in range(WRITERS)]
        reader = stack.enter_context(process(["-c", READER], tmp_path))
        for child in [*writers, reader]:
            assert line_of(child) == "ready"
        for child in writers:
            tell(child)
        ended = [child.communicate(timeout=PATIENCE_S) for child in writers]
        said, complaint = reader.communicate("over\n", timeout=PATIENCE_S)
    for output, error in ended:
        assert "locked" not in error and "Traceback" not in error, error[-3000:]
        status, frames, left = output.split()
        assert (status, int(left)) == ("finished", FRAMES) and int(frames) >= FRAMES
    assert reader.returncode == 0, complaint[-3000:]
    assert int(said) >= 1, "it never saw a frame"
    store = Store(tmp_path / "many.db")
    frames, writes = store.df.frames, store.df.transitions
    assert set(store.df.executions.status) == {"finished"} and len(store.df.executions) == WRITERS
    for id, theirs in frames.groupby("execution_id"):
        assert list(theirs.frame) == list(range(1, len(theirs) + 1)) and len(theirs) >= FRAMES
        assert set(theirs.status) == {"done"}
        mine = writes[(writes.execution_id == id) & (writes.key == "left")]
        assert list(mine.new) == list(range(FRAMES + 1))
    assert list(store.sql("PRAGMA integrity_check").iloc[:, 0]) == ["ok"]
    assert store.sql("PRAGMA foreign_key_check").empty


def test_a_new_file_may_be_made_by_many_at_once(tmp_path: Path) -> None:
    """SQLite does not wait for others while it turns a file to WAL: whoever opens it has to."""

    def opened(path: Path, together: threading.Barrier) -> int:
        together.wait()
        with closing(connection._prepared(str(path), "normal")) as db:
            return int(db.execute("SELECT count(*) FROM schema_migrations").fetchone()[0])

    with ThreadPoolExecutor(WRITERS) as pool:
        for n in range(80):
            together = threading.Barrier(WRITERS)
            rows = list(pool.map(opened, [tmp_path / f"{n}.db"] * WRITERS, [together] * WRITERS))
            assert rows == [len(connection.migrations())] * WRITERS


# ---- an owner that was away ------------------------------------------------------------------------------------


def dump(path: str) -> list[str]:
    """Return everything that is in a file."""
    with closing(sqlite3.connect(path)) as db:
        return list(db.iterdump())


def taken_over(place: str) -> None:
    """Wait until the lease has run out, and run it to its end here."""
    pause = threading.Event()
    for _ in range(PATIENCE_S * 100):
        try:
            ex = Execution.resume(owner.app(place), store=f"{place}.db")
            break
        except ExecutionOwnedError:
            pause.wait(0.01)
    with ex:
        ex.run_sync()
        if place == "answer":
            ex.answer("t", "approve")
        assert ex.run_sync().status == "finished"
        assert ex.state["handled"] == 1


@pytest.fixture(scope="module")
def comeback(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """By place: what the file held before its old owner came back, what afterwards, and what that one said.

    SIGSTOP takes it away in the middle of what it does, heartbeat and all, as a laptop's sleep does.
    """
    folder = tmp_path_factory.mktemp("owners")
    with (
        process(["-m", "tests.store.owner", folder, *owner.PLACES], ROOT) as old,
        pytest.MonkeyPatch.context() as patch,
    ):
        assert line_of(old) == "ready"
        patch.chdir(folder)
        with pytest.raises(ExecutionOwnedError) as refused:
            Execution.resume(owner.app("write"), store="write.db")
        os.kill(old.pid, signal.SIGSTOP)
        owner.GO.touch()
        before = {}
        for place in owner.PLACES:
            taken_over(place)
            before[place] = dump(f"{place}.db")
        os.kill(old.pid, signal.SIGCONT)
        tell(old)
        said = json.loads(line_of(old))
        old.communicate(timeout=PATIENCE_S)
        after = {place: dump(f"{place}.db") for place in owner.PLACES}
    yield {"before": before, "after": after, "said": said, "refused": str(refused.value), "pid": old.pid}


def test_a_second_process_that_steps_is_told_who_since_when_and_until_when(comeback: dict[str, Any]) -> None:
    assert re.search(
        rf"'write' \([0-9a-f]{{12}}\) is being run by pid {comeback['pid']} on \S+ \(\w+\) since 20\S+, last active 20\S+, "
        r"its lease holds until 20\S+\. ",
        comeback["refused"],
    ), comeback["refused"]


@pytest.mark.parametrize("place", owner.PLACES)
def test_an_owner_that_comes_back_after_its_lease_was_taken_over_notices_and_writes_nothing(
    place: str, comeback: dict[str, Any]
) -> None:
    added = [line for line in comeback["after"][place] if line not in set(comeback["before"][place])]
    assert added == []
    assert comeback["after"][place] == comeback["before"][place]
    assert comeback["said"][place].startswith("ExecutionOwnedError: "), comeback["said"][place]
    assert f"taken over by pid {os.getpid()} on " in comeback["said"][place] or "closed" in comeback["said"][place]
