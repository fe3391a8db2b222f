"""The names of nodes for people, without hashes: ``claude #notes``, ``claude "tides"``, ``task (2nd)``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Protocol

from ..identity import NodeId, iteration_of, loop_of
from ..records.words import short
from .tree import Tree

NAME_CHARS = 40
_GENERATED = re.compile(r"(?:<?\b([a-z]+)>? )?(?<![0-9A-Za-z_/])(?<!\([\'\"])([0-9a-f]{12})(?:@\d+)?(?![0-9A-Za-z_])")
"""A generated id in a text, or the id of a task of such a node, with the word before it; not in ``ex.retry('…')``,
which people copy."""
_TASK = re.compile(r"(?<!\S)(\S+)@\d+(?= (?:settled|was abandoned)$)")
"""A task in the reason of a frame: ``notes@5 settled``."""


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

    From the second iteration of a loop on, its number follows: ``claude #notes (2nd)``, ``task (3rd, iteration 2)``.
    """
    iteration = iteration_of(loop_of(node.path)) or 1
    # The given id comes first: it is the name that people use in code, questions and answers.
    if node.explicit_id:
        name = f"{node.type} #{short(node.id, NAME_CHARS)}"
    elif node.key is not None:
        name = f'{node.type} "{short(node.key, NAME_CHARS)}"'
    elif isinstance(given := props.get("name"), str):
        name = f'{node.type} "{short(given, NAME_CHARS)}"'
    else:
        place = _places(tree).get(node.id, 1)
        if place > 1 and iteration > 1:
            return f"{node.type} ({ordinal(place)}, iteration {iteration})"
        if place > 1:
            return f"{node.type} ({ordinal(place)})"
        name = node.type
    if iteration > 1:
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


def named_in(text: str, *plans: Tree) -> str:
    """Return a text with the names of the nodes of these plans, the first that has it, in place of generated ids."""

    def name(node_id: str) -> str | None:
        for tree in plans:
            if (node := tree.index.get(NodeId(node_id))) is not None:
                return name_of(node, node.props, tree)
        return None

    return with_names(text, name)


def has_ids(text: str) -> bool:
    """Return whether ``with_names`` may change a text."""
    return bool(_GENERATED.search(text) or _TASK.search(text))


def with_names(text: str, name: Callable[[str], str | None]) -> str:
    """Return a text with names in place of generated ids, and of the tasks whose end made a frame due.

    ``name`` returns that of a node; None for what is none, as twelve hex digits may be anything.
    """

    def generated(found: re.Match[str]) -> str:
        word, id = found[1], found[2]
        known = name(id)
        if known is None:
            return found[0]
        # Messages say "task ID failed", and a name begins with the type of its node.
        if word is None or known.partition(" ")[0] == word:
            return known
        return f"{word} {known}"

    def task(found: re.Match[str]) -> str:
        return name(found[1]) or found[0]

    return _TASK.sub(task, _GENERATED.sub(generated, text))
