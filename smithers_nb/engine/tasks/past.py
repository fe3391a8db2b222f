"""What the store says that an agent has done: where it continues, and what a replay answers it from."""

from __future__ import annotations

from dataclasses import replace

from ...agents.runner import Past, RecordedAgent, Spent
from ...store.reader import Reader

CUT = ("it was cancelled",)
"""What is said of a request that did not fail."""
CALLED = ("running", "ok", "retry", "failed", "raised", "interrupted")


def spent_by(reader: Reader, execution_id: str, task_id: str) -> Spent:
    """Return what the agent of a task had used, from the store."""
    return recorded_past(reader, execution_id, task_id).spent


def recorded_agent(reader: Reader, execution_id: str, task_id: str, complete: bool) -> RecordedAgent:
    """Return what a replay answers an agent from."""
    requests = reader.model_calls(execution_id, task_id)
    tools = reader.tool_calls(execution_id, task_id)
    waiting = {call.tool_call_id for call in tools if call.status == "waiting"}
    # An agent whose other questions were open had not gone on with what was answered.
    decisions = [one for one in reader.decisions(execution_id, task_id) if one.tool_call_id not in waiting]
    return RecordedAgent(requests, tools, decisions, complete)


def recorded_past(reader: Reader, execution_id: str, task_id: str) -> Past:
    """Return how far the agent of a task came."""
    spent = Spent()
    past = Past()
    failures = 0
    for call in reader.model_calls(execution_id, task_id):
        spent.add(call)
        if call.response is None:
            failures += call.error not in CUT
        else:
            failures = 0
            past = Past(call.turn, call.request, call.response)
    tools = {call.tool_call_id: call for call in reader.tool_calls(execution_id, task_id)}
    spent.tool_calls = sum(1 for call in tools.values() if call.status in CALLED)
    spent.seconds = reader.busy_s(execution_id, task_id)
    decisions = reader.decisions(execution_id, task_id)
    return replace(past, failures=failures, decisions=decisions, tools=tools, spent=spent)
