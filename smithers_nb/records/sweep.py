"""Sweeps as the store keeps them: executions that differ in chosen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..values import Stored
from .execution import Durability

Varied = Mapping[str, Mapping[str, Any]]
"""Values by factor: the ``name`` of each, where it has one, and ``value`` and ``type``, where it can be stored."""


@dataclass(frozen=True, slots=True)
class SweepOptions:
    """The options that hold for all branches of a sweep, also in a later process."""

    limits: Mapping[str, float] = field(default_factory=dict)
    """Limits of all agents of all branches together; empty where each branch has its own."""
    branch_limits: Mapping[str, float] = field(default_factory=dict)
    """Limits that each branch has for itself, those of its parent; empty where ``limits`` hold."""
    until: str | None = None
    """The condition that ends a branch; None where there is none, and where it is a function."""
    # Code is not in the file.
    until_function: bool = False
    """True if a function ends a branch: a later process needs it again."""
    max_frames: int = 1000
    max_parallel: int = 8
    max_agents: int = 32
    strict_effects: bool = False
    seed: int = 0
    durability: Durability = "normal"
    props: str | None = None
    """The props that are not varied, as an execution has them; None where they can't be stored."""
    state: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """The first state that is not varied: JSON and type by key."""
    models: tuple[str, ...] = ()
    """The names of models that are replaced in every branch."""


@dataclass(frozen=True, slots=True)
class SweepRecord:
    """A sweep."""

    name: str
    parent_id: str | None
    """The execution that its branches were forked from; None where they are executions of their own."""
    frame: int | None
    """The last frame that the branches share with it."""
    app: str
    code_hash: str
    definition: str
    """A hash of what the call named: the same call has the same one."""
    reuse: tuple[str, ...]
    """The kinds of answers that the branches take from the file."""
    options: SweepOptions


@dataclass(frozen=True, slots=True)
class SweepBranch:
    """A branch of a sweep, from before its execution begins."""

    number: int
    execution_id: str
    varied: Varied
    repeat: int


@dataclass(frozen=True, slots=True)
class BranchOutcome:
    """A branch of a sweep, and what has become of its execution."""

    branch: SweepBranch
    begun: bool
    """True if its execution is in the file."""
    # Not the same as the end of its execution: until= ends a branch whose execution could continue.
    ended: bool
    """True if the sweep is done with it."""
    status: str
    """The end of the branch, or the present status of its execution; ``pending`` before it begins."""
    reason: str
    frames: int
    """The number of its own frames."""
    tokens: int
    cost_usd: float
    seconds: float
    """The time for which the sweep has run it."""
    result: Stored | None
    """The value of the End that was reached."""
    scores: Mapping[str, Any]  # Any: a number, a bool or None
    score_error: str | None
    scorer: str | None
    """The name and hash of what made the scores; None if nothing has yet."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A mean with its 95 % interval."""

    mean: float
    n: int
    low: float | None
    """The lower end; None for a single number, of which nothing is known."""
    high: float | None
