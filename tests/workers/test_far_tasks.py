"""Tasks that outlive the kernel, seen from the engine: a runner that keeps them in memory stands for the workers."""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from threading import Event
from time import time
from typing import Any

import pytest

from smithers_nb import Claude, Parallel, Smithers, Task, component, scripted
from smithers_nb.agents.runner import AgentReply, AgentTask, FarLedger, FunctionTask, RetryLater
from smithers_nb.bridge import engine
from smithers_nb.history.panes.tasks import task as task_pane
from smithers_nb.history.recorded import RecordedSource
from smithers_nb.looks import show
from smithers_nb.notebook.messages import incoming
from smithers_nb.notebook.view_of import view_of
from smithers_nb.records import ModelCall, ToolCall
from smithers_nb.store import calls, listed
from tests.agents.conftest import Background
from tests.workers.remote_app import Box, square, with_ctx

ROOT = Path(__file__).parents[2]


def asked(task_id: str, turn: int, status: Any = "running", **more: Any) -> ModelCall:
    return ModelCall(task_id, turn, 1, "test", "m", ('{"kind":"request"}',), started_at=1.0, status=status, **more)


def tool(task_id: str, status: Any, **more: Any) -> ToolCall:
    return ToolCall(task_id, 1, 1, "t1", "look", "{}", status, 1.0, **more)


class Items:
    """Tells each task its rows, from its offset on, and ends it when the test lets it."""

    remote = True
    outlives = True
    send_code = False

    def __init__(self, rows: Any, end: Any = None) -> None:
        self.rows = rows
        self.end = end or (lambda task: AgentReply("done"))
        self.given: list[tuple[str, int, int]] = []
        self.cancelled: list[str] = []
        self.told = asyncio.Event()
        self.open = False

    async def check(self, task: AgentTask) -> None:
        pass

    async def submit(self, task: Any, ledger: FarLedger) -> AgentReply:
        self.given.append((task.task_id, task.leg, ledger.offset))
        try:
            await ledger.taken("w0", None)
            rows = self.rows(task)
            for offset in range(ledger.offset, len(rows)):
                await ledger.told(rows[offset], offset + 1)
            while not self.open:  # noqa: ASYNC110  # the test opens it on its own thread
                await asyncio.sleep(0.01)
            return self.end(task)
        except asyncio.CancelledError:
            if not ledger.leaving:
                self.cancelled.append(task.task_id)
            raise

    async def call(self, task: FunctionTask, ledger: FarLedger) -> AgentReply:
        self.given.append((task.task_id, task.leg, ledger.offset))
        await ledger.taken("w0", None)
        return AgentReply(task.run(*task.args))

    def rest(self) -> None:
        pass


def until(ex: Any, condition: Any) -> None:
    for _ in range(6000):
        if condition(ex.df.tasks):
            return
        Event().wait(0.01)
    raise AssertionError(f"it never came: {ex.df.tasks.to_dict('records')}")


def two_rows(task: AgentTask) -> list[Any]:
    id = task.task_id
    return [asked(id, 1), asked(id, 1, "ok", response='{"kind":"response","parts":[]}'), tool(id, "running")]


def ending(task: AgentTask) -> list[Any]:
    return [*two_rows(task), tool(task.task_id, "ok", output="1")]


def test_a_task_that_workers_run_is_joined_after_a_close(run_of: Any, resumed: Any) -> None:
    app = Claude(id="c", model="haiku")["hi"]
    runner = Items(two_rows)
    ex = run_of(app, runner=runner)
    run = Background(ex)
    until(ex, lambda tasks: len(tasks) and tasks.ledger_offset[0] == 3)
    assert ex.df.tasks.worker[0] == "w0"
    ex.close()
    run.ended()
    assert runner.cancelled == []
    later = Items(ending)
    later.open = True
    ex = resumed(app, runner=later)
    assert ex.run_sync().status == "finished"
    [(task_id, _, _)] = runner.given
    assert later.given == [(task_id, 0, 3)], "the same leg, from the first row that was not recorded"
    assert ex.df.model_calls.status.tolist() == ["ok"] and ex.df.tool_calls.status.tolist() == ["ok"]
    assert ex.df.tasks[["attempt", "leg", "ledger_offset"]].to_numpy().tolist() == [[1, 0, 4]]


KERNEL = """
import sys
from smithers_nb import Claude, Execution
from tests.workers.test_far_tasks import Items, two_rows
Execution(Claude(id="c", model="haiku")["hi"], store=sys.argv[1], runner=Items(two_rows)).run_sync()
"""


def test_tools_that_still_run_are_not_interrupted_when_the_kernel_was_killed(tmp_path: Path, resumed: Any) -> None:
    file = tmp_path / "t.db"
    kernel = subprocess.Popen([sys.executable, "-c", KERNEL, str(file)], cwd=ROOT)
    rows: list[Any] = []
    while rows != [(3,)]:
        assert kernel.poll() is None
        try:
            with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as db:
                rows = db.execute("SELECT ledger_offset FROM tasks").fetchall()
        except sqlite3.OperationalError:
            pass
    kernel.send_signal(signal.SIGKILL)
    kernel.wait()
    later = Items(ending)
    ex = resumed(Claude(id="c", model="haiku")["hi"], runner=later)
    assert ex.df.tool_calls.status.tolist() == ["running"]
    later.open = True
    assert ex.run_sync().status == "finished"
    assert ex.df.tool_calls.status.tolist() == ["ok"] and ex.df.model_calls.status.tolist() == ["ok"]
    assert ex.df.tasks[["attempt", "leg"]].to_numpy().tolist() == [[1, 0]]


def test_a_row_and_its_offset_are_one_transaction(run_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    before, failed = calls.advance, []

    def advance(db: Any, execution_id: str, task_id: str, offset: int) -> None:
        if offset not in failed:
            failed.append(offset)
            raise sqlite3.OperationalError("disk I/O error")
        before(db, execution_id, task_id, offset)

    monkeypatch.setattr(calls, "advance", advance)
    runner = Items(ending)
    runner.open = True
    ex = run_of(Claude(id="c", model="haiku")["hi"], runner=runner)
    assert ex.run_sync().status == "finished"
    assert failed == [1, 2, 3, 4]
    assert len(ex.df.model_calls) == 1 and len(ex.df.tool_calls) == 1
    assert ex.df.tasks.requests[0] == 1


def test_a_task_says_when_its_worker_was_seen_last(run_of: Any) -> None:
    class Quiet(Items):
        async def submit(self, task: Any, ledger: FarLedger) -> AgentReply:
            await ledger.taken("w0", None)
            self.ledger = ledger
            return await super().submit(task, ledger)

    runner = Quiet(two_rows)
    ex = run_of(Claude(id="c", model="haiku")["hi"], runner=runner)
    run = Background(ex)
    until(ex, lambda tasks: len(tasks) and tasks.ledger_offset[0] == 3)
    shown = []
    for why in ("last seen 12 s ago", None):
        engine.call(runner.ledger.quiet(why))
        source = RecordedSource(ex.store.reader, ex.execution_id)
        pane = task_pane(source, source.cursor(1), "c@1")
        assert pane is not None
        shown.append(pane["worker"])
    assert shown == ["w0: last seen 12 s ago", "w0"]
    runner.open = True
    assert run.ended().status == "finished" and ex.df.tasks.reason.isna().all()


def test_a_task_that_no_worker_can_continue_says_what_it_takes(run_of: Any) -> None:
    class Waiting(Items):
        async def submit(self, task: Any, ledger: FarLedger) -> AgentReply:
            self.ledger = ledger
            self.waits = asyncio.Event()
            await ledger.stalled("no_worker", "no worker is there. Start one: smithers worker URL")
            await self.waits.wait()
            await ledger.stalled(None)
            return await super().submit(task, ledger)

    runner = Waiting(two_rows)
    ex = run_of(Claude(id="c", model="haiku")["hi"], runner=runner)
    view, run = view_of(ex), Background(ex)
    versions = []

    def shown(condition: Any) -> Any:
        """Return the summary once the record of the execution is so."""
        until(ex, condition)
        summary = view.summary(seq=0, busy=None, error=None)
        versions.append(summary["versions"]["tasks"])
        [row] = view.pane(incoming.validate_python({"type": "get", "id": "r", "pane": "tasks"}))["tasks"]
        return summary, row

    # The reason of the execution is recorded for those who only read the file.
    summary, row = shown(lambda tasks: ex.store.executions().reason[0])
    why = "no worker is there. Start one: smithers worker URL"
    assert summary["sentence"] == f"Waiting for 1 task: {why}"
    assert (row["status"], row["worker"], row["error"], row["can"]) == ("blocked", "none", why, ["cancel"])
    assert ex.store.executions().reason[0] == why
    assert listed.executions(ex.store.reader)[0]["waits_for"] == "no_worker"
    assert why in str(ex.why("c")) and why in str(ex.why())

    engine.loop.call_soon_threadsafe(runner.waits.set)
    summary, row = shown(lambda tasks: tasks.ledger_offset[0] == 3)
    assert summary["sentence"] == "Waiting for 1 task. The next frame begins when one has ended."
    assert (row["status"], row["worker"], row["error"]) == ("running", "w0", None)

    engine.call(runner.ledger.lost("w0", "worker w0 was not seen for 16 s: moved"))
    summary, row = shown(lambda tasks: tasks.worker[0] == "")
    assert row["worker"] == "none has it yet: worker w0 was not seen for 16 s: moved"
    assert len(set(versions)) == 3, "the page asks for the tasks again after each of it"
    runner.open = True
    assert run.ended().status == "finished"


def test_the_parents_of_a_child_that_no_worker_can_continue_say_why(run_of: Any) -> None:
    why = "no worker is there. Start one: smithers worker URL"

    class Waiting(Items):
        async def submit(self, task: Any, ledger: FarLedger) -> AgentReply:
            self.waits = asyncio.Event()
            await ledger.stalled("no_worker", why)
            await self.waits.wait()
            await ledger.stalled(None)
            return await super().submit(task, ledger)

    @component
    def Asks() -> Any:
        return Claude(id="c", model="haiku")["hi"]

    @component
    def Between() -> Any:
        return Smithers(id="kid", component=Asks)

    runner = Waiting(two_rows)
    ex = run_of(Smithers(id="kid", component=Between), runner=runner)
    view, run = view_of(ex), Background(ex)
    # The reason is recorded for those who only read the file, of each that waits.
    until(ex, lambda tasks: ex.store.executions().reason.tolist() == [why] * 3)
    summary = view.summary(seq=0, busy=None, error=None)
    assert (summary["sentence"], summary["reason"]) == (f"Waiting for 1 task: {why}", why)
    assert f"reason: {why}" in str(show(ex.store.open(ex.execution_id)).text)
    listed_as = {row["kind"]: row["waits_for"] for row in listed.executions(ex.store.reader)}
    assert [listed_as["run"], listed_as["child"]] == ["execution/kid/kid: no_worker", "no_worker"]

    engine.loop.call_soon_threadsafe(runner.waits.set)
    until(ex, lambda tasks: (ex.store.df.tasks.ledger_offset == 3).any())
    sentence = view.summary(seq=0, busy=None, error=None)["sentence"]
    assert sentence == "Waiting for 1 task. The next frame begins when one has ended."
    runner.open = True
    assert run.ended().status == "finished"


def test_the_text_of_a_task_begins_again_with_the_attempt_of_another_worker(run_of: Any) -> None:
    def piece(task: Any, attempt: int, text: Any, turn: int = 1) -> Any:
        return (task.task_id, turn, attempt, "token", json.dumps(text), time())

    class Moved(Items):
        async def submit(self, task: Any, ledger: FarLedger) -> AgentReply:
            await ledger.taken("w0", None)
            await ledger.told_pieces([piece(task, 1, "First, "), piece(task, 1, "let us ")], 1)
            self.at = asyncio.Event()
            await self.at.wait()
            await ledger.lost("w0", "worker w0 was not seen for 16 s: moved")
            await ledger.told_pieces([piece(task, 2, "First, "), piece(task, 2, "let us look. ")], 2)
            await ledger.told_pieces([piece(task, 1, "Done.", turn=2)], 3)
            return await super().submit(task, ledger)

    runner = Moved(lambda task: [])
    ex = run_of(Claude(id="c", model="haiku")["hi"], runner=runner)
    view, run = view_of(ex), Background(ex)

    def tails() -> list[str]:
        summary = view.summary(seq=0, busy=None, error=None)
        [row] = view.pane(incoming.validate_python({"type": "get", "id": "r", "pane": "tasks"}))["tasks"]
        return [row["tail"], *(one["tail"] for one in summary["running"])]

    until(ex, lambda tasks: len(tasks) and tasks.ledger_offset[0] == 1)
    assert tails() == ["First, let us "] * 2
    engine.loop.call_soon_threadsafe(runner.at.set)
    until(ex, lambda tasks: tasks.ledger_offset[0] == 3)
    assert tails() == ["First, let us look. Done."] * 2
    runner.open = True
    assert run.ended().status == "finished"
    pieces = ex.df.stream_events
    assert pieces.groupby(["turn", "attempt"]).payload.apply("".join).tolist() == [
        "First, let us ", "First, let us look. ", "Done.",
    ]  # fmt: skip


def test_a_stop_cancels_the_item_and_the_next_leg_is_another(run_of: Any) -> None:
    runner = Items(two_rows)
    ex = run_of(Claude(id="c", model="haiku")["hi"], runner=runner)
    run = Background(ex)
    until(ex, lambda tasks: len(tasks) and tasks.ledger_offset[0] == 3)
    ex.stop()
    run.ended()
    [(task_id, _, _)] = runner.given
    assert runner.cancelled == [task_id]
    assert ex.df.tasks[["leg", "ledger_offset"]].to_numpy().tolist() == [[1, 0]]
    runner.rows, runner.open = (lambda task: [asked(task.task_id, 2, "ok", response="{}")]), True
    assert ex.run_sync().status == "finished"
    assert runner.given[1] == (task_id, 1, 0)
    assert ex.df.tool_calls.status.tolist() == ["interrupted"]


def test_a_wait_begins_the_next_leg(run_of: Any) -> None:
    def end(task: AgentTask) -> AgentReply:
        if task.leg == 0:
            raise RetryLater("rate_limit", time() + 0.2, "too many")
        return AgentReply("done")

    runner = Items(lambda task: [], end)
    runner.open = True
    ex = run_of(Claude(id="c", model="haiku")["hi"], runner=runner)
    assert ex.run_sync().status == "finished"
    assert [leg for _, leg, _ in runner.given] == [0, 1]


def test_functions_that_can_be_imported_go_to_workers_and_the_others_stay(run_of: Any) -> None:
    app = [
        Task(id="goes", run=square, args=[3]),
        Task(id="stays", run=lambda: 1),
        Task(id="ctx", run=with_ctx),
        Task(id="method", run=Box().add, args=[1]),
    ]
    runner = Items(two_rows)
    ex = run_of(Parallel()[app], runner=runner)
    assert ex.run_sync().status == "finished"
    assert [task_id.partition("@")[0] for task_id, _, _ in runner.given] == ["goes"]
    tasks = ex.df.tasks.set_index("node_id")
    assert tasks.result.to_dict() == {"goes": 9, "stays": 1, "ctx": 1, "method": 2}
    assert tasks.worker["goes"] == "w0" and tasks.worker.isna().sum() == 3


def test_an_execution_that_is_resumed_without_its_workers_says_so(
    run_of: Any, resumed: Any, caplog: pytest.LogCaptureFixture
) -> None:
    app = Claude(id="c", model="haiku")["hi"]
    ex = run_of(app, runner=Items(lambda task: [asked(task.task_id, 1)]))
    run = Background(ex)
    until(ex, lambda tasks: len(tasks) and tasks.ledger_offset[0] == 1)
    ex.close()
    run.ended()
    ex = resumed(app, models={"haiku": scripted("here")})
    assert "joins them" in caplog.text
    assert ex.run_sync().status == "finished" and ex.df.model_calls.status.tolist() == ["interrupted", "ok"]
