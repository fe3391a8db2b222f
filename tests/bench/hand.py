"""A frame by hand: the same rows in the same two transactions by plain sqlite3 on a worker thread, one hop each."""

from __future__ import annotations

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from smithers_nb.store.connection import now, schema
from smithers_nb.store.lease import FRESH_S, expiry

COUNTED = ("frames", "nodes", "state", "reads", "transitions", "handlers", "effects", "tasks", "events")


class Hand:
    """The least that anyone would have to do for a frame that changes one key and the node that shows it."""

    def __init__(self, folder: Path, keys: int) -> None:
        self._thread = ThreadPoolExecutor(1)
        self.path = folder / "hand.db"
        self._thread.submit(self._open, keys).result()
        self.frame = 0

    def close(self) -> None:
        self._thread.submit(self.db.close).result()
        self._thread.shutdown()

    async def step(self) -> None:
        loop = asyncio.get_running_loop()
        self.frame += 1
        await loop.run_in_executor(self._thread, self._commit, self.frame)
        await loop.run_in_executor(self._thread, self._flush, self.frame)

    def _open(self, keys: int) -> None:
        self.db = sqlite3.connect(self.path, isolation_level=None)
        self.db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;" + schema())
        self.db.execute("BEGIN")
        self.db.execute(
            "INSERT INTO executions (execution_id, name, status, reason, app, code_hash, engine_version, seed,"
            " lease_expires_at, created_at, updated_at)"
            " VALUES ('0123456789ab', 'hand', 'running', '', 'a', 'c', '0', 0, ?, ?, ?)",
            (expiry(), now(), now()),
        )
        values = [(f"key{n}", f"{n}") for n in range(keys)]
        self.db.executemany(
            "INSERT INTO state (execution_id, key, value, type, from_frame) VALUES ('0123456789ab', ?, ?, 'int', 1)",
            [*values, ("n", "0")],
        )
        self._node(1, "count 0")
        self.db.execute("COMMIT")

    def _commit(self, frame: int) -> None:
        db = self.db
        db.execute("BEGIN IMMEDIATE")
        db.execute(
            "UPDATE executions SET lease_expires_at = ?, updated_at = ? WHERE execution_id = '0123456789ab'"
            " AND lease_expires_at < ?",
            (expiry(), now(), expiry(FRESH_S)),
        )
        if frame > 1:
            db.execute(
                "UPDATE nodes SET to_frame = ? WHERE execution_id = '0123456789ab' AND node_id = 'fedcba987654'"
                " AND from_frame = ?",
                (frame, frame - 1),
            )
            self._node(frame, f"count {frame}")
        db.execute(
            "INSERT INTO frames (execution_id, frame, reason, status, created_at, mounted, unmounted, updated, moved,"
            " snapshot_ms, render_ms, reconcile_ms, commit_ms)"
            " VALUES ('0123456789ab', ?, '[\"state n\"]', 'open', ?, 0, 0, 1, 0, 0.01, 0.02, 0.03, 0.04)",
            (frame, now()),
        )
        db.execute("COMMIT")

    def _flush(self, frame: int) -> None:
        db = self.db
        db.execute("BEGIN IMMEDIATE")
        db.execute(
            "UPDATE state SET to_frame = ? WHERE execution_id = '0123456789ab' AND key = 'n' AND from_frame = ?",
            (frame + 1, frame),
        )
        db.execute(
            "INSERT INTO state (execution_id, key, value, type, from_frame) VALUES ('0123456789ab', 'n', ?, 'int', ?)",
            (f"{frame}", frame + 1),
        )
        db.execute(
            'INSERT INTO transitions (execution_id, id, frame, seq, scope, key, op, old, new, status, "trigger", origin)'
            " VALUES ('0123456789ab', ?, ?, 1, 'state', 'n', 'set', ?, ?, 'applied', 'by hand', 'operator')",
            (f"{frame}w1", frame, f"{frame - 1}", f"{frame}"),
        )
        db.execute(
            "UPDATE frames SET status = 'done', handlers = 0, writes = 1, execute_ms = 0.01, effects_ms = 0.02,"
            " flush_ms = 0.03 WHERE execution_id = '0123456789ab' AND frame = ?",
            (frame,),
        )
        db.execute("COMMIT")

    def _node(self, frame: int, name: str) -> None:
        self.db.execute(
            "INSERT INTO nodes (execution_id, node_id, path, type, explicit_id, position, props, events, source,"
            " from_frame) VALUES ('0123456789ab', 'fedcba987654', '/Counter[0]/phase[0]', 'phase', 0, 0, ?, '[]',"
            " 'tests/bench/frames.py:26', ?)",
            (f'{{"name": "{name}"}}', frame),
        )


def rows(path: Path) -> dict[str, int]:
    """Return how many rows each table has."""
    with sqlite3.connect(path) as db:
        return {table: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in COUNTED}
