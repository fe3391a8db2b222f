"""Models that fall back to others: each failure counts for the model that had it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pydantic_ai import Agent as OwnAgent
from pydantic_ai.capabilities import ModelFallback
from pydantic_ai.models.fallback import FallbackModel
from pydantic_ai.models.wrapper import WrapperModel

from smithers_nb import Agent, Claude, Sequence
from smithers_nb.engine.tasks.past import recorded_past
from smithers_nb.store.reader import Reader
from tests.agents.conftest import APIS, Background, model_at
from tests.agents.fake_replies import Status, call, say

each_api = pytest.mark.parametrize("api", APIS)
WINDOWS = {"anthropic": "anthropic:claude-haiku-5-5", "chat": "openai:gpt-5", "responses": "openai:gpt-5"}


def windows(tmp_path: Path) -> dict[str, bool]:
    """Return the rate windows of the file, and whether each has ever been closed."""
    with closing(sqlite3.connect(tmp_path / "t.db")) as db:
        return {name: bool(refused) for name, refused in db.execute("SELECT name, refused FROM rate_windows")}


@each_api
def test_failures_that_pass_are_asked_again_and_each_is_named(api: str, provider: Any, ask: Any) -> None:
    first, second = provider(Status(503, "0"), say("hello")), provider(Status(429, "0"))
    ex, result = ask(first, model=FallbackModel(model_at(first, api), model_at(second, "chat")))
    assert (result.status, result.output) == ("succeeded", "hello")
    assert (first.statuses, second.statuses) == ([503, 200], [429])
    rows = ex.df.model_calls
    assert list(rows.attempt) == [1, 2, 3] and list(rows.response.notna()) == [False, False, True]
    assert "503" in rows.error[0] and "429" in rows.error[1]


def test_the_window_of_each_model_that_refused_is_closed_and_no_other(provider: Any, ask: Any, tmp_path: Path) -> None:
    busy, limited = provider(Status(503, "0"), say("hello")), provider(Status(429, "0"))
    ask(busy, model=FallbackModel(model_at(busy), model_at(limited, "chat")))
    assert windows(tmp_path) == {"anthropic:claude-haiku-5-5": False, "openai:gpt-5": True}


@each_api
def test_each_model_that_was_tried_has_a_row_of_its_own(api: str, provider: Any, ask: Any) -> None:
    busy, other = provider(Status(503, "0", "no room")), provider(say("hello"))
    ex, result = ask(busy, model=FallbackModel(model_at(busy, api), model_at(other, "chat")))
    assert result.output == "hello" and result.attempts == 2
    rows = ex.df.model_calls
    assert list(rows.model) == [model_at(busy, api).model_name, "gpt-5"]
    assert list(rows.status) == ["failed", "ok"] and list(rows.attempt) == [1, 2]
    assert "no room" in rows.error[0] and rows.response[1]["parts"][0]["content"] == "hello"
    assert list(rows.output_tokens.notna()) == [False, True] and rows.cost_usd[1] > 0
    pieces = ex.df.stream_events
    assert "".join(pieces.payload) == "hello" and set(pieces.attempt) == {2}
    # A replay gives the attempts as they were, and asks no one.
    replay = ex.replay()
    assert replay.same, replay
    again = replay.history.df.model_calls
    assert list(again.model) == list(rows.model) and list(again.status) == ["failed", "ok"]
    assert (len(busy.requests), len(other.requests)) == (1, 1)


def test_a_stream_that_breaks_off_falls_back_too(provider: Any, ask: Any) -> None:
    cut, other = provider(say("hel", "lo", cut_after=4)), provider(say("hello"))
    ex, result = ask(cut, model=FallbackModel(model_at(cut), model_at(other, "chat")))
    assert result.output == "hello"
    rows = ex.df.model_calls
    assert list(rows.status) == ["failed", "ok"] and rows.partial[0]["parts"][0]["content"] == "hel"
    assert ex.df.stream_events.attempt[0] == 1


def test_a_branch_takes_the_answer_of_whichever_model_gave_it(provider: Any, ask: Any) -> None:
    busy, other = provider(Status(503, "0")), provider(say("hello"))
    ex, _ = ask(busy, model=FallbackModel(model_at(busy), model_at(other, "chat")))
    branch = ex.fork(0)
    assert branch.run_sync().status == "finished"
    rows = branch.df.model_calls
    assert list(rows.answered_by) == ["recording"] and (len(busy.requests), len(other.requests)) == (1, 1)


@each_api
@pytest.mark.parametrize("wait", ["2", "60"])
def test_a_window_is_closed_also_where_the_next_model_has_answered(
    wait: str, api: str, provider: Any, run_of: Any, tmp_path: Path
) -> None:
    limited, other = provider(Status(429, wait)), provider(say("hello"))
    spare = "chat" if api == "anthropic" else "anthropic"
    model = FallbackModel(model_at(limited, api), model_at(other, spare))
    ex = run_of(Sequence()[Claude(id="a", model=model)["hi"], Claude(id="b", model=model)["hi"]])
    assert ex.run_sync().status == "finished"
    assert windows(tmp_path) == {WINDOWS[api]: True, WINDOWS[spare]: False}
    assert list(ex.df.tasks.result) == ["hello", "hello"]
    if wait == "60":
        assert (limited.statuses, other.statuses) == ([429], [200, 200]), "a closed window is not asked again"


def test_when_all_windows_are_closed_the_task_waits_for_the_first_that_opens(
    provider: Any, run_of: Any, wait_until: Any
) -> None:
    slow, quick = provider(Status(429, "900")), provider(Status(429, "300"))
    ex = run_of(Claude(id="c", model=FallbackModel(model_at(slow), model_at(quick, "chat")))["hi"])
    run = Background(ex)
    wait_until(lambda: ex.tasks.get("c") == "blocked")
    task = ex.df.tasks.iloc[0]
    assert task.reason == "rate_limit"
    assert 250 < (task.next_retry_at - task.started_at).total_seconds() <= 310
    ex.pause()
    run.ended()


SHAPES: dict[str, Callable[..., Any]] = {
    "one fallback": FallbackModel,
    "a fallback in a fallback": lambda a, b: FallbackModel(FallbackModel(a), b, fallback_on=Exception),
    "a fallback in a wrapper": lambda a, b: WrapperModel(FallbackModel(a, b)),
    "wrapped models": lambda a, b: FallbackModel(WrapperModel(a), WrapperModel(b)),
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_every_cause_is_named_when_no_attempts_are_left(
    shape: Callable[..., Any], provider: Any, ask: Any, tmp_path: Path
) -> None:
    busy, limited = provider(Status(503, "0", "no room")), provider(Status(429, "0", "slow down"))
    ex, result = ask(busy, model=shape(model_at(busy), model_at(limited, "chat")), retries=1)
    assert (result.status, len(busy.requests), len(limited.requests)) == ("failed", 2, 2)
    causes = ["503", "no room"], ["429", "slow down"]
    assert all(word in result.error for words in causes for word in words)
    rows = ex.df.model_calls
    assert list(rows.model) == ["claude-haiku-5-5", "gpt-5"] * 2 and list(rows.attempt) == [1, 2, 3, 4]
    for error, words in zip(rows.error, causes * 2, strict=True):
        assert all(word in error for word in words)
    # After a crash, too, an attempt of the whole fallback counts once.
    past, _ = recorded_past(Reader(str(tmp_path / "t.db")), ex.execution_id, ex.df.tasks.task_id[0])
    assert (past.attempts, past.failures) == (4, 2)
    assert windows(tmp_path) == {"anthropic:claude-haiku-5-5": False, "openai:gpt-5": True}


@each_api
def test_failures_for_good_are_not_asked_again_and_all_advice_is_given(api: str, provider: Any, ask: Any) -> None:
    key, name = provider(Status(401, message="wrong key")), provider(Status(404, message="no such model"))
    _, result = ask(key, model=FallbackModel(model_at(key, api), model_at(name, "chat")))
    assert (result.status, len(key.requests), len(name.requests)) == ("failed", 1, 1)
    assert "wrong key" in result.error and "no such model" in result.error
    assert "set a valid one" in result.error and "check its name" in result.error and "ex.retry('c')" in result.error


def test_one_model_that_may_answer_later_is_enough_to_ask_again(provider: Any, ask: Any) -> None:
    wrong, busy = provider(Status(401)), provider(Status(503, "0"), say("hello"))
    _, result = ask(wrong, model=FallbackModel(model_at(wrong), model_at(busy, "chat")))
    assert (result.status, result.output) == ("succeeded", "hello")
    assert (wrong.statuses, busy.statuses) == ([401, 401], [503, 200])


def test_tools_are_called_once_whichever_model_answers(provider: Any, ask: Any) -> None:
    called: list[str] = []

    def look() -> str:
        called.append("look")
        return "seen"

    first = provider(call("look"), Status(503, "0"), say("done"))
    second = provider(Status(429, "0"))
    ex, result = ask(first, model=FallbackModel(model_at(first), model_at(second, "chat")), tools=[look])
    assert (result.output, called) == ("done", ["look"])
    rows = ex.df.model_calls
    assert list(rows.turn) == [1, 2, 2, 2] and list(rows.attempt) == [1, 1, 2, 3]


def test_the_users_own_model_stays_as_it_is(provider: Any, ask: Any) -> None:
    server = provider(say("hello"))
    inner = model_at(server)
    model = FallbackModel(inner)
    ask(server, model=model)
    assert model.models == [inner] and model._entered_count == 0


@pytest.mark.parametrize("answer", [Status(429, "0"), Status(503, "0"), say("hello")], ids=["429", "503", "hello"])
def test_the_capability_that_falls_back_is_no_different(
    answer: Any, provider: Any, run_of: Any, tmp_path: Path
) -> None:
    limited, other = provider(Status(429, "0")), provider(answer)
    own: Any = OwnAgent(model_at(limited), capabilities=[ModelFallback(model_at(other, "chat"))])
    results: list[Any] = []
    ex = run_of(Agent(id="c", agent=own, retries=1, on_finished=results.append, on_error=results.append)["hi"])
    assert ex.run_sync().status == "finished"
    assert windows(tmp_path) == {
        "anthropic:claude-haiku-5-5": True,
        "openai:gpt-5": isinstance(answer, Status) and answer.code == 429,
    }
    if isinstance(answer, Status):
        assert (limited.statuses, other.statuses) == ([429, 429], [answer.code, answer.code])
        assert results[0].error.count("status_code: ") == 2
    else:
        assert (limited.statuses, results[0].output) == ([429], "hello")
