"""The facts that a question can be about, and each in words: a statement, and the facts that caused it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ...records import Statement
from .book import Book


@dataclass(frozen=True, slots=True)
class Matter:
    """Something that happened, or that held, in an execution."""

    # The book is a part of it: a node of the same id may stand in a child, too.
    book: Book

    ABOUT: ClassVar[tuple[str, ...]] = ()
    """The fields that tell facts of a class apart, whatever their frame."""

    @property
    def subject(self) -> tuple[object, ...]:
        """The same for facts that differ only in their frame: a chain that comes round to one is folded."""
        return (type(self), self.book.execution_id, *(getattr(self, name) for name in self.ABOUT))


@dataclass(frozen=True, slots=True)
class Told:
    """A fact in words. Its causes are facts, or are in words already."""

    statement: Statement
    causes: tuple[Matter | Told, ...] = ()


@dataclass(frozen=True, slots=True)
class ValueAt(Matter):
    """A state key has a value in a frame."""

    ABOUT = ("key",)

    key: str
    frame: int


@dataclass(frozen=True, slots=True)
class Written(Matter):
    """A write was queued, and applied or not."""

    id: str
    # Beside the id, so that a chain of writes to one key is known as a round before they are read.
    key: str = ""

    @property
    def subject(self) -> tuple[object, ...]:
        """The key, as that of its value; a write that was asked for by its id has none."""
        return (ValueAt, self.book.execution_id, self.key or self.id)


@dataclass(frozen=True, slots=True)
class Called(Matter):
    """A handler was called, or would have been."""

    id: str


@dataclass(frozen=True, slots=True)
class NotFired(Matter):
    """A handler of a node in the plan has not been called, so far."""

    ABOUT = ("node_id", "event")

    node_id: str
    event: str
    frame: int


@dataclass(frozen=True, slots=True)
class Ran(Matter):
    """An effect ran, or its cleanup."""

    id: str


@dataclass(frozen=True, slots=True)
class NodeAt(Matter):
    """A node stands in the plan of a frame."""

    ABOUT = ("node_id",)

    node_id: str
    frame: int


@dataclass(frozen=True, slots=True)
class NodeGone(Matter):
    """A node left the plan: ``frame`` is the first one without it."""

    node_id: str
    frame: int


@dataclass(frozen=True, slots=True)
class PropAt(Matter):
    """A prop, or the text, of a node in the plan of a frame."""

    ABOUT = ("node_id", "prop", "sent")

    node_id: str
    prop: str
    frame: int
    sent: bool = False
    """True if the node's task began with it in that frame, and the plan has changed since."""


@dataclass(frozen=True, slots=True)
class ComponentIn(Matter):
    """A component was called in a frame, or was not."""

    path: str
    frame: int


@dataclass(frozen=True, slots=True)
class TaskBegan(Matter):
    """A task started."""

    task_id: str


@dataclass(frozen=True, slots=True)
class TaskEnded(Matter):
    """A task ended: with an answer, an error, or by hand."""

    task_id: str


@dataclass(frozen=True, slots=True)
class ToolRan(Matter):
    """A tool was called for an agent, and wrote something that frame ``frame`` applied."""

    task_id: str
    tool_call_id: str
    frame: int
    inner: int | None = None
    """The row of a call that it made in turn, by an agent that it ran. Two models may use the same ids."""


# Three for a task: a chain that comes from its handler wants its end, one that comes from its node wants both.
@dataclass(frozen=True, slots=True)
class TaskStands(Matter):
    """A task as it stands: it waits, runs or has ended."""

    task_id: str


@dataclass(frozen=True, slots=True)
class FrameMade(Matter):
    """A frame was made."""

    frame: int


@dataclass(frozen=True, slots=True)
class Stands(Matter):
    """The execution stands as it does: it has ended, waits, or is at rest."""
