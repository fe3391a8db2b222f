"""Trials: a learner's cell runs headless, from its text, and a check reads the record of the run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from time import sleep
from typing import Any

from ..execution import Execution
from ..nodes.element import Component
from ..notebook.cells import executed, parsed
from ..syntax.compile import cell_filename
from .exercise import Seat

FRAMES = 100
"""The most frames of a trial. None of the exercises needs half of them."""
WAIT_S = 60.0
"""The time for which a slow task waits at most until its check lets it end."""


_NOTEBOOK_LINE = re.compile(
    r"^([ \t]*)(?:%%?[A-Za-z]|!(?!=)|\?+[\w.]|[\w.]+\?{1,2}[ \t]*$|[\w, ]+=[ \t]*(?:%[A-Za-z]|!(?!=))).*$", re.MULTILINE
)
"""A line of IPython's own: ``%time``, ``!ls``, ``name?``, ``files = !ls``. The trial has no notebook that it could act
on, and the exercises need none of it."""


def unless(holds: bool, found: str) -> str | None:
    """Return an observation unless the statement that it contradicts holds."""
    if holds:
        return None
    return found


class CellError(Exception):
    """A learner's cell does not have what the exercise needs; the message says so to the learner."""


class CellTrial:
    """A learner's cell. Each run is one of its own: nothing that a run leaves in variables reaches the next one."""

    def __init__(self, seat: Seat, cell: str) -> None:
        self.seat = seat
        self._cell = cell

    def word(self, name: str) -> str:
        """Return a word of the seat."""
        return self.seat.words[name]

    def names(self) -> dict[str, Any]:  # Any: the learner's variables
        """Run the cell's code and return the names that it has defined."""
        names: dict[str, Any] = {}
        # In words, as a module of the learner's would have it: the package itself stands above this one.
        exec("from smithers_nb import *", names)
        # As in the notebook, the line of the magic is line 1.
        source = f"\n{self._cell}"
        filename = cell_filename(self.seat.exercise.variable, source)
        try:
            cell = parsed(source, filename)
        except SyntaxError:
            # Only now: in a cell that is Python, a line with a % at its beginning may continue the one before.
            if not _NOTEBOOK_LINE.search(source):
                raise
            cell = parsed(source, filename, lambda text: _NOTEBOOK_LINE.sub(r"\1pass", text))
        executed(cell, names)
        return names

    @contextmanager
    def execution(
        self, given: Mapping[str, object] | None = None, *, state: Mapping[str, Any] | None = None
    ) -> Iterator[Execution]:
        """Make an execution of the cell in a file of its own, with other values for some of the cell's names.

        Raises:
            CellError: if the cell no longer has its component, or one of the names.
        """
        names = self.names()
        for name, value in (given or {}).items():
            if name not in names:
                raise CellError(f"the cell has no {name} any more: leave its name as it was")
            names[name] = value
        app = names.get(self.seat.variant.app)
        if not isinstance(app, Component):
            raise CellError(f"the cell has no component {self.seat.variant.app} any more: leave its name as it was")
        variable = self.seat.exercise.variable
        with Execution(app, name=variable, store=":memory:", state=state, max_frames=FRAMES) as ex:
            yield ex

    def settle(self, ex: Execution, *, running: int = 0) -> None:
        """Wait until at most ``running`` tasks run. No frame is made meanwhile: the next one gets all results."""
        # Not forever: the judge has a time limit.
        while ex.running > running:
            sleep(0.005)
