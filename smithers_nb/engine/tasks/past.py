"""The past of an agent, read from the store: where it continues, and what a replay answers it from."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from ...agents.runner import Past, RecordedAgent, Spent
from ...records import ModelCall
from ...store.reader import Reader
from ...store.requests import Base, base_of

CALLED = ("running", "ok", "retry", "failed", "raised", "interrupted")
"""Statuses of tool calls that were made; the others were refused, or wait."""


def spent_by(reader: Reader, execution_id: str, task_id: str) -> Spent:
    """Return the usage of a task's agent, from the store."""
    return recorded_past(reader, execution_id, task_id)[0].spent


def recorded_agent(reader: Reader, execution_id: str, task_id: str, complete: bool) -> RecordedAgent:
    """Return the recording from which a replay answers an agent."""
    requests = reader.model_calls(execution_id, task_id)
    tools = reader.tool_calls(execution_id, task_id)
    waiting = {call.tool_call_id for call in tools if call.status == "waiting"}
    # While one of its questions was open, the agent had not continued with the answers to the others: a replay that
    # gave them would go further than the recording.
    decisions = [one for one in reader.decisions(execution_id, task_id) if one.tool_call_id not in waiting]
    return RecordedAgent(requests, tools, decisions, complete)


def recorded_past(reader: Reader, execution_id: str, task_id: str) -> tuple[Past, Base | None]:
    """Return the progress of a task's agent, and its last request, which the next one is stored against."""
    spent = Spent()
    past = Past()
    inner: list[ModelCall] = []
    failed: Counter[tuple[str, str]] = Counter()
    last: ModelCall | None = None
    for call in reader.model_calls(execution_id, task_id):
        if call.status != "running":
            spent.add(call)
        if call.agent is not None:
            if call.response is not None:
                inner.append(call)
            continue
        last = call
        if call.response is not None:
            history = call.messages if call.history is None else call.history
            past = Past(call.turn, f"[{','.join(history)}]", call.accepted or call.response, attempt=call.attempt)
            past = replace(past, reused_id=call.reused_id)
            failed.clear()
        else:
            # Only the attempts of the turn that comes next count: earlier ones led to an answer. A fallback that fails
            # has failed with each of its models, and counts once.
            failed[call.provider, call.model] += call.status == "failed"
            past = replace(past, attempts=past.attempts + 1, failures=max(failed.values()))
    calls = reader.tool_calls(execution_id, task_id)
    # A call that was made again in a later attempt has a row for each; the last one holds.
    tools = {call.tool_call_id: call for call in calls if call.agent is None}
    spent.tool_calls = sum(1 for call in calls if call.status in CALLED and call.reused_id is None)
    spent.seconds = reader.busy_s(execution_id, task_id=task_id)
    decisions = reader.decisions(execution_id, task_id)
    base = None if last is None or last.id is None else base_of(last, last.id)
    # Only those of the last turn: the tools of earlier ones are not called again.
    inner = [call for call in inner if call.turn == past.turn]
    inner_tools = [call for call in calls if call.agent is not None and call.turn == past.turn]
    past = replace(past, decisions=decisions, tools=tools, inner=inner, inner_tools=inner_tools, spent=spent)
    return past, base
