"""``Node``: the closed union of everything that a plan is made of."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from .base import NodeBase
from .control import If
from .effect import Effect
from .runnable import Claude, Task
from .structure import Parallel, Phase, Sequence, Step, Text

Node = Annotated[
    Text | If | Sequence | Phase | Step | Parallel | Claude | Task | Effect,
    Field(discriminator="type"),
]

TAGS: dict[str, type[NodeBase]] = {
    node.model_fields["type"].default: node
    for node in (Text, If, Sequence, Phase, Step, Parallel, Claude, Task, Effect)
}
"""Node class by its lower-case tag."""
