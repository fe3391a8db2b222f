"""The progress of an agent, from the rows of its requests and tool calls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from ..records import ModelCall, ToolCall
from .runner import Past

CALLED = ("running", "ok", "retry", "failed", "raised", "interrupted")
"""Statuses of tool calls that were made; the others were refused, or wait."""


def progress(past: Past, requests: Iterable[ModelCall], calls: list[ToolCall]) -> Past:
    """Return the progress of an agent that has made these requests and tool calls, oldest first, after ``past``."""
    spent = replace(past.spent)
    inner = list(past.inner)
    before, failed = past.failures, Counter[tuple[str, str]]()
    for call in requests:
        if call.status != "running":
            spent.add(call)
        if call.agent is not None:
            if call.response is not None:
                inner.append(call)
        elif call.response is not None:
            history = call.messages if call.history is None else call.history
            past = replace(
                past,
                turn=call.turn,
                request=f"[{','.join(history)}]",
                response=call.accepted or call.response,
                attempt=call.attempt,
                attempts=0,
                failures=0,
                reused_id=call.reused_id,
            )
            before = 0
            failed.clear()
        else:
            # Only the attempts of the turn that comes next count: earlier ones led to an answer. A fallback that fails
            # has failed with each of its models, and counts once.
            failed[call.provider, call.model] += call.status == "failed"
            past = replace(past, attempts=past.attempts + 1, failures=before + max(failed.values()))
    spent.tool_calls += sum(1 for call in calls if call.status in CALLED and call.reused_id is None)
    # A call that was made again in a later attempt has a row for each; the last one holds.
    tools = {**past.tools, **{call.tool_call_id: call for call in calls if call.agent is None}}
    # Only those of the last turn: the tools of earlier ones are not called again.
    inner = [call for call in inner if call.turn == past.turn]
    inner_tools = [call for call in (*past.inner_tools, *calls) if call.agent is not None and call.turn == past.turn]
    return replace(past, tools=tools, inner=inner, inner_tools=inner_tools, spent=spent)
