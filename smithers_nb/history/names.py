"""The names of the nodes at a cursor, and in texts about them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from ..nodes.names import Named, name_of, with_names
from ..nodes.tree import EMPTY, Tree
from ..records.frame import LastNode
from ..store.moments import Moments
from .cursor import Cursor
from .source import Source


class PlacedNode(Named, Protocol):
    """A node with all that is needed to name it."""

    @property
    def parent_id(self) -> str | None:
        """The id of the node around it."""

    @property
    def props(self) -> Mapping[str, object]:
        """The props of the node."""


class Names:
    """The names of the nodes at a cursor, and of those that have left its plan, as the file has them."""

    def __init__(
        self,
        cursor: Cursor,
        file: Moments,
        tree_of: Callable[[int], Tree],
        gone: dict[tuple[str, int], str] | None = None,
    ) -> None:
        self._cursor = cursor
        self._file = file
        self._tree_of = tree_of
        self._gone = gone
        """The names of nodes that have left, by id and last frame, if they are kept from cursor to cursor."""
        self._known: dict[str, str] = {}
        self._looked_for: set[str] = set()

    def of(self, node_id: str) -> str:
        """Return the name of a node: ``claude #notes``; its id where it is in no plan up to the cursor."""
        self.learn([node_id])
        return self._known.get(node_id, node_id)

    def word(self, node_id: str) -> str:
        """Return the id of a node where the user gave it, or else its name."""
        return self.in_text(node_id)

    def in_text(self, text: str) -> str:
        """Return a text with names in place of the generated ids of nodes and their tasks."""
        return with_names(text, self._name_in_text)

    def all(self, node_ids: Iterable[str | None]) -> dict[str, str]:
        """Return the names of these nodes by id."""
        known = sorted({id for id in node_ids if id is not None})
        self.learn(known)
        return {id: self._known.get(id, id) for id in known}

    def of_tasks(self, nodes: Mapping[str, LastNode]) -> dict[str, str]:
        """Return by task id the names of the nodes of tasks, each in the iteration of its own loop."""
        self.learn(node.id for node in nodes.values())
        named = {}
        for task_id, node in nodes.items():
            counted = not node.explicit_id and node.key is None and node.props["name"] is None
            # Counted in its plan, it is one node of one iteration.
            named[task_id] = self.of(node.id) if counted else name_of(node, node.props, EMPTY)
        return named

    def in_some(self, text: str | None) -> str | None:
        """Return a text as ``in_text`` does; None for none."""
        if text is None:
            return None
        return self.in_text(text)

    def learn(self, node_ids: Iterable[str]) -> None:
        """Look for the names of all these nodes at once."""
        gone = []
        for id in node_ids:
            # The name of a text looks for that of the node around it, which may be one of these.
            if id in self._looked_for:
                continue
            self._looked_for.add(id)
            for tree in (self._cursor.tree, self._cursor.before):
                if id in tree.index:
                    self._known[id] = self._name(tree.index[id], tree)
                    break
            else:
                gone.append(id)
        if not gone:
            return
        # Texts come last: their names have those of the nodes around them.
        for node in sorted(self._file.last_nodes(gone, self._cursor.frame), key=lambda node: node.type == "text"):
            self._known[node.id] = self._gone_name(node)

    def _gone_name(self, node: LastNode) -> str:
        place = (node.id, node.frame)
        if self._gone is not None and place in self._gone:
            return self._gone[place]
        tree = EMPTY
        if not node.explicit_id and node.key is None:
            tree = self._tree_of(node.frame)
        name = self._name(node, tree)
        # The name of a text is that of the node around it, which may stand in the plan still.
        if self._gone is not None and node.type != "text":
            self._gone[place] = name
        return name

    def _name(self, node: PlacedNode, tree: Tree) -> str:
        # A text has no name, and its generated id says nothing: people see it in the node around it.
        parent, props = node.parent_id, node.props
        if node.type == "text" and parent is not None:
            return f"the text of {self.of(parent)}"
        return name_of(node, props, tree)

    def _name_in_text(self, node_id: str) -> str | None:
        self.learn([node_id])
        return self._known.get(node_id)


def names_of(source: Source, cursor: Cursor) -> Names:
    """Return the names of the nodes at a cursor."""
    return source.once(cursor, "names", lambda: Names(cursor, source.file, source.tree, source.gone))
