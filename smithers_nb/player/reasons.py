"""Why things are as they are, for the page: every fact once, with its causes, and each answer as the facts at its top.

An answer is a walk from its facts to their causes. The page walks as ``history/causes/why.py`` does
(``widgets/src/player/answers.ts``), so that a fact is written once, whatever answers come to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ..errors import StoreError
from ..history.causes.facts import Matter, Told
from ..history.causes.why import AND_SO_ON, MOST, ROUNDS, chain_of, in_words
from ..history.cursor import Cursor
from ..history.panes import protocol as p
from ..history.panes.why import TEXT, answers_to, is_negative, rows_of
from ..records import Statement
from .codec import Pool, column_of
from .still import CursorChanges, StillSource

Add = Callable[[str, Cursor, Mapping[str, Any] | None], None]
"""Keeps an answer of a target from a cursor on."""
Answer = tuple[str, bool, list[int]]
"""The question, whether it is a "why not", and the facts at the top."""
PROMPT = "prompt"
"""The name by which the text below a node is asked for."""


class Reasons:
    """Asks about everything that a frame shows, and again where the answer may be different."""

    def __init__(self, source: StillSource, pool: Pool, add: Add) -> None:
        self._source = source
        self._add = add
        self._facts = _Facts(source, pool)
        # Before the first answer nothing is known, so that everything is asked about.
        self._nodes: set[str] = set()
        self._named: set[str] = set()
        self._tasks: set[str] = set()
        self._keys: set[str] = set()
        self._stood = False
        """What changed since the last frame that was asked about."""
        self._waiting: set[str] = set()
        """The targets whose answer is an obstacle, which may be somewhere else in the plan."""
        self._known: dict[str, str] = {}
        """The node of each target that was asked about because of one; its answers end when the node is gone."""

    def heed(self, changes: CursorChanges) -> None:
        """Note what may be different from the cursor before."""
        self._nodes |= changes.nodes
        self._named |= changes.altered
        self._tasks |= changes.tasks
        self._keys |= changes.written
        self._stood = self._stood or changes.calls or changes.listed

    def record(self, cursor: Cursor, happened: Iterable[str]) -> None:
        """Ask about a frame at its rest; ``happened`` are the ids of its writes and calls."""
        self._one(None, cursor)
        for target in self._targets(cursor, happened):
            self._one(target, cursor)
        for changed in (self._nodes, self._named, self._tasks, self._keys):
            changed.clear()
        self._stood = False

    def end(self) -> dict[str, Any]:
        """Return why the execution stands as it does."""
        return self._answers(None, self._source.cursor(), at=None)

    def packed(self) -> dict[str, Any]:  # Any: JSON
        """Return the facts as JSON."""
        return self._facts.packed()

    def _targets(self, cursor: Cursor, happened: Iterable[str]) -> dict[str, None]:
        """Return what is to be asked about, in an order that is the same in each process."""
        found = dict.fromkeys([*sorted(self._tasks), *happened, *(f"state:{key}" for key in sorted(self._keys))])
        for node in cursor.tree.index.values():
            if node.id in self._nodes or node.parent_id in self._named or node.id not in self._known:
                asked = [node.id, *(f"{node.id}.{event}" for event in node.events)]
                asked += [f"{node.id}.{prop}" for prop in node.props]
                if node.content:
                    asked.append(f"{node.id}.{PROMPT}")
                found.update(dict.fromkeys(asked))
                self._known.update(dict.fromkeys(asked, node.id))
        self._forget(cursor)
        # A node that has left the plan is asked about where it is shown as removed.
        removed = {id for id in self._nodes if id in cursor.before.index}
        found.update(dict.fromkeys(sorted(removed)))
        self._known.update({id: id for id in removed})
        if self._stood:
            found.update(dict.fromkeys(sorted(self._waiting)))
        return found

    def _forget(self, cursor: Cursor) -> None:
        """End the answers about nodes that are not shown any more: their questions are of another frame."""
        gone = [of for of, id in self._known.items() if id not in cursor.tree.index and id not in cursor.before.index]
        for target in gone:
            del self._known[target]
            self._waiting.discard(target)
            self._add(target, cursor, None)

    def _one(self, target: str | None, cursor: Cursor) -> None:
        try:
            found = self._answers(target, cursor, cursor.frame or None)
        except StoreError:
            # There is nothing to tell of it, and the page says so: a task that began after this frame, say.
            self._add(target or "", cursor, None)
            return
        if target is not None and any(negative for _, negative in found["heads"]):
            self._waiting.add(target)
        else:
            self._waiting.discard(target or "")
        self._add(target or "", cursor, found)

    def _answers(self, target: str | None, cursor: Cursor, at: int | None) -> dict[str, Any]:  # Any: JSON
        get = p.Get(type="get", id="", pane="why", of=target, at=at)

        def tell(question: str, facts: Sequence[Matter | Told]) -> Answer:
            return _placed(question, cursor), is_negative(question), self._facts.places(facts)

        answers, takes = answers_to(self._source, cursor, get, lambda: None, tell=tell)
        heads = [(question, negative) for question, negative, _ in answers]
        return {"takes": takes, "heads": heads, "facts": [places for *_, places in answers]}


class _Facts:
    """The facts that answers come to, each with its statement and its causes."""

    def __init__(self, source: StillSource, pool: Pool) -> None:
        self._source = source
        self._pool = pool
        self._told = source.told
        self._place_of: dict[object, int] = {}
        """By fact, and by all that tells facts apart for a reader: many frames have the same fact."""
        self._statements: dict[Statement, int] = {}
        self._subjects: dict[object, int] = {}
        self._rows: list[tuple[int, int, list[int]]] = []
        """Statement, subject or -1, and causes."""
        self._open: list[tuple[int, Told]] = []
        """The facts whose causes are not written yet."""
        self._untold = False
        """True if something about a fact is not in the file: it was pruned, or cut off."""

    def places(self, facts: Sequence[Matter | Told]) -> list[int]:
        """Return the places of facts; all that they come to is written.

        Raises:
            StoreError: if the answer comes to something that is not in the file.
        """
        found = [self._place(fact) for fact in facts]
        while self._open:
            place, told = self._open.pop()
            self._rows[place][2].extend(map(self._place, told.causes))
        if self._untold:
            # Only the walk tells whether this answer comes to it.
            chain_of(facts, self._told)
        return found

    def _place(self, fact: Matter | Told) -> int:
        place = self._place_of.get(fact)
        if place is None:
            place = self._place_of[fact] = self._written(fact)
        return place

    def _written(self, fact: Matter | Told) -> int:
        try:
            told = in_words(fact, self._told)
        except StoreError:
            self._untold = True
            return -1
        subject = -1
        if isinstance(fact, Matter):
            subject = self._subjects.setdefault(fact.subject, len(self._subjects))
        # A node that is in the plan since frame 3 is so in each later frame: facts of their own, and one for a reader.
        same = (subject, told.statement, told.causes)
        place = self._place_of.get(same)
        if place is None:
            place = self._place_of[same] = len(self._rows)
            says = self._statements.setdefault(told.statement, len(self._statements))
            self._rows.append((says, subject, []))
            self._open.append((place, told))
        return place

    def packed(self) -> dict[str, Any]:  # Any: JSON
        """Return the facts and their statements as JSON."""
        rows = rows_of(self._source, [*self._statements])
        statements = [self._pool.place({name: of for name, of in row.items() if name != "depth"}) for row in rows]
        causes: list[int | None] = []
        for place, (*_, found) in enumerate(self._rows):
            # No answer comes to a fact that is not in the file.
            causes += [None if cause < 0 else place - cause for cause in found]
        return {
            "most": MOST,
            "rounds": ROUNDS,
            "and_so_on": AND_SO_ON,
            "longest": TEXT,
            "statements": column_of(statements),
            "says": column_of([says for says, *_ in self._rows]),
            "subjects": column_of([subject for _, subject, _ in self._rows]),
            "sizes": column_of([len(found) for *_, found in self._rows]),
            "causes": column_of(causes),
        }


def _placed(question: str, cursor: Cursor) -> str:
    """Return a question with a mark in the place of its frame: in most frames it has the same answer."""
    for frame, mark in ((cursor.frame, MARK), (cursor.values_frame, NEXT)):
        head, found, _ = question.rpartition(f", in frame {frame}?")
        if found:
            return f"{head}{mark}"
    return question


MARK = "\x00"
"""Stands for ", in frame N?", with the frame of the cursor."""
NEXT = "\x01"
"""The same, with the frame that reads what the cursor's frame has written."""
