"""Any frame of 10,000, read back from the file as users do, beside the latest one."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from smithers_nb import Each, Execution, Parallel, Phase, Store, Task, component
from smithers_nb.bridge import engine
from smithers_nb.recording import History
from tests.bench.frames import never
from tests.bench.table import Row

FRAMES = 10_000
RANDOM = 27
ROUNDS = 9
CHURN = 20


@component
def Shown(ctx, first, keys):
    """A node that shows some keys."""
    return Phase(name=" ".join(str(ctx.state.get(f"key {n}")) for n in range(first, first + keys)))


@component
def Board(nodes, keys):
    """So many nodes over so many keys."""
    each = keys // nodes
    return Parallel()[[Shown(first=n * each, keys=each, key=n) for n in range(nodes)], Task(id="idle", run=never)]


@component
def Churn(ctx):
    """Items that are others in every frame."""
    first = ctx.state.get("first", 0)
    items = list(range(first, first + CHURN))
    return Parallel()[
        Each(items=items, key=str, render=lambda item: Phase(name=f"item {item}")), Task(id="idle", run=never)
    ]


Writes = Callable[[int], tuple[str, Any]]


def _in_turn(keys: int) -> Writes:
    return lambda frame: (f"key {frame % keys}", frame)


CASES: dict[str, tuple[object, dict[str, Any], dict[str, Any], Writes]] = {
    "10 keys, 3 nodes": (Board, {"nodes": 1, "keys": 10}, {f"key {n}": 0 for n in range(10)}, _in_turn(10)),
    "1,000 keys, 102 nodes": (
        Board,
        {"nodes": 100, "keys": 1000},
        {f"key {n}": 0 for n in range(1000)},
        _in_turn(1000),
    ),
    # Each value and node stands for 257 frames: just over a span of the schema, so most rows of it miss.
    "257 keys in turn, each in its node": (
        Board,
        {"nodes": 257, "keys": 257},
        {f"key {n}": 0 for n in range(257)},
        _in_turn(257),
    ),
    f"an Each, {CHURN} new items a frame": (Churn, {}, {}, lambda frame: ("first", frame * CHURN)),
}


def readback() -> Iterator[Row]:
    for what, (app, props, state, writes) in CASES.items():
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "t.db"
            with Execution(app, props=props, state=state, store=path) as ex:
                engine.call(_frames(ex, writes))
                id = ex.execution_id
            history = Store(path).open(id)
            last = history.frames
            if last < FRAMES:
                raise AssertionError(f"{what}: only {last} frames")
            ways: dict[str, Callable[[int], object]] = {
                "at(n)": history.at,
                "df": lambda n, h=history: _frames_of(h, n),
            }
            for way, read in ways.items():
                yield _row(f"a frame of 10,000 read back by {way}: {what}", read, last)


async def _frames(ex: Execution, writes: Writes) -> None:
    await ex.step()
    for frame in range(1, FRAMES):
        key, value = writes(frame)
        ex.state.set(key, value)
        await ex.step()


def _frames_of(history: History, frame: int) -> None:
    history.df.tree_at(frame)
    history.df.state_at(frame)


def _row(what: str, read: Callable[[int], object], last: int) -> Row:
    """Read the first, the middle and some random frames, each in turn with the latest; the slowest stands in the row.

    The slowest is the one whose quickest reading takes longest: of so many frames, noise alone would find another.
    """
    chosen = [1, 2, last // 2, last - 1, *random.Random(4).sample(range(3, last - 1), RANDOM)]
    times: dict[int, list[float]] = {frame: [] for frame in chosen}
    latest: dict[int, list[float]] = {frame: [] for frame in chosen}
    read(last)
    for _ in range(ROUNDS):
        for frame in chosen:
            times[frame].append(_timed(read, frame))
            latest[frame].append(_timed(read, last))
    slowest = max(chosen, key=lambda frame: min(times[frame]))
    typical = median(min(times[frame]) / min(latest[frame]) for frame in chosen)
    note = f"slowest of {len(chosen)}: frame {slowest}; the median frame takes {typical:.2f} x"
    return Row(what, times[slowest], "the latest", latest[slowest], 3, note=note)


def _timed(read: Callable[[int], object], frame: int) -> float:
    begin = perf_counter()
    read(frame)
    return (perf_counter() - begin) * 1000
