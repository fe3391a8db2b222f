"""Executions that were not closed and that no one has any more: given back, wherever their references stood."""

from __future__ import annotations

import asyncio
import gc
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from smithers_nb import Approval, Claude, Execution, Smithers, Step, Store, Task, component, scripted
from smithers_nb.bridge import engine
from smithers_nb.errors import AppChangedWarning
from smithers_nb.store.connection import Database


@pytest.fixture(autouse=True, scope="module")
def small_heap():
    """Take what other tests have left out of each collection, which would take seconds."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def others() -> None:
    """Leave the executions of other tests out of the count."""
    BEFORE.clear()
    BEFORE.update(engine.call(hearts()))


BEFORE: set[asyncio.Task[Any]] = set()
"""The heartbeats of executions that other tests have left."""


def made(tmp_path: Path, app: object, **options: Any) -> Execution:
    return Execution(app, store=tmp_path / "t.db", name="x", **options)


def given_back(tmp_path: Path) -> bool:
    gc.collect()
    path = str(tmp_path / "t.db")
    beats = engine.call(hearts())
    return beats <= BEFORE and path not in Database._open and list(Store(path).df.executions.owner.dropna()) == []


async def hearts() -> set[asyncio.Task[Any]]:
    await asyncio.sleep(0)
    return {task for task in asyncio.all_tasks() if task.get_name() == "smithers heartbeat"}


def not_stepped(tmp_path: Path) -> None:
    made(tmp_path, Step())


def at_rest(tmp_path: Path) -> None:
    made(tmp_path, Task(id="t", run=lambda: 1, on_finished=lambda r, ctx: ctx.state.set("n", 1))).step_sync()


def in_a_phase(tmp_path: Path) -> None:
    made(tmp_path, Step()).step_phase_sync()


def finished(tmp_path: Path) -> None:
    assert made(tmp_path, Task(id="t", run=lambda: 1)).run_sync().status == "finished"


def waiting(tmp_path: Path) -> None:
    assert made(tmp_path, Approval(id="q", prompt="?")).run_sync().status == "waiting"


def with_an_agent(tmp_path: Path) -> None:
    assert made(tmp_path, Claude(id="c", model=scripted("said"))["go"]).run_sync().status == "finished"


def with_a_child(tmp_path: Path) -> None:
    @component
    def Inner() -> Any:
        return Task(id="t", run=lambda: 1)

    assert made(tmp_path, Smithers(id="child", component=Inner)).run_sync().status == "finished"


def with_a_child_that_waits(tmp_path: Path) -> None:
    @component
    def Inner() -> Any:
        return Approval(id="q", prompt="?")

    ex = made(tmp_path, Smithers(id="child", component=Inner))
    assert ex.run_sync().status == "waiting"
    ex.stop()


def that_its_own_handlers_know(tmp_path: Path) -> None:
    ex = made(tmp_path, Task(id="t", run=lambda: 1, on_finished=lambda r: ex.pause()))
    ex.run_sync()


def that_failed(tmp_path: Path) -> None:
    def fails() -> None:
        raise ValueError(ex.name)

    ex = made(tmp_path, Task(id="t", run=fails))
    assert ex.run_sync().status == "failed"


def that_watches_files(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")

    @component
    def App(ctx: Any) -> Any:
        return [ctx.fs.read(str(tmp_path / "a.txt")), Approval(id="q", prompt="?")]

    assert made(tmp_path, App).run_sync().status == "waiting"


def made_in_a_task(tmp_path: Path) -> None:
    inner: list[Execution] = []
    with Execution(Task(id="t", run=lambda: inner.append(made(tmp_path, Step()))), store=tmp_path / "o.db") as outer:
        assert outer.run_sync().status == "finished"


def resumed(tmp_path: Path) -> None:
    made(tmp_path, Step()).close()
    Execution.resume(Step(), store=tmp_path / "t.db").run_sync()


KINDS: list[Callable[[Path], None]] = [
    not_stepped,
    at_rest,
    in_a_phase,
    finished,
    waiting,
    with_an_agent,
    with_a_child,
    with_a_child_that_waits,
    that_its_own_handlers_know,
    that_failed,
    that_watches_files,
    made_in_a_task,
    resumed,
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_what_no_one_has_any_more_is_given_back(kind: Any, tmp_path: Path, wait_until: Any) -> None:
    kind(tmp_path)
    wait_until(lambda: given_back(tmp_path))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AppChangedWarning)
        Execution.resume(Step(), store=tmp_path / "t.db", name="x").close()


def test_it_is_kept_while_a_task_runs_and_given_back_when_that_has_ended(
    tmp_path: Path, gate: Any, wait_until: Any
) -> None:
    one = gate()
    made(tmp_path, Task(id="t", run=one.passed)).step_sync()
    one.reached()
    for _ in range(3):
        assert not given_back(tmp_path)
    one.open()
    wait_until(lambda: given_back(tmp_path))
    assert list(Store(tmp_path / "t.db").df.tasks.status) == ["succeeded"]


def test_a_stepper_keeps_its_execution(tmp_path: Path, wait_until: Any) -> None:
    from smithers_nb import Stepper

    stepper = Stepper(made(tmp_path, Step()))
    assert not given_back(tmp_path)
    stepper.close()
    del stepper
    wait_until(lambda: given_back(tmp_path))


def test_others_in_the_same_file_are_left_alone(tmp_path: Path, wait_until: Any) -> None:
    with made(tmp_path, Task(id="t", run=lambda: 1)) as kept:
        not_stepped(tmp_path)

        def one_is_left() -> bool:
            gc.collect()
            return len(kept.store.df.executions.owner.dropna()) == 1

        wait_until(one_is_left)
        assert kept.run_sync().status == "finished"


def test_one_that_is_collected_in_another_thread_is_given_back(tmp_path: Path, wait_until: Any) -> None:
    thread = threading.Thread(target=lambda: (at_rest(tmp_path), gc.collect()))
    thread.start()
    thread.join()
    wait_until(lambda: given_back(tmp_path))


def test_the_process_ends_although_an_execution_that_no_one_has_is_running_a_task(python: Any) -> None:
    done = python(
        """
        import asyncio, gc
        from smithers_nb import *
        async def endless():
            await asyncio.Event().wait()
        Execution(Task(id="t", run=endless), store="x.db").step_sync()
        gc.collect()
        print("made")
        """
    )
    assert (done.stdout.strip(), done.stderr, done.returncode) == ("made", "", 0)
