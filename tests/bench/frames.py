"""A frame beside "hand": the same rows in the same two transactions by plain sqlite3 on a worker thread, one hop each.

Frames and hand take turns, so that what else the machine does falls on both.
"""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from time import perf_counter

from smithers_nb import Execution, Phase, Task, component
from smithers_nb.bridge import engine
from smithers_nb.store.connection import now, schema
from tests.bench.table import Row

FRAMES = 300
WARM_UP = 30


@component
def Counter(ctx):
    """Two nodes, one of which shows the key that every frame changes."""
    return Phase(name=f"count {ctx.state.get('n', 0)}")[Task(id="idle", run=_never)]


async def _never() -> None:
    await asyncio.Event().wait()


class Hand:
    """The least that anyone would have to do for such a frame."""

    def __init__(self, folder: Path, keys: int) -> None:
        self._thread = ThreadPoolExecutor(1)
        self._thread.submit(self._open, folder / "hand.db", keys).result()
        self.frame = 0

    def _open(self, path: Path, keys: int) -> None:
        self.db = sqlite3.connect(path, isolation_level=None)
        self.db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;" + schema())
        self.db.execute("BEGIN")
        self.db.execute(
            "INSERT INTO executions (execution_id, name, status, reason, app, code_hash, engine_version, seed,"
            " created_at, updated_at) VALUES ('hand', 'hand', 'running', '', 'a', 'c', '0', 0, ?, ?)",
            (now(), now()),
        )
        self.db.executemany(
            "INSERT INTO state VALUES ('hand', ?, ?, 'int', 1, NULL)", [(f"key{n}", f"{n}") for n in range(keys)]
        )
        self.db.execute("INSERT INTO state VALUES ('hand', 'n', '0', 'int', 1, NULL)")
        self.db.execute("INSERT INTO nodes VALUES ('hand','p','/p','phase',NULL,0,NULL,0,'{}','[]',NULL,'x',1,NULL)")
        self.db.execute("COMMIT")

    async def step(self) -> None:
        loop = asyncio.get_running_loop()
        self.frame += 1
        await loop.run_in_executor(self._thread, self._commit, self.frame)
        await loop.run_in_executor(self._thread, self._flush, self.frame)

    def _commit(self, frame: int) -> None:
        db = self.db
        db.execute("BEGIN IMMEDIATE")
        db.execute(
            "UPDATE executions SET lease_expires_at = ?, updated_at = ? WHERE execution_id = 'hand'", (now(), now())
        )
        if frame > 1:
            db.execute(
                "UPDATE nodes SET to_frame = ? WHERE execution_id = 'hand' AND node_id = 'p' AND from_frame = ?",
                (frame, frame - 1),
            )
            db.execute(
                "INSERT INTO nodes VALUES ('hand', 'p', '/Counter[0]/phase[0]', 'phase', NULL, 0, NULL, 0, ?, '[]', NULL, 'x', ?, NULL)",
                (f'{{"name": "count {frame}"}}', frame),
            )
        db.execute(
            "INSERT INTO frames (execution_id, frame, reason, status, created_at, mounted, unmounted, updated, moved,"
            " snapshot_ms, render_ms, reconcile_ms, commit_ms) VALUES ('hand', ?, '[\"state n\"]', 'open', ?, 0, 0, 1, 0, 0, 0, 0, 0)",
            (frame, now()),
        )
        db.execute("COMMIT")

    def _flush(self, frame: int) -> None:
        db = self.db
        db.execute("BEGIN IMMEDIATE")
        db.execute(
            "UPDATE state SET to_frame = ? WHERE execution_id = 'hand' AND key = 'n' AND from_frame = ?",
            (frame + 1, frame),
        )
        db.execute("INSERT INTO state VALUES ('hand', 'n', ?, 'int', ?, NULL)", (f"{frame}", frame + 1))
        db.execute(
            "INSERT INTO transitions VALUES ('hand', ?, ?, 1, 'state', 'n', 'set', ?, ?, 'applied', 'by hand', 'operator', NULL, NULL, NULL)",
            (f"{frame}w1", frame, f"{frame - 1}", f"{frame}"),
        )
        db.execute(
            "UPDATE frames SET status = 'done', handlers = 0, writes = 1, execute_ms = 0, effects_ms = 0, flush_ms = 0"
            " WHERE execution_id = 'hand' AND frame = ?",
            (frame,),
        )
        db.execute("COMMIT")


def measure() -> list[Row]:
    few, few_hand = _frames(10)
    many, many_hand = _frames(100_000)
    return [
        Row("a frame that changes one key, 2 nodes, 10 keys in state", few, "hand", few_hand, 3),
        Row("the same with 100,000 keys in state", many, "hand", many_hand, 3),
        Row("the same, against that with 10 keys", many, "10 keys", few, 1.3),
    ]


def _frames(keys: int) -> tuple[float, float]:
    """Return the median milliseconds of a frame, ours and by hand."""
    with tempfile.TemporaryDirectory() as folder:
        state = {f"key{n}": n for n in range(keys)}
        with Execution(Counter, store=Path(folder) / "ours.db", state=state) as ex:
            hand = Hand(Path(folder), keys)
            ours, floor = engine.call(_interleaved(ex, hand))
        return median(ours[WARM_UP:]), median(floor[WARM_UP:])


async def _interleaved(ex: Execution, hand: Hand) -> tuple[list[float], list[float]]:
    """On the engine's loop, so that neither side pays for crossing threads beyond its two hops."""
    ours: list[float] = []
    floor: list[float] = []
    await ex.step()
    for n in range(FRAMES):
        ex.state.set("n", n + 1)
        begin = perf_counter()
        await ex.step()
        ours.append((perf_counter() - begin) * 1000)
        begin = perf_counter()
        await hand.step()
        floor.append((perf_counter() - begin) * 1000)
    return ours, floor
