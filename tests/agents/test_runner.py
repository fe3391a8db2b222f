"""The protocol between the engine and whatever runs agents: in this process, and in another one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from smithers_nb import Claude
from smithers_nb.bridge import engine
from smithers_nb.engine.tasks.agents import TaskLedger, agent_task
from smithers_nb.execution import run_behind
from smithers_nb.run import RUNNER
from tests.agents.conftest import Background, model_at
from tests.agents.elsewhere import Elsewhere, double
from tests.agents.fake_replies import Asked, Hang, by_turn, call, say


def test_a_task_that_is_submitted_twice_is_asked_once(provider: Any, run_of: Any) -> None:
    server = provider(say("hello", delay_s=1.0))
    ex = run_of(Claude(id="c", model=model_at(server))["hi"])
    run = Background(ex)
    server.wait_for(lambda requests: len(requests) == 1)
    entry = run_behind(ex).live.tasks["c"]

    async def again() -> Any:
        return await RUNNER.submit(
            agent_task(run_behind(ex).live.services, entry.node, entry.task_id),
            TaskLedger(run_behind(ex).live.services, entry, lambda output: None),
        )

    assert engine.call(again()).output == "hello"
    assert run.ended().status == "finished"
    assert len(server.requests) == len(ex.df.model_calls) == 1


@pytest.fixture
def elsewhere(provider: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A server that processes find by the environment."""

    def start(*acts: Any) -> Any:
        server = provider(*acts)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-x")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.anthropic_url)
        return server

    return start


def test_a_task_goes_as_json_to_another_process_and_comes_back_as_rows(elsewhere: Any, run_of: Any) -> None:
    server = elsewhere(by_turn(call("double", n=4), say("it is 8")))
    runner, results = Elsewhere(), []
    node = Claude(id="c", model="haiku", tools=[double], limits={"tokens": 100}, on_finished=results.append)
    ex = run_of(node["Double 4."], runner=runner)
    assert ex.run_sync().status == "finished"
    assert results[0].output == "it is 8"
    assert dict(results[0].usage) == {"input_tokens": 20, "output_tokens": 10, "requests": 2}
    assert [request.asked.turn for request in server.requests] == [1, 2]
    assert list(ex.df.model_calls.turn) == [1, 2]
    assert ex.df.tool_calls[["tool", "output", "status"]].to_numpy().tolist() == [["double", 8, "ok"]]
    [sent] = [json.loads(text)["task"] for text in runner.sent]
    assert json.loads(runner.sent[0])["format"] == 1
    assert (sent["agent"], sent["model"], sent["prompt"]) == ("claude", "haiku", "Double 4.")
    assert sent["limits"] == {"tokens": 100, "turns": 50} and sent["past"] is None
    assert sent["local"]["tools"] == ["tests.agents.elsewhere:double"]
    assert ex.replay().same, "a replay needs no other process"
    assert len(server.requests) == 2 and len(runner.sent) == 1


def test_another_process_that_is_cut_off_goes_on_from_the_history(elsewhere: Any, run_of: Any) -> None:
    def script(asked: Asked) -> Any:
        answers = by_turn(call("double", n=4), say("it is 8"))
        return Hang() if asked.number == 2 else answers(asked)

    server = elsewhere(script)
    ex = run_of(Claude(id="c", model="haiku", tools=[double])["Double 4."], runner=Elsewhere())
    run = Background(ex)
    server.wait_for(lambda requests: len(requests) == 2, 60)  # A busy machine takes its time to start a process.
    ex.stop()
    run.ended()
    server.wait_for(lambda requests: requests[1].outcome == "gone")
    assert ex.run_sync().status == "finished"
    assert [request.asked.turn for request in server.requests] == [1, 2, 2], "nothing is paid for twice"
    assert list(ex.df.tool_calls.status) == ["ok"]
