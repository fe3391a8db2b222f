"""The policy of a node on the tools of its agent: those that it may call, and those that a person is asked about."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, get_args

from ..errors import AgentConfigError, AgentError, UserCodeError, did_you_mean, said
from ..records import Decision, Repeat
from ..user_code import guarded
from .runner import AgentTask, Past
from .tool_names import ToolNames, refuse_unknown
from .turns import Turns


class ToolPolicy:
    """``allow``, ``deny``, ``approve`` and ``repeat`` of a node, and the decisions of people."""

    def __init__(self, task: AgentTask, turns: Turns) -> None:
        self._task = task
        self._turns = turns
        decisions = (task.recorded or task.past or Past()).decisions
        self._decisions = {(one.turn, one.tool_call_id): one for one in decisions}
        self._unchecked: set[str] | None = None
        """The names of tools that are known until the first request, which has those of servers; None if the names in
        the node's policy are looked at already."""

    def check_with_first_request(self, names: ToolNames) -> None:
        """Let the first request decide about the names in the policy, if the tools are not all known before."""
        if not names.complete and names.settled and self._task.recorded is None:
            self._unchecked = names.known

    def check_names(self, offered: set[str]) -> None:
        """Refuse a name in the policy that no tool has, once all tools are known.

        Raises:
            AgentConfigError: naming the first, and the nearest tool.
        """
        if self._unchecked is not None:
            refuse_unknown(self._task, self._unchecked | offered)
            self._unchecked = None

    def denied(self, tool: str) -> str | None:
        """Return the refusal that the model gets for a tool that it may not call; None if it may."""
        task = self._task
        if any(fnmatchcase(tool, pattern) for pattern in task.deny):
            return f"Denied: this agent may not call {tool}."
        if task.allow is not None and not any(fnmatchcase(tool, pattern) for pattern in task.allow):
            return f"Denied: this agent may call only {', '.join(task.allow) or 'no tool'}."
        return None

    def asked_about(self, tool: str, args: dict[str, Any]) -> dict[str, Any] | None:  # Any: anything storable
        """Return more to show with a tool's call to the person who decides about it; None if the node lets it pass."""
        task = self._task
        if any(fnmatchcase(tool, pattern) for pattern in task.approve):
            return {}
        approve = task.local.approve
        if approve is None:
            return None
        try:
            found = guarded(approve, tool, args)
        except UserCodeError as error:
            raise AgentError(
                f"approve= of {task.node_id} raised {said(error.raised)} when it was asked about {tool}.",
                node_id=task.node_id,
                source=task.source,
            ) from error.raised
        if not found:
            return None
        if isinstance(found, dict):
            return found
        return {}

    def decision(self, tool_call_id: str) -> Decision | None:
        """Return the decision about a call of this turn."""
        return self._decisions.get((self._turns.now, tool_call_id))

    def result_of_another(self, tool_call_id: str) -> Decision | None:
        """Return the decision about a call of this turn if that brings the result of a call made elsewhere."""
        found = self.decision(tool_call_id)
        return found if found is not None and found.external else None

    def repeat(self, tool: str, metadata: Mapping[str, Any] | None) -> Repeat:  # Any: the user's
        """Return the treatment of a repeated call of a tool: by the node's ``repeat``, else by the tool's metadata.

        Raises:
            AgentConfigError: for a ``repeat`` in the metadata that there is not.
        """
        for pattern, repeat in self._task.repeat.items():
            if fnmatchcase(tool, pattern):
                return repeat
        wanted = (metadata or {}).get("repeat", "run")
        if wanted not in get_args(Repeat):
            raise AgentConfigError(
                f"tool {tool} of {self._task.node_id} has {wanted!r:.60} as 'repeat' in its metadata, which is none of "
                f"{', '.join(get_args(Repeat))}.{did_you_mean(str(wanted), get_args(Repeat))}",
                node_id=self._task.node_id,
                source=self._task.source,
            )
        found: Repeat = wanted
        return found

    def refused(self, tool_call_id: str) -> str | None:
        """Return the refusal that the model gets for a call that a person denied; None if no one did."""
        found = self.decision(tool_call_id)
        if found is None or found.approved or found.external:
            return None
        return found.comment or "Denied by a person."
