"""RECONCILE: what is different from the tree before. Two trees only."""

from __future__ import annotations

from ...nodes.diff import Changes, diff
from ...nodes.tree import Tree


def reconcile(before: Tree, after: Tree) -> Changes:
    """Return what was mounted, unmounted, updated and moved, by node id."""
    return diff(before, after)
