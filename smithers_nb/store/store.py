"""``Store``: a file, to be read."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from typing import TYPE_CHECKING

from .. import arguments
from ..arguments import optional, takes
from .check import Report, check
from .frames import DataFrames, frame_from, frame_of
from .history import History
from .prune import Pruned, prune
from .reader import Parameters, Reader
from .upkeep import Vacuumed, sizes, vacuum

if TYPE_CHECKING:
    import pandas as pd


def _temporary(owner: object) -> str:
    """Return a folder that is removed with its owner."""
    folder = tempfile.mkdtemp(prefix="smithers-")
    weakref.finalize(owner, _removed, folder, os.getpid())
    return folder


def _removed(folder: str, owner: int) -> None:
    """Remove a folder, unless this process is a fork of its owner's."""
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


class Store:
    """A SQLite file with its executions. Readers and the writer never wait for each other.

    Parameters
    ----------
    path : str or os.PathLike
        The file; it need not exist before an Execution is made in it. ``":memory:"`` is a file in the system's
        temporary folder, removed with this object.
    """

    @takes(path=arguments.path)
    def __init__(self, path: str | os.PathLike[str] = "smithers.db") -> None:
        name = os.fspath(path)
        if path == ":memory:":
            # Not SQLite's own memory database: only the connection that made it could read it, and readers have others.
            name = os.path.join(_temporary(self), "memory.db")
        self.path: str = os.path.abspath(os.path.expanduser(name))
        """The file, as an absolute path."""
        self.reader = Reader(self.path)

    @property
    def df(self) -> DataFrames:
        """DataFrames of all executions: ``store.df.executions``, ``.frames``, ``.transitions`` …"""
        return DataFrames(self.reader)

    def executions(self) -> pd.DataFrame:
        """Return one row per execution, oldest first; the same as ``df.executions``."""
        return self.df.executions

    @takes(id_or_name=arguments.full_text)
    def open(self, id_or_name: str) -> History:
        """Return the recorded history of an execution, or of the newest with that name; it can't be run.

        Raises:
            UnknownExecutionError: naming those that there are.
        """
        return History(self.reader, self.reader.execution_id(id_or_name))

    @takes(query=arguments.full_text, parameters=arguments.parameters)
    def sql(self, query: str, parameters: Parameters = ()) -> pd.DataFrame:
        """Return the result of a query as a DataFrame. The connection is read-only.

        Raises:
            StoreError: if the SQL is wrong, or writes.
        """
        return frame_of(self.reader, query, parameters)

    def size(self) -> pd.DataFrame:
        """Return how the file's size is shared out, the largest part first: table, execution_id, rows, bytes.

        ``bytes`` adds up to the file's size, once its write-ahead log is folded in. It counts whole pages, those of
        the indexes too; where a table holds several executions they share its pages by the length of their rows.
        """
        kinds = {"table": "TEXT", "execution_id": "TEXT", "rows": "INTEGER", "bytes": "INTEGER"}
        return frame_from(sizes(self.reader), kinds)

    @takes(
        keep_frames=optional(arguments.whole()),
        keep_executions=optional(arguments.whole()),
        unfinished=arguments.flag,
    )
    def prune(
        self, *, keep_frames: int | None = None, keep_executions: int | None = None, unfinished: bool = False
    ) -> Pruned:
        """Remove history for good; return a report of removed rows and of executions that stayed.

        In every execution the newest ``keep_frames`` frames are kept, with their state, plan, writes, handlers,
        effects and events, and with the writes that made the values that they read. Tasks, approvals, loops, artifacts
        and breakpoints all stay; of tasks that were settled before, the calls of models and tools are removed, and with
        them the possibility to replay them. A resumed execution continues as if nothing had been removed.

        The newest ``keep_executions`` executions are kept. A child of a Smithers node is removed with its parent. An
        execution that is open in a process stays, and so does one from which a remaining fork was made; one that can be
        resumed stays unless ``unfinished=True``. An execution that another process runs is left as it is.

        Raises:
            ValueError: if neither is given, or one is less than 1.
            StoreBusyError: if another process is writing for longer than we wait. Nothing was removed.
        """
        return prune(self.path, keep_frames, keep_executions, unfinished)

    def vacuum(self) -> Vacuumed:
        """Rewrite the file without the space of removed rows; return its bytes before and after.

        Raises:
            StoreBusyError: if another process writes, or reads, for longer than we wait.
        """
        return vacuum(self.path)

    def check(self) -> Report:
        """Check the file; return a report with ``ok`` and ``problems``.

        SQLite's own checks, holes in the frames, intervals that overlap, plans that don't hang together, tasks in
        progress without a living owner, and whether the applied writes give the present state.
        """
        return check(self.reader)

    def __repr__(self) -> str:
        return f"<Store {self.path}>"
