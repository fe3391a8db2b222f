"""Answers of people that say more than yes or no: arguments instead of the model's, and results of calls made elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic_ai import CallDeferred, ExternalToolset, RunContext
from pydantic_ai.tools import ToolDefinition

from smithers_nb import Claude, Execution, Store, call_tool, scripted
from smithers_nb.errors import ApprovalError, NotStorableError
from tests.agents.conftest import APIS, model_at
from tests.agents.fake_replies import by_turn, call, say
from tests.agents.fake_server import FakeServer

each_api = pytest.mark.parametrize("api", APIS)


class Mail:
    """A tool that must not be called with the wrong address."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, int]] = []

    def send(self, to: str, copies: int = 1) -> str:
        """Send a mail."""
        self.sent.append((to, copies))
        return f"sent to {to}"


def waiting(run_of: Any, model: Any, tools: list[Any], **props: Any) -> Any:
    """Run an agent until it waits for a person."""
    results: list[Any] = []
    ex = run_of(
        Claude(id="c", model=model, tools=tools, on_finished=results.append, on_error=results.append, **props)["hi"]
    )
    ex.results = results
    assert ex.run_sync().status == "waiting"
    return ex


@each_api
def test_a_tool_is_called_with_the_arguments_that_a_person_wrote(api: str, provider: Any, run_of: Any) -> None:
    server, mail = provider(by_turn(call("send", to="all@example.org"), say("done"))), Mail()
    ex = waiting(run_of, model_at(server, api), [mail.send], approve=["send"])
    ex.answer("c", "approve", "not to all", args={"to": "me@example.org", "copies": 2})
    assert ex.run_sync().status == "finished"
    assert (mail.sent, ex.results[0].output) == ([("me@example.org", 2)], "done")
    told = str(server.requests[1].asked.body)
    assert "sent to me@example.org" in told
    [row] = ex.df.approvals.to_dict("records")
    assert (row["choice"], row["comment"]) == ("approve", "not to all")
    assert (row["payload"]["input"], row["args"]) == (
        {"to": "all@example.org"},
        {"to": "me@example.org", "copies": 2},
    )
    [tool] = ex.df.tool_calls.to_dict("records")
    assert (tool["input"], tool["output"], tool["status"], tool["attempt"]) == (
        {"to": "me@example.org", "copies": 2},
        "sent to me@example.org",
        "ok",
        1,
    )
    assert ex.replay().same
    assert mail.sent == [("me@example.org", 2)]


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "of another type": (
        {"args": {"to": 5}},
        "send does not take these arguments: args['to']: 5 is not of type 'string'",
    ),
    "missing": ({"args": {}}, "'to' is a required property"),
    "unknown": ({"args": {"to": "a", "cc": "b"}}, "('cc' was unexpected)"),
    "with a denial": ({"choice": "deny", "args": {"to": "a"}}, "args= are for a tool call that is approved"),
    "a result": ({"choice": None, "result": 5}, "'result' is no choice of c: it offers ['approve', 'deny']"),
    "both": ({"choice": "approve", "result": 5}, "choice='approve' and result=… are two answers"),
    "nothing": ({"choice": None}, "the answer has no choice"),
}


@pytest.mark.parametrize(("answer", "words"), WRONG.values(), ids=WRONG)
def test_a_wrong_answer_is_refused_and_the_question_still_waits(answer: Any, words: str, run_of: Any) -> None:
    mail = Mail()
    ex = waiting(run_of, scripted(call_tool("send", to="a"), "done"), [mail.send], approve=True)
    with pytest.raises(ApprovalError) as caught:
        ex.answer("c", **{"choice": "approve", **answer})
    assert words in str(caught.value)
    assert (list(ex.df.approvals.status), mail.sent) == (["waiting"], [])
    ex.answer("c", "approve")
    assert ex.run_sync().status == "finished"
    assert mail.sent == [("a", 1)]


def test_arguments_are_checked_by_a_later_process_too(run_of: Any, resumed: Any) -> None:
    mail = Mail()
    model = scripted(call_tool("send", to="a"), "done")
    app = Claude(id="c", model=model, tools=[mail.send], approve=True)["hi"]
    ex = run_of(app)
    ex.run_sync()
    ex.close()
    ex = resumed(app)
    assert ex.run_sync().status == "waiting"
    with pytest.raises(ApprovalError, match="is not of type 'string'"):
        ex.answer("c", "approve", args={"to": 5})
    ex.answer("c", "approve", args={"to": "b"})
    ex.close()
    ex = resumed(app)
    assert ex.run_sync().status == "finished"
    assert (mail.sent, len(model.calls)) == ([("b", 1)], 2)


# ---- calls that are made elsewhere -----------------------------------------------------------------------------


class Lab:
    """A tool whose result comes from a laboratory, days later."""

    def __init__(self) -> None:
        self.begun: list[str] = []

    def measure(self, sample: str) -> str:
        """Measure a sample."""
        self.begun.append(sample)
        raise CallDeferred({"ticket": f"T-{sample}"})


def elsewhere() -> Any:
    schema = {"type": "object", "properties": {"sample": {"type": "string"}}, "required": ["sample"]}
    return ExternalToolset([ToolDefinition(name="measure", parameters_json_schema=schema)])


KINDS = pytest.mark.parametrize("kind", ["a function that defers", "an external tool"])


def tools_of(kind: str, lab: Lab) -> list[Any]:
    return [lab.measure] if kind == "a function that defers" else [elsewhere()]


@each_api
@KINDS
def test_a_call_made_elsewhere_waits_for_its_result(kind: str, api: str, provider: Any, run_of: Any) -> None:
    server, lab = provider(by_turn(call("measure", sample="a"), say("it is salt"))), Lab()
    ex = waiting(run_of, model_at(server, api), tools_of(kind, lab))
    [row] = ex.df.approvals.to_dict("records")
    assert (row["kind"], row["options"], row["status"]) == ("external", ["result", "fail"], "waiting")
    assert row["payload"]["input"] == {"sample": "a"}
    assert row["payload"].get("ticket") == ("T-a" if lab.begun else None)
    assert list(ex.df.tool_calls.status) == ["waiting"]
    with pytest.raises(ApprovalError, match="c waits for a result"):
        ex.answer("c", "result")
    with pytest.raises(ApprovalError, match="is no choice of c"):
        ex.answer("c", "approve")
    with pytest.raises(NotStorableError, match="result of the answer can't be stored"):
        ex.answer("c", result=object())
    begun = list(lab.begun)
    ex.answer("c", result={"salt": 3.5})
    assert ex.run_sync().status == "finished"
    assert (ex.results[0].output, lab.begun) == ("it is salt", begun), "it was not begun twice"
    assert "3.5" in str(server.requests[1].asked.body)
    [row] = ex.df.approvals.to_dict("records")
    assert (row["choice"], row["result"]) == ("result", {"salt": 3.5})
    [tool] = ex.df.tool_calls.to_dict("records")
    assert (tool["status"], tool["output"], tool["attempt"]) == ("ok", {"salt": 3.5}, 1)
    assert ex.replay().same
    assert (len(server.requests), lab.begun) == (2, begun)


@KINDS
def test_a_call_that_failed_elsewhere_is_told_to_the_model(kind: str, run_of: Any) -> None:
    lab = Lab()
    ex = waiting(run_of, scripted(call_tool("measure", sample="a"), lambda told: f"told: {told}"), tools_of(kind, lab))
    ex.answer("c", "fail", "the sample was lost")
    assert ex.run_sync().status == "finished"
    assert ex.results[0].output == "told: the sample was lost"
    [tool] = ex.df.tool_calls.to_dict("records")
    assert (tool["status"], tool["error"]) == ("failed", "the sample was lost")
    assert ex.replay().same


def test_a_denied_external_tool_is_never_asked_about(run_of: Any) -> None:
    ex = run_of(
        Claude(id="c", model=scripted(call_tool("measure", sample="a"), "x"), tools=[elsewhere()], deny=["measure"])[
            "hi"
        ]
    )
    assert ex.run_sync().status == "finished"
    assert list(ex.df.tool_calls.status) == ["denied"]
    assert len(ex.df.approvals) == 0


def test_approvals_and_results_of_one_turn_are_waited_for_together(run_of: Any) -> None:
    lab, mail = Lab(), Mail()
    both = [call_tool("measure", sample="a"), call_tool("measure", sample="b"), call_tool("send", to="x")]
    ex = waiting(run_of, scripted(both, "done"), [lab.measure, mail.send], approve=["send"], limits={"tool_calls": 3})
    assert lab.begun == ["a", "b"]
    ids = dict(zip(ex.df.approvals.prompt, ex.df.approvals.approval_id, strict=True))
    assert len(ids) == 3
    first, second, third = ids.values()
    prompts = list(ids)
    for prompt, id in zip(prompts, (first, second, third), strict=True):
        if "measure" in prompt:
            ex.answer(id, result=prompt[-4:])
        else:
            ex.answer(id, "approve", args={"to": "y"})
    assert ex.run_sync().status == "finished"
    assert (lab.begun, mail.sent) == (["a", "b"], [("y", 1)])
    assert sorted(ex.df.tool_calls.status) == ["ok", "ok", "ok"]
    assert ex.results[0].status == "succeeded"


def test_a_call_may_ask_first_and_then_be_made_elsewhere(run_of: Any) -> None:
    begun: list[str] = []

    def measure(ctx: RunContext[Any], sample: str) -> str:
        begun.append(sample)
        raise CallDeferred

    ex = waiting(run_of, scripted(call_tool("measure", sample="a"), "done"), [measure], approve=["measure"])
    assert (begun, list(ex.df.approvals.kind)) == ([], ["tool"])
    ex.answer("c", "approve", args={"sample": "b"})
    assert ex.run_sync().status == "waiting"
    assert (begun, list(ex.df.approvals.kind)) == (["b"], ["tool", "external"])
    ex.answer("c", result="salt")
    assert ex.run_sync().status == "finished"
    assert begun == ["b"]
    assert list(ex.df.tool_calls.output) == ["salt"]


@pytest.mark.filterwarnings("ignore::smithers_nb.errors.AppChangedWarning")
@pytest.mark.parametrize("when", ["asked", "answered"])
def test_a_killed_process_loses_neither_question_nor_answer(when: str, provider: Any, tmp_path: Path) -> None:
    server: FakeServer = provider(by_turn(call("measure", sample="a"), say("it is salt")))
    environment = {**os.environ, "SERVER": server.anthropic_url, "DB": str(tmp_path / "t.db"), "WHEN": when}
    process = subprocess.run(
        [sys.executable, "-m", "tests.agents.answered_app"],
        env=environment,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert process.returncode == -9, process.stderr
    assert list(Store(tmp_path / "t.db").df.approvals.status) == ["waiting" if when == "asked" else "answered"]

    lab, results = Lab(), []
    app = Claude(id="c", model=model_at(server), tools=[lab.measure], on_finished=results.append)["hi"]
    ex = Execution.resume(app, store=tmp_path / "t.db")
    if when == "asked":
        assert ex.run_sync().status == "waiting"
        ex.answer("c", result={"salt": 3.5})
    assert ex.run_sync().status == "finished"
    ex.close()
    assert (results[0].output, lab.begun) == ("it is salt", [])
    assert [request.asked.turn for request in server.requests] == [1, 2], "nothing was asked twice"
    assert list(ex.df.tool_calls[["status", "attempt"]].itertuples(index=False, name=None)) == [("ok", 1)]
