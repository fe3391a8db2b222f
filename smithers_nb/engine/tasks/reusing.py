"""The answers that a branch takes from the file: what it may reuse, and which ones it has been given."""

from __future__ import annotations

import json

from ...records import Answer, Question, Reuse, ReusedAnswer, ToolCall
from ...records.question import ORPHAN
from ...store.reader import Reader
from ...store.reuse import Family
from ...threads import called


class Reusing:
    """What a branch and its children reuse, in this process."""

    def __init__(self, path: str, execution_id: str, reuse: Reuse) -> None:
        self.reuse = reuse
        self._path = path
        self._execution_id = execution_id
        self._family: Family | None = None
        # Agents that ask the same at the same time are given different answers: the file says it only afterwards.
        self._taken: set[int | str] = set()

    async def answer(self, same: str, node_id: str) -> ReusedAnswer | None:
        """Return the next recorded answer to a request; None if there is none, or answers are not reused."""
        if "agents" not in self.reuse.kinds:
            return None
        for id in await called(self._known.answers, same, node_id):
            if id not in self._taken:
                self._taken.add(id)
                return await called(self._known.answer, id)
        return None

    async def tool_call(self, reused_id: int, tool_call_id: str) -> ToolCall | None:
        """Return the recorded call of a tool that a reused answer asked for; None if its result is not reused."""
        if "tools" not in self.reuse.kinds:
            return None
        return await called(self._known.tool_call, reused_id, tool_call_id)

    async def decision(self, question: Question) -> Answer | None:
        """Return the answer that people gave to the same question; None if it is not reused."""
        # Whether a task that was cut off runs again is a question about this process, not about the work.
        if "approvals" not in self.reuse.kinds or question.kind == ORPHAN:
            return None
        options = json.dumps(question.options, ensure_ascii=False)
        for found in await called(self._known.decisions, question, options):
            if found.reused_from is not None and found.reused_from not in self._taken:
                self._taken.add(found.reused_from)
                return found
        return None

    @property
    def _known(self) -> Family:
        # Only when an answer is wanted: a branch without agents reads nothing.
        if self._family is None:
            self._family = Family(Reader(self._path), self._execution_id)
        return self._family
