"""The turns of an agent: a turn is a request to its model and what follows from the answer."""

from __future__ import annotations

from ..records import ModelCall
from .runner import Past


class Turns:
    """The turn that an agent is at, over all its runs, and the last turn that was answered."""

    def __init__(self, past: Past) -> None:
        self.now = past.turn
        """The number of the turn; 0 before the first."""
        self.answered: Past | None = None
        if past.turn:
            self.answered = past
        """The last turn that was answered: the agent continues from there after an interruption."""
        self.repeating = False
        """True while an answer from the past is given once more: nothing of it is recorded again."""
        self._before = 0
        """The number of turns before the first of this run of the agent."""
        self.reused = {} if past.reused_id is None else {past.turn: past.reused_id}
        """The ids of the rows that turns were answered from, by turn."""

    def begin(self) -> None:
        """Begin a run of the agent: the answered turn is given to the library once more, as the first of this run."""
        self.repeating = self.answered is not None
        self._before = self.answered.turn - 1 if self.answered else 0

    def is_past_answers(self, step: int) -> bool:
        """Return True if a request, the ``step``-th of this run of the agent, comes after all that was answered:
        then the tool calls of the last answer are over.
        """
        return self.answered is not None and self._before + step > self.answered.turn

    def next(self, step: int) -> str | None:
        """Begin the turn of the ``step``-th request of this run of the agent; return its answer if it has one."""
        self.now = self._before + step
        # After an interruption the library asks for the last turn again, to call its tools: it was paid for already.
        if self.repeating and self.is_answered and self.answered:
            return self.answered.response
        self.repeating = False
        return None

    @property
    def is_answered(self) -> bool:
        """Whether this turn has an answer."""
        return self.answered is not None and self.answered.turn == self.now

    def answer(self, call: ModelCall) -> None:
        """Take the answer of a request as that of its turn."""
        history = call.messages if call.history is None else call.history
        self.answered = Past(call.turn, f"[{','.join(history)}]", call.response or "", attempt=call.attempt)
