"""Tool calls that a branch would make again: they are made, take the recorded result, or are refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic_ai import FunctionToolset, ModelRetry, Tool

from smithers_nb import Agent, Claude, Execution, call_tool, component, scripted
from tests.agents.conftest import model_at
from tests.agents.fake_replies import by_turn, call, say
from tests.agents.test_branch_answers import Fork, fork, save
from tests.engine.test_branches import rows

__all__ = ["fork"]


class Post:
    """An agent that sends and looks, and what it did outside."""

    def __init__(self, **props: Any) -> None:
        self.sent: list[str] = []
        self.looked: list[str] = []
        self.props = props
        self.model = scripted(call_tool("send_mail", to="ann"), call_tool("look", what="sea"), "done")

    def app(self) -> Any:
        def send_mail(to: str) -> str:
            self.sent.append(to)
            return f"sent to {to}"

        def look(what: str) -> str:
            self.looked.append(what)
            return f"{what}: {len(self.looked)}"

        @component
        def App(ctx: Any) -> Any:
            prompt = f"Write to {ctx.state.get('who', 'her')}."
            return Claude(id="mail", model="m", tools=[send_mail, look], on_finished=save("m"), **self.props)[prompt]

        return App

    def run(self, run_of: Any) -> Execution:
        ex: Execution = run_of(self.app(), models={"m": self.model})
        assert ex.run_sync().status == "finished"
        return ex

    def again(self, *, to: str = "ann") -> dict[str, Any]:
        """A model that calls the same, without the recorded answers."""
        return {"m": scripted(call_tool("send_mail", to=to), call_tool("look", what="sea"), "done again")}


def test_a_refused_call_fails_the_agent_and_the_model_is_not_told(run_of: Any, fork: Fork) -> None:
    post = Post(repeat={"send_*": "refuse"})
    ex = post.run(run_of)
    before = rows(ex.store.path, ex.execution_id)
    models = post.again()
    branch = fork(ex, 0, models=models)
    assert branch.run_sync().status == "failed" and post.sent == ["ann"]
    assert len(models["m"].calls) == 1
    task = branch.df.tasks.iloc[0]
    assert (task.status, task.reason, task.attempt) == ("failed", "repeat: refuse", 1)
    for said in ("tool send_mail of mail was not called", f"{ex.name} has called it", "allow_repeat=['send_mail']"):
        assert said in task.error
    row = branch.df.tool_calls.iloc[0]
    assert (row.tool, row.status) == ("send_mail", "denied") and "allow_repeat" in row.error
    allowed = fork(ex, 0, models=post.again(), allow_repeat=["send_mail"])
    assert allowed.run_sync().status == "finished" and post.sent == ["ann", "ann"]
    assert rows(ex.store.path, ex.execution_id) == before


def test_other_arguments_are_another_call(run_of: Any, fork: Fork) -> None:
    post = Post(repeat={"send_*": "refuse"})
    ex = post.run(run_of)
    assert fork(ex, 0, models=post.again(to="bob")).run_sync().status == "finished"
    assert post.sent == ["ann", "bob"]


def test_a_call_of_a_reused_turn_is_no_repetition(run_of: Any, fork: Fork) -> None:
    post = Post(repeat={"send_*": "refuse", "look": "refuse"})
    ex = post.run(run_of)
    branch = fork(ex, 0)
    assert branch.run_sync().status == "finished" and branch.state["m"] == "done"
    assert (post.sent, post.looked) == (["ann"], ["sea"])
    # Without the results of tools, the reused answers call them.
    assert fork(ex, 0, reuse=("agents",)).run_sync().status == "failed"
    assert post.sent == ["ann"]


def test_a_recorded_result_is_taken_and_told_to_the_model(run_of: Any, fork: Fork) -> None:
    post = Post(repeat={"send_mail": "run", "*": "recorded"})
    ex = post.run(run_of)
    models = post.again()
    branch = fork(ex, 0, models=models, limits={"tool_calls": 1})
    assert branch.run_sync().status == "finished"
    assert (post.sent, post.looked) == (["ann", "ann"], ["sea"])
    was, now = (one.df.tool_calls.set_index("tool").loc["look"] for one in (ex, branch))
    assert (now.reused_id, now.output, now.status) == (was.id, was.output, "ok")
    assert "sea: 1" in str(models["m"].calls[-1])
    assert "1 result of a tool" in branch.notes[-1]
    # The only recorded result is taken: a second call of this branch is a new one.
    twice = scripted(call_tool("look", what="sea"), call_tool("look", what="sea"), "done")
    branch = fork(ex, 0, models={"m": twice})
    branch.run_sync()
    assert post.looked == ["sea", "sea"] and branch.df.tool_calls.reused_id.notna().tolist() == [True, False]


@pytest.mark.parametrize("kind", ["tool", "toolset", "agent"])
def test_a_tool_says_so_by_its_metadata(kind: str, run_of: Any, fork: Fork, provider: Any) -> None:
    sent: list[str] = []

    def send(to: str) -> str:
        sent.append(to)
        return "sent"

    tools: list[Any] = [Tool(send, metadata={"repeat": "refuse"})]
    if kind == "toolset":
        toolset: Any = FunctionToolset()
        toolset.add_function(send, metadata={"repeat": "refuse"})
        tools = [toolset]
    node: Any = Claude(id="c", model="m", tools=tools)["Send it."]
    if kind == "agent":
        from pydantic_ai import Agent as OwnAgent

        server = provider(by_turn(call("send", to="ann"), say("done")))
        node = Agent(id="c", agent=OwnAgent(model_at(server), tools=tools))["Send it."]
    ex = run_of(node, models={"m": scripted(call_tool("send", to="ann"), "done")})
    ex.run_sync()
    again = {} if kind == "agent" else {"m": scripted(call_tool("send", to="ann"), "done")}
    branch = fork(ex, 0, models=again, reuse=())
    assert branch.run_sync().status == "failed" and sent == ["ann"]
    assert branch.df.tasks.reason.tolist() == ["repeat: refuse"]


def test_the_node_overrules_the_metadata(run_of: Any, fork: Fork) -> None:
    sent: list[str] = []
    tool = Tool(sent.append, name="send", metadata={"repeat": "refuse"})
    ex = run_of(
        Claude(id="c", model="m", tools=[tool], repeat={"send": "run"})["Send it."],
        models={"m": scripted(call_tool("send", object="ann"), "done")},
    )
    ex.run_sync()
    branch = fork(ex, 0, models={"m": scripted(call_tool("send", object="ann"), "done")})
    assert branch.run_sync().status == "finished" and sent == ["ann", "ann"]


def test_another_agent_that_makes_the_same_call_repeats_it(run_of: Any, fork: Fork) -> None:
    post = Post(repeat={"send_*": "refuse"})
    ex = post.run(run_of)

    def send_mail(to: str) -> str:
        post.sent.append(to)
        return "sent"

    app = Claude(id="other", model="m", tools=[send_mail], repeat={"send_mail": "refuse"})["Write."]
    branch = fork(ex, 0, app=app, models={"m": scripted(call_tool("send_mail", to="ann"), "done")})
    assert branch.run_sync().status == "failed" and post.sent == ["ann"]


def test_a_call_that_was_cut_off_may_have_done_its_work(run_of: Any, fork: Fork) -> None:
    sent: list[str] = []

    def send(to: str) -> str:
        sent.append(to)
        raise ModelRetry("the line broke") if len(sent) == 1 else OSError("the line is down")

    node = Claude(id="c", model="m", tools=[send], repeat={"send": "refuse"})["Send it."]
    model = scripted(call_tool("send", to="ann"), call_tool("send", to="ann"), "done")
    ex = run_of(node, models={"m": model})
    assert ex.run_sync().status == "failed" and sent == ["ann", "ann"]
    branch = fork(ex, 0, reuse=(), models={"m": scripted(call_tool("send", to="ann"), "done")})
    branch.run_sync()
    assert sent == ["ann", "ann"] and branch.df.tasks.reason.tolist() == ["repeat: refuse"]


@pytest.mark.parametrize(
    "props, error, message",
    [
        ({"repeat": {"sned_mail": "refuse"}}, "AgentConfigError", "repeat of mail names 'sned_mail'.*'send_mail'"),
        ({"repeat": {"send_mail": "refuze"}}, "PropError", "'run', 'recorded' or 'refuse', got 'refuze'"),
        ({"repeat": "refuse"}, "PropError", "should be a valid dictionary"),
    ],
)
def test_a_wrong_repeat_is_told_before_anything_is_sent(props: Any, error: str, message: str, run_of: Any) -> None:
    post = Post(**props)
    ex = run_of(post.app(), models={"m": post.model})
    with pytest.raises(Exception, match=message) as raised:
        assert ex.run_sync().status == "failed"
        raise ValueError(ex.df.tasks.error.iloc[0])
    assert error in type(raised.value).__name__ + str(raised.value)
    assert not post.model.calls


def test_a_wrong_word_in_the_metadata_is_told_by_the_first_run(run_of: Any) -> None:
    sent: list[str] = []
    tool = Tool(sent.append, name="send", metadata={"repeat": "refuze"})
    model = scripted(call_tool("send", object="ann"), "done")
    ex = run_of(Claude(id="c", model="m", tools=[tool])["Send it."], models={"m": model})
    assert ex.run_sync().status == "failed" and sent == []
    error = ex.df.tasks.error.iloc[0]
    assert "'refuze' as 'repeat' in its metadata" in error and "Did you mean 'refuse'?" in error


def test_the_prop_is_recorded(run_of: Any) -> None:
    ex = Post(repeat={"send_*": "refuse"}).run(run_of)
    props = ex.store.sql("SELECT props FROM nodes WHERE node_id = 'mail'").props.iloc[0]
    assert json.loads(props)["repeat"] == {"send_*": "refuse"}
