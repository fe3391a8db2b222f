"""100,000 transitions as a DataFrame, beside pandas' own reading of the same rows."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from time import perf_counter

from smithers_nb import Execution
from smithers_nb.bridge import engine
from tests.bench.frames import Counter
from tests.bench.table import Row

FRAMES = 100
KEYS = 1000
ROUNDS = 15
SAME = "SELECT * FROM transitions WHERE execution_id = ? ORDER BY frame, seq"


def transitions() -> Iterator[Row]:
    import pandas as pd

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.db"
        ours, theirs = [], []
        with Execution(Counter, store=path) as ex:
            engine.call(_frames(ex))
            for _ in range(ROUNDS):
                begin = perf_counter()
                found = ex.df.transitions
                ours.append((perf_counter() - begin) * 1000)
                begin = perf_counter()
                with closing(sqlite3.connect(path)) as db:
                    same = pd.read_sql_query(SAME, db, params=(ex.execution_id,))
                theirs.append((perf_counter() - begin) * 1000)
        if not len(found) == len(same) == FRAMES * KEYS:
            raise AssertionError(f"{len(found)} and {len(same)} rows, not {FRAMES * KEYS}")
    yield Row("100,000 transitions to a DataFrame", ours, "pandas.read_sql_query", theirs, 1.5)


async def _frames(ex: Execution) -> None:
    for frame in range(FRAMES):
        for key in range(KEYS):
            ex.state.set(f"key {key}", {"frame": frame, "text": f"value {key}"} if key % 10 == 0 else frame)
        await ex.step()
    await ex.step_phase()
