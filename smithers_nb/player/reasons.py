"""Why things are as they are, for the page: each distinct sentence once, and each answer by its target and frame."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..errors import StoreError
from ..history.cursor import Cursor
from ..history.panes import protocol as p
from .still import CursorChanges

Ask = Callable[[str | None, Cursor], p.WhyPane]
"""Returns the answer about a target at a cursor."""
Add = Callable[[str, Cursor, Mapping[str, Any] | None], None]
"""Keeps an answer of a target from a cursor on."""
PROMPT = "prompt"
"""The name by which the text below a node is asked for."""


class Reasons:
    """Asks about everything that a frame shows, and again where the answer may be different."""

    def __init__(self, ask: Ask, add: Add) -> None:
        self._ask = ask
        self._add = add
        # Before the first answer nothing is known, so that everything is asked about.
        self._nodes: set[str] = set()
        self._named: set[str] = set()
        self._tasks: set[str] = set()
        self._keys: set[str] = set()
        self._stood = False
        """What changed since the last frame that was asked about."""
        self._waiting: set[str] = set()
        """The targets whose answer is an obstacle, which may be somewhere else in the plan."""
        self._known: set[str] = set()

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

    def _targets(self, cursor: Cursor, happened: Iterable[str]) -> set[str]:
        found = {*self._tasks, *happened, *(f"state:{key}" for key in self._keys)}
        for node in cursor.tree.index.values():
            asked = [node.id, *(f"{node.id}.{event}" for event in node.events)]
            asked += [f"{node.id}.{prop}" for prop in node.props]
            if node.content:
                asked.append(f"{node.id}.{PROMPT}")
            due = node.id in self._nodes or node.parent_id in self._named
            if due or node.id not in self._known:
                found.update(asked)
        # A node that has left the plan is asked about where it is shown as removed.
        found |= {id for id in self._nodes if id in cursor.before.index}
        if self._stood:
            found |= self._waiting
        self._known |= found
        return found

    def _one(self, target: str | None, cursor: Cursor) -> None:
        try:
            found = self._ask(target, cursor)
        except StoreError:
            # There is nothing to tell of it, and the page says so: a task that began after this frame, say.
            self._add(target or "", cursor, None)
            return
        if target is not None and any(answer["negative"] for answer in found["answers"]):
            self._waiting.add(target)
        else:
            self._waiting.discard(target or "")
        self._add(target or "", cursor, flat(found, cursor))


def flat(found: p.WhyPane, cursor: Cursor) -> dict[str, Any]:  # Any: JSON
    """Return an answer with its sentences in one list, so that a chain that grew by one differs by that one."""
    statements: list[dict[str, Any]] = []
    depths: list[int] = []
    heads: list[list[object]] = []
    for answer in found["answers"]:
        rows = answer["statements"]
        depths += [row["depth"] for row in rows]
        # Without its depth a sentence is the same wherever a chain comes to it.
        statements += [{name: value for name, value in row.items() if name != "depth"} for row in rows]
        heads.append([_placed(answer["question"], cursor), answer["negative"], answer["more"], len(rows)])
    return {
        "of": found["of"],
        "takes": found["takes"],
        "heads": heads,
        "depths": depths,
        "statements": statements,
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
