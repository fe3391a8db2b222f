"""Agents at a server that speaks the providers' APIs: each way in which a request goes wrong."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.models.function import FunctionModel

from smithers_nb import Claude, scripted
from smithers_nb.agents.pydantic_ai import ALIASES
from smithers_nb.store import connection
from tests.agents.conftest import APIS, Background, model_at
from tests.agents.fake_replies import Act, Garbage, Hang, Refuse, Reply, Status, by_turn, call, say
from tests.agents.fake_server import KEY, FakeServer

each_api = pytest.mark.parametrize("api", APIS)

SAYS: dict[str, Act] = {
    "400": Status(400),
    "401": Status(401),
    "402": Status(402),
    "404": Status(404),
    "418": Status(418),
}
"""What says no for good: it is not asked again."""

PASSES: dict[str, Act] = {
    "429 with Retry-After": Status(429, "0"),
    "429 with a fractional Retry-After": Status(429, "0.1"),
    "429 without Retry-After": Status(429),
    "500": Status(500, "0"),
    "503": Status(503, "0"),
    "500 without Retry-After": Status(500),
    "529": Status(529, "0"),
    "408": Status(408, "0"),
    "cut before the answer": Refuse(),
    "cut within the answer": say("abc", "def", "ghi", cut_after=4),
    "an error within the answer": say("abc", "def", "ghi", cut_after=4, fails=Status(529)),
}
"""What may be gone at the next attempt."""


def attempts(ex: Any) -> list[tuple[int, int, bool, bool]]:
    """Turn, attempt, answered and failed of each row."""
    rows = ex.df.model_calls
    return list(zip(rows.turn, rows.attempt, rows.response.notna(), rows.error.notna(), strict=True))


@each_api
@pytest.mark.parametrize("act", SAYS.values(), ids=SAYS)
def test_what_no_second_attempt_can_mend_is_not_asked_again(act: Status, api: str, provider: Any, ask: Any) -> None:
    server = provider(act)
    ex, result = ask(server, api, retries=3)
    assert (result.status, result.output, result.attempts) == ("failed", None, 1)
    assert server.statuses == [act.code]
    assert attempts(ex) == [(1, 1, False, True)]
    assert str(act.code) in ex.df.model_calls.error[0]
    assert str(act.code) in result.error and act.message in result.error
    assert list(ex.df.tasks.status) == ["failed"]
    assert list(ex.df.handlers.event) == ["on_error"]


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_a_quota_that_is_used_up_is_not_waited_for_although_it_is_a_429(api: str, provider: Any, ask: Any) -> None:
    server = provider(Status(429, "0", kind="insufficient_quota"))
    _, result = ask(server, api, retries=3)
    assert (result.status, server.statuses) == ("failed", [429])


@each_api
@pytest.mark.parametrize("act", PASSES.values(), ids=PASSES)
def test_what_passes_is_asked_again_and_both_attempts_are_recorded(act: Act, api: str, provider: Any, ask: Any) -> None:
    server = provider(act, say("hel", "lo"))
    ex, result = ask(server, api)
    assert (result.status, result.output) == ("succeeded", "hello")
    assert len(server.requests) == 2
    assert attempts(ex) == [(1, 1, False, True), (1, 2, True, False)]
    cut, answered = ex.df.model_calls.itertuples()
    assert (cut.status, answered.status, answered.input_tokens) == ("failed", "ok", 10)
    # Anthropic says at the beginning of an answer how many tokens the request had: those are billed all the same.
    known = 10 if isinstance(act, Reply) and api == "anthropic" else 0
    assert dict(result.usage)["input_tokens"] == 10 + known, "the answer is counted once"
    said = "".join(part["content"] for part in (cut.partial or {"parts": []})["parts"])
    # The first four events of the responses API have no text yet.
    assert bool(said) == (isinstance(act, Reply) and api != "responses"), "the part that had come is known"
    assert "abcdefghi".startswith(said)
    assert list(ex.df.tasks.status) == ["succeeded"]
    assert list(ex.df.handlers.event) == ["on_finished"]


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 413, 422, 429, 500, 503, 529])
def test_an_error_that_was_made_by_hand_is_told_by_its_status(status: int, run_of: Any) -> None:
    """A model of one's own raises the library's general error, not that of the category."""
    model = scripted(ModelHTTPError(status, "mine"), "ok")
    ex = run_of(Claude(id="c", model=model, on_error=lambda result: None)["hi"])
    assert ex.run_sync().status == "finished"
    passes = status == 429 or status >= 500
    assert (list(ex.df.tasks.status), len(model.calls)) == (["succeeded"], 2) if passes else (["failed"], 1)
    assert passes or "ex.retry('c')" in ex.df.tasks.error[0], "it says what to do"


@pytest.mark.parametrize("header", ["-5", "nan", "inf", "1e18", "soon", ""])
def test_a_retry_after_that_makes_no_sense_breaks_nothing(
    header: str, provider: Any, run_of: Any, wait_until: Any
) -> None:
    """It is waited for, or left out; the agent never fails because of it."""
    server = provider(Status(429, header), say("ok"))
    ex = run_of(Claude(id="c", model=model_at(server))["hi"])
    run = Background(ex)
    wait_until(lambda: ex.tasks.get("c") in ("blocked", "succeeded", "failed"))
    assert ex.tasks["c"] in ("blocked", "succeeded"), ex.df.tasks.error[0]
    ex.pause()
    run.ended()


@each_api
def test_the_provider_package_makes_no_attempts_of_its_own(api: str, provider: Any, ask: Any) -> None:
    server = provider(Status(500, "0"))
    ex, result = ask(server, api, retries=2)
    assert result.status == "failed" and "500" in result.error
    assert len(server.requests) == 3
    assert attempts(ex) == [(1, n, False, True) for n in (1, 2, 3)]


def test_without_retries_one_request_is_made(provider: Any, ask: Any) -> None:
    server = provider(Status(503, "0"))
    ex, result = ask(server, retries=0)
    assert (result.status, len(server.requests), attempts(ex)) == ("failed", 1, [(1, 1, False, True)])


def test_attempts_are_counted_anew_for_each_turn(provider: Any, ask: Any) -> None:
    """A run of many turns meets more than a few bad moments: each request has its own attempts."""
    seen: list[int] = []

    def every_other(asked: Any) -> Act:
        seen.append(asked.turn)
        if seen.count(asked.turn) == 1:
            return Status(529, "0")
        return by_turn(call("look"), call("look"), say("done"))(asked)

    server = provider(every_other)
    ex, result = ask(server, tools=[look], retries=1)
    assert result.output == "done"
    assert attempts(ex) == [(t, a, a == 2, a == 1) for t in (1, 2, 3) for a in (1, 2)]
    assert list(ex.df.tool_calls.turn) == [1, 2], "no tool ran twice"


def look() -> str:
    """Look."""
    return "seen"


@pytest.mark.parametrize(("header", "seconds"), [("1", 1.0), ("1.7", 1.7)])
def test_the_provider_says_how_long_to_wait(header: str, seconds: float, provider: Any, ask: Any) -> None:
    server = provider(Status(429, header), say("ok"))
    _, result = ask(server)
    assert result.status == "succeeded"
    first, second = server.requests
    assert second.at - first.at >= seconds * 0.95


GARBAGE: dict[str, Act] = {
    "a page": Garbage(),
    "JSON of something else": Garbage('{"a": 1}', "application/json"),
    "nothing": Garbage("", "application/json"),
    "broken JSON": Garbage('{"id": "msg_1", "cont', "application/json"),
    "a broken stream": Garbage("event: nonsense\ndata: {\n\n", "text/event-stream"),
}


@each_api
@pytest.mark.parametrize("act", GARBAGE.values(), ids=GARBAGE)
def test_garbage_fails_the_agent_and_every_request_has_its_row(act: Act, api: str, provider: Any, ask: Any) -> None:
    server = provider(act)
    ex, result = ask(server, api, retries=1, timeout_s=20)
    assert (result.status, result.output) == ("failed", None)
    assert result.error
    assert len(ex.df.model_calls) == len(server.requests) <= 4
    assert list(ex.df.handlers.event) == ["on_error"]


@each_api
def test_a_server_that_is_not_there_fails_the_agent(api: str, ask: Any) -> None:
    with FakeServer() as server:
        pass  # Its port is free again: connections are refused.
    ex, result = ask(server, api, retries=1)
    assert result.status == "failed"
    assert "onnect" in result.error
    assert attempts(ex) == [(1, 1, False, True), (1, 2, False, True)]


@each_api
def test_a_server_that_never_answers_is_left_at_the_timeout(api: str, provider: Any, ask: Any) -> None:
    server = provider(Hang())
    ex, result = ask(server, api, timeout_s=2)
    assert result.status == "failed"
    assert "timeout_s=2" in result.error
    server.wait_for(lambda requests: [one.outcome for one in requests] == ["gone"])
    assert attempts(ex) == [(1, 1, False, True)]


@each_api
def test_a_request_that_takes_longer_than_the_models_own_timeout_is_made_again(
    api: str, provider: Any, ask: Any
) -> None:
    server = provider(Hang(), say("at last"))
    model = model_at(server, api)
    model._settings = {"timeout": 0.5}
    ex, result = ask(server, model=model)
    assert (result.status, result.output) == ("succeeded", "at last")
    assert attempts(ex) == [(1, 1, False, True), (1, 2, True, False)]
    assert "imeout" in ex.df.model_calls.error[0] or "imed out" in ex.df.model_calls.error[0]


@each_api
def test_cancelling_ends_the_request_under_way(api: str, provider: Any, run_of: Any) -> None:
    server = provider(Hang())
    results: list[Any] = []
    ex = run_of(Claude(id="c", model=model_at(server, api), on_error=results.append)["hi"])
    run = Background(ex)
    server.wait_for(lambda requests: len(requests) == 1)
    ex.cancel("c")
    assert run.ended().status == "finished"
    server.wait_for(lambda requests: [one.outcome for one in requests] == ["gone"])
    assert [result.status for result in results] == ["cancelled"]
    assert attempts(ex) == [(1, 1, False, True)]


def test_without_on_error_the_execution_fails_and_says_why(provider: Any, run_of: Any) -> None:
    server = provider(Status(400, message="max_tokens is too large"))
    result = run_of(Claude(id="c", model=model_at(server))["hi"]).run_sync()
    assert result.status == "failed"
    assert "c" in result.reason
    assert any("max_tokens is too large" in problem.message for problem in result.problems), result.problems


# ---- long waits ------------------------------------------------------------------------------------------------


def blocked_at(ex: Any, wait_until: Callable[..., None]) -> Any:
    """Wait until the agent is blocked; return its row."""
    wait_until(lambda: list(ex.df.tasks.status) == ["blocked"])
    [row] = ex.df.tasks.to_dict("records")
    return row


def test_a_long_wait_that_is_no_limit_is_a_retry(provider: Any, run_of: Any, wait_until: Any) -> None:
    ex = run_of(Claude(id="c", model=model_at(provider(Status(503, "3600"))))["hi"])
    run = Background(ex)
    assert blocked_at(ex, wait_until)["reason"] == "retry"
    ex.pause()
    run.ended()


def test_a_locked_file_loses_no_attempt_before_a_long_wait(
    run_of: Any, wait_until: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What could not be recorded goes with the block: whoever resumes it knows of the attempt."""
    monkeypatch.setattr(connection, "BUSY_TIMEOUT_S", 0.3)

    def model(messages: list[Any], info: Any) -> Any:
        other = sqlite3.connect(tmp_path / "t.db", isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        threading.Timer(0.45, other.close).start()
        error = ModelHTTPError(503, "a")
        error.retry_after = 3600
        raise error

    ex = run_of(Claude(id="c", model=FunctionModel(model))["hi"])
    run = Background(ex)
    assert blocked_at(ex, wait_until)["reason"] == "retry"
    assert attempts(ex) == [(1, 1, False, True)]
    ex.pause()
    run.ended()


def test_a_long_wait_blocks_the_task_and_survives_a_restart(
    provider: Any, run_of: Any, resumed: Any, wait_until: Any, tmp_path: Path
) -> None:
    server = provider(Status(429, "3600"), say("at last"))
    results: list[Any] = []

    def app() -> Any:
        return Claude(id="c", model=model_at(server), on_finished=results.append)["hi"]

    ex = run_of(app())
    run = Background(ex)
    row = blocked_at(ex, wait_until)
    assert row["reason"] == "rate_limit"
    in_s = (row["next_retry_at"] - pd.Timestamp.now("UTC")).total_seconds()
    assert 3500 < in_s <= 3600
    assert attempts(ex) == [(1, 1, False, True)]
    assert not run.results, "it waits for the time, not for a person"
    ex.pause()
    run.ended()
    ex.close()

    again = resumed(app())
    run = Background(again)
    assert blocked_at(again, wait_until)["next_retry_at"] == row["next_retry_at"]
    again.pause()
    run.ended()
    again.close()
    assert len(server.requests) == 1

    hours_later(tmp_path / "t.db")
    last = resumed(app())
    assert last.run_sync().status == "finished"
    assert [result.output for result in results] == ["at last"]
    assert server.statuses == [429, 200]
    assert attempts(last) == [(1, 1, False, True), (1, 2, True, False)]


def hours_later(file: Path) -> None:
    """Let the time pass for which a file says to wait: its moments are some years ago."""
    with closing(sqlite3.connect(file)) as db, db:
        assert db.execute("SELECT count(*) FROM tasks WHERE next_retry_at > '2020'").fetchone() == (1,)
        db.execute("UPDATE tasks SET next_retry_at = '2020' || substr(next_retry_at, 5)")
        db.execute("UPDATE rate_windows SET opens_at = '2020' || substr(opens_at, 5)")
        db.execute("UPDATE rate_windows SET next_at = '2020' || substr(next_at, 5)")


def test_a_task_that_waits_long_keeps_the_turns_that_it_had(
    provider: Any, run_of: Any, resumed: Any, wait_until: Any, tmp_path: Path
) -> None:
    calls: list[int] = []

    def count() -> int:
        """Count."""
        calls.append(1)
        return len(calls)

    seen: list[int] = []

    def script(asked: Any) -> Act:
        seen.append(asked.turn)
        if asked.turn == 2 and seen.count(2) == 1:
            return Status(529, "7200")
        return by_turn(call("count"), say("done"))(asked)

    server = provider(script)

    def app() -> Any:
        return Claude(id="c", model=model_at(server), tools=[count])["hi"]

    ex = run_of(app())
    run = Background(ex)
    at = blocked_at(ex, wait_until)
    assert (at["next_retry_at"] - pd.Timestamp.now("UTC")).total_seconds() > 3600
    ex.pause()
    run.ended()
    ex.close()
    hours_later(tmp_path / "t.db")
    again = resumed(app())
    assert again.run_sync().status == "finished"
    assert seen == [1, 2, 2]
    assert len(calls) == 1
    assert list(again.df.tool_calls.status) == ["ok"]


def test_a_blocked_agent_can_be_cancelled(provider: Any, run_of: Any, wait_until: Any) -> None:
    server = provider(Status(429, "3600"))
    results: list[Any] = []
    ex = run_of(Claude(id="c", model=model_at(server), on_error=results.append)["hi"])
    run = Background(ex)
    blocked_at(ex, wait_until)
    ex.cancel("c")
    assert run.ended().status == "finished"
    assert [result.status for result in results] == ["cancelled"]
    assert len(server.requests) == 1


# ---- models by their id ----------------------------------------------------------------------------------------


@pytest.fixture
def at_home(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make the environment variables of the packages name a server and a key."""

    def name(server: FakeServer, key: str = KEY) -> None:
        for variable in [name for name in os.environ if name.startswith(("ANTHROPIC_", "OPENAI_"))]:
            monkeypatch.delenv(variable)
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.anthropic_url)
        monkeypatch.setenv("OPENAI_BASE_URL", server.openai_url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", key)
        monkeypatch.setenv("OPENAI_API_KEY", key)

    return name


IDS = {
    **{short: ("anthropic", full.partition(":")[2]) for short, full in ALIASES.items()},
    "anthropic:claude-haiku-5-5": ("anthropic", "claude-haiku-5-5"),
    "openai:gpt-5": ("responses", "gpt-5"),
    "openai-chat:gpt-5": ("chat", "gpt-5"),
}


@pytest.mark.parametrize("id", IDS)
def test_a_model_by_its_id_asks_its_provider(id: str, provider: Any, at_home: Any, ask: Any) -> None:
    server = provider(say("hello"))
    at_home(server)
    _, result = ask(server, model=id)
    assert result.output == "hello"
    [request] = server.requests
    assert (request.asked.api, request.asked.body["model"]) == IDS[id]
    assert request.asked.key == KEY


def test_a_key_that_is_set_anew_is_used_by_the_next_agent(provider: Any, at_home: Any, ask: Any) -> None:
    """A wrong key is corrected in the next cell, not by a new kernel."""
    server = provider(lambda asked: say("welcome") if asked.key == "sk-right" else Status(401))
    at_home(server, "sk-wrong")
    assert ask(server, model="haiku")[1].status == "failed"
    at_home(server, "sk-right")
    assert ask(server, model="haiku")[1].output == "welcome"


@pytest.mark.parametrize("key", ["", None])
@pytest.mark.parametrize("id", ["haiku", "openai:gpt-5"])
def test_without_a_key_nothing_is_sent_and_the_variable_is_named(
    id: str, key: str | None, provider: Any, at_home: Any, ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = provider(say("hello"))
    at_home(server, key or "")
    variable = "ANTHROPIC_API_KEY" if id == "haiku" else "OPENAI_API_KEY"
    if key is None:
        monkeypatch.delenv(variable)
        monkeypatch.delenv("OPENAI_BASE_URL")  # A server of one's own needs none.
    _, result = ask(server, model=id)
    assert result.status == "failed"
    assert "AgentConfigError" in result.error and variable in result.error
    assert server.requests == []
