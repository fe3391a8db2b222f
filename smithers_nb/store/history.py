"""A recorded execution: any frame, read from the file alone."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from .. import arguments
from ..arguments import takes
from ..artifacts import Artifact
from ..nodes.diff import Changes, diff
from ..nodes.tree import Tree
from ..values import Stored, legible, value_of
from .export import export
from .frames import DataFrames
from .prune import refuse_missing
from .reader import Reader


class RecordedState(Mapping[str, Any]):
    """The values that a frame read."""

    def __init__(self, stored: dict[str, Stored]) -> None:
        self._stored = stored

    def __getitem__(self, key: str) -> Any:  # Any: it is what the user stored
        return value_of(key, self._stored[key])

    def __contains__(self, key: object) -> bool:
        return key in self._stored

    def __iter__(self) -> Iterator[str]:
        return iter(self._stored)

    def __len__(self) -> int:
        return len(self._stored)

    def __repr__(self) -> str:
        return repr({key: legible(stored) for key, stored in self._stored.items()})


@dataclass(frozen=True)
class FrameView:
    """A recorded frame."""

    number: int
    execution_id: str
    tree: Tree
    state: RecordedState
    """The state that the frame read: its own writes are in the next one."""

    @cached_property
    def xml(self) -> str:
        """The plan as XML."""
        return self.tree.xml

    def __repr__(self) -> str:
        return f"<FrameView {self.number}: {len(self.tree)} nodes, {len(self.state)} keys>"


class History:
    """A recorded execution."""

    def __init__(self, reader: Reader, execution_id: str) -> None:
        self.reader = reader
        self.execution_id = execution_id

    @property
    def df(self) -> DataFrames:
        """DataFrames of this execution."""
        return DataFrames(self.reader, self.execution_id)

    @property
    def artifacts(self) -> list[Artifact]:
        """The artifacts, oldest first."""
        return self.reader.artifacts(self.execution_id)

    @property
    def frames(self) -> int:
        """The number of the newest frame; 0 if there is none."""
        return self.reader.last_frame(self.execution_id)

    @takes(frame=arguments.integer)
    def at(self, frame: int) -> FrameView:
        """Return a recorded frame: its tree and the state that it read.

        Raises:
            StoreError: if there is no such frame.
        """
        refuse_missing(self.reader, self.execution_id, frame)
        tree, _ = self.reader.tree(self.execution_id, frame)
        state = self.reader.state(self.execution_id, frame)
        return FrameView(frame, self.execution_id, tree, RecordedState({key: row[0] for key, row in state.items()}))

    @takes(path=arguments.path)
    def export(self, path: str | os.PathLike[str]) -> Path:
        """Write everything that is recorded of it to a file, ``run.ndjson``: one JSON object a line, frame by frame.

        The first line tells the format and the execution; each other one has the name of its ``table``.

        Raises:
            ValueError: if the file's name does not end in ``.ndjson``.
            StoreError: if it can't be written.
        """
        return export(self.reader, self.execution_id, path)

    def diff(self, one: int, other: int) -> Changes:
        """Return which nodes were mounted, unmounted, updated and moved from one frame to another."""
        return diff(self.at(one).tree, self.at(other).tree)

    def __repr__(self) -> str:
        found = self.reader.execution(self.execution_id)
        return f"<History of {found.name!r} ({self.execution_id}): {found.status}, {self.frames} frames>"
