"""Nodes for the shape of the plan: text, order and grouping."""

from __future__ import annotations

from typing import ClassVar, Literal

from .base import Children, NodeBase
from .given import Count, Truth


class Text(NodeBase):
    """Text content. Neighbouring pieces of text become one."""

    type: Literal["text"] = "text"
    text: str

    instead_of_children: ClassVar[str | None] = "Its text is text={…}, or stands between its tags."


class Sequence(NodeBase):
    """Children that run one after another: each waits until the one before has settled."""

    type: Literal["sequence"] = "sequence"
    name: str | None = None
    skip_if: Truth = False
    """If true, nothing below it exists, and it has settled at once."""

    def below(self) -> Children:
        if self.skip_if:
            return ()
        return self.children


class Phase(NodeBase):
    """A named part of the plan. Sibling Phases and Steps run in order.

    A later one is in the tree, pending, with all that it will do, and starts nothing until the one before has
    settled: all tasks below it have ended and their handlers have been applied.
    """

    type: Literal["phase"] = "phase"
    name: str
    skip_if: Truth = False
    """If true, nothing below it exists, and it has settled at once."""

    def below(self) -> Children:
        if self.skip_if:
            return ()
        return self.children


class Step(NodeBase):
    """A part of a Phase; sibling Steps run in order like Phases."""

    type: Literal["step"] = "step"
    name: str | None = None
    skip_if: Truth = False
    """If true, nothing below it exists, and it has settled at once."""

    def below(self) -> Children:
        if self.skip_if:
            return ()
        return self.children


class Parallel(NodeBase):
    """Children that run together, Phases among them too."""

    type: Literal["parallel"] = "parallel"
    max_concurrency: Count | None = None
    """The most tasks below it that may run at once; None for all."""
