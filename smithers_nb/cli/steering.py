"""The registry's commands that write, on an execution that no process has.

The execution is taken with its lease, but without its code: nothing is rendered. What the command wrote is in the
file, and the next resume continues with it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, get_type_hints

from pydantic import BaseModel, ValidationError

from ..bridge import engine
from ..commands import COMMANDS, Command
from ..recording import Store
from ..records import NewExecution
from ..run import RUNNER, Run, Setup, bring_up
from ..version import __version__
from .listing import DB
from .looking import Id
from .shown import print_text


def _handler(command: Command) -> Callable[..., int]:
    """Return the handler of a word: the id of an execution, then the arguments of the command."""

    def handler(id: str, *, db: str = "smithers.db", **given: Any) -> int:  # Any: checked by the command's model
        try:
            arguments = command.arguments(**given)
        except ValidationError as error:
            raise ValueError("; ".join(f"{one['loc'][0]}: {one['msg']}" for one in error.errors())) from None
        run = engine.call(_taken(db, id))
        try:
            engine.call(_steered(run, command, arguments))
        finally:
            engine.call(run.close())
        print_text(f"{run.name} ({run.execution_id}): {command.word} is recorded; resume it to continue.")
        return 0

    own = list(inspect.signature(command.handler).parameters.values())[1:]
    types = get_type_hints(command.handler, include_extras=True)
    id_, db = list(inspect.signature(handler).parameters.values())[:2]
    # A comment or arguments as JSON are options here: a shell quotes them, where a line of words takes the rest.
    needed = [one for one in own if one.default is one.empty]
    named = [one.replace(kind=one.KEYWORD_ONLY) for one in own if one.default is not one.empty]
    handler.__signature__ = inspect.Signature([id_, *needed, *named, db])  # type: ignore[attr-defined]
    handler.__doc__ = command.doc
    handler.__annotations__ = {**{one.name: types[one.name] for one in own}, "id": Id, "db": DB}
    return handler


async def _steered(run: Run, command: Command, arguments: BaseModel) -> None:
    """Execute a command, and record how the execution stands after it: nothing moves it before it is resumed."""
    await command.run(run, arguments)
    if asked := run.live.tasks.questions:
        await run.live.record_standing("waiting", f"approval {', '.join(asked)} waits for an answer")
    else:
        await run.live.record_standing("paused", f"{command.word} by hand: it continues when it is resumed")


async def _taken(db: str, id_or_name: str) -> Run:
    """Return an execution without its code, which this process has from here on.

    Raises:
        ExecutionOwnedError: if another living process has it.
    """
    store = Store(db)
    found = store.reader.execution(store.reader.execution_id(id_or_name))
    # Before the lease: a killed process may have left the file to be repaired, or an older release its schema.
    await bring_up(db)
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
    setup = Setup(app=None, path=db, row=row, models={}, limits={}, max_agents=1, runner=RUNNER, max_frames=1)
    return await Run.reopen(setup)


HANDLERS = {word: _handler(COMMANDS[word]) for word in ("answer", "cancel", "retry")}
"""The handlers by word."""
