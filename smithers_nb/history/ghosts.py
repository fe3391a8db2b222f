"""Nodes that are not in a plan although the code can return them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from ..nodes.tree import Tree
from ..records import Ghost, Ghosts
from ..store.frames import frame_from
from .static import table

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class Absent:
    """The nodes that the code of an app can return and that are not in the plan of a frame."""

    frame: int
    nodes: tuple[Ghost, ...]
    """The ghosts in the order of the code, components within their callers."""
    unknown: tuple[str, ...]
    """The components whose code can't be read, and why: what they can return is not known."""

    COLUMNS: ClassVar[dict[str, str]] = {
        "node_id": "TEXT",
        "type": "TEXT",
        "component": "TEXT",
        "guards": "",
        "keys": "",
        "source": "TEXT",
    }

    @property
    def text(self) -> str:
        """A line per node, with the conditions around it in the code, then one per component that can't be read."""
        head = f"The code can return {len(self.nodes)} nodes that are not in the plan of frame {self.frame}."
        lines = [f"  {one.label} ({one.type}, {one.source}){_words(one)}" for one in self.nodes]
        return "\n".join([head, *lines, *(f"  Not known: {why}." for why in self.unknown)])

    @cached_property
    def df(self) -> pd.DataFrame:
        """A row per node: node_id, type, component, guards, keys, source.

        ``node_id`` is None where only a call of the code tells it, and has ``*`` where it tells a part. ``guards`` are
        the conditions around it, outermost first, ``keys`` the state keys that these read.
        """
        rows = [
            (
                one.id or one.pattern,
                one.type,
                one.component,
                [guard.words for guard in one.guards],
                list(dict.fromkeys(key for guard in one.guards for key in guard.keys)),
                one.source,
            )
            for one in self.nodes
        ]
        return frame_from(rows, self.COLUMNS)

    def __repr__(self) -> str:
        return f"<Absent: {self.text}>"

    def _repr_html_(self) -> str:
        rows: list[list[object]] = [[one.label, one.type, _words(one), one.source] for one in self.nodes]
        rows += [["", "not known", why, ""] for why in self.unknown]
        head, _, _ = self.text.partition("\n")
        return table(head, ["node", "type", "conditions", "source"], rows)


def absent(ghosts: Ghosts, tree: Tree, frame: int) -> Absent:
    """Return the nodes that are not in a plan."""
    # Calls of components are left out: what is absent is told by its nodes.
    there = {(node.type, node.source) for node in tree.walk()}
    ids = {str(node.id) for node in tree.walk()}
    return Absent(
        frame=frame,
        nodes=tuple(one for one in ghosts.all if one.type != "component" and not _is_there(one, there, ids)),
        unknown=ghosts.unknown,
    )


def _is_there(ghost: Ghost, there: set[tuple[str, str | None]], ids: set[str]) -> bool:
    if ghost.id is not None:
        return ghost.id in ids
    # A node is known by the place in the code that made it: all items of a list have the same.
    return (ghost.type, ghost.source) in there


def _words(ghost: Ghost) -> str:
    if not ghost.guards:
        return ""
    return f": if {', '.join(one.words for one in ghost.guards)}"
