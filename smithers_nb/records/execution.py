"""Executions as the store keeps them, and the iterations of their loops."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ..values import Stored
from .frame import Status
from .reuse import REUSED

Durability = Literal["normal", "full"]
"""The failures that a commit survives: of the process, or of the power, too."""
ExecutionKind = Literal["run", "child", "branch", "replay"]
"""The origin of an execution: made by a person, by a Smithers node, by a fork, or by a replay."""
LoopKey = tuple[str, str]
"""The iteration that a loop stands in itself ("" outside of loops), and its id."""


@dataclass(frozen=True, slots=True)
class LoopState:
    """The progress of a loop."""

    iteration: int
    """The number of the iteration, from 1."""
    # Not derived from the iteration: a loop that has ended stays ended when its condition changes its mind.
    status: Literal["running", "done", "max_reached"] = "running"


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of the line of a branch: frames of one execution."""

    execution_id: str
    first: int
    """The number of its first frame."""
    last: int
    """The number of its last frame; ``sys.maxsize`` for the execution at the end of the line."""
    # The parent may add writes to that frame after the fork, until it begins the next one: they are not shared.
    last_write: int = sys.maxsize
    """The ``seq`` of the last write of its last frame that belongs to the line."""
    left_at: str | None = None
    """The time of the fork that left it, in ISO 8601; None for the execution at the end of the line."""


@dataclass(frozen=True, slots=True)
class NewExecution:
    """The facts about an execution when it is made."""

    execution_id: str
    name: str
    app: str
    code_hash: str
    engine_version: str
    # Recorded, so that a replay or a fork draws the same random numbers.
    seed: int
    kind: ExecutionKind = "run"
    parent_id: str | None = None
    """The execution whose Smithers node it is, that it was forked from, or that it replays."""
    forked_at_frame: int | None = None
    """The last frame that a branch shares with its parent; 0 for a replay, else None."""
    durability: Durability = "normal"
    props: str | None = None
    """The props of the app as JSON, each with its type; None where they can't be stored."""
    reuse: str | None = None
    """The answers that a branch takes from the file, as JSON (``Reuse``); None for an execution that is no branch."""
    forked_at_seq: int | None = None
    """The ``seq`` of the last write of that frame that a branch shares."""


@dataclass(frozen=True, slots=True)
class NewBranch:
    """The facts about a branch that is asked for; the others are in the file, and are read when it is written."""

    parent_id: str
    """The execution that is forked; a frame that it shares with an ancestor is forked there."""
    frame: int | None
    """The frame after which it begins; None for the last flushed one."""
    execution_id: str
    name: str | None
    """None for the first of ``NAME~2``, ``NAME~3`` … that no execution has."""
    app: str
    code_hash: str
    engine_version: str
    # Not that of the parent's row: the connection is opened with it, before a row is read.
    durability: Durability
    props: str | None
    """The props of the app as JSON, each with its type; None where they can't be stored."""
    edits: Mapping[str, Stored | None] = field(default_factory=dict)
    """Values of the state that are other from its first frame on; None removes a key."""
    reuse: tuple[str, ...] = REUSED
    """The kinds of answers that it takes from the file."""
    models: tuple[str, ...] = ()
    """The names of the models that it replaces."""
    allow_repeat: tuple[str, ...] = ()
    """Ids of tasks' nodes and names of tools, or patterns of them, whose calls may be repeated."""


@dataclass(frozen=True, slots=True)
class ExecutionRecord:
    """An execution as the file has it. Times are ISO 8601 in UTC."""

    execution_id: str
    name: str
    parent_id: str | None
    forked_at_frame: int | None
    status: Status
    reason: str
    app: str
    code_hash: str
    engine_version: str
    seed: int
    # Held by a lease: a process that died without letting go must not keep others out for ever.
    owner: str | None
    """The process that may write it: ``pid 4711 on host (a1b2c3)``."""
    lease_expires_at: str | None
    created_at: str
    updated_at: str
    result: Stored | None
    """The value of the End that was reached."""
    owned_since: str | None
    durability: Durability
    kind: ExecutionKind
    props: str | None
    """The props of the app as JSON, each with its type; None where they were not stored."""
    reuse: str | None
    """The answers that a branch takes from the file, as JSON (``Reuse``)."""
