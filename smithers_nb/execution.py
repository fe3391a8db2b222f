"""``Execution``: the door to a run of an app, to be stepped, run, paused and looked at, from any thread."""

from __future__ import annotations

import os
import secrets
import warnings
from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

from . import arguments as check
from .agents.runner import Runner
from .arguments import optional, takes
from .breakpoints import BreakpointsApi
from .bridge import Engine, engine
from .engine.code import code_hash, name_of
from .engine.opening import Orphans
from .engine.services import MAX_AGENTS
from .engine.tasks.answers import NO_RESULT, given
from .engine.user_code.context import Context, StateApi
from .engine.user_code.scope import refuse_while_rendering
from .errors import AppChangedWarning, UnknownExecutionError, clean
from .fork import edited_state, first_state, forked, new_branch, root_of, stored_props
from .nodes.tree import Tree
from .predicting import LEARNER
from .recording import History, Recording, Replay, Store, agent_runner, named_target, recorded_frames
from .records import REUSED, Durability, Frame, NewExecution, Problem, Reusable, RunResult, Status, Write
from .replay import Replayed
from .replay import Tasks as ReplayTasks
from .run import RUNNER, Run, Setup, Until, bring_up, checked_limits, root_with
from .store.fork import fork_point
from .store.reader import Reader
from .values import opened
from .version import __version__

if TYPE_CHECKING:
    from .history.causes.why_not import WhyNot
    from .history.ghosts import Absent
    from .history.live import LiveSource
    from .needs import Needs
    from .player.keep import Kept
    from .rerender import Rerender
    from .sweeps.sweep import Sweep
    from .what_if import WhatIf

_FRAMES = check.whole(1)
_TASKS = check.choice(*get_args(ReplayTasks))


def until_check(name: str, value: Any) -> Any:
    if not callable(value) and not isinstance(value, str):
        raise check.wrong(name, value, "a function of the frame, a state key, or an expression as a text")
    return value


def _store(name: str, value: Any) -> Any:
    if isinstance(value, Store):
        return value
    return check.path(name, value)


OPTIONS: dict[str, check.Check] = {
    "store": _store,
    "props": optional(check.named),
    "models": optional(check.named),
    "max_frames": _FRAMES,
    "limits": optional(check.mapping),
    "max_agents": check.whole(1),
    "runner": optional(agent_runner),
}
"""Checks of the arguments of a new execution and of a resumed one."""
_BRANCH: dict[str, check.Check] = {
    "frame": optional(check.whole(0)),
    "state": optional(check.mapping),
    "props": optional(check.named),
    "models": optional(check.named),
    "name": optional(check.full_text),
    "limits": optional(check.mapping),
    "reuse": check.choices(*get_args(Reusable)),
    "allow_repeat": check.texts,
}
"""Checks of the arguments of a branch."""


class Execution(Recording):
    """A run of an app: what moves it and what it shows now; what is recorded of it is read as that of a ``History``.

    Parameters
    ----------
    app : component, element, node or list of these
        The root of the plan.
    name : str
        The name in the store and in the stepper.
    store : str, os.PathLike or Store
        The SQLite file; ``":memory:"`` for one that is not kept.
    props : dict, optional
        Props for the app, if it is a component.
    state : dict, optional
        The initial state, by key.
    models : dict, optional
        Models by the name that they replace in this execution: ``{"sonnet": scripted("…")}``.
    seed : int
        Seed of ``ctx.rand()``.
    max_frames : int
        The most frames that one ``run()`` renders.
    durability : {"normal", "full"}
        ``"full"`` also survives a power cut, for a slower COMMIT and FLUSH. Executions in one file share the highest
        that one of them asked for. The file remembers it for ``resume``.
    limits : dict, optional
        Limits of all agents together: ``turns``, ``tokens``, ``tool_calls``, ``cost_usd``, ``seconds`` (since the
        first of them started; of earlier processes, the time of requests and tool calls). Agents that need more than
        a limit fail, with the limit as the reason.
    max_agents : int
        The most agents that run at a time; the others are pending.
    runner : Runner, optional
        The runner for agents. Defaults to this process.
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
        **OPTIONS,
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
        root = root_with(app, props)
        row = NewExecution(
            execution_id=secrets.token_hex(6),
            name=clean(name),
            app=name_of(app),
            code_hash=code_hash(app),
            engine_version=__version__,
            seed=seed,
            durability=durability,
            props=stored_props(root),
        )
        # All that can be wrong with the arguments is raised before the file is made or opened.
        first = first_state(state or {})
        file = _file(store)
        setup = Setup(
            app=root,
            path=file.path,
            models=dict(models or {}),
            limits=checked_limits(limits),
            max_agents=max_agents,
            runner=runner or RUNNER,
            max_frames=max_frames,
            strict_effects=strict_effects,
        )
        self._take(engine.call(Run.create(setup, row, first)), file)

    @classmethod
    @takes(
        **OPTIONS,
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
        """Continue an execution of the file, after a restart or a crash.

        Its frames continue where they ended. A task that had ended is not run again; if its handler's writes were not
        flushed, the handler is called again. ``orphans`` decides about a task that was running: ``"retry"`` runs it
        again, ``"fail"`` ends it as failed (``on_error`` is called), ``"ask"`` asks a person with an approval.

        If the app's code has changed, ``AppChangedWarning`` lists the recorded nodes that continue, go and are new.

        ``id`` or ``name`` selects the execution; by name it is the newest. Without either it is the newest of all.

        ``durability`` defaults to the recorded one; a different one holds from then on.

        Raises:
            UnknownExecutionError: if there is none.
            ExecutionOwnedError: if another living process has it.
            EngineVersionError: if a newer release of smithers_nb has run it.
        """
        file = _file(store)
        if os.path.exists(file.path):  # A look for an execution must not make the file.
            engine.call(bring_up(file.path))
        reader = file.reader
        wanted = id or name or _newest(reader)
        found = reader.execution(reader.execution_id(wanted))
        row = NewExecution(
            execution_id=found.execution_id,
            name=found.name,
            app=name_of(app),
            code_hash=code_hash(app),
            engine_version=__version__,
            seed=found.seed,
            durability=durability or found.durability,
            reuse=found.reuse,
        )
        setup = Setup(
            app=root_with(app, props),
            path=file.path,
            models=dict(models or {}),
            limits=checked_limits(limits),
            max_agents=max_agents,
            runner=runner or RUNNER,
            max_frames=max_frames,
            orphans=orphans,
        )
        run = engine.call(Run.reopen(setup, row))
        if row.code_hash != found.code_hash:
            # Three frames up is the caller: between them stands the check of the arguments.
            warnings.warn(AppChangedWarning(engine.call(run.code_changes())), stacklevel=3)
        ex = cls.__new__(cls)
        ex._take(run, file)
        return ex

    # ---- moving ------------------------------------------------------------------------------------------------

    async def step(self) -> Frame:
        """Go to the next rest and return the frame there: its writes are pending.

        First the writes of the frame before are applied. Waits for a running task if nothing else is to do. When the
        execution is over, the last frame is returned.

        Raises:
            ComponentError, PlanError, PurityError: if the frame can't be rendered; the one before stands.
        """
        return await self._engine.wait(self._run.step())

    async def step_phase(self) -> Frame:
        """Do one phase and return the frame so far."""
        return await self._engine.wait(self._run.step_phase())

    @takes(until=optional(until_check), max_frames=optional(_FRAMES))
    async def run(self, until: Until | None = None, max_frames: int | None = None) -> RunResult:
        """Run until it is over, is paused, waits only for people, or ``max_frames`` were rendered.

        ``until`` stops it at a rest, too: a function of the frame, which may return the reason as text; a state key,
        which then holds something true; or an expression over ``state`` and ``frame``, such as ``"state['n'] > 3"``.
        A breakpoint stops it after the phase in which it was hit.

        Raises:
            ValueError: if ``until`` is a text that is no expression.
            RunError: if ``until`` raises SystemExit or the like; an ordinary exception is raised as it is.
        """
        return await self._engine.wait(self._run.run(until, max_frames))

    def step_sync(self) -> Frame:
        """Do what ``step`` does, and block until it is done; safe in a notebook cell, and Stop interrupts it."""
        return self._engine.call(self._run.step())

    def step_phase_sync(self) -> Frame:
        """Do what ``step_phase`` does, and block until it is done."""
        return self._engine.call(self._run.step_phase())

    @takes(until=optional(until_check), max_frames=optional(_FRAMES))
    def run_sync(self, until: Until | None = None, max_frames: int | None = None) -> RunResult:
        """Do what ``run`` does, and block until it is done; safe in a notebook cell, and Stop interrupts it."""
        return self._engine.call(self._run.run(until, max_frames))

    def pause(self) -> None:
        """End the running command after its current phase; from any thread. Tasks continue."""
        # Not waited for: a handler runs on the engine's thread, and may pause the execution that it belongs to.
        self._engine.do(self._run.pause)

    def stop(self) -> None:
        """End the running command and interrupt the running tasks; a later step runs them again."""
        self._engine.call(self._run.stop())

    def terminate(self) -> None:
        """Stop for good: the execution is over."""
        self._engine.call(self._run.loop.terminate())

    def close(self) -> None:
        """Stop what runs and give the execution back to the file; ``Execution.resume`` continues it."""
        # In a forked child there is nothing to close: the parent has the lease, and closes it.
        if not self._run.closed and not self._run.in_a_fork:
            self._engine.call(self._run.close())

    # ---- steering ----------------------------------------------------------------------------------------------

    @takes(
        approval_id=check.text, choice=optional(check.text), comment=optional(check.text), args=optional(check.named)
    )
    def answer(
        self,
        approval_id: str,
        choice: str | None = None,
        comment: str | None = None,
        *,
        args: Mapping[str, Any] | None = None,
        result: Any = NO_RESULT,  # Any: anything storable
    ) -> None:
        """Answer an approval, or whether an agent may call a tool, by its id or its node's; in a child execution, too.

        ``args`` with ``"approve"`` are the arguments that the tool is called with instead of the model's. ``result``,
        without a choice, is the result of a tool call that is made elsewhere (pydantic-ai's ``CallDeferred``, and tools
        of an ``ExternalToolset``); ``"fail"`` tells the model that it failed, with the comment as the reason.

        Raises:
            ApprovalError: if none of that id waits, it does not offer the choice, or the tool does not take the
                arguments. Nothing is answered then.
            NotStorableError: if JSON can't hold the result.
        """
        self._engine.call(self._run.answer(approval_id, given(choice, comment, args, result)))

    @takes(frame=check.integer, said=optional(check.named), learner=check.full_text)
    def predict(self, frame: int, said: Mapping[str, Any] | None = None, *, learner: str = LEARNER) -> None:
        """Record what a learner expects of the next frame; without ``said``, that they skip it.

        ``said`` has ``starts:NODE``, ``fires:NODE.on_finished`` and ``writes:KEY`` with True or False, and
        ``value:KEY`` with a value. Items that are left out are not expected. Once the frame has come to rest, the
        records' answers stand beside it in ``ex.df.predictions``.

        Raises:
            ValueError: if it is not the next frame, it has begun, the learner has predicted it, or the plan has no
                such item.
        """
        self._engine.call(self._run.predictions.add(frame, learner, said))

    @takes(node_id=check.text)
    def cancel(self, node_id: str) -> None:
        """Cancel the task of a node; its ``on_error`` gets the result, if it has one.

        Raises:
            RunError: if the node has no task that waits or runs.
        """
        self._engine.call(self._run.live.tasks.cancel(node_id))

    @takes(node_id=check.text)
    def retry(self, node_id: str) -> None:
        """Run the task of a node again, as a new task.

        Raises:
            RunError: if the node has no task that has ended.
        """
        self._engine.call(self._run.live.tasks.retry(node_id))

    @takes(node_id=check.text)
    def handle_again(self, node_id: str) -> None:
        """Let the next frame call the handler of a node again, on the result that is recorded: a handler that was
        mended, say, after ``swap``. Nothing is run and no model is asked; the call is that of a new task, which has
        neither a start nor a usage.

        Raises:
            RunError: if the node has no task that has ended and was handled.
        """
        self._engine.call(self._run.live.tasks.handle_again(node_id))

    @takes(props=optional(check.named))
    def swap(self, app: object, props: Mapping[str, Any] | None = None) -> None:
        """Put new code under the running state: nodes that keep their identity keep their tasks.

        Raises:
            ComponentError, PlanError, PurityError: if the new app can't be rendered; then the old one stays.
        """
        self._engine.call(self._run.swap(root_with(app, props)))

    @takes(id=check.text)
    def edit_pending(self, id: str, value: object) -> None:
        """Change the value of a pending write while its frame is at rest; recorded as an operator's.

        Raises:
            RunError: if no write of that id is pending.
            NotStorableError: if the store can't give the value back equal.
        """
        self._engine.call(self._run.edit_pending(id, value))

    @takes(id=check.text)
    def drop_pending(self, id: str) -> None:
        """Discard a pending write while its frame is at rest; recorded as an operator's.

        Raises:
            RunError: if no write of that id is pending.
        """
        self._engine.call(self._run.drop_pending(id))

    # ---- looking -----------------------------------------------------------------------------------------------

    @property
    def status(self) -> Status:
        """ready, running, paused, waiting, finished, failed, stopped or terminated."""
        return self._run.status

    @property
    def reason(self) -> str:
        """Why it has this status, in words; "" when there is nothing to say."""
        return self._run.reason

    @property
    def over(self) -> bool:
        """True if it has ended, and nothing is left to do: a write, a retry or a swap makes it continue."""
        return self._run.over

    @property
    def result(self) -> Any:  # Any: it is what the user stored
        """The value of the ``End`` that was reached; None without one.

        Raises:
            StoreError: if its class does not accept the stored value.
        """
        found = self._run.loop.result
        if found is None:
            return None
        return opened(found, "the value of the End", "read it in ex.df.executions")

    @property
    def frame(self) -> Frame | None:
        """The frame in progress, or the last one; None before the first of this process."""
        return self._run.frame

    @property
    def recorded(self) -> int:
        """Number of the last frame that was committed; 0 before the first. ``at`` shows frames up to it."""
        return self._run.recorded

    @property
    def state(self) -> StateApi:
        """The committed state. ``set``, ``update`` and ``delete`` queue an operator's write for the next FLUSH."""
        return self._run.live.context.state

    @property
    def ctx(self) -> Context:
        """The ``ctx`` that components get, to be used here: ``ex.ctx.vol``, ``.db``, ``.fs``, ``.artifact`` …"""
        return self._run.live.context

    @property
    def breakpoints(self) -> BreakpointsApi:
        """The breakpoints: ``ex.breakpoints.add(key="n", event="changed")``. The stepper has the same ones."""
        return BreakpointsApi(self._run.live)

    @property
    def pending(self) -> tuple[Write, ...]:
        """The writes that wait for FLUSH, in the order in which they will apply."""
        return self._run.loop.pending

    @property
    def tasks(self) -> dict[str, str]:
        """The status of each runnable and phase of the plan, by node id: pending, running, succeeded, failed …"""
        return self._run.loop.standing_of_nodes

    @property
    def running(self) -> int:
        """The number of tasks that run."""
        return len(self._run.live.tasks.running)

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
        """Run the recording of this execution again, from frame 1, and return how it compares with the recording.

        Offline and free: agents are answered with the recorded responses, and their tools with the recorded results;
        no request is made, no tool is called, no MCP server started, no key needed. Task nodes end as they had ended,
        approvals are answered as they were, and what people wrote, changed, dropped, cancelled or had tried again is
        done in the same frame. Every task ends in the frame in which it had ended, nothing is waited for, and
        ``ctx.now()`` is the recorded time. Components, handlers and effects run, with all their effects outside.
        ``notes`` lists the actions that can't be repeated: another app was swapped in, ``ctx.vol`` was written by hand.

        It is a new execution of the same file, called ``name`` (else as this one, with " replay"), with this one as
        its ``parent_id`` and 0 as its ``forked_at_frame``. Its usage and cost are the recorded ones; its rows in
        ``model_calls`` say ``replay`` in ``answered_by``: nothing was paid for.

        ``app``, with ``props``, is changed code to hold against the recording; the default is the present app.
        ``tasks="run"`` calls the functions of Task nodes again, which finds what has changed in them. It blocks until
        the replay has ended; an async program calls ``await asyncio.to_thread(ex.replay)``.

        An agent, task or approval that differs from the recording (another prompt, another tool, other arguments)
        ends the replay there. Other differences are in the result. Which model an agent names is not compared.

        Raises:
            ReplayMismatchError: naming node, turn and the first difference.
            ComponentError, PlanError, PurityError: as ``run`` would.
            StoreError: if the first frames were pruned.
            ValueError: for ``models`` other than ``"recorded"``: to ask models again, make a new Execution.
        """
        _only_recorded(models)
        return self._compared(self._engine.call(self._run.replay(app=app, props=props, tasks=tasks, name=name)))

    @takes(path=check.path, values=check.texts, replace=check.flag, show=check.flag)
    def keep(
        self,
        path: str | os.PathLike[str],
        *,
        values: Iterable[str] = (),
        app: str | None = None,
        replace: bool = False,
        show: bool = True,
    ) -> Kept:
        """Write a pytest file, ``tests/test_report.py``, and beside it the recording, ``test_report.html``.

        The test replays this run offline, with the app of then, and asserts that all is as it is recorded: frames,
        plan, state, writes, handlers, effects, tasks and requests; ``frames``, ``status``, the last plan and the chosen
        ``values`` stand in it to be read. A difference fails it with node, frame and the first thing that differs, and
        a request that differs with the recorded one that is nearest. ``pytest --smithers-player DIR`` writes the pages
        of both runs there. Functions of Task nodes are not called: ``kept_run(…, tasks="run")`` in the test calls them.

        The recording is a page, as ``export`` writes it: credentials are masked in it.

        Parameters
        ----------
        path : str or os.PathLike
            The test; pytest looks for names such as ``test_report.py``.
        values : iterable of str
            Keys of the state, whose values the test asserts.
        app : str, optional
            The place of the app, ``"package.module:Name"``. Without it the test imports the component from its module,
            or has the code of the cells that define it.
        replace : bool
            Write the files again if they are there.
        show : bool
            Print what goes out with the recording.

        Raises
        ------
        ValueError
            If the name is no test's, a file is there, a key is not, or the app can't be imported or written.
        StoreError
            If it is a branch, which no replay can repeat, or a file can't be written.
        """
        from .player.keep import keep

        told = app if app is not None else self._run.setup.app
        return keep(self.reader, self.execution_id, told, path, values=values, replace=replace, show=show)

    @takes(**_BRANCH)
    def fork(
        self,
        frame: int | None = None,
        *,
        state: Mapping[str, Any] | None = None,
        app: object = None,
        props: Mapping[str, Any] | None = None,
        models: Mapping[str, Any] | None = None,
        name: str | None = None,
        reuse: Iterable[Reusable] = REUSED,
        allow_repeat: Iterable[str] = (),
        limits: Mapping[str, float] | None = None,
    ) -> Execution:
        """Return a branch: a new execution of the same file that begins at the rest after the FLUSH of a frame.

        Its first frame is ``frame + 1``. The state, the plan, the results of the tasks that were settled, the
        iterations of loops and the deps of effects are those of that frame, and the breakpoints those of now. Tasks
        that were not settled start in the branch, and cleanups of effects that ran here are not called there, as after
        a resume. This execution stays as it is. What is read of the branch, it reads
        along its line: this execution up to that frame, then the branch.

        Parameters
        ----------
        frame : int, optional
            The last flushed frame without it; 0 is the beginning, with the first state.
        state : dict, optional
            Values that differ from the first frame of the branch on, by key; ``DELETED`` removes one. They are
            recorded as an operator's writes with the trigger ``fork``.
        app, props : optional
            Other code, or other props, than those of this execution.
        models : dict, optional
            Models by the name that they replace, beside those of this execution.
        name : str, optional
            The name of the branch; ``NAME~2``, ``NAME~3`` … without it.
        reuse : iterable of {"agents", "tools", "approvals", "tasks"}, optional
            The answers that are taken from the file, the first three without it; ``()`` asks for everything again. A
            request of an agent that is the same as a recorded one (model, messages, tools, output type, settings) gets
            its answer; a tool that this answer calls, with the same arguments, gets its result; the same question to a
            person (node, prompt, options, payload) gets its answer. They come from this execution and its line, and
            from their branches and children, the nearest on the line first, each once along a line: the n-th asking
            gets the n-th answer. Requests that failed, and the last answer to an agent that failed, are not reused. A
            model that is a function, or ``scripted``, is the same under the same name, unless ``models`` replaces it
            here; one without a name, in the same node. What is reused costs nothing and counts against no limit.
            ``model_calls`` says ``recording`` in ``answered_by``, and has ``reused_id`` and ``saved_usd``;
            ``tool_calls`` has ``reused_id``, and ``approvals`` ``reused_from``. With ``"tasks"`` a Task of the same
            node, with equal ``args`` and the same code (its function, and the functions and values that this sees),
            gets the result of the one that succeeded, and repeats its writes to the state; what it read there is not
            compared. Its row in ``tasks`` has ``reused_from``.
        allow_repeat : iterable of str, optional
            The ids of Task nodes and the names of tools, or patterns of them, that may be called again although their
            ``repeat`` says otherwise: ``["pay", "send_*"]``.
        limits : dict, optional
            Limits of all agents of the branch together; those of this execution without it.

        Raises
        ------
        StoreError
            If the frame is not there, not flushed, or pruned: with the nearest one that can be forked.
        NotStorableError
            If a value of ``state`` can't be stored.
        PropError
            If the app does not take these props.
        ValueError
            If no task and no tool has a name of ``allow_repeat``.
        """
        refuse_while_rendering("fork() was called")
        run = forked(
            self._run,
            frame,
            edited_state(state or {}),
            app=app,
            props=props,
            models=models,
            name=name,
            reuse=reuse,
            allow_repeat=allow_repeat,
            limits=None if limits is None else checked_limits(limits),
        )
        return execution_of(self._engine.call(run), self.store)

    @takes(
        frame=optional(check.whole(0)),
        until=optional(until_check),
        limits=optional(check.mapping),
        max_parallel=check.whole(1),
        reuse=optional(check.choices(*get_args(Reusable))),
        name=optional(check.full_text),
        progress=check.flag,
        runner=OPTIONS["runner"],
    )
    def sweep(
        self,
        vary: Mapping[str, Any] | Iterable[Mapping[str, Any]],
        *,
        frame: int | None = None,
        repeat: int = 1,
        score: Any = None,  # Any: a function or an evaluator
        until: Until | None = None,
        limits: Mapping[str, float] | None = None,
        max_parallel: int = 8,
        reuse: Iterable[Reusable] | None = None,
        name: str | None = None,
        progress: bool = True,
        runner: Runner | None = None,
    ) -> Sweep[History]:
        """Run many branches of this execution that differ in chosen values, and return them: a ``Sweep``.

        All begin at the rest after the FLUSH of a frame, as ``fork`` describes it, and run side by side in this
        process, each to its end. What lies before is shared and free. Safe in a notebook cell; Stop and ``stop`` end it
        and keep the finished branches. The same call again takes the sweep up: only missing branches run, and the tasks
        of branches that failed run again. ``store.sweep(NAME, app=…).resume()`` does so in another process.

        Parameters
        ----------
        vary : dict or list of dict
            ``{"state.topic": ["bees", "ants"], "models.sonnet": ["haiku", "openai:gpt-5"], "props.n": [1, 2],
            "app": {"short": Short, "long": Long}}`` makes the product of these; a dict of values gives each a name,
            which apps and model objects need. A list of dicts makes just those cases. ``{}`` varies nothing, for
            repeats of one.
        frame : int, optional
            The last flushed frame without it.
        repeat : int
            How often each case is run. With more than one, agents are asked again: repeats are fresh samples.
        score : function or evaluator, optional
            Called with the History of each branch that has ended, in this thread: returns a number, True, False, None
            or a dict of these; or an evaluator of pydantic-evals, whose ``output`` is the value of the End, else the
            last state. If it raises, the branch's row says so.
        until : function or str, optional
            Ends each branch at a rest, as in ``run``.
        limits : dict, optional
            Limits of all agents of all branches together. A branch that they starve is ``failed``, with the limit as
            its reason. Each branch has those of this execution without it.
        max_parallel : int
            The most branches that run at a time.
        reuse : iterable of {"agents", "tools", "approvals"}, optional
            As in ``fork``; nothing is reused where ``repeat`` is over 1, unless it says so.
        name : str, optional
            The name of the sweep. A different one makes a second sweep of the same call.
        progress : bool
            Draw a bar with the finished branches, the failed ones and the cost.
        runner : Runner, optional
            The runner for the agents of the branches. Defaults to that of this execution. One of workers is refused:
            ``smithers_nb.sweep`` takes it.

        Raises
        ------
        SweepError
            Naming everything that is wrong, before anything runs: keys, models and props that nothing knows, empty
            lists, values that can't be stored …
        StoreError
            If the frame can't be forked.
        """
        from .sweeps.opening import SweepCall, over_run  # Only here: most executions are not swept over.

        refuse_while_rendering("sweep() was called")
        asked = SweepCall(
            vary=vary,
            repeat=repeat,
            score=score,
            until=until,
            limits=None if limits is None else checked_limits(limits),
            max_parallel=max_parallel,
            reuse=None if reuse is None else tuple(reuse),
            name=name,
            progress=progress,
        )
        self._run.refuse_in_a_fork()
        history = lambda id: History(self.store.reader, id)  # noqa: E731
        return over_run(self._run, asked, frame=frame, runner=runner, history=history).resume()

    @takes(props=optional(check.named), frames=optional(recorded_frames))
    def rerender(
        self,
        app: object = None,
        *,
        props: Mapping[str, Any] | None = None,
        frames: Iterable[int] | int | None = None,
    ) -> Rerender[Execution]:
        """Return the recorded frames as edited code renders them; ``app`` is that of now without it.

        Nothing runs, and nothing is written: see ``History.rerender``. ``.fork()`` of the result branches from the
        frame before the first that differs.
        """
        from .rerender import rerender

        reader = self.reader
        root = root_of(app if app is not None else self._run.setup.app, props, reader, self.execution_id)
        return rerender(reader, self.execution_id, root, frames=frames, fork=partial(self.fork, app=root))

    @takes(state=optional(check.mapping), frame=optional(check.integer))
    def what_if(self, state: Mapping[str, Any] | None = None, app: object = None, frame: int | None = None) -> WhatIf:
        """Return the plan of a frame as it would be with other values of the state, or by other code.

        ``.gained``, ``.lost`` and ``.changed`` are ids of nodes, ``.starts`` those whose tasks would start. Nothing
        runs, and nothing is written: see ``History.what_if``.
        """
        from .what_if import what_if

        if app is not None:
            return History(self.reader, self.execution_id).what_if(state, app, frame)
        number = self._frame_of(frame)
        values = edited_state(state or {})
        return what_if(self.reader, self.execution_id, self._run.setup.app, frame=number, state=values, edited=False)

    @takes(target=check.full_text, frame=optional(check.integer))
    def needs(self, target: str, frame: int | None = None) -> Needs[Execution]:
        """Return the smallest edit of the state after which a node or a component is in the plan of a frame.

        See ``History.needs``. ``.state`` is the edit, ``.fork()`` branches with it from the frame before.
        """
        from .needs import needs

        number = self._frame_of(frame)
        return needs(self.reader, self.execution_id, self._run.setup.app, target, frame=number, fork=self.fork)

    @takes(frame=optional(check.integer))
    def ghosts(self, frame: int | None = None) -> Absent:
        """Return the nodes that the code can return and that are not in the plan of a frame; see ``History.ghosts``."""
        return History(self.reader, self.execution_id).ghosts(self._run.setup.app, frame)

    @takes(target=named_target, frame=optional(_FRAMES))
    def why_not(self, target: str | int | None = None, frame: int | None = None) -> WhyNot:
        """Return what keeps a node, task, handler, write or frame from being there; see ``History.why_not``.

        The code is that of now, and handlers that name a key are looked for in the plan.
        """
        from .syntax.ghosts import ghosts_of

        return self._not_there(target, frame, ghosts_of(self._run.setup.app))

    def _source(self) -> LiveSource:
        """Return a source of its records: those of the file, and what the engine has not written yet."""
        from .history.live import LiveSource

        # One publication for the whole answer: two would mix two phases in one chain.
        return LiveSource(super()._source(), self._run.publish(), self.name)

    def _compared(self, replayed: Replayed) -> Replay:
        history = History(self.reader, replayed.execution_id)
        return Replay(recording=self.execution_id, history=history, **vars(replayed))

    def preview(self) -> Tree:
        """Return the plan as it would be rendered now. Nothing is executed or stored.

        Raises:
            ComponentError, PlanError, PurityError: as ``step`` would.
        """
        return self._engine.call(self._run.preview())

    def lint(self) -> list[Problem]:
        """Return what looks wrong in the plan as it was rendered last, and in what has happened so far.

        Errors come first: a key that is read and never written beside one of nearly the same name that is written and
        never read, an Approval that a Stop or an End beside it keeps from being asked. Then hints: other keys that
        nothing has written, other tasks that such an end cuts short, an ``on_progress`` of a task that reported none,
        loops without a bound to speak of, agents without an id, components that depend on what the engine can't see
        (the environment, clocks, files …). ``severity`` tells them apart.
        """
        return self._run.lint()

    def __repr__(self) -> str:
        return repr(self._run)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def _engine(self) -> Engine:
        """The engine, for a call of this execution.

        Raises:
            StoreError: in the child of a fork.
        """
        # A forked child has the memory of its parent, but not the thread with the engine's loop: a call would start
        # a second one over the parent's file.
        self._run.refuse_in_a_fork()
        return engine

    def _take(self, run: Run, file: Store) -> None:
        self._run = run
        self.name = run.name
        """The name of the execution."""
        self.execution_id = run.execution_id
        self.reader = file.reader
        self.store = file
        """The file."""


def fork_recorded(
    history: History,
    app: object,
    *,
    frame: int | None,
    state: Mapping[str, Any] | None,
    props: Mapping[str, Any] | None,
    models: Mapping[str, Any] | None,
    name: str | None,
    reuse: Iterable[Reusable],
    allow_repeat: Iterable[str],
    limits: Mapping[str, float] | None,
    max_frames: int,
    store: str | os.PathLike[str] | Store | None = None,
) -> Execution:
    """Return a branch of a recorded execution; see ``History.fork``."""
    refuse_while_rendering("fork() was called")
    reader, id = Reader(history.reader.path), history.execution_id
    with reader.together():
        # Before a file is made: what can't be forked, or not by this app, raises.
        point = fork_point(reader, id, frame)
        root = root_of(app, props, reader, id)
        durability = reader.execution(id).durability
    path = reader.path
    if store is not None or reader.name != path:
        path = _own_database(reader, id, store)
    asked = new_branch(
        point.execution_id,
        point.frame,
        root,
        name=name,
        durability=durability,
        edits=edited_state(state or {}),
        reuse=reuse,
        models=models or (),
        allow_repeat=allow_repeat,
    )
    setup = Setup(
        app=root,
        path=path,
        models=dict(models or {}),
        limits=checked_limits(limits),
        max_agents=MAX_AGENTS,
        runner=RUNNER,
        max_frames=max_frames,
    )
    return execution_of(engine.call(Run.fork(setup, asked)), Store(path))


def _own_database(reader: Reader, execution_id: str, store: str | os.PathLike[str] | Store | None) -> str:
    """Return the path of a database that has an execution with its line: ``store``, or that beside ``run.html``."""
    from .store.exported import add  # Only here: nearly all forks are in the file of their parent.

    path = _file(store if store is not None else f"{os.path.splitext(reader.name)[0]}.db").path
    if path != reader.path:
        if reader.name == reader.path:
            engine.call(bring_up(reader.path))
        engine.call(bring_up(path))
        add(reader, execution_id, path)
    return path


def execution_of(run: Run, file: Store | None = None) -> Execution:
    """Return the door to a run that was made on the engine's loop."""
    ex = Execution.__new__(Execution)
    ex._take(run, file or Store(run.setup.path))
    return ex


def run_behind(ex: Execution) -> Run:
    """Return the run behind an execution: for commands, the stepper and the magics."""
    return ex._run


def _file(store: str | os.PathLike[str] | Store) -> Store:
    if isinstance(store, Store):
        return store
    return Store(store)


def _only_recorded(models: str) -> None:
    if models != "recorded":
        raise ValueError(
            f"models={models!r}: a replay takes its answers from the recording, models='recorded'. To ask models, "
            "make a new Execution(app, models=…)."
        )


def _newest(reader: Reader) -> str:
    newest = reader.newest()
    if newest is None:
        raise UnknownExecutionError(f"{reader.name} has no execution yet.")
    return newest
