"""Statements: the sentences of an answer to "why", each with its place in the records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .frame import Phase

Evidence = Literal["recorded", "derived", "inferred"]
"""recorded: a row says it; derived: rendering again says it; inferred: texts match."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A sentence of an answer. A sentence below it, one deeper, is a cause of it."""

    text: str
    depth: int = 0
    """The distance from the question: 0 for the answer itself."""
    frame: int | None = None
    phase: Phase | None = None
    node_id: str | None = None
    source: str | None = None
    """The place in the user's code: ``report.py:12:9``."""
    # A table and an id, not the row: what shows the sentence finds the row by them, and opens the pane that has it.
    table: str | None = None
    """The table of the row that says it; None where no row does."""
    row_id: str | None = None
    """The id of that row within its execution and table."""
    # Not always that of the question: a chain leads along the line of a branch, and into children.
    execution_id: str | None = None
    """The execution whose row it is: along the line of a branch, or a child's."""
    # What can't be known has none: the sentence says so, and nothing proves it.
    evidence: Evidence | None = "recorded"
    """None for a sentence that names a gap in the records."""
    link: str | None = None
    """The target of a further ``why``, at the same frame: the prompt of an answer at which the chain ends."""
