"""The names of an agent's tools, and those in ``allow``, ``deny``, ``approve`` and ``repeat`` that no tool has.

pydantic-ai's toolsets are recognised by their attributes: the library must not be imported for this.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ..errors import AgentConfigError, did_you_mean
from .native_tools import is_native
from .runner import AgentTask

BUILT_IN = frozenset({"ToolSearch", "PendingMessageDrainCapability"})
"""Capabilities that each agent of pydantic-ai has. They bring no tools of the user's."""


@dataclass(slots=True)
class ToolNames:
    """The names of tools, as far as they are known before a request is made."""

    known: set[str] = field(default_factory=set)
    complete: bool = True
    """False if there may be more tools: of an MCP server, which tells them once it is connected, or a capability."""
    settled: bool = True
    """False if the tools may differ from request to request, because a function makes them."""

    def add(self, other: ToolNames, rename: Any = lambda name: name) -> None:
        """Add the names of a part, as they are called here."""
        self.known |= {rename(name) for name in other.known}
        self.complete &= other.complete
        self.settled &= other.settled


def names_of(agent: Any, task: AgentTask) -> ToolNames:
    """Return the names of the tools of an agent, a ``pydantic_ai.Agent``."""
    found = ToolNames()
    for toolset in agent.toolsets:
        found.add(_of_toolset(toolset))
    found.known |= native_names(tool for tool in task.local.tools if is_native(tool))
    # Claude's native tools are capabilities of its agent, too, and known by now.
    native = sum(1 for tool in task.local.tools if is_native(tool))
    theirs = [one for one in agent.root_capability.capabilities if type(one).__name__ not in BUILT_IN]
    found.complete &= len(theirs) == native
    return found


def native_names(tools: Iterable[Any]) -> set[str]:
    """Return the names by which native tools are allowed and denied."""
    return {name for tool in tools for name in (tool.kind, tool.unique_id)}


def _of_toolset(toolset: Any) -> ToolNames:
    # The function may return other tools at each step: none of its names can be called wrong.
    if hasattr(toolset, "toolset_func"):
        return ToolNames(complete=False, settled=False)
    if hasattr(toolset, "toolsets"):
        found = ToolNames()
        for one in toolset.toolsets:
            found.add(_of_toolset(one))
        return found
    if hasattr(toolset, "wrapped"):
        inner, found = _of_toolset(toolset.wrapped), ToolNames()
        new_names = {old: new for new, old in getattr(toolset, "name_map", {}).items()}
        prefix = f"{toolset.prefix}_" if hasattr(toolset, "prefix") else ""
        found.add(inner, lambda name: f"{prefix}{new_names.get(name, name)}")
        return found
    if isinstance(getattr(toolset, "tools", None), dict):
        return ToolNames(set(toolset.tools))
    if isinstance(getattr(toolset, "tool_defs", None), list):
        return ToolNames({one.name for one in toolset.tool_defs})
    # An MCP server, or a class of the user's.
    return ToolNames(complete=False)


def refuse_unknown(task: AgentTask, known: Iterable[str]) -> None:
    """Refuse a name in the node's policy that no tool has: a misspelt ``deny`` would let the tool be called.

    Patterns may match nothing: they are written for many agents.

    Raises:
        AgentConfigError: naming the first, and the nearest tool.
    """
    names = sorted(set(known))
    policy = {"allow": task.allow or [], "deny": task.deny, "approve": task.approve, "repeat": task.repeat}
    for prop, named in policy.items():
        for name in named:
            # The tools by which a model gives its output are there only where it gives it so.
            if name in names or set(name) & set("*?[") or name.startswith("final_result"):
                continue
            there = f" Its tools are {', '.join(names)}." if names else " It has no tools."
            raise AgentConfigError(
                f"{prop} of {task.node_id} names {name!r}, and no tool of it is called so."
                f"{did_you_mean(name, names) or there} A pattern, such as 'read_*', may match nothing.",
                node_id=task.node_id,
                source=task.source,
            )
