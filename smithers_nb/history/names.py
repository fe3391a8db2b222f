"""The names of nodes for people, without hashes: ``claude #notes``, ``claude "tides"``, ``task (2nd)``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from ..identity import iteration_of, loop_of
from ..nodes.tree import EMPTY, Tree
from ..records.words import short
from ..store.moments import Moments
from .cursor import Cursor
from .source import Source

NAME_CHARS = 40
_GENERATED = re.compile(r"(?<![0-9A-Za-z_/])(?<!\([\'\"])([0-9a-f]{12})(@\d+)?(?![0-9A-Za-z_])")
"""A generated id in a text, or the id of a task of such a node; not in ``ex.retry('…')``, which people copy."""


class Named(Protocol):
    """The part of a node, in the plan or in the file, that its name is made of."""

    @property
    def id(self) -> str:
        """The id, given or generated."""

    @property
    def path(self) -> str:
        """The place in the plan."""

    @property
    def type(self) -> str:
        """The tag."""

    @property
    def key(self) -> str | None:
        """The key among its siblings."""

    @property
    def explicit_id(self) -> bool:
        """True if the user gave the id."""


class PlacedNode(Named, Protocol):
    """A node with all that is needed to name it."""

    @property
    def parent_id(self) -> str | None:
        """The id of the node around it."""

    @property
    def props(self) -> Mapping[str, object]:
        """The props of the node."""


def name_of(node: Named, props: Mapping[str, object], tree: Tree) -> str:
    """Return the name of a node. ``tree`` is a plan in which it stands: nodes without a name of their own are counted.

    From the second iteration of a loop on, its number follows: ``claude #notes (2nd)``.
    """
    # The given id comes first: it is the name that people use in code, questions and answers.
    name = node.type
    if node.explicit_id:
        name += f" #{short(node.id, NAME_CHARS)}"
    elif node.key is not None:
        name += f' "{short(node.key, NAME_CHARS)}"'
    elif isinstance(given := props.get("name"), str):
        name += f' "{short(given, NAME_CHARS)}"'
    elif (place := _places(tree).get(node.id, 1)) > 1:
        return f"{name} ({ordinal(place)})"
    iteration = iteration_of(loop_of(node.path))
    if iteration is not None and iteration > 1:
        name += f" ({ordinal(iteration)})"
    return name


def _places(tree: Tree) -> dict[str, int]:
    """Return by id which of the nodes of its type without a name each such node is in the plan, from 1."""
    # Counted over the whole plan, in document order, as people read it.
    places: dict[str, int] = {}
    counted: dict[str, int] = {}
    for one in tree.walk():
        if one.key is None and not one.explicit_id:
            places[one.id] = counted[one.type] = counted.get(one.type, 0) + 1
    return places


def ordinal(number: int) -> str:
    """Return a number as a place.

    >>> ordinal(1), ordinal(2), ordinal(3), ordinal(4), ordinal(11), ordinal(22)
    ('1st', '2nd', '3rd', '4th', '11th', '22nd')
    """
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    # 11, 12 and 13 are the exceptions of English.
    if number % 100 in (11, 12, 13):
        ending = "th"
    return f"{number}{ending}"


class Names:
    """The names of the nodes at a cursor, and of those that have left its plan, as the file has them."""

    def __init__(self, cursor: Cursor, file: Moments, tree_of: Callable[[int], Tree]) -> None:
        self._cursor = cursor
        self._file = file
        self._tree_of = tree_of
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
        return _GENERATED.sub(self._replaced, text)

    def all(self, node_ids: Iterable[str | None]) -> dict[str, str]:
        """Return the names of these nodes by id."""
        known = sorted({id for id in node_ids if id is not None})
        self.learn(known)
        return {id: self._known.get(id, id) for id in known}

    def in_some(self, text: str | None) -> str | None:
        """Return a text as ``in_text`` does; None for none."""
        if text is None:
            return None
        return self.in_text(text)

    def learn(self, node_ids: Iterable[str]) -> None:
        """Look for the names of all these nodes at once."""
        missing = [id for id in dict.fromkeys(node_ids) if id not in self._looked_for]
        self._looked_for.update(missing)
        gone = []
        for id in missing:
            for tree in (self._cursor.tree, self._cursor.before):
                if id in tree.index:
                    self._known[id] = self._name(tree.index[id], tree)
                    break
            else:
                gone.append(id)
        if not gone:
            return
        for node in self._file.last_nodes(gone, self._cursor.frame):
            tree = EMPTY
            if not node.explicit_id and node.key is None:
                tree = self._tree_of(node.frame)
            self._known[node.id] = self._name(node, tree)

    def _name(self, node: PlacedNode, tree: Tree) -> str:
        # A text has no name, and its generated id says nothing: people see it in the node around it.
        parent, props = node.parent_id, node.props
        if node.type == "text" and parent is not None:
            return f"the text of {self.of(parent)}"
        return name_of(node, props, tree)

    def _replaced(self, found: re.Match[str]) -> str:
        id = found[1]
        self.learn([id])
        # Twelve hex digits may be anything, such as the id of an execution.
        return self._known.get(id, found[0])


def names_of(source: Source, cursor: Cursor) -> Names:
    """Return the names of the nodes at a cursor."""
    return Names(cursor, source.file, source.tree)
