"""The names of nodes for people, without hashes: ``claude #notes``, ``claude "tides"``, ``task (2nd)``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from ..identity import iteration_of, loop_of
from ..nodes.tree import Tree
from ..records.words import short

NAME_CHARS = 40


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
    elif (place := _place_of(node, tree)) > 1:
        return f"{name} ({ordinal(place)})"
    iteration = iteration_of(loop_of(node.path))
    if iteration is not None and iteration > 1:
        name += f" ({ordinal(iteration)})"
    return name


def _place_of(node: Named, tree: Tree) -> int:
    """Return which of the nodes of its type without a name it is in the plan, from 1; 1 where there is no other."""
    # Counted over the whole plan, in document order, as people read it.
    place = 0
    for one in tree.walk():
        if one.type == node.type and one.key is None and not one.explicit_id:
            place += 1
            if one.id == node.id:
                return place
    return 1


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
