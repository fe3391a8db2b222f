"""What can be wrong with a disk or a file: each is an error of ours that says what, why and what to do;
nothing is lost, and the file opens afterwards.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import random
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from smithers_nb import (
    Effect,
    Execution,
    Step,
    Store,
    component,
)
from smithers_nb.bridge import engine
from smithers_nb.errors import (
    SchemaVersionError,
    StoreBusyError,
    StoreDamagedError,
    StoreError,
)
from smithers_nb.store import connection
from tests.crash.campaign import POWER_CUT, TORN, campaign, table
from tests.store.checks import PATIENCE_S, run, sound

ROOT = Path(__file__).parents[2]


# ---- files and folders that can't be used -----------------------------------------------------------------------


def mortal() -> None:
    """In a new process: let permissions count for root, too."""
    if os.geteuid() == 0:
        drop_from_bounding_set, read_search, override = 24, 2, 1
        for capability in (override, read_search):
            ctypes.CDLL(None).prctl(drop_from_bounding_set, capability, 0, 0, 0)


OPENS = """
import sys
from smithers_nb import Execution, Step
from smithers_nb.errors import SmithersError
try:
    with Execution(Step(), store=sys.argv[1]) as ex:
        print(ex.run_sync().status)
except SmithersError as error:
    print(f"{type(error).__name__}: {error}")
"""


def opened(path: Path) -> str:
    """What a process without a superuser's rights says to a file."""
    done = subprocess.run(
        [sys.executable, "-c", OPENS, str(path)],
        preexec_fn=mortal, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip()


def made(path: Path) -> bytes:
    """Make a file with a finished execution in it, and return its bytes."""
    with Execution(Counting(), store=path, name="first") as ex:
        assert run(ex).status == "finished"
    return path.read_bytes()


@component
def Counting(ctx: Any) -> Any:
    n = ctx.state.get("n", 0)
    return [
        Step(name=f"step {n}"),
        Effect(id="e", deps=[n], run=lambda: ctx.state.set("n", n + 1) if n < 40 else None),
    ]


@pytest.mark.parametrize("what", ["file", "folder", "folder of a new file"])
def test_what_may_not_be_written_is_refused_and_left_as_it_was(what: str, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    path = folder / "t.db"
    before = made(path) if what != "folder of a new file" else None
    locked = path if what == "file" else folder
    mode = locked.stat().st_mode
    locked.chmod(0o444 if what == "file" else 0o555)
    try:
        said = opened(path)
    finally:
        locked.chmod(mode)
    assert said.startswith("StoreError: ") and str(path) in said
    assert "can't be" in said and "Check" in said
    assert (path.read_bytes() if path.exists() else None) == before
    assert opened(path) == "finished"
    sound(path)


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("missing/t.db", "Check that its folder exists"),
        (".", "is a folder. Name a file in it"),
        ("/proc/t.db", "Check that its folder exists and may be written"),
        ("/dev/null/t.db", "Check that its folder exists"),
    ],
)
def test_a_place_where_no_file_can_be_is_named(path: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=why):
        Execution(Step(), store=tmp_path / path)


def truncated(data: bytes) -> bytes:
    return data[: len(data) // 2]


def first_page_only(data: bytes) -> bytes:
    return data[: connection.PAGE_BYTES]


def a_piece_of_the_header(data: bytes) -> bytes:
    return data[:60]


def noise(data: bytes) -> bytes:
    return random.Random(1).randbytes(len(data))


def noise_after_the_header(data: bytes) -> bytes:
    return data[:100] + random.Random(1).randbytes(len(data) - 100)


def noise_in_the_tables(data: bytes) -> bytes:
    return data[: connection.PAGE_BYTES] + random.Random(1).randbytes(len(data) - connection.PAGE_BYTES)


def text(data: bytes) -> bytes:
    return b"a text that somebody saved under that name\n" * (len(data) // 43)


DAMAGES = [truncated, first_page_only, a_piece_of_the_header, noise, noise_after_the_header, noise_in_the_tables, text]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_named_and_not_made_worse(damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    whole = made(path)
    broken = damage(whole)
    path.write_bytes(broken)
    for use in (
        lambda: Execution(Counting(), store=path),
        lambda: Execution.resume(Counting(), store=path, name="first"),
        lambda: Store(path).df.frames,
    ):
        with pytest.raises(StoreDamagedError, match=r"is not a usable SQLite database.*restore it") as error:
            use()
        assert str(path) in str(error.value)
        assert path.read_bytes() == broken
    # Restored, as the message says, it is as it was; what the broken one left beside it does no harm.
    path.write_bytes(whole)
    with Execution.resume(Counting(), store=path, name="first") as ex:
        assert run(ex).status == "finished" and ex.state["n"] == 40
    sound(path)


def test_a_file_of_a_newer_release_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    made(path)
    newer = len(connection.migrations()) + 1
    with closing(sqlite3.connect(path)) as db:
        db.execute("INSERT INTO schema_migrations VALUES (?, 'later', '2030-01-01T00:00:00+00:00')", (newer,))
        db.commit()
    before = path.read_bytes()
    for use in (lambda: Execution(Step(), store=path), lambda: Execution.resume(Step(), store=path)):
        with pytest.raises(SchemaVersionError, match=rf"version {newer}.*Nothing was changed.*Upgrade"):
            use()
    assert path.read_bytes() == before


# ---- a disk that is full ----------------------------------------------------------------------------------------

FULL = """
import json, resource, sys
from smithers_nb import *
from smithers_nb.errors import StoreError

what, room = sys.argv[1], int(sys.argv[2])

def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

asked = []

def reply(prompt):
    asked.append(prompt)
    return "reply " + "x" * 20_000

@component
def App(ctx):
    n = ctx.state.get("n", 0)
    def grow(result=None):
        ctx.state.set("text", f"{n} " + "x" * 20_000)
        ctx.state.update("n", lambda old: (old or 0) + 1)
    body = {
        "effect": lambda: Effect(id="e", deps=[n], run=grow),
        "handler": lambda: Task(key=str(n), run=lambda: "y" * 20_000, on_finished=grow),
        "agent": lambda: Claude(key=str(n), model=scripted(reply), on_finished=grow)["prompt ", n],
    }[what]
    return [Step(name=str(n)), body() if n < 8 else None]

errors = []
if room == 0:
    limit(0)
    try:
        Execution(App(), store="full.db")
    except StoreError as error:
        errors.append(f"{type(error).__name__}: {error}")
    limit(resource.RLIM_INFINITY)
ex = Execution(App(), store="full.db")
limit(room or resource.RLIM_INFINITY)
for attempt in range(40):
    try:
        result = ex.run_sync()
        break
    except StoreError as error:
        errors.append(f"{type(error).__name__}: {error}")
        # Somebody makes a little room.
        room += 60_000
        limit(room)
print(json.dumps({
    "status": result.status, "n": ex.state["n"], "errors": errors, "asked": len(asked), "text": ex.state["text"][:2],
    "writes": ex.store.reader.query("SELECT count(*) FROM transitions WHERE key = 'n' AND status = 'applied'").rows[0][0],
    "tasks": ex.store.reader.query("SELECT status, count(*) FROM tasks GROUP BY 1").rows,
    "calls": ex.store.reader.query("SELECT count(*) FROM model_calls WHERE response IS NOT NULL").rows[0][0],
}))
limit(resource.RLIM_INFINITY)
ex.close()
"""


@pytest.mark.parametrize(
    ("what", "room"), [("effect", 0), ("effect", 400_000), ("handler", 400_000), ("agent", 400_000)]
)
def test_a_full_disk_stops_the_run_and_with_room_it_goes_on_without_loss(what: str, room: int, tmp_path: Path) -> None:
    """A limit on the size of files gives SQLite the errors that a full disk does, in the middle of its writes."""
    done = subprocess.run(
        [sys.executable, "-c", FULL, what, str(room)],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    end = json.loads(done.stdout)
    assert end["errors"], "the disk was never full"
    for error in end["errors"]:
        assert error.startswith("StoreError: ") and "full.db can't be" in error and "Make room on the disk" in error
    assert (end["status"], end["n"], end["writes"], end["text"]) == ("finished", 8, 8, "7 ")
    assert end["tasks"] == ([["succeeded", 8]] if what != "effect" else [])
    assert (end["asked"], end["calls"]) == ((8, 8) if what == "agent" else (0, 0))
    sound(tmp_path / "full.db")


# ---- a power cut ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("SQLITE_FULL", "can't be written (it failed). Make room on the disk"),
        ("SQLITE_IOERR_WRITE", "can't be written (it failed). Make room on the disk"),
        ("SQLITE_IOERR_FSYNC", "can't be written (it failed). Make room on the disk"),
        ("SQLITE_IOERR_READ", "can't be read (it failed): the disk, or the network that it is on, has failed"),
        ("SQLITE_IOERR_SHORT_READ", "can't be read (it failed)"),
        ("SQLITE_IOERR_FSTAT", "can't be read (it failed)"),
    ],
)
def test_a_read_that_failed_is_not_said_to_want_room(code: str, words: str) -> None:
    """A disk that can't be read can't be made here: the codes are SQLite's own."""
    error = sqlite3.OperationalError("it failed")
    error.sqlite_errorname = code
    said = str(connection.store_error("a.db", error))
    assert words in said and ("Make room" in said) == ("written" in said)


def test_what_a_power_cut_leaves_opens_and_goes_on_without_loss(tmp_path: Path) -> None:
    """The file and its WAL as they are at any moment, without the shared memory, and with the end of the WAL torn."""
    runs = campaign(10, tmp_path, seed=6, kind=POWER_CUT)
    assert not [run for run in runs if not run.clean], table(runs)
    assert {kind for run in runs for kind in run.kills} == {POWER_CUT, TORN}


# ---- a file that another process has locked ---------------------------------------------------------------------

HOLDS = """
import sqlite3, sys, time
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("BEGIN IMMEDIATE")
print("held", flush=True)
time.sleep(float(sys.argv[2]))
db.execute("ROLLBACK")
"""


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Callable[[float], subprocess.Popen[str]]]:
    """Let another process take the file's write lock for a while."""
    children: list[subprocess.Popen[str]] = []

    def hold(seconds: float) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            [sys.executable, "-c", HOLDS, str(tmp_path / "t.db"), str(seconds)], stdout=subprocess.PIPE, text=True
        )
        children.append(child)
        assert child.stdout is not None and child.stdout.readline() == "held\n"
        return child

    yield hold
    for child in children:
        child.kill()
        child.communicate()


class Ticker:
    """Counts the turns of the engine's loop."""

    def __init__(self) -> None:
        self.ticks = 0
        self.longest_s = 0.0
        self._future = asyncio.run_coroutine_threadsafe(self._run(), engine.loop)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        last = loop.time()
        while True:
            await asyncio.sleep(0.01)
            self.ticks += 1
            self.longest_s, last = max(self.longest_s, loop.time() - last), loop.time()

    def stop(self) -> None:
        self._future.cancel()


def test_a_lock_of_five_seconds_delays_the_commit_and_not_the_event_loop(
    run_of: Any, held: Any, tmp_path: Path
) -> None:
    ex = run_of(Counting())
    ex.step_sync()
    other = run_of(Step(), store=":memory:")
    held(5.0)
    ticker = Ticker()
    try:
        moving = threading.Thread(target=ex.run_sync)
        moving.start()
        # Meanwhile another execution, in another file, goes on.
        assert run(other).status == "finished"
        assert moving.is_alive() and ticker.longest_s < 2.5
        moving.join(PATIENCE_S)
    finally:
        ticker.stop()
    assert ticker.longest_s < 2.5, "the loop stood still while the file was locked"
    assert ticker.ticks > 50
    assert (ex.status, ex.state["n"]) == ("finished", 40)
    assert len(ex.df.transitions) == 40
    ex.close()
    sound(tmp_path / "t.db")


def test_past_the_busy_timeout_the_step_says_so_and_the_next_one_goes_on(
    run_of: Any, held: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "BUSY_TIMEOUT_S", 0.3)
    ex = run_of(Counting())
    ex.step_sync()
    pending = ex.pending
    holder = held(PATIENCE_S)
    for _ in range(2):
        with pytest.raises(StoreBusyError, match=r"is locked.*Nothing was lost"):
            ex.step_sync()
    assert ex.pending == pending and len(pending) == 1
    holder.kill()
    holder.wait()
    assert run(ex).status == "finished"
    assert list(ex.df.transitions.new) == list(range(1, 41))
    ex.close()
    sound(tmp_path / "t.db")


def test_a_new_execution_in_a_locked_file_is_refused_and_leaves_nothing(
    held: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(tmp_path / "t.db")
    monkeypatch.setattr(connection, "BUSY_TIMEOUT_S", 0.3)
    holder = held(PATIENCE_S)
    with pytest.raises(StoreBusyError, match="is locked"):
        Execution(Step(), store=tmp_path / "t.db")
    holder.kill()
    holder.wait()
    assert list(Store(tmp_path / "t.db").df.executions.name) == ["first"]
    sound(tmp_path / "t.db")
