"""Exercises: a check of a learner's cell, and its findings."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CheckedStatement:
    """A statement about a learner's cell, and whether it holds."""

    says: str
    holds: bool
    found: str = ""
    """The observation instead, in words; "" where it holds."""


@dataclass(frozen=True, slots=True)
class ExerciseCheck:
    """An attempt of a learner at an exercise. Number 0 is its beginning, which checks nothing."""

    # Not of an execution, as predictions are: a cell that does not compile makes none, and is an attempt all the same.
    exercise: str
    seat: int
    """The seat, which chooses the bug and its names."""
    learner: str
    attempt: int
    held: tuple[CheckedStatement, ...] = ()
    cell: str | None = None
    """The text of the checked cell."""
    execution_id: str | None = None
    """The execution that the cell has made; None where there is none."""

    @property
    def solved(self) -> bool:
        """True if everything holds."""
        return bool(self.held) and all(one.holds for one in self.held)
