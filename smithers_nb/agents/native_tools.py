"""Native tools: those that the provider calls itself, while it answers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Literal

from .runner import AgentTask
from .settings import inner_models

if TYPE_CHECKING:
    from pydantic_ai.models import Model
    from pydantic_ai.native_tools import AbstractNativeTool


def is_native(tool: object) -> bool:
    """Return True for a native tool of pydantic-ai's, which must not be imported to tell."""
    return hasattr(tool, "unique_id") and hasattr(tool, "kind")


def withheld(tool: AbstractNativeTool, task: AgentTask) -> bool:
    """Return True if an agent may not use a native tool: it is not offered to the model then."""
    if any(_matches(tool, pattern) for pattern in task.deny):
        return True
    return task.allow is not None and not any(_matches(tool, pattern) for pattern in task.allow)


def unusable(task: AgentTask, model: Model) -> str | None:
    """Return why one of the node's native tools can't be used, in words; None if all can."""
    tools: Iterable[AbstractNativeTool] = [tool for tool in task.local.tools if is_native(tool)]
    for tool in tools:
        if withheld(tool, task):
            continue
        if any(_matches(tool, pattern) for pattern in task.approve):
            return (
                f"{tool.kind} is called by the provider, and no one can be asked about it first. Name the other tools "
                f"in approve, or leave it out with deny=[{tool.kind!r}]"
            )
        for one in inner_models(model):
            known: Any = one.profile.get("supported_native_tools") or ()
            if not tool.optional and not isinstance(tool, tuple(known)):
                names = ", ".join(sorted(kind.kind for kind in known)) or "none"
                return f"model {one.model_name!r} has no {tool.kind}; its native tools are {names}"
    return None


def _matches(tool: AbstractNativeTool, pattern: str) -> bool:
    # Of several servers of one kind, each has an id of its own: "mcp_server:docs".
    return fnmatchcase(tool.kind, pattern) or fnmatchcase(tool.unique_id, pattern)


@dataclass(frozen=True, slots=True)
class NativeCall:
    """A call that the provider made while it answered."""

    tool_call_id: str
    tool: str
    input: str
    """The arguments as JSON."""
    output: str | None
    """The result as JSON; None if the answer has none."""
    status: Literal["ok", "failed"]


def calls_in(response: str) -> Iterator[NativeCall]:
    """Yield the calls in an answer, which is a message as JSON."""
    if '"builtin-tool-call"' not in response:
        return
    parts = json.loads(response)["parts"]
    returned = {part["tool_call_id"]: part for part in parts if part["part_kind"] == "builtin-tool-return"}
    for part in parts:
        if part["part_kind"] != "builtin-tool-call":
            continue
        result = returned.get(part["tool_call_id"], {})
        args, output = part["args"] or {}, None
        if not isinstance(args, str):
            args = json.dumps(args, ensure_ascii=False)
        if "content" in result:
            output = json.dumps(result["content"], ensure_ascii=False)
        status: Literal["ok", "failed"] = "ok"
        if result.get("outcome") == "failed":
            status = "failed"
        yield NativeCall(part["tool_call_id"], part["tool_name"], input=args, output=output, status=status)
