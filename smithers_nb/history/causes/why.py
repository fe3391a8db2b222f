"""``why``: from a fact to its causes, and from these to theirs, down to the roots."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ...records import Statement
from ..recorded import RecordedSource
from .book import book_of
from .ends import stands
from .explanation import Explanation
from .facts import (
    Called,
    ComponentIn,
    FrameMade,
    Matter,
    NodeAt,
    NodeGone,
    NotFired,
    PropAt,
    Ran,
    Stands,
    TaskBegan,
    TaskEnded,
    TaskStands,
    Told,
    ToolRan,
    ValueAt,
    Written,
)
from .frames import frame_made
from .idle import handler_idle
from .plan import component_in, node_at, node_gone, prop_at
from .targets import Target, facts_of
from .tasks import task_began, task_ended, task_stands
from .tools import tool_ran
from .values import called, ran, value_at, written

ROUNDS = 5
"""The number of times that a chain may come to the same subject: an effect that counts has a cause for each number."""
MOST = 200
"""The most sentences of an answer."""
AND_SO_ON = "; and so on, the same way each time before"
"""The end of a sentence whose causes are folded: a chain has come to the same subject often enough."""

EXPLAINED: dict[type[Matter], Callable[[Any], Told]] = {  # Any: the fact of its key
    ValueAt: value_at,
    Written: written,
    Called: called,
    NotFired: handler_idle,
    Ran: ran,
    NodeAt: node_at,
    NodeGone: node_gone,
    PropAt: prop_at,
    ComponentIn: component_in,
    TaskBegan: task_began,
    TaskEnded: task_ended,
    TaskStands: task_stands,
    ToolRan: tool_ran,
    FrameMade: frame_made,
    Stands: stands,
}
"""The function that tells a fact, by its class."""


@dataclass(frozen=True, repr=False)
class Why(Explanation):
    """The chain from an effect back to its roots: a person, the first state, an answer, a file, the code."""


def why(source: RecordedSource, asked: Target = None, frame: int | None = None) -> Why:
    """Return why something is as it is: a value, node, prop, task, call, write, frame, or the execution itself.

    Raises:
        StoreError: if there is nothing of this name, or no such frame.
    """
    # One connection for all queries: an answer takes dozens, and SQLite reads the schema with each new one.
    with source.together():
        return Why(question_of("why", asked, frame), chain_of(asked_about(source, asked, frame), source.told))


def asked_about(source: RecordedSource, asked: Target, frame: int | None) -> list[Matter]:
    """Return the facts that a question is about, as ``why`` tells them.

    Raises:
        StoreError: if there is nothing of this name, or no such frame.
    """
    return facts_of(book_of(source), asked, frame)


def chain_of(facts: Sequence[Matter | Told], told: dict[Any, Any] | None = None) -> tuple[Statement, ...]:
    """Return facts in words, each followed by its causes, one deeper; ``told`` keeps the words of each fact."""
    return tuple(_Chain({} if told is None else told).told(facts))


def in_words(fact: Matter | Told, told: dict[Any, Any]) -> Told:
    """Return a fact in words; ``told`` keeps the words of each fact."""
    if isinstance(fact, Told):
        return fact
    known: Told | None = told.get(fact)
    if known is None:
        known = told[fact] = EXPLAINED[type(fact)](fact)
    return known


def question_of(word: str, asked: Target, frame: int | None) -> str:
    """Return a question in words.

    >>> question_of("why", "draft", None), question_of("why not", 3, None), question_of("why", None, 7)
    ('why draft?', 'why not frame 3?', 'why, in frame 7?')
    """
    text = word
    if isinstance(asked, int):
        text += f" frame {asked}"
    elif asked is not None:
        text += f" {asked}"
    if frame is not None:
        text += f", in frame {frame}"
    return f"{text}?"


@dataclass(slots=True)
class _Chain:
    """The statements so far."""

    kept: dict[Any, Any]
    """The words of facts that were told before, by the fact."""
    known: set[Statement] = field(default_factory=set)
    count: int = 0

    def told(self, causes: Sequence[Matter | Told]) -> Iterator[Statement]:
        """Yield the statements of facts, each followed by those of its causes, one deeper."""
        for cause in causes:
            yield from self._tell(cause, 0, ())

    def _tell(self, cause: Matter | Told, depth: int, path: tuple[object, ...]) -> Iterator[Statement]:
        # Cut by number and not by depth: a wide tree is as unreadable as a deep one.
        if self.count >= MOST:
            return
        self.count += 1
        if isinstance(cause, Told):
            yield replace(cause.statement, depth=depth)
            yield from self._below(cause, depth, path)
            return
        told = in_words(cause, self.kept)
        # Only along the path from the question: side by side, the same subject is no round.
        if path.count(cause.subject) >= ROUNDS:
            text = f"{told.statement.text}{AND_SO_ON}"
            yield replace(told.statement, depth=depth, text=text)
            return
        yield replace(told.statement, depth=depth)
        # What was told already is named again, and its causes are not: the reader has them above.
        if told.statement not in self.known:
            self.known.add(told.statement)
            yield from self._below(told, depth, (*path, cause.subject))

    def _below(self, told: Told, depth: int, path: tuple[object, ...]) -> Iterator[Statement]:
        for one in told.causes:
            yield from self._tell(one, depth + 1, path)
