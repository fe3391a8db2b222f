"""The function ``sweep``: many executions of an app that differ in chosen values."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any, get_args

from .. import arguments as check
from ..agents.runner import Runner
from ..arguments import optional, takes
from ..engine.code import name_of
from ..engine.services import MAX_AGENTS
from ..engine.user_code.scope import refuse_while_rendering
from ..execution import OPTIONS, until_check
from ..fork import first_state
from ..recording import History, Store
from ..records import Durability
from ..run import RUNNER, Setup, Until, checked_limits
from .opening import Ground, SweepCall, begin, known_of
from .sweep import Sweep


@takes(
    **{**OPTIONS, "name": optional(check.full_text)},
    state=optional(check.mapping),
    until=optional(until_check),
    max_parallel=check.whole(1),
    seed=check.whole(),
    durability=check.choice(*get_args(Durability)),
    strict_effects=check.flag,
    progress=check.flag,
)
def sweep(
    app: object,
    vary: Mapping[str, Any] | Iterable[Mapping[str, Any]],
    *,
    props: Mapping[str, Any] | None = None,
    store: str | os.PathLike[str] | Store = "smithers.db",
    repeat: int = 1,
    score: Any = None,  # Any: a function or an evaluator
    until: Until | None = None,
    limits: Mapping[str, float] | None = None,
    max_parallel: int = 8,
    name: str | None = None,
    progress: bool = True,
    state: Mapping[str, Any] | None = None,
    models: Mapping[str, Any] | None = None,
    seed: int = 0,
    max_frames: int = 1000,
    durability: Durability = "normal",
    max_agents: int = MAX_AGENTS,
    runner: Runner | None = None,
    strict_effects: bool = False,
) -> Sweep[History]:
    """Run many executions of an app that differ in chosen values, and return them: a ``Sweep``.

    With a ``DbosRunner``, whole executions run on workers, and are added to the file as each ends. Those whose app
    workers can't import, all where ``limits`` are given, and those that wait for a person or are taken up run in this
    process, with their agents on workers.

    ``vary``, ``repeat``, ``score``, ``until``, ``limits``, ``max_parallel``, ``name`` and ``progress`` are those of
    ``Execution.sweep``, and the others those of ``Execution``, for all executions alike. ``limits`` are those of all
    agents of all executions together. Each repeat has a seed of its own: ``seed``, ``seed + 1`` …

    The same call again takes the sweep up: only the missing executions run, and failed tasks run again. ``app`` may be
    None where ``vary`` has an app in each case.

    Raises:
        SweepError: naming everything that is wrong, before anything runs.
        NotStorableError: if a value of ``state`` can't be stored.

    >>> from smithers_nb import End, component
    >>> @component
    ... def Double(n):
    ...     return End(value=2 * n)
    >>> found = sweep(Double, {"props.n": [1, 2, 3]}, store=":memory:", score=lambda h: h.result, progress=False)
    >>> found
    <Sweep 'Double sweep': 3 branches, 3 finished>
    >>> found.best().result
    6
    """
    refuse_while_rendering("sweep() was called")
    first = first_state(state or {})
    file = store if isinstance(store, Store) else Store(store)
    setup = Setup(
        app=app,
        path=file.path,
        models=dict(models or {}),
        limits={},
        max_agents=max_agents,
        runner=runner or RUNNER,
        max_frames=max_frames,
        strict_effects=strict_effects,
    )
    asked = SweepCall(
        vary=vary,
        repeat=repeat,
        score=score,
        until=until,
        limits=checked_limits(limits),
        max_parallel=max_parallel,
        name=name,
        progress=progress,
    )
    ground = Ground(
        setup=setup, app=app, seed=seed, durability=durability, props=props, state=first, title=name_of(app)
    )
    known = known_of(vary, app, keys=first, models=models or ())
    # The Store is kept by what reads it: one of ":memory:" is removed with it.
    return begin(asked, ground, known, lambda id: History(file.reader, id)).resume()
