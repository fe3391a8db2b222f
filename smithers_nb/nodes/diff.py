"""The difference between two trees, by node id. Subtrees that are one object in both are not looked at."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from itertools import compress, pairwise
from operator import is_not

from .tree import Tree, TreeNode


@dataclass(frozen=True, slots=True)
class Changes:
    """The way from one tree to another. Ids are in document order: of the old tree for unmounted, else of the new."""

    mounted: tuple[str, ...] = ()
    unmounted: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    """Other props, text, key or handlers."""
    moved: tuple[str, ...] = ()
    """A changed parent, or a changed place among the siblings that stayed."""
    shifted: tuple[str, ...] = ()
    """A changed position, only because siblings mounted, unmounted or moved."""

    def __bool__(self) -> bool:
        return bool(self.mounted or self.unmounted or self.updated or self.moved)


def diff(old: Tree, new: Tree) -> Changes:
    """Return the nodes that mounted, unmounted, changed or moved.

    A node that keeps its id counts as unmounted and mounted all the same if its type differs, or the iteration of the
    loop that it stands in.
    """
    before, after = _different(old, new)
    same = {id for id, node in before.items() if id in after and _same(node, after[id])}
    stayed = [node for id, node in after.items() if id in same]
    moved = _moved(before, stayed, old, new)
    return Changes(
        mounted=_ordered(new, [id for id in after if id not in same]),
        unmounted=_ordered(old, [id for id in before if id not in same]),
        updated=_ordered(new, [node.id for node in stayed if not node.same_content(before[node.id])]),
        moved=_ordered(new, [node.id for node in stayed if node.id in moved]),
        shifted=_ordered(
            new,
            [node.id for node in stayed if node.id not in moved and node.position != before[node.id].position],
        ),
    )


def _different(old: Tree, new: Tree) -> tuple[dict[str, TreeNode], dict[str, TreeNode]]:
    """Return the nodes of both sides that are not one object in both."""
    # Where RENDER made a part only, it knows the replaced nodes: no walk is needed then.
    if new.patch is not None and new.patch.of is old.roots:
        return new.patch.before, new.patch.after
    before: dict[str, TreeNode] = {}
    after: dict[str, TreeNode] = {}
    stack = [(old.roots, new.roots)]
    while stack:
        one, other = stack.pop()
        if one is other:
            continue
        if len(one) == len(other):
            # compress and map run in C: of 10,000 siblings perhaps one has changed.
            places = list(compress(range(len(one)), map(is_not, one, other)))
            left, right = [one[place] for place in places], [other[place] for place in places]
        else:
            # By identity: comparing two nodes compares their props, and all that is below them.
            kept = {id(node) for node in one} & {id(node) for node in other}
            left = [node for node in one if id(node) not in kept]
            right = [node for node in other if id(node) not in kept]
        by_id: dict[str, TreeNode] = {node.id: node for node in left}
        for node in right:
            after[node.id] = node
            match = by_id.pop(node.id, None)
            if match is not None:
                before[node.id] = match
                stack.append((match.children, node.children))
            elif node.children:
                stack.append(((), node.children))
        before.update(by_id)
        stack += [(node.children, ()) for node in by_id.values() if node.children]
    return before, after


def _same(one: TreeNode | None, other: TreeNode) -> bool:
    return one is not None and one.type == other.type and one.loop == other.loop


def _ordered(tree: Tree, ids: list[str]) -> tuple[str, ...]:
    if len(ids) < 2:
        return tuple(ids)
    if len(ids) == len(tree):
        return tuple(node.id for node in tree.walk())
    # Sorting costs each id its way up to the root; for more than an eighth of the nodes one walk is cheaper.
    if len(ids) * 8 > len(tree):
        wanted = set(ids)
        return tuple(node.id for node in tree.walk() if node.id in wanted)
    return tuple(sorted(ids, key=tree.order))


def _moved(before: dict[str, TreeNode], stayed: list[TreeNode], old: Tree, new: Tree) -> set[str]:
    """Return the fewest ids whose moving explains the new order."""
    # Siblings that keep a longest increasing run of old positions need no move; only the others have moved.
    moved: set[str] = {node.id for node in stayed if before[node.id].parent_id != node.parent_id}
    parents = {node.parent_id for node in stayed if node.id not in moved and before[node.id].position != node.position}
    for parent in parents:
        siblings = new.roots
        if parent is not None:
            siblings = new.index[parent].children
        family = [
            node
            for node in siblings
            if (was := old.index.get(node.id)) is not None and was.parent_id == parent and _same(was, node)
        ]
        kept = _longest_increasing([old.index[node.id].position for node in family])
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
