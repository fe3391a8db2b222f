"""Predictions: what a learner expects of a frame before it begins."""

from __future__ import annotations

from dataclasses import dataclass

SKIPPED = "skipped"
"""The item of a frame of which a learner has said nothing."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """An expectation of one item of a frame."""

    frame: int
    learner: str
    item: str
    """``starts:NODE``, ``fires:NODE.on_finished``, ``writes:KEY`` or ``value:KEY``."""
    said: str | None
    """The expectation as JSON: true or false, or a value; None where the frame was skipped."""
    # The value of an update is computed by FLUSH, after the rest at which everything else is known.
    was: str | None = None
    """The records' answer as JSON; None while they have none."""
    right: bool | None = None
    """True if both are equal; None while there is no answer."""


@dataclass(frozen=True, slots=True)
class Offer:
    """The items of which a learner may say something, by kind: all of the plan, whatever will happen."""

    nodes: tuple[str, ...]
    """The ids of the runnable nodes."""
    handlers: tuple[tuple[str, str], ...]
    """The node id and event of each handler."""
    keys: tuple[str, ...]
    """The keys of the state that are there, read, or about to be written."""

    @property
    def items(self) -> tuple[str, ...]:
        """The items, without those of values."""
        return (
            *(f"starts:{node}" for node in (*self.nodes, NEW)),
            *(f"fires:{node}.{event}" for node, event in self.handlers),
            *(f"writes:{key}" for key in (*self.keys, NEW)),
        )


# No id of a node and no key is likely to be so: a plan of the next frame may have nodes that this one has not.
NEW = "(new)"
"""A node that is not in the plan yet, or a key that nothing has written or read."""
