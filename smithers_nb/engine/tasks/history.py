"""Histories of agent nodes: the conversation of a node that another one, or its next run, continues."""

from __future__ import annotations

import json
from collections.abc import Mapping

from ...agents.history import conversation_of, last_exchanges, without_instructions
from ...errors import AgentConfigError, did_you_mean
from ...nodes.runnable import AGENT_TYPES, Agent, Claude
from ...nodes.tree import TreeNode
from ...store.reader import Reader
from ..services import Services
from .past import recorded_past


def history_of(services: Services, node: TreeNode, task_id: str) -> str:
    """Return the messages that a task takes over from the node that ``history`` names, as a JSON list.

    They are those of the last run of that node that succeeded, and none if there is no such run.
    """
    agent = node.node
    assert isinstance(agent, Claude | Agent)  # for the type checker
    if not isinstance(agent.history, str):
        return "[]"
    reader = Reader(services.database.path)
    ran = reader.last_succeeded(services.execution_id, agent.history, task_id)
    if ran is None:
        return "[]"
    past, _ = recorded_past(reader, *ran)
    messages = last_exchanges(conversation_of(past), agent.history_limit)
    return json.dumps(without_instructions(messages), ensure_ascii=False)


def check_history(services: Services, node: TreeNode, index: Mapping[str, TreeNode]) -> None:
    """Check the node that the ``history`` of an agent names.

    Raises:
        AgentConfigError: if it is in neither the plan nor an earlier frame, or is no agent.
    """
    wanted = getattr(node.node, "history", None)
    if not isinstance(wanted, str) or wanted == node.id:
        return
    named = index.get(wanted)
    if named is None and Reader(services.database.path).last_succeeded(services.execution_id, wanted, "") is None:
        known = [one.id for one in index.values() if one.type in AGENT_TYPES]
        raise AgentConfigError(
            f"history={wanted!r} of {node.id} names no node of the plan.{did_you_mean(wanted, known)} It is the id of "
            "an agent node, or a list of pydantic-ai's messages.",
            node_id=node.id,
            source=node.source,
        )
    if named is not None and named.type not in AGENT_TYPES:
        raise AgentConfigError(
            f"history={wanted!r} of {node.id} names a {named.type}, which has no conversation. It is the id of an "
            "agent node, or a list of pydantic-ai's messages.",
            node_id=node.id,
            source=node.source,
        )
