"""A diff is the whole way from one tree to another: the rows that COMMIT writes make the new tree of the old one."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from smithers_nb.identity import child_path
from smithers_nb.nodes.diff import Changes, diff
from smithers_nb.nodes.tree import Tree, TreeNode

Row = tuple[str, str, str, str | None, str, str | None, int, str]
"""id, path, type, key, props, parent, position, loop: as the store keeps a node."""


def tree_of(shape: Any) -> Tree:
    def nodes(shapes: Any, parent: str | None, base: str, loop: str) -> tuple[TreeNode, ...]:
        found = []
        for position, (id, kind, value, turn, below) in enumerate(shapes):
            path = child_path(base, kind, str(position), id)
            inner = f"{path}/@{turn}" if kind == "while" else path
            children = nodes(below, id, inner, inner if kind == "while" else loop)
            props = {"p": value}
            found.append(TreeNode(id, path, kind, id, True, props, None, (), None, parent, position, children, loop))
        return tuple(found)

    return Tree(nodes(shape, None, "", ""))


@st.composite
def shapes(draw: Any) -> Any:
    ids = draw(st.permutations("abcdefghij"))[: draw(st.integers(0, 10))]
    places: list[list[Any]] = [[]]
    for id in ids:
        below: list[Any] = []
        kind = draw(st.sampled_from(["phase", "step", "while"]))
        value = draw(st.sampled_from([0, 1, True, 1.0, "1"]))
        draw(st.sampled_from(places)).append((id, kind, value, draw(st.integers(1, 2)), below))
        places.append(below)
    return places[0]


def row(node: TreeNode) -> Row:
    return (node.id, node.path, node.type, node.key, repr(node.props), node.parent_id, node.position, node.loop)


def rows(tree: Tree) -> dict[str, Row]:
    return {node.id: row(node) for node in tree.walk()}


def apply(changes: Changes, table: dict[str, Row], new: Tree) -> dict[str, Row]:
    """As COMMIT does: what is unmounted is closed, what is changed gets a new row, the rest stays."""
    after = {id: old for id, old in table.items() if id not in changes.unmounted}
    for id in (*changes.mounted, *changes.updated, *changes.moved, *changes.shifted):
        after[id] = row(new.index[id])
    return after


def outcome(table: dict[str, Row]) -> dict[str, Any]:
    """The tree that a table gives; a path of a node that did not change may name the slots of its frame."""
    return {
        id: (kind, key, props, parent, position, loop)
        for id, _, kind, key, props, parent, position, loop in table.values()
    }


many = settings(max_examples=600, deadline=None)


@many
@given(shapes(), shapes())
def test_applying_a_diff_to_the_old_tree_gives_the_new_one(one: Any, other: Any) -> None:
    old, new = tree_of(one), tree_of(other)
    assert outcome(apply(diff(old, new), rows(old), new)) == outcome(rows(new))


@many
@given(shapes(), shapes(), shapes())
def test_two_diffs_lead_where_one_leads(one: Any, two: Any, three: Any) -> None:
    a, b, c = tree_of(one), tree_of(two), tree_of(three)
    long = apply(diff(b, c), apply(diff(a, b), rows(a), b), c)
    assert outcome(long) == outcome(apply(diff(a, c), rows(a), c))


@many
@given(shapes(), shapes())
def test_the_way_back_undoes_it(one: Any, other: Any) -> None:
    old, new = tree_of(one), tree_of(other)
    forth, back = diff(old, new), diff(new, old)
    assert (set(forth.mounted), set(forth.unmounted)) == (set(back.unmounted), set(back.mounted))
    assert set(forth.updated) == set(back.updated)
    assert outcome(apply(back, apply(forth, rows(old), new), old)) == outcome(rows(old))


@many
@given(shapes())
def test_a_tree_with_shared_nodes_differs_only_where_it_does(shape: Any) -> None:
    """RENDER takes nodes over as the same objects; the diff must not depend on it."""
    old = tree_of(shape)
    same = tree_of(shape)
    mixed = Tree(tuple(a if n % 2 else b for n, (a, b) in enumerate(zip(old.roots, same.roots, strict=True))))
    assert diff(old, mixed) == diff(old, same) == Changes()
