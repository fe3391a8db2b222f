"""Tasks as JSON: what is sent by its name, what is refused, and what the other side makes of it."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from smithers_nb import Agent, Claude, scripted
from smithers_nb.agents import wire
from smithers_nb.agents.runner import AgentTask, FunctionTask, Local, Past
from smithers_nb.bridge import engine
from smithers_nb.errors import AgentConfigError
from smithers_nb.execution import run_behind
from smithers_nb.records import ToolCall
from smithers_nb.store import calls
from tests.workers import remote_app
from tests.workers.remote_app import Box, Note, look, square


def task(**local: Any) -> AgentTask:
    return AgentTask(
        execution_id="e1",
        task_id="a@1",
        node_id="a",
        agent="claude",
        model="haiku",
        prompt="hi",
        system=None,
        allow=None,
        deny=[],
        approve=[],
        repeat={"send_*": "refuse"},
        limits={"turns": 50},
        retries=3,
        seed=0,
        source=None,
        local=Local(**{"model": "haiku", **local}),
    )


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a type with arguments": ({"output_type": list[int]}, "output_type of a"),
    "a bound method": ({"tools": [Box().add]}, "tool Box.add of a"),
    "a builtin's method": ({"tools": ["text".upper]}, "tool str.upper of a"),
    "a partial": ({"tools": [partial(look, 1)]}, "tool functools.partial"),
    "a lambda": ({"tools": [lambda: 1]}, "<lambda> of a"),
    "an object's agent": ({"agent": remote_app.writer}, "agent of a"),
    "a script": ({"model": scripted("x")}, "model of a"),
}


@pytest.mark.parametrize(("local", "words"), REFUSED.values(), ids=REFUSED)
def test_what_its_name_does_not_lead_back_to_is_refused_by_name(local: Any, words: str) -> None:
    with pytest.raises(AgentConfigError, match="can't leave this process") as refused:
        wire.to_json(task(**local))
    assert words in str(refused.value) and refused.value.node_id == "a"


def test_a_name_that_leads_to_another_thing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    before = remote_app.look
    monkeypatch.setattr(remote_app, "look", lambda n: n)
    assert wire.reference(before) is None


def test_a_task_comes_back_as_it_was_sent() -> None:
    past = Past(turn=2, request="[]", response="{}", tools={"t": ToolCall("a@1", 2, 1, "t", "look", "{}", "ok", 1.0)})
    sent = replace(task(tools=[look], output_type=Note, deps={"a": 1}), past=past, leg=3)
    found = wire.from_json(wire.to_json(sent)).task
    assert isinstance(found, AgentTask)
    assert replace(found, local=Local()) == replace(sent, local=Local())
    assert found.past == past and found.leg == 3
    assert found.local.tools == [look] and found.local.output_type is Note and found.local.deps == {"a": 1}


def test_a_function_comes_back_with_its_arguments() -> None:
    sent = FunctionTask("e1", "t@1", "t", 0, square, [(1, 2)], timeout_s=2.0)
    assert wire.from_json(wire.to_json(sent)).task == sent


def test_an_agent_goes_by_the_variable_that_holds_it(run_of: Any) -> None:
    results: list[Any] = []
    app = Agent(id="a", agent="tests.workers.remote_app:writer", on_finished=results.append)["hi"]
    assert run_of(app).run_sync().status == "finished"
    assert results[0].output == "by the module's agent"
    by_name = task(model=None, agent=remote_app.writer, reference="tests.workers.remote_app:writer")
    found = wire.from_json(wire.to_json(by_name)).task
    assert isinstance(found, AgentTask) and found.local.agent is remote_app.writer


def test_an_agent_that_is_not_there_is_told_when_it_mounts(run_of: Any) -> None:
    ex = run_of(Agent(id="a", agent="tests.workers.remote_app:nobody")["hi"])
    assert ex.run_sync().status == "failed"
    assert "tests.workers.remote_app:nobody" in ex.df.tasks.error[0]


def test_an_unknown_format_is_refused_with_both_numbers() -> None:
    text = json.dumps({**json.loads(wire.to_json(task())), "format": 7})
    with pytest.raises(AgentConfigError, match=r"format 7.*format 1"):
        wire.from_json(text)


def test_answers_of_the_file_are_refused_elsewhere() -> None:
    with pytest.raises(AgentConfigError, match="cache=True of a can't leave"):
        wire.to_json(replace(task(), cache=True))


def test_other_code_is_told_or_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    module = tmp_path / "wired_tools.py"
    module.write_text("def tool(n: int) -> int:\n    return n\n")
    sent = wire.to_json(task(tools=[wire.resolve("wired_tools:tool")]))
    assert wire.from_json(sent).other_code == []
    module.write_text("def tool(n: int) -> int:\n    return n + 1  # another\n")
    assert wire.from_json(sent).other_code == ["wired_tools"]
    with pytest.raises(AgentConfigError, match="different code of wired_tools"):
        wire.from_json(sent.replace('"strict_code": false', '"strict_code": true'))


def test_code_can_be_sent_and_a_different_python_refuses_it() -> None:
    pytest.importorskip("cloudpickle")
    add = 5
    sent = wire.to_json(
        task(tools=[lambda n: n + add], output_type=list[int], model=scripted("x", "y")), send_code=True
    )
    found = wire.from_json(sent).task
    assert isinstance(found, AgentTask)
    assert found.local.tools[0](2) == 7 and found.local.output_type == list[int]
    assert found.local.model.answer("") == "x"
    with pytest.raises(AgentConfigError, match=r"runs Python 3.*is of Python 2\.7"):
        wire.from_json(sent.replace(f'"python": "{wire.PYTHON}"', '"python": "2.7"'))


def test_what_can_not_be_pickled_is_refused_with_code_too() -> None:
    pytest.importorskip("cloudpickle")
    with pytest.raises(AgentConfigError, match="agent of a can't leave"):
        wire.to_json(task(agent=remote_app.writer), send_code=True)


def test_a_call_that_is_told_twice_has_one_row(run_of: Any) -> None:
    ex = run_of(Claude(id="c", model=scripted("x"))["hi"])
    ex.run_sync()
    task_id = ex.df.tasks.task_id[0]
    services = run_behind(ex).live.services
    begun = ToolCall(task_id, 1, 1, "t1", "look", "{}", "running", 1.0)
    for call in (begun, replace(begun, status="ok", output="1"), replace(begun, status="ok", output="1")):
        engine.call(services.database.transaction(calls.put_tool_call, services.execution_id, call))
    assert ex.df.tool_calls[["tool", "status"]].to_numpy().tolist() == [["look", "ok"]]
