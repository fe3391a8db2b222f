"""Laws that hold for any plan, any writes and any order of events."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import Any
from xml.etree import ElementTree

from hypothesis import example, given, settings
from hypothesis import strategies as st

from smithers_nb import Claude, Execution, Phase, Sequence, Step, Task, component
from smithers_nb.engine.state import Cell, Transaction, resolve
from smithers_nb.execution import run_behind
from smithers_nb.identity import child_path
from smithers_nb.nodes.diff import diff
from smithers_nb.nodes.tree import Tree, TreeNode
from smithers_nb.values import Unstorable, decode, encode

TEXT = st.text(st.characters(codec=None), max_size=30)
quick = settings(max_examples=150, deadline=None)


def nothing() -> None: ...


# ---- XML -------------------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
NODES = st.recursive(
    st.one_of(
        TEXT,
        st.builds(lambda t, s: Claude(system=s)[t], TEXT, TEXT),
        st.builds(lambda a: Task(run=nothing, args=[a]), JSON),
        st.none(),
        st.integers(),
    ),
    lambda inner: st.builds(lambda name, below: Phase(name=name)[below], TEXT, st.lists(inner, max_size=4)),
    max_leaves=12,
)


@quick
@given(NODES)
def test_whatever_is_in_a_plan_its_xml_parses_and_has_an_element_a_node(plan: Any, app: Any) -> None:
    tree = plan(app)
    root = ElementTree.fromstring(tree.xml)
    nodes = [node for node in tree.walk() if node.type != "text"]
    elements = [element for element in root.iter() if element.tag not in ("text", "plan")]
    assert [element.tag for element in elements] == [node.type for node in nodes]


@quick
@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0xD7FF, exclude_categories=["Cc"]), min_size=1))
def test_ordinary_text_goes_through_a_parser_unchanged(plan: Any, text: str) -> None:
    root = ElementTree.fromstring(plan(Claude(system=text)[text]).xml)
    assert (root.text, root.get("system")) == (text, text)


# ---- values ----------------------------------------------------------------------------------------------------


@settings(max_examples=400, deadline=None)
@given(JSON)
def test_a_value_is_refused_or_comes_back_equal(value: Any) -> None:
    try:
        stored = encode(value)
    except Unstorable:
        return
    back = decode(stored)
    assert (back, type(back)) == (value, type(value))
    assert encode(back) == stored


# ---- diff ------------------------------------------------------------------------------------------------------


def tree_of(shape: Any) -> Tree:
    """A tree of unique ids: nested lists of (id, type, text, children)."""

    def nodes(shapes: Any, parent: str | None, base: str) -> tuple[TreeNode, ...]:
        found = []
        for position, (id, kind, text, below) in enumerate(shapes):
            path = child_path(base, kind, str(position), id)
            children = nodes(below, id, path)
            found.append(TreeNode(id, path, kind, None, True, {"p": text}, None, (), None, parent, position, children))
        return tuple(found)

    return Tree(nodes(shape, None, ""))


@st.composite
def shapes(draw: Any) -> Any:
    ids = draw(st.permutations("abcdefgh"))[: draw(st.integers(0, 8))]
    roots: list[Any] = []
    places: list[list[Any]] = [roots]
    for id in ids:
        below: list[Any] = []
        draw(st.sampled_from(places)).append(
            (id, draw(st.sampled_from(["phase", "step"])), draw(st.integers(0, 1)), below)
        )
        places.append(below)
    return roots


@quick
@given(shapes(), shapes())
def test_a_diff_accounts_for_every_node(one: Any, other: Any) -> None:
    old, new = tree_of(one), tree_of(other)
    changes = diff(old, new)
    same = {id for id in old.index.keys() & new.index.keys() if old.index[id].type == new.index[id].type}
    assert set(changes.mounted) == new.index.keys() - same
    assert set(changes.unmounted) == old.index.keys() - same
    assert set(changes.updated) == {id for id in same if not old.index[id].same_content(new.index[id])}
    assert set(changes.moved) <= same
    for ids, tree in ((changes.mounted, new), (changes.unmounted, old), (changes.updated, new), (changes.moved, new)):
        assert [id for id in tree.index if id in set(ids)] == list(ids)


@quick
@given(shapes(), shapes())
def test_those_that_did_not_move_stand_under_the_same_parent_in_the_same_order(one: Any, other: Any) -> None:
    old, new = tree_of(one), tree_of(other)
    changes = diff(old, new)
    gone = {*changes.moved, *changes.mounted, *changes.unmounted}
    stayed = [id for id in new.index if id not in gone]
    families: dict[Any, list[str]] = {}
    for id in stayed:
        assert old.index[id].parent_id == new.index[id].parent_id
        families.setdefault(new.index[id].parent_id, []).append(id)
    for family in families.values():
        assert [old.index[id].position for id in family] == sorted(old.index[id].position for id in family)


@quick
@given(shapes())
def test_a_tree_does_not_differ_from_itself(shape: Any) -> None:
    assert not diff(tree_of(shape), tree_of(shape))


@quick
@given(st.permutations(range(8)))
def test_the_fewest_are_moved(order: list[int]) -> None:
    """8 minus the longest increasing subsequence, by brute force."""
    names = [(str(n), "step", 0, []) for n in range(8)]
    moved = diff(tree_of(names), tree_of([names[n] for n in order])).moved
    longest = max(
        len(picked)
        for mask in range(256)
        if (picked := [n for place, n in enumerate(order) if mask >> place & 1]) == sorted(picked)
    )
    assert len(moved) == 8 - longest


# ---- writes ----------------------------------------------------------------------------------------------------

WRITES = st.lists(
    st.tuples(st.sampled_from(["set", "add", "delete", "init", "raise"]), st.sampled_from("xyz"), st.integers(0, 2)),
    max_size=6,
)
PROGRAMS = st.lists(WRITES, max_size=5)


def model(state: dict[str, int], program: list[list[tuple[str, str, int]]]) -> dict[str, int]:
    """What a frame's transactions make of a state, in the fewest words."""
    committed = dict(state)
    for transaction in program:
        draft, own = dict(state), dict(committed)  # What is applied, and what the transaction itself reads.
        for op, key, value in transaction:
            asked = op != "init" or key not in own  # An init is queued only where its transaction sees nothing.
            if op == "raise":
                break
            for view in (draft, own) if asked else ():
                if op == "set":
                    view[key] = value
                elif op == "add":
                    view[key] = view.get(key, 0) + value
                elif op == "delete":
                    view.pop(key, None)
                else:
                    view.setdefault(key, value)
        else:
            state = draft
    return state


def perform(door: Any, transaction: list[tuple[str, str, int]]) -> None:
    for op, key, value in transaction:
        if op == "add":
            door.update(key, lambda old, value=value: (old or 0) + value)
        elif op == "delete":
            door.delete(key)
        elif op == "raise":
            raise ValueError("rolled back")
        else:
            getattr(door, op)(key, value)


@settings(max_examples=400, deadline=None)
@example({"x": 0}, [[("delete", "x", 0)], [("init", "x", 0)]])
@given(st.dictionaries(st.sampled_from("xyz"), st.integers(0, 2)), PROGRAMS)
def test_writes_resolve_as_the_model_says(state: dict[str, int], program: Any) -> None:
    cells = {key: Cell(encode(value), 1) for key, value in state.items()}
    transactions = []
    for given_writes in program:
        transaction = Transaction("handler", None, None, "on_finished", "", lambda: "w", cells)
        try:
            perform(transaction, given_writes)
        except ValueError:
            transaction.state = "raised"
        transactions.append(transaction)
    resolved = resolve(cells, transactions)
    after = {key: decode(cell.stored) for key, cell in cells.items()}
    for key, value in resolved.values.items():
        after[key] = None if value is None else decode(value)
    assert {key: value for key, value in after.items() if value is not None} == model(state, program)
    assert [write.seq for write, _, _ in resolved.transitions] == list(range(1, len(resolved.transitions) + 1))
    assert {key: cell.stored for key, cell in cells.items()} == {key: encode(value) for key, value in state.items()}
    for write, old, new in resolved.transitions:
        assert write.status in (("noop",) if old == new else ("applied", "overridden")) or write.status == "rolled_back"


@settings(max_examples=15, deadline=None)
@given(PROGRAMS, st.permutations(range(5)))
def test_a_run_ends_in_the_models_state_whatever_ends_first(tmp_path_factory: Any, program: Any, order: Any) -> None:
    """Each task's handler performs a transaction; the tasks end in the given order, and are handled in one frame."""
    gates = [threading.Event() for _ in program]
    order = [n for n in order if n < len(program)]
    fired: list[int] = []

    def task(n: int) -> int:
        assert gates[n].wait(60)
        place = order.index(n)
        if place + 1 < len(order):
            gates[order[place + 1]].set()
        return n

    @component
    def App(ctx: Any) -> Any:
        def handler(n: int) -> Any:
            def call(_: Any) -> None:
                fired.append(n)
                perform(ctx.state, program[n])

            return call

        return [Task(id=f"t{n}", run=task, args=[n], on_finished=handler(n)) for n in range(len(program))]

    ended = threading.Event()
    with Execution(App(), store=tmp_path_factory.mktemp("law") / "t.db") as ex:
        ex.step_sync()
        run_behind(ex).observe(lambda: ended.set() if ex.running == 0 else None)
        if order:
            gates[order[0]].set()
            assert ended.wait(60)
        assert ex.run_sync().status == "finished"
        assert fired == sorted(fired) and len(fired) == len(program)
        assert dict(ex.state) == model({}, program)


# ---- the hash seed ---------------------------------------------------------------------------------------------

SEEDED = """
import json
from smithers_nb import *
from smithers_nb.execution import run_behind

@component
def App(ctx):
    def add(who):
        return lambda *_: ctx.state.update("x", lambda old: [*(old or []), who])
    names = sorted({"n" + str(n) for n in range(20)})
    return [
        Phase(name="one")[Parallel()[[Task(key=n, run=lambda: 1, on_finished=add(n)) for n in names]]],
        [Effect(key=n, deps=[n], run=add("e" + n)) for n in names],
        Phase(name="two")[Claude(model=scripted({"b": 1, "a": 2}), tools=[len])["hi ", str(ctx.state.get("x"))]],
    ]

ex = Execution(App(), store="t.db", state={"b": 1, "a": {"z": 1, "y": 2}})
import threading
ended = threading.Event()
ex.step_sync()
run_behind(ex).observe(lambda: ended.set() if ex.running == 0 else None)
assert ex.running == 0 or ended.wait(60)
assert ex.run_sync().status == "finished"
db = ex.store.reader
print(json.dumps([
    ex.frame.xml,
    list(ex.frame.tree.index),
    db.query("SELECT frame, seq, key, op, old, new, status, node_id FROM transitions ORDER BY frame, seq").rows,
    db.query("SELECT node_id, path, position, props, from_frame, to_frame FROM nodes ORDER BY 1, 2, 3").rows,
]))
"""


def test_two_hash_seeds_give_the_same_ids_xml_and_transitions(tmp_path_factory: Any) -> None:
    outputs = []
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", SEEDED],
            cwd=tmp_path_factory.mktemp("seed"),
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        outputs.append(done.stdout)
    assert outputs[0] == outputs[1]


def test_the_ids_of_a_plan_are_unique_whatever_keys_it_has(plan: Any) -> None:
    keys = ["a", 'a"', "a.0", '"a".0', "0", "1", "[0]", "/", 'x"]/step["y']
    tree = plan(Sequence()[[Step(key=key)[Step(), [Step()]] for key in keys], Step(), Step()])
    assert len(tree) == 1 + 3 * len(keys) + 2
