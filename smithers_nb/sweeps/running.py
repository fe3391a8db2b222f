"""The running of a sweep: its branches side by side on the engine's loop, each closed as soon as it has ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from time import perf_counter

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

    async def _opened(self, branch: SweepBranch, recorded: ExecutionRecord | None) -> Run:
        work, options = self.work, self.work.sweep.options
        case = work.cases[key_of(branch.varied)]
        models = {name: choice.value for name, choice in case.of("models").items()}
        root = work.root(case)
        setup = replace(work.setup, app=root, models={**work.setup.models, **models}, budget=self.budget)
        if recorded is not None:
            return await Run.reopen(setup, _row_again(recorded, root))
        edits = {key: choice.stored for key, choice in case.of("state").items() if choice.stored is not None}
        name = f"{self.name}[{branch.number}]"
        if work.point is not None:
            asked = new_branch(
                work.point.execution_id,
                work.point.frame,
                root,
                name=name,
                durability=options.durability,
                edits=edits,
                reuse=work.sweep.reuse,
                models=[*work.replaced, *models],
                id=branch.execution_id,
            )
            return await Run.fork(setup, asked, beside=work.beside)
        row = NewExecution(
            execution_id=branch.execution_id,
            name=name,
            app=name_of(root),
            code_hash=code_hash(root),
            engine_version=__version__,
            # Repeats with one seed would draw the same numbers from ctx.rand().
            seed=options.seed + branch.repeat - 1,
            durability=options.durability,
            props=stored_props(root),
        )
        return await Run.create(setup, row, {**work.state, **edits})


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
