"""Task nodes: threads and coroutines, retries, timeouts, and the state that they write."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from smithers_nb import Task, component
from smithers_nb.errors import RunError
from smithers_nb.execution import run_behind


def test_a_sync_task_runs_in_a_thread_of_its_own_and_an_async_one_on_the_loop(run_of: Any) -> None:
    names: dict[str, str] = {}

    def in_thread() -> None:
        names["sync"] = threading.current_thread().name

    async def on_loop() -> None:
        names["async"] = threading.current_thread().name

    class Object:
        async def __call__(self) -> None:
            names["object"] = threading.current_thread().name

    run_of([Task(run=in_thread), Task(run=on_loop), Task(run=Object())]).run_sync()
    assert names["async"] == names["object"] == "smithers"
    assert names["sync"] not in ("smithers", threading.main_thread().name)


ARGS: dict[str, tuple[Any, Any, Any]] = {
    "none": (lambda: "x", [], "x"),
    "positional": (lambda a, b: [a, b], [1, 2], [1, 2]),
    "named": (lambda a, b: [a, b], {"b": 2, "a": 1}, [1, 2]),
    "ctx": (lambda ctx: ctx.state.get("s"), [], "stored"),
    "ctx and args": (lambda a, ctx: [a, ctx.state.get("s")], [1], [1, "stored"]),
    "ctx first, then args": (lambda ctx, a, b=3: [a, b, ctx.state.get("s")], [1], [1, 3, "stored"]),
    "ctx between args": (lambda a, ctx, b: [a, b, ctx.state.get("s")], [1, 2], [1, 2, "stored"]),
    "ctx behind a default": (lambda a, b=3, ctx=None: [a, b, ctx.state.get("s")], [1], [1, 3, "stored"]),
    "ctx by name only": (lambda *args, ctx: [*args, ctx.state.get("s")], [1], [1, "stored"]),
    "ctx and named": (lambda ctx, a: [a, ctx.frame], {"a": 1}, [1, 1]),
}


@pytest.mark.parametrize(("run", "args", "output"), ARGS.values(), ids=ARGS)
def test_a_task_is_called_with_its_args_and_ctx_if_it_names_it(run: Any, args: Any, output: Any, run_of: Any) -> None:
    results: list[Any] = []
    run_of(Task(run=run, args=args, on_finished=results.append), state={"s": "stored"}).run_sync()
    assert [result.output for result in results] == [output]


@pytest.mark.parametrize(("retries", "fails", "status"), [(0, 1, "failed"), (2, 2, "succeeded"), (2, 3, "failed")])
def test_a_task_is_tried_again_as_often_as_it_may(retries: int, fails: int, status: str, run_of: Any) -> None:
    tries: list[int] = []

    def flaky() -> str:
        tries.append(1)
        if len(tries) <= fails:
            raise ValueError("flaky")
        return "done"

    ex = run_of(Task(id="t", run=flaky, retries=retries))
    ex.run_sync()
    [row] = ex.df.tasks.to_dict("records")
    assert (row["status"], row["attempt"], row["max_attempts"], len(tries)) == (
        status, len(tries), retries + 1, min(fails, retries) + 1,
    )  # fmt: skip


def test_an_async_task_that_takes_too_long_fails(run_of: Any) -> None:
    async def hangs() -> None:
        await asyncio.Event().wait()

    results: list[Any] = []
    assert run_of(Task(run=hangs, timeout_s=0.02, on_error=results.append)).run_sync().status == "finished"
    assert "TimeoutError" in results[0].error and "timeout_s=0.02" in results[0].error


def test_a_sync_task_that_takes_too_long_fails_and_its_late_writes_are_refused(run_of: Any, gate: Any) -> None:
    one, late = gate(), []

    def blocks(ctx: Any) -> None:
        one.passed_in_thread()
        try:
            ctx.state.set("late", 1)
        except RunError as error:
            late.append(str(error))
        finished.set()

    finished = threading.Event()
    ex = run_of(Task(id="t", run=blocks, timeout_s=0.02, on_error=lambda r: None))
    assert ex.run_sync().status == "finished"
    one.open()
    assert finished.wait(60)
    assert "late" not in ex.state
    assert len(late) == 1 and "'late'" in late[0]


def test_a_timeout_of_the_users_own_is_not_taken_for_ours(run_of: Any) -> None:
    def raises() -> None:
        raise TimeoutError("the server took too long")

    results: list[Any] = []
    run_of(Task(run=raises, timeout_s=60, on_error=results.append)).run_sync()
    assert results[0].error == "TimeoutError: the server took too long"


@pytest.mark.parametrize("value", [{len}, (len,), object(), float("nan")], ids=["a set", "a tuple", "an object", "nan"])
def test_an_output_that_cannot_be_stored_fails_the_task(value: Any, run_of: Any) -> None:
    results: list[Any] = []
    run_of(Task(id="t", run=lambda: value, on_error=results.append)).run_sync()
    assert "NotStorableError" in results[0].error
    assert f"task t returned ({type(value).__name__})" in results[0].error


@pytest.mark.parametrize("kind", ["thread", "coroutine"])
def test_a_tasks_writes_are_applied_while_it_runs(kind: str, run_of: Any, gate: Any) -> None:
    one = gate()
    shown: list[Any] = []

    def in_thread(ctx: Any) -> str:
        ctx.state.set("progress", 1)
        one.passed_in_thread()
        ctx.state.update("progress", lambda old: old + 1)
        return "done"

    async def on_loop(ctx: Any) -> str:
        ctx.state.set("progress", 1)
        await one.passed()
        ctx.state.update("progress", lambda old: old + 1)
        return "done"

    @component
    def App(ctx: Any) -> Any:
        shown.append(ctx.state.get("progress"))
        return Task(id="t", run=in_thread if kind == "thread" else on_loop)

    ex = run_of(App())
    ex.step_sync()
    assert ex.step_sync().reason == ("state progress",)
    assert ex.state["progress"] == 1
    one.open()
    ex.run_sync()
    assert ex.state["progress"] == 2
    df = ex.df.transitions
    assert list(zip(df.origin, df.origin_id, df.node_id, df.op, strict=True)) == [
        ("task", "t@1", "t", "set"),
        ("task", "t@1", "t", "update"),
    ]
    assert shown[:2] == [None, 1]


def test_writes_of_a_waiting_task_that_change_nothing_disturb_nobody(run_of: Any, gate: Any) -> None:
    """Two of them between two frames are two transitions of one frame number."""
    gates = [gate(), gate()]

    async def run(ctx: Any) -> None:
        for one in gates:
            ctx.state.set("x", 1)
            await one.passed()

    ex = run_of(Task(id="t", run=run), state={"x": 1})
    ex.step_sync()
    gates[0].reached()
    assert ex.step_phase_sync().phase == "FLUSH"
    gates[0].open()
    gates[1].reached()
    gates[1].open()
    ex.run_sync()
    assert ex.status == "finished"
    assert list(ex.df.transitions.status) == ["applied", "noop", "noop"]


def test_a_tasks_end_rides_with_its_last_writes(run_of: Any) -> None:
    """No reader of the file sees a task that has ended and whose writes are missing."""
    import sqlite3

    seen: list[tuple[Any, Any]] = []

    def run(ctx: Any) -> None:
        ctx.state.set("x", 1)

    ex = run_of(Task(id="t", run=run, on_finished=lambda r, ctx: seen.append((r.status, ctx.state.get("x")))))
    mixed: list[Any] = []

    def look() -> None:
        with sqlite3.connect(ex.store.path) as db:
            rows = db.execute("SELECT (SELECT status FROM tasks), (SELECT value FROM state)").fetchone()
        db.close()
        if rows[0] == "succeeded" and rows[1] is None:
            mixed.append(rows)

    run_behind(ex).observe(look)
    ex.run_sync()
    assert (seen, mixed) == ([("succeeded", 1)], [])


def test_a_tasks_writes_count_although_it_fails(run_of: Any) -> None:
    def run(ctx: Any) -> None:
        ctx.state.set("x", 1)
        raise ValueError

    ex = run_of(Task(run=run, on_error=lambda r: None))
    ex.run_sync()
    assert ex.state["x"] == 1


def test_a_write_of_a_task_that_has_ended_is_refused(run_of: Any) -> None:
    doors: list[Any] = []

    def run(ctx: Any) -> None:
        import contextvars

        context = contextvars.copy_context()
        doors.append(lambda: context.run(ctx.state.set, "x", 1))

    ex = run_of(Task(id="t", run=run))
    ex.run_sync()
    with pytest.raises(RunError, match="'x' was written after task t@1 had ended"):
        doors[0]()


EXITS = """
import sys, threading
from smithers_nb import *

def leaves(*_):
    sys.exit(3)

async def leaves_on_loop():
    sys.exit(3)

@component
def App():
    leaves()

app = {
    "thread": Task(run=leaves),
    "coroutine": Task(run=leaves_on_loop),
    "handler": Task(run=lambda: 1, on_finished=leaves),
    "effect": Effect(run=leaves),
    "component": App(),
}[sys.argv[1]]

def run(app):
    ex = Execution(app, store="t.db")
    try:
        ex.run_sync()
    except BaseException as error:
        print(type(error).__name__, flush=True)

for app in (app, Task(run=lambda: 1)):
    thread = threading.Thread(target=run, args=[app], daemon=True)
    thread.start()
    thread.join(60)
    print("hangs" if thread.is_alive() else "ends", flush=True)
import os; os._exit(0)
"""


@pytest.mark.parametrize("place", ["thread", "coroutine", "handler", "effect", "component"])
def test_sys_exit_in_the_users_code_does_not_take_the_engine_with_it(place: str, python: Any) -> None:
    """People write exit() in a cell; all executions of the process live on the engine's thread."""
    done = python(EXITS, place)
    assert "hangs" not in done.stdout and done.stdout.count("ends") == 2, done.stdout + done.stderr[-1500:]
