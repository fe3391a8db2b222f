"""Why something is as it is, why it is not there, and the edit of the state that would bring it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Protocol, TypeVar

from ...errors import StoreError
from ...nodes.names import name_of
from ...nodes.schedule import RUNNABLE
from ...nodes.tree import TreeNode
from ...records import Ghosts, Statement
from ...records.words import short
from ...store.origins import Origins
from ...store.prune import refuse_missing
from ..causes.book import book_of
from ..causes.facts import Matter, Told
from ..causes.targets import EVENTS
from ..causes.why import asked_about, chain_of, question_of
from ..causes.why_not import in_the_way_of
from ..cursor import Cursor
from ..recorded import RecordedSource
from . import protocol as p

STATEMENTS = 200
"""The most sentences of an answer in one message."""
TEXT = 2000
"""The most characters of a sentence."""


class Found(Protocol):
    """The result of a search for an edit: a ``Needs``, whose floor is above."""

    @property
    def question(self) -> str: ...
    @property
    def statements(self) -> tuple[Statement, ...]: ...
    @property
    def frame(self) -> int: ...
    @property
    def state(self) -> dict[str, Any]: ...  # Any: values of the user's
    @property
    def found(self) -> bool: ...


Search = Callable[[str, int | None], Found]
"""``Execution.needs``, or ``History.needs``."""


Code = Callable[[], Ghosts | None]
"""Returns the nodes that the code can return; None where there is no code."""


Answer = TypeVar("Answer")
Facts = Sequence[Matter | Told]
Tell = Callable[[str, Facts], Answer]
"""Returns the answer to a question, of which the facts are given."""


def why_pane(source: RecordedSource, cursor: Cursor, get: p.Get, code: Code) -> p.WhyPane:
    """Return why something is as it is; of a thing that is absent or has not begun, what stands in its way."""
    with source.together():
        answers, takes = answers_to(source, cursor, get, code, tell=partial(_told, source))
        return {"of": get.of, "answers": answers, "takes": takes}


def answers_to(
    source: RecordedSource, cursor: Cursor, get: p.Get, code: Code, *, tell: Tell[Answer]
) -> tuple[list[Answer], str | None]:
    """Return the answers of a ``why``, as ``tell`` tells them, and the target of the search for an edit."""
    asked = _Asked(source, cursor, get, code)
    return _answers(asked, tell, lambda: [*asked.answers(tell)])


def why_not_pane(source: RecordedSource, cursor: Cursor, get: p.Get, code: Code) -> p.WhyPane:
    """Return what stands in the way of something."""
    with source.together():
        asked, tell = _Asked(source, cursor, get, code), partial(_told, source)
        answers, takes = _answers(asked, tell, lambda: [asked.why_not(tell)])
        return {"of": get.of, "answers": answers, "takes": takes}


def _answers(
    asked: _Asked, tell: Tell[Answer], answers: Callable[[], list[tuple[str, Answer]]]
) -> tuple[list[Answer], str | None]:
    try:
        found = answers()
        # What is there needs nothing, whatever it is called.
        takes = asked.takes if is_negative(found[0][0]) else None
        return [answer for _, answer in found], takes
    except StoreError as error:
        # That there is no such frame, or that it was pruned, is the answer: the page shows it under the question.
        return [tell(asked.question(), [Told(Statement(text=str(error), evidence=None))])], None


def is_negative(question: str) -> bool:
    """Return whether a question is a "why not"."""
    return question.startswith("why not")


def needs_pane(source: RecordedSource, get: p.Get, of: str, search: Search) -> p.NeedsPane:
    """Return the smallest edit of the state after which something is in the plan of a frame.

    Raises:
        StoreError: if there is no such frame.
    """
    found = search(of, get.at)
    return {
        "of": of,
        "frame": found.frame,
        "answer": _answer(source, found.question, found.statements),
        "found": found.found,
        "after": max(0, found.frame - 1),
        "state": _as_json(found.state),
        "code": f"{source.head.name}.needs({of!r}, frame={found.frame}).fork()",
    }


# ---- the question ------------------------------------------------------------------------------------------------

_ID = re.compile(r"\d+[wofvhe].+|.+@\d+")
"""The ids of writes, calls, effect runs and tasks: they have happened, whatever the state would be."""


@dataclass
class _Asked:
    """A question at a cursor."""

    source: RecordedSource
    cursor: Cursor
    get: p.Get
    code: Code

    @property
    def of(self) -> str | None:
        """The target."""
        return self.get.of

    @property
    def newest(self) -> bool:
        """True if it is asked of the newest frame, and of what is not in the file yet."""
        return self.get.at is None

    @cached_property
    def rows(self) -> Origins:
        """The rows that tell the past of the execution."""
        return book_of(self.source).rows

    @cached_property
    def ghosts(self) -> Ghosts | None:
        """The nodes that the code can return."""
        return self.code()

    @cached_property
    def frame(self) -> int | None:
        """The frame of which is asked; None for the newest."""
        if self.newest:
            return None
        frame = self.cursor.frame
        # A value is that of the frame that reads it, which may not have been rendered yet.
        if self.of is not None and self.of.startswith("state:"):
            frame = self.cursor.values_frame
            if frame > self.source.head.recorded:
                return None
        refuse_missing(self.source.reader, self.source.execution_id, frame)
        return frame

    def question(self, word: str = "why") -> str:
        """Return the question in words."""
        if self.of is not None:
            return question_of(word, self._name(self.of), None if self.newest else self.cursor.frame)
        if word == "why" and self.newest:
            return f"why is {self.source.head.name} {self.source.head.status}?"
        # Without a target it is the frame; what is not there, is the next one.
        number = self.source.head.recorded + 1 if self.newest else self.cursor.frame
        return question_of(word, number, None)

    def _name(self, of: str) -> str:
        """Return a target as people know it: generated ids say nothing to them."""
        tree = self.cursor.tree
        if (node := tree.index.get(of)) is not None:
            return of if node.explicit_id else name_of(node, node.props, tree)
        if _ID.fullmatch(of) is None:
            return of.removeprefix("state:")
        if (write := self.rows.write(of)) is not None:
            return f"{write.key} in write {of}"
        if (call := self.rows.call(of)) is not None:
            return f"{call.call.event} of {call.call.node_id} in call {of}"
        return of

    def why(self, tell: Tell[Answer]) -> tuple[str, Answer]:
        question = self.question()
        return question, tell(question, asked_about(self.source, self.of, self.frame))

    def why_not(self, tell: Tell[Answer]) -> tuple[str, Answer]:
        question = self.question("why not")
        return question, tell(question, in_the_way_of(self.source, self.of, self.frame, self.ghosts))

    def answers(self, tell: Tell[Answer]) -> Iterator[tuple[str, Answer]]:
        """Yield question and answer of what is asked first; then of what belongs to it."""
        node = self.cursor.tree.index.get(self.of or "")
        if node is not None and self.rows.last_node(node.id, max(self.cursor.frame, 1)) is None:
            question = self.question()
            yield question, tell(question, [self._uncommitted(node)])
        elif self._waits():
            yield self.why_not(tell)
            yield self.why(tell)
        elif self._is_absent():
            yield self.why_not(tell)
        else:
            try:
                yield self.why(tell)
            except StoreError:
                # There is nothing of this name to explain; that is what is to be explained.
                if self.of is None:
                    raise
                yield self.why_not(tell)

    def _uncommitted(self, node: TreeNode) -> Told:
        """Return the answer about a node that no frame has committed."""
        name = name_of(node, node.props, self.cursor.tree)
        text = f"frame {self.cursor.frame} has rendered {name}; the causes are recorded when it commits"
        if self.cursor.dry:
            text = f"this is a dry rendering of {name}: no frame has been made yet, and nothing is recorded"
        about = Statement(
            text=text,
            frame=self.cursor.frame or None,
            node_id=node.id,
            source=node.source,
            evidence="derived",
        )
        return Told(about)

    def _waits(self) -> bool:
        """Return whether it is a node of the plan that has not begun."""
        node = self.cursor.tree.index.get(self.of or "")
        if node is None or node.type not in (*RUNNABLE, "phase", "step"):
            return False
        status, _ = self.source.standing(self.cursor)
        return status.get(node.id) in (None, "pending", "blocked")

    def _is_absent(self) -> bool:
        """Return whether it is a node that was in the plan or could be, and is not."""
        of = self.of
        if of is None or of in self.cursor.tree.index or of.startswith("state:"):
            return False
        # Before a key of the same name is thought of: people name both after what they hold.
        if self.rows.last_node(of, max(self.cursor.frame, 1)) is not None:
            return True
        return self.ghosts is not None and any(one.type != "component" for one in self.ghosts.named(of))

    @property
    def takes(self) -> str | None:
        """The target of the search for an edit: a node or a component that is not in the plan."""
        if self.of is None or self.of.startswith("state:") or _ID.fullmatch(self.of):
            return None
        of, dot, event = self.of.rpartition(".")
        if not dot or event not in EVENTS:
            of = self.of
        # The id of what a prop is asked of, too.
        there = of in self.cursor.tree.index or self.of.rpartition(".")[0] in self.cursor.tree.index
        known = there or (not self._is_absent() and of in self.rows.known_keys())
        return None if known else of


# ---- the answer --------------------------------------------------------------------------------------------------


def _told(source: RecordedSource, question: str, facts: Facts) -> p.AnswerRow:
    return _answer(source, question, chain_of(facts, source.told))


def _answer(source: RecordedSource, question: str, statements: Sequence[Statement]) -> p.AnswerRow:
    return {
        "question": question,
        "negative": is_negative(question),
        "statements": rows_of(source, statements[:STATEMENTS]),
        "more": max(0, len(statements) - STATEMENTS),
    }


def rows_of(source: RecordedSource, statements: Sequence[Statement]) -> list[p.StatementRow]:
    """Return statements as the page has them."""
    line = {part.execution_id for part in source.file.line}
    names: dict[str, str] = {}
    return [_row(one, _elsewhere(source, one.execution_id, line, names)) for one in statements]


def _elsewhere(source: RecordedSource, id: str | None, line: set[str], names: dict[str, str]) -> str | None:
    """Return the name of an execution whose frames the cursor can't show."""
    if id is None or id in line:
        return None
    if id not in names:
        names[id] = source.reader.execution(id).name
    return names[id]


def _row(one: Statement, execution: str | None) -> p.StatementRow:
    return {
        "text": short(one.text, TEXT),
        "depth": one.depth,
        "frame": one.frame,
        "phase": None if one.phase is None else str(one.phase),
        "node_id": one.node_id,
        "source": one.source,
        "table": one.table,
        "row_id": one.row_id,
        "execution": execution,
        "evidence": one.evidence,
        "link": one.link,
    }


def _as_json(state: Mapping[str, Any]) -> str | None:
    """Return an edit as the text of a JSON object; None where JSON would make another value of it."""
    if not state:
        return None
    try:
        text = json.dumps(state, allow_nan=False)
    except (TypeError, ValueError):
        return None
    # 1, 1.0 and True are equal, and not the same; keys that are no texts become some.
    return text if repr(json.loads(text)) == repr(dict(state)) else None
