"""The records of one execution as the causes need them: by id, along its line, with names for people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import Any, TypedDict, Unpack

from ...errors import UnknownExecutionError
from ...identity import child_id, component_of, prefixes_of
from ...nodes.names import name_of
from ...nodes.tree import EMPTY, Tree
from ...records import (
    CallRecord,
    EffectRun,
    Evidence,
    ExecutionRecord,
    Frame,
    Phase,
    Statement,
    TaskRecord,
    WriteRecord,
)
from ...store.origins import NodeSpan, Origins
from ...store.past import PastNode
from ...store.reader import Reader
from ..recorded import RecordedSource


class About(TypedDict, total=False):
    """The fields of a statement, but for its text and its depth."""

    table: str | None
    row_id: str | None
    frame: int | None
    phase: Phase | None
    node_id: str | None
    source: str | None
    execution_id: str | None
    evidence: Evidence | None
    link: str | None


class Book:
    """One execution. Books of the same question are one object per execution: they can be compared."""

    def __init__(self, source: RecordedSource, books: dict[str, Book] | None = None) -> None:
        self.source = source
        self.execution_id = source.execution_id
        self.reader: Reader = source.reader
        self.rows = Origins(source.reader, source.execution_id)
        # Shared, so that a fact of a child is the same object from wherever a chain comes to it.
        self._books: dict[str, Book] = books if books is not None else {}
        self._books[self.execution_id] = self
        self._names: dict[tuple[str, int], str] = {}
        self._components: tuple[Tree, dict[str, str]] = (EMPTY, {})
        """The plan that was gone through last, and its components."""

    # ---- the execution, and those around it --------------------------------------------------------------------

    @cached_property
    def execution(self) -> ExecutionRecord:
        """The execution as the file has it."""
        return self.reader.execution(self.execution_id)

    @cached_property
    def last(self) -> int:
        """The number of the newest frame that is in the file."""
        return self.reader.last_frame(self.execution_id)

    @cached_property
    def reads(self) -> int:
        """The frame that reads the newest committed values: the one after the last that is flushed."""
        return self.reader.last_flushed(self.execution_id) + 1

    def of(self, execution_id: str) -> Book:
        """Return the book of another execution of the file.

        Raises:
            UnknownExecutionError: if there is none of this id.
        """
        known = self._books.get(execution_id)
        if known is None:
            self.reader.execution(execution_id)
            known = Book(RecordedSource(self.reader, execution_id), self._books)
        return known

    def child(self, task: TaskRecord) -> Book | None:
        """Return the book of the child execution that a task of a Smithers node ran; None if it made none."""
        # A child belongs to the execution that ran the task: of a branch's line, that may be an ancestor.
        for part in reversed(self.rows.line):
            try:
                return self.of(child_id(part.execution_id, task.task_id))
            except UnknownExecutionError:
                continue
        return None

    @cached_property
    def around(self) -> tuple[Book, TaskRecord] | None:
        """The execution that this one is a child of, and the task there that runs it; None for one that is no child."""
        found = self.execution
        if found.kind != "child" or found.parent_id is None:
            return None
        outer = self.of(found.parent_id)
        # The id of a child is a hash of the task's: it can be made from it, and not the other way round.
        for task in outer.rows.tasks(outer.last, 1_000_000):
            if child_id(outer.execution_id, task.task_id) == self.execution_id:
                return outer, task
        return None

    # ---- the frame in progress ---------------------------------------------------------------------------------

    @property
    def unflushed(self) -> Frame | None:
        """The frame in progress, whose calls and writes are in no file yet; None where there is none."""
        now = self.source.publication
        if now is None or now.frame is None or now.frame.phase is Phase.FLUSH:
            return None
        return now.frame

    @cached_property
    def pending(self) -> list[WriteRecord]:
        """The writes that wait for FLUSH."""
        if self.source.publication is None:
            return []
        return [one for one in self.source.writes(self.source.cursor()) if one.outcome is None]

    # ---- rows by their ids -------------------------------------------------------------------------------------

    def write(self, id: str) -> WriteRecord | None:
        """Return a write, pending or recorded."""
        return next((one for one in self.pending if one.id == id), None) or self.rows.write(id)

    def call(self, id: str) -> CallRecord | None:
        """Return a handler call, of the frame in progress too."""
        if (now := self.unflushed) is not None:
            for seq, call in enumerate(now.handlers, 1):
                if call.id == id:
                    task = self.task(call.task_id)
                    return CallRecord(call, seq, None if task is None else task.status)
        return self.rows.call(id)

    def call_of(self, task: TaskRecord, event: str | None = None) -> CallRecord | None:
        """Return the call of a task's handler; None if there was none so far."""
        if (now := self.unflushed) is not None:
            for call in reversed(now.handlers):
                if call.task_id == task.task_id and event in (None, call.event):
                    return self.call(call.id)
        if task.settled_at_frame is None:
            return None
        return self.rows.call_of(task.task_id, event, task.settled_at_frame)

    def effect(self, id: str) -> EffectRun | None:
        """Return an effect run, of the frame in progress too."""
        if (now := self.unflushed) is not None:
            for one in now.effects:
                if one.id == id:
                    return one
        return self.rows.effect(id)

    def task(self, task_id: str) -> TaskRecord | None:
        """Return a task as it stands now."""
        cursor = self.source.cursor()
        return self.source.task(cursor, task_id) or self.rows.task(task_id)

    def node(self, node_id: str, frame: int) -> NodeSpan | None:
        """Return a node as it stands in the plan of a frame; None if it does not."""
        return self.rows.node(node_id, frame)

    def tree(self, frame: int) -> Tree:
        """Return the plan of a frame; an empty one of a frame that is not in the file."""
        # The source keeps what it has read: a frame that is made later would stay empty there.
        return self.source.tree(frame) if frame <= self.last else EMPTY

    def components(self, frame: int) -> dict[str, str]:
        """Return by name the path of the first component of that name that made something in a frame's plan."""
        tree = self.tree(frame)
        # Each word that is asked about may be one: the plan is gone through once for all of them.
        if self._components[0] is not tree:
            found: dict[str, str] = {}
            for node in tree.walk():
                for path in component_paths(node.path):
                    found.setdefault(component_of(path), path)
            self._components = (tree, found)
        return self._components[1]

    # ---- words -------------------------------------------------------------------------------------------------

    def name(self, node_id: str | None, frame: int) -> str:
        """Return the name of a node for people, as it was in a frame or before."""
        if node_id is None:
            return "nothing"
        known = self._names.get((node_id, frame))
        if known is None:
            known = self._names[node_id, frame] = self._name(node_id, frame)
        return known

    def _name(self, node_id: str, frame: int) -> str:
        found = self.rows.last_node(node_id, frame)
        if found is None:
            return node_id
        # A text has no name, and its generated id says nothing: people see it in the node around it.
        node = found.node
        if node.type == "text":
            return f"the text of {self.name(node.parent_id, frame)}"
        tree = Tree()
        if not node.explicit_id and node.key is None:
            tree = self.tree(min(frame, (found.until or frame + 1) - 1))
        return name_of(node, json.loads(node.props), tree)

    def source_of(self, node_id: str | None, frame: int) -> str | None:
        """Return the place in the user's code of a node, as it was in a frame or before."""
        if node_id is None:
            return None
        found = self.rows.last_node(node_id, frame)
        if found is None:
            return None
        return found.node.source

    def say(self, text: str, **about: Unpack[About]) -> Statement:
        """Return a statement about a row of this execution, with the place of its node in the user's code."""
        frame = about.get("frame")
        if frame is None:
            frame = self.last
        if "source" not in about:
            about["source"] = self.source_of(about.get("node_id"), max(frame, 1))
        if "execution_id" not in about:
            about["execution_id"] = self.owner(frame)
        return Statement(text=text, **about)

    def owner(self, frame: int) -> str:
        """Return the execution of the line that a frame belongs to."""
        return self.rows.owner(max(frame, 1))


def book_of(source: RecordedSource) -> Book:
    """Return the book of a source: the same one for all questions where what it tells is kept."""
    if source.told is None:
        return Book(source)
    book: Book | None = source.told.get(Book)
    if book is None:
        book = source.told[Book] = Book(source)
    return book


@lru_cache(maxsize=10_000)  # An answer goes through all nodes of a plan, and neighbouring frames have the same.
def component_paths(path: str) -> list[str]:
    """Return the paths of the components around a node, innermost first.

    >>> component_paths('/Report[0]/phase[0]/Row["a"]/text[0]')
    ['/Report[0]/phase[0]/Row["a"]', '/Report[0]']
    """
    return [one for one in [path, *prefixes_of(path)] if component_of(one)[:1].isupper()]


def props_of(node: PastNode) -> Mapping[str, Any]:  # Any: JSON
    """Return the props of a stored node."""
    found: dict[str, Any] = json.loads(node.props)
    return found
