"""``ex.replay``: a recorded execution once more, offline, and held against its recording."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from .agents.pydantic_ai import PydanticAiRunner
from .engine.code import code_hash, name_of
from .engine.loop import Loop
from .engine.opening import Opening, create
from .errors import SmithersError
from .records import NewExecution
from .store.connection import Database
from .store.reader import Reader
from .store.recorded import Recorded
from .version import __version__

if TYPE_CHECKING:
    from .engine.replaying import Replaying
    from .history.compare import Difference

Tasks = Literal["recorded", "run"]


@dataclass(frozen=True, kw_only=True)
class Replayed:
    """The numbers and differences of a replay."""

    execution_id: str
    """Id of the replay: an execution of its own in the same file."""
    frames: int
    """The number of frames of the replay."""
    answers: int
    """The number of requests that were answered from the recording."""
    requests: int
    """The number of requests that a model answered: none."""
    differences: tuple[Difference, ...]
    """The differences from the recording, the earliest first: plan, state, writes, handlers, effects, tasks, tools."""
    notes: tuple[str, ...]
    """The actions of people that could not be repeated, in words."""


async def replay(
    app: object,
    reader: Reader,
    execution_id: str,
    name: str,
    models: dict[str, Any],  # Any: pydantic-ai's Model
    tasks: Tasks,
    max_frames: int,
) -> Replayed:
    """Run an app as the execution is recorded, as a new execution of the same file; return the outcome.

    ``models`` replace others by name. No request reaches them, but the way in which they ask for typed output counts.

    Raises:
        ReplayMismatchError: if an agent, a task or an approval needs something that was not recorded.
        StoreError: if the recording is not complete.
    """
    from .engine.replaying import Replaying

    recorded = Recorded(reader, execution_id)
    row = NewExecution(
        execution_id=secrets.token_hex(6),
        name=name,
        app=name_of(app),
        code_hash=code_hash(app),
        engine_version=__version__,
        seed=recorded.execution.seed,
        kind="replay",
        parent_id=execution_id,
        forked_at_frame=0,
    )
    replaying = Replaying(recorded, tasks == "run")
    from .history.compare import differences  # Only here: every program imports this module, and few replay.

    # A connection of its own: the recording may be of an execution that runs, or of another process.
    database = await Database.open(reader.path)
    try:
        # No request is made, so as many agents as there are may run at a time.
        opening = Opening(app, database, PydanticAiRunner(), models, max_agents=10**9, replay=replaying)
        frames = await _followed(await create(row, opening, recorded.first_state()), replaying, max_frames)
    finally:
        await database.close()
    answers = reader.answers(row.execution_id)
    requests = answers.pop("model", 0)
    return Replayed(
        execution_id=row.execution_id,
        frames=frames,
        answers=sum(answers.values()),
        requests=requests,
        differences=tuple(differences(reader, execution_id, row.execution_id)),
        notes=tuple(replaying.notes),
    )


async def _followed(loop: Loop, replaying: Replaying, max_frames: int) -> int:
    """Make the frames of the recording, and return how many there are."""
    try:
        await replaying.follow(loop, max_frames)
    except SmithersError as error:
        # The replay stays in the file, up to this frame, to be compared with its recording.
        error.at(frame=loop.live.committed.frame)
        what, _, _ = str(error).partition(". ")
        await loop.terminate(f"the replay stopped: {what}")
        raise
    finally:
        await loop.close()
    return loop.live.committed.frame
