"""The commands of a run, each once: name, typed arguments, docstring and handler.

The stepper's messages and the words of ``%smithers`` are made from them. Arguments are JSON and have descriptions, so
that a command line or a server of tools can be made from the same table.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal, get_args, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, create_model

from . import looks
from .arguments import choices
from .engine.tasks.answers import NO_RESULT, given
from .engine.tasks.entry import ENDED
from .errors import without_place
from .execution import execution_of
from .fork import forked, in_place_of, recorded_state
from .history.matching import NAMES
from .nodes.tree import EMPTY
from .predicting import LEARNER, said_in
from .records import REUSED, Breakpoint, BreakpointKind, Frame, Reusable, RunResult
from .records.publication import Publication
from .records.words import short
from .run import Run
from .store.reader import Reader
from .syntax.expression import Expression
from .values import Stored, decode

Effect = Literal["moves", "halts", "writes", "looks"]
"""The effect of a command on its execution. One that moves it runs alone; the others neither wait for it nor hold it
up: one that halts ends what moves, one that writes changes the records, and one that looks changes nothing."""

Handler = Callable[..., Awaitable[object]]  # ...: the run, then the arguments by name

Offers = Callable[[Publication], Iterable[str]]


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True)
class InWords:
    """The reading of an argument in a line of words; other faces ignore it."""

    offers: Offers | None = None
    """Returns the values that the present state suggests."""
    rest: bool = False
    """True if it takes all that is left of the line as it is written, with spaces and quotes."""


@dataclass(frozen=True, slots=True)
class JsonText:
    """Marks an argument that is JSON as a text; a face whose arguments are JSON themselves takes the value, too."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command: the face that takes it checks the arguments with the model, and runs it on the engine's loop."""

    name: str
    word: str
    """The name that a person types."""
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
        # A forked child has the memory of the run, but neither its engine's thread nor its lease.
        run.refuse_in_a_fork()
        arguments = {name: getattr(given, name) for name in self.arguments.model_fields}
        result = await self.handler(run, **arguments)
        if self.effect == "writes":  # Moves notify after each phase; these have none.
            run.live.services.observers.notify()
        return result


COMMANDS: dict[str, Command] = {}
"""All commands by name."""


def arguments_of(handler: Callable[..., object], like: Callable[..., object] | None = None) -> type[BaseModel]:
    """Return the model of a handler's arguments, without the first one: the run, or what stands for it. Descriptions
    are those of ``like``, if it is given.
    """
    # With extras: descriptions, limits and suggestions stand in Annotated, once for all faces.
    types = get_type_hints(handler, include_extras=True)
    fields: dict[str, Any] = {}  # Any: what create_model takes
    for parameter in list(inspect.signature(handler).parameters.values())[1:]:
        default = parameter.default
        if default is parameter.empty:
            default = ...  # pydantic's sign for an argument that is needed
        declared = types[parameter.name]
        if like is not None:
            declared = Annotated[declared, Field(description=_description(like, parameter.name))]
        fields[parameter.name] = (declared, default)
    return create_model(f"{handler.__name__}_arguments", __base__=_Arguments, **fields)


def _description(handler: Callable[..., object], argument: str) -> str:
    """Return the description of an argument: the text in its ``Annotated``."""
    _, *others = get_args(get_type_hints(handler, include_extras=True)[argument])
    return next(one for one in others if isinstance(one, str))


def _command(
    effect: Effect, word: str | None = None, like: Callable[..., object] | None = None
) -> Callable[[Handler], Handler]:
    """Register a handler under its name, which ends in "_" where it is a word of Python's; ``like`` has its words."""

    def register(handler: Handler) -> Handler:
        name = handler.__name__.rstrip("_")
        COMMANDS[name] = Command(
            name=name,
            word=word or name,
            effect=effect,
            doc=inspect.getdoc(like or handler) or "",
            arguments=arguments_of(handler, like),
            handler=handler,
        )
        return handler

    return register


# ---- arguments that several commands have ----------------------------------------------------------------------


def _begun(now: Publication) -> Iterable[str]:
    return (task.node_id for task in now.tasks if task.status not in ENDED)


def _ended(now: Publication) -> Iterable[str]:
    return (task.node_id for task in now.tasks if task.status in ENDED)


def _choices(now: Publication) -> Iterable[str]:
    options = (option for question in now.asked for option in question.options)
    return dict.fromkeys(options)


WriteId = Annotated[
    str,
    InWords(lambda now: (write.id for write in now.pending)),
    Field(description="the id of a pending write"),
]
NewValue = Annotated[str, InWords(rest=True), JsonText(), Field(description="the new value as JSON")]
EndedNode = Annotated[str, InWords(_ended), Field(description="the id of a node whose task has ended")]
BreakpointId = Annotated[
    str,
    InWords(lambda now: (point.id for point in now.breakpoints)),
    Field(description="the id of a breakpoint"),
]
_WHEN = Field(description="an expression over state, prev, node, frame and writes")


# ---- moving and halting ----------------------------------------------------------------------------------------


@_command("moves", word="phase")
async def step_phase(run: Run) -> Frame:
    """Runs the next phase."""
    return await run.step_phase()


@_command("moves", word="step")
async def step_frame(run: Run, frames: Annotated[int, Field(ge=1, description="the number of frames")] = 1) -> Frame:
    """Runs one frame, up to its rest; or several, up to a breakpoint."""
    frame = await run.step()
    for _ in range(frames - 1):
        if run.over or run.hit is not None:
            break
        frame = await run.step()
    return frame


@_command("moves", word="run")
async def continue_(
    run: Run, frames: Annotated[int | None, Field(ge=1, description="the most frames")] = None
) -> RunResult:
    """Runs to the end, to a breakpoint, or for the given number of frames."""
    return await run.run(max_frames=frames)


@_command("moves")
async def until(
    run: Run,
    condition: Annotated[
        str,
        InWords(lambda now: now.state, rest=True),
        Field(description="a state key, or an expression such as state['n'] > 3"),
    ],
) -> RunResult:
    """Runs until the key of the state, or the expression, is true."""
    return await run.run(until=condition)


@_command("moves")
async def until_idle(run: Run) -> RunResult:
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
    """Return the reason why "Until idle" stops at a frame."""
    if not frame.problems:
        return None
    first, *others = frame.problems
    words = (
        f"frame {frame.number} has a problem: {first.kind}: {short(without_place(first.message).splitlines()[0], 120)}"
    )
    if others:
        words += f" (and {len(others)} more)"
    return words


# ---- pending writes, tasks and approvals -----------------------------------------------------------------------


@_command("writes", word="edit")
async def edit_pending(
    run: Run,
    write: WriteId,
    value: NewValue,
) -> None:
    """Changes a pending write to a value, given as JSON."""
    await run.edit_pending(write, _json(value))


@_command("writes", word="drop")
async def drop_pending(run: Run, write: WriteId) -> None:
    """Discards a pending write."""
    await run.drop_pending(write)


@_command("writes")
async def cancel(
    run: Run, node: Annotated[str, InWords(_begun), Field(description="the id of a node with a running task")]
) -> None:
    """Ends the task of a node."""
    await run.live.tasks.cancel(node)


@_command("writes")
async def retry(run: Run, node: EndedNode) -> None:
    """Runs the task of a node again."""
    await run.live.tasks.retry(node)


@_command("writes")
async def handle_again(run: Run, node: EndedNode) -> None:
    """Calls the handler of a node again, on its recorded result."""
    await run.live.tasks.handle_again(node)


@_command("writes")
async def answer(
    run: Run,
    approval: Annotated[
        str, InWords(lambda now: now.names), Field(description="the id of an approval, or of its node")
    ],
    choice: Annotated[str, InWords(_choices), Field(description="one of the options")],
    comment: Annotated[str | None, InWords(rest=True), Field(description="a comment for the records")] = None,
    args: Annotated[
        str | None,
        InWords(rest=True),
        JsonText(),
        Field(description="arguments of the tool instead of the model's, as JSON"),
    ] = None,
    result: Annotated[
        str | None,
        InWords(rest=True),
        JsonText(),
        Field(description="the result of a call that is made elsewhere, as JSON"),
    ] = None,
) -> None:
    """Answers an approval, named by its id or its node's."""
    with_args = None if args is None else _json(args)
    with_result = NO_RESULT if result is None else _json(result)
    await run.answer(approval, given(choice, comment, with_args, with_result))


@_command("writes", word="set-state")
async def set_state(
    run: Run,
    key: Annotated[str, InWords(lambda now: now.state), Field(description="a key of the state")],
    value: NewValue,
) -> None:
    """Sets a key of the state to a value, given as JSON: the next frame reads it."""
    # JSON has no dates, sets or models: a key that holds one keeps its class, which the handlers that read it expect.
    cell = run.live.committed.cells.get(key)
    stored = in_place_of(None if cell is None else cell.stored, key, _json(value))
    run.live.context.state.set(key, decode(stored))


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ValueError(f"{text[:60]!r} is no JSON ({error}). A text stands in double quotes.") from None


# ---- predictions ------------------------------------------------------------------------------------------------


@_command("writes")
async def predict(
    run: Run,
    frame: Annotated[int, Field(ge=1, description="the number of the next frame")],
    said: Annotated[
        str | None,
        InWords(rest=True),
        Field(max_length=100_000, description='what it will do, as JSON: {"starts:notes": true}; nothing skips it'),
    ] = None,
    learner: Annotated[str, Field(min_length=1, max_length=200, description="the name of the learner")] = LEARNER,
) -> None:
    """Predicts the next frame: which nodes start, which handlers fire, which keys are written."""
    await run.predictions.add(frame, learner, None if said is None else said_in(said))


# ---- branches ---------------------------------------------------------------------------------------------------


def _frames(now: Publication) -> Iterable[str]:
    """Return the last frames, the newest first."""
    return map(str, range(now.recorded, max(-1, now.recorded - 10), -1))


@_command("writes")
async def fork(
    run: Run,
    frame: Annotated[
        int | None,
        InWords(_frames),
        Field(ge=0, description="the frame after which the branch begins; 0 for the beginning"),
    ] = None,
    branch: Annotated[str | None, Field(description="the name of the branch")] = None,
    state: Annotated[
        str | None, InWords(rest=True), JsonText(), Field(description="values that differ, by key, as a JSON object")
    ] = None,
    # Behind the rest of the line, so that they are given by name: allow_repeat=pay,send_mail
    reuse: Annotated[
        str | None, Field(description="what is answered from the file: agents, tools, approvals, tasks; - for nothing")
    ] = None,
    allow_repeat: Annotated[
        str | None, Field(description="the tasks and tools that may be repeated, separated by commas")
    ] = None,
) -> Run:
    """Makes a branch that begins after a frame, by default the last flushed one."""
    values, reused, allowed = branch_options(
        run.reader, run.execution_id, frame, state=state, repeated=(reuse, allow_repeat)
    )
    return await forked(run, frame, values, name=branch or None, reuse=reused, allow_repeat=allowed)


def branch_options(
    reader: Reader, execution_id: str, frame: int | None, state: str | None, repeated: tuple[str | None, str | None]
) -> tuple[dict[str, Stored], tuple[str, ...], tuple[str, ...]]:
    """Return the state, ``reuse`` and ``allow_repeat`` of a branch from what was typed; the last two as a pair.

    Raises:
        ValueError, NotStorableError: saying what is wrong with them.
        StoreError: if the frame is not there, not flushed, or pruned.
    """
    reuse, allow_repeat = repeated
    edits = {} if state is None else _json(state)
    if not isinstance(edits, dict):
        raise ValueError(f"the state of a branch is a JSON object of values by key, not {state!r:.60}.")
    reused: tuple[str, ...] = REUSED
    if reuse is not None:
        reused = tuple(choices(*get_args(Reusable))("reuse", _listed(reuse)))
    return recorded_state(reader, execution_id, frame, edits), reused, _listed(allow_repeat or "")


def _listed(names: str) -> tuple[str, ...]:
    return tuple(name for name in (one.strip() for one in names.split(",")) if name and name != "-")


@_command("writes")
async def branch_edited(
    run: Run, branch: Annotated[str | None, Field(description="the name of the branch")] = None
) -> Run:
    """Makes a branch with the code of the last --dry, from the frame before the first that differs."""
    edited = run.edited
    if edited is None:
        raise ValueError(
            f"there is no edited code of {run.name}: %%smithers {run.name} --dry, above the edited cell, gives it."
        )
    first = edited.first
    return await forked(run, None if first is None else first - 1, {}, app=edited.app, name=branch or None)


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
) -> Breakpoint:
    """Sets a breakpoint; the result is its id."""
    if not event and kind == "key":
        event = "changed"
    point = Breakpoint(
        id="",
        kind=kind,
        target=target,
        event=event or None,
        value=value,
        when=when or None,
        once=once,
        log_only=log_only,
        after=after,
    )
    return await run.live.breakpoints.add(point)


@_command("looks")
async def break_check(run: Run, when: Annotated[str, InWords(rest=True), _WHEN]) -> None:
    """Checks the expression of a breakpoint."""
    Expression(when, NAMES)


@_command("writes")
async def break_remove(run: Run, breakpoint: BreakpointId) -> None:
    """Removes a breakpoint."""
    await run.live.breakpoints.remove(breakpoint)


@_command("writes")
async def break_change(
    run: Run,
    breakpoint: BreakpointId,
    enabled: bool | None = None,
    once: bool | None = None,
    log_only: bool | None = None,
    when: Annotated[str | None, InWords(rest=True), _WHEN] = None,
) -> None:
    """Changes the named parts of a breakpoint; an empty expression is removed."""
    given: Mapping[str, Any] = {"enabled": enabled, "once": once, "log_only": log_only, "when": when}
    changes = {name: value for name, value in given.items() if value is not None}
    if when == "":
        changes["when"] = None
    await run.live.breakpoints.change(breakpoint, **changes)


# ---- the file that is a run ------------------------------------------------------------------------------------


@_command("looks")
async def export(
    run: Run,
    path: Annotated[
        str,
        Field(description="a page that is a store, run.html, or lines, run.ndjson; by default a page named as the run"),
    ] = "",
    redact: Annotated[
        str | None, Field(description="keys of the state and columns that are removed, separated by commas")
    ] = None,
) -> str:
    """Writes what is recorded to a file, a page or lines, and tells what went out."""
    path = path.strip() or re.sub(r"[^\w.~-]+", "_", run.name) + ".html"
    write = partial(execution_of(run).export, path, redact=_listed(redact or ""), show=False)
    written = await asyncio.to_thread(write)
    return str(getattr(written, "text", written))


# ---- questions --------------------------------------------------------------------------------------------------


# Beside the loop, on a thread of its own each: an answer reads the file, and that of needs renders for up to a second.
# Words and arguments are those of ``looks``, where the same is asked of a file.
AtFrame = Annotated[int | None, Field(ge=1)]


def _asked(now: Publication) -> Iterable[str]:
    """Return what a question may be about: the nodes with an id of their own, and the keys of the state."""
    nodes = (now.frame.tree if now.frame is not None else EMPTY).walk()
    return dict.fromkeys([*(node.id for node in nodes if node.explicit_id), *now.state])


def _followed(now: Publication) -> Iterable[str]:
    return dict.fromkeys([*(task.node_id for task in now.tasks), *now.state])


Target = Annotated[str, InWords(_asked, rest=True)]


@_command("looks", like=looks.why)
async def why(run: Run, target: Target = "", frame: AtFrame = None) -> object:
    return await asyncio.to_thread(execution_of(run).why, looks.as_target(target), frame)


@_command("looks", word="why-not", like=looks.why_not)
async def why_not(run: Run, target: Target = "", frame: AtFrame = None) -> object:
    return await asyncio.to_thread(execution_of(run).why_not, looks.as_target(target), frame)


@_command("looks", like=looks.needs)
async def needs(run: Run, target: Annotated[str, InWords(rest=True)], frame: AtFrame = None) -> object:
    return await asyncio.to_thread(execution_of(run).needs, target, frame)


@_command("looks", like=looks.follow)
async def follow(run: Run, text: Annotated[str, InWords(_followed, rest=True)], frame: AtFrame = None) -> object:
    return await asyncio.to_thread(execution_of(run).follow, text, frame)
