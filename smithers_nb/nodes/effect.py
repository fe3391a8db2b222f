"""Effects: code that runs after the frame is committed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field

from ..values import storable
from .base import NodeBase
from .given import InOrder


class Effect(NodeBase):
    """Code that runs after COMMIT when it mounts and whenever its deps change. The cleanup runs before the next run
    and on unmounting. Both may write state, and may act on the outside world, at least once.
    """

    type: Literal["effect"] = "effect"
    run: Callable[..., Any]
    """Called with ``ctx`` if its signature names it."""
    # Storable, because the next process compares them, too, after a restart.
    deps: Annotated[list[Any], InOrder, AfterValidator(storable)] = Field(default=[])
    """Values that the effect depends on: it runs again when one of them has changed."""
    cleanup: Callable[..., Any] | None = None

    instead_of_children: ClassVar[str | None] = "Its code is a function: run={…}."
