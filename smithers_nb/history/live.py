"""A source with the engine's last publication laid over the file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Literal

from ..identity import prefixes_of
from ..nodes.tree import EMPTY, Tree
from ..records import (
    PROBLEMS,
    Breakpoint,
    CallRecord,
    Event,
    EventRecord,
    FrameRecord,
    FrameTotals,
    Phase,
    Question,
    ReaderRecord,
    TaskRecord,
    ValueRecord,
    Write,
    WriteRecord,
)
from ..records.excerpt import Excerpt, of_stored
from ..records.publication import CellView, Publication, TaskProgress
from ..values import Stored, readable
from .cursor import NONE, Cursor, queued_in
from .recorded import RecordedSource
from .source import Head, last_phase


class LiveSource(RecordedSource):
    """An execution that this process runs: the file, and what the engine has not written yet.

    It reads one publication; the next one gets a new source. Safe on any thread.
    """

    publication: Publication

    def __init__(self, recorded: RecordedSource, publication: Publication, name: str, dry: Tree = EMPTY) -> None:
        super().__init__(recorded.reader, recorded.execution_id)
        self.file = recorded.file
        self.cache = recorded.cache
        self.publication = publication
        self._name = name
        self._dry = dry
        """The plan as it was rendered before the first frame."""

    # ---- the execution -----------------------------------------------------------------------------------------

    @property
    def head(self) -> Head:
        """The execution as a whole."""
        now = self.publication
        return Head(
            execution_id=self.execution_id,
            name=self._name,
            status=now.status,
            reason=now.reason,
            over=now.over,
            recorded=now.recorded,
            frame=now.recorded if now.frame is None else now.frame.number,
        )

    # ---- frames ------------------------------------------------------------------------------------------------

    def cursor(self, at: int | None = None, phase: str | None = None, base: int | None = None) -> Cursor:
        """Return the cursor at a recorded frame and phase, or the live one without ``at``.

        Raises:
            StoreError: if there is no such frame.
        """
        if at is not None:
            return super().cursor(at, phase, base)
        now = self.publication
        shown = self._shown(now)
        if now.swapped is not None and shown.dry:
            return replace(shown, tree=now.swapped)
        if now.swapped is not None:
            # The new code's plan is compared with the old one, which it replaces: that is what a swap is about.
            changes = self.cache.difference(shown.tree, now.swapped)
            return replace(shown, tree=now.swapped, before=shown.tree, changes=changes, base=shown.frame, dry=True)
        if base is None or shown.dry:
            return shown
        # The frame in progress is in no file yet, so that it can't be what another is compared with.
        against = min(base, now.recorded)
        if against < 1:
            return replace(shown, before=EMPTY, changes=NONE, base=against)
        before, changes = self.compared_with(against, shown.tree)
        return replace(shown, before=before, changes=changes, base=against)

    def _shown(self, now: Publication) -> Cursor:
        """Return the live cursor, compared with the frame before."""
        if now.frame is not None:
            return Cursor(
                now.frame.number,
                now.frame.phase,
                live=True,
                tree=now.frame.tree,
                before=now.before,
                changes=now.changes,
                base=now.frame.number - 1,
            )
        if now.recorded:
            # Resumed, and no frame has been rendered here yet.
            return Cursor(now.recorded, last_phase(self.frame(now.recorded)), live=True, tree=self.tree(now.recorded))
        return Cursor(0, None, live=True, tree=self._dry, dry=True)

    def frame(self, number: int) -> FrameRecord | None:
        """Return a frame, as far as it has come; None if there is none of this number."""
        found, now = super().frame(number), self.publication.frame
        if now is None or now.number != number:
            return found
        if found is None:
            found = FrameRecord(
                number=number,
                reason=now.reason,
                status="open",
                phase=now.phase,
                created_at=None,
                counts={},
                ms=now.ms,
            )
        changes = {name: len(getattr(now, name)) for name in ("mounted", "unmounted", "updated", "moved")}
        return replace(found, phase=now.phase, ms=now.ms, counts={**changes, "handlers": len(now.handlers)})

    def frame_totals(self, since: int) -> list[FrameTotals]:
        """Return the totals of every frame from ``since`` on."""
        found, now = super().frame_totals(since), self.publication.frame
        if found and now is not None and self._unflushed(found[-1].number):
            found[-1] = replace(found[-1], writes=len(now.pending), handlers=len(now.handlers))
        return found

    def events_by_frame(self, since: int) -> dict[str, list[tuple[int, int]]]:
        """Return by kind (frame, count) of problems, hits and output from a frame on."""
        found, now = super().events_by_frame(since), self.publication.frame
        if now is not None and self._unflushed(self.publication.recorded):
            errors = sum(problem.severity == "error" for problem in now.problems)
            if errors:
                found["problem"] = [*found.get("problem", []), (now.number, errors)]
        return found

    def _unflushed(self, number: int) -> bool:
        """Return whether a frame is the one in progress, and its FLUSH is still to come."""
        # FLUSH writes the frame's calls, writes and problems in one transaction. Until then the publication has all of
        # them and the file none; from then on it is the other way round, and nothing is ever counted twice.
        now = self.publication.frame
        return now is not None and now.number == number and now.phase is not Phase.FLUSH

    # ---- nodes -------------------------------------------------------------------------------------------------

    def standing(self, cursor: Cursor) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """Return by node id the status of each runnable, phase and loop, and the id of each runnable's newest task."""
        if not cursor.live:
            return super().standing(cursor)
        now = self.publication
        return now.standing, {task.node_id: task.task_id for task in now.tasks}

    def stood(self, cursor: Cursor) -> Mapping[str, str]:
        """Return by node id the status of the nodes that a cursor is compared with."""
        now = self.publication
        # A task may have ended since: the engine knows how it stood when the frame began, and the file how it stands.
        if now.stood is not None and now.frame is not None and cursor.phase and cursor.base == now.frame.number - 1:
            return now.stood
        return super().stood(cursor)

    def component(self, cursor: Cursor, path: str) -> tuple[str | None, list[tuple[str, str]]]:
        """Return the name of the component that rendered the node at a path, and the (scope, key) that it reads."""
        reads = self.publication.reads
        # The file has the reads of stored keys; the engine those of volatile ones as well.
        if not cursor.live or reads is None:
            return super().component(cursor, path)
        return reads.component(prefixes_of(path)) or (None, [])

    # ---- writes and values -------------------------------------------------------------------------------------

    def writes(self, cursor: Cursor) -> list[WriteRecord]:
        """Return the writes of the frame in the order in which they apply, as far as its phases have queued them."""
        now = self.publication
        if not cursor.live and not self._unflushed(cursor.frame):
            return super().writes(cursor)
        waiting = [write for write in now.pending if cursor.live or cursor.reached(queued_in(write.origin))]
        return [_write(write, cursor.frame) for write in [*now.written, *waiting]]

    def editable(self, cursor: Cursor) -> bool:
        """Return whether the writes can still be edited."""
        return cursor.live and bool(self.publication.pending)

    def state(self, cursor: Cursor, most: int) -> tuple[int, list[ValueRecord]]:
        """Return the number of values, and the first of them: live, those that are committed."""
        if not cursor.live:
            return super().state(cursor, most)
        now, newest = self.publication, cursor.values_frame
        state_total, state = _values("state", now.state, newest, most)
        vol_total, vol = _values("vol", now.vol, newest, most)
        return state_total + vol_total, state + vol

    def volatile(self, key: str) -> ValueRecord | None:
        """Return a volatile value, live; None where there is none."""
        cell = self.publication.vol.get(key)
        if cell is None:
            return None
        return _value("vol", key, cell, changed=False)

    def texts(self) -> dict[str, str | None]:
        """Return the newest state, by key, as JSON."""
        return {key: cell.stored.text for key, cell in dict(self.publication.state).items()}

    def readers(
        self, cursor: Cursor, wanted: Iterable[tuple[str, str]], most: int
    ) -> dict[tuple[str, str], list[ReaderRecord]]:
        """Return by (scope, key) the components that read it, at most ``most`` each."""
        reads = self.publication.reads
        if not cursor.live or reads is None:
            return super().readers(cursor, list(wanted), most)
        return {(scope, key): reads.read_by(scope, key, most) for scope, key in wanted}

    # ---- calls and tasks ---------------------------------------------------------------------------------------

    def calls(self, cursor: Cursor, most: int) -> list[CallRecord]:
        """Return the newest handler calls up to the cursor, newest frame first."""
        now, fresh = self.publication.frame, []
        if now is not None and self._unflushed(cursor.frame) and cursor.reached(Phase.EXECUTE):
            status = {task.node_id: task.status for task in self.publication.tasks}
            fresh = [CallRecord(call, seq, status.get(call.node_id)) for seq, call in enumerate(now.handlers, 1)]
        return [*fresh, *super().calls(cursor, max(0, most - len(fresh)))]

    def fired(self, cursor: Cursor) -> dict[tuple[str, str], tuple[int, str]]:
        """Return by node id and event the number of calls up to the cursor, and the status of the last one."""
        found, now = super().fired(cursor), self.publication.frame
        if now is not None and self._unflushed(cursor.frame) and cursor.reached(Phase.EXECUTE):
            for call in now.handlers:
                count, _ = found.get((call.node_id, call.event), (0, ""))
                found[call.node_id, call.event] = (count + 1, call.status)
        return found

    def raised(self, cursor: Cursor) -> set[tuple[str, str]]:
        """Return (task id, event) of the handlers whose last call up to the cursor raised."""
        found, now = super().raised(cursor), self.publication.frame
        if now is not None and self._unflushed(cursor.frame) and cursor.reached(Phase.EXECUTE):
            for call in now.handlers:
                found.discard((call.task_id, call.event))
                if call.status == "raised":
                    found.add((call.task_id, call.event))
        return found

    def tasks(self, cursor: Cursor, most: int) -> list[TaskRecord]:
        """Return the newest tasks up to the cursor, newest first, as they stood there; without results."""
        return [self._now(task, cursor) for task in super().tasks(cursor, most)]

    def task(self, cursor: Cursor, task_id: str) -> TaskRecord | None:
        """Return a task as it stood at the cursor, without its result; None if there is none of this id."""
        task = super().task(cursor, task_id)
        if task is None:
            return None
        return self._now(task, cursor)

    def progress(self, cursor: Cursor, node_id: str, task_id: str) -> TaskProgress | None:
        """Return the live progress of a task; None where the cursor is recorded, or the task is not the newest."""
        if not cursor.live:
            return None
        return next((task for task in self.publication.tasks if task.task_id == task_id), None)

    def questions(self) -> list[Question]:
        """Return the questions that wait for people, those of children included."""
        return list(self.publication.asked)

    def _now(self, task: TaskRecord, cursor: Cursor) -> TaskRecord:
        progress = self.progress(cursor, task.node_id, task.task_id)
        if progress is None:
            return task
        return replace(task, status=progress.status, attempt=progress.attempt)

    def _until(self, cursor: Cursor) -> str | None:
        if cursor.live:
            return None
        return super()._until(cursor)

    # ---- events ------------------------------------------------------------------------------------------------

    def output(self, cursor: Cursor, most: int) -> tuple[int, list[EventRecord]]:
        """Return the number of printed pieces up to the frame, and the newest ones at the cursor, oldest first."""
        # Printed pieces wait in the publication until they are in the file: they are in one of the two.
        total, found = super().output(cursor, most)
        fresh = [_event(event) for event in self.publication.printed if event.frame <= cursor.frame]
        return total + len(fresh), [*found, *(event for event in fresh if cursor.has_seen(event))][-most:]

    def problems(self, cursor: Cursor, most: int) -> tuple[int, list[EventRecord]]:
        """Return the number of problems up to the frame, and the newest of them: errors first, each newest first."""
        total, found = super().problems(cursor, most)
        now, fresh = self.publication.frame, []
        if now is not None and self._unflushed(now.number):
            waiting = [_event(problem.event(now.number)) for problem in now.problems[::-1]]
            fresh = [event for event in waiting if event.frame <= cursor.frame and cursor.has_seen(event)]
        if cursor.live:
            fresh += [_event(event) for event in self.publication.failed[::-1]]
        together = sorted([*fresh, *found], key=lambda event: list(PROBLEMS).index(event.kind))
        return total + len(fresh), together

    def errors(self) -> int:
        """Return the number of errors in all frames so far, without hints."""
        now = self.publication
        total = super().errors() + len(now.failed)
        if now.frame is not None and self._unflushed(now.frame.number):
            total += sum(problem.severity == "error" for problem in now.frame.problems)
        return total

    def breakpoints(self) -> tuple[Breakpoint, ...]:
        """Return the breakpoints, oldest first."""
        return self.publication.breakpoints

    # ---- everything else ---------------------------------------------------------------------------------------

    def whole(self, place: Sequence[object]) -> Stored | None:
        """Return the whole text of an ``Excerpt.place``; None if it is gone."""
        now = self.publication
        match list(place):
            case ["write", str() as id, "old" | "new" as which]:
                for write in (*now.pending, *now.written):
                    if write.id == id:
                        return readable(getattr(write, which))
            case ["cell", "state" | "vol" as scope, str() as key]:
                cells = {"state": now.state, "vol": now.vol}[scope]
                if key in cells:
                    return cells[key].stored
        return super().whole(place)


def _values(
    scope: Literal["state", "vol"], published: Mapping[str, CellView], newest: int, most: int
) -> tuple[int, list[ValueRecord]]:
    """Return the number of values of a scope, and the first of them by key, and all that are new in a frame."""
    # The engine's thread may add a key meanwhile, and a dict must not grow while it is walked.
    cells = dict(published)
    found = []
    for place, key in enumerate(sorted(cells)):
        changed = cells[key].since == newest > 1
        if place < most or changed:
            found.append(_value(scope, key, cells[key], changed))
    return len(cells), found


def _value(scope: Literal["state", "vol"], key: str, cell: CellView, changed: bool) -> ValueRecord:
    return ValueRecord(scope, key, of_stored(cell.stored, ("cell", scope, key)), cell.since, changed=changed)


def _write(write: Write, frame: int) -> WriteRecord:
    """Return a write of the frame in progress as a reader sees it."""
    old = new = outcome = None
    if write.old is not None:
        old = _excerpt(write, "old")
    # An update has a value only once FLUSH has called its function, with all that was written before it.
    computed = write.op != "update" or write.status not in ("queued", "rolled_back", "dropped")
    if computed and write.op != "delete":
        new = _excerpt(write, "new")
    if write.seq:
        outcome = write.status
    return WriteRecord(
        id=write.id,
        frame=frame,
        seq=write.seq,
        scope=write.scope,
        key=write.key,
        op=write.op,
        old=old,
        new=new,
        status=write.status,
        trigger=write.trigger,
        origin=write.origin,
        origin_id=write.origin_id,
        node_id=write.node_id,
        handler=write.handler,
        outcome=outcome,
        tool_call_id=write.tool_call_id,
    )


def _excerpt(write: Write, which: Literal["old", "new"]) -> Excerpt:
    return of_stored(readable(getattr(write, which)), ("write", write.id, which))


def _event(event: Event) -> EventRecord:
    return EventRecord(
        id=0,
        kind=event.kind,
        frame=event.frame,
        node_id=event.node_id,
        payload=event.payload,
        created_at=None,
    )
