"""Effects: code that runs after the frame is committed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field

from ..values import storable
from .base import NodeBase
from .given import InOrder


class Effect(NodeBase):
    """Runs after COMMIT when it mounts and whenever its deps change; its cleanup runs before the next run and
    when it unmounts. Both may write state; the outside world is theirs too, at least once.
    """

    type: Literal["effect"] = "effect"
    run: Callable[..., Any]
    """Called with ``ctx`` if its signature names it."""
    # They are compared in the next process, too, after a restart: so they are JSON.
    deps: Annotated[list[Any], InOrder, AfterValidator(storable)] = Field(default=[])
    """It runs again when one of these is not equal to what it was."""
    cleanup: Callable[..., Any] | None = None

    instead_of_children: ClassVar[str | None] = "What it does says run={…}."
