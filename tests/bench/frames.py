"""A frame that changes one key: beside one by hand, with much state, and after much history.

Both sides take turns, so that what else the machine does falls on both.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from time import perf_counter

from smithers_nb import Execution, Phase, Task, component
from smithers_nb.bridge import engine
from tests.bench.hand import Hand, rows
from tests.bench.table import Row

FRAMES = 600
WARM_UP = 30
HISTORY = 10_000
YOUNG = 10

TURNS = 30

Pairs = list[tuple[float, float]]
Times = tuple[list[float], list[float]]


@component
def Counter(ctx):
    """Two nodes, one of which shows the key that every frame changes."""
    return Phase(name=f"count {ctx.state.get('n', 0)}")[Task(id="idle", run=never)]


async def never() -> None:
    """A task that keeps the execution waiting."""
    await asyncio.Event().wait()


async def timed(work: Callable[[], Awaitable[object]]) -> float:
    """Return the milliseconds that it took."""
    begin = perf_counter()
    await work()
    return (perf_counter() - begin) * 1000


async def step(ex: Execution, n: int, key: str = "n") -> float:
    """Write a key and return the milliseconds of a step: FLUSH with that write, and the frame that it causes."""
    ex.state.set(key, n)
    return await timed(ex.step)


def one_key() -> Iterator[Row]:
    ours, hand = _beside_hand(10)
    yield Row("a frame that changes one key, 2 nodes, 10 keys in state", ours, "by hand", hand, 3)


def many_keys() -> Iterator[Row]:
    ours, hand = _beside_hand(100_000)
    yield Row("a frame that changes one key, 2 nodes, 100,000 keys in state", ours, "by hand", hand, 3)
    many, few = _many_beside_few()
    yield Row("the same with 100,000 keys in state", many, "with 10 keys", few, 1.3)


def much_history() -> Iterator[Row]:
    old, young = _old_beside_young()
    yield Row("the same after 10,000 frames of history", old, f"after {YOUNG}", young, 1.2)


def _beside_hand(keys: int) -> Times:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ours.db"
        hand = Hand(Path(folder), keys)
        with Execution(Counter, store=path, state=_state(keys)) as ex:
            engine.call(ex.step())
            engine.call(_with_hand(ex, hand, range(1, WARM_UP)))
            before = rows(path), rows(hand.path)
            pairs = engine.call(_with_hand(ex, hand, range(WARM_UP, WARM_UP + FRAMES)))
            _same_rows(before, (rows(path), rows(hand.path)))
        hand.close()
        return _columns(pairs)


async def _with_hand(ex: Execution, hand: Hand, numbers: range) -> Pairs:
    return [(await step(ex, n), await timed(hand.step)) for n in numbers]


def _same_rows(before: tuple[dict[str, int], dict[str, int]], after: tuple[dict[str, int], dict[str, int]]) -> None:
    """The hand must write what the engine writes, or the ratio says nothing."""
    ours, hand = ({table: after[n][table] - before[n][table] for table in after[n]} for n in (0, 1))
    unlike = {table: (ours[table], hand[table]) for table in ours if ours[table] != hand[table]}
    if unlike:
        raise AssertionError(f"tests/bench/hand.py writes other rows than the engine (ours, by hand): {unlike}")


def _many_beside_few() -> Times:
    with (
        tempfile.TemporaryDirectory() as folder,
        Execution(Counter, store=Path(folder) / "many.db", state=_state(100_000)) as many,
        Execution(Counter, store=Path(folder) / "few.db", state=_state(10)) as few,
    ):
        engine.call(_turns(many, few, range(WARM_UP)))
        return _columns(engine.call(_turns(many, few, range(WARM_UP, WARM_UP + FRAMES))))


def _old_beside_young() -> Times:
    """An execution with much history takes turns with new ones: each is given up before it has much of its own."""
    pairs: Pairs = []
    with tempfile.TemporaryDirectory() as folder, Execution(Counter, store=Path(folder) / "old.db") as old:
        engine.call(_frames(old, HISTORY))
        for young in range(FRAMES // TURNS):
            with Execution(Counter, store=Path(folder) / f"{young}.db") as new:
                engine.call(_frames(new, YOUNG))
                pairs += engine.call(_turns(old, new, range(-TURNS, 0)))
    return _columns(pairs)


async def _turns(one: Execution, other: Execution, numbers: range) -> Pairs:
    return [(await step(one, n), await step(other, n)) for n in numbers]


async def _frames(ex: Execution, count: int) -> None:
    for _ in range(count):
        ex.state.set("n", (ex.state.get("n") or 0) + 1)
        await ex.step()


def _state(keys: int) -> dict[str, int]:
    return {f"key{n}": n for n in range(keys)}


def _columns(pairs: Pairs) -> Times:
    return [one for one, _ in pairs], [other for _, other in pairs]
