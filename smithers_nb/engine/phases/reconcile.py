"""RECONCILE: the differences from the tree before. It sees two trees and nothing else."""

from __future__ import annotations

from ...nodes.diff import Changes, diff
from ...nodes.tree import Tree


def reconcile(before: Tree, after: Tree) -> Changes:
    """Return the ids of the nodes that were mounted, unmounted, updated and moved."""
    return diff(before, after)
