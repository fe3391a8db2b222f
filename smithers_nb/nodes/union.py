"""``Node``: the closed union of the nodes of a plan."""

from __future__ import annotations

from typing import Annotated, get_args

from pydantic import Field

from .base import NodeBase
from .control import Case, Default, Each, End, If, Ralph, Stop, Switch, While
from .effect import Effect
from .parts import Audio, Document, Image, Video
from .runnable import Agent, Approval, Claude, Smithers, Task
from .structure import Parallel, Phase, Sequence, Step, Text

# Closed: the store, the scheduler and the widget know each type. Users add components, which add no type.
Node = Annotated[
    Text
    | Sequence
    | Phase
    | Step
    | Parallel
    | If
    | Switch
    | Case
    | Default
    | Each
    | While
    | Ralph
    | Stop
    | End
    | Claude
    | Agent
    | Task
    | Approval
    | Smithers
    | Effect
    | Image
    | Audio
    | Video
    | Document,
    Field(discriminator="type"),
]

TAGS: dict[str, type[NodeBase]] = {node.model_fields["type"].default: node for node in get_args(get_args(Node)[0])}
"""Node class by its lower-case tag."""
NODES = frozenset(TAGS.values())
"""All of the union's classes."""
