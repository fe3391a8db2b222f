"""Nodes that code can return and did not: found in the source, with the conditions around them; nothing is called."""

from __future__ import annotations

import linecache
import textwrap
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import pytest

import smithers_nb
from smithers_nb import (
    Case,
    Claude,
    Default,
    Each,
    End,
    Execution,
    If,
    Phase,
    Ralph,
    Sequence,
    Store,
    Switch,
    Task,
    While,
    component,
    scripted,
)
from smithers_nb.records import Ghost, conditions
from smithers_nb.syntax.compile import cell_filename, parse, remember
from smithers_nb.syntax.create import jsx
from smithers_nb.syntax.ghosts import ghosts_of
from smithers_nb.syntax.transpile import FRAGMENT, RUNTIME

Made = Callable[..., Execution]
LIMIT = 6
PUBLIC = {name: getattr(smithers_nb, name) for name in smithers_nb.__all__}


def work() -> None:
    """Do nothing."""


def plan_of(ctx: Any, notes: Any) -> Any:
    if not notes:
        return None
    return Task(id="helped", run=work)


def several(ctx: Any) -> Any:
    if ctx.state.get("on"):
        yield Task(id="yielded", run=work)
    yield from [Task(id="also", run=work)]


def loud(function: Any) -> Any:
    @wraps(function)
    def inner(**props: Any) -> Any:
        return function(**props)

    return inner


def quiet(function: Any) -> Any:
    def inner(ctx: Any) -> Any:  # Without functools.wraps: nothing says what it wraps but its code.
        return function(ctx=ctx)

    return inner


def forwarding(function: Any) -> Any:
    def inner(**props: Any) -> Any:
        return function(**props)

    return inner


@component
def Score(ctx: Any, score: Any) -> Any:
    if score is None:
        return Claude(id="judge", model="sonnet")["Judge."]
    if score > LIMIT:
        return End(id="end", message="good")
    return Task(id="again", run=work)


@component
def Framed(ctx: Any, children: Any) -> Any:
    return Phase(name="frame")[children if ctx.state.get("open") else None]


@component
def Everything(ctx: Any) -> Any:
    notes = ctx.state.get("notes", [])
    score = ctx.state["review"]["score"] if "review" in ctx.state else None
    extra = []
    if len(notes) >= 3 and not ctx.state.get("off"):
        extra.append(Task(id="extra", run=work))
    for note in notes:
        if note["late"]:
            continue
        extra += [Task(id=f"note-{note['id']}", run=work)]
    mood = ctx.signal("mood", "fair")
    get = ctx.state.get
    match mood.get():
        case "good" | "fine":
            extra.append(Task(id="matched", run=work))
        case _:
            other = Task(id="otherwise", run=work)
            extra.append(other)
    try:
        extra.append(Task(id="tried", run=work))
    except ValueError:
        extra.append(Task(id="caught", run=work))
    chosen = {"a": Task(id="option-a", run=work), "b": Task(id="option-b", run=work)}
    ctx.use_effect("log", [], work)
    row = lambda item: Task(id=f"row-{item}", run=work)  # noqa: E731

    def nested() -> Any:
        return ctx.state.get("deep") and Task(id="nested", run=work)

    return Sequence()[
        If(condition=bool(notes))[Score(score=score)],
        Framed()[Task(id="framed", run=work)],
        Switch(value=ctx.state.get("verdict"))[
            Case(equals="yes")[Task(id="yes", run=work)],
            Default()[Task(id="no", run=work)],
        ],
        Each(items=notes, key="id", render=row),
        While(id="while", condition=ctx.state.get("go", True))[ctx.state.get("z") or Task(id="or", run=work)],
        Ralph(id="ralph", until=ctx.state.get("done", False))[Task(id="looped", run=work)],
        Phase(name="skipped", skip_if=ctx.state.get("skip", False))[Task(id="inside", run=work)],
        plan_of(ctx, notes),
        list(several(ctx)),
        [Task(id=f"c-{n}", run=work) for n in notes if n != "x"],
        Task(id="then", run=work) if ctx.state.get("yes") else Task(id="else", run=work),
        chosen[ctx.state.get("which")],
        [*map(row, ctx.state.get("mapped", []))],
        nested(),
        {"c": Task(id="option-c", run=work)}[ctx.state.get("third")],
        {"d": Task(id="option-d", run=work)}.get(ctx.state.get("third")),
        get("short") and Task(id="short", run=work),
        extra,
    ]


FOUND = {
    "judge": (["bool(notes) is true", "score is None is true"], ["notes", "review"]),
    "end": (["bool(notes) is true", "score is None is false", "score > LIMIT is true"], ["notes", "review"]),
    "again": (["bool(notes) is true", "score is None is false", "score > LIMIT is false"], ["notes", "review"]),
    "framed": (['ctx.state.get("open") is true'], ["open"]),
    "yes": (['ctx.state.get("verdict") == "yes" is true'], ["verdict"]),
    "no": (['ctx.state.get("verdict") == "yes" is false'], ["verdict"]),
    "or": (['ctx.state.get("go", True) is true', 'ctx.state.get("z") is false'], ["go", "z"]),
    "looped": (['ctx.state.get("done", False) is false'], ["done"]),
    "inside": (['ctx.state.get("skip", False) is false'], ["skip"]),
    "helped": (["notes is true"], ["notes"]),
    "yielded": (['ctx.state.get("on") is true'], ["on"]),
    "also": ([], []),
    "c-*": (["notes has items", 'n != "x" is true'], ["notes"]),
    "then": (['ctx.state.get("yes") is true'], ["yes"]),
    "else": (['ctx.state.get("yes") is false'], ["yes"]),
    "option-a": (['ctx.state.get("which") == "a" is true'], ["which"]),
    "option-b": (['ctx.state.get("which") == "b" is true'], ["which"]),
    "option-c": (['ctx.state.get("third") == "c" is true'], ["third"]),
    "option-d": (['ctx.state.get("third") == "d" is true'], ["third"]),
    "nested": (['ctx.state.get("deep") is true'], ["deep"]),
    "short": (['get("short") is true'], ["short"]),
    "extra": (['len(notes) >= 3 and not ctx.state.get("off") is true'], ["notes", "off"]),
    "note-*": (["notes has items", 'note["late"] is false'], ["notes"]),
    "matched": (['match mood.get(): case "good" | "fine" is true'], ["mood"]),
    "otherwise": ([], []),
    "tried": ([], []),
    "caught": (["except ValueError is true"], []),
    "log": ([], []),
}


def found_by(app: object) -> dict[str, Ghost]:
    return {ghost.label: ghost for ghost in ghosts_of(app).all}


@pytest.mark.parametrize("label", FOUND)
def test_a_node_is_found_with_its_conditions(label: str) -> None:
    ghost = found_by(Everything())[label]
    words = [guard.words.replace("'", '"') for guard in ghost.guards]
    keys = list(dict.fromkeys(key for guard in ghost.guards for key in guard.keys))
    assert (words, keys) == FOUND[label]


def test_all_calls_of_a_helper_and_of_a_lambda_are_looked_into() -> None:
    rows = [ghost for ghost in ghosts_of(Everything()).all if ghost.label == "row-*"]
    assert [[guard.text for guard in ghost.guards] for ghost in rows] == [["notes"], ['ctx.state.get("mapped", [])']]
    assert len(found_by(Everything())) == len(FOUND) + 13, "no other nodes, but for those without an id"


def test_a_prop_is_told_with_the_key_that_it_was_read_from() -> None:
    guard = found_by(Everything())["end"].guards[-1]
    assert (guard.component, guard.props, guard.keys) == ("Score", ("score",), ("review",))
    state: dict[str, Any] = {"review": {"score": 7}}
    assert [guard.holds(state), guard.holds({"review": {"score": 6}}), guard.holds({"review": {}})] == [
        True, False, None,
    ]  # fmt: skip
    assert [(one.part.key, one.part.path) for one in conditions(guard.test)] == [("review", ("score",))]


@pytest.mark.parametrize(
    ("label", "place", "state", "outcome"),
    [
        ("extra", 0, {"notes": [1, 2, 3]}, True),
        ("extra", 0, {"notes": [1, 2]}, False),
        ("extra", 0, {"notes": [1, 2, 3], "off": True}, False),
        ("extra", 0, {"notes": 3}, None),
        ("extra", 0, {"notes": 3, "off": True}, False),
        ("matched", 0, {"mood": "fine"}, True),
        ("matched", 0, {}, False),
        ("or", 0, {}, True),
        ("or", 1, {"z": 0}, True),
        ("no", 0, {"verdict": "no"}, True),
        ("c-*", 1, {"notes": ["x"]}, None),
        ("judge", 0, {}, False),
    ],
)
def test_a_condition_is_judged_over_a_state(label: str, place: int, state: dict[str, Any], outcome: object) -> None:
    assert found_by(Everything())[label].guards[place].holds(state) is outcome


def test_decorated_components_are_looked_into() -> None:
    @component
    @loud
    def Wrapped(ctx: Any) -> Any:
        return Task(id="wrapped", run=work)

    @component
    @quiet
    def Hidden(ctx: Any) -> Any:
        return ctx.state.get("k") and Task(id="hidden", run=work)

    @component
    @forwarding
    def Forwarded(ctx: Any, on: Any) -> Any:
        return on and Task(id="forwarded", run=work)

    @component
    def App(ctx: Any) -> Any:
        return [Wrapped(), Hidden(), Forwarded(on=ctx.state.get("switch"))]

    found = found_by(App())
    assert [label for label in found if not label.startswith("component")] == ["wrapped", "hidden", "forwarded"]
    assert found["forwarded"].guards[0].keys == ("switch",), "the wrapper hands its props on"


def test_two_lambdas_on_one_line_are_told_apart() -> None:
    one, other = component(lambda: Task(id="one", run=work)), component(lambda: Task(id="other", run=work))
    assert (list(found_by(one())), list(found_by(other()))) == (["one"], ["other"])


def test_the_else_of_an_and_and_of_an_or_are_judged() -> None:
    @component
    def App(ctx: Any) -> Any:
        get = ctx.state.get
        if get("p") and get("q"):
            return None
        if get("r") or get("s"):
            return None
        return Task(id="rest", run=work)

    both, either = found_by(App())["rest"].guards
    assert [both.holds({"p": 1}), both.holds({"p": 1, "q": 1})] == [True, False]
    assert [either.holds({}), either.holds({"s": 1})] == [True, False]


def test_a_component_that_contains_itself_ends_the_search() -> None:
    @component
    def Tree(ctx: Any, depth: int) -> Any:
        if depth == 0:
            return Task(id="leaf", run=work)
        return Tree(depth=depth - 1)

    assert found_by(Tree(depth=3)).keys() == {"component Tree", "leaf"}


def test_a_component_inside_of_a_component_is_looked_into() -> None:
    @component
    def Outer(ctx: Any) -> Any:
        @component
        def Inner(ctx: Any, on: bool) -> Any:
            return Task(id="inner", run=work) if on else None

        return Inner(on=ctx.state.get("switch"))

    ghost = found_by(Outer())["inner"]
    assert (ghost.component, ghost.guards[0].keys, ghost.guards[0].props) == ("Inner", ("switch",), ("on",))


# ---- positions and sources -----------------------------------------------------------------------------------------


def cell(source: str, name: str = "report") -> dict[str, Any]:
    """Compile a cell as ``%%smithers`` does, and return its names."""
    source = textwrap.dedent(source)
    filename = cell_filename(name, source)
    remember(filename, source)
    names: dict[str, Any] = {**PUBLIC, "__name__": "__main__", RUNTIME: jsx, FRAGMENT: smithers_nb.Fragment}
    exec(compile(parse(source, filename), filename, "exec"), names)
    return names


JSX = """
@component
def Report(ctx):
    notes = ctx.state.get("notes")
    return (
        <>
            <Phase name="räume"><Claude id="notes" model="sonnet">Don't stop.</Claude></Phase>
            {notes and <Phase name="write">
                <Claude id={f"draft-{notes}"} model="sonnet">Write: {notes}</Claude></Phase>}
            <If condition={ctx.state.get("ok", False)}><End id="end" /></If>
            <Smithers id="child" component={Child} />
        </>
    )

@component
def Child(ctx):
    return <Task id="below" run={print} />
"""


def test_the_positions_are_those_of_the_nodes(run_of: Made) -> None:
    """The same as RENDER notes for the nodes that are in the plan, in a cell with JSX."""
    ex = run_of(cell(JSX)["Report"], models={"sonnet": scripted("x", "y")}, state={"notes": "n", "ok": True})
    ex.step_sync()
    nodes = {node.source for node in ex.at(1).tree.walk() if node.type != "text"}
    ghosts = ghosts_of(cell(JSX)["Report"]())
    assert {ghost.source for ghost in ghosts.all} == nodes
    assert not ex.ghosts().nodes


def test_what_is_not_in_the_plan_is_shown(run_of: Made) -> None:
    ex = run_of(cell(JSX)["Report"], models={"sonnet": scripted("x")})
    ex.step_sync()
    found = ex.ghosts()
    assert [(one.type, one.label) for one in found.nodes] == [
        ("phase", "phase write"), ("claude", "draft-*"), ("end", "end"),
    ]  # fmt: skip
    assert list(found.df.columns) == ["node_id", "type", "component", "guards", "keys", "source"]
    assert found.df["keys"].tolist() == [["notes"], ["notes"], ["ok"]]
    assert "draft-* (claude, report:9:17): if notes is true" in found.text
    assert "<script" not in found._repr_html_() and "draft-*" in found._repr_html_()
    recorded = Store(ex.store.path).open(ex.execution_id)
    assert recorded.ghosts(cell(JSX)["Report"]).nodes == found.nodes
    with pytest.raises(smithers_nb.errors.StoreError, match="no frame 9"):
        ex.ghosts(frame=9)


def test_a_component_without_source_is_named(run_of: Made) -> None:
    names: dict[str, Any] = {**PUBLIC}
    exec("@component\ndef Made(ctx):\n    return Task(id='made', run=print)\n", names)

    @component
    def Shown(ctx: Any) -> Any:
        return [names["Made"](), Around()]

    Around = component(lambda ctx: [Task(id="lambda", run=work), ctx.state.get("k") and End(id="end")])
    ex = run_of([names["Made"](), Around()])
    ex.step_sync()
    found = ex.ghosts()
    assert [one.label for one in found.nodes] == ["end"]
    assert found.unknown == ("Made: its source is not there",)
    assert "Not known: Made: its source is not there." in found.text
    assert "not known" in found._repr_html_()


def test_code_that_raises_when_it_is_parsed_is_left_out_and_told(tmp_path: Path) -> None:
    file = tmp_path / "app.py"
    good = "from smithers_nb import *\n@component\ndef App(ctx):\n    return Task(id='a', run=print)\n"
    file.write_text(good)
    names: dict[str, Any] = {}
    exec(compile(good, str(file), "exec"), names)
    assert found_by(names["App"]()).keys() == {"a"}
    file.write_text(good.replace("return Task", "return ) Task"))
    broken = ghosts_of([names["App"](), Task(id="beside", run=work)])
    assert [one.id for one in broken.all] == ["beside"]
    assert broken.unknown[0].startswith("App: its source can't be parsed: ")
    file.write_text("\n\n" + good)
    assert ghosts_of(names["App"]()).unknown == ("App: its source has changed since it was defined",)
    linecache.clearcache()


def test_a_function_is_read_alone_where_its_cell_is_no_python() -> None:
    source = "%matplotlib inline\n@component\ndef App(ctx):\n    return <Task id='a' run={print} />\n"
    filename = cell_filename("cell", source)
    remember(filename, source)
    names: dict[str, Any] = {**PUBLIC, RUNTIME: jsx}
    exec(compile(parse(source, filename, transform=lambda text: text.replace("%", "#")), filename, "exec"), names)
    found = found_by(names["App"]())
    assert found["a"].source == "cell:4:12"


def test_no_user_code_is_called() -> None:
    class Trap:
        def __getattr__(self, name: str) -> Any:
            raise AssertionError(f"{name} was looked up")

        def __eq__(self, other: object) -> bool:
            raise AssertionError("compared")

        __hash__ = object.__hash__

    trap: Any = Trap()

    @component
    def App(ctx: Any) -> Any:
        if ctx.state.get("k") == trap.value or trap == ctx.state.get("k"):
            return trap.task()
        return Task(id="t", run=work)

    ghosts = found_by(App())
    assert [guard.words for guard in ghosts["t"].guards][-1].endswith("is false")


def test_names_that_stand_for_themselves_end_the_search() -> None:
    @component
    def Endless(ctx: Any) -> Any:
        name = ctx.state.get("k")
        name = name
        other = work
        while True:
            other = other
            return [Task(id=name, run=work), other()]

    assert "task at" in next(iter(found_by(Endless())))
    lines = [
        "from smithers_nb import *",
        "@component",
        "def App(ctx):",
        "    x = x",
        "    return Task(id=x, run=x.y())",
    ]
    remember("<smithers:self:00000000>", "\n".join(lines))
    names: dict[str, Any] = {}
    exec(compile("\n".join(lines), "<smithers:self:00000000>", "exec"), names)
    assert ghosts_of(names["App"]()).unknown == ("the code is nested too deeply to be followed to its end",)


def test_a_helper_that_is_called_often_does_not_run_away() -> None:
    names: dict[str, Any] = {}
    lines = ["from smithers_nb import *", "def f0(ctx): return Task(run=print)"]
    lines += [f"def f{n}(ctx): return [f{n - 1}(ctx), f{n - 1}(ctx)]" for n in range(1, 14)]
    lines += ["@component", "def App(ctx): return f13(ctx)"]
    source = "\n".join(lines)
    remember("<smithers:many:00000000>", source)
    exec(compile(source, "<smithers:many:00000000>", "exec"), names)
    assert ghosts_of(names["App"]()).unknown == (
        "the code can return more than 2,000 nodes: the rest is not looked at",
    )
