"""Code of an execution that calls for its execution's next frame: refused where that would wait for the code to end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from smithers_nb import Claude, Effect, Execution, Smithers, Task, component, scripted
from smithers_nb.agents.scripted import ToolUse
from smithers_nb.execution import run_behind
from tests.conftest import PATIENCE_S


def ended(ex: Any, patience_s: float = PATIENCE_S) -> Any:
    """Run an execution in another thread, but not for ever."""
    results: list[Any] = []
    runner = threading.Thread(target=lambda: results.append(ex.run_sync()), daemon=True)
    runner.start()
    runner.join(patience_s)
    if not results:
        ex.stop()
        pytest.fail(f"it hangs: {ex.tasks}")
    return results[0]


def one(**props: Any) -> Any:
    return Task(id="t", run=lambda: 1, **props)


def agent(tool: Callable[..., Any]) -> Any:
    """An agent that calls a function as a tool."""
    tool.__doc__ = "Be called."
    return Claude(id="c", model=scripted([ToolUse(tool.__name__, {})], "said"), tools=[tool])["go"]


def child(inside: Any) -> Any:
    @component
    def Inner() -> Any:
        return inside

    return Smithers(id="child", component=Inner)


def answering(call: Callable[[], Any]) -> Any:
    return Claude(id="c", model=scripted(lambda prompt: str(call())))["go"]


SYNC: dict[str, Callable[[Callable[[], Any]], Any]] = {
    "handler": lambda call: one(on_finished=lambda r: call()),
    "effect": lambda call: Effect(run=lambda: call()),
    "task": lambda call: Task(id="s", run=lambda: call() and None),
    "tool": agent,
    "scripted reply": answering,
    "task of a child": lambda call: child(Task(id="s", run=lambda: call() and None)),
    "tool of a child": lambda call: child(agent(call)),
    "task of a child's child": lambda call: child(child(Task(id="s", run=lambda: call() and None))),
}


@pytest.mark.parametrize("command", ["step_sync", "step_phase_sync", "run_sync"])
@pytest.mark.parametrize("where", SYNC)
def test_a_blocking_step_of_the_execution_that_code_belongs_to_is_refused(
    where: str, command: str, run_of: Any
) -> None:
    errors: list[Exception] = []

    def call() -> str:
        """Be called."""
        try:
            getattr(ex, command)()
        except RuntimeError as error:
            errors.append(error)
        return "refused"

    ex = run_of(SYNC[where](call))
    assert ended(ex).status == "finished"
    assert len(errors) == 1 and "wait" in str(errors[0]) and "ctx.state" in str(errors[0])


ASYNC: dict[str, Callable[[Callable[[], Any]], Any]] = {
    "handler": lambda call: one(on_finished=lambda r: call()),
    "effect": lambda call: Effect(run=call),
    "task": lambda call: Task(id="a", run=call),
    "tool": agent,
    "task of a child": lambda call: child(Task(id="a", run=call)),
    "a loop of its own in a sync task": lambda call: Task(id="a", run=lambda: asyncio.run(call())),
    "a thread of an async task": lambda call: Task(
        id="a", run=lambda: asyncio.run(asyncio.to_thread(asyncio.run, call()))
    ),
}


@pytest.mark.parametrize("command", ["step", "step_phase", "run"])
@pytest.mark.parametrize("where", ASYNC)
def test_an_awaited_step_of_the_execution_that_code_belongs_to_is_refused(
    where: str, command: str, run_of: Any
) -> None:
    errors: list[Exception] = []

    async def call() -> None:
        """Be called."""
        try:
            await getattr(ex, command)()
        except RuntimeError as error:
            errors.append(error)

    ex = run_of(ASYNC[where](call))
    assert ended(ex).status == "finished"
    assert len(errors) == 1 and "both would wait for ever" in str(errors[0]), errors


def test_the_refusal_names_the_place_and_the_execution(run_of: Any) -> None:
    failed: list[Any] = []
    ex = run_of(Task(id="fetch", run=lambda: ex.step_sync(), on_error=failed.append), name="report")
    assert ended(ex).status == "finished"
    assert failed[0].error.startswith("RuntimeError: task fetch of execution 'report' stepped itself")


def test_executions_whose_tasks_step_each_other_are_refused_wherever_the_circle_closes(run_of: Any) -> None:
    failed: list[Any] = []
    first = run_of(Task(id="a", run=lambda: second.run_sync() and None), name="first")
    second = run_of(Task(id="b", run=lambda: third.run_sync() and None), name="second")
    third = run_of(Task(id="c", run=lambda: first.run_sync() and None, on_error=failed.append), name="third")
    assert ended(first).status == "finished"
    assert "task c of execution 'third' stepped 'first'" in failed[0].error


def test_executions_that_are_run_at_once_and_step_each_other_do_not_hang(run_of: Any) -> None:
    meet = threading.Barrier(2)
    failed: list[Any] = []

    def steps(other: Callable[[], Any]) -> None:
        meet.wait(PATIENCE_S)
        other().run_sync()

    first = run_of(Task(id="a", run=lambda: steps(lambda: second), on_error=failed.append))
    second = run_of(Task(id="b", run=lambda: steps(lambda: first), on_error=failed.append))
    runner = threading.Thread(target=first.run_sync, daemon=True)
    runner.start()
    assert ended(second).status == "finished"
    runner.join(PATIENCE_S)
    assert first.status == "finished"
    assert len(failed) == 1 and "both would wait for ever" in failed[0].error


@pytest.mark.parametrize("where", ["sync task", "async task", "async handler", "async effect", "sync tool"])
def test_another_execution_is_stepped_from_inside(where: str, run_of: Any, tmp_path: Any) -> None:
    seen: list[str] = []

    def blocking() -> str:
        """Be called."""
        with Execution(one(), name="other", store=tmp_path / "other.db") as other:
            seen.append(other.run_sync().status)
        return "done"

    async def awaiting() -> None:
        seen.append((await other.run()).status)

    other = run_of(one(), name="other")
    app = {
        "sync task": lambda: Task(id="x", run=blocking),
        "async task": lambda: Task(id="x", run=awaiting),
        "async handler": lambda: one(on_finished=lambda r: awaiting()),
        "async effect": lambda: Effect(run=awaiting),
        "sync tool": lambda: agent(blocking),
    }[where]()
    assert ended(run_of(app)).status == "finished"
    assert seen == ["finished"]


@pytest.mark.parametrize("where", ["task", "tool", "task of a child"])
@pytest.mark.parametrize("command", ["stop", "terminate", "close"])
def test_an_execution_is_ended_from_a_thread_of_its_own(where: str, command: str, run_of: Any) -> None:
    returned = threading.Event()

    def call() -> str:
        """Be called."""
        getattr(ex, command)()
        returned.set()
        return "ended"

    ex = run_of(SYNC[where](call))
    assert ended(ex).status == ("terminated" if command == "terminate" else "stopped")
    assert returned.wait(PATIENCE_S)


def test_a_question_is_answered_from_a_sync_task_and_a_pause_is_made_from_a_handler(run_of: Any) -> None:
    from smithers_nb import Approval, Parallel

    asked = threading.Event()

    def answers() -> None:
        assert asked.wait(PATIENCE_S)
        ex.answer("q", "approve")

    ex = run_of(Parallel()[Approval(id="q", prompt="?"), Task(id="s", run=answers)])
    run_behind(ex).observe(lambda: asked.set() if run_behind(ex).publish().names else None)
    assert ended(ex).status == "finished"
    paused = run_of(one(on_finished=lambda r: paused.pause()))
    assert ended(paused).status == "paused"
    assert ended(paused).status == "finished"


@pytest.mark.parametrize("call", ["stop", "terminate", "close", "answer", "make"])
def test_a_blocking_call_on_the_engines_thread_is_refused_and_the_advice_holds(call: str, run_of: Any) -> None:
    def does() -> None:
        calls: dict[str, Callable[[], object]] = {
            "answer": lambda: ex.answer("q", "approve"),
            "make": lambda: Execution(one(), store=":memory:").close(),
        }
        calls.get(call, lambda: getattr(ex, call)())()

    async def on_the_loop() -> None:
        does()

    failed: list[Any] = []
    ex = run_of(Task(id="t", run=on_the_loop, on_error=failed.append))
    assert ended(ex).status == "finished"
    assert failed[0].error.startswith("RuntimeError: a blocking call") and "sync <Task>" in failed[0].error
