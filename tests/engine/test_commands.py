"""Pause, stop, terminate, cancel: from other threads, at any time, and what is left after them."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from concurrent.futures import Future
from typing import Any

import pytest

from smithers_nb import Effect, Smithers, Task, component
from smithers_nb.execution import run_behind

PATIENCE_S = 60.0


@pytest.fixture
def aside() -> Any:
    """Run something in another thread; its result can be waited for, but not for ever."""

    def start(work: Any) -> Future[Any]:
        future: Future[Any] = Future()

        def runs() -> None:
            try:
                future.set_result(work())
            except BaseException as error:  # noqa: BLE001  # handed to who waits
                future.set_exception(error)

        threading.Thread(target=runs, daemon=True).start()
        return future

    return start


@component
def Endless(ctx: Any) -> Any:
    n = ctx.state.get("n", 0)
    return Task(key=str(n), run=lambda: 1, on_finished=lambda r: ctx.state.set("n", n + 1))


@component
def Waits(ctx: Any, run: Any) -> Any:
    return Task(id="t", run=run, on_finished=lambda r: ctx.state.set("done", r.output))


def observed(ex: Any, condition: Any) -> threading.Event:
    found = threading.Event()
    run_behind(ex).observe(lambda: found.set() if condition() else None)
    return found


def test_pause_ends_a_run_and_a_step_goes_on(run_of: Any, aside: Any) -> None:
    ex = run_of(Endless(), max_frames=100_000)
    moving = observed(ex, lambda: ex.recorded > 5)
    run = aside(ex.run_sync)
    assert moving.wait(60)
    ex.pause()
    result = run.result(PATIENCE_S)
    assert (result.status, result.reason) == ("paused", "paused by hand")
    number = ex.frame.number
    assert ex.step_sync().number in (number, number + 1)
    ex.run_sync(max_frames=3)
    assert list(ex.df.frames.frame) == list(range(1, ex.frame.number + 1))
    assert list(ex.df.transitions.new) == list(range(1, len(ex.df.transitions) + 1))


def test_pause_ends_a_run_that_waits_and_the_task_goes_on(run_of: Any, aside: Any, gate: Any) -> None:
    one = gate()
    ex = run_of(Waits(run=one.passed))
    waiting = observed(ex, lambda: ex.status == "waiting")
    run = aside(ex.run_sync)
    assert waiting.wait(60)
    ex.pause()
    assert run.result(PATIENCE_S).status == "paused"
    assert ex.tasks["t"] == "running"
    one.open()
    assert ex.run_sync().status == "finished"
    assert ex.df.tasks.attempt[0] == 1


def test_pause_of_what_does_not_move_is_forgotten(run_of: Any) -> None:
    ex = run_of(Endless())
    ex.pause()
    assert ex.run_sync(max_frames=2).frames == 2


class Counting:
    """A task that waits the first time, and returns the second time."""

    def __init__(self, gate: Any) -> None:
        self.gate = gate
        self.runs = 0

    async def __call__(self) -> str:
        self.runs += 1
        if self.runs == 1:
            await self.gate.passed()
        return f"run {self.runs}"


def goes_on(ex: Any, task: Counting, aside: Any) -> None:
    result = aside(ex.run_sync).result(PATIENCE_S)
    assert (result.status, task.runs, ex.state["done"]) == ("finished", 2, "run 2")
    assert list(ex.df.tasks.attempt) == [2]
    assert list(ex.df.frames.frame) == list(range(1, len(ex.df.frames) + 1))


@component
def Flood(ctx: Any) -> Any:
    n = ctx.state.get("n", 0)
    ctx.use_effect("flood", [n], lambda: ctx.state.set("n", n + 1))


@component
def FloodOfHandlers(ctx: Any) -> Any:
    n = ctx.state.get("n", 0)

    async def stubborn(_: Any) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(0)
        ctx.state.set("n", n + 1)

    return Task(key=str(n), run=lambda: 1, on_finished=stubborn)


FLOODS = {
    "effects": Flood,
    "handlers that swallow a cancellation": FloodOfHandlers,
    "frames of a child": component(lambda: Smithers(id="child", component=Flood, max_frames=100_000)),
}
MANY = 100_000


def frames_of(ex: Any) -> int:
    """How many frames there are, those of children too."""
    return ex.recorded + sum(child.live.committed.frame for child in run_behind(ex).live.tasks.children.values())


@pytest.mark.parametrize("app", FLOODS.values(), ids=FLOODS)
@pytest.mark.parametrize(
    ("command", "status"), [("stop", "stopped"), ("terminate", "terminated"), ("close", "stopped")]
)
def test_a_flood_of_frames_is_ended_within_a_phase(
    command: str, status: str, app: Any, run_of: Any, aside: Any, wait_until: Any
) -> None:
    ex = run_of(app, max_frames=MANY)
    run = aside(ex.run_sync)
    wait_until(lambda: frames_of(ex) > 10)
    aside(getattr(ex, command)).result(PATIENCE_S)
    result = run.result(PATIENCE_S)
    assert (result.status, result.reason, ex.status) == (status, f"{status} by hand", status)
    assert len(ex.store.df.frames) < MANY
    if command == "stop":
        number = ex.frame.number
        assert ex.step_sync().number in (number, number + 1)
    assert list(ex.df.frames.frame) == list(range(1, len(ex.df.frames) + 1))


def test_cancelling_an_awaited_flood_ends_it(run_of: Any, wait_until: Any) -> None:
    ex = run_of(Flood, max_frames=MANY)

    async def main() -> None:
        run = asyncio.ensure_future(ex.run())
        await asyncio.to_thread(wait_until, lambda: ex.recorded > 10)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run

    asyncio.run(main())
    wait_until(lambda: ex.status == "paused")
    assert ex.recorded < MANY


INTERRUPTED = """
    import os, signal
    from smithers_nb import Execution, component

    @component
    def Flood(ctx):
        n = ctx.state.get("n", 0)
        ctx.use_effect("flood", [n], lambda: ctx.state.set("n", n + 1))

    def run(ex):
        return {command}

    ex = Execution(Flood, store="x.db", max_frames=10**6)
    if "replay" in "{command}":
        ex.run_sync(max_frames=300)
    seen = len(ex.store.df.frames)
    once = iter([1])
    class Look:
        def __call__(self):
            if len(ex.store.df.frames) > seen + 5 and next(once, None):
                os.kill(os.getpid(), signal.SIGINT)
    look = Look()
    from smithers_nb.engine.observe import Observers
    notify = Observers.notify
    Observers.notify = lambda self: (notify(self), look())
    try:
        run(ex)
    except KeyboardInterrupt:
        print("interrupted")
    after = len(ex.store.df.frames)
    ex.state.set("other", 1)
    print(after - seen, ex.status, ex.step_sync().number > 0)
"""


@pytest.mark.parametrize("command", ["ex.run_sync()", "ex.replay()"])
def test_an_interrupt_ends_a_flood(command: str, python: Any) -> None:
    ran = python(INTERRUPTED.format(command=command))
    assert ran.stderr == ""
    first, second = ran.stdout.splitlines()
    frames, *rest = second.split()
    assert (first, rest) == ("interrupted", ["paused", "True"])
    assert int(frames) < 250


def test_a_task_that_was_stopped_at_rest_runs_again(run_of: Any, aside: Any, gate: Any) -> None:
    task = Counting(gate())
    ex = run_of(Waits(run=task))
    ex.step_sync()
    task.gate.reached()
    ex.stop()
    assert (ex.status, ex.tasks["t"], list(ex.df.executions.status)) == ("stopped", "pending", ["stopped"])
    goes_on(ex, task, aside)


def test_stop_ends_a_run_that_waits_and_its_task_runs_again(run_of: Any, aside: Any, gate: Any) -> None:
    task = Counting(gate())
    ex = run_of(Waits(run=task))
    run = aside(ex.run_sync)
    task.gate.reached()
    ex.stop()
    assert run.result(PATIENCE_S).status == "stopped"
    assert (ex.status, ex.tasks["t"]) == ("stopped", "pending")
    goes_on(ex, task, aside)


def test_stop_ends_an_awaited_run_too(run_of: Any, aside: Any, gate: Any) -> None:
    one = gate()
    ex = run_of(Waits(run=one.passed))

    async def main() -> Any:
        run = asyncio.ensure_future(ex.run())
        await asyncio.to_thread(one.reached)
        await asyncio.to_thread(ex.stop)
        return await asyncio.wait_for(run, 10)

    assert asyncio.run(main()).status == "stopped"


def test_a_sync_task_that_was_stopped_may_not_write_any_more(run_of: Any, gate: Any) -> None:
    one, ended = gate(), threading.Event()

    def run(ctx: Any) -> None:
        one.passed_in_thread()
        try:
            ctx.state.set("late", 1)
        finally:
            ended.set()

    ex = run_of(Task(id="t", run=run))
    ex.step_sync()
    one.reached()
    ex.stop()
    one.open()
    assert ended.wait(60)
    assert ex.pending == ()


def test_terminate_is_for_good(run_of: Any, aside: Any, gate: Any) -> None:
    task = Counting(gate())
    ex = run_of(Waits(run=task))
    run = aside(ex.run_sync)
    task.gate.reached()
    ex.terminate()
    assert run.result(PATIENCE_S).status == "terminated"
    assert (ex.status, list(ex.df.executions.status)) == ("terminated", ["terminated"])
    frames = len(ex.df.frames)
    assert aside(ex.run_sync).result(PATIENCE_S).status == "terminated"
    assert (task.runs, len(ex.df.frames)) == (1, frames)


def test_terminate_at_rest_is_for_good(run_of: Any, aside: Any, gate: Any) -> None:
    task = Counting(gate())
    ex = run_of(Waits(run=task))
    ex.step_sync()
    task.gate.reached()
    ex.terminate()
    assert ex.status == "terminated"
    assert aside(ex.run_sync).result(PATIENCE_S).status == "terminated"
    assert task.runs == 1


@pytest.mark.parametrize("command", ["step", "run", "step_phase"])
def test_cancelling_an_awaited_command_leaves_the_execution_usable(command: str, run_of: Any, gate: Any) -> None:
    one = gate()
    ex = run_of(Waits(run=one.passed))
    ex.step_sync()
    ex.step_phase_sync()

    async def main() -> None:
        waiting = observed(ex, lambda: ex.status == "waiting")
        moves = asyncio.ensure_future(getattr(ex, command)())
        assert await asyncio.to_thread(waiting.wait, 10)
        moves.cancel()
        with pytest.raises(asyncio.CancelledError):
            await moves

    asyncio.run(main())
    one.open()
    assert ex.run_sync().status == "finished"
    assert ex.df.tasks.attempt[0] == 1


@pytest.mark.parametrize("place", ["handler", "effect"])
def test_cancelling_a_step_inside_a_handler_deals_with_the_task_again(place: str, run_of: Any, gate: Any) -> None:
    one = gate()
    calls: list[int] = []

    async def slow(*_: Any) -> None:
        calls.append(1)
        holder[0].state.set("x", len(calls))
        if len(calls) == 1:
            await one.passed()

    holder: list[Any] = []
    ex = run_of(Task(run=lambda: 1, on_finished=slow) if place == "handler" else Effect(run=slow))
    holder.append(ex)

    async def main() -> None:
        moves = asyncio.ensure_future(ex.run())
        await asyncio.to_thread(one.reached)
        moves.cancel()
        with pytest.raises(asyncio.CancelledError):
            await moves

    asyncio.run(main())
    assert ex.run_sync().status == "finished"
    assert (len(calls), ex.state["x"]) == (2, 2)
    assert list(ex.df.transitions.status) == ["applied"]
    frames = ex.df.frames
    assert list(frames.frame) == list(range(1, len(frames) + 1))
    assert list(frames.status).count("open") == 1


def test_two_commands_at_once_take_turns(run_of: Any, aside: Any) -> None:
    ex = run_of(Endless())
    runs = [aside(lambda: ex.run_sync(max_frames=10)) for _ in range(3)]
    assert [run.result(PATIENCE_S).frames for run in runs] == [10, 10, 10]
    assert list(ex.df.frames.frame) == list(range(1, 31))


@pytest.mark.logs_errors
def test_an_observer_that_raises_is_removed_and_disturbs_nobody(run_of: Any) -> None:
    calls: list[int] = []

    def bad() -> None:
        calls.append(1)
        raise ValueError("bad observer")

    ex = run_of(Endless())
    run_behind(ex).observe(bad)
    assert ex.run_sync(max_frames=3).frames == 3
    assert len(calls) == 1


def test_close_can_be_called_twice_and_during_a_run(run_of: Any, aside: Any, gate: Any) -> None:
    one = gate()
    ex = run_of(Waits(run=one.passed))
    run = aside(ex.run_sync)
    one.reached()
    ex.close()
    ex.close()
    run.exception(PATIENCE_S)
    assert ex.df.executions.owner.isna().all()
