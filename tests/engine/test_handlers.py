"""Handlers: how they are called, and with what."""

from __future__ import annotations

import asyncio
import threading
from functools import partial, wraps
from typing import Any

import pytest

from smithers_nb import Claude, If, Phase, Step, Task, component, scripted
from smithers_nb.bridge import engine
from smithers_nb.engine.user_code.call import ParameterNames
from smithers_nb.execution import run_behind


class Recorder:
    """Handlers of every shape."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any, bool]] = []

    def note(self, name: str, result: Any, ctx: Any = None) -> None:
        self.calls.append((name, result.output, ctx is not None))

    def method(self, result: Any) -> None:
        self.note("method", result)

    def method_with_ctx(self, result: Any, ctx: Any) -> None:
        self.note("method_with_ctx", result, ctx)

    def __call__(self, result: Any, ctx: Any) -> None:
        self.note("object", result, ctx)

    async def slow(self, result: Any) -> None:
        await asyncio.sleep(0)
        self.note("slow", result)

    async def slow_with_ctx(self, result: Any, ctx: Any) -> None:
        await asyncio.sleep(0)
        ctx.state.set("written", result.output)
        self.note("slow_with_ctx", result, ctx)

    def default(self, result: Any, mark: str = "default") -> None:
        self.note(mark, result)

    def default_ctx(self, result: Any, ctx: Any = None) -> None:
        self.note("default_ctx", result, ctx)

    def any(self, *args: Any) -> None:
        self.calls.append(("any", args[0].output, len(args) > 1))


SHAPES = {
    "method": False,
    "method_with_ctx": True,
    "slow": False,
    "slow_with_ctx": True,
    "default": False,
    "default_ctx": True,
    "any": False,
}


@pytest.mark.parametrize(("shape", "wants_ctx"), SHAPES.items())
def test_a_handler_is_given_what_its_signature_asks_for(shape: str, wants_ctx: bool, run_of: Any) -> None:
    recorder = Recorder()
    ex = run_of(Task(run=lambda: 7, on_finished=getattr(recorder, shape)))
    assert ex.run_sync().problems == ()
    assert recorder.calls == [(shape, 7, wants_ctx)]
    assert ex.state.get("written") == (7 if shape == "slow_with_ctx" else None)


def test_a_handler_may_be_an_object_or_a_partial(run_of: Any) -> None:
    recorder = Recorder()
    run_of(Task(run=lambda: 1, on_finished=recorder)).run_sync()
    run_of(Task(run=lambda: 2, on_finished=partial(recorder.note, "partial"))).run_sync()
    run_of(Task(run=lambda: 3, on_finished=[].append)).run_sync()
    assert recorder.calls == [("object", 1, True), ("partial", 2, True)]


def test_the_result_says_all_about_the_task(run_of: Any) -> None:
    results: list[Any] = []
    ex = run_of(
        [
            Task(id="good", run=lambda: {"a": 1}, on_finished=results.append),
            Task(id="bad", run=lambda: 1 / 0, retries=1, on_error=results.append),
            Claude(id="agent", model=scripted("hello"), on_finished=results.append)["hi"],
        ]
    )
    ex.run_sync()
    found = {result.node_id: result for result in results}
    good, bad, agent = found["good"], found["bad"], found["agent"]
    assert (good.task_id, good.status, good.output, good.text, good.error) == (
        "good@1", "succeeded", {"a": 1}, '{"a":1}', None,
    )  # fmt: skip
    assert (good.attempts, good.usage, good.cost_usd) == (1, {}, None)
    assert (bad.status, bad.output, bad.attempts) == ("failed", None, 2)
    assert bad.error == bad.text == "ZeroDivisionError: division by zero"
    assert (agent.output, agent.text, agent.usage["requests"], agent.cost_usd) == ("hello", "hello", 1, 0.0)
    assert all(result.duration_s >= 0 for result in results)


def test_only_the_event_that_happened_is_called(run_of: Any) -> None:
    calls: list[str] = []

    def both(name: str) -> dict[str, Any]:
        return {
            "on_finished": lambda r: calls.append(f"{name} finished"),
            "on_error": lambda r: calls.append(f"{name} error"),
        }

    ex = run_of([Task(run=lambda: 1, **both("good")), Task(run=lambda: 1 / 0, **both("bad"))])
    assert ex.run_sync().status == "finished"
    assert sorted(calls) == ["bad error", "good finished"]


def test_the_handler_of_the_newest_frame_is_called(run_of: Any, gate: Any) -> None:
    """A closure over what an older frame read would be out of date."""
    one = gate()
    seen: list[Any] = []

    @component
    def App(ctx: Any) -> Any:
        x = ctx.state.get("x")
        return Task(id="t", run=one.passed, on_finished=lambda r: seen.append(x))

    ex = run_of(App(), state={"x": "old"})
    ex.step_sync()
    ex.state.set("x", "new")
    ex.step_sync()
    one.open()
    ex.run_sync()
    assert seen == ["new"]


def test_a_handler_call_is_recorded_with_the_place_of_its_definition(run_of: Any) -> None:
    def handler(_: object) -> None: ...

    ex = run_of(Task(id="t", run=lambda: 1, on_finished=handler))
    ex.run_sync()
    [row] = ex.df.handlers.to_dict("records")
    assert (row["node_id"], row["task_id"], row["event"], row["status"], row["writes"]) == (
        "t", "t@1", "on_finished", "ok", 0,
    )  # fmt: skip
    assert row["source"] == f"test_handlers.py:{handler.__code__.co_firstlineno}"


def test_a_handler_is_called_once_only(run_of: Any) -> None:
    calls: list[Any] = []
    ex = run_of(Task(run=lambda: 1, on_finished=calls.append))
    ex.run_sync()
    ex.state.set("x", 1)
    ex.run_sync()
    assert len(calls) == 1


def test_what_a_handler_of_a_failed_task_raises_is_told_as_it_is(run_of: Any) -> None:
    """The task had failed: "the task itself ended well" would be a lie."""

    def bad(_: object) -> None:
        raise ValueError("in the handler")

    result = run_of(Task(id="t", run=lambda: 1 / 0, on_error=bad)).run_sync()
    [problem] = result.problems
    assert "in the handler" in problem.message
    assert "ended well" not in problem.message


def test_a_handler_may_call_the_execution_as_well_as_ctx(run_of: Any) -> None:
    """``ex.state`` in a handler is the handler's transaction, not an operator's write."""
    holder: list[Any] = []

    def handler(_: object) -> None:
        holder[0].state.set("x", 1)
        raise ValueError

    holder.append(run_of(Task(run=lambda: 1, on_finished=handler)))
    holder[0].run_sync()
    assert "x" not in holder[0].state


def test_a_blocking_call_of_the_own_execution_in_a_handler_is_refused_with_advice(run_of: Any) -> None:
    holder: list[Any] = []
    holder.append(run_of(Task(run=lambda: 1, on_finished=lambda r: holder[0].step_sync())))
    [problem] = holder[0].run_sync().problems
    assert "wait for itself" in problem.message


def test_ctx_of_one_execution_does_not_write_into_the_transaction_of_another(run_of: Any) -> None:
    other = run_of(Step())

    def handler(_: object) -> None:
        other.state.set("x", 1)
        raise ValueError

    run_of(Task(run=lambda: 1, on_finished=handler)).run_sync()
    other.run_sync()
    assert other.state["x"] == 1


# ---- stale -----------------------------------------------------------------------------------------------------


def leaves(run: Any, calls: list[Any]) -> Any:
    @component
    def App(ctx: Any) -> Any:
        return If(condition=ctx.state.get("on", True))[Task(id="t", run=run, on_finished=calls.append)]

    return App()


def test_unmounting_cancels_a_task(run_of: Any, gate: Any, wait_until: Any) -> None:
    one, ends = gate(), []

    async def waits() -> None:
        try:
            await one.passed()
        except asyncio.CancelledError:
            ends.append("cancelled")
            raise

    calls: list[Any] = []
    ex = run_of(leaves(waits, calls))
    ex.step_sync()
    one.reached()
    ex.state.set("on", False)
    assert ex.run_sync().status == "finished"
    wait_until(lambda: ex.df.tasks.status[0] == "cancelled")
    assert (ends, calls) == (["cancelled"], [])
    assert len(ex.df.handlers) == 0


def test_a_stale_result_of_a_stubborn_coroutine_does_not_fire_its_handler(
    run_of: Any, gate: Any, wait_until: Any
) -> None:
    one, calls = gate(), []

    async def stubborn() -> str:
        try:
            await one.passed()
        except asyncio.CancelledError:
            return "all the same"
        return "let through"

    ex = run_of(leaves(stubborn, calls))
    ex.step_sync()
    one.reached()
    ex.state.set("on", False)
    ex.run_sync()
    wait_until(lambda: len(ex.df.handlers) == 1)
    assert calls == []
    assert list(ex.df.handlers.status) == ["stale"]
    assert [*ex.df.tasks.status, *ex.df.tasks.result] == ["succeeded", "all the same"]


def test_a_stale_result_of_a_thread_does_not_fire_its_handler(run_of: Any, gate: Any, wait_until: Any) -> None:
    one, calls = gate(), []

    def blocks() -> str:
        one.passed_in_thread()
        return "late"

    ex = run_of(leaves(blocks, calls))
    ex.step_sync()
    one.reached()
    ex.state.set("on", False)
    assert ex.run_sync().status == "finished"
    one.open()
    wait_until(lambda: len(ex.df.handlers) == 1)
    assert calls == []
    assert list(ex.df.handlers.status) == ["stale"]
    assert [*ex.df.tasks.status, *ex.df.tasks.result] == ["succeeded", "late"]


def test_a_result_that_comes_in_the_frame_of_its_unmounting_is_stale(run_of: Any, gate: Any) -> None:
    one, calls = gate(), []

    def blocks() -> str:
        one.passed_in_thread()
        return "late"

    ex = run_of(leaves(blocks, calls))
    ex.step_sync()
    one.reached()
    ex.state.set("on", False)
    for phase in ("FLUSH", "SNAPSHOT", "RENDER"):
        assert ex.step_phase_sync().phase == phase
    ended = threading.Event()
    run_behind(ex).observe(lambda: ended.set() if ex.df.tasks.status[0] == "succeeded" else None)
    one.open()
    assert ended.wait(60)
    ex.run_sync()
    assert calls == []
    assert list(ex.df.handlers.status) == ["stale"]


def test_a_thread_that_ends_after_close_disturbs_nobody(run_of: Any, gate: Any, wait_until: Any) -> None:
    one = gate()

    def blocks() -> str:
        one.passed_in_thread()
        return "late"

    ex = run_of(leaves(blocks, []))
    ex.step_sync()
    one.reached()
    ex.state.set("on", False)
    ex.run_sync()
    ex.close()
    left = [task for task in asyncio.all_tasks(engine.loop) if task.get_name() == "smithers t@1"]
    one.open()
    wait_until(lambda: all(task.done() for task in left))
    assert [task.exception() for task in left if not task.cancelled() and task.exception()] == []


def test_mounting_again_starts_again(run_of: Any) -> None:
    calls: list[Any] = []
    ex = run_of(leaves(lambda: 1, calls))
    ex.run_sync()
    for on in (False, True):
        ex.state.set("on", on)
        ex.run_sync()
    assert [result.task_id for result in calls] == ["t@1", "t@5"]


def test_changing_the_props_of_a_started_task_does_not_restart_it(run_of: Any) -> None:
    runs: list[Any] = []

    @component
    def App(ctx: Any) -> Any:
        return Phase(name="a")[Task(id="t", run=runs.append, args=[ctx.state.get("x")])]

    ex = run_of(App(), state={"x": 1})
    ex.run_sync()
    ex.state.set("x", 2)
    assert ex.step_sync().updated == ("t",)
    ex.run_sync()
    assert runs == [1]


# ---- parameters -------------------------------------------------------------------------------------------------

SIGNATURES: list[Any] = [
    lambda: 0,
    lambda result: 0,
    lambda result, ctx: 0,
    lambda result, ctx=None: 0,
    lambda result, key=1: 0,
    lambda result, /, other, *, ctx: 0,
    lambda *ctx: 0,
    lambda *args, only=1, **ctx: 0,
    lambda a, b=2, *args, ctx=3, **rest: [inner := a, lambda ctx: inner],
]


@pytest.mark.parametrize("place", range(len(SIGNATURES)))
def test_the_parameters_of_a_plain_function_are_those_that_inspect_finds(place: int) -> None:
    plain = SIGNATURES[place]

    @wraps(plain)
    def wrapped(*args: Any, **named: Any) -> Any:
        """It has a ``__wrapped__``, and so inspect is asked."""

    assert ParameterNames.of(plain) == ParameterNames.of(wrapped)
