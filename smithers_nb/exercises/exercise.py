"""Exercises: a cell with a planted bug for each seat, and statements that hold once it is mended."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from string import Template
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .trial import CellTrial

WIDTH = 100
"""The width of the task in the cell, in characters."""


@dataclass(frozen=True, slots=True)
class Check:
    """A statement about a mended cell, and the test of it.

    The statement names the goal and not the way: learners read it while they still look for the bug.
    """

    says: str
    """The statement, with ``$name`` for the words of the seat."""
    test: Callable[[CellTrial], str | None]
    """Runs the cell and returns an observation that contradicts the statement, in words; None if it holds."""


@dataclass(frozen=True, slots=True)
class Variant:
    """A bug of an exercise. Texts have ``$name`` where the words of the seat stand."""

    app: str
    """The name of the component."""
    task: str
    """The sentences that tell a learner the cell's purpose, and its fault."""
    cell: str
    hint: str
    """A place to look at, for the third attempt; not the answer."""
    checks: tuple[Check, ...]
    themes: tuple[Mapping[str, str], ...]
    """The words of the seats, which take them in turn."""


@dataclass(frozen=True, slots=True)
class Exercise:
    """An exercise: the same kind of bug in variants, of which each seat has one."""

    name: str
    title: str
    variants: tuple[Variant, ...]

    @property
    def variable(self) -> str:
        """The name of the cell's execution, ``lost_write``."""
        return self.name.replace("-", "_")

    def seat(self, number: int) -> Seat:
        """Return the exercise as a seat has it: neighbours have different variants."""
        turn, variant = divmod(number - 1, len(self.variants))
        found = self.variants[variant]
        # Another number for each seat: of two that share variant and theme, one can't copy the other's values.
        words = {**found.themes[turn % len(found.themes)], "n": str(3 + turn % 7)}
        return Seat(self, number, found, words)


@dataclass(frozen=True, slots=True)
class Seat:
    """An exercise with the bug, the names and the values of one seat."""

    exercise: Exercise
    number: int
    variant: Variant
    words: Mapping[str, str]

    @property
    def task(self) -> str:
        """The task in words."""
        return self.told(self.variant.task)

    @property
    def cell(self) -> str:
        """The text of the planted cell, the task as a comment in it."""
        head = f"Exercise {self.exercise.name}, seat {self.number}: {self.exercise.title}."
        lines = textwrap.wrap(f"{head} {self.task}", WIDTH)
        comment = "".join(f"# {line}\n" for line in lines)
        return f"%%smithers {self.exercise.variable}\n{comment}{self.told(self.variant.cell)}"

    def told(self, text: str) -> str:
        """Return a text with the words of this seat."""
        return Template(text).substitute(self.words).strip("\n")
