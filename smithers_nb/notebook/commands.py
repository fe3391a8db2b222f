"""What the stepper's commands do, as coroutines for the engine's loop."""

from __future__ import annotations

import json

from ..execution import Execution
from ..history.matching import NAMES
from ..records import Breakpoint, Frame
from ..records.words import short
from ..syntax.expression import Expression
from . import messages as m


async def moved(ex: Execution, name: str) -> object:
    """Do a move."""
    match name:
        case "step_phase":
            return await ex.step_phase()
        case "step_frame":
            return await ex.step()
        case "until_idle":
            return await ex.run(until=_problem)
        case _:
            return await ex.run()


def _problem(frame: Frame) -> str | None:
    """Say why "Until idle" stops at a frame."""
    if not frame.problems:
        return None
    first = frame.problems[0]
    more = f" (and {len(frame.problems) - 1} more)" if len(frame.problems) > 1 else ""
    return f"frame {frame.number} has a problem: {first.kind}: {short(first.message.splitlines()[0], 120)}{more}"


async def steered(ex: Execution, command: m.Steering) -> str | None:
    """Do what moves nothing; return the id of a new breakpoint.

    Raises:
        RunError, ApprovalError, NotStorableError, ValueError: in words that the stepper shows.
    """
    live = ex.live
    match command:
        case m.EditPending():
            await live.edit_pending(ex.draft, command.write, _json(command.value))
        case m.DropPending():
            await live.drop_pending(ex.draft, command.write)
        case m.Steer(name="cancel"):
            await live.tasks.cancel(command.node)
        case m.Steer():
            await live.tasks.retry(command.node)
        case m.Answer():
            await live.answer(command.approval, command.choice, command.comment)
        case m.BreakAdd():
            return (await live.breakpoints.add(_point(command))).id
        case m.BreakCheck():
            Expression(command.when, NAMES)
        case m.BreakRemove():
            await live.breakpoints.remove(command.breakpoint)
        case m.BreakChange():
            changes = command.model_dump(exclude={"type", "id", "name", "breakpoint"}, exclude_none=True)
            if "when" in changes:
                changes["when"] = changes["when"] or None
            await live.breakpoints.change(command.breakpoint, **changes)
    live.observers.notify()
    return None


def _point(command: m.BreakAdd) -> Breakpoint:
    return Breakpoint(
        "",
        command.kind,
        command.target,
        command.event or ("changed" if command.kind == "key" else None),
        command.value,
        command.when or None,
        command.once,
        True,
        command.log_only,
        command.after,
    )


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ValueError(f"{text[:60]!r} is no JSON ({error}). A text stands in double quotes.") from None
