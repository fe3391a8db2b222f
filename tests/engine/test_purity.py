"""Rendering is pure, and a frame that can't be rendered does no harm."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import Any

import pytest

from smithers_nb import Execution, Phase, Step, Task, component
from smithers_nb.errors import (
    ComponentError,
    DuplicateIdError,
    PurityError,
    RenderMutationError,
    RenderTaskError,
    RenderWriteError,
    SmithersError,
    UnknownTagError,
)


def contents(ex: Any) -> dict[str, list[Any]]:
    """All rows of all tables but for the lease's times, and for the events that tell what was wrong."""
    with sqlite3.connect(ex.store.path) as db:
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        told = ("executions", "events")
        found = {name: db.execute(f"SELECT * FROM {name}").fetchall() for name in tables if name not in told}
    db.close()
    return found


def sets(ctx: Any) -> None:
    ctx.state.set("x", 1)


def updates(ctx: Any) -> None:
    ctx.state.update("x", lambda old: 1)


def deletes(ctx: Any) -> None:
    del ctx.state["list"]


def assigns(ctx: Any) -> None:
    ctx.state["x"] = 1


async def later() -> None: ...


def starts_a_task(ctx: Any) -> None:
    asyncio.get_running_loop().create_task(later())


def ensures_a_future(ctx: Any) -> None:
    asyncio.ensure_future(later())  # noqa: RUF006  # it must not come so far


def gathers(ctx: Any) -> None:
    asyncio.gather(later())


def appends(ctx: Any) -> None:
    ctx.state.get("list").append(2)


def changes_deep_inside(ctx: Any) -> None:
    ctx.state["dict"]["a"].clear()


def makes_it_unstorable(ctx: Any) -> None:
    ctx.state["list"].append({1})


def runs_it_on_the_loop(ctx: Any) -> None:
    coroutine = later()
    try:
        asyncio.get_running_loop().run_until_complete(coroutine)
    finally:
        coroutine.close()


def makes_an_execution(ctx: Any) -> None:
    Execution(Step(), store=":memory:")


def steps_itself(ctx: Any) -> None:
    HOLDER[0].step_sync()


def sets_through_the_execution(ctx: Any) -> None:
    HOLDER[0].state.set("x", 1)


HOLDER: list[Any] = []
IMPURE: dict[str, tuple[Any, type[Exception], str]] = {
    "set": (sets, RenderWriteError, "'x'"),
    "update": (updates, RenderWriteError, "'x'"),
    "delete": (deletes, RenderWriteError, "'list'"),
    "item": (assigns, RenderWriteError, "'x'"),
    "through the execution": (sets_through_the_execution, RenderWriteError, "'x'"),
    "create_task": (starts_a_task, RenderTaskError, "later"),
    "ensure_future": (ensures_a_future, RenderTaskError, "later"),
    "gather": (gathers, RenderTaskError, "later"),
    "run_until_complete": (runs_it_on_the_loop, RenderTaskError, "event loop"),
    "append": (appends, RenderMutationError, "'list'"),
    "deep inside": (changes_deep_inside, RenderMutationError, "'dict'"),
    "unstorable": (makes_it_unstorable, RenderMutationError, "'list'"),
    "execution": (makes_an_execution, RenderWriteError, "an Execution was made"),
    "step": (steps_itself, (SmithersError, RuntimeError), ""),
}


@pytest.mark.parametrize(("act", "error", "word"), IMPURE.values(), ids=IMPURE)
def test_a_component_that_does_more_than_render_is_refused(act: Any, error: Any, word: str, run_of: Any) -> None:
    @component
    def Impure(ctx: Any) -> Any:
        if ctx.state.get("bad"):
            act(ctx)
        return Step(name="ok")

    ex = run_of(Phase(name="a")[Impure()], state={"list": [1], "dict": {"a": [1]}})
    HOLDER[:] = [ex]
    ex.run_sync()
    ex.state.set("bad", True)
    with pytest.raises(error) as caught:
        ex.step_sync()
    before = contents(ex)
    with pytest.raises(error):
        ex.step_sync()
    assert word in str(caught.value)
    if isinstance(caught.value, PurityError):
        assert caught.value.path == "/phase[0]/Impure[0]"
        assert caught.value.frame == 2
        assert "Impure" in str(caught.value) or "task" in str(caught.value)
        assert caught.value.source.startswith("test_purity.py:"), "the user's own line"
    assert contents(ex) == before
    assert dict(ex.state) == {"list": [1], "dict": {"a": [1]}, "bad": True}
    ex.state.set("bad", False)
    assert ex.run_sync().status == "finished"
    assert list(ex.df.frames.frame) == list(range(1, len(ex.df.frames) + 1))


def test_an_async_component_is_refused_without_a_warning(run_of: Any) -> None:
    @component
    async def App() -> Any:
        return Step()

    with pytest.raises(RenderTaskError, match="App is async"):
        run_of(App()).step_sync()


def test_the_impure_line_is_named(run_of: Any) -> None:
    @component
    def App(ctx: Any) -> Any:
        ctx.state.set("x", 1)

    line = App.function.__code__.co_firstlineno + 2
    with pytest.raises(RenderWriteError) as caught:
        run_of(App()).step_sync()
    assert caught.value.source.startswith(f"test_purity.py:{line}:")


@component
def Fragile(ctx: Any) -> Any:
    if ctx.state.get("bad"):
        raise ValueError("cannot draw")
    return Step(name=str(ctx.state.get("x")))


def test_a_component_that_raises_keeps_the_frame_before(run_of: Any) -> None:
    ex = run_of(Phase(name="a")[Fragile()], state={"x": 1})
    ex.run_sync()
    ex.state.set("bad", True)
    with pytest.raises(ComponentError) as caught:
        ex.step_sync()
    assert isinstance(caught.value.__cause__, ValueError)
    for word in ("Fragile", "ValueError", "cannot draw"):
        assert word in str(caught.value)
    assert (caught.value.path, caught.value.frame) == ("/phase[0]/Fragile[0]", 2)
    assert caught.value.source.startswith("test_purity.py:")
    assert 'name="1"' in ex.frame.xml
    assert (ex.recorded, list(ex.df.frames.frame)) == (1, [1])


def test_the_frame_shown_after_a_render_error_is_one_that_exists(run_of: Any) -> None:
    """The error says: the one before stands."""
    ex = run_of(Fragile(), state={"x": 1})
    ex.run_sync()
    ex.state.set("bad", True)
    with pytest.raises(ComponentError):
        ex.step_sync()
    assert ex.frame.number == 1
    assert ex.at(ex.frame.number).xml == ex.frame.xml


def test_a_state_that_is_mended_by_hand_lets_it_go_on(run_of: Any) -> None:
    ex = run_of(Fragile(), state={"x": 1, "bad": True})
    for _ in range(2):
        with pytest.raises(ComponentError):
            ex.step_sync()
    assert ex.status in ("ready", "paused")
    ex.state.set("bad", False)
    ex.state.set("x", 2)
    result = ex.run_sync()
    assert (result.status, result.frame.number) == ("finished", 1)
    assert 'name="2"' in result.frame.xml


def test_a_render_error_loses_no_result(run_of: Any) -> None:
    """A task that ends while the plan can't be rendered is handled when it can be."""

    @component
    def App(ctx: Any) -> Any:
        if ctx.state.get("bad"):
            raise ValueError
        return Task(id="t", run=lambda: 1, on_finished=lambda r: ctx.state.set("done", r.output))

    ex = run_of(App())
    ex.step_sync()
    ex.state.set("bad", True)
    with pytest.raises(ComponentError):
        ex.run_sync()
    ex.state.delete("bad")
    assert ex.run_sync().status == "finished"
    assert ex.state["done"] == 1


def test_a_plan_error_is_a_frame_that_was_not_committed(run_of: Any) -> None:
    ex = run_of([Step(id="x"), Step(id="x")])
    with pytest.raises(DuplicateIdError) as caught:
        ex.step_sync()
    assert caught.value.frame == 1
    assert len(ex.df.frames) == 0


def test_a_misspelt_name_in_a_component_is_a_component_error_not_a_tag_error(run_of: Any) -> None:
    @component
    def App() -> Any:
        return no_such_name  # noqa: F821  # the test is about it

    with pytest.raises(ComponentError, match="no_such_name") as caught:
        run_of(App()).step_sync()
    assert not isinstance(caught.value, UnknownTagError)


def test_a_component_may_read_the_state_of_another_execution(run_of: Any) -> None:
    other = run_of(Step(), state={"x": 1})

    @component
    def App() -> Any:
        return Step(name=str(other.state["x"]))

    assert 'name="1"' in run_of(App()).step_sync().xml


def test_a_component_cannot_write_into_another_execution(run_of: Any) -> None:
    other = run_of(Step())

    @component
    def App() -> Any:
        other.state.set("x", 1)
        return Step()

    with pytest.raises(SmithersError):
        run_of(App()).step_sync()
    assert other.pending == ()
