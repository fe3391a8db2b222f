"""The pydantic-ai agents of nodes: the user's own, or made of a node's props."""

from __future__ import annotations

import json
from collections.abc import Iterable
from copy import copy
from typing import TYPE_CHECKING, Any

from ..errors import AgentConfigError, kind_of
from ..user_code import guarded
from .native_tools import is_native
from .runner import AgentTask

if TYPE_CHECKING:
    from pydantic_ai import Agent
    from pydantic_ai.models import Model

MOST = 32
"""The number of agents that are kept."""


class Agents:
    """Makes agents. Those without tools are made once, and copied: that is a hundred times faster than making one."""

    def __init__(self) -> None:
        self._kept: dict[tuple[object, ...], Agent[Any, Any]] = {}

    def agent(self, task: AgentTask, model: Model) -> Agent[Any, Any]:
        """Return the agent of a task.

        Raises:
            AgentConfigError: if the node's agent is no ``pydantic_ai.Agent``, or its tools or output can't be used.
        """
        from pydantic_ai import Agent

        own = task.local.agent
        if own is not None:
            if not isinstance(own, Agent):
                raise AgentConfigError(
                    f"agent of {task.node_id} is {kind_of(own)}; it takes a pydantic_ai.Agent.",
                    node_id=task.node_id,
                    source=task.source,
                )
            return own
        key = _key(task)
        if key is None:
            return _made(task, model)
        if key not in self._kept:
            made = _made(task, model)
            if len(self._kept) >= MOST:
                del self._kept[next(iter(self._kept))]
            self._kept[key] = made
        agent = copy(self._kept[key])
        agent.name, agent.model = task.node_id, model
        return agent


def _key(task: AgentTask) -> tuple[object, ...] | None:
    """Return all that a task's agent is made of besides its name and model; None if that can't be compared."""
    local = task.local
    if local.tools or local.system or not isinstance(local.output_type, type | None):
        return None
    try:
        # Not the dict: 1, 1.0 and True are equal, and not the same to a provider.
        return task.system, local.output_type, json.dumps(task.settings, sort_keys=True)
    except TypeError:
        return None


def _made(task: AgentTask, model: Model) -> Agent[Any, Any]:
    from pydantic_ai import Agent

    local, tools = task.local, _tools_by_kind(task.local.tools)
    settings: Any = dict(task.settings)  # Any: a ModelSettings, whose names ``check`` looks at
    try:
        made: Agent[Any, Any] = guarded(
            Agent,
            model,
            output_type=local.output_type or str,
            instructions=local.system or task.system,
            model_settings=settings,
            tools=tools["tools"],
            toolsets=tools["toolsets"],
            capabilities=tools["capabilities"],
            name=task.node_id,
        )
    except Exception as error:
        # A tool or an output type that no schema can be made of: the library has many errors for it.
        raise AgentConfigError(
            f"the tools or output_type of {task.node_id} can't be used: {error}",
            node_id=task.node_id,
            source=task.source,
        ) from error
    return made


def _tools_by_kind(tools: Iterable[Any]) -> dict[str, list[Any]]:  # Any: functions, and pydantic-ai's objects
    """Return tools as the arguments of pydantic-ai's ``Agent`` that take them."""
    from pydantic_ai.capabilities import NativeTool

    found: dict[str, list[Any]] = {"tools": [], "toolsets": [], "capabilities": []}
    for tool in tools:
        if is_native(tool):
            found["capabilities"].append(NativeTool(tool))
        elif hasattr(tool, "get_native_tools"):
            found["capabilities"].append(tool)
        elif hasattr(tool, "get_tools"):
            found["toolsets"].append(tool)
        else:
            found["tools"].append(tool)
    return found
