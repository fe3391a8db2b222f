"""Two recorded executions of 10,000 frames compared, beside reading both, and one rendered again, beside its RENDERs;
what a node of it would take, and where a value went, beside a second.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

from smithers_nb import Execution, If, Store, Task, component
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
        # The second search finds nothing: it makes all the renderings that it may.
        for target in ("two", "never"):
            assert one.needs(target, app=Guarded()).found is (target == "two")
            times = [_timed(partial(one.needs, target, app=Guarded())) for _ in range(ROUNDS)]
            yield Row(f"needs after 10,000 frames: {target}", times, "a second", [1000.0] * ROUNDS, 1.1)
        times = [_timed(lambda: one.follow("state:key 3")) for _ in range(ROUNDS)]
        yield Row("follow of a value in 10,000 frames", times, "a second", [1000.0] * ROUNDS, 0.5)


@component
def Guarded(ctx: Any) -> Any:
    values = [ctx.state.get(f"key {n}", 0) for n in range(10)]
    a, b, c = ctx.state.get("key 0"), ctx.state.get("key 1"), ctx.state.get("key 2")
    return [
        If(condition=a == -1 and b == -2)[Task(id="two", run=print)],
        a in range(9)
        and b in range(-40, 0)
        and c in range(-40, 0)
        and sum(values) < -999
        and Task(id="never", run=print),
    ]


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
