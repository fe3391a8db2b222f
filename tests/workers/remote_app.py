"""What the tests of workers send by its name: tools, functions, agents, and an app of them."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from pydantic import BaseModel
from pydantic_ai import Agent as OwnAgent
from pydantic_ai.models.test import TestModel


class Note(BaseModel):
    title: str


class Box:
    """An object whose method is no function of a module."""

    def add(self, n: int) -> int:
        """Add one."""
        return n + 1


def look(n: int) -> int:
    """Look something up."""
    return 2 * n


async def ponder(n: int) -> int:
    """Take a while."""
    await asyncio.sleep(0.05)
    return n + 1


def square(n: int) -> int:
    return n * n


def fails(text: str) -> None:
    raise ValueError(text)


def slow(seconds: float) -> str:
    time.sleep(seconds)
    return "done"


def says(text: str) -> str:
    print(f"printed {text}")
    return text


def with_ctx(ctx: Any) -> int:
    return 1


writer = OwnAgent(TestModel(custom_output_text="by the module's agent"), name="writer")
