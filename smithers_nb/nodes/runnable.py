"""Nodes that start a task when they mount and their turn has come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field

from ..values import storable
from .base import NodeBase


class Claude(NodeBase):
    """An agent: its children are the prompt, its reply is the result's ``output``. Runs on pydantic-ai."""

    type: Literal["claude"] = "claude"
    model: Any = "sonnet"  # Any: pydantic-ai's Model, which must not be imported before it is needed
    """``haiku``, ``sonnet`` or ``opus``; any model id of pydantic-ai, such as ``openai:gpt-5``; a model object of
    pydantic-ai; or ``scripted(…)``."""
    system: str | None = None
    """Instructions that come before the prompt."""
    tools: list[Callable[..., Any]] = Field(default=[])
    """Functions that the model may call."""
    output_type: Any = None  # Any: a pydantic model, or another type that pydantic-ai takes
    """The type of the output; None for text. A reply that does not fit is sent back to the model."""
    max_turns: int = Field(default=50, ge=1)
    """How many requests it may make to the model."""
    timeout_s: float | None = Field(default=None, gt=0)
    """Seconds until it fails; None for as long as it takes."""

    runnable: ClassVar[bool] = True
    takes_text: ClassVar[bool] = True


class Task(NodeBase):
    """A Python function as a node: async on the engine's loop, or sync in a worker thread.

    It is called with ``ctx`` if its signature names it, then with ``args``; what it returns is the result's
    ``output``, and must be storable. A task that was running when its process died is run again.
    """

    type: Literal["task"] = "task"
    run: Callable[..., Any]
    args: list[Any] | dict[str, Any] = Field(default=[])
    """Positional arguments as a list, or keyword arguments as a dict."""
    retries: int = Field(default=0, ge=0)
    """How many times it is tried again after it raised."""
    timeout_s: float | None = Field(default=None, gt=0)
    """Seconds that one attempt may take; None for as long as it takes."""

    runnable: ClassVar[bool] = True


class Approval(NodeBase):
    """Waits for a person, who answers in the stepper or by ``ex.answer(id, choice)``. It survives a restart.

    The result's ``output`` is the choice, its ``text`` the comment, or the choice if there is none.
    """

    type: Literal["approval"] = "approval"
    prompt: str
    options: list[str] = Field(default=["approve", "deny"], min_length=1)
    kind: str = "approval"
    """What sort of decision it is, in a word, for whoever filters them."""
    payload: Annotated[Any, AfterValidator(storable)] = None  # Any: anything storable; what is to be decided on

    runnable: ClassVar[bool] = True


class Smithers(NodeBase):
    """A child execution of a component, with frames of its own, linked to this one by its parent_id.

    The result's ``output`` is the value of the child's ``End``. It is cancelled with its parent.
    """

    type: Literal["smithers"] = "smithers"
    component: Any  # Any: a component; nodes must not import the renderer to check it
    args: dict[str, Any] = Field(default={})
    """The component's props."""
    max_frames: int = Field(default=1000, ge=1)

    runnable: ClassVar[bool] = True
