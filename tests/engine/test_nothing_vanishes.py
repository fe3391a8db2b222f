"""What user code does to the state has an effect, or is told: nothing vanishes without a word."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from smithers_nb import Approval, Claude, Effect, Step, Task, call_tool, component, scripted
from smithers_nb.errors import StoreBusyError, StoreError
from smithers_nb.store import connection

STATE = {"list": [1], "dict": {"a": [1]}, "n": 1}


def kinds(problems: Any) -> list[str]:
    return [problem.kind for problem in problems]


# ---- problems that FLUSH finds ---------------------------------------------------------------------------------


def raises(_: Any) -> Any:
    raise ValueError("no such number")


def unstorable(_: Any) -> Any:
    return object()


def in_a_handler(ctx: Any, write: Callable[[Any], None]) -> Any:
    return Task(id="t", run=lambda: 1, on_finished=lambda _: write(ctx))


def in_an_effect(ctx: Any, write: Callable[[Any], None]) -> Any:
    return Effect(id="t", run=lambda: write(ctx))


def in_a_cleanup(ctx: Any, write: Callable[[Any], None]) -> Any:
    on = ctx.state.get("on", True)
    away = Effect(id="away", run=lambda: ctx.state.set("on", False))
    return [away, Effect(id="t", run=lambda: None, cleanup=lambda: write(ctx)) if on else None]


def in_a_task(ctx: Any, write: Callable[[Any], None]) -> Any:
    return Task(id="t", run=lambda: write(ctx))


def in_a_tool(ctx: Any, write: Callable[[Any], None]) -> Any:
    def tool() -> str:
        write(ctx)
        return "done"

    return Claude(id="t", model=scripted(call_tool("tool"), "done"), tools=[tool])["go"]


PLACES = {
    "handler": (in_a_handler, "HandlerError"),
    "effect": (in_an_effect, "EffectError"),
    "cleanup": (in_a_cleanup, "EffectError"),
    "task": (in_a_task, "RunError"),
}
UPDATES: dict[str, tuple[Callable[[Any], None], str]] = {
    "raises": (lambda ctx: ctx.state.update("n", raises), "no such number"),
    "can't be stored": (lambda ctx: ctx.state.update("n", unstorable), "can't hold this object"),
    "volatile": (lambda ctx: ctx.vol.update("n", raises), "no such number"),
    "in place": (lambda ctx: ctx.state.update("list", lambda v: v.append(2)), "[*value, item]"),
}


@pytest.mark.parametrize(("write", "words"), UPDATES.values(), ids=UPDATES)
@pytest.mark.parametrize(("place", "kind"), PLACES.values(), ids=PLACES)
def test_an_update_that_fails_is_among_the_problems(place: Any, kind: str, write: Any, words: str, run_of: Any) -> None:
    @component
    def App(ctx: Any) -> Any:
        return place(ctx, write)

    ex = run_of(App(), state=STATE)
    result = ex.run_sync()
    assert (result.status, kinds(result.problems)) == ("finished", [kind])
    problem = result.problems[0]
    assert words in problem.message
    assert (problem.node_id, problem.phase) == ("t", "FLUSH")
    assert problem.source.startswith("test_nothing_vanishes.py:")
    assert dict(ex.state) | {"on": None} == STATE | {"on": None}
    assert kinds(ex.run_sync().problems) == [], "it is told once"
    rows = [*ex.df.handlers.status, *ex.df.effects[ex.df.effects.node_id == "t"].status]
    assert ("raised" in rows) == (kind != "RunError")


def test_a_person_who_writes_an_update_that_fails_is_told(run_of: Any) -> None:
    ex = run_of(Step())
    for early in (True, False):
        ex.state.update("n", raises)
        result = ex.run_sync()
        assert kinds(result.problems) == ["RunError"], f"before the first frame: {early}"
        assert "operator raised ValueError: no such number" in result.problems[0].message
    assert kinds(ex.frame.problems) == ["RunError"]
    ex.state.update("n", raises)
    assert kinds(ex.step_sync().problems) == ["RunError", "RunError"]


def test_a_step_says_what_the_flush_before_it_has_found(run_of: Any) -> None:
    @component
    def App(ctx: Any) -> Any:
        return in_a_handler(ctx, lambda ctx: ctx.state.update("n", raises))

    ex = run_of(App())
    found = [kinds(ex.step_sync().problems) for _ in range(4)]
    assert [kind for kind in found if kind] == [["HandlerError"]]


@pytest.mark.parametrize("place", ["in a frame", "between two frames"])
def test_a_problem_is_recorded_once_although_the_flush_was_tried_again(
    place: str, run_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = connection.Database.transaction
    failed: list[str] = []

    async def busy(self: Any, work: Any, *args: Any, **named: Any) -> Any:
        if work.__name__ == "flush_frame" and not failed:
            failed.append(work.__name__)
            raise StoreBusyError("t.db is locked")
        return await original(self, work, *args, **named)

    ex = run_of(Task(id="t", run=lambda: 1, on_finished=raises if place == "in a frame" else None))
    if place == "in a frame":
        while ex.frame is None or not ex.frame.problems:
            ex.step_sync()
    else:
        ex.run_sync()
        ex.state.update("n", raises)
    monkeypatch.setattr(connection.Database, "transaction", busy)
    with pytest.raises(StoreBusyError):
        ex.run_sync()
    ex.run_sync()
    assert failed
    assert list(ex.df.events.kind) == ["problem"]


# ---- changes in place ------------------------------------------------------------------------------------------

KEPT: dict[str, tuple[Any, Any]] = {
    "None for a list": (lambda ctx: ctx.state.update("list", lambda v: None), None),
    "None for a number": (lambda ctx: ctx.state.update("n", lambda v: None), None),
    "None where nothing was": (lambda ctx: ctx.state.update("new", lambda v: None), None),
    "changed and returned": (lambda ctx: ctx.state.update("list", lambda v: v.append(2) or v), [1, 2]),
}


@pytest.mark.parametrize(("write", "value"), KEPT.values(), ids=KEPT)
def test_an_update_may_return_none_and_may_return_what_it_changed(write: Any, value: Any, run_of: Any) -> None:
    ex = run_of(Step(), state=STATE)
    write(ex.ctx)
    result = ex.run_sync()
    assert result.problems == ()
    assert value in list(dict(ex.state).values())


VOLATILE: dict[str, tuple[Any, Any]] = {
    "list": (lambda: [1], lambda v: v.append(2)),
    "set": (lambda: {1}, lambda v: v.add(2)),
    "dict": (lambda: {"a": 1}, lambda v: v.update(a=2)),
    "sorted": (lambda: [2, 1], lambda v: v.sort()),
}


@pytest.mark.parametrize(("value", "change"), VOLATILE.values(), ids=VOLATILE)
def test_an_update_of_a_volatile_value_in_place_is_refused(value: Any, change: Any, run_of: Any) -> None:
    ex = run_of(Step())
    ex.ctx.vol.set("v", value())
    ex.run_sync()
    ex.ctx.vol.update("v", change)
    assert "returned None" in ex.run_sync().problems[0].message
    assert ex.ctx.vol.get("v") is not None


def appends(ctx: Any) -> None:
    ctx.state.get("list").append(2)


def changes_deep_inside(ctx: Any) -> None:
    ctx.state["dict"]["a"].append(2)


def sets_before(ctx: Any) -> None:
    ctx.state.set("list", [1])
    ctx.state.get("list").append(2)


def sets_another(ctx: Any) -> None:
    ctx.state.get("list").append(2)
    ctx.state.set("other", 1)


def through_a_signal(ctx: Any) -> None:
    ctx.signal("list").get().append(2)


def sets_after(ctx: Any) -> None:
    value = ctx.state.get("list")
    value.append(2)
    ctx.state.set("list", value)


def sets_it_elsewhere(ctx: Any) -> None:
    value = ctx.state.get("list")
    value.append(2)
    ctx.state.set("other", {"inside": value})


def hands_it_to_an_update(ctx: Any) -> None:
    value = ctx.state.get("list")
    value.append(2)
    ctx.state.update("other", lambda _: value)


def copies_it(ctx: Any) -> None:
    copy.deepcopy(ctx.state.get("list")).append(2)


def changes_nothing(ctx: Any) -> None:
    ctx.state.get("list").sort()


LOST = {
    "append": (appends, "list"),
    "deep inside": (changes_deep_inside, "dict"),
    "set before": (sets_before, "list"),
    "another key set": (sets_another, "list"),
    "signal": (through_a_signal, "list"),
}
NOT_LOST = [sets_after, sets_it_elsewhere, hands_it_to_an_update, copies_it, changes_nothing]
ALL_PLACES = {**{name: place for name, (place, _) in PLACES.items()}, "tool": in_a_tool}


@pytest.mark.parametrize(("change", "key"), LOST.values(), ids=LOST)
@pytest.mark.parametrize("place", ALL_PLACES.values(), ids=ALL_PLACES)
def test_a_value_that_was_changed_in_place_and_not_set_is_told(place: Any, change: Any, key: str, run_of: Any) -> None:
    @component
    def App(ctx: Any) -> Any:
        return place(ctx, change)

    ex = run_of(App(), state=STATE)
    result = ex.run_sync()
    assert (result.status, kinds(result.problems)) == ("finished", ["ChangeLost"])
    assert f"state key {key!r} was changed in place by" in result.problems[0].message
    assert f"ctx.state.set({key!r}, value)" in result.problems[0].message
    assert result.problems[0].node_id == "t"
    assert "ChangeLost" in "".join(ex.df.events.payload.astype(str))


@pytest.mark.parametrize("change", NOT_LOST)
@pytest.mark.parametrize("place", ALL_PLACES.values(), ids=ALL_PLACES)
def test_a_copy_that_is_set_or_left_as_it_was_is_no_problem(place: Any, change: Any, run_of: Any) -> None:
    @component
    def App(ctx: Any) -> Any:
        return place(ctx, change)

    assert run_of(App(), state=STATE).run_sync().problems == ()


def test_a_task_may_return_the_copy_that_it_changed(run_of: Any) -> None:
    def work(ctx: Any) -> Any:
        value = ctx.state.get("list")
        value.append(2)
        return {"items": value}

    assert run_of(Task(id="t", run=work), state=STATE).run_sync().problems == ()


# ---- after the execution was closed ----------------------------------------------------------------------------

AFTER: dict[str, Callable[[Any], object]] = {
    "set": lambda ex: ex.state.set("k", 1),
    "item": lambda ex: ex.state.__setitem__("k", 1),
    "update": lambda ex: ex.state.update("n", lambda n: n + 1),
    "delete": lambda ex: ex.state.delete("n"),
    "init": lambda ex: ex.state.init("k", 1),
    "vol": lambda ex: ex.ctx.vol.set("k", 1),
    "signal": lambda ex: ex.ctx.signal("k").set(1),
    "artifact": lambda ex: ex.ctx.artifact.markdown("text"),
    "file": lambda ex: ex.ctx.fs.write(f"{ex.store.path}.txt", "text"),
    "answer": lambda ex: ex.answer("q", "approve"),
    "cancel": lambda ex: ex.cancel("q"),
    "retry": lambda ex: ex.retry("t"),
    "edit": lambda ex: ex.edit_pending(ex.pending[0].id, 2),
    "drop": lambda ex: ex.drop_pending(ex.pending[0].id),
    "breakpoint": lambda ex: ex.breakpoints.add(key="n"),
    "swap": lambda ex: ex.swap(Step()),
    "step": lambda ex: ex.step_sync(),
    "run": lambda ex: ex.run_sync(),
    "terminate": lambda ex: ex.terminate(),
}


@pytest.mark.parametrize("act", AFTER.values(), ids=AFTER)
def test_what_is_done_to_a_closed_execution_is_refused(act: Any, run_of: Any, resumed: Any, tmp_path: Any) -> None:
    @component
    def App(ctx: Any) -> Any:
        done = Task(id="t", run=lambda: 1, on_finished=lambda r: ctx.state.set("n", r.output))
        return [done, Approval(id="q", prompt="?")]

    ex = run_of(App(), state={"n": 0})
    while not ex.pending:
        ex.step_sync()
    ex.close()
    before = ex.pending
    with pytest.raises(StoreError, match=r"was closed here\. Execution\.resume"):
        act(ex)
    assert ex.pending == before
    assert not list(tmp_path.glob("*.txt"))
    again = resumed(App())
    again.run_sync()
    assert dict(again.state) == {"n": 1}


# ---- before it is closed ---------------------------------------------------------------------------------------

MOVES: dict[str, Callable[[Any], object]] = {
    "new": lambda ex: None,
    "at rest": lambda ex: ex.step_sync(),
    "within a frame": lambda ex: ex.step_phase_sync(),
    "finished": lambda ex: ex.run_sync(),
    "stopped": lambda ex: (ex.step_sync(), ex.stop()),
}


@pytest.mark.parametrize("moves", MOVES.values(), ids=MOVES)
def test_what_a_person_wrote_is_in_the_file_when_it_is_closed(moves: Any, run_of: Any, resumed: Any) -> None:
    @component
    def App(ctx: Any) -> Any:
        return Effect(id="e", run=lambda: ctx.state.set("n", 1))

    ex = run_of(App())
    moves(ex)
    ex.state.set("k", 5)
    ex.close()
    again = resumed(App())
    assert again.state["k"] == 5
    assert again.df.transitions.query("key == 'k'").status.tolist() == ["applied"]
    again.run_sync()
    assert dict(again.state) == {"k": 5, "n": 1} and again.store.check().ok


def test_a_write_after_the_end_leaves_it_paused(run_of: Any, resumed: Any) -> None:
    ex = run_of(Step())
    ex.run_sync()
    for value in (1, 2):
        ex.state.set("k", value)
        ex.close()
        assert ex.store.executions().status.tolist() == ["paused"]
        ex = resumed(Step())


# ---- attributes that nothing would read ------------------------------------------------------------------------


def assigns(path: str, name: str) -> Callable[[Any], None]:
    def act(ctx: Any) -> None:
        owner = ctx
        for part in path.split("."):
            owner = getattr(owner, part) if part else owner
        setattr(owner, name, 1)

    return act


def deletes_an_attribute(ctx: Any) -> None:
    del ctx.state.x


ATTRIBUTES = {
    "state": (assigns("state", "x"), "ctx.state.set('x', value)"),
    "vol": (assigns("vol", "x"), "ctx.vol.set('x', value)"),
    "ctx": (assigns("", "x"), "ctx.state.set('x', value)"),
    "the state itself": (assigns("", "state"), "ctx.state.set(key, value)"),
    "a method": (assigns("state", "get"), "ctx.state.set('get', value)"),
    "fs": (assigns("fs", "x"), "ctx.state.set('x', value)"),
    "db": (assigns("db", "x"), "ctx.state.set('x', value)"),
    "artifact": (assigns("artifact", "x"), "ctx.state.set('x', value)"),
    "delete": (deletes_an_attribute, "ctx.state.delete('x')"),
    "read": (lambda ctx: ctx.state.x, "ctx.state has no attribute 'x'. It has delete, get"),
    "a key": (lambda ctx: ctx.state.x, "The value of a key is ctx.state.get('x')."),
    "misspelt": (lambda ctx: ctx.stat, "Did you mean 'state'?"),
}


@pytest.mark.parametrize(("act", "words"), ATTRIBUTES.values(), ids=ATTRIBUTES)
def test_an_attribute_that_nothing_would_read_is_refused_with_the_way(act: Any, words: str, run_of: Any) -> None:
    @component
    def App(ctx: Any) -> Any:
        return in_a_handler(ctx, act)

    ex = run_of(App())
    with pytest.raises(AttributeError) as caught:
        act(ex.ctx)
    assert words in str(caught.value)
    assert words in ex.run_sync().problems[0].message
    assert dict(ex.state) == {}


def test_items_of_the_state_are_assigned_and_deleted_like_keys(run_of: Any) -> None:
    ex = run_of(Step(), state={"gone": 1})
    ex.state["x"] = 1
    del ex.state["gone"]
    ex.ctx.vol["y"] = 2
    ex.run_sync()
    assert (dict(ex.state), ex.ctx.vol["y"]) == ({"x": 1}, 2)
