"""The messages of the browser to the kernel: requests for panes, and commands. See ``protocol``."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, create_model

from .. import commands
from ..history.panes.protocol import Get


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Hello(_Message):
    """A view was opened, or saw a gap in ``seq``: the kernel pushes a fresh summary."""

    type: Literal["hello"]
    protocol: int


class LookMessage(_Message):
    """Asks for panes, answered together."""

    type: Literal["look"]
    gets: tuple[Get, ...] = Field(max_length=12)


class Ping(_Message):
    """Asks whether the kernel still has this stepper; a pong answers at once."""

    type: Literal["ping"]
    id: str


class Show(_Message):
    """Shows another execution of the family in this stepper: the running one, or its records where none runs here."""

    type: Literal["show"]
    execution_id: str


class CommandMessage(_Message):
    """A command of the registry, with its arguments."""

    type: Literal["command"]
    id: str
    name: str
    # It may have waited in a busy kernel while another view of this stepper chose a branch: it must not step that one.
    execution_id: str | None = None
    """The execution that the page shows; None for whichever is shown."""

    @property
    def command(self) -> commands.Command:
        return commands.COMMANDS[self.name]


class Move(CommandMessage):
    """A command that moves or halts the execution."""

    ask: tuple[Get, ...] = Field(default=(), max_length=12)
    """The requests for the place that it leads to: answered with its end, which saves a round trip."""


def _message(command: commands.Command) -> type[CommandMessage]:
    """Return the message of a command: its name, and its arguments beside it."""
    fields: dict[str, Any] = {"name": (Literal[command.name], ...)}  # Any: what create_model takes
    for name, field in command.arguments.model_fields.items():
        fields[name] = (field.annotation, field)
    title = "".join(word.title() for word in command.name.split("_"))
    base = CommandMessage
    if command.effect in ("moves", "halts"):
        base = Move
    return create_model(title, __base__=base, __doc__=command.doc, **fields)


AnyCommand: Any = Annotated[reduce(or_, map(_message, commands.COMMANDS.values())), Field(discriminator="name")]

_AnyMessage: Any = Annotated[Hello | Ping | Show | AnyCommand | Get | LookMessage, Field(discriminator="type")]

incoming: TypeAdapter[Hello | Ping | Show | CommandMessage | Get | LookMessage] = TypeAdapter(_AnyMessage)
"""Checks a message of the browser's; raises ``pydantic.ValidationError``."""
