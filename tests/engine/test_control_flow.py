"""What exists, how often, in which order, and when it ends: Switch, Each, loops, Stop, End, and runs that go nowhere."""

from __future__ import annotations

import random
import threading
from typing import Any
from xml.etree import ElementTree

import pytest

from smithers_nb import (
    Approval,
    Case,
    Claude,
    Default,
    Each,
    Effect,
    End,
    Fragment,
    If,
    Parallel,
    Phase,
    Ralph,
    Sequence,
    Step,
    Stop,
    Switch,
    Task,
    While,
    component,
    scripted,
)
from smithers_nb.errors import DuplicateKeyError, MissingKeyError, PlanError, PropError


def task(name: str, started: list[str] | None = None, **props: Any) -> Any:
    return Task(id=name, run=(started if started is not None else []).append, args=[name], **props)


def ids(tree: Any, kind: str) -> list[str]:
    return [node.id for node in tree.walk() if node.type == kind]


# ---- Switch ----------------------------------------------------------------------------------------------------

SWITCHES: dict[str, tuple[Any, list[Any], list[str]]] = {
    "the equal case": ("b", [Case(equals="a")[task("a")], Case(equals="b")[task("b")]], ["b"]),
    "the first of two equal cases": ("a", [Case(equals="a")[task("1")], Case(equals="a")[task("2")]], ["1"]),
    "the default where none is equal": ("x", [Case(equals="a")[task("a")], Default()[task("d")]], ["d"]),
    "a case after the default": ("a", [Default()[task("d")], Case(equals="a")[task("a")]], ["a"]),
    "the first of two defaults": ("x", [Default()[task("1")], Default()[task("2")]], ["1"]),
    "nothing where none is equal and there is no default": ("x", [Case(equals="a")[task("a")]], []),
    "a case of None": (None, [Case(equals=None)[task("n")], Default()[task("d")]], ["n"]),
    "a case that is a list": ([1], [Case(equals=[1])[task("l")], Default()[task("d")]], ["l"]),
    "a child that is not there": ("a", [None, False, Case(equals="a")[task("a")]], ["a"]),
    "no children": ("a", [], []),
    "cases in a list": (2, [[Case(equals=n)[task(str(n))] for n in (1, 2, 3)], Default()[task("d")]], ["2"]),
    "cases in a fragment": (2, [Fragment()[Case(equals=1)[task("1")], Case(equals=2)[task("2")]]], ["2"]),
    "the default behind a list": (9, [[Case(equals=1)[task("1")]], Default()[task("d")]], ["d"]),
}


@pytest.mark.parametrize(("value", "children", "found"), SWITCHES.values(), ids=SWITCHES)
def test_a_switch_renders_one_case(value: Any, children: list[Any], found: list[str], plan: Any) -> None:
    tree = plan(Switch(value=value)[tuple(children)])
    assert ids(tree, "task") == found
    assert [node.type for node in tree.walk()][:1] == ["switch"]
    assert len(ids(tree, "case") + ids(tree, "default")) == len(found)


@pytest.mark.parametrize("child", [task("x"), "text", Phase(name="p"), 1], ids=["task", "text", "phase", "number"])
def test_a_switch_takes_only_cases(child: Any, plan: Any) -> None:
    with pytest.raises(PlanError, match="directly in a <switch>"):
        plan(Switch(value=1)[Case(equals=1), child])


def test_a_case_in_a_list_keeps_its_place(plan: Any) -> None:
    for value in (0, 2):
        tree = plan(Switch(value=value)[[Case(equals=n) for n in range(3)], Fragment(key="k")[Default()]])
        assert tree.roots[0].children[0].path == f"/switch[0]/case[0.{value}]"


def test_a_switch_that_changes_unmounts_one_case_and_mounts_the_other(run_of: Any) -> None:
    started: list[str] = []

    @component
    def App(ctx: Any) -> Any:
        return Switch(value=ctx.state.get("v"))[
            Case(equals="a")[task("one", started)], Case(equals="b")[task("two", started)]
        ]

    ex = run_of(App(), state={"v": "a"})
    ex.run_sync()
    ex.state.set("v", "b")
    ex.run_sync()
    assert started == ["one", "two"]
    assert ids(ex.frame.tree, "task") == ["two"]


# ---- Each ------------------------------------------------------------------------------------------------------


class Item:
    def __init__(self, name: str) -> None:
        self.name = name


EACHES: dict[str, tuple[Any, list[Any], Any, list[str | None]]] = {
    "by a field of dicts": ("id", [{"id": "a"}, {"id": "b"}], lambda i: Task(run=len), ["a", "b"]),
    "by an attribute": ("name", [Item("a"), Item("b")], lambda i: Task(run=len), ["a", "b"]),
    "by a function": (lambda i: i * 2, [1, 2], lambda i: Task(run=len), ["2", "4"]),
    "numbers become text": ("id", [{"id": 1}], lambda i: Task(run=len), ["1"]),
    "a key of 0 is a key": ("id", [{"id": 0}], lambda i: Task(run=len), ["0"]),
    "an item's own key wins": ("id", [{"id": 1}], lambda i: Task(key="own", run=len), ["own"]),
    "no items": ("id", [], lambda i: Task(run=len), []),
}


@pytest.mark.parametrize(("by", "items", "render", "keys"), EACHES.values(), ids=EACHES)
def test_each_gives_every_item_its_key(by: Any, items: Any, render: Any, keys: Any, plan: Any) -> None:
    tree = plan(Each(items=items, key=by, render=render))
    assert [node.key for node in tree.walk() if node.type == "task"] == keys
    assert f'count="{len(items)}"' in tree.xml


KEYLESS: dict[str, tuple[Any, list[Any], str]] = {
    "a dict without the field": ("id", [{"id": 1}, {"name": "lost"}], r"item 1 .*lost"),
    "an object without the attribute": ("nope", [Item("a")], "item 0 "),
    "a field that is None": ("id", [{"id": None}], "item 0 "),
    "a function that raises": (lambda item: item["id"], [{}], "item 0 "),
    "a function that returns None": (lambda item: None, [7], r"item 0 .*\(7\)"),
}


@pytest.mark.parametrize(("by", "items", "names"), KEYLESS.values(), ids=KEYLESS)
def test_an_item_without_a_key_is_named(by: Any, items: Any, names: str, plan: Any) -> None:
    with pytest.raises(MissingKeyError, match=names) as raised:
        plan(Each(items=items, key=by, render=lambda item: Task(run=len)))
    assert raised.value.source.startswith("test_control_flow.py:")


def test_an_each_without_a_key_says_so() -> None:
    with pytest.raises(MissingKeyError, match="needs key="):
        Each(items=[1], render=lambda item: None)


@component
def Leaf(n: Any) -> Any:
    return Task(run=len)


RENDERS: dict[str, Any] = {
    "nodes": lambda item: Task(run=len),
    "components": lambda item: Leaf(n=item),
    "lists": lambda item: [Task(run=len), Task(run=len)],
    "fragments": lambda item: Fragment()[Task(run=len)],
}


@pytest.mark.parametrize("render", RENDERS.values(), ids=RENDERS)
def test_two_items_with_one_key_are_refused(render: Any, plan: Any) -> None:
    with pytest.raises(DuplicateKeyError, match="'a'"):
        plan(Each(items=["a", "a"], key=lambda item: item, render=render))


@pytest.mark.parametrize("render", RENDERS.values(), ids=RENDERS)
def test_items_that_change_places_are_moved_and_nothing_mounts(render: Any, run_of: Any) -> None:
    runs: list[int] = []

    @component
    def App(ctx: Any) -> Any:
        return Each(items=ctx.state["items"], key=lambda item: item, render=render)

    ex = run_of(App(), state={"items": ["a", "b", "c", "d"]})
    first = ex.step_sync()
    ex.state.set("items", ["d", "a", "b", "c"])
    frame = ex.step_sync()
    while "state items" not in frame.reason:
        frame = ex.step_sync()
    assert (frame.mounted, frame.unmounted) == ((), ())
    assert 1 <= len(frame.moved) <= 2
    assert set(frame.tree.index) == set(first.tree.index)
    ex.run_sync()
    assert len(ex.df.tasks) == len(ids(first.tree, "task")), runs


def test_an_item_that_comes_mounts_and_one_that_goes_is_cancelled(run_of: Any, gate: Any) -> None:
    gates = {name: gate() for name in "abcd"}
    finished: list[str] = []

    @component
    def App(ctx: Any) -> Any:
        return Each(
            items=ctx.state["items"],
            key=lambda item: item,
            render=lambda item: Task(
                id=item, run=gates[item].passed, on_finished=lambda r: finished.append(item), on_error=lambda r: None
            ),
        )

    ex = run_of(App(), state={"items": ["a", "b", "c"]})
    ex.step_sync()
    ex.state.set("items", ["a", "d", "c"])
    frame = ex.step_sync()
    assert (frame.mounted, frame.unmounted, frame.moved) == (("d",), ("b",), ())
    for one in gates.values():
        one.open()
    assert ex.run_sync().status == "finished"
    assert sorted(finished) == ["a", "c", "d"]
    assert ex.df.tasks.set_index("node_id").status.to_dict() == {
        "a": "succeeded", "b": "cancelled", "c": "succeeded", "d": "succeeded",
    }  # fmt: skip


# ---- skip_if ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Phase, Step, Sequence])
def test_what_is_skipped_has_no_children_and_holds_nobody_up(kind: Any, run_of: Any) -> None:
    started: list[str] = []
    name = {"name": "s"}
    ex = run_of(
        Sequence()[
            task("before", started),
            kind(id="s", **name, skip_if=True)[task("inside", started), Effect(run=lambda: started.append("effect"))],
            task("after", started),
        ]
    )
    assert ex.run_sync().status == "finished"
    assert started == ["before", "after"]
    assert ex.tasks["s"] == "skipped"
    assert 'skip_if="true"' in ex.frame.xml


def test_a_phase_is_skipped_as_soon_as_the_state_says_so(run_of: Any) -> None:
    started: list[str] = []

    @component
    def App(ctx: Any) -> Any:
        return [
            Phase(name="1")[task("a", started, on_finished=lambda r: ctx.state.set("skip", True))],
            Phase(name="2", skip_if=ctx.state.get("skip", False))[task("b", started)],
            Phase(name="3")[task("c", started)],
        ]

    assert run_of(App()).run_sync().status == "finished"
    assert started == ["a", "c"]


# ---- loops -----------------------------------------------------------------------------------------------------


def loops_of(ex: Any) -> dict[str, tuple[int, str]]:
    rows = ex.store.reader.query(
        "SELECT node_id, iteration, status FROM loops WHERE execution_id = ? AND to_frame IS NULL", (ex.execution_id,)
    )
    return {id: (iteration, status) for id, iteration, status in rows.rows}


def counted(kind: Any, stop_at: int | None, most: int, started: list[Any]) -> Any:
    @component
    def App(ctx: Any) -> Any:
        n = ctx.state.get("n", 0)
        enough = stop_at is not None and n >= stop_at
        goes = {"condition": not enough} if kind is While else {"until": enough}
        return [
            Phase(name="loop")[
                kind(id="w", max_iterations=most, **goes)[
                    Task(
                        id="t",
                        run=lambda: started.append(n),
                        on_finished=lambda r: ctx.state.update("n", lambda old: (old or 0) + 1),
                    )
                ]
            ],
            Phase(name="after")[Task(id="last", run=lambda: started.append("last"))],
        ]

    return App()


LOOPS: dict[str, tuple[int | None, int, int, tuple[int, str] | None]] = {
    "false at first": (0, 10, 0, None),
    "once": (1, 10, 1, (1, "done")),
    "three times": (3, 10, 3, (3, "done")),
    "for ever, at most 4": (None, 4, 4, (4, "max_reached")),
    "for ever, at most once": (None, 1, 1, (1, "max_reached")),
    "for ever, at most never": (None, 0, 0, None),
    "done at the very last": (4, 4, 4, (4, "done")),
    "25 times": (25, 100, 25, (25, "done")),
}


@pytest.mark.parametrize("kind", [While, Ralph])
@pytest.mark.parametrize(("stop_at", "most", "runs", "row"), LOOPS.values(), ids=LOOPS)
def test_a_loop_runs_exactly_as_often_as_it_should(
    kind: Any, stop_at: Any, most: int, runs: int, row: Any, run_of: Any
) -> None:
    started: list[Any] = []
    ex = run_of(counted(kind, stop_at, most, started))
    assert ex.run_sync().status == "finished"
    assert started == [*range(runs), "last"]
    assert ex.state.get("n", 0) == runs
    found = loops_of(ex)
    assert found.get("w") == row, found
    if row:
        assert ex.tasks["w"] == row[1]
    assert len(ex.df.tasks[ex.df.tasks.node_id == "t"]) == runs


def test_a_loop_without_a_bound_is_bounded_all_the_same(run_of: Any) -> None:
    ex = run_of(Ralph(id="r")[Task(id="t", run=lambda: 1)])
    assert ex.run_sync().status == "finished"
    assert len(ex.df.tasks) == 10
    assert loops_of(ex) == {"r": (10, "max_reached")}
    assert ex.reason == "nothing is left to do; ralph #r ended at its limit of 10 iterations (max_iterations)"
    told = ex.df.timeline().text.tolist()
    assert "frame 31 began, because of: loop r: its limit of 10 iterations (max_iterations)" in told
    assert "came to its limit of 10 iterations (max_iterations) at the COMMIT of frame 30" in str(ex.why(frame=31))


@pytest.mark.parametrize("kind", [While, Ralph])
def test_a_loop_needs_an_id(kind: Any) -> None:
    with pytest.raises(PropError, match="'id'"):
        kind(**({"condition": True} if kind is While else {}))


def test_each_iteration_mounts_the_same_ids_anew_and_the_xml_says_which(run_of: Any) -> None:
    ex = run_of(counted(While, 3, 10, []))
    seen: list[tuple[int, tuple[str, ...], tuple[str, ...]]] = []
    while not ex.over:
        frame = ex.step_sync()
        loop = next(e for e in ElementTree.fromstring(frame.xml).iter("while"))
        if "t" in frame.mounted or "t" in frame.unmounted:
            seen.append((int(loop.get("iteration", 0)), frame.mounted, frame.unmounted))
    assert [(iteration, "t" in mounted, "t" in unmounted) for iteration, mounted, unmounted in seen] == [
        (1, True, False), (2, True, True), (3, True, True),
    ]  # fmt: skip
    paths = ex.store.reader.query("SELECT path FROM nodes WHERE node_id = 't' ORDER BY from_frame").rows
    assert [path[0].count(f"/@{n}/") for n, path in enumerate(dict.fromkeys(paths), 1)] == [1, 1, 1]


def test_ctx_iteration_counts_and_a_component_in_the_loop_is_called_for_it(run_of: Any) -> None:
    seen: list[int] = []

    @component
    def Inside(ctx: Any) -> Any:
        k = ctx.iteration("r")
        return Task(id="t", run=lambda: seen.append(k))

    ex = run_of(Ralph(id="r", max_iterations=4)[Inside()])
    ex.run_sync()
    assert seen == [1, 2, 3, 4], "in its first iteration a loop is in iteration 1"


@pytest.mark.parametrize("body", ["two tasks", "two steps", "nothing", "an effect", "text only below an if"])
def test_a_loop_waits_for_all_that_is_below_it(body: str, run_of: Any) -> None:
    order: list[str] = []
    bodies = {
        "two tasks": [task("a", order), task("b", order)],
        "two steps": [Step()[task("a", order)], Step()[task("b", order)]],
        "nothing": [],
        "an effect": [Effect(run=lambda: order.append("e"))],
        "text only below an if": [If(condition=False)[task("a", order)]],
    }
    ex = run_of(
        [Phase(name="1")[Ralph(id="r", max_iterations=3)[tuple(bodies[body])]], Phase(name="2")[task("z", order)]]
    )
    assert ex.run_sync().status == "finished"
    each = {"two tasks": 2, "two steps": 2, "an effect": 1}.get(body, 0)
    assert len(order) == 3 * each + 1
    if body == "an effect":
        assert "z" in order, "z starts in the frame of the last effect: their threads race"
    else:
        assert order[-1] == "z"
    if body == "two steps":
        assert order == ["a", "b"] * 3 + ["z"]
    assert loops_of(ex) == {"r": (3, "max_reached")}


def test_loops_nest_to_depth_3(run_of: Any) -> None:
    seen: list[tuple[int, ...]] = []

    @component
    def Body(ctx: Any) -> Any:
        k = tuple(ctx.iteration(id) for id in "abc")
        return Task(id="t", run=lambda: seen.append(k))

    ex = run_of(
        Ralph(id="a", max_iterations=2)[Ralph(id="b", max_iterations=3)[Ralph(id="c", max_iterations=2)[Body()]]]
    )
    assert ex.run_sync().status == "finished"
    assert len(seen) == 12
    assert seen == [(a, b, c) for a in (1, 2) for b in (1, 2, 3) for c in (1, 2)]
    assert loops_of(ex) == {"a": (2, "max_reached"), "b": (3, "max_reached"), "c": (2, "max_reached")}


def test_a_loop_in_each_item_of_an_each(run_of: Any) -> None:
    runs: dict[str, int] = {"x": 0, "y": 0, "z": 0}

    def run(name: str) -> None:
        runs[name] += 1

    app = Each(
        items=[("x", 1), ("y", 3), ("z", 2)],
        key=lambda item: item[0],
        render=lambda item: Ralph(id=f"loop {item[0]}", max_iterations=item[1])[Task(run=run, args=[item[0]])],
    )
    ex = run_of(app)
    assert ex.run_sync().status == "finished"
    assert runs == {"x": 1, "y": 3, "z": 2}
    assert loops_of(ex)["loop y"] == (3, "max_reached")


def test_a_task_that_fails_in_a_loop_stops_it(run_of: Any) -> None:
    runs: list[int] = []

    def fails() -> None:
        runs.append(1)
        if len(runs) == 2:
            raise ValueError("second time")

    ex = run_of(
        [Phase(name="1")[Ralph(id="r", max_iterations=5)[Task(id="t", run=fails)]], Phase(name="2")[task("z", [])]]
    )
    result = ex.run_sync()
    assert (result.status, len(runs), ex.tasks["r"], ex.tasks["z"]) == ("failed", 2, "failed", "pending")
    assert loops_of(ex)["r"][0] == 2


def test_a_task_that_fails_in_a_loop_and_is_handled_lets_it_go_on(run_of: Any) -> None:
    @component
    def App(ctx: Any) -> Any:
        return Ralph(id="r", until=ctx.state.get("n", 0) >= 3, max_iterations=9)[
            Task(id="t", run=lambda: 1 / 0, on_error=lambda r: ctx.state.update("n", lambda n: (n or 0) + 1))
        ]

    ex = run_of(App())
    assert (ex.run_sync().status, ex.state["n"]) == ("finished", 3)


def test_a_loop_that_was_over_and_comes_back_begins_at_1(run_of: Any) -> None:
    @component
    def App(ctx: Any) -> Any:
        return If(condition=ctx.state.get("on", True))[Ralph(id="r", max_iterations=2)[Task(id="t", run=lambda: 1)]]

    ex = run_of(App())
    ex.run_sync()
    for on in (False, True):
        ex.state.set("on", on)
        ex.run_sync()
    assert (ex.status, len(ex.df.tasks)) == ("finished", 4)


def test_a_bound_that_grows_lets_a_loop_that_reached_it_be(run_of: Any) -> None:
    """max_reached is an end: a later frame does not take it back."""

    @component
    def App(ctx: Any) -> Any:
        return Ralph(id="r", max_iterations=ctx.state.get("most", 2))[Task(id="t", run=lambda: 1)]

    ex = run_of(App())
    ex.run_sync()
    ex.state.set("most", 5)
    ex.run_sync()
    assert len(ex.df.tasks) == 2


@pytest.mark.parametrize("ends", [While, Ralph])
def test_an_agents_prompt_in_a_loop_reads_what_the_last_iteration_wrote(ends: Any, run_of: Any) -> None:
    model = scripted("1", "2", "3")

    @component
    def App(ctx: Any) -> Any:
        last = ctx.state.get("last", "0")
        goes = {"condition": last != "3"} if ends is While else {"until": last == "3"}
        return ends(id="w", **goes)[
            Claude(id="c", model=model, on_finished=lambda r: ctx.state.set("last", r.output))["after ", last]
        ]

    assert run_of(App()).run_sync().status == "finished"
    assert model.calls == ["after 0", "after 1", "after 2"]


# ---- order -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("most", [1, 3, 7])
def test_a_parallel_never_runs_more_than_it_may(most: int, run_of: Any) -> None:
    lock, now, peak = threading.Lock(), [0], [0]
    pause = threading.Event()

    def run() -> None:
        with lock:
            now[0] += 1
            peak[0] = max(peak[0], now[0])
        pause.wait(random.random() / 200)
        with lock:
            now[0] -= 1

    ex = run_of(Parallel(max_concurrency=most)[Phase(name="p")[[Task(key=str(n), run=run) for n in range(12)]]])
    assert ex.run_sync().status == "finished"
    assert peak[0] <= most and len(ex.df.tasks) == 12


def test_a_sequence_orders_whatever_stands_in_it(run_of: Any) -> None:
    order: list[str] = []
    ex = run_of(
        Sequence()[
            task("1", order),
            Parallel()[Step()[task("2", order)]],
            Ralph(id="r", max_iterations=2)[task("3", order)],
            Each(items=["4"], key=lambda i: i, render=lambda i: task(i, order)),
            Switch(value=1)[Case(equals=1)[task("5", order)]],
            Effect(run=lambda: order.append("e")),
            Phase(name="x")[task("6", order)],
            Sequence()[task("7", order), task("8", order)],
        ]
    )
    assert ex.run_sync().status == "finished"
    assert [name for name in order if name != "e"] == ["1", "2", "3", "3", "4", "5", "6", "7", "8"]
    # An effect waits for its turn and holds nobody up: task 6 starts in EXECUTE of the same frame.
    assert order.index("e") > order.index("5")


# ---- Stop and End ----------------------------------------------------------------------------------------------

ENDINGS: dict[str, tuple[Any, str, str, Any]] = {
    "Stop": (Stop, "stopped", "a Stop was reached", None),
    "Stop with a reason": (lambda: Stop(reason="enough"), "stopped", "enough", None),
    "End": (End, "finished", "an End was reached", None),
    "End with a value": (lambda: End(message="done", value={"a": [1]}), "finished", "done", {"a": [1]}),
}


@pytest.mark.parametrize(("node", "status", "reason", "value"), ENDINGS.values(), ids=ENDINGS)
def test_an_ending_ends_the_execution(
    node: Any, status: str, reason: str, value: Any, run_of: Any, resumed: Any
) -> None:
    app = [Phase(name="1")[Task(id="a", run=lambda: 1)], Phase(name="2")[node()]]
    ex = run_of(app)
    result = ex.run_sync()
    assert (result.status, result.reason, ex.result, ex.over) == (status, reason, value, True)
    row = ex.df.executions.iloc[0]
    assert (row.status, row.reason) == (status, reason)


@pytest.mark.parametrize("kind", ["thread", "coroutine", "pending", "approval"])
@pytest.mark.parametrize("node", [Stop, End])
def test_an_ending_cancels_what_is_under_way(node: Any, kind: str, run_of: Any, gate: Any) -> None:
    one = gate()
    fired: list[str] = []
    hooks = {"on_finished": lambda r: fired.append("finished"), "on_error": lambda r: fired.append("error")}
    other = {
        "thread": lambda: Task(id="o", run=one.passed_in_thread, **hooks),
        "coroutine": lambda: Task(id="o", run=one.passed, **hooks),
        "pending": lambda: Parallel(max_concurrency=1)[Task(id="x", run=one.passed), Task(id="o", run=len, **hooks)],
        "approval": lambda: Approval(id="o", prompt="?", **hooks),
    }[kind]

    @component
    def App(ctx: Any) -> Any:
        return [other(), If(condition=ctx.state.get("end", False))[node()]]

    ex = run_of(App())
    ex.step_sync()
    ex.state.set("end", True)
    if kind == "thread":
        # A thread can't be interrupted: ending must not wait for it for ever.
        threading.Timer(0.2, one.open).start()
    result = ex.run_sync()
    assert result.status == ("stopped" if node is Stop else "finished")
    assert fired == []
    assert set(ex.df.tasks.status) <= {"cancelled"}, ex.df.tasks.status
    assert ex.running == 0


ORDER_OF_ENDS: dict[str, tuple[Any, list[str]]] = {
    "as last sibling after phases": (lambda t: [Phase(name="1")[t("a")], Phase(name="2")[t("b")], End()], ["a", "b"]),
    "in a later phase": (lambda t: [Phase(name="1")[t("a")], Phase(name="2")[End(), t("b")]], ["a"]),
    "between phases": (lambda t: [Phase(name="1")[t("a")], End(), Phase(name="2")[t("b")]], ["a"]),
    "as last of a sequence": (lambda t: Sequence()[t("a"), t("b"), End()], ["a", "b"]),
    "in a later step": (lambda t: Phase(name="1")[Step()[t("a")], Step()[End()], Step()[t("b")]], ["a"]),
    "below a false if": (lambda t: [If(condition=False)[End()], t("a")], ["a"]),
    "after a loop": (lambda t: Sequence()[Ralph(id="r", max_iterations=2)[t("a")], End()], ["a", "a"]),
}


@pytest.mark.parametrize(("app", "ran"), ORDER_OF_ENDS.values(), ids=ORDER_OF_ENDS)
def test_an_ending_waits_for_its_turn(app: Any, ran: list[str], run_of: Any) -> None:
    started: list[str] = []
    ex = run_of(app(lambda name: task(name, started)))
    assert ex.run_sync().status == "finished"
    assert started == ran


def test_the_writes_of_the_last_frame_are_applied(run_of: Any) -> None:
    @component
    def App(ctx: Any) -> Any:
        return [
            Task(id="a", run=lambda: 1, on_finished=lambda r: ctx.state.set("done", True)),
            If(condition=ctx.state.get("done", False))[
                End(value=ctx.state.get("done")), Effect(run=lambda: ctx.state.set("effect", 1))
            ],
        ]

    ex = run_of(App())
    assert (ex.run_sync().status, ex.result, ex.state["effect"]) == ("finished", True, 1)


CUT_SHORT: dict[str, tuple[Any, list[tuple[str, str]]]] = {
    "an approval beside an End": (lambda: [Approval(id="ok", prompt="?"), End()], [("ok", "error")]),
    "an approval beside a Stop, in a Phase": (
        lambda: Phase(name="p")[Stop(), Approval(id="ok", prompt="?")],
        [("ok", "error")],
    ),
    "an approval beside an End, when its turn comes": (
        lambda: [Phase(name="1")[Task(id="a", run=int)], Phase(name="2")[Approval(id="ok", prompt="?"), End()]],
        [("ok", "error")],
    ),
    "an approval beside an End, after a loop": (
        lambda: Sequence()[Ralph(id="r")[Task(id="a", run=int)], Parallel()[Approval(id="ok", prompt="?"), End()]],
        [("ok", "error")],
    ),
    "a task beside an End": (lambda: Parallel()[Task(id="a", run=len), End()], [("a", "hint")]),
    "an approval before an End": (lambda: [Phase(name="p")[Approval(id="ok", prompt="?")], End()], []),
    "an approval before an End, in a sequence": (lambda: Sequence()[Approval(id="ok", prompt="?"), End()], []),
    "an approval after an End": (lambda: Sequence()[End(), Approval(id="ok", prompt="?")], []),
    "a phase after an early End": (
        lambda: [If(condition=True)[End()], Phase(name="p")[Approval(id="ok", prompt="?")]],
        [],
    ),
    "no end": (lambda: [Approval(id="ok", prompt="?"), If(condition=False)[End()]], []),
}


@pytest.mark.parametrize(("app", "expected"), CUT_SHORT.values(), ids=CUT_SHORT)
def test_lint_foresees_what_an_ending_cuts_short(app: Any, expected: list[tuple[str, str]], run_of: Any) -> None:
    ex = run_of(app())
    ex.step_sync()
    found = [(problem.node_id, problem.severity) for problem in ex.lint() if problem.kind == "EndsTooEarly"]
    assert found == expected


def test_lint_says_afterwards_what_an_ending_kept_from_starting(run_of: Any) -> None:
    ex = run_of([Approval(id="ok", prompt="?"), End(id="done")])
    ex.run_sync()
    [problem] = ex.lint()
    assert "approval ok is never asked: the End done ends the execution when its turn comes." in problem.message


def test_lint_foresees_which_running_task_is_cancelled(run_of: Any) -> None:
    @component
    def App(ctx: Any) -> Any:
        return [Approval(id="ok", prompt="?"), If(condition=ctx.state["end"])[End()]]

    ex = run_of(App(), state={"end": False})
    ex.step_sync()
    assert ex.lint() == []
    ex.state.set("end", True)
    ex.step_sync()
    assert [problem.message.partition(".")[0] for problem in ex.lint()] == [
        "approval ok is cancelled: the End does not wait for it"
    ]


def test_a_phase_after_an_ending_has_no_turn(run_of: Any) -> None:
    """Its effects ran, and it stood as running, in the frame in which the execution ended."""
    ran: list[str] = []
    ex = run_of([End(), Phase(name="p", id="p")[Effect(id="e", run=lambda: ran.append("e"))]])
    ex.run_sync()
    assert (ran, ex.tasks["p"]) == ([], "pending")


def test_the_first_of_two_endings_counts(run_of: Any) -> None:
    ex = run_of([Stop(reason="first"), End(message="second")])
    assert (ex.run_sync().status, ex.reason) == ("stopped", "first")


# ---- guards ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("period", [4, 7])
def test_a_run_that_comes_round_is_stalled_and_loses_nothing(period: int, run_of: Any) -> None:
    """A short round is found by the effect's own guard; a longer one only by the same plan over the same state."""

    @component
    def App(ctx: Any) -> Any:
        x = ctx.state.get("x", 0)
        return [
            Task(id="once", run=lambda: 1, on_finished=lambda r: ctx.state.set("kept", r.output)),
            If(condition=not ctx.state.get("quiet"))[
                Effect(id="round", deps=[x], run=lambda: ctx.state.set("x", (x + 1) % period))
            ],
        ]

    ex = run_of(App())
    result = ex.run_sync(max_frames=100)
    assert (result.status, ex.over) == ("stalled", True)
    assert "same plan over the same state" in result.reason and "state x" in result.reason
    [problem] = result.problems
    assert problem.kind == "StalledError" and f"as frame {ex.frame.number - period}," in problem.message
    assert ex.df.events.query("kind == 'problem'").frame.tolist() == [ex.frame.number]
    assert ex.df.executions.status[0] == "stalled"
    assert ex.state["kept"] == 1 and ex.state["x"] in range(period)
    ex.state.set("quiet", True)
    assert ex.run_sync().status == "finished"


def test_an_effect_that_goes_to_and_fro_is_named(run_of: Any) -> None:
    @component
    def App(ctx: Any) -> Any:
        x = ctx.state.get("x", 0)
        return Effect(id="flip", deps=[x], run=lambda: ctx.state.set("x", 1 - x))

    problems = run_of(App()).run_sync(max_frames=60).problems
    assert [(problem.kind, problem.node_id) for problem in problems][:1] == [("EffectLoopError", "flip")]


def test_a_counter_that_never_comes_round_is_not_stalled(run_of: Any) -> None:
    @component
    def App(ctx: Any) -> Any:
        x = ctx.state.get("x", 0)
        return Effect(id="up", deps=[x], run=lambda: ctx.state.set("x", x + 1) if x < 50 else None)

    ex = run_of(App())
    assert (ex.run_sync().status, ex.state["x"]) == ("finished", 50)


def test_a_plan_that_comes_round_over_a_new_state_is_not_stalled(run_of: Any) -> None:
    @component
    def App(ctx: Any) -> Any:
        x = ctx.state.get("x", 0)
        return Effect(id="up", deps=[x % 5], run=lambda: ctx.state.update("x", lambda x: (x or 0) + 1))

    ex = run_of(App())
    result = ex.run_sync(max_frames=40)
    assert (result.status, result.problems, ex.state["x"]) == ("paused", (), 39)


@pytest.mark.parametrize("most", [1, 2, 5])
def test_max_frames_ends_a_run_and_another_run_goes_on(most: int, run_of: Any) -> None:
    @component
    def App(ctx: Any) -> Any:
        n = ctx.state.get("n", 0)
        return Task(key=str(n), run=lambda: 1, on_finished=lambda r: ctx.state.set("n", n + 1))

    ex = run_of(App())
    for _ in range(3):
        result = ex.run_sync(max_frames=most)
        assert (result.frames, result.status) == (most, "paused")
        assert f"max_frames={most}" in result.reason
    assert list(ex.df.frames.frame) == list(range(1, 3 * most + 1))


UNTIL: dict[str, tuple[Any, str]] = {
    "a predicate": (lambda frame: frame.number >= 4, "condition of until="),
    "a state key": ("three", "state key 'three'"),
    "an expression over state": ("state['n'] >= 3", "state['n'] >= 3"),
    "an expression over the frame": ("frame.number == 5", "frame.number == 5"),
}


@pytest.mark.parametrize(("until", "why"), UNTIL.values(), ids=UNTIL)
def test_a_run_stops_at_the_rest_where_until_holds(until: Any, why: str, run_of: Any) -> None:
    @component
    def App(ctx: Any) -> Any:
        n = ctx.state.get("n", 0)

        def count(_: Any) -> None:
            ctx.state.set("n", n + 1)
            ctx.state.set("three", n + 1 >= 3)

        return Task(key=str(n), run=lambda: 1, on_finished=count)

    ex = run_of(App(), state={"n": 0})
    result = ex.run_sync(until=until, max_frames=50)
    assert result.frames < 50 and result.status == "paused"
    assert why in result.reason
    assert result.frame.phase == "EFFECTS"


@pytest.mark.parametrize("until", ["state[", "1 +", "import os", ""])
def test_an_until_that_is_no_expression_is_refused(until: str, run_of: Any) -> None:
    ex = run_of(task("a", []))
    with pytest.raises(ValueError, match="until="):
        ex.run_sync(until=until)
    assert ex.run_sync().status == "finished"


def test_an_until_that_raises_leaves_the_execution_usable(run_of: Any) -> None:
    ex = run_of(task("a", []))
    with pytest.raises(KeyError):
        ex.run_sync(until="state['missing'] > 1")
    assert ex.run_sync().status == "finished"


# ---- many ------------------------------------------------------------------------------------------------------


def test_a_thousand_tasks_in_any_order_add_up(run_of: Any) -> None:
    import asyncio

    async def run(n: int) -> int:
        await asyncio.sleep(random.random() / 10)
        return n

    @component
    def App(ctx: Any) -> Any:
        def add(_: Any) -> None:
            ctx.state.update("sum", lambda old: old + 1)

        return Parallel()[[Task(key=str(n), run=run, args=[n], on_finished=add) for n in range(1000)]]

    ex = run_of(App(), state={"sum": 0})
    result = ex.run_sync()
    assert (result.status, ex.state["sum"], ex.running) == ("finished", 1000, 0)
    assert result.frames < 200
    assert set(ex.df.tasks.status) == {"succeeded"} and ex.df.tasks.settled_at_frame.notna().all()
    assert len(ex.df.handlers) == 1000
