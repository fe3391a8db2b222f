"""Plans of many nodes: rendered anew, and with one changed leaf."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter

from smithers_nb import Execution, Parallel, Phase, Task, component
from smithers_nb.bridge import engine
from tests.bench.frames import never, step, timed
from tests.bench.table import Row

ROUNDS = 100
STEPS = 150
WARM_UP = 10


def anew() -> Iterator[Row]:
    nodes = 1000
    ours, alone = [], []
    for _ in range(ROUNDS):
        begin = perf_counter()
        _phases(nodes)
        alone.append((perf_counter() - begin) * 1000)

        @component
        def Many():
            return _phases(nodes)

        with tempfile.TemporaryDirectory() as folder, Execution(Many, store=Path(folder) / "t.db") as ex:
            ours.append(engine.call(timed(lambda ex=ex: _frame(ex))))
    yield Row("a frame that renders 1,000 nodes anew, all phases", ours, "constructing those nodes alone", alone, 3)


def leaf() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        few, many = (
            stack.enter_context(Execution(Leaves, props={"nodes": nodes}, store=Path(folder) / f"{nodes}.db"))
            for nodes in (10, 10_000)
        )
        among_few, among_many = engine.call(_leaves(few, many))
    yield Row("one changed leaf component among 10,000 nodes", among_many, "among 10", among_few, 3)


def _phases(nodes: int) -> list[Phase]:
    return [Phase(name=f"phase {n}", key=n) for n in range(nodes)]


async def _frame(ex: Execution) -> None:
    await ex.step()
    await ex.step_phase()  # FLUSH


@component
def Leaf(ctx, n):
    return Phase(name=f"{n}: {ctx.state.get(f'key {n}')}")


@component
def Leaves(nodes):
    return Parallel()[[Leaf(n=n, key=n) for n in range(nodes)], Task(id="idle", run=never)]


async def _leaves(few: Execution, many: Execution) -> tuple[list[float], list[float]]:
    await few.step()
    await many.step()
    pairs = [(await step(few, n, "key 5"), await step(many, n, "key 5")) for n in range(STEPS)][WARM_UP:]
    return [one for one, _ in pairs], [other for _, other in pairs]
