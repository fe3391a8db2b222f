"""``Store``: a file, to be read."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from typing import TYPE_CHECKING

from .frames import DataFrames, frame_of
from .history import History
from .reader import Parameters, Reader

if TYPE_CHECKING:
    import pandas as pd


def _temporary(owner: object) -> str:
    """Return a folder that goes with its owner."""
    folder = tempfile.mkdtemp(prefix="smithers-")
    weakref.finalize(owner, shutil.rmtree, folder, ignore_errors=True)
    return folder


class Store:
    """One SQLite file with the executions that are in it. Reading never waits for, or disturbs, who writes.

    Parameters
    ----------
    path : str or os.PathLike
        The file; it need not exist before an Execution is made in it. ``":memory:"`` is a file in the system's
        temporary folder that nobody keeps.
    """

    def __init__(self, path: str | os.PathLike[str] = "smithers.db") -> None:
        name = os.path.join(_temporary(self), "memory.db") if path == ":memory:" else os.fspath(path)
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

    def open(self, id_or_name: str) -> History:
        """Return the recorded history of an execution, or of the newest with that name; it can't be run.

        Raises:
            UnknownExecutionError: naming those that there are.
        """
        return History(self.reader, self.reader.execution_id(id_or_name))

    def sql(self, query: str, parameters: Parameters = ()) -> pd.DataFrame:
        """Return the result of a query as a DataFrame. The connection is read-only.

        Raises:
            StoreError: if the SQL is wrong, or writes.
        """
        return frame_of(self.reader, query, parameters)

    def __repr__(self) -> str:
        return f"<Store {self.path}>"
