"""Places in the record of an execution that hold a text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Holding = Literal["equal", "contains", "cut"]
"""equal: it is the whole value; contains: it is a part; cut: only its beginning is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """A row that holds a text."""

    where: str
    """prompt, prop, write, result, argument, output, request, answer, question, artifact, file or event."""
    table: str
    row_id: str
    execution_id: str
    frame: int
    """The frame in which it was there first."""
    node_id: str | None
    node: str | None
    """The name of the node, for people."""
    key: str | None
    """The key of the state, the name of the prop, tool, artifact or file."""
    holding: Holding
    characters: int
    """The number of its characters that are there."""
    origin: str | None = None
    """The origin of a write: init, operator, handler, effect, task."""
