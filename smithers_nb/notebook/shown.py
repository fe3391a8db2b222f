"""The execution that a stepper shows, with what its page is told about it."""

from __future__ import annotations

from ..errors import StoreError
from ..execution import Execution, execution_of, run_behind
from ..recording import History
from ..run import Run, run_of
from ..store.reader import Reader
from .view_of import view_of

COMMANDS = {"step": "step_frame", "phase": "step_phase", "run": "run"}
"""The page's names of a run's commands."""


class Shown:
    """An execution in a stepper: its view and, where this kernel runs it, its run."""

    def __init__(self, execution: Execution | History) -> None:
        self.execution_id = execution.execution_id
        self.run: Run | None = None
        """None for a recorded execution: nothing executes."""
        if isinstance(execution, Execution):
            self.run = run_behind(execution)
        self.view = view_of(execution)
        self.reader = execution.reader if isinstance(execution, History) else execution.store.reader
        self.busy: str | None = None
        """The move that this stepper has begun and that has not ended."""
        self.error: str | None = None
        self._error_at: object = None

    @property
    def lost(self) -> StoreError | None:
        """The error of a file that was removed, renamed or replaced while an execution has it open."""
        if self.run is None:
            return None
        return self.run.lost

    @property
    def moves(self) -> str | None:
        """The running command, of this stepper, of others and of cells."""
        if self.busy is not None or self.run is None:
            return self.busy
        return COMMANDS.get(self.run.command or "")

    def fail(self, error: str | None) -> None:
        """Keep an error until the execution moves, or forget it."""
        self.error, self._error_at = error, self._place

    def error_now(self) -> str | None:
        """Return the error to show, if there is one."""
        if self.error is not None and self._error_at != self._place:
            self.error = None  # The execution has moved since.
        return self.error

    @property
    def _place(self) -> object:
        if self.run is None or (draft := self.run.draft) is None:
            return None
        return draft.number, draft.phase, self.run.recorded


def shown_of(reader: Reader, execution_id: str) -> Shown:
    """Return an execution of a file: the running one, or its records where this kernel does not run it.

    Raises:
        UnknownExecutionError: if the file has none of this id.
    """
    run = run_of(reader.path, execution_id)
    if run is not None:
        return Shown(execution_of(run))
    return Shown(History(reader, reader.execution(execution_id).execution_id))
