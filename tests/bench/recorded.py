"""Two recorded executions of 10,000 frames compared, beside reading both, and one rendered again, beside its RENDERs."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter

from smithers_nb import Execution, Store
from smithers_nb.bridge import engine
from smithers_nb.recording import History
from tests.bench.readback import FRAMES, Board, _frames, _in_turn
from tests.bench.table import Row

ROUNDS = 7
TABLES = ("nodes", "state", "transitions", "handlers", "effects", "tasks", "model_calls", "tool_calls")


def recorded() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.db"
        for name, by in (("one", 1), ("other", 1), ("changed", 2)):
            _make(path, name, by)
        store = Store(path)
        one, other, changed = (store.open(name) for name in ("one", "other", "changed"))
        assert one.frames == FRAMES and one.compare(other).same
        different = len(one.compare(changed).rows)
        assert different > FRAMES
        yield _compared("compare of two executions of 10,000 frames, the same", one, other)
        yield _compared(
            "compare of two executions of 10,000 frames, all values differ", one, changed, f"{different:,} rows"
        )
        yield _compared("the same, with its rows as a DataFrame", one, changed, rows=True)
        again = one.rerender(Board)
        assert len(again.frames) == FRAMES and again.first is None
        renders = float(one.df.frames.render_ms.sum())
        times = [_timed(lambda: one.rerender(Board)) for _ in range(ROUNDS)]
        yield Row("rerender of 10,000 frames, 3 nodes", times, "their RENDER phases", [renders] * ROUNDS, 3)


def _make(path: Path, name: str, by: int) -> None:
    state, keys = {f"key {n}": 0 for n in range(10)}, _in_turn(10)
    with Execution(Board, name=name, props={"nodes": 1, "keys": 10}, state=state, store=path) as ex:
        engine.call(_frames(ex, lambda n: (keys(n)[0], n * by)))


def _compared(what: str, one: History, other: History, note: str = "", *, rows: bool = False) -> Row:
    def compare() -> None:
        compared = one.compare(other)
        # It is asked at least for its first difference.
        _ = compared.df if rows else compared.first

    ours, beside = [], []
    for _ in range(ROUNDS):
        beside.append(_timed(lambda: (_read(one), _read(other))))
        ours.append(_timed(compare))
    # The budget is for the comparison; each row is made when it is asked for.
    return Row(what, ours, "reading both as DataFrames", beside, None if rows else 2, note=note)


def _read(history: History) -> None:
    for table in TABLES:
        getattr(history.df, table)


def _timed(call: Callable[[], object]) -> float:
    begin = perf_counter()
    call()
    return (perf_counter() - begin) * 1000
