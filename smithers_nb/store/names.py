"""The names of nodes in rows and texts that people read: ``claude "tides" succeeded`` in place of a generated id."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from functools import cached_property
from typing import NamedTuple

from ..nodes.names import has_ids, name_of, with_names
from ..nodes.tree import EMPTY
from .reader import Reader


class _Version(NamedTuple):
    """A version of a node, with the part of it that its name is made of."""

    id: str
    path: str
    type: str
    key: str | None
    explicit_id: bool
    parent_id: str | None
    name: object
    frame: int
    """The first frame of it."""


class NodeNames:
    """The names of the nodes of one execution, each as it was in a frame."""

    def __init__(self, reader: Reader, execution_id: str) -> None:
        self._reader = reader
        self._execution_id = execution_id
        self._places: dict[str, str] = {}
        """The names of those that are counted."""

    def of(self, node_id: str | None, frame: int) -> str:
        """Return the name of a node: ``claude #notes``; its id where the execution never had it."""
        versions = self._versions.get(node_id)
        if versions is None:
            return str(node_id)
        # A row may be about a node whose first version is of the frame after it.
        found = versions[max(0, bisect_right(versions, frame, key=lambda one: one.frame) - 1)]
        if found.type == "text" and found.parent_id is not None:
            return f"the text of {self.of(found.parent_id, frame)}"
        if found.explicit_id or found.key is not None or found.name is not None:
            return name_of(found, {"name": found.name}, EMPTY)
        return self._counted(versions[-1])

    def in_text(self, text: str, frame: int) -> str:
        """Return a text with names in place of generated ids, and of the tasks whose end made a frame due."""
        return with_names(text, lambda id: self.of(id, frame) if id in self._versions else None)

    def in_texts(self, texts: Iterable[str], frame: int) -> list[str]:
        """Return texts as ``in_text`` does."""
        return [self.in_text(text, frame) for text in texts]

    def _counted(self, version: _Version) -> str:
        """Return the name of a node that has none of its own: its place in the last plan that changed it."""
        if version.id not in self._places:
            tree, _ = self._reader.tree(self._execution_id, version.frame)
            self._places[version.id] = name_of(version, {}, tree)
        return self._places[version.id]

    @cached_property
    def _versions(self) -> dict[str | None, list[_Version]]:
        # Read whole, and only when a text has an id in it: texts that name a node name most of them.
        rows = self._reader.query(
            "SELECT node_id, path, type, key, explicit_id, parent_id, json_extract(props, '$.name'), from_frame"
            " FROM nodes WHERE execution_id = ? ORDER BY node_id, from_frame",
            (self._execution_id,),
        ).rows
        found: dict[str | None, list[_Version]] = {}
        for row in rows:
            found.setdefault(row[0], []).append(_Version(*row))
        return found


class FileNames:
    """The names of the nodes of all executions of a file."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._of: dict[str, NodeNames] = {}
        self._plain: set[str] = set()
        """Texts without ids: most of a column are alike, and are looked through once."""

    def of(self, execution_id: str, node_id: str | None, frame: int) -> str | None:
        """Return the name of a node as it was in a frame; None for none."""
        return None if node_id is None else self._names(execution_id).of(node_id, frame)

    def in_text(self, execution_id: str, text: str | None, frame: int) -> str | None:
        """Return a text as ``NodeNames.in_text`` does; None for none."""
        if text is None or text in self._plain:
            return text
        if not has_ids(text):
            self._plain.add(text)
            return text
        return self._names(execution_id).in_text(text, frame)

    def _names(self, execution_id: str) -> NodeNames:
        if execution_id not in self._of:
            self._of[execution_id] = NodeNames(self._reader, execution_id)
        return self._of[execution_id]
