"""Steering from outside: the registry's commands that write, on an execution that no process has.

The execution is taken with its lease, but without its code: nothing is rendered. What the command wrote is in the
file, and the next resume continues with it.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ValidationError

from .bridge import engine
from .commands import Command
from .recording import Store
from .records import NewExecution
from .run import RUNNER, Run, Setup, bring_up
from .version import __version__


def steer(path: str, id_or_name: str, command: Command, given: Mapping[str, object]) -> str:
    """Execute a command on an execution of a file, and return a sentence that says so.

    Raises:
        ValueError: if the arguments are not those of the command.
        ExecutionOwnedError: naming the living process that has it.
        RunError, ApprovalError: as the command says.
    """
    try:
        arguments = command.arguments(**given)
    except ValidationError as error:
        raise ValueError("; ".join(f"{one['loc'][0]}: {one['msg']}" for one in error.errors())) from None
    run = engine.call(_taken(path, id_or_name))
    try:
        engine.call(_steered(run, command, arguments))
    finally:
        engine.call(run.close())
    return f"{run.name} ({run.execution_id}): {command.word} is recorded; resume it to continue."


async def _steered(run: Run, command: Command, arguments: BaseModel) -> None:
    """Execute a command, and record how the execution stands after it: nothing moves it before it is resumed."""
    await command.run(run, arguments)
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
    # Never rendered: the run is closed before it moves, so that no app and no limits are needed.
    setup = Setup(app=None, path=path, models={}, limits={}, max_agents=1, runner=RUNNER, max_frames=1)
    return await Run.reopen(setup, row)
