"""The past of an agent, read from the store: where it continues, and what a replay answers it from."""

from __future__ import annotations

from dataclasses import replace

from ...agents.runner import Past, RecordedAgent, Spent
from ...store.reader import Reader

CUT = ("it was cancelled",)
"""Errors of requests that did not fail: they count as no attempt."""
CALLED = ("running", "ok", "retry", "failed", "raised", "interrupted")
"""Statuses of tool calls that were made; the others were refused, or wait."""


def spent_by(reader: Reader, execution_id: str, task_id: str) -> Spent:
    """Return the usage of a task's agent, from the store."""
    return recorded_past(reader, execution_id, task_id).spent


def recorded_agent(reader: Reader, execution_id: str, task_id: str, complete: bool) -> RecordedAgent:
    """Return the recording from which a replay answers an agent."""
    requests = reader.model_calls(execution_id, task_id)
    tools = reader.tool_calls(execution_id, task_id)
    waiting = {call.tool_call_id for call in tools if call.status == "waiting"}
    # While one of its questions was open, the agent had not continued with the answers to the others: a replay that
    # gave them would go further than the recording.
    decisions = [one for one in reader.decisions(execution_id, task_id) if one.tool_call_id not in waiting]
    return RecordedAgent(requests, tools, decisions, complete)


def recorded_past(reader: Reader, execution_id: str, task_id: str) -> Past:
    """Return the progress of a task's agent."""
    spent = Spent()
    past = Past()
    failures = 0
    for call in reader.model_calls(execution_id, task_id):
        spent.add(call)
        if call.response is None:
            failures += call.error not in CUT
        else:
            # Only the attempts of the turn that comes next count: earlier ones led to an answer.
            failures = 0
            past = Past(call.turn, call.request, call.response)
    # A call that was made again in a later attempt has a row for each; the last one holds.
    tools = {call.tool_call_id: call for call in reader.tool_calls(execution_id, task_id)}
    spent.tool_calls = sum(1 for call in tools.values() if call.status in CALLED)
    spent.seconds = reader.busy_s(execution_id, task_id)
    decisions = reader.decisions(execution_id, task_id)
    return replace(past, failures=failures, decisions=decisions, tools=tools, spent=spent)
