"""Executions whose agents and functions run on real workers, over DBOS on a real PostgreSQL."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from smithers_nb import Claude, DbosRunner, Parallel, Task, call_tool, scripted
from smithers_nb.agents.workers import workers_of
from smithers_nb.looks import show
from smithers_nb.notebook.view_of import view_of
from smithers_nb.store import listed
from tests.agents.conftest import Background
from tests.agents.fake_replies import Hang, by_turn, call, say, tokens
from tests.agents.fake_server import KEY
from tests.workers.conftest import PATIENCE_S, ROOT, Station, age, until_alive
from tests.workers.remote_app import fails, look, says, square
from tests.workers.test_far_tasks import until

IMPORT_S = 3.0
"""The time that the import of dbos takes on a busy machine."""

ROWS = ["node_id", "turn", "attempt", "model", "request", "response", "input_tokens", "output_tokens", "status"]


def agents(count: int) -> Any:
    return Parallel()[[Claude(id=f"a{n}", model="haiku", tools=[look])[f"Look up {n}."] for n in range(count)]]


def test_an_execution_on_workers_has_the_rows_of_one_in_this_process(station: Station, model: Any, run_of: Any) -> None:
    acts = by_turn(call("look", n=1), call("look", n=2), say("done"))
    server = station.asks(acts)
    # Half of them each: with room for all, the first that looks may take all.
    keys = {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": server.anthropic_url}
    second = station.start("w1", "--concurrency", "10", **keys)
    there = run_of(agents(20), runner=DbosRunner(station.url))
    assert there.run_sync().status == "finished"
    assert len(server.requests) == 60
    second.kill()
    model(acts)
    here = run_of(agents(20))
    assert here.run_sync().status == "finished"

    def rows(ex: Any, table: str, columns: list[str]) -> list[Any]:
        return sorted(map(str, getattr(ex.df, table)[columns].to_numpy().tolist()))

    calls = ["node_id", "turn", "attempt", "tool", "input", "output", "status"]
    assert rows(there, "tool_calls", calls) == rows(here, "tool_calls", calls)
    bare = [name for name in ROWS if name not in ("request", "response")]
    assert rows(there, "model_calls", bare) == rows(here, "model_calls", bare)
    tasks = ["node_id", "status", "attempt", "result", "input_tokens", "output_tokens", "requests", "error"]
    assert rows(there, "tasks", tasks) == rows(here, "tasks", tasks)
    assert set(there.df.tasks.worker) == {"w0", "w1"}


def test_functions_run_on_workers_print_and_fail_as_they_do_here(station: Station, run_of: Any) -> None:
    def app() -> Any:
        return Parallel()[
            Task(id="ok", run=square, args=[3]),
            Task(id="says", run=says, args=["x"]),
            Claude(id="tool", model=scripted(call_tool("says", text="y"), "done"), tools=[says])["hi"],
            Task(id="bad", run=fails, args=["x"], retries=1, on_error=lambda result: None),
        ]

    there, here = run_of(app(), runner=DbosRunner(station.url, send_code=True)), run_of(app())
    for ex in (there, here):
        assert ex.run_sync().status == "finished"
    columns = ["node_id", "status", "attempt", "result", "reason"]
    assert str(there.df.tasks[columns].to_numpy().tolist()) == str(here.df.tasks[columns].to_numpy().tolist())
    ours, theirs = (ex.df.tasks.set_index("node_id").error["bad"].splitlines() for ex in (here, there))
    assert theirs[-1] == ours[-1] == "ValueError: x"
    assert printed(there) == printed(here)
    assert printed(there) == [("says", "task says", "printed x\n"), ("tool", "task tool", "printed y\n")]
    assert set(there.df.tasks.worker) == {"w0"}


def printed(ex: Any) -> list[tuple[str, str, str]]:
    events = ex.df.events[ex.df.events.kind == "output"]
    return sorted((one.node_id, one.payload["where"], one.payload["text"]) for one in events.itertuples())


def asked_once(server: Any, ex: Any, turns: int, agents: int) -> None:
    """Check that no recorded answer was asked for again, and that every request was made."""
    answered = [(entry.asked.prompt, entry.asked.turn) for entry in server.requests if entry.outcome == "sent"]
    assert len(set(answered)) == turns * agents
    calls = ex.df.model_calls
    recorded = calls[calls.status == "ok"]
    assert len(recorded) == turns * agents and not recorded.duplicated(["task_id", "turn"]).any()
    # A worker that is killed between an answer and its row leaves the row interrupted: that request is made again.
    twice, lost = len(answered) - len(set(answered)), (calls.status == "interrupted").sum()
    assert twice <= lost, f"{twice} of {len(answered)} answers were paid for twice, and {lost} were lost"


def nothing_is_open(ex: Any) -> None:
    assert "running" not in set(ex.df.model_calls.status) | set(ex.df.tool_calls.status) | set(ex.df.tasks.status)
    made = ex.df.tool_calls[ex.df.tool_calls.status == "ok"]
    assert not made.duplicated(["task_id", "turn", "tool_call_id"]).any(), "a tool that had ended ran again"


def slow_turns() -> Any:
    return by_turn(*(replace(act, delay_s=0.4) for act in (call("look", n=1), call("look", n=2), say("done"))))


def test_the_tasks_of_a_killed_worker_are_moved_and_no_answer_is_paid_twice(
    url: str, worker: Any, model: Any, run_of: Any
) -> None:
    server = model(slow_turns())
    first = worker("w0", wait=False)
    worker("w1")
    until_alive(url, "w0", first)
    ex = run_of(agents(8), runner=DbosRunner(url, lost_after_s=15))
    run = Background(ex)
    server.wait_for(lambda requests: len(requests) >= 6, PATIENCE_S)
    first.kill()
    age(url, "w0")
    assert run.ended(90).status == "finished"
    asked_once(server, ex, 3, 8)
    nothing_is_open(ex)
    assert (ex.df.events.kind == "worker_lost").any() or set(ex.df.tasks.worker) == {"w1"}


def test_a_killed_kernel_finds_what_the_workers_did_meanwhile(station: Station, resumed: Any, tmp_path: Path) -> None:
    server = station.asks(slow_turns())
    kernel = subprocess.Popen(
        [sys.executable, "-m", "tests.workers.kernel", tmp_path / "t.db", station.url, "6"], cwd=ROOT
    )
    server.wait_for(lambda requests: len(requests) >= 4, PATIENCE_S)
    kernel.kill()
    kernel.wait()
    server.wait_for(lambda requests: len(requests) == 18, PATIENCE_S)
    ex = resumed(agents(6), runner=DbosRunner(station.url))
    assert ex.run_sync().status == "finished"
    asked_once(server, ex, 3, 6)
    assert len(server.requests) == 18 and len(ex.df.model_calls) == 18
    assert ex.df.tasks.attempt.tolist() == [1] * 6 and ex.df.tool_calls.status.tolist() == ["ok"] * 12
    nothing_is_open(ex)


def test_without_a_worker_the_task_says_so_and_one_that_starts_goes_on(url: str, worker: Any, run_of: Any) -> None:
    ex = run_of(Task(id="t", run=square, args=[3]), runner=DbosRunner(url))
    run, began = Background(ex), time.monotonic()
    until(ex, lambda tasks: len(tasks) and tasks.status[0] == "blocked")
    took = time.monotonic() - began
    assert ex.df.tasks.reason[0] == "no_worker" and "smithers_nb worker" in ex.df.tasks.error[0]
    assert "@" not in ex.df.tasks.error[0], "the address may hold a password"
    worker("w0")
    assert run.ended(30).status == "finished"
    assert ex.df.tasks.result[0] == 9 and took < 2 + 3 * IMPORT_S


def test_workers_that_take_no_single_tasks_are_said_like_none(url: str, worker: Any, run_of: Any) -> None:
    worker("w0", "--concurrency", "0")
    ex = run_of(Task(id="t", run=square, args=[3]), runner=DbosRunner(url))
    view, run = view_of(ex), Background(ex)
    until(ex, lambda tasks: ex.store.executions().reason[0])
    start = "Start one where the same code is: python -m smithers_nb worker URL --id w1 --queue agents"
    why = ex.store.executions().reason[0]
    assert "takes tasks of agents and functions: w0 runs with --concurrency 0" in why and why.endswith(start)
    assert ex.df.tasks[["status", "reason", "error"]].to_numpy().tolist() == [["blocked", "no_worker", why]]
    assert view.summary(seq=0, busy=None, error=None)["sentence"] == f"Waiting for 1 task: {why}"
    assert f"reason: {why}" in str(show(ex.store.open(ex.execution_id)).text)
    assert [row["waits_for"] for row in listed.executions(ex.store.reader)] == ["no_worker"]
    worker("w1")
    assert run.ended().status == "finished" and ex.df.tasks.worker[0] == "w1"


def test_workers_that_could_not_be_seen_while_the_engine_was_away_keep_their_tasks(
    station: Station, run_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = station.asks(say("done", delay_s=4))
    monkeypatch.setattr("smithers_nb.agents.dbos.BEAT_S", 0.05)
    monkeypatch.setattr("smithers_nb.agents.dbos.LATE_S", 0.5)
    gone: list[float] = []
    looks: list[float] = []

    def seen(url: str, queue: str) -> Any:
        found = workers_of(url, queue)
        if not server.requests or len(looks) >= 3:
            return found
        gone.append(time.monotonic())
        if gone[-1] - gone[0] < 1:
            raise psycopg.OperationalError("the database is away")
        # It is back, and no worker has had the time to say that it lives.
        looks.append(gone[-1])
        return [replace(one, seen_s=one.seen_s + 60) for one in found]

    # An hour passes: that the database is away for a minute is no more than a second here.
    monkeypatch.setattr("smithers_nb.agents.dbos.time", lambda: time.time() + 3600 * bool(looks))
    monkeypatch.setattr("smithers_nb.agents.dbos.workers_of", seen)
    ex = run_of(Claude(id="c", model="haiku")["hi"], runner=DbosRunner(station.url, lost_after_s=15))
    assert ex.run_sync().status == "finished"
    assert len(looks) == 3 and len(server.requests) == 1
    assert "worker_lost" not in set(ex.df.events.kind) and ex.df.model_calls.status.tolist() == ["ok"]


def test_an_item_that_is_deleted_while_it_runs_is_said(station: Station, run_of: Any) -> None:
    server = station.asks(Hang())
    ex = run_of(Claude(id="c", model="haiku", on_error=lambda result: None)["hi"], runner=DbosRunner(station.url))
    run = Background(ex)
    server.wait_for(lambda requests: len(requests) == 1, PATIENCE_S)
    until(ex, lambda tasks: len(ex.df.model_calls) == 1)
    with psycopg.connect(station.url, autocommit=True) as db:
        db.execute("DELETE FROM dbos.workflow_status WHERE workflow_uuid LIKE %s", (f"{ex.execution_id}%",))
    assert run.ended().status == "finished"
    assert "was deleted there before its end had come. ex.retry('c')" in ex.df.tasks.error[0]
    assert "running" not in set(ex.df.model_calls.status)


def test_a_worker_ends_when_it_is_told_to_and_the_engine_is_away(postgres: Any, url: str, worker: Any) -> None:
    one = worker("w0")
    postgres.kill()
    one.signal(signal.SIGTERM)
    assert one.process.wait(PATIENCE_S) == 0
    postgres.start()
    assert "its tasks go to others once its heartbeat is old" in one.said()


def test_an_address_that_was_never_right_is_said_at_once(
    url: str, run_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smithers_nb.agents.dbos.PATIENCE_S", 3600.0)
    ex = run_of(Task(id="t", run=square, args=[3]), runner=DbosRunner(f"{url}x"))
    run = Background(ex)
    until(ex, lambda tasks: len(tasks) and tasks.reason[0] == "engine")
    assert "does not exist" in ex.df.tasks.error[0]
    ex.stop()
    run.ended()


def test_a_cancelled_agent_ends_its_request_and_the_row_says_so(station: Station, run_of: Any) -> None:
    server = station.asks(Hang())
    ex = run_of(Claude(id="c", model="haiku", on_error=lambda result: None)["hi"], runner=DbosRunner(station.url))
    run = Background(ex)
    server.wait_for(lambda requests: len(requests) == 1, PATIENCE_S)
    until(ex, lambda tasks: len(ex.df.model_calls) == 1)
    began = time.monotonic()
    ex.cancel("c")
    server.wait_for(lambda requests: requests[0].outcome == "gone")
    took = time.monotonic() - began
    assert run.ended().status == "finished"
    assert ex.df.tasks.status[0] == "cancelled" and ex.df.model_calls.status.tolist() == ["cancelled"]
    assert took < 2.5, f"the provider saw the client go after {took:.1f} s"


def test_a_stop_ends_requests_and_a_run_continues_with_the_next_leg(station: Station, run_of: Any) -> None:
    answers = by_turn(call("look", n=1), say("done"))
    server = station.asks(lambda asked: Hang() if asked.number == 2 else answers(asked))
    ex = run_of(agents(1), runner=DbosRunner(station.url))
    run = Background(ex)
    server.wait_for(lambda requests: len(requests) == 2, PATIENCE_S)
    until(ex, lambda tasks: len(ex.df.model_calls) == 2)
    ex.stop()
    run.ended()
    assert ex.run_sync().status == "finished"
    assert [entry.asked.turn for entry in server.requests] == [1, 2, 2]
    assert ex.df.tasks.leg[0] == 1
    nothing_is_open(ex)


def test_a_question_is_answered_after_a_restart_of_the_kernel(station: Station, run_of: Any, resumed: Any) -> None:
    server = station.asks(by_turn(call("look", n=4), say("done")))
    app = Claude(id="c", model="haiku", tools=[look], approve=["look"])["Look."]
    ex = run_of(app, runner=DbosRunner(station.url))
    assert ex.run_sync().status == "waiting"
    ex.close()
    ex = resumed(app, runner=DbosRunner(station.url))
    [question] = ex.df.approvals.approval_id
    ex.answer(question, "approve")
    assert ex.run_sync().status == "finished"
    assert [entry.asked.turn for entry in server.requests] == [1, 2]
    assert ex.df.tool_calls[["tool", "status", "output"]].to_numpy().tolist() == [["look", "ok", 8]]
    assert ex.df.tasks.leg[0] == 1


def test_a_worker_that_is_ended_hands_its_tasks_back_at_once(url: str, worker: Any, model: Any, run_of: Any) -> None:
    server = model(slow_turns())
    first = worker("w0")
    ex = run_of(agents(4), runner=DbosRunner(url))
    run = Background(ex)
    server.wait_for(lambda requests: len(requests) >= 3, PATIENCE_S)
    worker("w1")
    first.signal(signal.SIGTERM)
    assert first.process.wait(30) == 0, first.said()
    began = time.monotonic()
    assert run.ended(60).status == "finished"
    assert time.monotonic() - began < 25, "nobody waited until the worker counted as lost"
    asked_once(server, ex, 3, 4)
    nothing_is_open(ex)


def test_a_living_workers_id_is_refused(station: Station) -> None:
    second = station.start("w0", wait=False)
    assert second.process.wait(60) == 2
    assert "a worker 'w0' is alive" in second.said()


def test_a_limit_of_the_execution_ends_agents_on_workers(url: str, worker: Any, model: Any, run_of: Any) -> None:
    server = model(by_turn(*[replace(call("look", n=n), delay_s=2) for n in range(9)]))
    worker("w0")
    ex = run_of(agents(2), runner=DbosRunner(url), limits={"turns": 4})
    assert ex.run_sync().status == "failed"
    assert set(ex.df.tasks.reason) == {"limit: turns of the execution"}
    assert 4 <= len(server.requests) <= 6, "at most the requests in flight are too many"


def test_tokens_and_progress_come_while_an_agent_runs(station: Station, run_of: Any) -> None:
    station.asks(tokens(30, delay_s=0.05))
    heard: list[str] = []
    node = Claude(id="c", model="haiku", on_progress=lambda result: heard.append(result.text))["hi"]
    ex = run_of(node, runner=DbosRunner(station.url))
    assert ex.run_sync().status == "finished"
    pieces = ex.df.stream_events[ex.df.stream_events.kind == "token"].payload
    assert "".join(pieces) == "".join(f"w{n} " for n in range(30))
    assert heard and all("".join(pieces).startswith(text) for text in heard)


def test_code_of_a_notebook_is_sent_where_it_is_allowed(station: Station, run_of: Any) -> None:
    factor = 3
    app = Parallel()[
        Task(id="t", run=lambda n: n * factor, args=[2]),
        Claude(id="c", model=scripted(call_tool("triple", n=2), "done"), tools=[tripled(factor)])["hi"],
    ]
    ex = run_of(app, runner=DbosRunner(station.url, send_code=True))
    assert ex.run_sync().status == "finished"
    tasks = ex.df.tasks.set_index("node_id")
    assert tasks.result.to_dict() == {"t": 6, "c": "done"} and set(tasks.worker) == {"w0"}
    assert ex.df.tool_calls.output.tolist() == [6]


def tripled(factor: int) -> Any:
    def triple(n: int) -> int:
        """Triple a number."""
        return n * factor

    return triple


def test_an_engine_that_goes_away_is_said_and_waited_for(
    postgres: Any, url: str, worker: Any, model: Any, run_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smithers_nb.agents.dbos.PATIENCE_S", 1.0)
    server = model(slow_turns())
    worker("w0")
    ex = run_of(agents(3), runner=DbosRunner(url))
    run = Background(ex)
    server.wait_for(lambda requests: len(requests) >= 2, PATIENCE_S)
    postgres.kill()
    until(ex, lambda tasks: (tasks.reason == "engine").all())
    assert "127.0.0.1" in ex.df.tasks.error[0] and "smithers@" not in ex.df.tasks.error[0]
    postgres.start()
    assert run.ended(90).status == "finished"
    asked_once(server, ex, 3, 3)
    nothing_is_open(ex)


def test_an_engine_that_is_not_there_is_named_by_the_commands(url: str) -> None:
    nowhere = url.replace("smithers@", "smithers:secret@") + "x"
    for command in (["worker", nowhere, "--id", "w0"], ["workers", nowhere]):
        ended = subprocess.run(
            [sys.executable, "-m", "smithers_nb", *command], cwd=ROOT, capture_output=True, text=True, check=False
        )
        said = ended.stderr.splitlines()[-1]
        assert ended.returncode == 2 and "Traceback" not in ended.stderr
        assert said.startswith("smithers: the engine at 127.0.0.1:") and "does not exist" in said
        assert "secret" not in ended.stderr
