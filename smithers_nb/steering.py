"""Steering from outside: the registry's commands that write, on an execution that no process has.

The execution is taken with its lease, but without its code: nothing is rendered. What the command wrote is in the
file, and the next resume continues with it.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel, ValidationError

from .bridge import engine
from .commands import COMMANDS, Command, branch_options
from .recording import Store
from .records import NewBranch, NewExecution
from .run import RUNNER, Run, Setup, bring_up
from .version import __version__

STEERING = ("answer", "cancel", "retry", "set_state", "fork")
"""The names of the commands that need no code."""


@dataclass(frozen=True, slots=True)
class Steered:
    """The outcome of a command."""

    execution_id: str
    """The id of the execution; that of the branch, of a fork."""
    name: str
    text: str
    """A sentence that says what was done."""


def steer(path: str, id_or_name: str, command: Command, given: Mapping[str, object]) -> Steered:
    """Execute a command on an execution of a file.

    Raises:
        ValueError: if the arguments are not those of the command.
        ExecutionOwnedError: naming the living process that has it; a fork needs no lease on its parent.
        RunError, ApprovalError: as the command says.
    """
    try:
        arguments = command.arguments(**given)
    except ValidationError as error:
        raise ValueError("; ".join(f"{one['loc'][0]}: {one['msg']}" for one in error.errors())) from None
    if command is COMMANDS["fork"]:
        return engine.call(_forked(path, id_or_name, **dict(arguments)))
    run = engine.call(_taken(path, id_or_name))
    try:
        engine.call(_steered(run, command, arguments))
    finally:
        engine.call(run.close())
    told = f"{run.name} ({run.execution_id}): {command.word} is recorded; resume it to continue."
    return Steered(run.execution_id, run.name, told)


async def _steered(run: Run, command: Command, arguments: BaseModel) -> None:
    """Execute a command, and record how the execution stands after it: nothing moves it before it is resumed."""
    await command.run(run, arguments)
    # Here and not only when it is closed: how it stands is recorded after its writes.
    await run.loop.apply_waiting()
    if asked := run.live.tasks.questions:
        await run.live.record_standing("waiting", f"approval {', '.join(asked)} waits for an answer")
    else:
        await run.live.record_standing("paused", f"{command.word} by hand: it continues when it is resumed")


async def _taken(path: str, id_or_name: str) -> Run:
    """Return an execution without its code, which this process has from here on.

    Raises:
        ExecutionOwnedError: if another living process has it.
    """
    store = Store(path)
    found = store.reader.execution(store.reader.execution_id(id_or_name))
    # Before the lease: a killed process may have left the file to be repaired, or an older release its schema.
    await bring_up(path)
    row = NewExecution(
        execution_id=found.execution_id,
        name=found.name,
        app=found.app,
        code_hash=found.code_hash,
        engine_version=__version__,
        seed=found.seed,
        durability=found.durability,
        reuse=found.reuse,
    )
    return await Run.reopen(_without_code(path), row)


async def _forked(
    path: str,
    id_or_name: str,
    *,
    frame: int | None,
    branch: str | None,
    state: str | None,
    reuse: str | None,
    allow_repeat: str | None,
) -> Steered:
    """Add a branch that is recorded with the code of its parent, and runs when it is resumed."""
    reader = Store(path).reader
    found = reader.execution(reader.execution_id(id_or_name))
    values, reused, allowed = branch_options(
        reader, found.execution_id, frame, state=state, repeated=(reuse, allow_repeat)
    )
    # With the hash of the parent's code: a resume with other code says what that means for the nodes.
    asked = NewBranch(
        parent_id=found.execution_id,
        frame=frame,
        execution_id=secrets.token_hex(6),
        name=branch or None,
        app=found.app,
        code_hash=found.code_hash,
        engine_version=__version__,
        durability=found.durability,
        props=found.props,
        edits=values,
        reuse=reused,
        allow_repeat=allowed,
    )
    run = await Run.fork(_without_code(path), asked)
    try:
        told = f"{run.name} ({run.execution_id}) begins after frame {run.row.forked_at_frame} of {found.name}; "
        return Steered(run.execution_id, run.name, f"{told}resume it to continue.")
    finally:
        await run.close()


def _without_code(path: str) -> Setup:
    # Never rendered: the run is closed before it moves, so that no app and no limits are needed.
    return Setup(app=None, path=path, models={}, limits={}, max_agents=1, runner=RUNNER, max_frames=1)
