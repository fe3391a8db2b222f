"""What the tests of workers send by its name: tools, functions, agents, and an app of them."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic_ai import Agent as OwnAgent
from pydantic_ai.models.test import TestModel

from smithers_nb import Claude, End, Task, component


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
    """Say something, and return it."""
    print(f"printed {text}")
    return text


def with_ctx(ctx: Any) -> int:
    return 1


writer = OwnAgent(TestModel(custom_output_text="by the module's agent"), name="writer")


@component
def Asking(ctx: Any, n: int) -> Any:
    """Asks one agent, and then a second about the answer of the first."""
    first, second = ctx.state.get("first"), ctx.state.get("second")
    if second is not None:
        return End(value=f"{n}: {first}, {second}")
    return [
        Claude(id="first", model="haiku", tools=[look], on_finished=lambda r: ctx.state.set("first", r.output))[
            f"Look up {n}."
        ],
        None
        if first is None
        else Claude(id="second", model="haiku", tools=[look], on_finished=lambda r: ctx.state.set("second", r.output))[
            f"More about {n}, after {first}."
        ],
    ]


def needing(n: int, file: str) -> int:
    if file and not Path(file).exists():
        raise FileNotFoundError(file)
    return n * n


@component
def Counting(ctx: Any, n: int, needs: str = "") -> Any:
    """Lets a worker multiply a number by itself."""
    if (done := ctx.state.get("done")) is not None:
        return End(value=done)
    return Task(id="t", run=needing, args=[n, needs], on_finished=lambda r: ctx.state.set("done", r.output))


@component
def Saying(text: str) -> Any:
    """Ends with a text."""
    if text == "raise":
        raise ValueError(text)
    return End(value=text)


async def pauses(ctx: Any, seconds: float) -> None:
    """Take a while, where the execution runs: it uses ctx."""
    await asyncio.sleep(seconds)


def notes(ctx: Any, file: str) -> str:
    """Leave a mark outside of the execution, where that runs."""
    with Path(file).open("a") as marks:
        marks.write("x")
    return "noted"


@component
def Noting(ctx: Any, n: int, file: str) -> Any:
    """Asks an agent; then calls functions that can't leave the process of the execution."""
    if ctx.state.get("noted"):
        return End(value=ctx.state.get("asked"))
    if ctx.state.get("paused"):
        return Task(id="notes", run=notes, args=[file], on_finished=lambda r: ctx.state.set("noted", True))
    if ctx.state.get("asked"):
        return Task(id="pauses", run=pauses, args=[2], on_finished=lambda r: ctx.state.set("paused", True))
    return Claude(id="asks", model="haiku", on_finished=lambda r: ctx.state.set("asked", r.output))["hi"]
