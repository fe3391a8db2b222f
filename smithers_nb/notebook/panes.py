"""What the stepper shows of an execution, as the protocol's dicts. Looks only; runs nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from time import time
from typing import Any

from ..errors import StoreError
from ..execution import Execution
from ..nodes.tree import Tree
from ..records import Phase, Problem
from . import hits, journal, node, tasks, writes
from . import messages as m
from . import protocol as p
from .moment import Moment, Records
from .plan import Plans
from .sentence import sentence
from .values import epoch_ms

PROBLEMS = 20


class View:
    """One execution, looked at from outside. Safe on any thread: it reads records and the store."""

    def __init__(self, ex: Execution, dry: Tree) -> None:
        self.ex = ex
        self.records = Records(ex, dry)
        self._plans = Plans(self.records)
        self._versions = _Versions()
        self._linted = 0
        self._findings: list[Problem] = []

    @property
    def moment(self) -> Moment:
        """The live one."""
        return self.records.moment()

    def sentence(self, buttons: bool = True) -> str:
        """Return what just happened, and what the next step will do."""
        return sentence(self.ex, buttons)

    def together(self) -> AbstractContextManager[None]:
        """Read all that is asked for meanwhile, on this thread, in one go."""
        return self.ex.store.reader.together()

    def summary(self, seq: int, busy: str | None, error: str | None) -> p.Summary:
        """Return all that the header, the toolbar, the phase strip and the sentence show."""
        ex, draft, moment = self.ex, self.ex.draft, self.moment
        tokens, cost = ex.store.reader.totals(ex.execution_id)
        problems = [*draft.problems, *(self.findings() if ex.over else ())] if draft else []
        problems.sort(key=lambda found: found.severity != "error")
        number = draft.number if draft else ex.recorded
        hit = ex.hit
        return {
            "protocol": p.PROTOCOL,
            "seq": seq,
            "name": ex.name,
            "execution_id": ex.execution_id,
            "status": ex.status,
            "reason": ex.reason,
            "over": ex.over,
            "frame": number,
            "phase": str(draft.phase) if draft and draft.phase else None,
            "phases": journal.chips(self._strip(moment), dict(draft.ms) if draft else {}, ex.over),
            "sentence": self.sentence(),
            "busy": busy,
            "counts": self._counts(moment, problems),
            "tokens": tokens,
            "cost_usd": cost,
            "problems": [journal.problem(found, number if found.phase else 0) for found in problems[:PROBLEMS]],
            "error": error,
            "recorded": ex.recorded,
            "versions": self._versions.of(self._signatures(moment)),
            "running": tasks.running(self.records, self._times()),
            "questions": tasks.questions(ex.live),
            "hit": journal.hit(hit, time() * 1000) if hit is not None else None,
            "breakpoints": sum(1 for point in ex.live.breakpoints.all if point.enabled),
            "limits": limits(),
            "now": time() * 1000,
        }

    def _strip(self, moment: Moment) -> Moment:
        """Return what the phase strip shows: after FLUSH the next frame's phases are to come."""
        draft = self.ex.draft
        return moment if draft is not None and draft.phase is not None else Moment(0, None, True, moment.tree)

    def _counts(self, moment: Moment, problems: list[Problem]) -> p.Counts:
        ex, draft = self.ex, self.ex.draft
        live = ex.live
        printed = sum(1 for event in live.printed.waiting if event.frame == moment.frame)
        return {
            "nodes": len(moment.tree),
            "pending": len(ex.pending),
            "handlers": len(draft.calls) if draft else 0,
            "state": len(live.cells) + len(live.vol),
            "problems": journal.errors_of(problems),
            "running": ex.running,
            "tasks": len(live.tasks),
            "output": printed + self.records.store.count("output", moment.frame, moment.frame),
            "breakpoints": len(live.breakpoints.all),
        }

    def _times(self) -> dict[str, tuple[float | None, float | None, str | None]]:
        """Return when each task that has not ended started, and its next attempt."""
        live = self.ex.live
        entries = list(live.tasks.values())
        ids = [entry.task_id for entry in entries if entry.status in ("running", "blocked", "pending")]
        if not ids:
            return {}
        rows = self.records.store.times(ids[: tasks.RUNNING])
        return {id: (epoch_ms(started), epoch_ms(retry), reason) for id, started, retry, reason in rows}

    def _refusals(self) -> tuple[object, ...]:
        """Return how often each model has refused a request: their windows are shown while agents are under way."""
        if not any(entry.is_agent and entry.status in ("running", "blocked") for entry in self.ex.live.tasks.values()):
            return ()
        return tuple((window["name"], window["refused"]) for window in tasks.windows(self.records))

    def findings(self) -> list[Problem]:
        """Return what ``ex.lint()`` finds, looked for once a frame."""
        if self._linted != self.ex.recorded:
            self._linted, self._findings = self.ex.recorded, self.ex.lint()
        return self._findings

    def _signatures(self, moment: Moment) -> dict[str, tuple[object, ...]]:
        """Return by pane what a live view of it depends on; objects stand for themselves."""
        ex, live, draft = self.ex, self.ex.live, self.ex.draft
        place = (moment.frame, moment.phase)
        standing = hash(tuple(ex.tasks.items()))
        flushed = draft is None or draft.phase is Phase.FLUSH
        errors = (len(draft.problems) if draft else 0, len(live.failed), ex.over)
        points = live.breakpoints.all
        calls = (moment.frame, len(draft.calls) if draft else 0, flushed)
        return {
            "frame": (*place, ex.status, ex.hit, ex.reason),
            "timeline": (*place, *errors, len(ex.pending)),
            "plan": (moment.frame, moment.tree, moment.changes, standing, points),
            "xml": (moment.frame, moment.tree, moment.changes),
            "pending": (moment.frame, flushed, tuple((write.id, write.status, write.trigger) for write in ex.pending)),
            "handlers": (*calls, standing),
            "state": (live.frame, live.value_signature, len(live.cells), len(live.vol), flushed, live.rendered),
            "tasks": tuple(
                (id, entry.task_id, entry.status, entry.attempt, entry.settled, entry.spent.requests, *entry.questions)
                for id, entry in list(live.tasks.items())
            )
            + self._refusals(),
            "breakpoints": (points, ex.hit),
            "output": (live.printed.heard, flushed),
            "problems": (moment.frame, *errors),
        }

    # ---- the panes ---------------------------------------------------------------------------------------------

    def pane(self, get: m.Get) -> Any:  # Any: the pane's type
        """Return what a pane shows at the cursor.

        Raises:
            StoreError: if there is no such frame, or nothing of that name.
        """
        records = self.records
        moment = records.moment(get.at, get.phase, get.base)
        of = get.of or ""
        panes: dict[str, Callable[[], Any]] = {
            "frame": lambda: journal.frame(records, moment),
            "timeline": lambda: journal.timeline(records, get.since),
            "plan": lambda: self._plans.plan(moment, get.limit, get.known),
            "xml": lambda: self._plans.xml(moment, get.full),
            "pending": lambda: writes.pending(records, moment),
            "handlers": lambda: tasks.handlers(records, moment),
            "state": lambda: writes.state(records, moment, get.limit),
            "tasks": lambda: tasks.tasks(records, moment),
            "task": lambda: _there(tasks.task(records, moment, of), f"task {of!r}"),
            "breakpoints": lambda: journal.breakpoints(records, moment),
            "output": lambda: journal.output(records, moment, get.limit),
            "problems": lambda: journal.problems(records, moment, get.limit, self.findings() if self.ex.over else []),
            "node": lambda: _there(node.node(records, moment, of), f"node {of!r} in frame {moment.frame}"),
            "value": lambda: node.whole(records, of, get.since, node.PAGE_CHARS if get.limit == 500 else get.limit),
            "search": lambda: journal.search(records, moment, of),
            "last_change": lambda: writes.last_change(records, moment, of, get.before),
            "hit": lambda: hits.nearest(records, moment, get.direction == "forward", get.before),
        }
        return panes[get.pane]()


def limits() -> list[str]:
    """Return what this kernel can't do, in words."""
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
    """Counts, by pane, how often what it shows has changed."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[object, ...]] = {}
        self._count = dict.fromkeys(p.VERSIONED, 0)

    def of(self, signatures: dict[str, tuple[object, ...]]) -> dict[str, int]:
        """Return the numbers, those whose signature is another one grown."""
        for pane, signature in signatures.items():
            last = self._last.get(pane)
            if last is None or len(last) != len(signature) or not all(map(_same, last, signature)):
                self._count[pane] += 1
                # It holds the objects: another one can't get the place of one that is gone.
                self._last[pane] = signature
        return dict(self._count)


def _same(one: object, other: object) -> bool:
    """Whether both are one object, or equal plain values: a tree is not compared node by node."""
    return one is other or (isinstance(one, str | int | tuple | float) and one == other)
