"""Marking: a cell is judged in a process of its own, and the result is kept in the notebook's file."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ..bridge import engine
from ..records import CheckedStatement, ExerciseCheck
from ..records.words import closed
from ..store import exercises as stored
from ..store.connection import Database
from . import judge
from .exercise import WIDTH, Seat

T = TypeVar("T")

HINT_FROM = 3
"""The attempt from which on a hint is given."""
KILLED_S = 120.0
"""The time after which the judge's process is killed. It ends itself before, unless its cell lets no thread run."""


def begin(path: str, seat: Seat, learner: str) -> None:
    """Record in a file that a learner begins an exercise."""
    begun = ExerciseCheck(seat.exercise.name, seat.number, learner, attempt=0)
    engine.call(_written(path, stored.begin, begun))


def mark(path: str, seat: Seat, learner: str, *, cell: str, execution_id: str | None) -> ExerciseCheck:
    """Check a cell, and return the attempt as the file has it."""
    check = ExerciseCheck(
        *(seat.exercise.name, seat.number, learner),
        attempt=0,
        held=judge_apart(seat, cell),
        cell=cell,
        execution_id=execution_id,
    )
    return engine.call(_written(path, stored.add, check))


async def _written(path: str, write: Callable[..., T], check: ExerciseCheck) -> T:
    # The connection of the executions that are open in this file, if any are.
    database = await Database.open(path)
    try:
        return await database.transaction(write, check)
    finally:
        await database.close()


def judge_apart(seat: Seat, cell: str) -> tuple[CheckedStatement, ...]:
    """Return the statements of an exercise, judged in a process of its own: a cell may loop for ever."""
    with tempfile.TemporaryDirectory(prefix="smithers-", ignore_cleanup_errors=True) as folder:
        target = Path(folder) / "held.json"
        asked = {"exercise": seat.exercise.name, "seat": seat.number, "cell": cell, "target": str(target)}
        # What the cell prints is of no use here: the learner has run it.
        try:
            subprocess.run(
                [sys.executable, "-c", f"from {judge.__name__} import main; main()"],
                input=json.dumps(asked),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=KILLED_S,
                check=False,
                text=True,
            )
        except subprocess.TimeoutExpired:
            return (
                CheckedStatement("The cell runs.", holds=False, found=f"it does not end within {KILLED_S:.0f} seconds"),
            )
        if not target.exists():
            return (CheckedStatement("The cell runs.", holds=False, found="the cell ends the process that checks it"),)
        return tuple(CheckedStatement(**one) for one in json.loads(target.read_text(encoding="utf-8")))


def told(seat: Seat, check: ExerciseCheck) -> str:
    """Return the result of an attempt in words: what holds and what does not, without the answer."""
    lines = [f"Exercise {seat.exercise.name}, seat {seat.number}, attempt {check.attempt}:"]
    before = ""
    for one in check.held:
        if one.holds:
            lines += _wrapped(f"  ✓ {one.says}")
            continue
        found = closed(one.found)
        if found == before:
            found = "the same."
        else:
            before = found
        lines += _wrapped(f"  ✗ {one.says}") + _wrapped(f"    Found: {found}")
    lines += _wrapped(_end(seat, check), behind="")
    return "\n".join(lines)


def _wrapped(text: str, behind: str = "    ") -> list[str]:
    """Return the lines of a text: Lab breaks longer ones within words."""
    return [
        part for line in text.splitlines() for part in textwrap.wrap(line, WIDTH, subsequent_indent=behind) or [line]
    ]


def _end(seat: Seat, check: ExerciseCheck) -> str:
    if check.solved:
        return "Solved: all of it holds."
    if check.attempt >= HINT_FROM:
        return f"Hint: {seat.told(seat.variant.hint)}"
    return f"Not yet. There is a hint with attempt {HINT_FROM}."
