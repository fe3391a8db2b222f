"""Writes: in which order they apply, what becomes of each, and what is refused."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from pydantic import BaseModel

from smithers_nb import Effect, Step, Task, component
from smithers_nb.errors import NotStorableError, RunError
from smithers_nb.execution import run_behind


class Note(BaseModel):
    title: str
    tags: list[str] = []


def outcome(ex: Any) -> list[tuple[Any, ...]]:
    """Every transition as (origin, op, new, status), in order."""
    df = ex.df.transitions
    return list(zip(df.origin, df.op, df.new, df.status, strict=True))


def handled(*writers: Any, **state: Any) -> Any:
    """An app of one task per writer; the writers are the handlers, and are called with ctx."""

    @component
    def App(ctx: Any) -> Any:
        return [
            Task(id=f"t{n}", run=lambda: 1, on_finished=lambda r, ctx, write=write: write(ctx))
            for n, write in enumerate(writers)
        ]

    return App()


def one_frame(ex: Any) -> Any:
    """Step to the frame in which all tasks have ended, so that all handlers are called together."""
    idle = threading.Event()
    ex.step_sync()
    run_behind(ex).observe(lambda: idle.set() if ex.running == 0 else None)
    assert ex.running == 0 or idle.wait(60)
    return ex.step_sync()


def plus(n: int) -> Any:
    return lambda ctx: ctx.state.update("x", lambda old: (old or 0) + n)


def to(value: Any) -> Any:
    return lambda ctx: ctx.state.set("x", value)


def gone(ctx: Any) -> None:
    ctx.state.delete("x")


def first(value: Any) -> Any:
    return lambda ctx: ctx.state.init("x", value)


SEVERAL: dict[str, tuple[list[Any], Any, list[str]]] = {
    "three + 1": ([plus(1)] * 3, 3, ["applied"] * 3),
    "the last one wins": ([to(1), to(2), to(3)], 3, ["overridden", "overridden", "applied"]),
    "an update builds on what was set": ([to(5), plus(1)], 6, ["applied", "applied"]),
    "a set buries an update": ([plus(1), to(5)], 5, ["overridden", "applied"]),
    "the same value is no change": ([to(1), to(1)], 1, ["applied", "noop"]),
    "nothing to delete": ([gone], None, ["noop"]),
    "set and gone": ([to(1), gone], None, ["overridden", "applied"]),
    "gone and set": ([to(1), gone, to(2)], 2, ["overridden", "overridden", "applied"]),
    "the first init counts": ([first(1), first(2)], 1, ["applied", "noop"]),
    "init yields to a value": ([to(7), first(1)], 7, ["applied", "noop"]),
    "an update to the same": ([to(1), plus(0)], 1, ["applied", "noop"]),
}


@pytest.mark.parametrize(("writers", "value", "statuses"), SEVERAL.values(), ids=SEVERAL)
def test_several_writes_to_a_key_apply_in_turn(writers: Any, value: Any, statuses: list[str], run_of: Any) -> None:
    ex = run_of(handled(*writers))
    assert len(one_frame(ex).handlers) == len(writers)
    ex.run_sync()
    assert ex.state.get("x") == value
    assert [row[3] for row in outcome(ex)] == statuses
    assert list(ex.df.transitions.seq) == list(range(1, len(writers) + 1))


def test_every_write_knows_the_value_before_and_after(run_of: Any) -> None:
    ex = run_of(handled(to(5), plus(1), gone))
    one_frame(ex)
    ex.run_sync()
    df = ex.df.transitions
    assert list(zip(df.old, df.new, strict=True)) == [(None, 5), (5, 6), (6, None)]
    assert list(df.node_id) == ["t0", "t1", "t2"]
    assert set(df.handler) == {"on_finished"}
    assert list(df.trigger) == ["t0 succeeded", "t1 succeeded", "t2 succeeded"]


def test_first_values_then_operators_then_handlers_then_effects(run_of: Any) -> None:
    @component
    def App(ctx: Any) -> Any:
        if ctx.frame > 1:
            ctx.state.init("x", ["init"])

        def add(who: str) -> Any:
            return lambda: ctx.state.update("x", lambda old: [*(old or []), who])

        return [
            ctx.frame > 1 and Effect(id="e", run=add("effect")),
            Task(id="t", run=lambda: 1, on_finished=lambda r: add("handler")()),
        ]

    ex = run_of(App())
    ex.step_sync()
    ex.step_sync()
    ex.state.update("x", lambda old: [*(old or []), "operator 1"])
    ex.state.update("x", lambda old: [*(old or []), "operator 2"])
    before = [(w.origin, w.key) for w in ex.pending]
    ex.run_sync()
    assert before == [("init", "x"), ("operator", "x"), ("operator", "x"), ("handler", "x"), ("effect", "x")]
    assert ex.state["x"] == ["init", "operator 1", "operator 2", "handler", "effect"]


def test_people_apply_before_tasks_whichever_wrote_first(run_of: Any, gate: Any) -> None:
    written = gate()

    @component
    def App(ctx: Any) -> Any:
        async def write() -> int:
            ctx.state.update("x", lambda old: [*old, "task"])
            await written.passed()
            return 1

        return Task(id="t", run=write)

    ex = run_of(App(), state={"x": []})
    ex.step_sync()
    written.reached()
    ex.state.update("x", lambda old: [*old, "operator"])
    assert [write.origin for write in ex.pending] == ["operator", "task"]
    written.open()
    ex.run_sync()
    assert ex.state["x"] == ["operator", "task"]


def test_handlers_and_effects_apply_in_document_order(run_of: Any) -> None:
    @component
    def App(ctx: Any) -> Any:
        def add(who: str) -> Any:
            return lambda *_: ctx.state.update("x", lambda old: [*(old or []), who])

        return [
            [Effect(id=f"e{n}", run=add(f"e{n}")), Task(id=f"t{n}", run=lambda: 1, on_finished=add(f"t{n}"))]
            for n in (2, 1, 3)
        ]

    ex = run_of(App())
    one_frame(ex)
    ex.run_sync()
    assert ex.state["x"] == ["e2", "e1", "e3", "t2", "t1", "t3"]


def test_handlers_fire_in_the_document_order_of_their_frame_not_in_that_of_their_start(
    run_of: Any, gate: Any, wait_until: Any
) -> None:
    """The keyed tasks have changed places since they were started."""
    gates = {name: gate() for name in "abc"}
    fired: list[str] = []

    @component
    def App(ctx: Any) -> Any:
        order = ctx.state.get("order", "abc")
        return [
            Task(id=name, key=name, run=gates[name].passed_in_thread, on_finished=lambda r: fired.append(r.node_id))
            for name in order
        ]

    ex = run_of(App())
    ex.step_sync()
    ex.state.set("order", "cab")
    for one in gates.values():
        one.reached()
    ex.step_sync()
    for one in gates.values():
        one.open()
    wait_until(lambda: set(ex.tasks.values()) == {"succeeded"})
    ex.step_sync()
    assert fired == ["c", "a", "b"]


def test_a_handler_that_raises_rolls_back_only_itself(run_of: Any) -> None:
    def bad(ctx: Any) -> None:
        ctx.state.set("x", "lost")
        ctx.state.set("y", "lost")
        raise ValueError("no good")

    ex = run_of(handled(to(1), bad, plus(1)))
    frame = one_frame(ex)
    assert [call.status for call in frame.handlers] == ["ok", "raised", "ok"]
    assert [call.writes for call in frame.handlers] == [1, 2, 1]
    assert "ValueError: no good" in frame.handlers[1].error
    assert [w.status for w in frame.pending] == ["queued", "rolled_back", "rolled_back", "queued"]
    [problem] = frame.problems
    assert (problem.kind, problem.node_id, problem.phase) == ("HandlerError", "t1", "EXECUTE")
    assert "no good" in problem.message
    assert f"frame {frame.number}, test_writes.py:" in problem.message
    assert problem.source.startswith("test_writes.py:")
    assert ex.run_sync().status == "finished"
    assert dict(ex.state) == {"x": 2}
    assert [row[3] for row in outcome(ex)] == ["applied", "rolled_back", "rolled_back", "applied"]
    assert list(ex.df.handlers.status) == ["ok", "raised", "ok"]


def test_an_update_that_raises_at_flush_rolls_back_its_handler(run_of: Any) -> None:
    def bad(ctx: Any) -> None:
        ctx.state.set("y", "lost")
        ctx.state.update("x", lambda old: old["nothing"])

    ex = run_of(handled(to(1), bad, plus(1)))
    assert [call.status for call in one_frame(ex).handlers] == ["ok", "ok", "ok"]
    frame = ex.step_phase_sync()
    assert [call.status for call in frame.handlers] == ["ok", "raised", "ok"]
    assert [(p.kind, p.phase, p.node_id) for p in frame.problems] == [("HandlerError", "FLUSH", "t1")]
    assert dict(ex.state) == {"x": 2}
    ex.run_sync()
    assert list(ex.df.handlers.status) == ["ok", "raised", "ok"]
    assert [row[3] for row in outcome(ex)] == ["applied", "rolled_back", "rolled_back", "applied"]


def test_an_update_that_returns_what_cannot_be_stored_rolls_back_its_handler(run_of: Any) -> None:
    ex = run_of(handled(lambda ctx: ctx.state.update("x", lambda old: {object()})), state={"x": 0})
    ex.run_sync()
    assert ex.state["x"] == 0
    assert list(ex.df.handlers.status) == ["raised"]
    assert "NotStorableError" in ex.df.handlers.error[0]


def test_a_handlers_reads_see_its_own_writes(run_of: Any) -> None:
    seen: list[Any] = []

    def handler(ctx: Any) -> None:
        ctx.state.set("a", 1)
        ctx.state.update("a", lambda old: old + 1)
        ctx.state["b"] = 2
        del ctx.state["c"]
        seen.append((ctx.state["a"], ctx.state.keys(), "c" in ctx.state, ctx.state.get("c", "gone"), len(ctx.state)))

    ex = run_of(handled(handler), state={"c": 3})
    ex.run_sync()
    assert seen == [(2, ["a", "b"], False, "gone", 2)]
    assert dict(ex.state) == {"a": 2, "b": 2}


def test_a_list_that_is_changed_after_it_was_set_is_stored_as_it_was(run_of: Any) -> None:
    def handler(ctx: Any) -> None:
        value = [1]
        ctx.state.set("x", value)
        value.append(2)

    ex = run_of(handled(handler))
    ex.run_sync()
    assert ex.state["x"] == [1]


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


def circular() -> Any:
    value: list[Any] = []
    value.append(value)
    return value


UNSTORABLE: dict[str, Any] = {
    "nan": float("nan"),
    "nan inside": {"a": [float("nan")]},
    "infinity": float("inf"),
    "int keys": {1: "a"},
    "int keys inside": [{"a": {1: "a"}}],
    "deep": nested(100_000),
    "circular": circular(),
    "lone surrogate": "\ud800",
    "lone surrogate inside": {"\udfff": 1},
    "object": object(),
    "function": len,
    "class": Note,
    "object inside a tuple": (1, object()),
}


@pytest.mark.parametrize("value", UNSTORABLE.values(), ids=UNSTORABLE)
def test_a_value_that_would_not_come_back_is_refused_when_it_is_set(value: Any, run_of: Any) -> None:
    caught: list[NotStorableError] = []

    def handler(ctx: Any) -> None:
        try:
            ctx.state.set("the_key", value)
        except NotStorableError as error:
            caught.append(error)

    ex = run_of(handled(handler))
    ex.run_sync()
    [error] = caught
    for word in ("'the_key'", type(value).__name__, "on_finished of t0"):
        assert word in str(error)
    assert len(ex.state) == 0


@pytest.mark.parametrize("value", UNSTORABLE.values(), ids=UNSTORABLE)
def test_a_person_is_told_at_once_too(value: Any, run_of: Any) -> None:
    ex = run_of(Step())
    with pytest.raises(NotStorableError, match=r"'the_key'.*operator"):
        ex.state.set("the_key", value)
    assert ex.pending == ()


@pytest.mark.parametrize("key", [5, None, b"x", ("a",), ["a"], "\ud800"], ids=ascii)
def test_a_key_that_is_no_text_is_refused_when_it_is_set(key: Any, run_of: Any) -> None:
    """Else every FLUSH from now on would fail, or the key would come back as another."""
    ex = run_of(Step())
    with pytest.raises((NotStorableError, TypeError)):
        ex.state.set(key, 1)
    assert ex.pending == ()


def test_a_first_state_that_cannot_be_stored_is_refused(tmp_path: Any, run_of: Any) -> None:
    with pytest.raises(NotStorableError, match=r"'x'.*set"):
        run_of(Step(), state={"x": {len}})


STORABLE: dict[str, Any] = {
    "none": None,
    "true": True,
    "one": 1,
    "one point": 1.0,
    "minus": -0.5,
    "big": 10**40,
    "empty": "",
    "text": "Übung 🌊 \x00 \n 'quoted'",
    "list": [1, [2, {"a": None}]],
    "dict": {"": {"b": []}},
    "model": Note(title="a", tags=["x"]),
    "almost too deep": nested(200),
}


@pytest.mark.filterwarnings("ignore::smithers_nb.errors.AppChangedWarning")
@pytest.mark.parametrize("value", STORABLE.values(), ids=STORABLE)
def test_a_value_comes_back_equal_and_of_its_type(value: Any, run_of: Any, resumed: Any) -> None:
    ex = run_of(handled(to(value)))
    ex.run_sync()
    assert (ex.state["x"], type(ex.state["x"])) == (value, type(value))
    ex.close()
    again = resumed(Step())
    assert (again.state["x"], type(again.state["x"])) == (value, type(value))


def test_init_writes_once_and_only_where_nothing_is(run_of: Any) -> None:
    seen = []

    @component
    def App(ctx: Any) -> Any:
        ctx.state.init("x", "first")
        ctx.state.init("x", "second")
        ctx.state.init("there", "not this")
        seen.append(ctx.state.get("x"))

    ex = run_of(App(), state={"there": 1})
    frame = ex.step_sync()
    assert [(w.key, w.op, w.origin, w.origin_id) for w in frame.pending] == [("x", "init", "init", "App")]
    ex.run_sync()
    assert seen == [None, "first"]
    assert dict(ex.state) == {"x": "first", "there": 1}


def test_an_init_that_cannot_be_stored_is_refused_while_rendering(run_of: Any) -> None:
    @component
    def App(ctx: Any) -> Any:
        ctx.state.init("x", {len})

    with pytest.raises(NotStorableError, match=r"'x'.*set.*App"):
        run_of(App()).step_sync()


def test_a_write_after_the_handler_has_ended_is_refused(run_of: Any) -> None:
    later: list[Any] = []

    def handler(ctx: Any) -> None:
        import contextvars

        context = contextvars.copy_context()
        later.append(lambda: context.run(ctx.state.set, "x", 1))

    ex = run_of(handled(handler))
    ex.run_sync()
    with pytest.raises(RunError, match="'x' was written after on_finished of t0 had ended"):
        later[0]()


@pytest.mark.parametrize("value", [1, None, "text"])
def test_update_takes_a_function(value: Any, run_of: Any) -> None:
    with pytest.raises(TypeError, match="use set"):
        run_of(Step()).state.update("x", value)


# ---- operators -------------------------------------------------------------------------------------------------


def shows_x() -> Any:
    @component
    def App(ctx: Any) -> Any:
        return Step(name=str(ctx.state.get("x")))

    return App()


def test_an_operators_write_before_the_first_frame_is_in_it(run_of: Any) -> None:
    ex = run_of(shows_x())
    ex.state.set("x", 1)
    assert ex.step_sync().xml == '<step name="1"/>'


def test_an_operators_write_at_rest_is_in_the_next_frame(run_of: Any) -> None:
    ex = run_of(shows_x())
    assert ex.step_sync().xml == '<step name="None"/>'
    ex.state.set("x", 1)
    assert [(w.key, w.origin, w.trigger) for w in ex.pending] == [("x", "operator", "by hand")]
    assert ex.step_sync().xml == '<step name="1"/>'


def test_an_operators_write_after_the_end_makes_a_new_frame(run_of: Any) -> None:
    ex = run_of(shows_x())
    assert ex.run_sync().status == "finished"
    for value in (1, 2, 3):
        ex.state.set("x", value)
        result = ex.run_sync()
        assert (result.status, result.frames, result.frame.xml) == ("finished", 1, f'<step name="{value}"/>')
    assert ex.frame.reason == ("state x",)
    assert ex.step_sync().number == 4


def test_writes_after_the_end_that_change_nothing_make_no_frame_and_are_recorded(run_of: Any) -> None:
    ex = run_of(shows_x(), state={"x": 1})
    ex.run_sync()
    for _ in range(2):
        ex.state.set("x", 1)
        result = ex.run_sync()
        assert (result.status, result.frames) == ("finished", 0)
    assert [row[3] for row in outcome(ex)] == ["applied", "noop", "noop"]


def test_writes_before_and_after_the_flush_of_one_frame_are_all_recorded(run_of: Any) -> None:
    """The frame's own write and one that comes between it and the next belong to the same frame number."""

    @component
    def App(ctx: Any) -> Any:
        return Effect(run=lambda: ctx.state.set("x", 1))

    ex = run_of(App(), state={"x": 1})
    assert ex.run_sync().status == "finished"
    ex.state.set("x", 2)
    assert ex.run_sync().status == "finished"
    assert [row[2:] for row in outcome(ex)] == [(1, "applied"), (1, "noop"), (2, "applied")]


def test_an_operators_update_that_raises_is_rolled_back_and_the_run_goes_on(run_of: Any) -> None:
    ex = run_of(shows_x(), state={"x": 1})
    ex.step_sync()
    ex.state.update("x", lambda old: old / 0)
    frame = ex.step_phase_sync()
    assert any("ZeroDivisionError" in problem.message for problem in frame.problems)
    assert ex.run_sync().status == "finished"
    assert ex.state["x"] == 1


def test_operators_on_many_threads_lose_nothing(run_of: Any) -> None:
    ex = run_of(shows_x(), state={"x": 0})
    ex.step_sync()

    def add() -> None:
        for _ in range(25):
            ex.state.update("x", lambda old: old + 1)

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        ex.step_sync()
        thread.join()
    ex.run_sync()
    assert ex.state["x"] == 100
    assert ex.df.transitions.duplicated(["frame", "seq"]).sum() == 0
