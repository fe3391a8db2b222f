"""An agent that continues keeps the props of the frame in which it started, however it was held up."""

from __future__ import annotations

from typing import Any

import pytest

from smithers_nb import Claude, Task, component
from tests.agents.conftest import APIS, Background, model_at
from tests.agents.fake_replies import Status, call, say

each_api = pytest.mark.parametrize("api", APIS)


def write(path: str) -> str:
    return f"written {path}"


def plan(model: Any, asked: list[str], **props: Any) -> Any:
    """Return an agent whose props follow the state, which a task changes meanwhile."""

    @component
    def Plan(ctx: Any) -> Any:
        mood = ctx.state.get("mood", "calm")

        def look() -> str:
            asked.append(mood)
            return mood

        agent = Claude(
            id="c",
            model=model,
            system=f"Be {mood}.",
            tools=[write, look],
            on_finished=lambda result, ctx: ctx.state.set("said", result.output),
            **{"deny": [] if mood == "calm" else ["look"]} | props,
        )
        return agent[f"You are {mood}."]

    return Plan


def systems(server: Any) -> list[str]:
    """Return the system prompt of each request, whichever API it came by."""
    found = []
    for body in (entry.asked.body for entry in server.requests):
        text = body.get("system") or body.get("instructions") or body.get("messages", [{}])[0].get("content")
        found.append(text if isinstance(text, str) else "".join(block["text"] for block in text))
    return found


@each_api
@pytest.mark.parametrize("again", ["here", "in another process"])
def test_after_an_approval(again: str, api: str, provider: Any, run_of: Any, resumed: Any) -> None:
    server = provider(call("write", path="a"), call("look"), say("done"))
    asked: list[str] = []
    ex = run_of(plan(model_at(server, api), asked, approve=["write"]))
    assert ex.run_sync().status == "waiting"
    ex.state.set("mood", "wild")
    assert ex.run_sync().status == "waiting"
    assert 'system="Be wild."' in ex.frame.xml
    if again == "in another process":
        ex.close()
        ex = resumed(plan(model_at(server, api), asked, approve=["write"]))
    ex.answer("c", "approve")
    assert ex.run_sync().status == "finished"
    assert ex.state["said"] == "done"
    assert systems(server) == ["Be calm."] * 3
    assert list(ex.df.tool_calls.status) == ["ok", "ok"], "denied only since the frame after"
    assert asked == (["calm"] if again == "here" else ["wild"]), "a function can't be read back from a file"


@pytest.mark.parametrize("paused", [False, True])
def test_after_a_wait(paused: bool, provider: Any, run_of: Any, wait_until: Any) -> None:
    server = provider(call("look"), Status(503, "4"), say("done"))
    ex = run_of(plan(model_at(server), []))
    run = Background(ex)
    wait_until(lambda: ex.tasks.get("c") == "blocked")
    ex.state.set("mood", "wild")
    wait_until(lambda: 'system="Be wild."' in ex.frame.xml)
    if paused:
        ex.pause()
        run.ended()
        run = Background(ex)
    assert run.ended().status == "finished"
    assert systems(server) == ["Be calm."] * 3


def test_one_that_starts_over_takes_the_present_props(provider: Any, run_of: Any, resumed: Any) -> None:
    server = provider(call("write", path="a"), say("done"))
    ex = run_of(plan(model_at(server), [], approve=["write"]))
    assert ex.run_sync().status == "waiting"
    ex.answer("c", "approve")
    ex.run_sync()
    ex.state.set("mood", "wild")
    ex.run_sync()
    ex.retry("c")
    assert ex.run_sync().status == "finished"
    assert systems(server) == ["Be calm."] * 2 + ["Be wild."] * (len(server.requests) - 2)
    assert len(server.requests) > 2


def test_a_task_that_is_tried_again_runs_with_the_props_of_its_start(run_of: Any) -> None:
    seen: list[int] = []

    @component
    def Plan(ctx: Any) -> Any:
        number = ctx.state.get("number", 1)

        def work(ctx: Any, given: int) -> int:
            seen.append(given)
            if len(seen) == 1:
                ctx.progress("half")
                ctx.state.set("number", 2)
                raise ValueError("once more")
            return given

        return Task(id="t", run=work, args=[number], retries=1)

    assert run_of(Plan).run_sync().status == "finished"
    assert seen == [1, 1]
