"""A run: an execution on the engine's loop, with its file and its code. ``Execution`` is the door to it.

Coroutines of a run are awaited on the engine's loop. Everything else may be called from any thread, except where
its docstring says otherwise: it reads values that the engine replaces whole, and never changes in place.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from types import CodeType
from typing import TYPE_CHECKING, Any, Self, get_args
from weakref import WeakValueDictionary

from pydantic import ConfigDict, TypeAdapter, ValidationError

from .agents.pydantic_ai import PydanticAiRunner, prepare
from .agents.runner import Runner
from .bridge import engine
from .engine.code import code_hash, name_of
from .engine.draft import Draft
from .engine.live import Live
from .engine.loop import Loop, RunOutcome
from .engine.opening import Opening, Orphans, create, fork, reopen
from .engine.phases.render import render
from .engine.publish import publication
from .engine.tasks.budget import Budget
from .engine.user_code.purity import Snapshot
from .engine.user_code.scope import refuse_while_rendering
from .errors import PropError, RunError, SmithersError, StoreError, UserCodeError, did_you_mean, kind_of, said
from .nodes import source as sources
from .nodes.diff import diff
from .nodes.element import Component
from .nodes.runnable import AGENT_TYPES, Limits
from .nodes.schedule import foresee_end
from .nodes.tree import Tree
from .predicting import Predictions
from .records import Answer, Durability, Frame, Hit, NewBranch, NewExecution, Problem, RunResult, Status
from .records.publication import Publication
from .store import writer
from .store.branches import SHARED_VALUES
from .store.connection import Database
from .store.reader import Reader
from .threads import after_fork
from .user_code import guarded
from .values import Stored
from .version import __version__

if TYPE_CHECKING:
    from .replay import Replayed
    from .replay import Tasks as ReplayTasks
    from .rerender import Rerender

# One for all executions of the process: they share its HTTP clients.
RUNNER = PydanticAiRunner()
"""The runner for agents in this process."""
after_fork(RUNNER.begin_again)
_LIMITS = TypeAdapter[Any](Limits, config=ConfigDict(defer_build=True))

Until = Callable[[Frame], object] | str
"""The condition that ends a run: a function of the frame, a state key, or an expression."""


@dataclass(frozen=True, slots=True)
class Setup:
    """The parts that a run is made of."""

    app: object
    path: str
    """The file."""
    models: dict[str, Any]  # Any: pydantic-ai's Model
    limits: dict[str, float]
    """Limits of all agents together."""
    max_agents: int
    runner: Runner
    max_frames: int
    strict_effects: bool = False
    orphans: Orphans = "retry"
    budget: Budget | None = None
    """The limits of all branches of a sweep together, for one of them; instead of ``limits``."""

    def opening(self, database: Database) -> Opening:
        """Return the engine's part of it."""
        return Opening(
            app=self.app,
            database=database,
            runner=self.runner,
            models=self.models,
            strict_effects=self.strict_effects,
            limits=self.limits,
            max_agents=self.max_agents,
            orphans=self.orphans,
            budget=self.budget,
        )


class Run:
    """An execution that this process runs: created or reopened, moved, steered, published and closed."""

    def __init__(self, setup: Setup, row: NewExecution, loop: Loop) -> None:
        self.setup = setup
        """The parts that it was made of, with the app of now."""
        self.row = row
        """The facts about the execution when it was made, or reopened here."""
        self.name = row.name
        """The name of the execution."""
        self.execution_id = row.execution_id
        """The id of the execution in the store."""
        self.reader = Reader(setup.path)
        """The file, to be read."""
        self.loop = loop
        """The engine's loop of frames."""
        self.edited: Rerender[Any] | None = None
        """The recorded frames as edited code renders them, where it was given."""
        self.edits = 0
        """The number of times that it was given."""
        self.closed = False
        """True once it was given back to the file here."""
        self._predictions: Predictions | None = None
        self.sweeps: set[asyncio.Task[None]] = set()
        """The sweeps over its branches that are running."""
        self._swapped: tuple[int, Draft | None, Tree] | None = None
        """Number of the frame, the draft, and the plan of a new app."""
        # The finalizer belongs to the loop, not to this object: an execution that no variable names any longer keeps
        # its lease while its tasks run, and they hold on to the loop.
        loop.leaves_when_forsaken()
        engine.at_exit(loop.leave)
        _runs[setup.path, self.execution_id] = self

    @classmethod
    async def create(cls, setup: Setup, row: NewExecution, state: dict[str, Stored]) -> Self:
        """Add a new execution to the file and return its run: nothing is rendered yet."""
        async with _opened(setup.path, row.durability) as database:
            return cls(setup, row, await create(row, setup.opening(database), state))

    @classmethod
    async def reopen(cls, setup: Setup, row: NewExecution) -> Self:
        """Return the run of an execution of the file, which continues where its frames ended."""
        async with _opened(setup.path, row.durability) as database:
            return cls(setup, row, await reopen(row, setup.opening(database)))

    @classmethod
    async def fork(cls, setup: Setup, branch: NewBranch, beside: Run | None = None) -> Self:
        """Add a branch to the file and return its run.

        If ``beside`` is a run of the parent that is at that frame, the branch begins with its volatile values.

        Raises:
            StoreError: naming the nearest frame that can be forked, if this one is not there, not flushed or pruned.
            ValueError: for a name in ``allow_repeat`` that no task and no tool of the family has.
        """
        async with _opened(setup.path, branch.durability) as database:
            row, loop = await fork(branch, setup.opening(database))
            run = cls(setup, row, loop)
        if beside is not None and (beside.execution_id, beside.recorded) == (row.parent_id, row.forked_at_frame):
            run.live.committed.vol.update(beside.live.committed.vol)
            if shared := sorted(beside.live.committed.vol):
                await database.transaction(
                    writer.add_event,
                    execution_id=run.execution_id,
                    frame=beside.recorded,
                    kind=SHARED_VALUES,
                    node_id=None,
                    payload=json.dumps({"keys": shared}, ensure_ascii=False),
                )
        return run

    @property
    def code(self) -> object:
        """The app of now."""
        return self.setup.app

    # ---- edited code -------------------------------------------------------------------------------------------

    def edit(self, edited: Rerender[Any]) -> None:
        """Take recorded frames as edited code renders them: what looks at this run shows them from now on."""
        self.edited = edited
        self.edits += 1
        engine.do(self.live.services.observers.notify)

    # ---- moving ------------------------------------------------------------------------------------------------

    async def step(self) -> Frame:
        """Advance to the next rest and return the frame there."""
        # Rendering may happen again for the same state: a component that steps an execution would do it each time.
        refuse_while_rendering("step() was called")
        await self.loop.step()
        if self.over:
            await self.live.services.database.shared.fold()
        return self._stepped()

    async def step_phase(self) -> Frame:
        """Advance by one phase and return the frame so far."""
        refuse_while_rendering("step_phase() was called")
        await self.loop.phase()
        return self._stepped()

    async def run(self, until: Until | None = None, max_frames: int | None = None) -> RunResult:
        """Advance until the end, a pause, a breakpoint, a person's turn, ``until``, or ``max_frames`` frames."""
        refuse_while_rendering("run() was called")
        outcome = await self.advance(until, max_frames)
        # A file that is copied without its log must have the run.
        await self.live.services.database.shared.fold()
        return RunResult(
            status=outcome.status,
            reason=outcome.reason,
            frames=outcome.frames,
            frame=self.frame,
            problems=outcome.problems,
        )

    async def advance(self, until: Until | None, max_frames: int | None) -> RunOutcome:
        """Do what ``run`` does, without folding the log into the file: a sweep does so once."""
        condition = None
        if until is not None:
            condition = self._condition(until)
        if max_frames is None:
            max_frames = self.setup.max_frames
        return await self.loop.run(max_frames, condition)

    def pause(self) -> None:
        """End the running command after its current phase; on the engine's loop."""
        self.loop.pause()

    async def stop(self) -> None:
        """End the running command and interrupt the running tasks; end the sweeps over its branches, too."""
        # They first: a branch that begins meanwhile would be left running.
        if sweeps := set(self.sweeps):
            for sweep in sweeps:
                sweep.cancel()
            await asyncio.wait(sweeps)
        await self.loop.stop()

    async def close(self) -> None:
        """Stop what runs and give the execution back to the file."""
        if self.closed:
            return
        self.closed = True
        engine.forget(self.loop.leave)
        await self.loop.leave()

    def _stepped(self) -> Frame:
        """Return the frame with what the FLUSH before it has found, too: no other step would report it."""
        frame = self._frame()
        earlier = tuple(problem for problem in self.loop.problems if problem not in frame.problems)
        if not earlier:
            return frame
        return replace(frame, problems=(*earlier, *frame.problems))

    def _frame(self) -> Frame:
        frame = self.frame
        if frame is None:
            raise RuntimeError(
                f"{self!r} has no frame in this process yet: it was paused, or is over. ex.at(n) shows recorded ones."
            )
        return frame

    def _condition(self, until: Until) -> Callable[[], str | None]:
        """Return a function that gives the reason to stop once the condition holds."""
        test, words = self._test(until)

        def reached() -> str | None:
            found = test(self._frame())
            if not found:
                return None
            if isinstance(found, str):
                return found
            return f"{words} is true"

        def why() -> str | None:
            # Called between two frames on the engine's thread: what a user's condition raises must not end that
            # thread, as SystemExit would.
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

    def _test(self, until: Until) -> tuple[Callable[[Frame], object], str]:
        """Return the test of a condition, and its name in words.

        Raises:
            ValueError: if it is a text that is no expression.
        """
        state = self.live.context.state
        if callable(until):
            return until, "the condition of until="
        if until.isidentifier():
            return (lambda _frame: bool(state.get(until))), f"state key {until!r}"
        code = compiled(until)
        return (lambda frame: bool(eval(code, {"state": state, "frame": frame}))), until

    # ---- steering ----------------------------------------------------------------------------------------------

    async def answer(self, approval_id: str, answer: Answer) -> None:
        """Answer a question, named by its id or its node's; in a child execution, too."""
        await self.live.answer(approval_id, answer)

    async def edit_pending(self, id: str, value: object) -> None:
        """Change the value of a pending write."""
        await self.live.edit_pending(self.draft, id, value)

    async def drop_pending(self, id: str) -> None:
        """Discard a pending write."""
        await self.live.drop_pending(self.draft, id)

    async def swap(self, app: object) -> None:
        """Put new code under the running state; the old code stays if the new can't be rendered."""
        live = self.live
        live.services.refuse_when_closed()
        before, live.app = live.app, app
        try:
            self._swapped = (live.committed.frame, self.draft, await self.preview())
        except BaseException:  # What the new app raises, an exit() too, must not leave half a swap.
            live.app = before
            raise
        self.setup = replace(self.setup, app=app)
        # The next frame calls every component: a diff of state can't tell which of them the new code changes.
        live.committed = replace(live.committed, changed=None)
        await live.services.database.transaction(
            writer.swap_app,
            execution_id=self.execution_id,
            frame=self.recorded,
            app=name_of(app),
            code_hash=code_hash(app),
            engine_version=__version__,
        )
        live.inbox.cause("the app was swapped")
        live.services.observers.notify()

    async def replay(
        self, *, app: object, props: Mapping[str, Any] | None, tasks: ReplayTasks, name: str | None
    ) -> Replayed:
        """Run the recording again as a new execution, with this app or another; see ``Execution.replay``."""
        from .replay import replay

        refuse_while_rendering("replay() was called")
        if not self.closed:
            # The end of the replay is held against the recorded one: people may have written or retried since.
            await self.loop.beat()
        root = self.setup.app
        if app is not None:
            root = root_with(app, props)
        return await replay(
            root,
            self.reader,
            self.execution_id,
            name=name or f"{self.name} replay",
            models=self.live.services.models,
            tasks=tasks,
            max_frames=self.setup.max_frames,
        )

    # ---- looking -----------------------------------------------------------------------------------------------

    @property
    def live(self) -> Live:
        """The engine's parts of the execution. They are changed on the engine's loop only."""
        return self.loop.live

    @property
    def status(self) -> Status:
        """The status: ready, running, paused, waiting, finished, failed, stopped or terminated."""
        return self.loop.standing[0]

    @property
    def reason(self) -> str:
        """The reason for the status, in words; "" without one."""
        return self.loop.standing[1]

    @property
    def over(self) -> bool:
        """True if it has ended, and nothing is left to do."""
        return self.loop.over and not self.loop.reopened

    @property
    def draft(self) -> Draft | None:
        """The frame in progress, or the last one, with all that its phases have left in it."""
        return self.loop.draft

    @property
    def frame(self) -> Frame | None:
        """The frame in progress, or the last one; None before the first of this process."""
        draft = self.draft  # Read once: the engine's thread may begin the next frame meanwhile.
        if draft is None or draft.phase is None:
            return None
        return draft.freeze()

    @property
    def recorded(self) -> int:
        """Number of the last frame that was committed; 0 before the first."""
        return self.live.frame

    @property
    def command(self) -> str | None:
        """The running command: ``step``, ``phase`` or ``run``; None between two commands."""
        return self.loop.command

    @property
    def hit(self) -> Hit | None:
        """The breakpoint that ended the last command; None if it ended otherwise, or one is running."""
        return self.loop.hit

    @property
    def lost(self) -> StoreError | None:
        """The error that the next transaction raises because the file was removed, renamed or replaced; else None."""
        return self.live.services.database.shared.lost

    @property
    def in_a_fork(self) -> bool:
        """True if the process that has the execution is the parent of this one."""
        return self.live.services.in_a_fork

    def refuse_in_a_fork(self) -> None:
        """Raise if the process that has the execution is the parent of this one.

        Raises:
            StoreError: saying how to continue.
        """
        self.live.services.refuse_in_a_fork()

    def publish(self) -> Publication:
        """Return the present state as a record."""
        return publication(self.loop, self._swapped_plan())

    def _swapped_plan(self) -> Tree | None:
        """Return the plan of an app that was swapped in, until a frame renders it."""
        if self._swapped is None:
            return None
        frame, draft, tree = self._swapped
        if frame == self.recorded and draft is self.draft:
            return tree
        return None

    @property
    def predictions(self) -> Predictions:
        """The predictions of learners: from the first use on they are scored after each phase."""
        if self._predictions is None:
            self._predictions = Predictions(self)
        return self._predictions

    def observe(self, observer: Callable[[], None]) -> None:
        """Call ``observer()`` on the engine's thread after each phase and task; it must return at once."""
        self.live.services.observers.add(observer)

    def unobserve(self, observer: Callable[[], None]) -> None:
        """Stop calling ``observer()``."""
        self.live.services.observers.remove(observer)

    def prepare(self, plan: Tree) -> None:
        """Begin to import what the agents of a plan need, in the background."""
        services = self.live.services
        # The import of a provider's package takes seconds; the first step of a kernel would wait for it.
        agents = [node for node in plan.walk() if node.type in AGENT_TYPES]
        if agents and not services.runner.remote:
            models = (getattr(node.node, "model", None) for node in agents)
            prepare([model for model in models if isinstance(model, str) and model not in services.models])

    def lint(self) -> list[Problem]:
        """Return what looks wrong in the plan as it was rendered last; see ``Execution.lint``."""
        from .engine.lint import lint

        live = self.live
        if live.committed.rendered is None:
            return []
        # Copies: the engine's thread may add a task while this one looks.
        end = foresee_end(live.committed.rendered.tree, dict(live.tasks.items()), dict(live.committed.loops))
        return lint(live.committed.rendered, end, self.reader, self.execution_id)

    async def preview(self) -> Tree:
        """Return the plan as it would be rendered now. Nothing is executed or stored."""
        live = self.live
        snapshot = Snapshot(
            frame=live.committed.frame + 1,
            cells=live.committed.cells,
            now=live.snapshot_time,
            seed=live.services.seed,
            loops=live.committed.loops,
            vol=live.committed.vol,
        )
        return render(live.app, snapshot, live.context).tree

    async def code_changes(self) -> str:
        """Return what other code than the recorded means for the nodes of the last recorded frame, in words."""
        before, name = self.live.committed.tree, f"the code of {self.name} is not what ran before"
        try:
            after = await self.preview()
        except SmithersError as error:
            return f"{name}, and can't be rendered: {error}"
        changes = diff(before, after)
        gone, new = ", ".join(changes.unmounted[:5]) or "none", ", ".join(changes.mounted[:5]) or "none"
        return (
            f"{name}. State and history stay; nodes are told by their ids: {len(before.index) - len(changes.unmounted)}"
            f" of {len(before.index)} go on with their tasks, gone (their tasks are cancelled): {gone}, new: {new}."
        )

    def __repr__(self) -> str:
        reason = f" ({self.reason})" if self.reason else ""
        return f"<Execution {self.name!r} {self.execution_id}: {self.status}{reason}, frame {self.recorded}>"


# Weak: an execution that no variable names any longer gives its lease back, and is resumed by who wants it.
_runs: WeakValueDictionary[tuple[str, str], Run] = WeakValueDictionary()
"""The runs of this process by file and id, as long as someone holds them."""


def run_of(path: str, execution_id: str) -> Run | None:
    """Return the run of an execution of a file; None if this process does not run it, or has closed it."""
    found = _runs.get((path, execution_id))
    if found is None or found.closed or found.in_a_fork:
        return None
    return found


def root_with(app: object, props: Mapping[str, Any] | None) -> object:
    """Return the root of a plan: a component with its props, or the element or nodes that were given.

    Raises:
        PropError: if there are props for what has its own.
    """
    if isinstance(app, Component):
        return replace(app(**dict(props or {})), source=app.source)
    if props:
        raise PropError(f"props= goes with a component; this app is {kind_of(app)} that has its own.")
    return app


def checked_limits(limits: Mapping[str, float] | None) -> dict[str, float]:
    """Return limits as they are kept.

    Raises:
        PropError: if there is none of such a name, or one is no number above 0.
    """
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


@asynccontextmanager
async def _opened(path: str, durability: Durability) -> AsyncIterator[Database]:
    """Open a file for an execution that begins meanwhile, and has it from then on."""
    database = await Database.open(path, durability)
    try:
        yield database
    except BaseException:  # A cancelled opening gives the file back, too: its lease would block the next one.
        await database.close()
        raise


async def bring_up(path: str) -> None:
    """Let SQLite repair what a killed process left, and bring an older release's file up to this one's schema."""
    await (await Database.open(path)).close()


def compiled(until: str) -> CodeType:
    """Return the code of a condition.

    Raises:
        ValueError: if the text is no expression.
    """
    try:
        return compile(until, "<until>", "eval")
    except SyntaxError as error:
        raise _no_expression(until, error.msg) from None
    except ValueError as error:  # A null byte or a lone surrogate.
        raise _no_expression(until, str(error)) from None


def _no_expression(until: str, why: str) -> ValueError:
    return ValueError(f"until={until!r} is no expression over state and frame: {why}.")
