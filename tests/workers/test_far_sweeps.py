"""Sweeps whose executions run on workers, whole: each in a file of its worker, merged into that of the kernel."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from smithers_nb import DbosRunner, End, Store, Task, component, sweep
from tests.agents.fake_replies import by_turn, call, say
from tests.workers.conftest import PATIENCE_S, age, until_alive
from tests.workers.remote_app import Asking, Counting, square

CASES = {"props.n": [*range(6)]}
"""Six executions with two agents of two turns each: 24 requests."""


ROWS = {
    "tasks": ["task_id", "node_id", "status", "attempt", "result", "requests"],
    "model_calls": ["task_id", "turn", "attempt", "model", "status", "input_tokens", "output_tokens"],
    "tool_calls": ["task_id", "turn", "tool", "input", "output", "status"],
    "transitions": ["frame", "seq", "key", "op", "new", "status"],
}
"""Tables, with the columns that are the same wherever an execution runs."""


def acts(delay_s: float = 0.0) -> Any:
    return by_turn(*(replace(act, delay_s=delay_s) for act in (call("look", n=1), say("done"))))


def swept(url: str, path: Path, **more: Any) -> Any:
    given = {"store": path, "progress": False, "runner": DbosRunner(url, lost_after_s=15), **more}
    return sweep(Asking, CASES, **given)


def paid_once(server: Any, found: Any, allowed: int = 0) -> None:
    """Check that all is there, and that at most so many requests were made again that a killed worker had in flight."""
    assert found.df.status.tolist() == ["finished"] * 6
    assert found.df.result.tolist() == [f"{n}: done, done" for n in range(6)]
    answered = [(entry.asked.prompt, entry.asked.turn) for entry in server.requests if entry.outcome == "sent"]
    assert len(set(answered)) == 24 and len(answered) <= 24 + allowed
    assert Store(found.reader.path).check().ok


def test_executions_run_on_workers_and_come_back_whole(url: str, worker: Any, model: Any, tmp_path: Path) -> None:
    server = model(acts())
    worker("w0", "--dir", str(tmp_path / "shards"))
    there = swept(url, tmp_path / "there.db")
    paid_once(server, there)
    assert len([*(tmp_path / "shards").glob("*.db")]) == 6, "they were whole executions"
    here = swept(url, tmp_path / "here.db", runner=None)
    columns = ["branch", "execution_id", "props.n", "repeat", "status", "reason", "tokens", "frames", "result"]
    assert there.df[columns].to_dict() == here.df[columns].to_dict()
    for one, other in zip(there, here, strict=True):
        for table, names in ROWS.items():
            assert getattr(one.df, table)[names].to_dict() == getattr(other.df, table)[names].to_dict()
    swept(url, tmp_path / "there.db")
    assert len(server.requests) == 48, "the same call again finds all of it"
    # The same sweep in another file asks again: its ids are the same, and its items are not.
    assert swept(url, tmp_path / "second.db").df.status.tolist() == ["finished"] * 6
    assert len(server.requests) == 72


def test_a_moved_execution_pays_nothing_twice(url: str, worker: Any, model: Any, tmp_path: Path) -> None:
    server = model(acts(0.3))
    first = worker("w0", "--concurrency", "3", "--executions", "3", wait=False)
    worker("w1", "--concurrency", "3", "--executions", "3")
    until_alive(url, "w0", first)

    def kill() -> None:
        server.wait_for(lambda seen: len(seen) >= 9, PATIENCE_S)
        first.kill()
        age(url, "w0")

    killing = Thread(target=kill)
    killing.start()
    found = swept(url, tmp_path / "t.db")
    killing.join()
    paid_once(server, found, allowed=3)


def test_what_needs_the_kernel_runs_there_with_its_agents_on_workers(
    url: str, worker: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    @component
    def Local(ctx: Any, n: int) -> Any:
        if (done := ctx.state.get("done")) is not None:
            return End(value=done)
        return Task(id="t", run=square, args=[n], on_finished=lambda r: ctx.state.set("done", r.output))

    worker("w0")
    given: dict[str, Any] = {"progress": False, "runner": DbosRunner(url)}
    found = sweep(Local, {"props.n": [2, 3]}, store=tmp_path / "local.db", **given)
    assert found.df.result.tolist() == [4, 9] and set(found[0].df.tasks.worker) == {"w0"}
    assert "stay in this process" in caplog.text and "the app Local of Local sweep[0] can't leave" in caplog.text
    limited = sweep(Counting, {"props.n": [2]}, store=tmp_path / "limited.db", limits={"turns": 5}, **given)
    assert limited.df.result.tolist() == [4] and set(limited[0].df.tasks.worker) == {"w0"}

    # One that has failed on a worker is taken up here.
    file = tmp_path / "flag"
    given |= {"store": tmp_path / "failing.db"}
    found = sweep(Counting, [{"props.n": 2, "props.needs": str(file)}], **given)
    assert found.df.status.tolist() == ["failed"]
    file.touch()
    again = sweep(Counting, [{"props.n": 2, "props.needs": str(file)}], **given)
    assert again.df.status.tolist() == ["finished"] and again.df.result.tolist() == [4]
    assert again[0].df.tasks.attempt.tolist() != [1], "the failed attempt is in the history"
