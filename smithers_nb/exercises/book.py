"""The exercises, by name."""

from __future__ import annotations

from .exercise import Exercise
from .lost_write import LOST_WRITE
from .never_fired import NEVER_FIRED

EXERCISES: dict[str, Exercise] = {one.name: one for one in (LOST_WRITE, NEVER_FIRED)}
"""All of them, in the order in which they are offered."""
