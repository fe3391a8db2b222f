"""The page of an execution inside of the notebook: for HTML that is made of it, which has no kernel and no network."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from html import escape
from pathlib import Path

from ..execution import Execution
from ..recording import History

ASKED = "SMITHERS_EMBED"
"""The environment variable that asks for it in each stepper: for ``nbconvert --execute`` of a notebook as it is."""
HEIGHT_PX = 720


def is_asked() -> bool:
    """Return whether the environment asks for the page below each stepper."""
    return os.environ.get(ASKED, "").strip().lower() not in ("", "0", "false", "no")


class Embedded:
    """The pages in the outputs of a notebook, each made again at the end of a cell in which its execution moved."""

    def __init__(self) -> None:
        self._shown: list[_Page] = []

    def add(self, execution: Execution | History, show: Callable[[str], None]) -> None:
        """Give the page of an execution to ``show``, now and when it has moved."""
        page = _Page(execution, show)
        # At once: the cell may be the last one.
        page.write()
        self._shown.append(page)

    def write(self) -> None:
        """Write the pages that have changed."""
        for page in self._shown:
            page.write()


class _Page:
    """A page in an output."""

    def __init__(self, execution: Execution | History, show: Callable[[str], None]) -> None:
        self._execution = execution
        self._show = show
        self._written: tuple[object, ...] = ()

    def write(self) -> None:
        """Write the page, unless the execution stands where it stood."""
        # The file says when it was written to last: an export of the same records would be for nothing.
        record = self._execution.reader.execution(self._execution.execution_id)
        stands = (record.updated_at, record.status, self._execution.reader.last_frame(self._execution.execution_id))
        if stands != self._written:
            self._written = stands
            self._show(frame_of(self._execution))


def frame_of(execution: Execution | History) -> str:
    """Return the page of an execution as an element that holds all of it."""
    name = execution.reader.execution(execution.execution_id).name
    # Masked as every export is: a notebook is passed on, too.
    with tempfile.TemporaryDirectory(prefix="smithers-") as folder:
        path = Path(folder) / "run.html"
        execution.export(path, show=False)
        page = path.read_text(encoding="utf-8")
    # In a sandbox without an origin: the scripts of the page reach nothing of the notebook. The widget's style hides
    # the element where there is a kernel.
    return (
        f'<div class="smithers-static"><iframe sandbox="allow-scripts" title="Run {escape(name)}"'
        f' style="width:100%;height:{HEIGHT_PX}px;border:1px solid #8888" srcdoc="{escape(page)}"></iframe></div>'
    )
