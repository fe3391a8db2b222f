"""Tools that a person is asked about before they are called."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from typing import Any

import pytest
from pydantic_ai import Agent as OwnAgent
from pydantic_ai import ApprovalRequired, RunContext, Tool
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import FunctionModel

from smithers_nb import Agent, Claude, call_tool, scripted
from smithers_nb.bridge import engine
from smithers_nb.errors import ApprovalError, PropError
from smithers_nb.execution import run_behind
from smithers_nb.records import Answer
from smithers_nb.store import connection


class Files:
    """Tools that write down what they did."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def read(self, path: str) -> str:
        self.done.append(f"read {path}")
        return f"what is in {path}"

    def write(self, path: str, text: str) -> str:
        self.done.append(f"write {path}")
        return f"{path} is written"

    def change(self, ctx: RunContext[Any], path: str) -> str:
        """Show what it will do first."""
        if not ctx.tool_call_approved:
            self.done.append(f"show {path}")
            raise ApprovalRequired({"diff": f"-old {path}\n+new {path}\n"})
        self.done.append(f"change {path}")
        return f"{path} is changed"

    @property
    def tools(self) -> list[Any]:
        return [self.read, self.write, self.change]


WRITES = [call_tool("write", path="a", text="x")]


def started(run_of: Any, files: Files, model: Any, **props: Any) -> Any:
    """Run one agent until it waits for a person."""
    results: list[Any] = []
    node = Claude(id="c", model=model, tools=files.tools, on_finished=results.append, on_error=results.append, **props)
    ex = run_of(node["hi"])
    ex.results = results
    ex.node = node
    return ex


def rows(ex: Any, *columns: str) -> list[tuple[Any, ...]]:
    return list(ex.df.tool_calls[list(columns)].itertuples(index=False, name=None))


def told(ex: Any, request: int = -1) -> dict[str, tuple[str, str]]:
    """What the model was told of its last tool calls: outcome and words, by tool."""
    parts = ex.df.model_calls.request.iloc[request][-1]["parts"]
    return {part["tool_name"]: (part["outcome"], str(part["content"])) for part in parts if "tool_name" in part}


def only_a(tool: str, args: dict[str, Any]) -> bool:
    return tool == "write" and args["path"] == "a"


ASKED: dict[str, tuple[Any, bool]] = {
    "by name": (["write"], True),
    "by pattern": (["w*"], True),
    "all": (True, True),
    "by a function": (only_a, True),
    "another one": (["read"], False),
    "a function that says no": (lambda tool, args: args["path"] == "b", False),
    "nothing said": (False, False),
}


@pytest.mark.parametrize(("approve", "asks"), ASKED.values(), ids=ASKED)
def test_the_node_says_which_tools_a_person_is_asked_about(approve: Any, asks: bool, run_of: Any) -> None:
    files, model = Files(), scripted(WRITES, "done")
    ex = started(run_of, files, model, approve=approve)
    outcome = ex.run_sync()
    if not asks:
        assert (outcome.status, files.done) == ("finished", ["write a"])
        return
    assert (outcome.status, outcome.reason) == ("waiting", "approval c waits for an answer")
    assert files.done == []
    [task] = ex.df.tasks.to_dict("records")
    assert (task["status"], task["reason"], ex.running) == ("blocked", "approval", 0)
    [row] = ex.df.approvals.to_dict("records")
    assert (row["kind"], row["status"], row["options"]) == ("tool", "waiting", ["approve", "deny"])
    assert row["payload"] == {"tool": "write", "input": {"path": "a", "text": "x"}}
    assert rows(ex, "tool", "status", "input", "tool_call_id") == [
        ("write", "waiting", {"path": "a", "text": "x"}, row["tool_call_id"])
    ]
    ex.answer("c", "approve")
    assert ex.run_sync().status == "finished"
    assert (files.done, ex.results[0].output, len(model.calls)) == (["write a"], "done", 2)
    assert rows(ex, "tool", "status", "output", "attempt") == [("write", "ok", "a is written", 1)]
    assert told(ex) == {"write": ("success", "a is written")}
    [task] = ex.df.tasks.to_dict("records")
    assert (task["attempt"], task["requests"]) == (1, 2), "an answer is no new attempt"


def test_a_denied_call_reaches_the_model_as_denied_with_the_comment(run_of: Any) -> None:
    files, model = Files(), scripted(WRITES, lambda told: f"I was told: {told}")
    ex = started(run_of, files, model, approve=["write"])
    ex.run_sync()
    ex.answer("c", "deny", "not on a Friday")
    assert ex.run_sync().status == "finished"
    assert (files.done, ex.results[0].output) == ([], "I was told: not on a Friday")
    assert rows(ex, "tool", "status", "error") == [("write", "denied", "not on a Friday")]
    assert told(ex)["write"] == ("denied", "not on a Friday")
    assert list(ex.df.approvals.choice) == ["deny"] and list(ex.df.approvals.comment) == ["not on a Friday"]


def test_a_tool_says_itself_that_it_needs_approval_and_what_there_is_to_look_at(run_of: Any) -> None:
    files = Files()
    ex = started(run_of, files, scripted(call_tool("change", path="a"), "done"))
    assert ex.run_sync().status == "waiting"
    [row] = ex.df.approvals.to_dict("records")
    assert row["payload"] == {"tool": "change", "input": {"path": "a"}, "diff": "-old a\n+new a\n"}
    ex.answer(row["approval_id"], "approve")
    ex.run_sync()
    assert files.done == ["show a", "change a"]
    assert rows(ex, "tool", "status", "attempt") == [("change", "ok", 1)]


def test_the_policy_can_say_what_there_is_to_look_at(run_of: Any) -> None:
    ex = started(run_of, Files(), scripted(WRITES, "done"), approve=lambda tool, args: {"diff": f"+{args['text']}"})
    ex.run_sync()
    assert ex.df.approvals.payload[0]["diff"] == "+x"


@pytest.mark.parametrize("whose", ["claude", "agent"])
def test_a_tool_that_requires_approval_is_asked_about(whose: str, run_of: Any) -> None:
    files = Files()
    tool = Tool(files.write, requires_approval=True)
    model = scripted(WRITES, "done")
    if whose == "claude":
        app: Any = Claude(id="c", model=model, tools=[tool])["hi"]
    else:
        own: Any = OwnAgent("openai:gpt-5", tools=[tool], defer_model_check=True)
        app = Agent(id="c", agent=own)["hi"]
    ex = run_of(app, models={"openai:gpt-5": model})
    assert ex.run_sync().status == "waiting"
    ex.answer("c", "approve")
    assert ex.run_sync().status == "finished"
    assert files.done == ["write a"]
    assert rows(ex, "status") == [("ok",)]


def test_what_may_not_be_called_is_not_asked_about(run_of: Any) -> None:
    files = Files()
    tools = [files.write, Tool(files.read, requires_approval=True)]
    model = scripted([*WRITES, call_tool("read", path="a")], "done")
    ex = run_of(Claude(id="c", model=model, tools=tools, deny=["*"], approve=True)["hi"])
    assert ex.run_sync().status == "finished"
    assert (files.done, len(ex.df.approvals)) == ([], 0)
    assert rows(ex, "tool", "status") == [("write", "denied"), ("read", "denied")]


def test_siblings_run_at_once_and_each_question_is_answered_on_its_own(run_of: Any) -> None:
    files = Files()
    calls = [
        call_tool("write", path="a", text="x"),
        call_tool("read", path="b"),
        call_tool("change", path="c"),
        call_tool("write", path="d", text="y"),
    ]
    model = scripted(calls, "done")
    ex = started(run_of, files, model, approve=["write"])
    assert ex.run_sync().status == "waiting"
    assert sorted(files.done) == ["read b", "show c"], "it is safe, and did not wait"
    ids = {
        (row["payload"]["tool"], row["payload"]["input"]["path"]): row["approval_id"]
        for row in ex.df.approvals.to_dict("records")
    }
    assert set(ids) == {("write", "a"), ("change", "c"), ("write", "d")}
    assert (
        ex.run_sync().reason
        == f"approval {', '.join(ids[one] for one in sorted(ids, key=lambda i: ids[i]))} waits for an answer"
    )
    with pytest.raises(ApprovalError, match="Waiting: c@1:tool1, c@1:tool2, c@1:tool3"):
        ex.answer("c", "approve")
    ex.answer(ids["change", "c"], "deny", "no")
    ex.answer(ids["write", "d"], "approve")
    assert ex.run_sync().status == "waiting"
    assert sorted(files.done) == ["read b", "show c"], "one more answer is to come"
    ex.answer("c", "approve")
    assert ex.run_sync().status == "finished"
    assert sorted(files.done) == ["read b", "show c", "write a", "write d"]
    statuses = {(row["tool"], row["input"]["path"]): row["status"] for row in ex.df.tool_calls.to_dict("records")}
    assert statuses == {("write", "a"): "ok", ("read", "b"): "ok", ("change", "c"): "denied", ("write", "d"): "ok"}
    assert len(model.calls) == 2 and len(ex.df.tool_calls) == 4
    events = ex.df.stream_events
    assert list(events.kind).count("tool_start") == list(events.kind).count("tool_end") == 4


def test_an_agent_asks_again_in_a_later_turn_although_the_call_is_the_same(run_of: Any) -> None:
    """Also where a model uses the ids of its calls again."""
    files = Files()

    def model(messages: list[Any], info: Any) -> ModelResponse:
        if len(messages) > 4:
            return ModelResponse(parts=[TextPart("done")])
        return ModelResponse(parts=[ToolCallPart("write", {"path": "a", "text": "x"}, tool_call_id="same")])

    ex = started(run_of, files, FunctionModel(model), approve=["write"])
    ex.run_sync()
    ex.answer("c", "approve")
    assert ex.run_sync().status == "waiting"
    assert files.done == ["write a"]
    ex.answer("c", "deny")
    assert ex.run_sync().status == "finished"
    assert files.done == ["write a"]
    assert rows(ex, "turn", "status") == [(1, "ok"), (2, "denied")]
    assert list(ex.df.approvals.approval_id) == ["c@1:tool1", "c@1:tool2"]


def test_a_question_is_still_waiting_after_a_restart(run_of: Any, resumed: Any) -> None:
    files, model = Files(), scripted([*WRITES, call_tool("read", path="b")], "done")
    ex = started(run_of, files, model, approve=["write"])
    ex.run_sync()
    ex.close()
    again = resumed(ex.node["hi"])
    assert again.run_sync().status == "waiting"
    again.answer("c", "approve", "go on")
    again.close()  # It was answered, and had no time to go on.
    third = resumed(ex.node["hi"])
    assert third.run_sync().status == "finished"
    assert sorted(files.done) == ["read b", "write a"]
    assert len(model.calls) == 2 and list(third.df.tasks.attempt) == [1]
    assert list(third.df.approvals.comment) == ["go on"]


def test_of_several_questions_those_that_are_left_wait_after_a_restart(run_of: Any, resumed: Any) -> None:
    files = Files()
    calls = [call_tool("write", path=path, text="x") for path in "ab"]
    ex = started(run_of, files, scripted(calls, "done"), approve=["write"])
    ex.run_sync()
    ex.answer("c@1:tool1", "approve")
    ex.close()
    again = resumed(ex.node["hi"])
    assert again.run_sync().status == "waiting"
    assert (files.done, run_behind(again).publish().names) == ([], ("c",))
    again.answer("c", "approve")
    assert again.run_sync().status == "finished"
    assert sorted(files.done) == ["write a", "write b"]


def test_a_locked_file_loses_no_answer_of_the_model_while_it_asks(
    run_of: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What could not be recorded goes with the question."""
    monkeypatch.setattr(connection, "BUSY_TIMEOUT_S", 0.3)
    files, asked = Files(), []

    def model(messages: list[Any], info: Any) -> ModelResponse:
        asked.append(len(messages))
        if len(messages) > 1:
            return ModelResponse(parts=[TextPart("done")])
        other = sqlite3.connect(tmp_path / "t.db", isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        threading.Timer(0.75, other.close).start()
        return ModelResponse(parts=[ToolCallPart("write", {"path": "a", "text": "x"})])

    ex = started(run_of, files, FunctionModel(model), approve=["write"])
    assert ex.run_sync().status == "waiting"
    assert (len(ex.df.model_calls), rows(ex, "status")) == (1, [("waiting",)])
    ex.answer("c", "approve")
    assert ex.run_sync().status == "finished"
    assert (asked, files.done) == ([1, 3], ["write a"])


def test_a_question_is_answered_once_however_many_answer_at_the_same_time(run_of: Any) -> None:
    files = Files()
    ex = started(run_of, files, scripted(WRITES, "done"), approve=["write"])
    ex.run_sync()

    async def both() -> list[Any]:
        return await asyncio.gather(
            *(run_behind(ex).live.answer("c", Answer(choice, choice)) for choice in ("deny", "approve")),
            return_exceptions=True,
        )

    first, second = engine.call(both())
    assert first is None and isinstance(second, ApprovalError)
    assert ex.run_sync().status == "finished"
    assert (list(ex.df.approvals.choice), files.done) == (["deny"], [])


ENDS: dict[str, tuple[Any, str]] = {
    "cancelled": (lambda ex: ex.cancel("c"), "cancelled"),
    "stopped": (lambda ex: ex.stop(), "blocked"),
}


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize(("end", "status"), ENDS.values(), ids=ENDS)
def test_an_agent_that_waits_for_a_person_can_be_ended(
    end: Any, status: str, restarts: bool, run_of: Any, resumed: Any
) -> None:
    files = Files()
    ex = started(run_of, files, scripted(WRITES, "done"), approve=["write"])
    ex.run_sync()
    if restarts:
        ex.close()
        ex = resumed(ex.node["hi"])
        ex.step_sync()
    end(ex)
    [task] = ex.df.tasks.to_dict("records")
    assert task["status"] == status
    if status == "blocked":
        assert ex.run_sync().status == "waiting"
        ex.answer("c", "approve")
    assert ex.run_sync().status == "finished"
    if status == "cancelled":
        assert (task["requests"], task["attempt"]) == (1, 1), "what it had used stays"
        assert (list(ex.df.approvals.status), rows(ex, "status")) == (["withdrawn"], [("skipped",)])
        with pytest.raises(ApprovalError, match="Waiting: none"):
            ex.answer("c", "approve")


def test_while_one_waits_for_a_person_another_agent_may_run(run_of: Any) -> None:
    files = Files()
    first = Claude(id="a", model=scripted(WRITES, "done"), tools=files.tools, approve=True)["hi"]
    ex = run_of([first, Claude(id="b", model=scripted("b is done"))["hi"]], max_agents=1)
    assert ex.run_sync().status == "waiting"
    assert ex.tasks == {"a": "blocked", "b": "succeeded"}


def asks_for_ever(ctx: RunContext[Any]) -> str:
    raise ApprovalRequired


def unstorable(tool: str, args: dict[str, Any]) -> Any:
    return {"diff": object()}


def broken(tool: str, args: dict[str, Any]) -> Any:
    raise ValueError("no policy")


BAD: dict[str, tuple[list[Any], Any, Any, str]] = {
    "a tool that asks for ever": ([asks_for_ever], call_tool("asks_for_ever"), False, "ctx.tool_call_approved"),
    "a preview that can't be stored": ([Files().write], WRITES, unstorable, "can't be stored"),
    "a policy that raises": ([Files().write], WRITES, broken, "no policy"),
}


@pytest.mark.parametrize(("tools", "reply", "approve", "words"), BAD.values(), ids=BAD)
def test_what_cannot_be_asked_fails_the_agent(tools: Any, reply: Any, approve: Any, words: str, run_of: Any) -> None:
    ex = run_of(Claude(id="c", model=scripted(reply, "done"), tools=tools, approve=approve)["hi"])
    if ex.run_sync().status == "waiting":
        ex.answer("c", "approve")
    assert ex.run_sync().status == "failed"
    assert words in ex.df.tasks.error[0]
    assert not set(ex.df.tool_calls.status) & {"running", "waiting", "ok"}


@pytest.mark.parametrize("approve", ["write", 1, [2], None])
def test_a_policy_that_is_none_is_refused(approve: Any) -> None:
    with pytest.raises(PropError, match="approve"):
        Claude(approve=approve)


def test_a_call_that_waits_counts_once_for_the_limits(run_of: Any, resumed: Any) -> None:
    """Also of a tool that is called to ask."""
    files = Files()
    model = scripted(call_tool("change", path="a"), call_tool("read", path="b"), "done")
    ex = started(run_of, files, model, limits={"tool_calls": 2})
    ex.run_sync()
    ex.answer("c", "approve")
    assert ex.run_sync().status == "finished"
    assert ex.results[0].text == "done"
    assert run_behind(ex).live.services.budget.spent.tool_calls == 2
