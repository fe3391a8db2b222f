"""What the browser says to the kernel: requests for panes, and commands. See ``protocol``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from ..history.panes.protocol import Get

MoveName = Literal["step_phase", "step_frame", "continue", "until_idle", "pause", "stop"]


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Hello(_Message):
    """A view was opened, or saw a gap in ``seq``: the kernel pushes a fresh summary."""

    type: Literal["hello"]
    protocol: int


class Look(_Message):
    """Asks for panes, answered together."""

    type: Literal["look"]
    gets: tuple[Get, ...] = Field(max_length=12)


class Ping(_Message):
    """Asks whether the kernel still has this stepper; a pong answers at once."""

    type: Literal["ping"]
    id: str


class _Command(_Message):
    type: Literal["command"]
    id: str


class Move(_Command):
    """Steps, runs, pauses or stops."""

    name: MoveName
    ask: tuple[Get, ...] = Field(default=(), max_length=12)
    """What is asked of the place that it leads to: answered with its end, which saves a round trip."""


class EditPending(_Command):
    """Changes a pending write."""

    name: Literal["edit_pending"]
    write: str
    value: str
    """JSON."""


class DropPending(_Command):
    """Lets a pending write fall."""

    name: Literal["drop_pending"]
    write: str


class Steer(_Command):
    """Ends the task of a node, or runs it again."""

    name: Literal["cancel", "retry"]
    node: str


class Answer(_Command):
    """Answers an approval, by its id or its node's."""

    name: Literal["answer"]
    approval: str
    choice: str
    comment: str | None = None


class BreakAdd(_Command):
    """Sets a breakpoint."""

    name: Literal["break_add"]
    kind: Literal["node", "key", "handler", "phase", "error", "expression"]
    target: str | None = None
    event: str | None = None
    value: str | None = None
    when: str | None = None
    once: bool = False
    log_only: bool = False
    after: int = 1


class BreakCheck(_Command):
    """Asks whether an expression is one."""

    name: Literal["break_check"]
    when: str


class BreakRemove(_Command):
    """Removes a breakpoint."""

    name: Literal["break_remove"]
    breakpoint: str


class BreakChange(_Command):
    """Changes a breakpoint; what is not named stays."""

    name: Literal["break_change"]
    breakpoint: str
    enabled: bool | None = None
    once: bool | None = None
    log_only: bool | None = None
    when: str | None = None


Steering = EditPending | DropPending | Steer | Answer | BreakAdd | BreakCheck | BreakRemove | BreakChange
"""Commands that move nothing: they neither wait for a move nor hold one up."""

Command = Annotated[Move | Steering, Field(discriminator="name")]

Message = Annotated[Hello | Ping | Command | Get | Look, Field(discriminator="type")]

incoming: TypeAdapter[Hello | Ping | Move | Steering | Get | Look] = TypeAdapter(Message)
"""Checks a message of the browser's; raises ``pydantic.ValidationError``."""
