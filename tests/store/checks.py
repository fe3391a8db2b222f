"""What must hold of a file, whatever happened to it."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from smithers_nb import Execution, Step

PATIENCE_S = 30


def run(ex: Execution) -> Any:
    """Run it; a run that never ends fails the test instead of holding it up."""
    return asyncio.run(asyncio.wait_for(ex.run(), PATIENCE_S))


def sound(path: Path) -> None:
    """The file opens, is whole, and another execution runs in it; one that nobody came to make is made now."""
    with Execution(Step(), store=path, name="afterwards") as ex:
        assert run(ex).status == "finished"
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        for (id,) in db.execute("SELECT execution_id FROM executions").fetchall():
            frames = [n for (n,) in db.execute("SELECT frame FROM frames WHERE execution_id = ? ORDER BY frame", (id,))]
            assert frames == list(range(1, len(frames) + 1))
