"""How much the file grows with each frame, beyond the values that changed.

The size is that of all pages after a checkpoint. What changed is what the new rows hold of the user's own: the
values in ``state`` and ``transitions`` (new and old), the props and texts in ``nodes``, in bytes of UTF-8.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from smithers_nb import Execution
from smithers_nb.bridge import engine
from tests.bench.frames import Counter
from tests.bench.table import Row

Value = Callable[[int], object]

FRAMES = 5_000
PART = 1_000
CHANGED = (
    "SELECT (SELECT coalesce(sum(length(CAST(value AS BLOB))), 0) FROM state)"
    " + (SELECT coalesce(sum(coalesce(length(CAST(old AS BLOB)), 0) + coalesce(length(CAST(new AS BLOB)), 0)), 0)"
    " FROM transitions) + (SELECT coalesce(sum(length(CAST(props AS BLOB)) + coalesce(length(CAST(text AS BLOB)), 0)),"
    " 0) FROM nodes)"
)


def growth() -> Iterator[Row]:
    yield _growth("a small number", FRAMES, PART, lambda n: n)
    yield _growth("a value of 10 KB", FRAMES // 10, PART // 10, lambda n: f"{n:06d}".ljust(10_240, "."))


def _growth(what: str, frames: int, part: int, value: Value) -> Row:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.db"
        overheads, grown, changed = [], [], []
        with Execution(Counter, store=path) as ex:
            engine.call(_frames(ex, range(100), value))
            before = _measured(path)
            for begin in range(100, 100 + frames, part):
                engine.call(_frames(ex, range(begin, begin + part), value))
                after = _measured(path)
                grown.append((after[0] - before[0]) / part)
                changed.append((after[1] - before[1]) / part)
                overheads.append(grown[-1] - changed[-1])
                before = after
    note = f"the file grows {sum(grown) / len(grown):,.0f} bytes a frame, {sum(changed) / len(changed):,.0f} of them changed"
    title = f"growth of the file a frame that changes {what}, beyond what changed"
    return Row(title, overheads, "1 KB", [1024.0] * len(overheads), 1, "KB", note)


async def _frames(ex: Execution, numbers: range, value: Value) -> None:
    for n in numbers:
        ex.state.set("n", value(n))
        await ex.step()


def _measured(path: Path) -> tuple[int, int]:
    """Return the bytes of the file, and of what was stored in it of the user's own."""
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        pages, size = (db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
        return pages * size, db.execute(CHANGED).fetchone()[0]
