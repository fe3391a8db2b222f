"""The plan as rows of a tree with their marks, as XML with its marked lines, and one node in detail."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from itertools import islice

from ...errors import an
from ...nodes import xml
from ...nodes.tree import Tree, TreeNode
from ...records import Breakpoint
from ...records.words import short
from ..cursor import Cursor
from ..source import Source
from . import protocol as p
from .values import cut

LISTS = 8
"""The number of lists of rows that are kept, so that only differences from them are sent."""
XML_CHARS = 200_000


Place = tuple[TreeNode, int, bool]
"""A node, its depth, and whether it has left the plan."""
Calm = dict[str, tuple[TreeNode, tuple[object, ...], p.PlanRow]]
"""The rows of nodes to which nothing happened, by node id, with all that they depend on."""


class Plans:
    """Makes the plan's rows."""

    def __init__(self) -> None:
        self._lists: OrderedDict[int, list[p.PlanRow]] = OrderedDict()
        self._calm: Calm = {}
        self._version = 0
        self._lock = threading.Lock()

    def plan(self, source: Source, cursor: Cursor, limit: int, known: int | None) -> p.PlanPane:
        """Return the first rows, those that the browser has as (start, count)."""
        marks = Marks(source, cursor, self._calm)
        rows = [marks.row(*place) for place in islice(marks.places(), limit)]
        self._calm = marks.calm
        with self._lock:
            old = self._lists.get(known) if known is not None else None
            self._version += 1
            version = self._version
            self._lists[version] = rows
            if len(self._lists) > LISTS:
                self._lists.popitem(last=False)
        return {
            "frame": cursor.frame,
            "dry": cursor.dry,
            "total": len(cursor.tree) + len(marks.removed - marks.added),
            "version": version,
            "base": cursor.base,
            "nodes": [*rows] if old is None else _differing(old, rows),
        }

    def xml(self, source: Source, cursor: Cursor, full: bool) -> p.XmlPane:
        """Return the plan as XML, with the lines that are marked."""
        text = cursor.tree.xml
        too_long = not full and len(text) > XML_CHARS
        marks = Marks(source, cursor)
        lines = [(line, marks.change(node), node.id) for line, node in _lines(cursor.tree)]
        return {
            "frame": cursor.frame,
            "dry": cursor.dry,
            "text": text[:XML_CHARS] if too_long else text,
            "chars": len(text),
            "cut": too_long,
            "marks": [(line, change, id) for line, change, id in lines if change],
        }


class Marks:
    """The marks of each node of a cursor."""

    def __init__(self, source: Source, cursor: Cursor, known: Calm | None = None) -> None:
        changes = cursor.changes
        self.known = known or {}
        self.calm: Calm = {}
        self.cursor = cursor
        self.before = cursor.before.index
        self.added = set(changes.mounted)
        self.removed = set(changes.unmounted)
        self.updated = set(changes.updated)
        self.moved = set(changes.moved)
        self.status, self.tasks = source.standing(cursor)
        self.stood = source.stood(cursor)
        self.points = _by_node(source.breakpoints())
        self.why = self._remounted()
        self.touched = self.added | self.removed | self.updated | self.moved | self.why.keys()

    def places(self) -> Iterator[Place]:
        """Yield what has a row, in document order, removed nodes at their old place."""
        return _places(self.cursor.tree.roots, self.cursor.before.roots, 0, self)

    def is_gone(self, node: TreeNode) -> bool:
        """Return whether a node has left the plan. One that was mounted again is shown once, as the new node."""
        return node.id in self.removed and node.id not in self.added

    def change(self, node: TreeNode, removed: bool = False) -> p.Change:
        """Return the mark of a node."""
        if removed:
            return "removed"
        if node.id in self.added:
            return "remounted" if node.id in self.why else "added"
        if node.id in self.updated:
            return "changed"
        return "moved" if node.id in self.moved else ""

    def row(self, node: TreeNode, depth: int, removed: bool) -> p.PlanRow:
        """Return a row: that of the list before, where it says the same. Most of them do."""
        id = node.id
        if removed or id in self.touched:
            return self._row(node, depth, removed)
        about = (depth, self.status.get(id), self.stood.get(id), self.points.get(id), self.tasks.get(id))
        known = self.known.get(id)
        if known is None or known[0] is not node or known[1] != about:
            known = (node, about, self._row(node, depth, removed))
        self.calm[id] = known
        return known[2]

    def _row(self, node: TreeNode, depth: int, removed: bool) -> p.PlanRow:
        status = None if removed else self.status.get(node.id)
        before = self.stood.get(node.id)
        return {
            "id": node.id,
            "parent": node.parent_id,
            "depth": depth,
            "type": node.type,
            "key": node.key,
            "explicit_id": node.explicit_id,
            "attrs": [(name, short(text, p.VALUE_CHARS)) for name, text in xml.attributes(node)],
            "text": None if node.text is None else cut(node.text),
            "events": list(node.events),
            "status": status,
            "change": self.change(node, removed),
            "moved": not removed and node.id in self.moved,
            "why": self.why.get(node.id),
            "changes": self.changes(node) if node.id in self.updated and not removed else [],
            "children": len(node.children),
            "source": node.source,
            "path": node.path,
            "status_before": before if before != status and not removed else None,
            "mounted": self.cursor.frame if node.id in self.added and not removed else 0,
            "breakpoints": self.points.get(node.id, []),
            "task_id": self.tasks.get(node.id),
        }

    def changes(self, node: TreeNode) -> list[p.PropChange]:
        """Return which props of a node are other ones, old and new."""
        old = dict(xml.attributes(self.before[node.id])) | {"text": self.before[node.id].text or ""}
        new = dict(xml.attributes(node)) | {"text": node.text or ""}
        return [
            {"prop": name, "old": _short(old.get(name)), "new": _short(new.get(name))}
            for name in dict.fromkeys([*old, *new])
            if old.get(name) != new.get(name)
        ]

    def _remounted(self) -> dict[str, str]:
        """Return by node id why it was mounted again, of both nodes where it got another id."""
        index, why = self.cursor.tree.index, {}
        gone: dict[tuple[str, str | None, int], TreeNode] = {}
        for id in self.removed:
            node = self.before[id]
            if id in self.added:
                why[id] = _anew(node, index[id])
            else:
                gone[node.type, node.parent_id, node.position] = node
        for id in self.added - self.removed:
            node = index[id]
            was = gone.get((node.type, node.parent_id, node.position))
            if was is None or node.type == "text" or was.source != node.source:
                continue
            if self._siblings(node, self.cursor.tree) == self._siblings(was, self.cursor.before):
                why[id] = why[was.id] = _another(was, node)
        return why

    @staticmethod
    def _siblings(node: TreeNode, tree: Tree) -> int:
        return len(tree.index[node.parent_id].children if node.parent_id else tree.roots)


def _short(text: str | None) -> str | None:
    return None if text is None else short(text)


def _anew(was: TreeNode, node: TreeNode) -> str:
    if was.type != node.type:
        return (
            f"{node.id} was {an(was.type)} and is {an(node.type)} now: another type is another node, and starts anew."
        )
    loops = " → ".join(one.loop or "outside of a loop" for one in (was, node))
    return f"its loop went on ({loops}): each iteration mounts what is in it anew."


def _another(was: TreeNode, node: TreeNode) -> str:
    if was.key != node.key:
        what = f"its key was {was.key!r} and is {node.key!r}"
    elif was.explicit_id or node.explicit_id:
        what = f"its id was {was.id!r} and is {node.id!r}"
    else:
        what = f"its path was {was.path} and is {node.path}"
    return f"{what}: that is another node. What still ran under the old one is cancelled, and a task starts anew."


def _by_node(points: tuple[Breakpoint, ...]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for point in points:
        if point.kind in ("node", "handler") and point.target:
            found.setdefault(point.target, []).append(point.id)
    return found


def _places(nodes: tuple[TreeNode, ...], before: tuple[TreeNode, ...], depth: int, marks: Marks) -> Iterator[Place]:
    """Yield siblings and all below them, the removed ones at their old place."""
    gone = [node for node in before if marks.is_gone(node)] if marks.removed else []
    for node in nodes:
        while gone and gone[0].position <= node.position:
            yield from _gone(gone.pop(0), depth, marks)
        yield node, depth, False
        if node.children or marks.removed:
            old = marks.before.get(node.id)
            yield from _places(node.children, old.children if old else (), depth + 1, marks)
    for node in gone:
        yield from _gone(node, depth, marks)


def _gone(node: TreeNode, depth: int, marks: Marks) -> Iterator[Place]:
    yield node, depth, True
    for child in node.children:
        if marks.is_gone(child):
            yield from _gone(child, depth + 1, marks)


def _differing(old: list[p.PlanRow], rows: list[p.PlanRow]) -> list[p.PlanRow | tuple[int, int]]:
    """Return the rows, those that stand in ``old`` as (start, count)."""
    places = {(row["id"], row["change"] == "removed"): place for place, row in enumerate(old)}
    found: list[p.PlanRow | tuple[int, int]] = []
    for here, row in enumerate(rows):
        stays = here < len(old) and old[here] is row
        place = here if stays else places.get((row["id"], row["change"] == "removed"))
        if place is None or not (stays or old[place] == row):
            found.append(row)
        elif found and isinstance(last := found[-1], tuple) and sum(last) == place:
            found[-1] = (last[0], last[1] + 1)
        else:
            found.append((place, 1))
    return found


def _lines(tree: Tree) -> Iterator[tuple[int, TreeNode]]:
    """Yield each node with the line, from 0, on which it begins in the XML."""
    line = 0 if len(tree.roots) == 1 else 1
    stack = [(node, True) for node in reversed(tree.roots)]
    while stack:
        node, opening = stack.pop()
        if not opening:
            line += 1  # Its closing tag.
            continue
        yield line, node
        if node.type == "text" and node.text is not None:
            line += 1 + node.text.count("\n")
        elif not node.children:
            line += 1
        elif any(child.type == "text" for child in node.children):
            for inner in node.walk():
                if inner is not node:
                    yield line, inner
                    line += (inner.text or "").count("\n")
            line += 1
        else:
            line += 1
            stack.append((node, False))
            stack += [(child, True) for child in reversed(node.children)]
