"""The view of an execution, for the stepper and the static pages."""

from __future__ import annotations

import sys

from ..execution import Execution, run_behind
from ..history.panes.view import View
from ..history.recorded import RecordedSource
from ..nodes.tree import EMPTY
from ..recording import History


def view_of(execution: Execution | History) -> View:
    """Return the view of a recorded execution, or of a running one, whose plan is rendered dry before frame 1."""
    if isinstance(execution, History):
        return View(RecordedSource(execution.reader, execution.execution_id))
    dry = EMPTY
    if execution.frame is None:
        dry = execution.preview()
    recorded = RecordedSource(execution.store.reader, execution.execution_id)
    return View(recorded, run_behind(execution), dry, lambda: variable_of(execution))


def variable_of(execution: Execution) -> str:
    """Return the name of the user's variable that holds an execution, "" without one: it may differ from its own."""
    names = vars(sys.modules["__main__"])
    # A copy of the items: a cell may bind names on the main thread while this is asked on the engine's.
    held = [name for name, value in list(names.items()) if value is execution and name[:1] != "_"]
    if execution.name in held:
        return execution.name
    return next(iter(held), "")
