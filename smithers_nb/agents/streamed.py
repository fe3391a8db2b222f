"""The stream of an agent: its pieces as they are recorded, and its output as far as it has come."""

from __future__ import annotations

from typing import Any

from ..errors import clean
from .partial import PartialAnswer
from .request_log import RequestLog
from .runner import AgentTask, Ledger
from .tool_calls import ToolCalls
from .turns import Turns


class Streamed:
    """Records the events of pydantic-ai's stream, unless they are of an answer that is given once more."""

    def __init__(self, task: AgentTask, ledger: Ledger, turns: Turns, log: RequestLog, *, tools: ToolCalls) -> None:
        self._reports = task.reports
        self._ledger = ledger
        self._turns = turns
        self._log = log
        self._tools = tools
        self._partial: PartialAnswer | None = None
        """The output that streams, for a node that listens to it."""
        self._attempt = 0
        """The attempt that it is of."""

    def begin(self, outputs: list[str], structured: bool) -> None:
        """Begin a turn. The model gives its output by these tools; with ``structured`` as JSON in its text."""
        if self._reports:
            self._partial = PartialAnswer(outputs, structured)

    def hear(self, event: Any) -> None:  # Any: an event of pydantic-ai's, which is not imported here
        """Record what an event says."""
        kind = event.event_kind
        if kind == "part_delta":
            delta = event.delta
            self._said(delta.part_delta_kind, getattr(delta, "content_delta", None))
            if (partial := self._of_this_attempt()) is not None:
                self._extend(partial, event)
        elif kind == "part_start":
            part = event.part
            self._said(part.part_kind, getattr(part, "content", None))
            if (partial := self._of_this_attempt()) is not None:
                self._begin(partial, event)
        elif kind == "function_tool_call" and event.part.tool_call_id not in self._tools.begun:
            part = event.part
            self._piece("tool_start", {"id": part.tool_call_id, "tool": part.tool_name, "input": part.args})
        elif kind == "function_tool_result" and event.part.tool_call_id not in self._tools.known:
            part = event.part
            self._piece("tool_end", {"id": part.tool_call_id, "tool": part.tool_name, "outcome": part.outcome})

    def _said(self, kind: str, text: Any) -> None:  # Any: the content of a part, which may be an object
        name = _KINDS.get(kind)
        if name is not None and text and not self._turns.repeating:
            self._piece(name, clean(text))

    def _piece(self, kind: str, payload: object) -> None:
        self._ledger.piece(self._turns.now, max(1, self._log.attempt), kind, payload)

    def _of_this_attempt(self) -> PartialAnswer | None:
        """Return what has come of the output, without the parts of an attempt that was cut off."""
        if self._partial is not None and self._attempt != self._log.attempt:
            self._partial, self._attempt = self._partial.again(), self._log.attempt
        return self._partial

    def _extend(self, answer: PartialAnswer, event: Any) -> None:
        if self._turns.repeating:
            return
        delta = event.delta
        piece = getattr(delta, "args_delta", None)
        if delta.part_delta_kind == "text":
            piece = delta.content_delta
        answer.extend(event.index, piece)
        self._ledger.progress(answer.value)

    def _begin(self, answer: PartialAnswer, event: Any) -> None:
        part = event.part
        if self._turns.repeating or part.part_kind not in ("text", "tool-call"):
            return
        if part.part_kind == "text":
            answer.begin(event.index, None, part.content)
        else:
            answer.begin(event.index, part.tool_name, part.args)
        self._ledger.progress(answer.value)


_KINDS = {"text": "token", "thinking": "thinking"}
"""The names of pieces by the kind of their part."""
