"""``Execution``: one run of one app, to be stepped, run, paused and looked at, from any thread."""

from __future__ import annotations

import os
import secrets
import warnings
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self, get_args

from pydantic import TypeAdapter, ValidationError

from . import arguments as check
from .agents.pydantic_ai import PydanticAiRunner, prepare
from .agents.runner import Runner
from .arguments import optional, takes
from .artifacts import Artifact
from .breakpoints import BreakpointsApi
from .bridge import Engine, engine
from .engine.code import code_hash, name_of
from .engine.draft import Draft
from .engine.lint import lint
from .engine.live import Live
from .engine.loop import Loop
from .engine.opening import Opening, Orphans, create, reopen
from .engine.phases.render import render
from .engine.publish import publication
from .engine.services import MAX_AGENTS
from .engine.state import check_key
from .engine.user_code.context import Context, StateApi
from .engine.user_code.purity import Snapshot
from .engine.user_code.scope import refuse_while_rendering
from .errors import (
    AppChangedWarning,
    NotStorableError,
    PropError,
    RunError,
    SmithersError,
    StoreError,
    UnknownExecutionError,
    UserCodeError,
    clean,
    did_you_mean,
    kind_of,
    said,
)
from .nodes import source as sources
from .nodes.diff import diff
from .nodes.element import Component
from .nodes.runnable import AGENT_TYPES, Limits
from .nodes.schedule import foresee_end
from .nodes.tree import Tree
from .records import Durability, Frame, Hit, NewExecution, Problem, RunResult, Status, Write
from .records.publication import Publication
from .replay import Replay, replay
from .replay import Tasks as ReplayTasks
from .store import writer
from .store.connection import Database
from .store.frames import DataFrames
from .store.history import FrameView, History
from .store.reader import Reader
from .store.store import Store
from .threads import after_fork
from .user_code import guarded
from .values import Stored, Unstorable, encode, opened
from .version import __version__

_runner = PydanticAiRunner()
after_fork(_runner.begin_again)
_LIMITS = TypeAdapter[Any](Limits)


@dataclass(frozen=True, slots=True)
class Agents:
    """The running of an execution's agents."""

    models: dict[str, Any]
    limits: dict[str, float]
    max_agents: int
    runner: Runner

    def opening(self, app: object, database: Database, strict: bool) -> Opening:
        """Return what the execution is made of."""
        return Opening(app, database, self.runner, self.models, strict, self.limits, self.max_agents)


Until = Callable[[Frame], object] | str | None
_FRAMES = check.whole(1)
_TASKS = check.choice(*get_args(ReplayTasks))


def _until(name: str, value: Any) -> Any:
    if not callable(value) and not isinstance(value, str):
        raise check.wrong(name, value, "a function of the frame, a state key, or an expression as a text")
    return value


def _agent_runner(name: str, value: Any) -> Any:
    if not callable(getattr(value, "submit", None)) or not callable(getattr(value, "check", None)):
        raise check.wrong(name, value, "a Runner: an object with check() and submit()")
    return value


def _store(name: str, value: Any) -> Any:
    return value if isinstance(value, Store) else check.path(name, value)


_OPTIONS: dict[str, check.Check] = {
    "store": _store,
    "props": optional(check.named),
    "models": optional(check.named),
    "max_frames": _FRAMES,
    "limits": optional(check.mapping),
    "max_agents": check.whole(1),
    "runner": optional(_agent_runner),
}
"""Checks of the arguments of a new execution and of a resumed one."""


class Execution:
    """A run of an app.

    Parameters
    ----------
    app : component, element, node or list of these
        What is rendered.
    name : str
        How it is called in the store and in the stepper.
    store : str, os.PathLike or Store
        The SQLite file; ``":memory:"`` for one that nobody keeps.
    props : dict, optional
        Props for the app, if it is a component.
    state : dict, optional
        The first state, by key.
    models : dict, optional
        Models by the name that they replace in this execution: ``{"sonnet": scripted("…")}``.
    seed : int
        Seed of ``ctx.rand()``.
    max_frames : int
        How many frames one ``run()`` renders at most.
    durability : {"normal", "full"}
        ``"full"`` also survives a power cut, for a slower COMMIT and FLUSH. Executions in one file share the highest
        that one of them asked for. The file remembers it for ``resume``.
    limits : dict, optional
        What all agents together may use: ``turns``, ``tokens``, ``tool_calls``, ``cost_usd``, ``seconds`` (since the
        first of them started; of earlier processes, while a request or a tool call was under way). At one that is
        reached the agents that want more fail, with it as their reason.
    max_agents : int
        How many agents run at a time; the others are pending until it is their turn.
    runner : Runner, optional
        Who runs the agents; without it this process does.
    strict_effects : bool
        Run, clean up and run again each effect when it mounts, to find those that can't take it.

    Raises
    ------
    StoreError
        If the file can't be used.
    PropError
        If the app does not take these props.
    NotStorableError
        If a value of ``state`` can't be stored.

    Examples
    --------
    >>> from smithers_nb import Execution, Phase, Task
    >>> with Execution(Phase(name="hello")[Task(id="greet", run=lambda: "hi")], store=":memory:") as ex:
    ...     print(ex.run_sync())
    ...     print(ex.frame.xml)
    <RunResult finished: nothing is left to do; 3 frames, the last one is 3>
    <phase name="hello">
      <task id="greet" run="function(&lt;lambda&gt;)"/>
    </phase>
    """

    @takes(
        **_OPTIONS,
        name=check.full_text,
        state=optional(check.mapping),
        seed=check.whole(),
        durability=check.choice(*get_args(Durability)),
        strict_effects=check.flag,
    )
    def __init__(
        self,
        app: object,
        *,
        name: str = "execution",
        store: str | os.PathLike[str] | Store = "smithers.db",
        props: Mapping[str, Any] | None = None,
        state: Mapping[str, Any] | None = None,
        models: Mapping[str, Any] | None = None,
        seed: int = 0,
        max_frames: int = 1000,
        durability: Durability = "normal",
        limits: Mapping[str, float] | None = None,
        max_agents: int = MAX_AGENTS,
        runner: Runner | None = None,
        strict_effects: bool = False,
    ) -> None:
        refuse_while_rendering("an Execution was made")
        row = NewExecution(
            execution_id=secrets.token_hex(6),
            name=clean(name),
            app=name_of(app),
            code_hash=code_hash(app),
            engine_version=__version__,
            seed=seed,
            durability=durability,
        )
        first = _first_state(state or {})
        self._prepare(app, props, store, row, max_frames)
        agents = Agents(dict(models or {}), _limits(limits), max_agents, runner or _runner)
        engine.call(self._create(row, first, agents, strict_effects))

    @classmethod
    @takes(
        **_OPTIONS,
        id=optional(check.full_text),
        name=optional(check.full_text),
        orphans=check.choice(*get_args(Orphans)),
        durability=optional(check.choice(*get_args(Durability))),
    )
    def resume(
        cls,
        app: object,
        *,
        store: str | os.PathLike[str] | Store = "smithers.db",
        id: str | None = None,
        name: str | None = None,
        props: Mapping[str, Any] | None = None,
        models: Mapping[str, Any] | None = None,
        max_frames: int = 1000,
        limits: Mapping[str, float] | None = None,
        max_agents: int = MAX_AGENTS,
        runner: Runner | None = None,
        orphans: Orphans = "retry",
        durability: Durability | None = None,
    ) -> Self:
        """Go on with an execution of the file, after a restart or a crash.

        Its frames go on where they ended. A task that had ended is not run again; if its handler's writes were not
        flushed, the handler is called again. What becomes of a task that was running, ``orphans`` says: ``"retry"``
        runs it again, ``"fail"`` ends it as failed (``on_error`` is called), ``"ask"`` asks a person with an approval.

        If the app's code is not what it was, ``AppChangedWarning`` says what that means for the recorded nodes.

        ``id`` or ``name`` says which one; by name it is the newest. Without either it is the newest of all.

        ``durability`` is the recorded one, or from now on another.

        Raises:
            UnknownExecutionError: if there is none.
            ExecutionOwnedError: if another living process has it.
            EngineVersionError: if a newer release of smithers_nb has run it.
        """
        file = store if isinstance(store, Store) else Store(store)
        if os.path.exists(file.path):
            engine.call(_brought_up(file.path))
        reader = file.reader
        wanted = id or name or _newest(reader)
        found = reader.execution(reader.execution_id(wanted))
        row = NewExecution(
            found.execution_id,
            found.name,
            name_of(app),
            code_hash(app),
            __version__,
            found.seed,
            durability=durability or found.durability,
        )
        ex = cls.__new__(cls)
        ex._prepare(app, props, file, row, max_frames)
        agents = Agents(dict(models or {}), _limits(limits), max_agents, runner or _runner)
        engine.call(ex._reopen(row, agents, orphans))
        if row.code_hash != found.code_hash:
            warnings.warn(AppChangedWarning(ex._what_changed()), stacklevel=2)
        return ex

    # ---- moving ------------------------------------------------------------------------------------------------

    async def step(self) -> Frame:
        """Go to the next rest and return the frame there: its writes are pending.

        First the writes of the frame before are applied. Waits for a running task if nothing else is to do. When the
        execution is over, the last frame is returned.

        Raises:
            ComponentError, PlanError, PurityError: if the frame can't be rendered; the one before stands.
        """
        return await self._engine.wait(self._step())

    async def step_phase(self) -> Frame:
        """Do one phase and return the frame so far."""
        return await self._engine.wait(self._step_phase())

    @takes(until=optional(_until), max_frames=optional(_FRAMES))
    async def run(self, until: Until = None, max_frames: int | None = None) -> RunResult:
        """Go on until it is over, is paused, waits only for people, or ``max_frames`` were rendered.

        ``until`` stops it at a rest, too: a function of the frame, which may return the reason as text; a state key,
        which then holds something true; or an expression over ``state`` and ``frame``, such as ``"state['n'] > 3"``.
        A breakpoint stops it after the phase in which it was hit.

        Raises:
            ValueError: if ``until`` is a text that is no expression.
            RunError: if ``until`` raises what is no ordinary exception; any other is raised as it is.
        """
        return await self._engine.wait(self._run(until, max_frames))

    def step_sync(self) -> Frame:
        """Do what ``step`` does, and block until it is done; safe in a notebook cell, and Stop interrupts it."""
        return self._engine.call(self._step())

    def step_phase_sync(self) -> Frame:
        """Do what ``step_phase`` does, and block until it is done."""
        return self._engine.call(self._step_phase())

    @takes(until=optional(_until), max_frames=optional(_FRAMES))
    def run_sync(self, until: Until = None, max_frames: int | None = None) -> RunResult:
        """Do what ``run`` does, and block until it is done; safe in a notebook cell, and Stop interrupts it."""
        return self._engine.call(self._run(until, max_frames))

    def pause(self) -> None:
        """End the command under way after its current phase; from any thread. Tasks go on."""
        self._engine.do(self._loop.pause)

    def stop(self) -> None:
        """End the command under way and interrupt the running tasks; a later step runs them again."""
        self._engine.call(self._loop.stop())

    def terminate(self) -> None:
        """Stop for good: the execution is over."""
        self._engine.call(self._loop.terminate())

    def close(self) -> None:
        """Stop what runs and give the execution back to the file; ``Execution.resume`` goes on with it."""
        if not self._closed and not self._live.services.in_a_fork:  # The parent process closes it.
            self._engine.call(self._close())

    # ---- steering ----------------------------------------------------------------------------------------------

    @takes(approval_id=check.text, choice=check.text, comment=optional(check.text))
    def answer(self, approval_id: str, choice: str, comment: str | None = None) -> None:
        """Answer an approval, or whether an agent may call a tool, by its id or its node's; in a child execution, too.

        Raises:
            ApprovalError: if none of that id waits, or it does not offer the choice.
        """
        self._engine.call(self._live.answer(approval_id, choice, comment))

    @takes(node_id=check.text)
    def cancel(self, node_id: str) -> None:
        """Cancel the task of a node; its ``on_error`` gets the result, if it has one.

        Raises:
            RunError: if nothing of that node is under way.
        """
        self._engine.call(self._live.tasks.cancel(node_id))

    @takes(node_id=check.text)
    def retry(self, node_id: str) -> None:
        """Run the task of a node again, as a new task.

        Raises:
            RunError: if the node has no task that has ended.
        """
        self._engine.call(self._live.tasks.retry(node_id))

    @takes(node_id=check.text)
    def handle_again(self, node_id: str) -> None:
        """Let the next frame call the handler of a node again, on the result that is recorded: a handler that was
        mended, say, after ``swap``. Nothing is run and no model is asked; the call is that of a new task, which has
        neither a start nor a usage.

        Raises:
            RunError: if the node has no task that has ended and was handled.
        """
        self._engine.call(self._live.tasks.handle_again(node_id))

    @takes(props=optional(check.named))
    def swap(self, app: object, props: Mapping[str, Any] | None = None) -> None:
        """Put new code under the running state: nodes that keep their identity keep their tasks.

        Raises:
            ComponentError, PlanError, PurityError: if the new app can't be rendered; then the old one stays.
        """
        root = _root(app, props)
        self._engine.call(self._swap(root, name_of(app), code_hash(app)))

    @takes(id=check.text)
    def edit_pending(self, id: str, value: object) -> None:
        """Change the value of a pending write while its frame is at rest; recorded as an operator's.

        Raises:
            RunError: if no write of that id is pending.
            NotStorableError: if the store can't give the value back equal.
        """
        self._engine.call(self._live.edit_pending(self._loop.draft, id, value))

    @takes(id=check.text)
    def drop_pending(self, id: str) -> None:
        """Let a pending write fall while its frame is at rest; recorded as an operator's.

        Raises:
            RunError: if no write of that id is pending.
        """
        self._engine.call(self._live.drop_pending(self._loop.draft, id))

    # ---- looking -----------------------------------------------------------------------------------------------

    @property
    def status(self) -> Status:
        """ready, running, paused, waiting, finished, failed, stopped or terminated."""
        return self._loop.standing[0]

    @property
    def reason(self) -> str:
        """Why it has this status, in words; "" when there is nothing to say."""
        return self._loop.standing[1]

    @property
    def over(self) -> bool:
        """True if it has ended, and nothing is left to do: a write, a retry or a swap makes it continue."""
        return self._loop.over and not self._loop.reopened

    @property
    def closed(self) -> bool:
        """True if it was given back to the file here; ``Execution.resume`` continues it."""
        return self._closed

    @property
    def result(self) -> Any:  # Any: it is what the user stored
        """The value of the ``End`` that was reached; None without one.

        Raises:
            StoreError: if its class does not accept what is stored.
        """
        found = self._loop.result
        return opened(found, "the value of the End", "read it in ex.df.executions") if found else None

    @property
    def frame(self) -> Frame | None:
        """The frame under way, or the last one; None before the first of this process."""
        draft = self._loop.draft
        return draft.freeze() if draft is not None and draft.phase is not None else None

    @property
    def state(self) -> StateApi:
        """The committed state. ``set``, ``update`` and ``delete`` queue an operator's write for the next FLUSH."""
        return self._live.context.state

    @property
    def ctx(self) -> Context:
        """The ``ctx`` that components get, to be used here: ``ex.ctx.vol``, ``.db``, ``.fs``, ``.artifact`` …"""
        return self._live.context

    @property
    def breakpoints(self) -> BreakpointsApi:
        """The breakpoints: ``ex.breakpoints.add(key="n", event="changed")``. The stepper has the same ones."""
        return BreakpointsApi(self._live)

    @property
    def artifacts(self) -> list[Artifact]:
        """The artifacts of the run, oldest first. Each draws itself in a notebook; observers hear of it."""
        return self.store.reader.artifacts(self.execution_id)

    @property
    def pending(self) -> tuple[Write, ...]:
        """The writes that wait for FLUSH, in the order in which they will apply."""
        return self._loop.pending

    @property
    def tasks(self) -> dict[str, str]:
        """The status of each runnable and phase of the plan, by node id: pending, running, succeeded, failed …"""
        return self._loop.standing_of_nodes

    @property
    def df(self) -> DataFrames:
        """DataFrames of this execution: ``ex.df.frames``, ``.transitions``, ``.handlers``, ``.tasks``, ``.nodes`` …"""
        return DataFrames(self.store.reader, self.execution_id)

    @takes(frame=check.integer)
    def at(self, frame: int) -> FrameView:
        """Return a recorded frame: its tree and the state that it read."""
        return History(self.store.reader, self.execution_id).at(frame)

    @takes(path=check.path)
    def export(self, path: str | os.PathLike[str]) -> Path:
        """Write everything that is recorded of it to a file, ``run.ndjson``: one JSON object a line, frame by frame.

        Raises:
            ValueError: if the file's name does not end in ``.ndjson``.
            StoreError: if it can't be written.
        """
        return History(self.store.reader, self.execution_id).export(path)

    @takes(props=optional(check.named), tasks=_TASKS, name=optional(check.full_text))
    def replay(
        self,
        models: Literal["recorded"] = "recorded",
        *,
        app: object = None,
        props: Mapping[str, Any] | None = None,
        tasks: ReplayTasks = "recorded",
        name: str | None = None,
    ) -> Replay:
        """Run what is recorded of this execution again, from frame 1, and return how it compares with the recording.

        Offline and free: agents are answered with the responses that were recorded, and their tools with what they had
        returned; no request is made, no tool is called, no MCP server started, no key needed. Task nodes end as they
        had ended, approvals are answered as they were, and what people wrote, changed, dropped, cancelled or had tried
        again is done in the same frame. Every task ends in the frame in which it had ended, nothing is waited for, and
        ``ctx.now()`` is the recorded time. Components, handlers and effects run, and so does what they do outside.
        What can't be done as it was (another app was swapped in, ``ctx.vol`` was written by hand) is in ``notes``.

        It is a new execution of the same file, called ``name`` (else as this one, with " replay"), with this one as
        its ``parent_id`` and 0 as its ``forked_at_frame``. Its usage and cost are the recorded ones; its rows in
        ``model_calls`` say ``replay`` in ``answered_by``: nothing was paid for.

        ``app``, with ``props``, is changed code to hold against the recording; the default is the present app.
        ``tasks="run"`` calls the functions of Task nodes again, which finds what has changed in them.

        An agent, task or approval that wants what was not recorded (another prompt, another tool, other arguments)
        ends the replay there. Other differences are in the result. Which model an agent names is not compared.

        Raises:
            ReplayMismatchError: naming node, turn and the first difference.
            ComponentError, PlanError, PurityError: as ``run`` would.
            StoreError: if the first frames were pruned.
            ValueError: for ``models`` other than ``"recorded"``: to ask models again, make a new Execution.
        """
        return self._engine.call(self._replay(models, app, props, tasks, name))

    @takes(props=optional(check.named), tasks=_TASKS, name=optional(check.full_text))
    async def replay_async(
        self,
        models: Literal["recorded"] = "recorded",
        *,
        app: object = None,
        props: Mapping[str, Any] | None = None,
        tasks: ReplayTasks = "recorded",
        name: str | None = None,
    ) -> Replay:
        """Do what ``replay`` does, without blocking."""
        return await self._engine.wait(self._replay(models, app, props, tasks, name))

    def preview(self) -> Tree:
        """Return the plan as it would be rendered now. Nothing is executed or stored.

        Raises:
            ComponentError, PlanError, PurityError: as ``step`` would.
        """
        return self._engine.call(self._preview())

    def lint(self) -> list[Problem]:
        """Return what looks wrong in the plan as it was rendered last, and in what has happened so far.

        Errors come first: a key that is read and never written beside one of nearly the same name that is written and
        never read, an Approval that a Stop or an End beside it keeps from being asked. Then hints: other keys that
        nothing has written, other tasks that such an end cuts short, an ``on_progress`` of a task that reported none,
        loops without a bound to speak of, agents without an id, components that depend on what the engine can't see
        (the environment, clocks, files …). ``severity`` tells them apart.
        """
        live = self._live
        if live.committed.rendered is None:
            return []
        end = foresee_end(live.committed.rendered.tree, dict(live.tasks.items()), dict(live.committed.loops))
        return lint(live.committed.rendered, end, self.store.reader, self.execution_id)

    # ---- for the stepper ---------------------------------------------------------------------------------------

    @property
    def draft(self) -> Draft | None:
        """The frame under way, or the last one, with all that its phases have left in it."""
        return self._loop.draft

    @property
    def command(self) -> str | None:
        """The command under way, in a word: ``step``, ``phase`` or ``run``; None between two commands."""
        return self._loop.command

    @property
    def lost(self) -> StoreError | None:
        """The error that the next transaction raises because the file was removed, renamed or replaced; else None."""
        return self._live.services.database.shared.lost

    def prepare(self, plan: Tree) -> None:
        """Begin to import what the agents of a plan need, in the background."""
        agents = [node for node in plan.walk() if node.type in AGENT_TYPES]
        if agents and not self._live.services.runner.remote:
            models = (getattr(node.node, "model", None) for node in agents)
            prepare([model for model in models if isinstance(model, str) and model not in self._live.services.models])

    @property
    def recorded(self) -> int:
        """Number of the last frame that was committed; 0 before the first."""
        return self._live.frame

    @property
    def running(self) -> int:
        """The number of tasks that run."""
        return len(self._live.tasks.running)

    @property
    def questions(self) -> tuple[str, ...]:
        """The ids that ``answer`` takes, by question, in children too: the node's, or each question's own."""
        return tuple(self._live.tasks.questions)

    @property
    def tails(self) -> dict[str, str]:
        """The last words of each agent that runs, by node id: up to 2,048 characters."""
        tails = self._live.services.stream.tails
        return {id: tails[task.task_id] for id, task in list(self._live.tasks.items()) if task.task_id in tails}

    @property
    def causes(self) -> tuple[str, ...]:
        """Why another frame is due already; empty if none is."""
        return tuple(self._live.inbox.causes)

    @property
    def live(self) -> Live:
        """The running execution itself; to be looked at from any thread, and changed on the engine's loop only."""
        return self._live

    @property
    def swapped(self) -> Tree | None:
        """The plan of an app that was swapped in, rendered dry, until a frame renders it."""
        if self._swapped is None:
            return None
        frame, draft, tree = self._swapped
        return tree if frame == self._live.frame and draft is self.draft else None

    @property
    def hit(self) -> Hit | None:
        """The breakpoint that ended the last command; None if it ended otherwise, or one is under way."""
        return self._loop.hit

    def publish(self) -> Publication:
        """Return the present state as a record; from any thread."""
        return publication(self._loop, self.swapped)

    async def stop_soon(self) -> None:
        """Do what ``stop`` does; on the engine's loop."""
        await self._loop.stop()

    @takes(observer=check.function)
    def observe(self, observer: Callable[[], None]) -> None:
        """Call ``observer()`` on the engine's thread after each phase and task; it must return at once."""
        self._live.services.observers.add(observer)

    def __repr__(self) -> str:
        reason = f" ({self.reason})" if self.reason else ""
        return f"<Execution {self.name!r} {self.execution_id}: {self.status}{reason}, frame {self._live.frame}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- on the engine's loop ----------------------------------------------------------------------------------

    def _prepare(
        self,
        app: object,
        props: Mapping[str, Any] | None,
        store: str | os.PathLike[str] | Store,
        row: NewExecution,
        max_frames: int,
    ) -> None:
        self._app = _root(app, props)
        self._max_frames = max_frames
        self._closed = False
        self._swapped: tuple[int, Draft | None, Tree] | None = None
        """Number of the frame, the draft, and the plan of a new app."""
        self.name = row.name
        """The name of the execution."""
        self.execution_id = row.execution_id
        """The id of the execution in the store."""
        self.store = store if isinstance(store, Store) else Store(store)
        """The file."""

    async def _create(
        self,
        row: NewExecution,
        state: dict[str, Stored],
        agents: Agents,
        strict: bool,
    ) -> None:
        database = await Database.open(self.store.path, row.durability)
        await self._started(database, create(row, agents.opening(self._app, database, strict), state))

    async def _reopen(self, row: NewExecution, agents: Agents, orphans: Orphans) -> None:
        database = await Database.open(self.store.path, row.durability)
        opening = replace(agents.opening(self._app, database, False), orphans=orphans)
        await self._started(database, reopen(row, opening))

    def _what_changed(self) -> str:
        """Say what other code means for the nodes of the last recorded frame."""
        before, name = self._live.committed.tree, f"the code of {self.name} is not what ran before"
        try:
            after = self.preview()
        except SmithersError as error:
            return f"{name}, and can't be rendered: {error}"
        changes = diff(before, after)
        gone, new = ", ".join(changes.unmounted[:5]) or "none", ", ".join(changes.mounted[:5]) or "none"
        return (
            f"{name}. State and history stay; nodes are told by their ids: {len(before.index) - len(changes.unmounted)}"
            f" of {len(before.index)} go on with their tasks, gone (their tasks are cancelled): {gone}, new: {new}."
        )

    async def _started(self, database: Database, opening: Awaitable[Loop]) -> None:
        try:
            self._loop = await opening
        except BaseException:
            await database.close()
            raise
        self._live = self._loop.live
        self._loop.leaves_when_forsaken()
        engine.at_exit(self._loop.leave)

    @property
    def _engine(self) -> Engine:
        """The engine, for a command of this execution.

        Raises:
            StoreError: in the child of a fork.
        """
        self._live.services.refuse_in_a_fork()
        return engine

    async def _step(self) -> Frame:
        refuse_while_rendering("step() was called")
        await self._loop.step()
        if self.over:
            await self._live.services.database.shared.fold()
        return self._stepped()

    async def _step_phase(self) -> Frame:
        refuse_while_rendering("step_phase() was called")
        await self._loop.phase()
        return self._stepped()

    def _stepped(self) -> Frame:
        """Return the frame with what the FLUSH before it has found, too: no other step would say that."""
        frame = self._frame()
        earlier = tuple(problem for problem in self._loop.problems if problem not in frame.problems)
        return replace(frame, problems=(*earlier, *frame.problems)) if earlier else frame

    async def _run(self, until: Until, max_frames: int | None) -> RunResult:
        refuse_while_rendering("run() was called")
        most = self._max_frames if max_frames is None else max_frames
        outcome = await self._loop.run(most, self._condition(until) if until is not None else None)
        await self._live.services.database.shared.fold()
        return RunResult(self.status, outcome.reason or self.reason, outcome.frames, self.frame, outcome.problems)

    async def _replay(
        self, models: str, app: object, props: Mapping[str, Any] | None, tasks: ReplayTasks, name: str | None
    ) -> Replay:
        refuse_while_rendering("replay() was called")
        if models != "recorded":
            raise ValueError(
                f"models={models!r}: a replay takes its answers from the recording, models='recorded'. To ask models, "
                "make a new Execution(app, models=…)."
            )
        root = self._app if app is None else _root(app, props)
        return await replay(
            root,
            self.store.reader,
            self.execution_id,
            name or f"{self.name} replay",
            self._live.services.models,
            tasks,
            self._max_frames,
        )

    def _condition(self, until: Callable[[Frame], object] | str) -> Callable[[], str | None]:
        """Return a function that says why to stop, if so."""
        if callable(until):
            test, words = until, "the condition of until="
        elif until.isidentifier():
            test, words = (lambda _frame: bool(self.state.get(until))), f"state key {until!r}"
        else:
            try:
                code = compile(until, "<until>", "eval")
            except (SyntaxError, ValueError) as error:  # ValueError: a null byte or a lone surrogate.
                why_not = error.msg if isinstance(error, SyntaxError) else error
                raise ValueError(f"until={until!r} is no expression over state and frame: {why_not}.") from None
            test, words = (lambda frame: bool(eval(code, {"state": self.state, "frame": frame}))), until

        def reached() -> str | None:
            found = test(self._frame())
            return (found if isinstance(found, str) else f"{words} is true") if found else None

        def why() -> str | None:
            try:
                return guarded(reached)
            except UserCodeError as error:
                raised = error.raised
                raise RunError(
                    f"{words} raised {said(raised)}. The run ended at this rest, and nothing is lost: mend the "
                    "condition, and run it again.",
                    frame=self.recorded,
                    source=sources.of_traceback(raised.__traceback__),
                ) from raised

        return why

    def _frame(self) -> Frame:
        frame = self.frame
        if frame is None:
            raise RuntimeError(
                f"{self!r} has no frame in this process yet: it was paused, or is over. ex.at(n) shows recorded ones."
            )
        return frame

    async def _swap(self, app: object, name: str, code_hash: str) -> None:
        live = self._live
        live.services.refuse_when_closed()
        before, live.app = live.app, app
        try:
            self._swapped = (live.committed.frame, self.draft, await self._preview())
        except BaseException:
            live.app = before
            raise
        self._app = app
        live.committed = replace(live.committed, changed=None)
        await live.services.database.transaction(
            writer.swap_app, live.services.execution_id, live.committed.frame, name, code_hash, __version__
        )
        live.inbox.cause("the app was swapped")
        live.services.observers.notify()

    async def _preview(self) -> Tree:
        live = self._live
        snapshot = Snapshot(
            live.committed.frame + 1,
            live.committed.cells,
            live.snapshot_time,
            live.services.seed,
            live.committed.loops,
            None,
            live.committed.vol,
        )
        return render(live.app, snapshot, live.context).tree

    async def _close(self) -> None:
        if self._closed:
            return
        self._closed = True
        engine.forget(self._loop.leave)
        await self._loop.leave()


def _root(app: object, props: Mapping[str, Any] | None) -> object:
    if isinstance(app, Component):
        return replace(app(**dict(props or {})), source=app.source)
    if props:
        raise PropError(f"props= goes with a component; this app is {kind_of(app)} that has its own.")
    return app


async def _brought_up(path: str) -> None:
    """Let SQLite repair what a killed process left, and bring an older release's file up to this one's schema."""
    await (await Database.open(path)).close()


def _limits(limits: Mapping[str, float] | None) -> dict[str, float]:
    try:
        checked: dict[str, float] = _LIMITS.validate_python(dict(limits or {}))
    except ValidationError:
        known = get_args(get_args(Limits)[0])
        near = next((did_you_mean(str(name), known) for name in limits or {} if name not in known), "")
        raise PropError(
            f"limits={limits!r:.120} can't be used.{near} It is a dict of turns, tokens, tool_calls, cost_usd and "
            "seconds, each more than 0."
        ) from None
    return checked


def _first_state(state: Mapping[str, Any]) -> dict[str, Stored]:
    encoded = {}
    for key, value in state.items():
        check_key(key)
        try:
            encoded[key] = encode(value, key)
        except Unstorable as why:
            raise NotStorableError(f"state key {key!r} can't hold this {type(value).__name__}: {why}.") from None
    return encoded


def _newest(reader: Reader) -> str:
    newest = reader.newest()
    if newest is None:
        raise UnknownExecutionError(f"{reader.path} has no execution yet.")
    return newest
