"""Agents beside bare runs of pydantic-ai: the same model, prompts and stream, with a capability that hears each event.

CPU time of the whole process, because the time of a clock says as much about who else is at work; gaps can only be told
by a clock. All runs are on the engine's loop, and take turns.
"""

from __future__ import annotations

import asyncio
import gc
import re
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from time import perf_counter, process_time, sleep
from typing import Any

from smithers_nb import Claude, Execution, Parallel, component, scripted
from smithers_nb.agents.pydantic_ai import load
from smithers_nb.bridge import engine
from tests.bench.table import Row

ROUNDS = 15
AGENTS = 20
WORDS = 20
TOKENS = 100_000
STREAMS = 3
LOOK_S = 0.001

SYSTEM = "Be short."


def one_turn() -> Iterator[Row]:
    many, bare = _beside_bare(AGENTS, apart=False)
    yield Row(f"an agent of one turn, streamed and recorded, {AGENTS} at a time (CPU)", many, "a bare run", bare, 2)
    two, bare = _beside_bare(2, apart=True)
    yield Row("an execution of 2 such agents, made, run and closed (CPU)", two, "two bare runs", bare, 2.5)


def gaps() -> Iterator[Row]:
    """Many tokens: how long the loop, and a thread that only looks at the clock, wait at most."""
    said = _said(TOKENS // AGENTS)
    bare = _bare(said)
    pairs = []
    for _ in range(STREAMS):
        pairs.append((_longest(lambda: _recorded(said, AGENTS)), _longest(lambda: engine.call(bare(AGENTS)))))
        gc.collect()
    what = f"{TOKENS:,} tokens over {AGENTS} agents: "
    for name, place, budget in (("the longest gap of the loop", 0, 1.5), ("of the caller's thread", 1, 2)):
        ours, theirs = ([gap[place] for gap in side] for side in zip(*pairs, strict=True))
        yield Row(what + name, ours, "bare runs", theirs, budget)
        what = "the same: "


def _beside_bare(agents: int, *, apart: bool) -> tuple[list[float], list[float]]:
    """Return CPU milliseconds an agent, of ours and of bare runs; with ``apart``, of all agents of an execution."""
    said = _said(WORDS)
    bare = _bare(said)
    shared = agents
    if apart:
        shared = 1
    ours, theirs = [], []
    for n in range(ROUNDS + 1):
        gc.collect()
        one = _cpu(lambda: _recorded(said, agents)) / shared
        other = _cpu(lambda: engine.call(bare(agents))) / shared
        if n:  # The first is warming up.
            ours.append(one)
            theirs.append(other)
    return ours, theirs


def _said(words: int) -> str:
    return " ".join(f"word{n}" for n in range(words))


@component
def Agents(agents, model):
    return Parallel()[[Claude(id=f"a{n}", model=model, system=SYSTEM)[f"question {n}"] for n in range(agents)]]


def _recorded(said: str, agents: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        props = {"agents": agents, "model": scripted(said)}
        with Execution(Agents, props=props, store=Path(folder) / "t.db", max_agents=agents) as ex:
            engine.call(ex.run())
            if ex.status != "finished":
                raise AssertionError(f"the agents did not finish: {ex.status}")


def _bare(said: str) -> Callable[[int], Any]:
    """Return a coroutine function that runs so many agents together."""
    load()
    from pydantic_ai import Agent
    from pydantic_ai.capabilities import AbstractCapability
    from pydantic_ai.models.function import FunctionModel

    # In the pieces in which a script is streamed.
    pieces = re.findall(r"\s*\S+", said)

    async def stream(messages: Any, info: Any) -> AsyncIterator[str]:
        for piece in pieces:
            yield piece

    class Hears(AbstractCapability[Any]):
        def __init__(self) -> None:
            self.events = 0

        async def on_event(self, ctx: Any, *, event: Any) -> None:
            self.events += 1

    agent = Agent(FunctionModel(stream_function=stream), instructions=SYSTEM)

    async def one(n: int) -> None:
        hears = Hears()
        result = await agent.run(f"question {n}", capabilities=[hears])
        if result.output != said or hears.events < len(pieces):
            raise AssertionError("the bare agent did not stream what it said")

    async def bare(agents: int) -> None:
        await asyncio.gather(*(one(n) for n in range(agents)))

    return bare


def _cpu(work: Callable[[], object]) -> float:
    begin = process_time()
    work()
    return (process_time() - begin) * 1000


def _longest(work: Callable[[], object]) -> tuple[float, float]:
    """Return the longest gaps in milliseconds while work is done: of the engine's loop, and of a thread."""
    over = threading.Event()
    longest = [0.0, 0.0]

    async def on_loop() -> None:
        while not over.is_set():
            begin = perf_counter()
            await asyncio.sleep(LOOK_S)
            longest[0] = max(longest[0], perf_counter() - begin)

    def on_thread() -> None:
        while not over.is_set():
            begin = perf_counter()
            sleep(LOOK_S)
            longest[1] = max(longest[1], perf_counter() - begin)

    threads = [threading.Thread(target=on_thread), threading.Thread(target=lambda: engine.call(on_loop()))]
    for thread in threads:
        thread.start()
    try:
        work()
    finally:
        over.set()
        for thread in threads:
            thread.join()
    return longest[0] * 1000, longest[1] * 1000
