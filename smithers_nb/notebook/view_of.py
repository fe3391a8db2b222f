"""The view of an execution, for the stepper and the static pages."""

from __future__ import annotations

import sys
from typing import Any

from ..execution import Execution, run_behind
from ..history.panes.view import View
from ..history.recorded import RecordedSource
from ..nodes.tree import EMPTY
from ..recording import History
from ..run import Run, run_of
from .variables import is_output


def view_of(execution: Execution | History) -> View:
    """Return the view of a recorded execution, or of a running one, whose plan is rendered dry before frame 1."""
    reader = execution.reader if isinstance(execution, History) else execution.store.reader
    recorded = RecordedSource(reader, execution.execution_id)

    def holder(execution_id: str) -> str | None:
        run = run_of(reader.path, execution_id)
        return None if run is None else _variable(run)

    if isinstance(execution, History):
        return View(recorded, holder=holder, search=execution.needs)
    run, dry = run_behind(execution), EMPTY
    if execution.frame is None and not execution.recorded:
        dry = execution.preview()
    return View(recorded, run, dry, caller=lambda: _variable(run), holder=holder, search=execution.needs)


def notebook_names() -> dict[str, Any]:  # Any: the user's own values
    """Return the variables of the notebook."""
    return vars(sys.modules["__main__"])


def _variable(run: Run) -> str:
    # A copy of the items: a cell may bind names on the main thread while this is asked on the engine's.
    held = [
        name
        for name, value in list(notebook_names().items())
        if isinstance(value, Execution) and run_behind(value) is run and not is_output(name)
    ]
    if run.name in held:
        return run.name
    return next(iter(held), "")
