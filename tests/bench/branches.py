"""Forks: after 10,000 frames beside after 10, beside a new execution, and with 100,000 keys beside those rows by hand; and
a frame of an execution that has 20 branches.
"""

from __future__ import annotations

import random
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from time import perf_counter

from smithers_nb import Execution
from smithers_nb.bridge import engine
from tests.bench.frames import FRAMES as STEPS
from tests.bench.frames import WARM_UP, Counter, _columns, _frames, _turns
from tests.bench.readback import FRAMES, Board, _in_turn
from tests.bench.readback import _frames as _board
from tests.bench.recorded import _timed
from tests.bench.table import Row

YOUNG = 10
ROUNDS = 40
KEYS = 100_000
MANY_ROUNDS = 9
BRANCHES = 20

BOARD = {"app": Board, "props": {"nodes": 1, "keys": 10}, "state": {f"key {n}": 0 for n in range(10)}}


def branches() -> Iterator[Row]:
    yield from _at_any_frame()
    yield _many_keys()
    yield _with_branches()


def _at_any_frame() -> Iterator[Row]:
    """Fork at the first, the last and random frames of an execution with a long history, in turn with a young one."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Execution(**BOARD, store=Path(folder) / "old.db", name="old") as old,
        Execution(**BOARD, store=Path(folder) / "young.db", name="young") as young,
    ):
        engine.call(_board(old, _in_turn(10)))
        engine.call(_some(young))
        if old.recorded < FRAMES:
            raise AssertionError(f"only {old.recorded} frames")
        last = FRAMES - 1  # The last frame rests before its FLUSH.
        chosen = [1, 2, last, *random.Random(4).sample(range(3, last), ROUNDS - 3)]
        ours, beside, new = [], [], []
        for number, frame in enumerate([*chosen[:5], *chosen]):
            taken = [
                _forked(old, frame, f"branch {number}"),
                _forked(young, YOUNG, f"branch {number}"),
                _made(old, f"new {number}"),
            ]
            if number >= 5:  # The first are for warming up.
                for times, one in zip((ours, beside, new), taken, strict=True):
                    times.append(one)
    slowest = max(range(len(chosen)), key=lambda n: ours[n] / beside[n])
    note = f"slowest of {len(chosen)}: frame {chosen[slowest]}"
    yield Row("fork at any of 10,000 frames, 10 keys, 3 nodes", ours, f"after {YOUNG}", beside, 1.3, note=note)
    yield Row("the same", ours, "a new execution of that app in that file", new, 2)


def _many_keys() -> Row:
    state = {f"key{n}": n for n in range(KEYS)}
    with tempfile.TemporaryDirectory() as folder:
        path, by_hand = Path(folder) / "ours.db", Path(folder) / "hand.db"
        with Execution(Counter, store=path, state=state) as ex:
            engine.call(_frames(ex, YOUNG))
            with closing(sqlite3.connect(path)) as db:
                db.execute("VACUUM INTO ?", (str(by_hand),))
            ours, beside = [], []
            with closing(sqlite3.connect(by_hand, isolation_level=None)) as hand:
                hand.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;")
                for number in range(MANY_ROUNDS):
                    beside.append(_timed(lambda n=number: _copied(hand, ex.execution_id, f"hand {n}")))
                    ours.append(_forked(ex, None, f"branch {number}"))
    return Row("fork with 100,000 keys", ours, "those rows by hand", beside, 2)


def _copied(db: sqlite3.Connection, parent: str, name: str) -> None:
    """Copy the state of an execution under another id: the least that a fork has to write."""
    db.execute("BEGIN IMMEDIATE")
    db.execute(
        "INSERT INTO executions (execution_id, name, parent_id, status, reason, app, code_hash, engine_version, seed,"
        " created_at, updated_at) SELECT ?, ?, execution_id, 'ready', '', app, code_hash, engine_version, seed,"
        " created_at, updated_at FROM executions WHERE execution_id = ?",
        (name, name, parent),
    )
    rows = db.execute(
        "SELECT key, value, type, from_frame FROM state WHERE execution_id = ? AND to_frame IS NULL", (parent,)
    ).fetchall()
    db.executemany(
        "INSERT INTO state (execution_id, key, value, type, from_frame) VALUES (?, ?, ?, ?, ?)",
        [(name, *row) for row in rows],
    )
    db.execute("COMMIT")


def _with_branches() -> Row:
    """An execution with branches, all of them open, takes turns with one that has none."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Execution(Counter, store=Path(folder) / "family.db") as one,
        Execution(Counter, store=Path(folder) / "alone.db") as alone,
    ):
        for ex in (one, alone):
            engine.call(_frames(ex, YOUNG))
        made = [one.fork(frame % YOUNG, name=f"branch {frame}") for frame in range(BRANCHES)]
        engine.call(_turns(one, alone, range(WARM_UP)))
        ours, beside = _columns(engine.call(_turns(one, alone, range(WARM_UP, WARM_UP + STEPS))))
        for branch in made:
            branch.close()
    return Row(f"a frame of an execution with {BRANCHES} branches", ours, "one without", beside, 1.15)


async def _some(ex: Execution) -> None:
    await ex.step()
    for frame in range(1, YOUNG + 2):
        ex.state.set(f"key {frame % 10}", frame)
        await ex.step()


def _forked(ex: Execution, frame: int | None, name: str) -> float:
    return _closed(lambda: ex.fork(frame, name=name))


def _made(ex: Execution, name: str) -> float:
    return _closed(lambda: Execution(**BOARD, store=ex.store, name=name))


def _closed(make: Callable[[], Execution]) -> float:
    """Return the milliseconds in which an execution is made; it is closed afterwards."""
    begin = perf_counter()
    ex = make()
    taken = (perf_counter() - begin) * 1000
    ex.close()
    return taken
