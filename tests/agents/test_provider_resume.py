"""kill -9 in the middle of a run of many turns: another process goes on, and pays for nothing twice."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.agents import killed_app
from tests.agents.conftest import APIS
from tests.agents.fake_replies import Act, Asked, Hang, Reply, by_turn, call, say
from tests.agents.fake_server import Entry, FakeServer

processes = multiprocessing.get_context("forkserver")
# Each process begins where these are imported, which takes seconds.
processes.set_forkserver_preload(["tests.agents.killed_app"])

TURNS = 4
"""Three that call the tool, and the answer."""


def answers(asked: Asked) -> Act:
    return by_turn(*(call("step", n=n) for n in (1, 2, 3)), say("all ", "done"))(asked)


def slow(asked: Asked) -> Act:
    """Such an answer that it can be killed within it."""
    act = answers(asked)
    assert isinstance(act, Reply)
    return Reply(("first ", *(f"word{n} " for n in range(400))), calls=act.calls, delay_s=0.05)


@dataclass
class Outcome:
    """What was found after the kill, and after the resume."""

    exitcode: int | None
    """Of the process that was killed."""
    answered: set[int]
    """Turns whose answer was in the file when it died."""
    ended: list[str]
    """Ids of the tool calls that were in the file as done when it died."""
    running: list[str]
    """And of those that were there as under way."""
    asking: list[tuple[int, int]]
    """Turn and attempt of the requests that were there as under way."""
    tools_before: list[str]
    end: str
    """Status, what was said, and how often its handler ran."""
    errors: str
    requests: list[Entry]
    tools: list[str]
    calls: list[dict[str, Any]]
    tool_calls: list[dict[str, Any]]
    asked: list[dict[str, Any]]
    """What people were asked when it died."""
    approvals: list[dict[str, Any]]
    """And at the end."""
    attempts: int
    """Of the task."""


def rows(folder: Path, sql: str) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(folder / "killed.db")) as db:
        db.row_factory = sqlite3.Row
        return [dict(row) for row in db.execute(sql)]


def tools_of(folder: Path) -> list[str]:
    file = folder / "tools.txt"
    return file.read_text().splitlines() if file.exists() else []


def start(folder: Path, *args: Any) -> multiprocessing.process.BaseProcess:
    process = processes.Process(target=killed_app.main, args=(str(folder), *args))
    process.start()
    return process


def exitcode(process: multiprocessing.process.BaseProcess) -> int | None:
    process.join(120)
    return process.exitcode


def kill_and_resume(folder: Path, api: str, point: str, approve: bool = False) -> Outcome:
    """``in request 2`` and ``in answer 2`` are killed from here, the other points by the app itself."""
    folder.mkdir()
    kind, _, number = point.rpartition(" ")
    seen: set[int] = set()

    def script(asked: Asked) -> Act:
        first = asked.turn not in seen
        seen.add(asked.turn)
        if first and str(asked.turn) == number and kind == "in request":
            return Hang()
        if first and str(asked.turn) == number and kind == "in answer":
            return slow(asked)
        return answers(asked)

    with FakeServer(script) as server:
        process = start(folder, "run", server.anthropic_url, api, point, approve)
        if kind == "in request":
            server.wait_for(lambda requests: len(requests) == int(number), 60)
            process.kill()
        elif kind == "in answer":
            server.wait_for(lambda requests: len(requests) == int(number) and requests[-1].sent > 10, 60)
            process.kill()
        killed = exitcode(process)
        answered = {row["turn"] for row in rows(folder, "SELECT turn FROM model_calls WHERE response IS NOT NULL")}
        done = [row["tool_call_id"] for row in rows(folder, "SELECT tool_call_id FROM tool_calls WHERE status = 'ok'")]
        running = [
            row["tool_call_id"] for row in rows(folder, "SELECT tool_call_id FROM tool_calls WHERE status = 'running'")
        ]
        sql = "SELECT turn, attempt FROM model_calls WHERE status = 'running'"
        asking = [(row["turn"], row["attempt"]) for row in rows(folder, sql)]
        before, asked = tools_of(folder), rows(folder, "SELECT * FROM approvals ORDER BY rowid")
        exitcode(start(folder, "resume", server.anthropic_url, api, "", approve))
        requests = server.wait_for(lambda requests: all(one.outcome != "open" for one in requests))
    calls = rows(folder, "SELECT * FROM model_calls ORDER BY id")
    tool_calls = rows(folder, "SELECT * FROM tool_calls ORDER BY id")
    approvals = rows(folder, "SELECT * FROM approvals ORDER BY rowid")
    outcome = folder / "outcome.txt"
    end = outcome.read_text() if outcome.exists() else "it did not end"
    errors = (folder / "errors.txt").read_text()
    [task] = rows(folder, "SELECT attempt FROM tasks")
    tools, attempts = tools_of(folder), task["attempt"]
    return Outcome(
        killed,
        answered,
        done,
        running,
        asking,
        before,
        end,
        errors,
        requests,
        tools,
        calls,
        tool_calls,
        asked,
        approvals,
        attempts,
    )


def check(point: str, outcome: Outcome) -> None:
    assert outcome.exitcode == -signal.SIGKILL, f"{point} was never reached: {outcome.errors[-2000:]}"
    assert outcome.end == "finished|all done|1", outcome.errors[-3000:]
    asked = [entry.asked.turn for entry in outcome.requests]
    for turn in range(1, TURNS + 1):
        finished = [entry for entry in outcome.requests if entry.asked.turn == turn and entry.outcome == "sent"]
        # An answer of which the file does not know has to be asked for again.
        most = 1 if turn in outcome.answered or not point.startswith(("before", "after")) else 2
        assert 1 <= len(finished) <= most, f"turn {turn} was answered {len(finished)} times; asked were {asked}"
    assert asked == sorted(asked), "no turn is asked for again after a later one"

    recorded = [row["turn"] for row in outcome.calls if row["response"] is not None]
    assert recorded == list(range(1, TURNS + 1)), "each answer is recorded once"
    assert sum(row["input_tokens"] or 0 for row in outcome.calls) == 10 * TURNS, "and counted once"

    if point.startswith(("in request", "in answer")):
        assert len(outcome.asking) == 1, "a request has its row before it is sent"
    interrupted = [(row["turn"], row["attempt"]) for row in outcome.calls if row["status"] == "interrupted"]
    assert interrupted == outcome.asking
    assert {row["status"] for row in outcome.calls} <= {"ok", "interrupted"}, "none is left running"
    counted = [(row["turn"], row["attempt"]) for row in outcome.calls]
    assert len(set(counted)) == len(counted), "each attempt at a turn has its number"

    if point.startswith("in "):
        assert len(outcome.running) == point.startswith("in tool"), "a tool has its row before it starts"
    last = {row["tool_call_id"]: row for row in outcome.tool_calls}
    assert [json.loads(row["input"])["n"] for row in last.values()] == [1, 2, 3]
    assert [row["status"] for row in last.values()] == ["ok"] * 3
    assert "running" not in {row["status"] for row in outcome.tool_calls}
    for n in (1, 2, 3):
        before, after = outcome.tools_before.count(f"end {n}"), outcome.tools.count(f"end {n}")
        if len(outcome.ended) >= n:
            assert (before, after) == (1, 1), f"tool {n} had finished, and ran again"
        else:
            assert after - before == 1


IN_THE_GATE = ["in request 2", "in request 4", "in answer 2", "in tool 1", "in tool 3"]
EVERY_TURN = [
    *(f"in request {turn}" for turn in range(1, TURNS + 1)),
    *(f"in answer {turn}" for turn in range(1, TURNS + 1)),
    *(f"in tool {n}" for n in (1, 2, 3)),
]


def check_approvals(outcome: Outcome) -> None:
    """Each call is asked about once, what was answered stays answered, and what waited was answered later."""
    assert len(outcome.tool_calls) == 3 or "interrupted" in {row["status"] for row in outcome.tool_calls}
    assert [json.loads(row["payload"])["input"]["n"] for row in outcome.approvals] == [1, 2, 3]
    assert [row["choice"] for row in outcome.approvals] == ["approve"] * 3
    assert outcome.attempts <= 2, "a crash makes another attempt, an answer does not"
    for before, after in zip(outcome.asked, outcome.approvals, strict=False):
        if before["status"] == "answered":
            assert before == after
        else:
            assert (before["asked_at"], after["comment"]) == (after["asked_at"], "answered by resume")


def all_of(folder: Path, api: str, points: list[str], approve: bool = False) -> dict[str, Outcome]:
    """All of them at once: they mostly wait for imports."""
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        found = {
            point: pool.submit(kill_and_resume, folder / f"{api}{n}", api, point, approve)
            for n, point in enumerate(points)
        }
    return {point: one.result() for point, one in found.items()}


def test_an_agent_that_was_killed_goes_on_and_pays_for_nothing_twice(tmp_path: Path) -> None:
    for point, outcome in all_of(tmp_path, "anthropic", IN_THE_GATE).items():
        check(point, outcome)


@pytest.mark.long
@pytest.mark.parametrize("api", APIS)
def test_an_agent_that_is_killed_at_every_turn_goes_on(api: str, tmp_path: Path) -> None:
    for point, outcome in all_of(tmp_path, api, EVERY_TURN).items():
        check(point, outcome)


@pytest.mark.long
def test_an_agent_that_is_killed_around_every_commit_goes_on(tmp_path: Path) -> None:
    """However far it came: what is in the file is enough."""
    points = [f"{moment} write {n}" for n in range(2, 28) for moment in ("before", "after")]
    reached = 0
    for point, outcome in all_of(tmp_path, "anthropic", points).items():
        if outcome.exitcode == 0:
            continue  # There were fewer.
        reached += 1
        check(point, outcome)
    assert reached >= 30


def approved(folder: Path, points: list[str]) -> int:
    """Kill an agent whose calls are asked about at these points; return how many it reached."""
    reached = 0
    for point, outcome in all_of(folder, "anthropic", points, approve=True).items():
        if outcome.exitcode == 0:
            continue
        reached += 1
        check(point, outcome)
        check_approvals(outcome)
    return reached


def test_an_agent_that_is_killed_while_people_are_asked_goes_on(tmp_path: Path) -> None:
    """Before and after the question is put, the answer is, and the tool is called."""
    points = ["after ask_about_tools 2", "before answer 1", "after answer 2", "after start_tasks 3", "in tool 2"]
    assert approved(tmp_path, points) == len(points)


@pytest.mark.long
def test_an_agent_that_is_killed_around_every_commit_while_people_are_asked_goes_on(tmp_path: Path) -> None:
    assert approved(tmp_path, [f"{moment} write {n}" for n in range(2, 50) for moment in ("before", "after")]) >= 60


# ---- an agent that a tool runs -----------------------------------------------------------------------------------


def delegated(asked: Asked) -> Act:
    """Delegate the work to an agent that takes the steps."""
    if asked.prompt == "Take the steps.":
        return answers(asked)
    return by_turn(call("delegate"), say("all ", "done"))(asked)


def killed_inside(folder: Path, point: str) -> None:
    """Kill the process while the inner agent works, and resume it: what its tools did is not done again."""
    folder.mkdir()
    with FakeServer(delegated) as server:
        killed = exitcode(start(folder, "run", server.anthropic_url, "anthropic", point, False, True))
        assert killed == -signal.SIGKILL, f"{point} was never reached"
        ok = "SELECT json_extract(input, '$.n') AS n FROM tool_calls WHERE status = 'ok' AND agent = 'worker'"
        done = {row["n"] for row in rows(folder, ok)}
        sql = "SELECT count(*) AS n FROM model_calls WHERE response IS NOT NULL AND answered_by = 'model'"
        [paid] = rows(folder, sql)
        before, asked = tools_of(folder), len(server.requests)
        exitcode(start(folder, "resume", server.anthropic_url, "anthropic", "", False, True))
        errors = (folder / "errors.txt").read_text()
        assert (folder / "outcome.txt").read_text() == "finished|all done|1", errors[-3000:]
        assert len(server.requests) - asked == TURNS + 2 - paid["n"], "an answer that is in the file is not paid again"
    after = tools_of(folder)
    for n in (1, 2, 3):
        again = after.count(f"start {n}") - before.count(f"start {n}")
        assert again == (n not in done), f"step {n} ran {again} times after the resume at {point}; done were {done}"
    calls = rows(folder, "SELECT * FROM tool_calls ORDER BY id")
    assert {row["status"] for row in calls} <= {"ok", "interrupted"}
    last = {(row["agent"], row["tool_call_id"]): row for row in calls}
    assert sorted(row["status"] for row in last.values()) == ["ok"] * 4
    callers = {row["tool_call_id"] for row in calls if row["agent"] is None}
    assert {row["caller"] for row in calls if row["agent"] == "worker"} == callers


INSIDE = ["in tool 1", "in tool 3", "after put_tool_call 3", "before put_tool_call 5", "after put_model_call 6"]


def test_the_tools_of_an_agent_in_a_tool_are_not_called_again_after_a_kill(tmp_path: Path) -> None:
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        list(pool.map(killed_inside, [tmp_path / str(n) for n in range(len(INSIDE))], INSIDE))


@pytest.mark.long
def test_an_agent_in_a_tool_that_is_killed_around_every_commit_goes_on(tmp_path: Path) -> None:
    kinds = [("put_tool_call", range(1, 9)), ("put_model_call", range(3, 11))]
    points = [f"{moment} {kind} {n}" for kind, numbers in kinds for n in numbers for moment in ("before", "after")]
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        list(pool.map(killed_inside, [tmp_path / str(n) for n in range(len(points))], points))
