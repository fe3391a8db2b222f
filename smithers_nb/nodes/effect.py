"""Effects: code that runs after the frame is committed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from pydantic import Field, field_validator

from ..values import Unstorable, encode
from .base import NodeBase


class Effect(NodeBase):
    """Runs after COMMIT when it mounts and whenever its deps change; its cleanup runs before the next run and
    when it unmounts. Both may write state; the outside world is theirs too, at least once.
    """

    type: Literal["effect"] = "effect"
    run: Callable[..., Any]
    """Called with ``ctx`` if its signature names it."""
    deps: list[Any] = Field(default=[])
    """It runs again when one of these is not equal to what it was."""
    cleanup: Callable[..., Any] | None = None

    @field_validator("deps")
    @classmethod
    def _comparable(cls, deps: list[Any]) -> list[Any]:
        try:
            encode(deps)
        except Unstorable as why:
            # They are compared in the next process, too, after a restart.
            raise ValueError(f"deps must be JSON values: {why}") from None
        return deps
