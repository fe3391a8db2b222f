"""``allow``, ``deny`` and ``approve``: they hold for every tool, and a name that no tool has is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic_ai import Agent as OwnAgent
from pydantic_ai import FunctionToolset
from pydantic_ai.capabilities import NativeTool, WebSearch
from pydantic_ai.native_tools import CodeExecutionTool, WebSearchTool
from pydantic_ai.toolsets import ExternalToolset

from smithers_nb import Agent, Claude, call_tool, scripted
from tests.agents.conftest import model_at
from tests.agents.fake_replies import say
from tests.agents.test_mcp import SERVER, served


def read_file(path: str) -> str:
    return f"what is in {path}"


def write_file(path: str) -> str:
    return f"written {path}"


def toolset() -> Any:
    return FunctionToolset([read_file]).prefixed("my").filtered(lambda ctx, tool: True)


NATIVE: dict[str, Any] = {
    "claude": lambda model: Claude(id="c", model=model, tools=[WebSearchTool(), read_file], deny=["*"]),
    "a capability of claude": lambda model: Claude(id="c", model=model, tools=[WebSearch()], deny=["*"]),
    "an agent": lambda model: Agent(
        id="c", agent=OwnAgent(model, tools=[read_file], capabilities=[NativeTool(WebSearchTool())]), deny=["*"]
    ),
    "an agent that allows another": lambda model: Agent(
        id="c", agent=OwnAgent(model, tools=[read_file], capabilities=[NativeTool(WebSearchTool())]), allow=["read_*"]
    ),
}


@pytest.mark.parametrize("api", ["anthropic", "responses"])
@pytest.mark.parametrize("node", NATIVE.values(), ids=NATIVE)
def test_a_native_tool_is_denied_like_others(node: Any, api: str, provider: Any, run_of: Any) -> None:
    server = provider(say("done"))
    assert run_of(node(model_at(server, api))["hi"]).run_sync().status == "finished"
    assert "web_search" not in str(server.requests[0].asked.body.get("tools"))


MISSPELT: dict[str, tuple[dict[str, Any], str]] = {
    "deny": ({"deny": ["raed_file"]}, "Did you mean 'read_file'?"),
    "allow": ({"allow": ["read_file", "wirte_file"]}, "Did you mean 'write_file'?"),
    "approve": ({"approve": ["write"]}, "'write'"),
    "far from all": ({"deny": ["zzz"]}, "Its tools are read_file, write_file"),
    "no tools": ({"deny": ["zzz"], "tools": []}, "It has no tools"),
    "without the prefix": ({"deny": ["read_file"], "tools": [toolset()]}, "Did you mean 'my_read_file'?"),
    "a native tool": ({"deny": ["web_serach"], "tools": [WebSearchTool()]}, "Did you mean 'web_search'?"),
    "a native tool that is not there": ({"deny": ["web_search"], "tools": [CodeExecutionTool()]}, "code_execution"),
    "external tools": ({"deny": ["x"], "tools": [ExternalToolset([])]}, "It has no tools"),
}


# The native tools of an agent are known at its first request only.
MISSPELT_OF_AGENTS = [name for name in MISSPELT if "native" not in name]
OWNERS = [*((name, "claude") for name in MISSPELT), *((name, "agent") for name in MISSPELT_OF_AGENTS)]


@pytest.mark.parametrize(("case", "whose"), OWNERS)
def test_a_name_that_no_tool_has_is_told_at_mount_with_the_nearest(case: str, whose: str, run_of: Any) -> None:
    props, words = dict(MISSPELT[case][0]), MISSPELT[case][1]
    model, tools = scripted("never"), props.pop("tools", [read_file, write_file])
    if whose == "claude":
        app: Any = Claude(id="c", model=model, tools=tools, **props)["hi"]
    else:
        sets = [tool for tool in tools if hasattr(tool, "get_tools")]
        functions = [tool for tool in tools if callable(tool)]
        own: Any = OwnAgent("openai:gpt-5", tools=functions, toolsets=sets, defer_model_check=True)
        app = Agent(id="c", agent=own, **props)["hi"]
    ex = run_of(app, models={"openai:gpt-5": model})
    [problem] = ex.step_sync().problems
    assert problem.kind == "AgentConfigError" and words in problem.message and next(iter(props)) in problem.message
    assert ex.run_sync().status == "failed" and model.calls == []


RIGHT: dict[str, dict[str, Any]] = {
    "names": {"allow": ["read_file", "write_file"], "deny": ["write_file"], "approve": ["write_file"]},
    "patterns that match nothing": {"deny": ["delete_*", "x?"], "approve": ["[ab]*"]},
    "all": {"deny": ["*"], "approve": True},
    "a prefixed name": {"deny": ["my_read_file"], "tools": [toolset()]},
    "a renamed one": {"deny": ["b"], "tools": [FunctionToolset([read_file]).renamed({"b": "read_file"})]},
    "a native kind": {"deny": ["web_search"], "tools": [WebSearchTool()]},
    "what a function makes": {"deny": ["x"], "tools": [lambda ctx: None]},
    "an output tool": {"allow": ["final_result"], "output_type": dict[str, int]},
}


@pytest.mark.parametrize("props", RIGHT.values(), ids=RIGHT)
def test_a_name_that_a_tool_has_and_a_pattern_are_no_problem(props: dict[str, Any], run_of: Any) -> None:
    props = {"tools": [read_file, write_file]} | props
    if "x" in props.get("deny", []):
        own: Any = OwnAgent("openai:gpt-5", defer_model_check=True)
        own.toolset(lambda ctx: None)
        app: Any = Agent(id="c", agent=own, deny=["x"])["hi"]
    else:
        reply: Any = {"response": {"a": 1}} if "output_type" in props else "done"
        app = Claude(id="c", model=scripted(reply), **props)["hi"]
    ex = run_of(app, models={"openai:gpt-5": scripted("done")})
    assert ex.step_sync().problems == ()
    assert ex.run_sync().status == "finished", ex.df.tasks.error[0]


@pytest.mark.parametrize("whose", ["claude", "agent"])
def test_the_tools_of_a_server_are_looked_at_once_it_is_connected(whose: str, run_of: Any, tmp_path: Path) -> None:
    for deny, words in (["raed_file"], "Did you mean 'read_file'?"), (["read_file"], ""):
        model = scripted(call_tool("write_file", path="a", text="b"), "done")
        app: Any = Claude(id="c", model=model, tools=[served(SERVER, tmp_path / "log")], deny=deny)["hi"]
        if whose == "agent":
            own: Any = OwnAgent("openai:gpt-5", toolsets=[served(SERVER, tmp_path / "log")], defer_model_check=True)
            app = Agent(id="c", agent=own, deny=deny)["hi"]
        ex = run_of(app, models={"openai:gpt-5": model}, name=str(deny))
        assert ex.step_sync().problems == ()
        assert ex.run_sync().status == ("failed" if words else "finished")
        if words:
            assert "AgentConfigError" in ex.df.tasks.error[0] and words in ex.df.tasks.error[0]
            assert (model.calls, len(ex.df.model_calls)) == ([], 0)


def test_the_native_tools_of_an_agent_are_looked_at_before_its_first_request(provider: Any, run_of: Any) -> None:
    server = provider(say("done"))
    own: Any = OwnAgent(model_at(server), capabilities=[NativeTool(WebSearchTool())])
    ex = run_of(Agent(id="c", agent=own, deny=["web_serach"])["hi"])
    assert ex.run_sync().status == "failed"
    assert "Did you mean 'web_search'?" in ex.df.tasks.error[0] and server.requests == []
