"""The running of a sweep: its branches side by side on the engine's loop, each closed as soon as it has ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import cast

from ..agents.runner import ExecutionTask, FarRunner, RetryLater, WorkerFailure
from ..agents.scoped import ScopedRunner
from ..engine.code import code_hash, name_of
from ..engine.tasks.budget import Budget
from ..errors import ExecutionOwnedError, RunError, SmithersError, StoreError, UnknownExecutionError, said
from ..fork import new_branch, stored_props
from ..records import BranchOutcome, ExecutionRecord, NewExecution, SweepBranch, SweepRecord
from ..records.frame import OVER
from ..run import Run, Setup, Until
from ..store import sweeps
from ..store.connection import Database
from ..store.fork import ForkPoint
from ..store.reader import Reader
from ..values import Stored
from ..version import __version__
from .cases import SweepCase, key_of
from .elsewhere import BranchLedger, kept_here, take, task_of

logger = logging.getLogger(__name__)

BY_HAND = ("stopped by hand", "closed", "paused by hand", "")
"""Reasons of executions that rest and that the sweep continues."""
END = tuple[str, str]
"""The end of a branch: status and reason."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """All that the branches of a sweep are made of."""

    sweep: SweepRecord
    setup: Setup
    """The parts that they have in common; each gets an app of its own."""
    cases: Mapping[str, SweepCase]
    """The cases by their key."""
    root: Callable[[SweepCase], object]
    """Returns the root of a case's plan."""
    state: Mapping[str, Stored]
    """The first state that is not varied, of executions of their own."""
    point: ForkPoint | None
    """The frame that they are forked from; None for executions of their own."""
    beside: Run | None
    """The run of the parent, if this process has it."""
    replaced: tuple[str, ...]
    """The names of the models that ``models=`` replaces in every branch."""
    until: Until | None
    max_parallel: int


@dataclass(slots=True)
class Progress:
    """The state of a running sweep. The engine's thread changes it; others look."""

    total: int
    done: int = 0
    failed: int = 0
    cost_usd: float = 0.0
    stopped: bool = False
    """True if ``stop`` of the parent has ended it."""
    ended: list[int] = field(default_factory=list)
    """The numbers of the branches that have ended, in that order."""
    workers: set[str] = field(default_factory=set)
    """The workers that have run whole branches."""
    stalls: dict[str, str] = field(default_factory=dict)
    """The reasons why branches don't continue on workers, in words, by the names of the branches."""
    note: str = ""
    """The last news about workers."""

    @property
    def stalled(self) -> str:
        """The reason why branches don't continue, in words; "" if all do."""
        return next(iter(list(self.stalls.values())), "")


class SweepRun:
    """A run of a sweep over the branches that are missing or have failed."""

    def __init__(self, work: Work, found: Iterable[BranchOutcome]) -> None:
        self.work = work
        self.name = work.sweep.name
        self.reader = Reader(work.setup.path)
        known = list(found)
        # A failed branch is no sample of what was asked for: a provider was down, a limit was reached, code was wrong.
        self.missing = [one for one in known if not one.ended or one.status == "failed"]
        self.progress = Progress(
            total=len(known),
            done=len(known) - len(self.missing),
            cost_usd=sum(one.cost_usd for one in known),
        )
        self.far: FarRunner | None = None
        """The runner of whole branches, where workers can run them."""
        self._merging = asyncio.Lock()
        runner = work.setup.runner
        if getattr(runner, "outlives", False):
            self._scope = sweeps.scope_of(self.reader, self.name)
            scoped = ScopedRunner(cast(FarRunner, runner), self._scope)
            self.work = replace(work, setup=replace(work.setup, runner=scoped))
            # The kernel counts what limits= of all branches together allow, and has what a branch was forked from.
            if work.point is None and not work.sweep.options.limits:
                self.far = scoped
        self.budget: Budget | None = None
        if limits := dict(work.sweep.options.limits):
            begun = [one.branch.execution_id for one in known if one.begun]
            self.budget = Budget.of(limits, self.reader, *begun, whose="the sweep")

    async def run(self) -> None:
        """Run the branches to their ends, at most ``max_parallel`` at a time."""
        database = await Database.open(self.work.setup.path, self.work.sweep.options.durability)
        running = asyncio.ensure_future(self._all(database))
        of_parent: set[asyncio.Task[None]] = set()
        if self.work.beside is not None:
            of_parent = self.work.beside.sweeps
        of_parent.add(running)
        try:
            # A task of its own: stop() of the parent ends it, and not the call that waits here.
            await running
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            self.progress.stopped = True
        finally:
            of_parent.discard(running)
            if self.far is not None:
                self.far.rest()
            await database.fold()
            await database.close()

    async def _all(self, database: Database) -> None:
        # Workers that share an iterator, and not a task a branch: of 1,000 branches, 8 are in memory.
        waiting = iter(self.missing)
        workers = [
            asyncio.ensure_future(self._worker(waiting, database))
            for _ in range(min(self.work.max_parallel, len(self.missing)))
        ]
        try:
            await asyncio.gather(*workers)
        finally:
            # One has failed, or all are to stop: each closes its execution before it ends.
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    async def _worker(self, waiting: Iterator[BranchOutcome], database: Database) -> None:
        for one in waiting:
            began = perf_counter()
            end: END | None = None
            # Also the time of a branch that is interrupted: the file adds up what later processes take.
            try:
                end = await self._end_of(one)
            finally:
                seconds = perf_counter() - began
                await database.transaction(sweeps.end_branch, self.name, one.branch.number, end=end, seconds=seconds)
            self._count(one.branch, end)

    def _count(self, branch: SweepBranch, end: END | None) -> None:
        progress = self.progress
        progress.done += 1
        if end is not None:
            progress.ended.append(branch.number)
            progress.failed += end[0] == "failed"

    async def _end_of(self, one: BranchOutcome) -> END | None:
        """Run a branch, and return its end; None if it has not ended, or another process has it."""
        branch = one.branch
        recorded = self._recorded(branch)
        again = one.ended
        if recorded is not None and not again and _is_over(recorded):
            # The process ended between the end of the execution and the row that says so.
            return self._starved(branch) or (recorded.status, recorded.reason)
        if self.budget is not None and (limit := self.budget.reached(tool=False)):
            return "failed", f"limit: {limit}"
        if recorded is None and self.far is not None and (task := self._far_task(branch, self.far)) is not None:
            return await self._elsewhere(task, one, self.far)
        try:
            run = await self._opened(branch, recorded)
        except ExecutionOwnedError:
            return None
        except StoreError:
            raise
        except SmithersError as error:
            return "failed", said(error)
        try:
            return await self._run(run, branch, again)
        finally:
            self._count_cost(run, one)
            await run.close()

    def _far_task(self, branch: SweepBranch, runner: FarRunner) -> ExecutionTask | None:
        """Return a branch as it is handed to workers; None if it has to run here, which is said."""
        setup, row, state = self._new(branch)
        until, code = self.work.until, runner.send_code
        task = task_of(setup, row, state=state, until=until, scope=self._scope, send_code=code)
        why = kept_here(task)
        if why is None:
            return task
        if not self.progress.note:
            logger.warning(
                "executions of sweep %r stay in this process, with their agents on workers: %s", self.name, why
            )
        self.progress.note = why
        return None

    async def _elsewhere(self, task: ExecutionTask, one: BranchOutcome, runner: FarRunner) -> END | None:
        """Let a worker run a branch, and add it to the file when it rests."""
        ledger = BranchLedger(self.progress, task.node_id)
        try:
            end = await runner.execute(task, ledger)
        except RetryLater:
            return None  # Somebody has cancelled its item.
        except (SmithersError, WorkerFailure) as error:
            return "failed", said(error)
        finally:
            await ledger.stalled(None)
        if self._recorded(one.branch) is None:  # Another process may run the same sweep, and go on with what it took.
            await take(end, self.work.setup.path, self._merging)
        self.progress.cost_usd += self.reader.usage(one.branch.execution_id).cost_usd or 0.0
        # One that waits for a person continues here, with its agents on workers.
        return (end["status"], end["reason"]) if end["ended"] else None

    async def _run(self, run: Run, branch: SweepBranch, again: bool) -> END | None:
        # Whatever user code raises, until= too, is the end of this branch alone.
        try:
            if again:
                await self._retry(run, branch)
            outcome = await run.advance(self.work.until, None)
        except ExecutionOwnedError:
            return None
        except StoreError:
            # The file can't be written: no other branch could either.
            raise
        except Exception as error:  # noqa: BLE001  # see above
            return "failed", said(error)
        if starved := self._starved(branch):
            return starved
        # One that rests without a breakpoint was ended by until= or max_frames.
        if run.over or (outcome.status == "paused" and run.hit is None):
            return outcome.status, outcome.reason
        return None

    async def _retry(self, run: Run, branch: SweepBranch) -> None:
        """Run the tasks of a failed branch again that have failed."""
        starved = sweeps.starved_nodes(self.reader, branch.execution_id)
        for node_id in dict.fromkeys([*run.loop.failures, *starved]):
            # One that is not settled yet is dealt with by the next frame; one that left the plan is not there.
            with suppress(RunError):
                await run.live.tasks.retry(node_id)

    def _starved(self, branch: SweepBranch) -> END | None:
        if self.budget is None:
            return None
        limits = sweeps.starved_nodes(self.reader, branch.execution_id).values()
        return next((("failed", limit) for limit in limits), None)

    def _count_cost(self, run: Run, before: BranchOutcome) -> None:
        if self.budget is not None:
            self.progress.cost_usd = self.budget.spent.cost_usd
        else:
            self.progress.cost_usd += run.live.services.budget.spent.cost_usd - before.cost_usd

    def _recorded(self, branch: SweepBranch) -> ExecutionRecord | None:
        try:
            return self.reader.execution(branch.execution_id)
        except UnknownExecutionError:
            return None

    def _setup(self, branch: SweepBranch) -> Setup:
        """Return the parts that the run of a branch is made of."""
        case = self.work.cases[key_of(branch.varied)]
        models = {name: choice.value for name, choice in case.of("models").items()}
        common = self.work.setup
        return replace(common, app=self.work.root(case), models={**common.models, **models}, budget=self.budget)

    def _edits(self, branch: SweepBranch) -> dict[str, Stored]:
        varied = self.work.cases[key_of(branch.varied)].of("state")
        return {key: choice.stored for key, choice in varied.items() if choice.stored is not None}

    def _new(self, branch: SweepBranch) -> tuple[Setup, NewExecution, dict[str, Stored]]:
        """Return a branch that is an execution of its own, with its first state."""
        options, setup = self.work.sweep.options, self._setup(branch)
        row = NewExecution(
            execution_id=branch.execution_id,
            name=f"{self.name}[{branch.number}]",
            app=name_of(setup.app),
            code_hash=code_hash(setup.app),
            engine_version=__version__,
            # Repeats with one seed would draw the same numbers from ctx.rand().
            seed=options.seed + branch.repeat - 1,
            durability=options.durability,
            props=stored_props(setup.app),
        )
        return setup, row, {**self.work.state, **self._edits(branch)}

    async def _opened(self, branch: SweepBranch, recorded: ExecutionRecord | None) -> Run:
        work = self.work
        if recorded is None and work.point is None:
            return await Run.create(*self._new(branch))
        setup = self._setup(branch)
        if recorded is not None:
            return await Run.reopen(setup, _row_again(recorded, setup.app))
        assert work.point is not None  # for the type checker: see above
        asked = new_branch(
            work.point.execution_id,
            work.point.frame,
            setup.app,
            name=f"{self.name}[{branch.number}]",
            durability=work.sweep.options.durability,
            edits=self._edits(branch),
            reuse=work.sweep.reuse,
            models=[*work.replaced, *work.cases[key_of(branch.varied)].of("models")],
            id=branch.execution_id,
        )
        return await Run.fork(setup, asked, beside=work.beside)


def _is_over(recorded: ExecutionRecord) -> bool:
    """Return whether the sweep is done with an execution, as the file has it."""
    if recorded.status in OVER:
        return True
    # until= and max_frames leave it at rest, with a reason; so does a breakpoint.
    rests = recorded.status in ("paused", "stopped") and recorded.reason not in BY_HAND
    return rests and not recorded.reason.startswith("stopped: ")


def _row_again(recorded: ExecutionRecord, root: object) -> NewExecution:
    return NewExecution(
        execution_id=recorded.execution_id,
        name=recorded.name,
        app=name_of(root),
        code_hash=code_hash(root),
        engine_version=__version__,
        seed=recorded.seed,
        durability=recorded.durability,
        reuse=recorded.reuse,
    )
