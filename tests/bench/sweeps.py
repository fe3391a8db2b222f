"""A sweep beside the same executions, made, run and closed one after the other: CPU of the process, and its memory."""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import process_time

import psutil

from smithers_nb import Claude, Execution, Phase, component, scripted, sweep
from tests.bench.table import Row

BRANCHES = 1000
PART = 100
"""Executions whose cost is measured together, of each side in turn."""


@component
def Steps(n, model):
    return [Phase(name=f"p{step}")[Claude(id=f"a{step}", model=model)[f"{n} {step}"]] for step in range(2)]


def futures() -> Iterator[Row]:
    ours, theirs, memory = [], [], []
    model = scripted(lambda _messages: "done")
    process = psutil.Process()
    for part in range(BRANCHES // PART + 1):
        with tempfile.TemporaryDirectory() as folder:
            gc.collect()
            numbers = [*range(PART)]
            start = process_time()
            made = sweep(
                Steps, {"props.n": numbers}, props={"model": model}, store=Path(folder) / "s.db", progress=False
            )
            swept = process_time() - start
            if {*made.df.status} != {"finished"} or {*made.df.frames} != {5}:
                raise AssertionError(f"the branches did not run as meant: {made}")
            gc.collect()
            start = process_time()
            for n in numbers:
                with Execution(Steps, props={"n": n, "model": model}, store=Path(folder) / "e.db") as ex:
                    ex.run_sync()
            apart = process_time() - start
        if part:  # The first is warming up.
            ours.append(swept * 1000 / PART)
            theirs.append(apart * 1000 / PART)
        memory.append(process.memory_info().rss)
    yield Row(
        f"a branch of a sweep, 5 frames, {PART} at once (CPU)", ours, "the same executions, one by one", theirs, 1.2
    )
    yield from _memory(model, process)


def _memory(model, process) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        rss = []
        for branches in (PART, BRANCHES):
            gc.collect()
            before = process.memory_info().rss
            sweep(
                Steps,
                {"props.n": [*range(branches)]},
                props={"model": model},
                store=Path(folder) / "m.db",
                name=str(branches),
                progress=False,
            )
            gc.collect()
            rss.append(process.memory_info().rss - before)
    grown = [max(rss[1], 0) / 1024 / BRANCHES]
    yield Row(
        f"memory that a branch leaves behind, of {BRANCHES:,}",
        [g * 1024 for g in grown],
        "6.7 KB, its rows",
        [6.7 * 1024],
        1,
        unit="KB",
    )
