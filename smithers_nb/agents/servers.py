"""MCP servers: one that has died is started again for the next call of a tool of its own, and a replay starts none.

Imported, and pydantic-ai with it, only when the first agent begins.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

from pydantic_ai import FunctionToolset, Tool, WrapperToolset

from ..errors import AgentError
from .cassette import Cassette
from .runner import AgentTask

_restarts: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()
"""Locks by client: agents that share a server must not start it twice."""


def is_server(toolset: Any) -> bool:
    """Return True for the toolset of an MCP server."""
    # Not imported for this: the module needs an MCP package, which is there only where a program uses servers.
    servers = sys.modules.get("pydantic_ai.mcp")
    return servers is not None and isinstance(toolset, servers.MCPToolset)


def name_of(toolset: Any) -> str:
    """Return the class of a toolset and its id, if it has one."""
    return f"{type(toolset).__name__} {toolset.id or ''}".strip()


def not_started(toolset: Any, task: AgentTask, error: BaseException) -> AgentError:
    """Return the error for a toolset that does not start."""
    return AgentError(
        f"{name_of(toolset)} of {task.node_id} can't be started: {str(error) or type(error).__name__}. An MCP server's "
        f"command or address has to work from here; run it by hand to see why, then ex.retry({task.node_id!r}).",
        node_id=task.node_id,
        source=task.source,
    )


def kept_alive(toolset: Any, task: AgentTask) -> Any:
    """Return a toolset whose MCP servers are started again when they have died."""
    found: list[Any] = []

    def keep(leaf: Any) -> Any:
        if not is_server(leaf):
            return leaf
        found.append(leaf)
        return _KeptAlive(leaf, task)

    replaced = toolset.visit_and_replace(keep)
    return replaced if found else toolset


@dataclass
class _KeptAlive(WrapperToolset[Any]):
    """A server that is started again once: not a second time before it has answered a call."""

    task: AgentTask
    answers: bool = True
    """True if it has answered since it was started last."""
    holds: bool = False
    """True if it was started again: the session is then this toolset's, and not of those who have entered it."""

    async def __aexit__(self, *error: Any) -> bool | None:
        server: Any = self.wrapped
        # Those who had entered the old session release that one only; the new one would run for ever.
        if self.holds:
            self.holds = False
            await server.client.__aexit__(None, None, None)
        return await super().__aexit__(*error)

    async def get_tools(self, ctx: Any) -> dict[str, Any]:
        server: Any = self.wrapped
        # With a cache the server is not asked, and may stay down until a tool is called.
        if not server.cache_tools:
            await self._start_again()
        return await super().get_tools(ctx)

    async def call_tool(self, name: str, tool_args: dict[str, Any], ctx: Any, tool: Any) -> Any:
        # Before the call only: one during which it dies may have done its work, and is not made twice.
        await self._start_again()
        try:
            return await super().call_tool(name, tool_args, ctx, tool)
        finally:
            self.answers = self.answers or not _has_died(self.wrapped)

    async def _start_again(self) -> None:
        """Start the server if it has died.

        Raises:
            AgentError: if it does not start.
        """
        server: Any = self.wrapped
        if not _has_died(server) or not self.answers:
            return
        async with _restarts.setdefault(id(server.client), asyncio.Lock()):
            if not _has_died(server):
                return
            self.answers = False
            try:
                # Closed first, and not only left: others may hold the dead session, which would be handed out again.
                await server.client.close()
                await server.client.__aenter__()
            except Exception as error:
                # The MCP client and the server's process have errors of their own.
                raise not_started(server, self.task, error) from error
            self.holds = True


def _has_died(server: Any) -> bool:
    """Return True if the connection to a server has ended."""
    # The client says that it is connected until a request fails; only the session's dispatcher knows better.
    state = getattr(server.client, "_session_state", None)
    dispatcher = getattr(getattr(state, "session", None), "_dispatcher", None)
    return bool(getattr(dispatcher, "_closed", False))


def replayed(toolset: Any, cassette: Cassette) -> Any:  # Any: pydantic-ai's toolsets
    """Return what a replay offers for a toolset: tools of the recorded names for MCP servers, none of which is started
    or called.
    """
    found: list[Any] = []

    def leave_out(leaf: Any) -> Any:
        if not is_server(leaf):
            return leaf
        found.append(leaf)
        return FunctionToolset()

    class WithRecorded(WrapperToolset[Any]):
        async def get_tools(self, ctx: Any) -> dict[str, Any]:
            here = await super().get_tools(ctx)
            theirs = [
                Tool.from_schema(
                    dict, name, tool.get("description"), tool.get("parameters_json_schema") or {"type": "object"}
                )
                for name, tool in cassette.tools.items()
                if name not in here
            ]
            return here | await FunctionToolset(theirs).get_tools(ctx)

    rest = toolset.visit_and_replace(leave_out)
    if not found:
        return toolset
    return WithRecorded(rest)
