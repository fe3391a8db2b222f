"""Exercises in words: ``exercise lost-write --seat 7`` puts a cell into the notebook, and ``check`` marks it."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

from ..bridge import engine
from ..errors import did_you_mean
from ..execution import Execution
from ..exercises import marking
from ..exercises.book import EXERCISES
from ..exercises.exercise import WIDTH, Exercise
from ..predicting import LEARNER
from ..recording import Store
from ..records import ExerciseCheck
from ..run import bring_up
from ..store import exercises as stored
from .options import FILE, OptionError, words
from .variables import Variables

TAKES = "[NAME] [--seat N] [--learner L]"


def begin(variables: Variables, text: str) -> str:
    """Put the cell of an exercise in the place of the line, and return its task; without a name, the list of all.

    Raises:
        OptionError: if there is no exercise of this name, or an option is wrong.
    """
    name, options = _read("exercise", text)
    if name is None:
        return listed()
    exercise = _exercise(name)
    begun = _begun_as(ExerciseCheck(exercise.name, seat=1, learner=LEARNER, attempt=0), options)
    seat = exercise.seat(begun.seat)
    marking.begin(_path(variables, exercise), seat, begun.learner)
    # Last in the order of the dict, also where it was begun before.
    variables.begun.pop(exercise.name, None)
    variables.begun[exercise.name] = begun
    variables.put(seat.cell)
    return "\n".join(
        [
            f"Exercise {exercise.name}, seat {seat.number}: {exercise.title}.",
            # Lab breaks long lines of plain text within words.
            *textwrap.wrap(seat.task, WIDTH),
            "Its cell stands in the place of this line. Run it, step it, mend it, and run it again.",
            "%smithers check says what holds and what does not.",
        ]
    )


def check(variables: Variables, text: str) -> str:
    """Check the cell of an exercise, without a name of the one that was begun last; return what holds.

    Raises:
        OptionError: if none was begun, or its cell was not run.
    """
    name, options = _read("check", text)
    begun = _begun_as(_begun(variables, name), options)
    exercise = _exercise(begun.exercise)
    cell = variables.cells.get(exercise.variable)
    if cell is None:
        raise OptionError(
            f"the cell of {exercise.name} was not run in this kernel: run the cell %%smithers {exercise.variable} first"
        )
    ex = variables.names.get(exercise.variable)
    execution_id = ex.execution_id if isinstance(ex, Execution) else None
    seat = exercise.seat(begun.seat)
    found = marking.mark(_path(variables, exercise), seat, begun.learner, cell=cell, execution_id=execution_id)
    return marking.told(seat, found)


def names(_variables: Variables, before: Sequence[str]) -> Iterable[str]:
    """Return what may follow ``exercise`` or ``check`` and the words behind it."""
    if not before:
        return EXERCISES
    return [option for option in ("--seat", "--learner") if option not in before]


def listed() -> str:
    """Return the exercises, a line each."""
    lines = [f"  {one.name:<20} {one.title}" for one in EXERCISES.values()]
    return "\n".join(["%smithers exercise NAME --seat N begins one. There are:", *lines])


def _begun(variables: Variables, name: str | None) -> ExerciseCheck:
    """Return the beginning of the exercise: the kernel's own, else that of the file, else the first seat.

    Raises:
        OptionError: if no exercise is named, and none was begun.
    """
    wanted = None if name is None else _exercise(name).name
    known = [one for one in variables.begun.values() if wanted in (None, one.exercise)]
    if known:
        return known[-1]
    found = None
    if os.path.exists(FILE):
        # After a restart of the kernel. The file may be an older release's, without the table.
        engine.call(bring_up(Store(FILE).path))
        found = stored.last_begun(Store(FILE).reader, wanted)
    if found is not None:
        return found
    if wanted is None:
        raise OptionError("no exercise was begun here: %smithers exercise lists those that there are")
    return ExerciseCheck(wanted, seat=1, learner=LEARNER, attempt=0)


def _begun_as(begun: ExerciseCheck, options: dict[str, Any]) -> ExerciseCheck:  # Any: a number or a text
    seat, learner = options.get("seat", begun.seat), options.get("learner", begun.learner)
    return ExerciseCheck(begun.exercise, seat, learner, attempt=0)


def _path(variables: Variables, exercise: Exercise) -> str:
    """Return the file of the results: that of the cell's execution, or the default one."""
    ex = variables.names.get(exercise.variable)
    return ex.store.path if isinstance(ex, Execution) else Store(FILE).path


def _exercise(name: str) -> Exercise:
    # Its execution is called so, and a learner may well type that name.
    found = EXERCISES.get(name.replace("_", "-"))
    if found is None:
        near = did_you_mean(name, EXERCISES)
        raise OptionError(f"there is no exercise {name!r}.{near} There are {', '.join(EXERCISES)}")
    return found


def _read(word: str, text: str) -> tuple[str | None, dict[str, Any]]:  # Any: as above
    """Return the name of an exercise, and the options of the line.

    Raises:
        OptionError: if a word is neither.
    """
    plain: list[str] = []
    options: dict[str, Any] = {}  # Any: as above
    left = [part for one in words(text) for part in (one.split("=", 1) if one.startswith("--") else [one])]
    while left:
        first = left.pop(0)
        if not first.startswith("--"):
            plain.append(first)
        elif first not in ("--seat", "--learner") or not left:
            raise OptionError(f"{word} takes: {TAKES}")
        else:
            options[first[2:]] = left.pop(0)
    if len(plain) > 1:
        raise OptionError(f"{word} takes: {TAKES}")
    if "seat" in options:
        options["seat"] = _seat(options["seat"])
    return (plain[0] if plain else None), options


def _seat(text: str) -> int:
    # A seat is stored: SQLite's numbers have 64 bits.
    if not text.isdecimal() or not 1 <= int(text) < 10**9:
        raise OptionError(f"--seat takes a number from 1, not {text!r}")
    return int(text)
