"""What is different between two trees, by node id."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from itertools import pairwise

from .tree import Tree, TreeNode


@dataclass(frozen=True, slots=True)
class Changes:
    """The way from one tree to another. Ids are in document order: of the old tree for unmounted, else of the new."""

    mounted: tuple[str, ...] = ()
    unmounted: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    """Other props, text, key or handlers."""
    moved: tuple[str, ...] = ()
    """Another parent, or another place among the siblings that stayed."""
    shifted: tuple[str, ...] = ()
    """Another position only because siblings came, went or moved."""

    def __bool__(self) -> bool:
        return bool(self.mounted or self.unmounted or self.updated or self.moved)


def diff(old: Tree, new: Tree) -> Changes:
    """Return what changed. A node that keeps its id and changes its type was unmounted and mounted."""
    before, after = old.index, new.index
    stayed = [node for node in new.walk() if _same(before.get(node.id), node)]
    moved = _moved(before, stayed)
    return Changes(
        mounted=tuple(id for id, node in after.items() if not _same(before.get(id), node)),
        unmounted=tuple(id for id, node in before.items() if not _same(after.get(id), node)),
        updated=tuple(node.id for node in stayed if not node.same_content(before[node.id])),
        moved=tuple(node.id for node in stayed if node.id in moved),
        shifted=tuple(node.id for node in stayed if node.id not in moved and node.position != before[node.id].position),
    )


def _same(one: TreeNode | None, other: TreeNode) -> bool:
    return one is not None and one.type == other.type


def _moved(before: dict[str, TreeNode], stayed: list[TreeNode]) -> set[str]:
    """Return the fewest ids whose moving explains the new order."""
    moved: set[str] = set()
    families: dict[str | None, list[TreeNode]] = {}
    for node in stayed:
        if before[node.id].parent_id != node.parent_id:
            moved.add(node.id)
        else:
            families.setdefault(node.parent_id, []).append(node)
    for family in families.values():
        old_places = [before[node.id].position for node in family]
        kept = _longest_increasing(old_places)
        moved.update(node.id for place, node in enumerate(family) if place not in kept)
    return moved


def _longest_increasing(values: list[int]) -> set[int]:
    """Return the indexes of a longest increasing subsequence of distinct values."""
    if all(one < other for one, other in pairwise(values)):
        return set(range(len(values)))
    tails: list[int] = []
    tail_indexes: list[int] = []
    previous: list[int] = []
    for index, value in enumerate(values):
        place = bisect_left(tails, value)
        previous.append(tail_indexes[place - 1] if place else -1)
        if place == len(tails):
            tails.append(value)
            tail_indexes.append(index)
        else:
            tails[place] = value
            tail_indexes[place] = index
    kept: set[int] = set()
    index = tail_indexes[-1]
    while index >= 0:
        kept.add(index)
        index = previous[index]
    return kept
