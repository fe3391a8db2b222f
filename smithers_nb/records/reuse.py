"""The answers that a branch takes from the file instead of asking again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal, Self

Reusable = Literal["agents", "tools", "approvals"]
REUSED: tuple[Reusable, ...] = ("agents", "tools", "approvals")
"""The kinds of answers that a branch takes from the file by default."""


@dataclass(frozen=True, slots=True)
class Reuse:
    """The choice of a branch, which its row keeps: it holds in every process that continues the branch."""

    kinds: tuple[str, ...] = REUSED
    """The kinds of answers that are taken from the file."""
    # A function can't be compared with one of another process: it is the same as long as no fork replaces it.
    models: Mapping[str, str] = field(default_factory=dict)
    """By the name of a model that ``models=`` of a fork replaced: the id of the branch that did so."""

    def as_json(self) -> str:
        """Return it as its column has it."""
        return json.dumps(asdict(self))

    @classmethod
    def of(cls, text: str | None) -> Self:
        """Return it from its column; that of an execution which is no branch reuses nothing."""
        if text is None:
            return cls(kinds=())
        found = json.loads(text)
        return cls(kinds=tuple(found["kinds"]), models=found["models"])


@dataclass(frozen=True, slots=True)
class ReusedAnswer:
    """A recorded answer of a model that a branch is given."""

    id: int
    """The id of its row."""
    response: str
    """The message as JSON."""
    # Not the price of the reuse, which is nothing: it is what the branch saves.
    cost_usd: float | None
    """The cost when it was asked for; None where the price is not known."""
