"""MCP servers as tools: a real one, in a process of its own, that speaks on stdio."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from fastmcp.client.transports import StdioTransport
from pydantic_ai import Agent as OwnAgent
from pydantic_ai import FunctionToolset
from pydantic_ai.mcp import MCPToolset
from pydantic_ai.models.test import TestModel

from smithers_nb import Agent, Claude, call_tool, scripted

SERVER = Path(__file__).with_name("mcp_files.py")


def served(*command: object) -> MCPToolset[Any]:
    """Return a server that ends with the agent; its imports may take their time."""
    transport = StdioTransport(sys.executable, [str(word) for word in command], keep_alive=False)
    return MCPToolset(transport, id="files", init_timeout=60)


CALLS = [
    call_tool("read_file", path="a"),
    call_tool("write_file", path="b", text="x"),
    call_tool("break_down", path="c"),
]


def rows(ex: Any) -> dict[str, tuple[str, Any]]:
    return {row["tool"]: (row["status"], row["output"]) for row in ex.df.tool_calls.to_dict("records")}


@pytest.mark.parametrize("whose", ["claude", "agent"])
def test_its_tools_are_called_asked_about_and_denied_like_others(whose: str, run_of: Any, tmp_path: Path) -> None:
    log = tmp_path / "log"
    model, policy = scripted(CALLS, "done"), {"deny": ["break_*"], "approve": ["write_*"]}
    if whose == "claude":
        app: Any = Claude(id="c", model=model, tools=[served(SERVER, log)], **policy)["hi"]
    else:
        own: Any = OwnAgent("openai:gpt-5", toolsets=[served(SERVER, log)], defer_model_check=True)
        app = Agent(id="c", agent=own, **policy)["hi"]
    ex = run_of(app, models={"openai:gpt-5": model})
    assert ex.run_sync().status == "waiting", ex.df.tasks.error[0]
    assert log.read_text().splitlines() == ["read a"]
    assert ex.df.approvals.payload[0] == {"tool": "write_file", "input": {"path": "b", "text": "x"}}
    ex.answer("c", "approve")
    assert ex.run_sync().status == "finished"
    assert log.read_text().splitlines() == ["read a", "write b"], "each once"
    assert rows(ex) == {
        "read_file": ("ok", "what is in a"),
        "write_file": ("ok", {"path": "b", "written": "x"}),
        "break_down": ("denied", None),
    }


def test_a_tool_of_a_server_that_raises_is_told_to_the_model(run_of: Any, tmp_path: Path) -> None:
    model = scripted(CALLS[2], lambda told: f"I was told: {told}")
    ex = run_of(Claude(id="c", model=model, tools=[served(SERVER, tmp_path / "log")])["hi"])
    assert ex.run_sync().status == "finished"
    assert rows(ex) == {"break_down": ("retry", None)}
    assert "break_down" in ex.df.tasks.result[0]


def test_a_server_asks_by_itself(run_of: Any, tmp_path: Path) -> None:
    tools = served(SERVER, tmp_path / "log").approval_required(lambda ctx, tool, args: tool.name == "read_file")
    ex = run_of(Claude(id="c", model=scripted(CALLS[0], "done"), tools=[tools])["hi"])
    assert ex.run_sync().status == "waiting"
    ex.answer("c", "deny", "no")
    assert ex.run_sync().status == "finished"
    assert rows(ex) == {"read_file": ("denied", None)}


BROKEN: dict[str, tuple[Any, str]] = {
    "a process that ends at once": (
        lambda: served("-c", "raise SystemExit(3)"),
        "MCPToolset files of c can't be started",
    ),
    "no such command": (lambda: MCPToolset(StdioTransport("no-such-command", [])), "no-such-command"),
    "nobody at the address": (lambda: MCPToolset("http://127.0.0.1:9/mcp"), "Client failed to connect"),
}


@pytest.mark.parametrize(("tools", "words"), BROKEN.values(), ids=BROKEN)
def test_a_server_that_does_not_start_fails_the_agent_and_nothing_is_asked(tools: Any, words: str, run_of: Any) -> None:
    model = scripted("never")
    ex = run_of(Claude(id="c", model=model, tools=[tools()])["hi"])
    assert ex.run_sync().status == "failed"
    error = ex.df.tasks.error[0]
    assert words in error and "run it by hand" in error and "ex.retry('c')" in error
    assert "Traceback" not in error and " at 0x" not in error
    assert (model.calls, len(ex.df.model_calls)) == ([], 0)


def test_without_the_package_the_command_that_installs_it_is_named(python: Any) -> None:
    found = python("import sys; sys.modules['fastmcp'] = None; import pydantic_ai.mcp")
    assert 'pip install "pydantic-ai-slim[mcp]"' in found.stderr


def test_a_replay_starts_no_server(run_of: Any, tmp_path: Path) -> None:
    log = tmp_path / "log"
    transport = StdioTransport(sys.executable, [str(SERVER), str(log)], keep_alive=False)
    model = scripted([CALLS[0], CALLS[2], call_tool("add", a=1, b=2)], "done")
    ex = run_of(Claude(id="c", model=model, tools=[MCPToolset(transport, init_timeout=60), add])["hi"])
    assert ex.run_sync().status == "finished"
    before = log.read_text()
    transport.command = "/there/is/none"
    replay = ex.replay()
    assert replay.same, replay
    assert log.read_text() == before
    assert list(replay.history.df.tool_calls.status) == ["ok", "retry", "ok"]


def test_a_replay_knows_the_names_that_wrappers_give(run_of: Any, tmp_path: Path) -> None:
    log = tmp_path / "log"
    ours: Any = FunctionToolset([add]).prefixed("my")
    theirs: Any = served(SERVER, log).prefixed("disk").filtered(lambda ctx, tool: "break" not in tool.name)
    model = scripted([call_tool("disk_read_file", path="a"), call_tool("my_add", a=1, b=2)], "done")
    ex = run_of(Claude(id="c", model=model, tools=[ours, theirs])["hi"])
    assert ex.run_sync().status == "finished"
    before = log.read_text()
    replay = ex.replay()
    assert replay.same, replay
    assert log.read_text() == before
    assert list(replay.history.df.tool_calls.tool) == ["disk_read_file", "my_add"]


def add(a: int, b: int) -> int:
    return a + b


def test_a_server_that_a_cell_has_started_is_refused_until_the_cell_has_left_it(tmp_path: Path, run_of: Any) -> None:
    (tmp_path / "a").write_text("A")
    agent = OwnAgent(TestModel(call_tools=[]), toolsets=[served(SERVER, tmp_path)])
    failed: list[Any] = []

    def node() -> Any:
        return run_of(Agent(id="a", agent=agent, on_error=failed.append)["go"])

    async def cell() -> None:
        async with agent:
            await asyncio.to_thread(node().run_sync)

    asyncio.run(cell())
    assert "started on another event loop" in failed[0].error and "Leave that block first" in failed[0].error
    assert node().run_sync().status == "finished" and len(failed) == 1


DYING = Path(__file__).with_name("mcp_dying.py")


def kill(pid: Any) -> str:
    """Kill the server's process, and wait until its end is known."""
    os.kill(int(pid), signal.SIGKILL)
    time.sleep(0.5)
    return "killed"


@pytest.mark.parametrize("keep_alive", [False, True])
@pytest.mark.parametrize("cached", [False, True])
def test_a_server_that_was_killed_is_started_again_for_the_next_call(
    keep_alive: bool, cached: bool, run_of: Any, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    transport = StdioTransport(sys.executable, [str(DYING), str(log)], keep_alive=keep_alive)
    tools: list[Any] = [MCPToolset(transport, id="dying", init_timeout=60, cache_tools=cached)]

    def stop() -> str:
        return kill(log.read_text().split()[1])

    model = scripted(call_tool("read_file", path="a"), call_tool("stop"), call_tool("read_file", path="b"), "done")
    ex = run_of(Claude(id="c", model=model, tools=[*tools, stop])["hi"])
    assert ex.run_sync().status == "finished", ex.df.tasks.error[0]
    rows = ex.df.tool_calls
    assert list(rows.status) == ["ok", "ok", "ok"] and list(rows.output)[2] == "what is in b"
    started = [line.split()[0] for line in log.read_text().splitlines()]
    assert started == ["start", "read", "start", "read"]
    gone = [int(line.split()[1]) for line in log.read_text().splitlines() if line.startswith("start")][-1]
    if not keep_alive:
        with pytest.raises(ProcessLookupError):
            os.kill(gone, 0)


def test_a_call_during_which_a_server_dies_is_not_made_twice(run_of: Any, tmp_path: Path) -> None:
    """It may have done its work. The model is told, and the next call finds a server."""
    log, told = tmp_path / "log", []
    model = scripted(
        call_tool("read_file", path="a"),
        call_tool("die", path="b"),
        lambda words: told.append(words) or call_tool("read_file", path="c"),
        "done",
    )
    ex = run_of(Claude(id="c", model=model, tools=[served(DYING, log)])["hi"])
    assert ex.run_sync().status == "finished", ex.df.tasks.error[0]
    assert list(ex.df.tool_calls.status) == ["ok", "retry", "ok"]
    assert [line.split()[0] for line in log.read_text().splitlines()] == ["start", "read", "die", "start", "read"]
    assert "Connection closed" in told[0]


def test_a_server_that_dies_each_time_is_started_again_once(run_of: Any, tmp_path: Path) -> None:
    log = tmp_path / "log"
    model = scripted(*[call_tool("die", path=str(n)) for n in range(5)])
    ex = run_of(Claude(id="c", model=model, tools=[served(DYING, log)])["hi"])
    assert ex.run_sync().status == "failed"
    assert [line.split()[0] for line in log.read_text().splitlines()].count("start") <= 2


def test_a_server_that_can_not_be_started_again_is_named(run_of: Any, tmp_path: Path) -> None:
    log = tmp_path / "log"
    transport = StdioTransport(sys.executable, [str(DYING), str(log)], keep_alive=False)

    def stop() -> str:
        transport.args = ["-c", "raise SystemExit(3)"]
        return kill(log.read_text().split()[1])

    model = scripted(call_tool("stop"), call_tool("read_file", path="b"), "never")
    tools = [MCPToolset(transport, id="dying", init_timeout=60), stop]
    ex = run_of(Claude(id="c", model=model, tools=tools)["hi"])
    assert ex.run_sync().status == "failed"
    assert "MCPToolset dying of c can't be started" in ex.df.tasks.error[0] and "ex.retry('c')" in ex.df.tasks.error[0]
