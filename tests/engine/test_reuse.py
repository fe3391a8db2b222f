"""A component is called again when, and only when, something that it reads may have changed; and nobody can tell by the plan."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from smithers_nb import Each, Effect, Execution, Fragment, If, Parallel, Phase, Task, component
from smithers_nb.errors import SmithersError
from smithers_nb.execution import run_behind


class Calls(list[str]):
    def taken(self) -> list[str]:
        found, self[:] = list(self), []
        return sorted(found)


@pytest.fixture
def calls() -> Calls:
    return Calls()


def write(ex: Any, **values: Any) -> None:
    for key, value in values.items():
        ex.state.set(key, value)
    ex.run_sync()


def test_only_the_readers_of_a_changed_key_are_called(run_of: Any, calls: Calls) -> None:
    @component
    def Leaf(ctx: Any, name: str) -> Any:
        calls.append(name)
        return Phase(key=name, name=str(ctx.state.get(name)))

    @component
    def App(ctx: Any) -> Any:
        calls.append("app")
        return Parallel()[[Leaf(key=name, name=name) for name in "abc"]]

    ex = run_of(App())
    ex.run_sync()
    assert calls.taken() == ["a", "app", "b", "c"]
    write(ex, b=1)
    assert calls.taken() == ["b"]
    write(ex, a=1, c=2)
    assert calls.taken() == ["a", "c"]
    write(ex, unread=1)
    assert calls.taken() == []
    write(ex, b=1)  # The same value again.
    assert calls.taken() == []
    ex.state.delete("b")
    ex.run_sync()
    assert calls.taken() == ["b"]
    assert [node.props["name"] for node in ex.frame.tree.walk() if node.type == "phase"] == ["1", "None", "2"]


def test_a_reader_inside_a_reader_is_called_when_both_keys_change_at_once(run_of: Any, calls: Calls) -> None:
    @component
    def Leaf(ctx: Any) -> Any:
        calls.append("leaf")
        return Phase(name=str(ctx.state.get("y")))

    @component
    def Between() -> Any:
        return Parallel()[Leaf()]

    @component
    def App(ctx: Any) -> Any:
        return [Between(), Leaf(), Phase(name=str(ctx.state.get("x")))]

    ex = run_of(App())
    ex.run_sync()
    write(ex, x=1, y=2)
    assert [node.props["name"] for node in ex.frame.tree.walk() if node.type == "phase"] == ["2", "2", "1"]


def test_a_root_with_text_at_its_edges_is_called_again(run_of: Any) -> None:
    @component
    def App(ctx: Any) -> Any:
        return ["words ", str(ctx.state.get("x"))]

    ex = run_of(App())
    ex.run_sync()
    for n in range(3):
        write(ex, x=n)
        assert ex.frame.tree.roots[0].text == f"words {n}"
    assert ex.frame.tree.index.keys() == {node.id for node in ex.frame.tree.walk()}


PROPS: dict[str, tuple[Any, Any, bool]] = {
    "equal numbers": (1, 1, False),
    "another number": (1, 2, True),
    "equal lists": ([1], [1], False),
    "another list": ([1], [2], True),
    "1 and True": (1, True, True),
    "1 and 1.0": (1, 1.0, True),
}


@pytest.mark.parametrize(("first", "then", "called"), PROPS.values(), ids=PROPS)
def test_a_component_with_other_props_is_called(first: Any, then: Any, called: bool, run_of: Any, calls: Calls) -> None:
    @component
    def Leaf(value: Any) -> Any:
        calls.append("leaf")
        return Phase(name=repr(value))

    @component
    def App(ctx: Any) -> Any:
        return Leaf(value=then if ctx.state.get("on") else first)

    ex = run_of(App())
    ex.run_sync()
    calls.taken()
    write(ex, on=True)
    assert ex.frame.tree.roots[0].props["name"] == repr(then)
    assert calls.taken() == (["leaf"] if called else []), "equal props: its parent was called again, and it was not"


def test_a_reader_of_the_key_set_is_called_for_a_key_that_comes_or_goes(run_of: Any, calls: Calls) -> None:
    @component
    def Keys(ctx: Any) -> Any:
        calls.append("keys")
        return Phase(name=",".join(ctx.state.keys()))

    ex = run_of(Keys(), state={"a": 1})
    ex.run_sync()
    calls.taken()
    write(ex, b=1)
    assert (calls.taken(), ex.frame.tree.roots[0].props["name"]) == (["keys"], "a,b")
    write(ex, b=2)
    assert calls.taken() == []
    ex.state.delete("a")
    ex.run_sync()
    assert (calls.taken(), ex.frame.tree.roots[0].props["name"]) == (["keys"], "b")


@pytest.mark.parametrize("how", ["in", "len", "iter", "getitem", "get default", "signal"])
def test_every_way_of_reading_is_a_read(how: str, run_of: Any) -> None:
    ways = {
        "in": lambda ctx: "k" in ctx.state,
        "len": lambda ctx: len(ctx.state),
        "iter": lambda ctx: list(ctx.state),
        "getitem": lambda ctx: [ctx.state[key] for key in "k" if key in ctx.state],
        "get default": lambda ctx: ctx.state.get("k", 7),
        "signal": lambda ctx: ctx.signal("k").get(),
    }

    @component
    def Reads(ctx: Any) -> Any:
        return Phase(name=repr(ways[how](ctx)))

    ex = run_of(Parallel()[Reads()] if how == "in" else Reads())
    ex.run_sync()
    before = ex.frame.xml
    write(ex, k=1)
    assert ex.frame.xml != before
    assert ex.frame.tree == ex.preview()


WORD = "one"


def test_a_global_of_a_script_that_changes_is_seen(run_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    @component
    def Says() -> Any:
        return Phase(name=WORD)

    @component
    def App(ctx: Any) -> Any:
        return [Says(), Phase(name=str(ctx.state.get("x")))]

    ex = run_of(App())
    ex.run_sync()
    monkeypatch.setitem(globals(), "WORD", "two")
    write(ex, x=1)
    assert [node.props["name"] for node in ex.frame.tree.roots] == ["two", "1"]


def test_a_closed_over_name_that_changes_is_seen(run_of: Any) -> None:
    word = "one"

    @component
    def Says() -> Any:
        return Phase(name=word)

    @component
    def App(ctx: Any) -> Any:
        return [Says(), Phase(name=str(ctx.state.get("x")))]

    ex = run_of(App())
    ex.run_sync()
    word = "two"
    write(ex, x=1)
    assert [node.props["name"] for node in ex.frame.tree.roots] == ["two", "1"]


UNTRACKED: dict[str, Any] = {
    "now": lambda ctx: ctx.now(),
    "rand": lambda ctx: ctx.rand().random(),
    "frame": lambda ctx: ctx.frame,
    "db": lambda ctx: ctx.db.query("SELECT count(*) AS n FROM frames"),
}


@pytest.mark.parametrize("read", UNTRACKED.values(), ids=UNTRACKED)
def test_what_reads_the_untracked_is_always_called(read: Any, run_of: Any, calls: Calls) -> None:
    @component
    def Reads(ctx: Any) -> Any:
        calls.append("reads")
        read(ctx)
        return Phase(name="p")

    @component
    def App(ctx: Any) -> Any:
        return [Reads(), Phase(name=str(ctx.state.get("x")))]

    ex = run_of(App())
    ex.run_sync()
    calls.taken()
    write(ex, x=1)
    assert calls.taken() == ["reads"]


def test_a_component_that_asks_for_it_is_always_called(run_of: Any, calls: Calls) -> None:
    @component(always=True)
    def Always() -> Any:
        calls.append("always")
        return Phase(name="p")

    @component
    def App(ctx: Any) -> Any:
        return [Parallel()[Always()], Other()]

    @component
    def Other(ctx: Any) -> Any:
        calls.append("other")
        return Phase(name=str(ctx.state.get("x")))

    ex = run_of(App())
    ex.run_sync()
    calls.taken()
    write(ex, unread=1)
    assert calls.taken() == ["always"]
    write(ex, x=1)
    assert calls.taken() == ["always", "other"]


def test_a_handler_of_a_component_that_was_not_called_still_works(run_of: Any, gate: Any) -> None:
    one = gate()

    @component
    def Works(ctx: Any) -> Any:
        return Task(id="t", run=one.passed, on_finished=lambda r: ctx.state.set("done", 1))

    @component
    def Shows(ctx: Any) -> Any:
        return Phase(name=str(ctx.state.get("x")))

    @component
    def App(ctx: Any) -> Any:
        return [Works(), Shows()]

    ex = run_of(App())
    ex.step_sync()
    for n in range(3):
        ex.state.set("x", n)
        ex.step_sync()
    one.open()
    ex.run_sync()
    assert ex.state["done"] == 1


def test_a_duplicate_id_across_a_reused_and_a_called_component_is_found(run_of: Any) -> None:
    @component
    def Fixed() -> Any:
        return Phase(id="same", name="p")

    @component
    def Changes(ctx: Any) -> Any:
        return Phase(id=ctx.state.get("id", "other"), name="q")

    @component
    def App() -> Any:
        return [Fixed(), Changes(), [Parallel() for _ in range(3)]]

    ex = run_of(App())
    ex.run_sync()
    ex.state.set("id", "same")
    with pytest.raises(SmithersError, match="same"):
        ex.run_sync()
    ex.state.set("id", "fine")
    ex.run_sync()
    assert "fine" in ex.frame.tree.index


@pytest.mark.parametrize("below", [False, True])
def test_an_id_may_go_from_one_component_to_another_in_one_frame(below: bool, run_of: Any) -> None:
    @component
    def Has(ctx: Any, when: int) -> Any:
        return Phase(name=f"{when}")[Phase(id="same", name="p") if ctx.state.get("at", 0) == when else None]

    @component
    def App(ctx: Any) -> Any:
        return Parallel()[
            Parallel(id=f"at {ctx.state.get('at')}" if below else None)[Has(when=0), Has(when=1), Has(when=2)]
        ]

    ex = run_of(App())
    ex.run_sync()
    for at in (2, 0, 1, 2):
        ex.state.set("at", at)
        ex.run_sync()
        assert ex.frame.tree.index["same"].path.count(f"Has[{at}]") == 1, ex.frame.xml


# ---- the same as a full render ---------------------------------------------------------------------------------

KEYS = "abcd"
VALUES = st.sampled_from([0, 1, 2, 3])

SHAPES = st.recursive(
    st.sampled_from(["phase", "text", "none", "agent", "effect"]).map(lambda kind: (kind,))
    | st.tuples(st.just("by value"), st.sampled_from(KEYS)),
    lambda inner: st.one_of(
        st.tuples(st.just("component"), st.sampled_from(KEYS) | st.none(), st.lists(inner, max_size=3)),
        st.tuples(st.just("list"), st.lists(inner, max_size=3)),
        st.tuples(st.just("fragment"), st.lists(inner, max_size=3)),
        st.tuples(st.just("box"), st.lists(inner, max_size=3)),
        st.tuples(st.just("if"), st.sampled_from(KEYS), st.lists(inner, max_size=2)),
        st.tuples(st.just("many"), st.sampled_from(KEYS), inner),
        st.tuples(st.just("given"), st.sampled_from(KEYS), st.lists(inner, max_size=3)),
        st.tuples(st.just("each"), st.sampled_from(KEYS), inner),
    ),
    max_leaves=12,
)


@component
def Words() -> Any:
    return "and more"


def built(shape: Any, ctx: Any) -> Any:
    """What a component returns for a shape."""
    kind, *rest = shape
    match kind:
        case "phase":
            return Phase(name="p")
        case "text":
            return "words "
        case "agent":
            return Phase(name="a")["hi ", Words()]
        case "none":
            return None
        case "effect":
            return Effect(run=len, deps=[0])
        case "by value":
            value = ctx.state.get(rest[0])
            return [None, "text", Phase(name="v"), [Phase(name="1"), "between", Phase(name="2")]][value or 0]
        case "component":
            return Component(key_read=rest[0], inner=rest[1])
        case "list":
            return [built(one, ctx) for one in rest[0]]
        case "fragment":
            return Fragment()[tuple(built(one, ctx) for one in rest[0])]
        case "box":
            return Parallel()[tuple(built(one, ctx) for one in rest[0])]
        case "if":
            return If(condition=bool(ctx.state.get(rest[0])))[tuple(built(one, ctx) for one in rest[1])]
        case "many":
            count = ctx.state.get(rest[0]) or 0
            return Parallel()[[Component(key=str(n), key_read=rest[0], inner=[rest[1]]) for n in range(count)]]
        case "given":
            return Given(value=ctx.state.get(rest[0]), inner=rest[1])
        case "each":
            count = ctx.state.get(rest[0]) or 0
            return Each(items=list(range(count, 0, -1)), key=lambda n: n, render=lambda n: built(rest[1], ctx))
    raise AssertionError(kind)


@component
def Component(ctx: Any, key_read: Any, inner: Any) -> Any:
    value = ctx.state.get(key_read) if key_read else None
    body = [built(one, ctx) for one in inner]
    if value == 1:
        return None
    if value == 2:
        return ["edge text", *body]
    if value == 3 and body:
        return body[0]
    return body


@component
def Given(ctx: Any, value: Any, inner: Any) -> Any:
    """It is called again for another value; what stands in it may be as it was."""
    return [Phase(name=f"given {value}"), *(built(one, ctx) for one in inner)]


@component
def Root(ctx: Any, shapes: Any) -> Any:
    return [built(one, ctx) for one in shapes]


def everything(tree: Any) -> list[tuple[Any, ...]]:
    return [
        (n.id, n.path, n.type, n.key, n.props, n.text, n.parent_id, n.position, n.loop, n.events, len(n.children))
        for n in tree.walk()
    ]


WRITES = st.lists(st.dictionaries(st.sampled_from(KEYS), VALUES, min_size=1, max_size=3), min_size=1, max_size=5)


def equals_a_full_render(shapes: Any, writes: Any) -> None:
    with tempfile.TemporaryDirectory() as folder, Execution(Root(shapes=shapes), store=Path(folder) / "t.db") as ex:
        ex.run_sync(max_frames=4)
        for values in writes:
            for key, value in values.items():
                ex.state.set(key, value)
            ex.run_sync(max_frames=6)
            tree, full = ex.frame.tree, ex.preview()
            assert everything(tree) == everything(full)
            assert tree.xml == full.xml
            walked = {node.id: node for node in tree.walk()}
            assert tree.index.keys() == walked.keys()
            assert all(tree.index[id] is node for id, node in walked.items())
            back = ex.at(ex.frame.number).tree
            assert everything(back) == everything(tree)
            assert back.xml == tree.xml
            readers = {
                key: paths
                for key, paths in run_behind(ex).live.committed.rendered.readers.items()
                if paths and key[:1] != "\0"
            }
            stored: dict[str, set[str]] = {}
            for component, keys in ex.store.reader.reads(ex.execution_id).items():
                for key in keys:
                    stored.setdefault(key, set()).add(component)
            assert stored == readers


@settings(max_examples=250, deadline=None)
@example([("by value", "a"), ("component", None, [("text",), ("phase",)])], [{"a": 1}])  # Text that becomes one piece.
@given(st.lists(SHAPES, min_size=1, max_size=4), WRITES)
def test_a_frame_equals_a_full_render_and_is_read_back_equal(shapes: Any, writes: Any) -> None:
    equals_a_full_render(shapes, writes)


@pytest.mark.long
@settings(max_examples=5000, deadline=None)
@given(st.lists(SHAPES, min_size=1, max_size=6), WRITES)
def test_thousands_of_frames_equal_a_full_render(shapes: Any, writes: Any) -> None:
    equals_a_full_render(shapes, writes)
