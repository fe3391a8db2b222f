"""Nodes that were mounted again: the key, id, type, parent, place or loop iteration that made them other nodes."""

from __future__ import annotations

from collections import defaultdict

from ..errors import an
from ..nodes.tree import Tree, TreeNode
from .cursor import Cursor


def remounted(cursor: Cursor) -> dict[str, str]:
    """Return by node id why it was mounted again, of both nodes where it got another id."""
    index, before = cursor.tree.index, cursor.before.index
    added, removed = set(cursor.changes.mounted), set(cursor.changes.unmounted)
    why = {id: _again(before[id], index[id]) for id in added & removed}
    # Of several nodes from one place in the code nothing tells which is which: then only the same place pairs them.
    gone: dict[tuple[object, ...], list[TreeNode]] = defaultdict(list)
    come: dict[tuple[object, ...], list[TreeNode]] = defaultdict(list)
    for nodes, ids, tree in ((gone, removed - added, before), (come, added - removed, index)):
        for id in ids:
            node = tree[id]
            nodes[_at(node)].append(node)
            nodes[_made_by(node)].append(node)
    for id in added - removed:
        node = index[id]
        # A text says what it is: one that is another is no node that was mounted again.
        if node.type == "text":
            continue
        was = _same_place(node, gone, cursor) or _only_one(node, gone, come)
        if was is not None:
            why[id] = why[was.id] = _other(was, node)
    return why


def _at(node: TreeNode) -> tuple[object, ...]:
    return node.type, node.parent_id, node.position


def _made_by(node: TreeNode) -> tuple[object, ...]:
    return node.type, node.source


def _same_place(node: TreeNode, gone: dict[tuple[object, ...], list[TreeNode]], cursor: Cursor) -> TreeNode | None:
    """Return the node that stood at the same place, if it is of the same line of the user's code."""
    was = next(iter(gone.get(_at(node), ())), None)
    if was is None or was.source != node.source:
        return None
    # Where the number of siblings differs, places mean nothing.
    if _siblings(node, cursor.tree) != _siblings(was, cursor.before):
        return None
    return was


def _only_one(
    node: TreeNode, gone: dict[tuple[object, ...], list[TreeNode]], come: dict[tuple[object, ...], list[TreeNode]]
) -> TreeNode | None:
    """Return the one node that a line of the user's code had made elsewhere, if it makes one now, too."""
    gone_ones, come_ones = gone.get(_made_by(node), []), come[_made_by(node)]
    if node.source is None or len(gone_ones) != 1 or len(come_ones) != 1:
        return None
    [was] = gone_ones
    # Another key or id stands for another thing: an item that left its list is not the one that came.
    if was.key != node.key or was.explicit_id or node.explicit_id:
        return None
    return was


def _siblings(node: TreeNode, tree: Tree) -> int:
    if node.parent_id is None:
        return len(tree.roots)
    return len(tree.index[node.parent_id].children)


def _again(was: TreeNode, node: TreeNode) -> str:
    if was.type != node.type:
        return f"{node.id} was {an(was.type)} and is {an(node.type)} now: another type is a new node, and starts again."
    loops = " → ".join(one.loop or "outside of a loop" for one in (was, node))
    return f"its loop continued ({loops}): each iteration mounts its content again."


def _other(was: TreeNode, node: TreeNode) -> str:
    if was.key != node.key:
        what = f"its key was {was.key!r} and is {node.key!r}"
    elif was.explicit_id or node.explicit_id:
        what = f"its id was {was.id!r} and is {node.id!r}"
    elif was.parent_id != node.parent_id:
        what = f"its parent was {_parent(was)} and is {_parent(node)}"
    else:
        what = f"its place was {_slot(was)} and is {_slot(node)}"
    return f"{what}: that is another node. What still ran under the old one is cancelled, and a task starts again."


def _parent(node: TreeNode) -> str:
    """Return the place of the parent: ``/Report[0]/phase[0]``."""
    return node.path.rpartition("/")[0] or "the root"


def _slot(node: TreeNode) -> str:
    """Return the place among the siblings: ``task[0.1]``."""
    return node.path.rpartition("/")[2]
