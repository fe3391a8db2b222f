"""Nodes that were mounted again: the key, id, type or loop iteration that made them other nodes."""

from __future__ import annotations

from ..errors import an
from ..nodes.tree import Tree, TreeNode
from .cursor import Cursor


def remounted(cursor: Cursor) -> dict[str, str]:
    """Return by node id why it was mounted again, of both nodes where it got another id."""
    index, before = cursor.tree.index, cursor.before.index
    added, removed = set(cursor.changes.mounted), set(cursor.changes.unmounted)
    why: dict[str, str] = {}
    gone: dict[tuple[str, str | None, int], TreeNode] = {}
    for id in removed:
        node = before[id]
        if id in added:
            why[id] = _again(node, index[id])
        else:
            gone[node.type, node.parent_id, node.position] = node
    for id in added - removed:
        node = index[id]
        was = gone.get((node.type, node.parent_id, node.position))
        # The same type at the same place, from the same line of the user's code: the user sees one node whose key
        # or id changed. Where the number of siblings differs, places mean nothing, and no pair is claimed.
        if was is None or node.type == "text" or was.source != node.source:
            continue
        if _siblings(node, cursor.tree) == _siblings(was, cursor.before):
            why[id] = why[was.id] = _other(was, node)
    return why


def _siblings(node: TreeNode, tree: Tree) -> int:
    if node.parent_id is None:
        return len(tree.roots)
    return len(tree.index[node.parent_id].children)


def _again(was: TreeNode, node: TreeNode) -> str:
    if was.type != node.type:
        return f"{node.id} was {an(was.type)} and is {an(node.type)} now: another type is a new node, and starts again."
    loops = " → ".join(one.loop or "outside of a loop" for one in (was, node))
    return f"its loop went on ({loops}): each iteration mounts its content again."


def _other(was: TreeNode, node: TreeNode) -> str:
    if was.key != node.key:
        what = f"its key was {was.key!r} and is {node.key!r}"
    elif was.explicit_id or node.explicit_id:
        what = f"its id was {was.id!r} and is {node.id!r}"
    else:
        what = f"its path was {was.path} and is {node.path}"
    return f"{what}: that is another node. What still ran under the old one is cancelled, and a task starts again."
