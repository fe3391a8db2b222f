"""The nodes that the code can return and that are not in the plan, each at its place."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...nodes.tree import Tree, TreeNode
from ...records import Ghost, Ghosts
from ..cursor import Cursor
from ..ghosts import absent
from . import protocol as p

GHOSTS = 300
"""The most nodes in one message."""
NO_CODE = "this execution is recorded, and a file has no code: which nodes it could have is not told"


def ghosts(cursor: Cursor, code: Ghosts | None) -> p.GhostsPane:
    """Return the nodes that are not in the plan of a cursor, below the nodes that they would stand in."""
    if code is None:
        return {"frame": cursor.frame, "total": 0, "nodes": [], "unknown": [NO_CODE]}
    found = absent(code, cursor.tree, cursor.frame)
    places = _Places(cursor.tree)
    return {
        "frame": cursor.frame,
        "total": len(found.nodes),
        "nodes": [places.row(one) for one in found.nodes[:GHOSTS]],
        "unknown": list(found.unknown),
    }


@dataclass(slots=True)
class _Places:
    """The places of ghosts in a plan."""

    tree: Tree
    known: dict[str, p.GhostRow] = field(default_factory=dict)
    """The ghosts so far, by their source: others may stand in them."""
    by_source: dict[str, TreeNode] = field(default_factory=dict)
    """The first node of the plan that each place of the code made."""

    def __post_init__(self) -> None:
        for node in self.tree.walk():
            if node.source is not None:
                self.by_source.setdefault(node.source, node)

    def row(self, ghost: Ghost) -> p.GhostRow:
        """Return the row of a ghost; those around it come first."""
        # A parent that is in the plan, else one that is a ghost as well: in it, the ghosts follow each other.
        parent = self.by_source.get(ghost.around or "")
        around = self.known.get(ghost.around or "") if parent is None else None
        row: p.GhostRow = {
            "of": ghost.label,
            "type": ghost.type,
            "name": ghost.id or ghost.pattern or ghost.name or "",
            "component": ghost.component,
            "source": ghost.source,
            "guards": [guard.words for guard in ghost.guards],
            "depth": 0,
            "parent": None if parent is None else parent.id,
            "after": None,
        }
        if around is not None:
            row |= {"depth": around["depth"] + 1, "parent": around["parent"], "after": around["after"]}
        else:
            siblings = self.tree.roots if parent is None else parent.children
            row["depth"] = 0 if parent is None else _depth(parent, self.tree) + 1
            row["after"] = _before(siblings, ghost.source)
        self.known.setdefault(ghost.source, row)
        return row


def _before(siblings: tuple[TreeNode, ...], source: str) -> str | None:
    """Return the last node that stands before a place in the same code."""
    found = None
    for node in siblings:
        if node.source is not None and _place(node.source) < _place(source):
            found = node.id
    return found


def _place(source: str) -> tuple[str, int, int]:
    """Return a source position as something to be sorted.

    >>> _place("report.py:12:9")
    ('report.py', 12, 9)
    """
    file, line, column = (*source.rsplit(":", 2), "0", "0")[:3]
    if not (line.isdigit() and column.isdigit()):
        return source, 0, 0
    return file, int(line), int(column)


def _depth(node: TreeNode, tree: Tree) -> int:
    depth = 0
    while node.parent_id is not None and node.parent_id in tree.index:
        node = tree.index[node.parent_id]
        depth += 1
    return depth
