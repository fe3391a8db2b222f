"""The past of an agent, read from the store: where it continues, and what a replay answers it from."""

from __future__ import annotations

from dataclasses import replace

from ...agents.progress import progress
from ...agents.runner import Past, RecordedAgent, Spent
from ...store.reader import Reader
from ...store.requests import Base, base_of


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
    requests = reader.model_calls(execution_id, task_id)
    past = progress(Past(), requests, reader.tool_calls(execution_id, task_id))
    past.spent.seconds = reader.busy_s(execution_id, task_id=task_id)
    own = [call for call in requests if call.agent is None]
    base = None
    if own and own[-1].id is not None:
        base = base_of(own[-1], own[-1].id)
    return replace(past, decisions=reader.decisions(execution_id, task_id)), base
