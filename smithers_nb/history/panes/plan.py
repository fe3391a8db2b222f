"""The plan as rows of a tree with their marks, as XML with its marked lines, and one node in detail."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from itertools import islice

from ...nodes import xml
from ...nodes.tree import Tree, TreeNode
from ...records import Breakpoint
from ...records.words import short
from ..cursor import Cursor
from ..remounts import remounted
from ..source import Source
from . import protocol as p
from .values import text_or_none

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

    def plan(
        self, source: Source, cursor: Cursor, limit: int, known: int | None, *, against: str | None = None
    ) -> p.PlanPane:
        """Return the first rows, those that the browser has as (start, count); ``against`` names the baseline."""
        marks = Marks(source, cursor, self._calm)
        rows = [marks.row(*place) for place in islice(marks.places(), limit)]
        self._calm = marks.calm
        with self._lock:
            old = self._lists.get(known or 0)
            self._version += 1
            version = self._version
            self._lists[version] = rows
            if len(self._lists) > LISTS:
                self._lists.popitem(last=False)
        # Views are told apart by nothing but the version they name. One whose list has been let go gets all rows.
        nodes: list[p.PlanRow | tuple[int, int]] = [*rows]
        if old is not None:
            nodes = _differing(old, rows)
        return {
            "frame": cursor.frame,
            "dry": cursor.dry,
            "total": len(cursor.tree) + len(marks.removed - marks.added),
            "version": version,
            "base": cursor.base,
            "against": against,
            "nodes": nodes,
        }

    def xml(self, source: Source, cursor: Cursor, full: bool, *, against: str | None = None) -> p.XmlPane:
        """Return the plan as XML, with the lines that are marked; ``against`` names the baseline."""
        whole = cursor.tree.xml
        text = whole
        # The page makes an element of every line: more than this would freeze it. Copying asks for the full text.
        if not full:
            text = whole[:XML_CHARS]
        marks = Marks(source, cursor)
        lines = [(line, marks.change(node), node.id) for line, node in _lines(cursor.tree)]
        return {
            "frame": cursor.frame,
            "dry": cursor.dry,
            "text": text,
            "chars": len(whole),
            "cut": len(text) < len(whole),
            "base": cursor.base,
            "against": against,
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
        # What the edited code adds has no standing: nothing of it has run.
        self.status, self.tasks = source.standing(cursor.recorded)
        raised = {task for task, _ in source.raised(cursor.recorded)}
        self.raised = {id for id, task in self.tasks.items() if task in raised}
        """The nodes with a handler that raised."""
        self.stood = cursor.stood if cursor.stood is not None else source.stood(cursor)
        self.points = _by_node(source.breakpoints())
        self.why = remounted(cursor)
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
            return self._added(node)
        if node.id in self.updated:
            return "changed"
        if node.id in self.moved:
            return "moved"
        return ""

    def _added(self, node: TreeNode) -> p.Change:
        # RECONCILE unmounts and mounts. That this is one node to the user, who changed its key, is said here alone.
        if node.id in self.why:
            return "remounted"
        return "added"

    def row(self, node: TreeNode, depth: int, removed: bool) -> p.PlanRow:
        """Return a row: that of the list before, where it says the same. Most of them do."""
        # A plan may have thousands of nodes, and few of them differ from one frame to the next.
        id = node.id
        if removed or id in self.touched:
            return self._row(node, depth, removed)
        about = (
            depth, self.status.get(id), self.stood.get(id), self.points.get(id), self.tasks.get(id), id in self.raised,
        )  # fmt: skip
        known = self.known.get(id)
        # Objects are compared, not contents: a node that was rendered again may have other props.
        if known is None or known[0] is not node or known[1] != about:
            known = (node, about, self._row(node, depth, removed))
        self.calm[id] = known
        return known[2]

    def _row(self, node: TreeNode, depth: int, removed: bool) -> p.PlanRow:
        row: p.PlanRow = {
            "id": node.id,
            "parent": node.parent_id,
            "depth": depth,
            "type": node.type,
            "key": node.key,
            "explicit_id": node.explicit_id,
            "attrs": [(name, short(text, p.VALUE_CHARS)) for name, text in xml.attributes(node)],
            "text": text_or_none(node.text),
            "events": list(node.events),
            "status": None,
            "raised": False,
            "change": self.change(node, removed),
            "moved": False,
            "why": self.why.get(node.id),
            "changes": self.changes(node, removed),
            "children": len(node.children),
            "source": node.source,
            "path": node.path,
            "status_before": None,
            "mounted": 0,
            "breakpoints": self.points.get(node.id, []),
            "task_id": self.tasks.get(node.id),
        }
        # A node that has left the plan has no standing in it.
        if not removed:
            self._tell_standing(row)
        return row

    def _tell_standing(self, row: p.PlanRow) -> None:
        id = row["id"]
        row["status"], before = self.status.get(id), self.stood.get(id)
        if before != row["status"]:
            row["status_before"] = before
        row["raised"] = id in self.raised
        row["moved"] = id in self.moved
        if id in self.added:
            row["mounted"] = self.cursor.frame

    def changes(self, node: TreeNode, removed: bool) -> list[p.PropChange]:
        """Return the props of a node that differ, old and new."""
        if removed or node.id not in self.updated:
            return []
        old = dict(xml.attributes(self.before[node.id])) | {"text": self.before[node.id].text or ""}
        new = dict(xml.attributes(node)) | {"text": node.text or ""}
        return [
            {"prop": name, "old": _short(old.get(name)), "new": _short(new.get(name))}
            for name in dict.fromkeys([*old, *new])
            if old.get(name) != new.get(name)
        ]


def _short(text: str | None) -> str | None:
    if text is None:
        return None
    return short(text)


def _by_node(points: tuple[Breakpoint, ...]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for point in points:
        if point.kind in ("node", "handler") and point.target:
            found.setdefault(point.target, []).append(point.id)
    return found


def _places(nodes: tuple[TreeNode, ...], before: tuple[TreeNode, ...], depth: int, marks: Marks) -> Iterator[Place]:
    """Yield siblings and all below them, the removed ones at their old place."""
    gone: list[TreeNode] = []
    if marks.removed:
        gone = [node for node in before if marks.is_gone(node)]
    for node in nodes:
        while gone and gone[0].position <= node.position:
            yield from _gone(gone.pop(0), depth, marks)
        yield node, depth, False
        if node.children or marks.removed:
            old = _children(marks.before.get(node.id))
            yield from _places(node.children, old, depth + 1, marks)
    for node in gone:
        yield from _gone(node, depth, marks)


def _children(node: TreeNode | None) -> tuple[TreeNode, ...]:
    if node is None:
        return ()
    return node.children


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
        # Most rows are the objects of the list before: only the others are compared.
        if place is None or not (stays or old[place] == row):
            found.append(row)
        elif found and isinstance(last := found[-1], tuple) and sum(last) == place:
            found[-1] = (last[0], last[1] + 1)
        else:
            found.append((place, 1))
    return found


def _lines(tree: Tree) -> Iterator[tuple[int, TreeNode]]:
    """Yield each node with the line, from 0, on which it begins in the XML."""
    # Several roots stand in an element that the XML has and the plan does not.
    line = int(len(tree.roots) != 1)
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
