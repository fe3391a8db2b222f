"""``why`` and ``why_not`` after 10,000 frames, beside the same questions after 100."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

from smithers_nb import Effect, Execution, Phase, Store, Task, component
from smithers_nb.recording import History
from tests.bench.table import Row

FEW, MANY = 100, 10_000
ROUNDS = 9
LIMIT_MS = 100.0
"""The most that an answer may take."""
WHY = ("state:n", "state:early", "page.name")
WHY_NOT = ("never", "task.on_error", "state:nothing", "misspelt")


@component
def App(ctx):
    """A key that changes in every frame, one that did once, and a node that is never there."""
    n = ctx.state.get("n", 0)
    return [
        Effect(id="count", deps=[n], run=lambda: ctx.state.set("n", n + 1)),
        Phase(name=f"page {n}", id="page"),
        Task(id="never", run=int) if n < 0 else None,
        Task(id="task", run=lambda: "early", on_finished=lambda result: ctx.state.set("early", result.output)),
    ]


def causes() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        few, many = (_recorded(Path(folder) / f"{frames}.db", frames) for frames in (FEW, MANY))
        for asked in WHY:
            yield _row(f"why {asked}", lambda one, asked=asked: one.why(asked), few, many, 2.0)
        for asked in WHY_NOT:
            yield _row(f"why_not {asked}", lambda one, asked=asked: one.why_not(asked, app=App), few, many, None)


def _recorded(path: Path, frames: int) -> History:
    with Execution(App, store=path, name="one") as ex:
        ex.run_sync(max_frames=frames)
        assert ex.recorded == frames
    return Store(path).open("one")


def _row(what: str, ask: Callable[[History], Any], few: History, many: History, budget: float | None) -> Row:
    ours, beside = [], []
    for _ in range(ROUNDS):
        beside.append(_ms(ask, few))
        ours.append(_ms(ask, many))
    return Row(
        what=f"{what} after {MANY:,} frames",
        ours=ours,
        floor=f"after {FEW}",
        beside=beside,
        budget=budget,
        note="" if min(ours) <= LIMIT_MS else f"over {LIMIT_MS:.0f} ms",
    )


def _ms(ask: Callable[[History], Any], of: History) -> float:
    begin = perf_counter()
    ask(of)
    return (perf_counter() - begin) * 1000
