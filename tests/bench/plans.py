"""Plans of many nodes: rendered anew, and with one changed leaf."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

from smithers_nb import Execution, Parallel, Phase, Task, component
from smithers_nb.bridge import engine
from tests.bench.table import Row

ROUNDS = 15
STEPS = 60


async def _never() -> None:
    await asyncio.Event().wait()


def measure() -> list[Row]:
    anew, alone = _anew(1000)
    few, many = engine.call(_leaves())
    return [
        Row("a frame that renders 1,000 nodes anew, all phases", anew, "constructing them", alone, 3),
        Row("one changed leaf component among 10,000 nodes", many, "among 10", few, 3),
    ]


def _anew(nodes: int) -> tuple[float, float]:
    """Return the median milliseconds of a first frame of so many nodes, and of constructing them alone, in turn."""
    frames, alone = [], []
    for _ in range(ROUNDS):
        begin = perf_counter()
        _phases(nodes)
        alone.append((perf_counter() - begin) * 1000)

        @component
        def Many():
            return _phases(nodes)

        with tempfile.TemporaryDirectory() as folder, Execution(Many, store=Path(folder) / "t.db") as ex:
            frames.append(engine.call(_frame(ex)))
    return median(frames), median(alone)


def _phases(nodes: int) -> list[Phase]:
    return [Phase(name=f"phase {n}", key=n) for n in range(nodes)]


async def _frame(ex: Execution) -> float:
    begin = perf_counter()
    await ex.step()
    await ex.step_phase()  # FLUSH
    return (perf_counter() - begin) * 1000


@component
def Leaf(ctx, n):
    return Phase(name=f"{n}: {ctx.state.get(f'key {n}')}")


async def _leaves() -> tuple[float, float]:
    """Return the median milliseconds of a frame in which one of 10, and one of 10,000 leaves changed, in turn."""
    times: dict[int, list[float]] = {10: [], 10_000: []}
    with tempfile.TemporaryDirectory() as folder:
        executions = {}
        for nodes in times:

            @component
            def Leaves(nodes=nodes):
                return Parallel()[[Leaf(n=n, key=n) for n in range(nodes)], Task(id="idle", run=_never)]

            made = asyncio.to_thread(Execution, Leaves, store=Path(folder) / f"{nodes}.db")
            executions[nodes] = await made
            await executions[nodes].step()
        for step in range(STEPS):
            for nodes, ex in executions.items():
                ex.state.set("key 5", step)
                begin = perf_counter()
                await ex.step()
                times[nodes].append((perf_counter() - begin) * 1000)
        for ex in executions.values():
            await asyncio.to_thread(ex.close)
    return median(times[10][10:]), median(times[10_000][10:])
