"""All that is shown of one execution, as the protocol's dicts. It looks only; it runs nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager
from time import time
from typing import Any, Protocol, cast

from ...errors import StoreError
from ...nodes.tree import EMPTY, Tree
from ...records import Ghosts, Phase, Problem
from ...records.publication import Publication, TaskProgress
from ...records.words import standing_of
from ...syntax.ghosts import ghosts_of
from ..baselines import Baselines, Edited, laid_over
from ..cursor import Cursor
from ..live import LiveSource
from ..matching import nearest, place_of
from ..names import names_of
from ..recorded import RecordedSource
from ..source import Source
from . import (
    branches,
    breakpoints,
    compare,
    edited,
    ghosts,
    handlers,
    last_change,
    node,
    output,
    pending,
    questions,
    search,
    state,
    tasks,
    timeline,
)
from . import protocol as p
from .did import did
from .frame import chips, frame_head
from .plan import Plans
from .predict import predicting
from .problems import errors_of, problem_row, problems_pane
from .sentence import kind_of, sentence
from .values import epoch_ms, phase_name
from .why import Search, needs_pane, why_not_pane, why_pane

PROBLEMS = 20
RECORDED = "This execution is recorded: nothing runs here. Execution.resume(app, store=…, id=…) continues it."
"""The reason why no command is taken where no engine runs the execution."""


class Running(Protocol):
    """An execution that this process runs, as far as a view needs it."""

    name: str
    edits: int

    @property
    def code(self) -> object:
        """The app of now: a component, an element or a node."""

    @property
    def edited(self) -> Edited | None:
        """The recorded frames as edited code renders them, where it was given."""

    def publish(self) -> Publication:
        """Return its publication."""

    def lint(self) -> list[Problem]:
        """Return what looks wrong in its plan."""


class View:
    """An execution, seen from outside. Safe on any thread: it reads publications and the file.

    Parameters
    ----------
    recorded : RecordedSource
        The execution in its file.
    running : Running, optional
        The running execution; None where no engine runs it.
    dry : Tree
        The plan as it was rendered before the first frame.
    caller : callable, optional
        Returns the expression by which the user's code calls the execution; "" where there is none.
    holder : callable, optional
        Returns the variable that holds a running execution of the file, by its id: "" where none does, None for one
        that does not run in this process.
    """

    def __init__(
        self,
        recorded: RecordedSource,
        running: Running | None = None,
        dry: Tree = EMPTY,
        caller: Callable[[], str] = str,
        holder: Callable[[str], str | None] = lambda _id: None,
        search: Search | None = None,
    ) -> None:
        self._search = search
        self._recorded = recorded
        self._caller = caller
        self._holder = holder
        self._newest = 0
        self._running = running
        self._dry = dry
        self._plans = Plans()
        self._baselines = Baselines(recorded)
        self._versions = _Versions()
        # The findings are of a frame: lint runs once for each, and not with every summary.
        self._linted = 0
        self._findings: list[Problem] = []

    @property
    def name(self) -> str:
        """The name of the execution."""
        return self.source().head.name

    def has_grown(self) -> bool:
        """Return whether executions were added to the file since the last summary."""
        return self._recorded.file.newest() != self._newest

    def source(self) -> RecordedSource:
        """Return the records as they are now."""
        if self._running is None:
            return self._recorded
        # A new one for each request: it reads one publication, so that all that a pane shows is of the same moment.
        return LiveSource(self._recorded, self._running.publish(), self._running.name, self._dry)

    def sentence(self, buttons: bool = True) -> str:
        """Return what happened last, and what the next step will do.

        ``buttons`` says whether the answers to a question can be pressed beside it.
        """
        source = self.source()
        caller = None
        if not buttons:
            caller = self._caller()
        return sentence(source, source.cursor(), caller)

    def caller(self) -> str:
        """Return the expression by which the user's code calls the execution; "" where there is none."""
        return self._caller()

    def together(self) -> AbstractContextManager[None]:
        """Read everything that is asked for meanwhile, on this thread, over one connection."""
        return self._recorded.together()

    def summary(self, seq: int, busy: str | None, error: str | None, learner: str | None = None) -> p.Summary:
        """Return the contents of the header, the toolbar, the phase strip and the sentence.

        ``learner`` is the one who predicts the frames; None where no one does.
        """
        source = self.source()
        head, now, cursor = source.head, source.publication, source.cursor()
        tokens, cost = source.totals()
        problems = self._problems(source)
        names = names_of(source, cursor)
        predicted = None if learner is None else predicting(source, learner)
        told = sentence(source, cursor)
        if predicted is not None and predicted["frame"] is not None:
            # What the next step does is what the learner is asked.
            told = f"Predict frame {predicted['frame']} below, or skip it; then Step runs it."
        return {
            "protocol": p.PROTOCOL,
            "seq": seq,
            "name": head.name,
            "execution_id": head.execution_id,
            "status": head.status,
            "reason": head.reason,
            "standing": standing_of(head.status, head.reason, phase_name(_phase(now))),
            "over": head.over,
            "frame": head.frame,
            "phase": phase_name(_phase(now)),
            "phases": _strip(cursor, now),
            "sentence": told,
            "kind": kind_of(source, cursor),
            "did": did(source, cursor, names),
            "busy": busy,
            "counts": self._counts(source, cursor, source.errors() + errors_of(self._findings_at(source))),
            "tokens": tokens,
            "cost_usd": cost,
            "problems": [problem_row(found, _frame_of(found, head.frame)) for found in problems[:PROBLEMS]],
            "error": error,
            "recorded": head.recorded,
            "versions": self._versions.of(self._signatures(source, cursor)),
            "running": tasks.running(source, names),
            "questions": questions.questions(source.questions(), names),
            "hit": _hit_row(now),
            "breakpoints": sum(1 for point in source.breakpoints() if point.enabled),
            "read_only": _read_only(now),
            "edited": 0 if self._running is None else self._running.edits,
            "predict": predicted,
            "limits": limits(),
            "now": time() * 1000,
        }

    @staticmethod
    def _counts(source: Source, cursor: Cursor, problems: int) -> p.Counts:
        now = source.publication
        counts: p.Counts = {
            "nodes": len(cursor.tree),
            "pending": 0,
            "handlers": 0,
            "state": 0,
            "problems": problems,
            "running": 0,
            "tasks": 0,
            "output": source.file.count("output", cursor.frame, cursor.frame),
            "breakpoints": len(source.breakpoints()),
        }
        if now is None:
            counts["state"], _ = source.state(cursor, 0)
            counts["tasks"] = len(source.tasks(cursor, tasks.ROWS))
            return counts
        counts["pending"] = len(now.pending)
        if now.frame is not None:
            counts["handlers"] = len(now.frame.handlers)
        counts["state"] = len(now.state) + len(now.vol)
        counts["running"] = now.running
        counts["tasks"] = len(now.tasks)
        counts["output"] += sum(1 for event in now.printed if event.frame == cursor.frame)
        return counts

    def _problems(self, source: Source) -> list[Problem]:
        """Return the problems of the live frame, errors first; when the execution is over, the findings of lint too."""
        now = source.publication
        if now is None or now.frame is None:
            return []
        # While it runs a key that no one has read yet may be read in the next frame: then lint would cry wolf.
        found = [*now.frame.problems, *self._findings_at(source)]
        return sorted(found, key=lambda problem: problem.severity != "error")

    def _lint(self, source: Source) -> list[Problem]:
        """Return the findings of lint, looked for once a frame."""
        if self._running is not None and self._linted != source.head.recorded:
            self._linted, self._findings = source.head.recorded, self._running.lint()
        return self._findings

    def _signatures(self, source: Source, cursor: Cursor) -> dict[str, tuple[object, ...]]:
        """Return by pane what a live view of it depends on; objects stand for themselves."""
        now = source.publication
        # Of the family only its growth: the page asks again when it is looked at.
        self._newest = source.file.newest()
        family = (self._newest,)
        if now is None:
            return {"branches": family}
        frame, number = now.frame, cursor.frame
        standing = hash(tuple(now.standing.items()))
        # With FLUSH things move from the publication into the file, where they have other ids and places: a pane that
        # looks the same must be fetched again.
        flushed, handlers, problems = True, 0, 0
        if frame is not None:
            flushed, handlers, problems = frame.phase is Phase.FLUSH, len(frame.handlers), len(frame.problems)
        errors = (problems, len(now.failed), now.reason, now.over)
        calls = (number, handlers, flushed)
        writes = tuple((write.id, write.status, write.trigger) for write in now.pending)
        return {
            "frame": (number, cursor.phase, now.status, now.hit, now.reason),
            "timeline": (number, cursor.phase, *errors, len(now.pending)),
            "plan": (number, cursor.tree, cursor.changes, standing, now.breakpoints, problems),
            "xml": (number, cursor.tree, cursor.changes),
            "pending": (number, flushed, writes),
            "handlers": (*calls, standing),
            "state": (now.recorded, now.values_version, len(now.state), len(now.vol), flushed, now.reads),
            "tasks": tuple(_task_signature(task) for task in now.tasks) + _refusals(source, now),
            "breakpoints": (now.breakpoints, now.hit),
            "output": (now.heard, flushed),
            "problems": (number, *errors),
            "branches": family,
        }

    # ---- the panes ---------------------------------------------------------------------------------------------

    def pane(self, get: p.Get) -> Any:  # Any: the pane's type
        """Return the contents of a pane at the cursor.

        Raises:
            StoreError: if there is no such frame, or nothing of that name.
        """
        source = self.source()
        cursor = source.cursor(get.at, get.phase, get.base)
        other = against = None
        if get.other is not None:
            other = self._baselines.source(get.other)
            if get.pane != "compare":
                cursor, against = self._baselines.laid_under(cursor, other), other.head.name
        edit = None if self._running is None else self._running.edited
        if get.edited:
            cursor, against = laid_over(cursor, edit, self._recorded.cache)
        of = get.of or ""
        # Functions, so that a request computes its own pane only.
        panes: dict[str, Callable[[], Any]] = {
            "frame": lambda: frame_head(source, cursor),
            "timeline": lambda: timeline.timeline(source, get.since),
            "gantt": lambda: timeline.gantt(source, cursor),
            "plan": lambda: self._plans.plan(source, cursor, get.limit, get.known, against=against),
            "xml": lambda: self._plans.xml(source, cursor, get.full, against=against),
            "pending": lambda: pending.pending(source, cursor),
            "handlers": lambda: handlers.handlers(source, cursor),
            "state": lambda: state.state(source, cursor, get.limit),
            "tasks": lambda: tasks.tasks(source, cursor),
            "task": lambda: _there(tasks.task(source, cursor, of), f"task {of!r}"),
            "breakpoints": lambda: breakpoints.breakpoints(source, cursor),
            "output": lambda: output.output(source, cursor, get.limit),
            "problems": lambda: problems_pane(source, cursor, get.limit, self._findings_at(source)),
            "node": lambda: _there(node.node(source, cursor, of), f"node {of!r} in frame {cursor.frame}"),
            "value": lambda: node.whole(source, of, get.since, get.limit),
            "search": lambda: search.search(source, cursor, of),
            "last_change": lambda: last_change.last_change(source, cursor, of, get.before),
            "hit": lambda: _hit(source, get.before or place_of(cursor), get.direction == "forward"),
            "edited": lambda: edited.edited(edit),
            "compare": lambda: compare.compared(source, cursor, self._baselines, other=other, limit=get.limit),
            "branches": lambda: branches.branches(source, self._holder),
            "notes": lambda: branches.notes(source),
            "why": lambda: why_pane(source, cursor, get, self._ghosts),
            "why_not": lambda: why_not_pane(source, cursor, get, self._ghosts),
            "needs": lambda: self._needs(source, get),
            "ghosts": lambda: ghosts.ghosts(cursor, self._ghosts()),
        }
        return panes[get.pane]()

    def _needs(self, source: RecordedSource, get: p.Get) -> p.NeedsPane:
        of, search = _there(get.of, "target without a name"), _there(self._search, "search for an edit in this view")
        return needs_pane(source, get, of, search)

    def _ghosts(self) -> Ghosts | None:
        """Return the nodes that the code of now can return; None where there is no code."""
        return None if self._running is None else ghosts_of(self._running.code)

    def problems(self) -> list[p.ProblemRow]:
        """Return the problems so far, errors first, without hints; when the execution is over, those of lint too."""
        source = self.source()
        found = problems_pane(source, source.cursor(), PROBLEMS, self._findings_at(source))["problems"]
        return [one for one in found if one["severity"] != "hint"]

    def _findings_at(self, source: Source) -> list[Problem]:
        if source.publication is None or not source.publication.over:
            return []
        return self._lint(source)


def _strip(cursor: Cursor, now: Publication | None) -> list[p.PhaseChip]:
    """Return the phase strip of the summary."""
    if now is None:
        return chips(cursor, {})
    if now.frame is None:
        # A resumed execution stands after the FLUSH of its last frame: all phases of the next one are to come.
        return chips(Cursor(0, None, live=True, tree=cursor.tree), {})
    return chips(cursor, now.frame.ms)


def _phase(now: Publication | None) -> Phase | None:
    if now is None or now.frame is None:
        return None
    return now.frame.phase


def _frame_of(problem: Problem, frame: int) -> int:
    """Return the frame of a problem: a finding of lint was found in no phase, and belongs to none."""
    if problem.phase is None:
        return 0
    return frame


def _hit_row(now: Publication | None) -> p.HitRow | None:
    if now is None or now.hit is None:
        return None
    return breakpoints.hit(now.hit, time() * 1000)


def _read_only(now: Publication | None) -> str | None:
    if now is None:
        return RECORDED
    return None


def _task_signature(task: TaskProgress) -> Hashable:
    asked = tuple(question.approval_id for question in task.questions)
    return (task.node_id, task.task_id, task.status, task.attempt, task.settled, task.requests, task.worker, *asked)


def _refusals(source: Source, now: Publication) -> tuple[object, ...]:
    """Return the number of refused requests of each model: their windows are shown while agents run."""
    if not any(task.is_agent and task.status in ("running", "blocked") for task in now.tasks):
        return ()
    # The engine does not count refusals of other processes of this file: they are read.
    return tuple((window["name"], window["refused"]) for window in tasks.windows(source))


def _hit(source: Source, before: tuple[int, int], forward: bool) -> p.HitPane:
    """Return the nearest hit before or after a place."""
    found = nearest(source, before, forward)
    if found is None:
        where = {True: "after", False: "before"}[forward]
        return {"found": None, "before": before, "text": f"no hit {where} here in the records."}
    hit, at, place = found
    return {"found": breakpoints.hit(hit, epoch_ms(at) or 0.0), "before": place, "text": hit.text}


def limits() -> list[str]:
    """Return what this kernel can't do, in words."""
    # Not imported for this: outside of a kernel there is none to ask.
    kernel = sys.modules.get("ipykernel")
    version = getattr(kernel, "version_info", (7,))
    if version[0] < 7:
        return [
            f"This kernel (ipykernel {'.'.join(map(str, version[:2]))}) takes clicks only between cells: while a cell "
            "runs they wait, Pause too. The kernel's Stop button ends the cell; ipykernel 7 has no such limit."
        ]
    return []


def _there(found: Any, what: str) -> Any:
    if found is None:
        raise StoreError(f"there is no {what}.")
    return found


class _Versions:
    """Counts the changes of each pane's content."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[object, ...]] = {}
        self._count = cast(p.Versions, dict.fromkeys(p.VERSIONED, 0))

    def of(self, signatures: dict[str, tuple[object, ...]]) -> p.Versions:
        """Return the numbers, each raised where its signature differs."""
        # Numbers, not hashes of contents: computing every pane to see whether it differs would cost what it saves.
        for pane, signature in signatures.items():
            last = self._last.get(pane)
            if last is None or len(last) != len(signature) or not all(map(_same, last, signature)):
                self._count[pane] += 1  # type: ignore[literal-required]  # one of VERSIONED
                # It holds the objects, so that a new one can't get the address of one that is gone.
                self._last[pane] = signature
        return self._count.copy()


def _same(one: object, other: object) -> bool:
    """Return whether both are one object, or equal plain values: a tree is not compared node by node."""
    return one is other or (isinstance(one, str | int | tuple | float) and one == other)
