"""The commands of an execution, each once: name, typed arguments, docstring and handler.

The stepper's messages are made from them. Their arguments are JSON, so that a command line can read them as well.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal, get_type_hints

from pydantic import BaseModel, ConfigDict, create_model

from .history.matching import NAMES
from .records import Breakpoint, BreakpointKind, Frame
from .records.words import short
from .run import Run
from .syntax.expression import Expression

Effect = Literal["moves", "halts", "writes", "looks"]
"""The effect of a command on its execution. One that moves it runs alone; the others neither wait for it nor hold it
up: one that halts ends what moves, one that writes changes the records, and one that looks changes nothing."""

Handler = Callable[..., Awaitable[object]]  # ...: the run, then the arguments by name


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True)
class Command:
    """A command: the face that takes it checks the arguments with the model, and runs it on the engine's loop."""

    name: str
    effect: Effect
    doc: str
    arguments: type[BaseModel]
    """The model of the arguments, made from the handler's signature."""
    handler: Handler

    async def run(self, run: Run, given: BaseModel) -> object:
        """Execute it, on the engine's loop; ``given`` has the arguments as attributes.

        Raises:
            RunError, ApprovalError, NotStorableError, ValueError: with a message that is shown as it is.
            StoreError: in the child of a fork, too.
        """
        run.refuse_in_a_fork()
        arguments = {name: getattr(given, name) for name in self.arguments.model_fields}
        result = await self.handler(run, **arguments)
        if self.effect == "writes":
            run.live.services.observers.notify()
        return result


COMMANDS: dict[str, Command] = {}
"""All commands by name."""


def _command(effect: Effect) -> Callable[[Handler], Handler]:
    """Register a handler under its name, which ends in "_" where it is a word of Python's."""

    def register(handler: Handler) -> Handler:
        name = handler.__name__.rstrip("_")
        types = get_type_hints(handler)
        fields: dict[str, Any] = {}  # Any: what create_model takes
        for parameter in list(inspect.signature(handler).parameters.values())[1:]:
            default = ... if parameter.default is parameter.empty else parameter.default
            fields[parameter.name] = (types[parameter.name], default)
        arguments = create_model(f"{name}_arguments", __base__=_Arguments, **fields)
        COMMANDS[name] = Command(
            name=name, effect=effect, doc=inspect.getdoc(handler) or "", arguments=arguments, handler=handler
        )
        return handler

    return register


# ---- moving and halting ----------------------------------------------------------------------------------------


@_command("moves")
async def step_phase(run: Run) -> object:
    """Runs the next phase."""
    return await run.step_phase()


@_command("moves")
async def step_frame(run: Run) -> object:
    """Runs one frame, up to its rest."""
    return await run.step()


@_command("moves")
async def continue_(run: Run) -> object:
    """Runs to the end, or to a breakpoint."""
    return await run.run()


@_command("moves")
async def until_idle(run: Run) -> object:
    """Runs until nothing is left to do, or a frame has a problem."""
    return await run.run(until=_problem)


@_command("halts")
async def pause(run: Run) -> None:
    """Ends the running move after its phase; tasks continue."""
    run.pause()


@_command("halts")
async def stop(run: Run) -> None:
    """Ends the running move and interrupts the tasks; a later step runs them again."""
    await run.stop()


def _problem(frame: Frame) -> str | None:
    """Say why "Until idle" stops at a frame."""
    if not frame.problems:
        return None
    first = frame.problems[0]
    more = f" (and {len(frame.problems) - 1} more)" if len(frame.problems) > 1 else ""
    return f"frame {frame.number} has a problem: {first.kind}: {short(first.message.splitlines()[0], 120)}{more}"


# ---- pending writes, tasks and approvals -----------------------------------------------------------------------


@_command("writes")
async def edit_pending(run: Run, write: str, value: str) -> None:
    """Changes a pending write to a value, given as JSON."""
    await run.edit_pending(write, _json(value))


@_command("writes")
async def drop_pending(run: Run, write: str) -> None:
    """Discards a pending write."""
    await run.drop_pending(write)


@_command("writes")
async def cancel(run: Run, node: str) -> None:
    """Ends the task of a node."""
    await run.live.tasks.cancel(node)


@_command("writes")
async def retry(run: Run, node: str) -> None:
    """Runs the task of a node again."""
    await run.live.tasks.retry(node)


@_command("writes")
async def handle_again(run: Run, node: str) -> None:
    """Calls the handler of a node again, on its recorded result."""
    await run.live.tasks.handle_again(node)


@_command("writes")
async def answer(run: Run, approval: str, choice: str, comment: str | None = None) -> None:
    """Answers an approval, named by its id or its node's."""
    await run.answer(approval, choice, comment)


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ValueError(f"{text[:60]!r} is no JSON ({error}). A text stands in double quotes.") from None


# ---- breakpoints -----------------------------------------------------------------------------------------------


@_command("writes")
async def break_add(
    run: Run,
    kind: BreakpointKind,
    target: str | None = None,
    event: str | None = None,
    value: str | None = None,
    when: str | None = None,
    once: bool = False,
    log_only: bool = False,
    after: int = 1,
) -> str:
    """Sets a breakpoint; the result is its id."""
    point = Breakpoint(
        id="",
        kind=kind,
        target=target,
        event=event or ("changed" if kind == "key" else None),
        value=value,
        when=when or None,
        once=once,
        log_only=log_only,
        after=after,
    )
    return (await run.live.breakpoints.add(point)).id


@_command("looks")
async def break_check(run: Run, when: str) -> None:
    """Checks the expression of a breakpoint."""
    Expression(when, NAMES)


@_command("writes")
async def break_remove(run: Run, breakpoint: str) -> None:
    """Removes a breakpoint."""
    await run.live.breakpoints.remove(breakpoint)


@_command("writes")
async def break_change(
    run: Run,
    breakpoint: str,
    enabled: bool | None = None,
    once: bool | None = None,
    log_only: bool | None = None,
    when: str | None = None,
) -> None:
    """Changes the named parts of a breakpoint; an empty expression is removed."""
    given = {"enabled": enabled, "once": once, "log_only": log_only, "when": when}
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if when == "":
        changes["when"] = None
    await run.live.breakpoints.change(breakpoint, **changes)
