"""One writer per execution; others read, and are told who it is. A busy file costs time and nothing else."""

from __future__ import annotations

import os
import sqlite3
import threading
from typing import Any

import pytest

from smithers_nb import Claude, Step, Task, component, scripted
from smithers_nb.errors import ExecutionOwnedError, StoreBusyError
from smithers_nb.execution import run_behind
from smithers_nb.store import connection, lease

RESUME = """
import sys
from smithers_nb import *
from smithers_nb.errors import ExecutionOwnedError
print(len(Store("t.db").df.frames))
try:
    ex = Execution.resume(Step(), store="t.db")
    print(ex.run_sync().status)
except ExecutionOwnedError as error:
    print(error)
"""


def test_a_second_process_may_read_and_is_told_who_runs_it(run_of: Any, python: Any) -> None:
    ex = run_of(Step(), name="report")
    ex.run_sync()
    before = ex.df.executions.lease_expires_at[0]
    frames, message = python(RESUME).stdout.splitlines()
    after = ex.df.executions.lease_expires_at[0]  # It may have been renewed meanwhile.
    assert frames == "1"
    for word in ("'report'", ex.execution_id, f"pid {os.getpid()} on "):
        assert word in message
    until = message.partition("holds until ")[2][:19]
    assert before.isoformat()[:19] <= until <= after.isoformat()[:19]
    assert ex.run_sync().status == "finished"


def test_a_closed_execution_can_be_resumed_by_another_process(run_of: Any, python: Any) -> None:
    ex = run_of(Step())
    ex.run_sync()
    ex.close()
    assert python(RESUME).stdout.splitlines() == ["1", "finished"]


def test_the_lease_of_a_dead_process_is_taken_over(python: Any, resumed: Any) -> None:
    done = python(
        """
        import os
        from smithers_nb import *
        ex = Execution(Step(), store="t.db")
        ex.run_sync()
        print(ex.df.executions.owner[0], flush=True)
        os._exit(0)
        """
    )
    assert "pid" in done.stdout
    ex = resumed(Step())
    assert ex.run_sync().frame.number == 2
    assert f"pid {os.getpid()} " in ex.df.executions.owner[0]


def test_a_lease_that_has_run_out_is_taken_over_and_the_old_owner_is_told(
    run_of: Any, resumed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "LEASE_S", -1.0)
    old = run_of(Step())
    old.run_sync()
    monkeypatch.undo()
    new = resumed(Step())
    old.state.set("x", 1)
    with pytest.raises(ExecutionOwnedError, match="taken over by pid"):
        old.run_sync()
    assert new.run_sync().status == "finished"
    assert list(new.df.frames.frame) == [1, 2]


def test_two_in_one_process_may_not_run_the_same_execution(run_of: Any, resumed: Any) -> None:
    ex = run_of(Step())
    with pytest.raises(ExecutionOwnedError):
        resumed(Step())
    ex.close()
    assert resumed(Step()).run_sync().status == "finished"


# ---- a busy file -----------------------------------------------------------------------------------------------


class Lock:
    """Another program that holds the file's write lock."""

    def __init__(self, path: str) -> None:
        self.db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self.db.execute("BEGIN IMMEDIATE")

    def release(self) -> None:
        self.db.execute("ROLLBACK")
        self.db.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "BUSY_TIMEOUT_S", 0.05)


@component
def Chain(ctx: Any, calls: list[int]) -> Any:
    n = ctx.state.get("n", 0)

    def next_one(_: Any) -> None:
        calls.append(n)
        if n < 3:
            ctx.state.set("n", n + 1)

    return [Step(name=str(n)), Task(key=str(n), run=lambda: n, on_finished=next_one)]


@pytest.mark.parametrize("done", range(15))
@pytest.mark.usefixtures("impatient")
def test_a_file_that_is_locked_for_a_while_costs_nothing(done: int, run_of: Any) -> None:
    """Wherever the lock comes in between, the step says so and the next one goes on; no handler is called twice."""
    calls: list[int] = []
    ex = run_of(Chain(calls=calls))
    for _ in range(done):
        ex.step_phase_sync()
    lock = Lock(ex.store.path)
    try:
        with pytest.raises(StoreBusyError, match="locked"):
            ex.run_sync()
    finally:
        lock.release()
    assert ex.run_sync().status == "finished"
    assert ex.state["n"] == 3 and calls == [0, 1, 2, 3]
    assert list(ex.df.transitions.new) == [1, 2, 3]
    assert list(ex.df.frames.frame) == list(range(1, len(ex.df.frames) + 1))
    assert set(ex.df.tasks.status) == {"succeeded"}
    assert not ex.df.tasks.settled_at_frame.isna().any()


@pytest.mark.usefixtures("impatient")
def test_a_task_that_ends_while_the_file_is_locked_is_not_lost(run_of: Any, gate: Any) -> None:
    one, calls = gate(), []
    ex = run_of(Task(id="t", run=one.passed, on_finished=calls.append))
    ex.step_sync()
    one.reached()
    lock = Lock(ex.store.path)
    tried = threading.Event()
    run_behind(ex).observe(lambda: None)
    one.open()
    with pytest.raises(StoreBusyError):
        ex.run_sync()
    tried.set()
    lock.release()
    assert ex.run_sync().status == "finished"
    assert len(calls) == 1


@pytest.mark.usefixtures("impatient")
def test_a_reply_that_was_paid_for_is_not_lost_while_the_file_is_locked(run_of: Any) -> None:
    """The request's row can't be written yet: that is no reason to fail the agent, or to ask again."""
    locks: list[Lock] = []
    holder: list[Any] = []

    def answer(_: str) -> str:
        locks.append(Lock(holder[0].store.path))
        threading.Timer(0.4, locks[0].release).start()
        return "the reply"

    model = scripted(answer)
    ex = run_of(Claude(id="c", model=model, on_finished=lambda r, ctx: ctx.state.set("reply", r.output))["hi"])
    holder.append(ex)
    for _ in range(20):
        try:
            result = ex.run_sync()
            break
        except StoreBusyError:
            continue
    assert (result.status, dict(ex.state), len(model.calls)) == ("finished", {"reply": "the reply"}, 1)
    assert len(ex.df.model_calls) == 1


@pytest.mark.usefixtures("impatient")
def test_the_heartbeat_goes_on_after_a_locked_file(
    run_of: Any, monkeypatch: pytest.MonkeyPatch, wait_until: Any
) -> None:
    from smithers_nb.engine import heartbeat

    monkeypatch.setattr(heartbeat, "HEARTBEAT_S", 0.01)
    ex = run_of(Step())
    ex.run_sync()
    lock = Lock(ex.store.path)
    heart = run_behind(ex).loop._heart
    busy = threading.Event()
    assert not busy.wait(0.2)  # Long enough for a heartbeat to find the file locked.
    lock.release()
    before = ex.df.executions.updated_at[0]
    assert not (heart.done() and heart.exception())
    wait_until(lambda: ex.df.executions.updated_at[0] > before)


@pytest.mark.usefixtures("impatient")
def test_how_it_ended_is_recorded_although_the_file_was_locked(run_of: Any) -> None:
    ex = run_of(Step())
    while ex.step_phase_sync().phase != "EFFECTS":
        pass
    original = connection.Database.transaction

    async def busy(self: Any, work: Any, *args: Any, **named: Any) -> Any:
        if work.__name__ == "set_status" and not failed:
            failed.append(1)
            raise StoreBusyError("t.db is locked")
        return await original(self, work, *args, **named)

    failed: list[int] = []
    connection.Database.transaction = busy  # type: ignore[method-assign]
    try:
        with pytest.raises(StoreBusyError):
            ex.run_sync()
        assert ex.run_sync().status == "finished"
    finally:
        connection.Database.transaction = original  # type: ignore[method-assign]
    assert list(ex.df.executions.status) == ["finished"]
