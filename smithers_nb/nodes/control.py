"""Nodes that decide what exists."""

from __future__ import annotations

from typing import Literal

from .base import NodeBase


class If(NodeBase):
    """Its children exist only where the condition is true; nothing below a false one is rendered or run."""

    type: Literal["if"] = "if"
    condition: bool
