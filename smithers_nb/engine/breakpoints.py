"""Breakpoints: matched after each phase with the draft as it left it. Without a breakpoint this costs nothing."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..errors import said
from ..history.matching import MOMENTARY, NAMES, STANDING, check, say, say_change
from ..nodes.schedule import RUNNABLE, schedule
from ..nodes.tree import TreeNode
from ..records import Breakpoint, HandlerCall, Hit, Phase, Write
from ..store import breakpoints as stored
from ..syntax.expression import Expression, ExpressionError, Facts
from ..values import readable
from .draft import Draft

if TYPE_CHECKING:
    from .live import Live

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Match:
    """An event that a breakpoint may wait for."""

    text: str
    node_id: str | None = None


class Breakpoints:
    """The breakpoints of one execution, on the engine's loop; ``all`` may be read from any thread."""

    def __init__(self, live: Live, points: Iterable[Breakpoint] = ()) -> None:
        self._live = live
        self._points = {point.id: point for point in points}
        self._conditions = {point.id: Expression(point.when, NAMES) for point in self._points.values() if point.when}
        self._next = 1 + max((int(id[1:]) for id in self._points if id[1:].isdigit()), default=0)
        self._memory = _Memory()
        self.errors: dict[str, str] = {}
        """The reason why a condition could not be computed when it was last looked at, by the breakpoint's id."""

    def __bool__(self) -> bool:
        """Return whether there is anything to look for."""
        return any(point.enabled for point in self._points.values())

    @property
    def all(self) -> tuple[Breakpoint, ...]:
        """All of them, oldest first."""
        return tuple(self._points.values())

    # ---- setting -----------------------------------------------------------------------------------------------

    async def add(self, point: Breakpoint) -> Breakpoint:
        """Check a breakpoint, give it an id, and store it.

        Without an event, a breakpoint on a node waits for the next thing that happens to it.

        Raises:
            ValueError: saying what is wrong with it.
        """
        if point.kind == "node" and point.event is None:
            point = replace(point, event=self._next_event(point.target or ""))
        check(point)
        point = replace(point, id=f"b{self._next}", hits=0)
        self._next += 1
        await self._put(point)
        return point

    async def change(self, id: str, **changes: Any) -> Breakpoint:  # Any: its fields
        """Change a breakpoint and store it; switched on again, it counts from 0.

        Raises:
            ValueError: if there is none of that id, or it would be wrong.
        """
        point = self.of(id)
        changed = replace(point, **changes)
        if changed.enabled and not point.enabled:
            changed = replace(changed, hits=0)
        check(changed)
        await self._put(changed)
        return changed

    async def remove(self, id: str) -> None:
        """Remove a breakpoint; its hits stay in the records.

        Raises:
            ValueError: if there is none of that id.
        """
        self.of(id)
        await self._live.services.database.transaction(stored.remove, self._live.services.execution_id, id)
        del self._points[id]
        self._conditions.pop(id, None)
        self.errors.pop(id, None)
        self._live.services.observers.notify()

    def of(self, id: str) -> Breakpoint:
        """Return the breakpoint of an id.

        Raises:
            ValueError: if there is none.
        """
        if id not in self._points:
            known = ", ".join(self._points) or "none"
            raise ValueError(f"there is no breakpoint {id!r}. There are: {known}.")
        return self._points[id]

    async def _put(self, point: Breakpoint) -> None:
        await self._live.services.database.transaction(stored.put, self._live.services.execution_id, point)
        self._points[point.id] = point
        self._conditions.pop(point.id, None)
        self.errors.pop(point.id, None)
        self._memory.true.pop(point.id, None)
        if point.when:
            self._conditions[point.id] = Expression(point.when, NAMES)
        # An event that has happened already is no hit. Before the first frame of this process the standing is not
        # known, and is computed when it is needed.
        live = self._live
        self._memory.standing = None
        if live.committed.schedule_of != -1:
            self._memory.standing = live.committed.schedule.status
        if point.kind == "node" and point.target:
            self._memory.begun[point.target] = _begun(live, point.target)
        live.services.observers.notify()

    def _next_event(self, id: str) -> str:
        """Return the next event of a node: its mount, its start, its end, or, where it has none, its unmount."""
        live = self._live
        if id not in live.committed.tree.index:
            return "mount"
        status = (live.standing or schedule(live.committed.tree, live.tasks, live.committed.loops).status).get(id)
        if status is None:
            return "unmount"
        if status in ("running", "blocked"):
            return "finished"
        return "start"  # A task that has ended can be run again.

    # ---- hitting -----------------------------------------------------------------------------------------------

    async def look(self, draft: Draft) -> Hit | None:
        """Return the first hit that stops, after a phase of a frame; all hits are counted and recorded."""
        events = PhaseEvents(self._live, draft, self._memory)
        hits: list[Hit] = []
        touched: list[Breakpoint] = []
        for point in list(self._points.values()):
            if not point.enabled:
                continue
            for matched in events.of(point):
                if not self._holds(point, events, matched):
                    continue
                # Every hit counts, those before the ``after``-th too: the count that a person sees is that of all.
                point = replace(point, hits=point.hits + 1)
                stops = not point.log_only and point.hits >= point.after
                if point.once and point.hits >= point.after:
                    point = replace(point, enabled=False)
                hits.append(self._hit(point, draft, matched, stops))
                touched.append(point)
                break  # Once a phase is enough.
        self._memory.remember(events)
        if not hits:
            return None
        # In memory before the file: if the transaction fails, its error stops the command here, the phase is not looked
        # at again, and a breakpoint that is to stop once must not stop a second time.
        self._points.update({point.id: point for point in touched})
        live = self._live
        await live.services.database.transaction(
            stored.record, live.services.execution_id, touched, [hit.event() for hit in hits]
        )
        live.services.observers.notify()
        return next((hit for hit in hits if hit.stops), None)

    @staticmethod
    def _hit(point: Breakpoint, draft: Draft, matched: Match, stops: bool) -> Hit:
        phase = str(draft.phase or Phase.FLUSH)
        return Hit(
            point.id,
            draft.number,
            phase,
            matched.text,
            node_id=matched.node_id,
            log_only=point.log_only,
            stops=stops,
        )

    def _holds(self, point: Breakpoint, events: PhaseEvents, matched: Match) -> bool:
        """Return whether its condition is true; one that can't be computed is not."""
        condition = self._conditions.get(point.id)
        if condition is None:
            return True
        try:
            true = bool(condition.value(events.names(matched.node_id)))
            self.errors.pop(point.id, None)
        except ExpressionError as error:
            self.errors[point.id] = str(error)
            true = False
        except BaseException as error:  # noqa: BLE001  # of values of the user's, when they are made readable
            self.errors[point.id] = said(error)
            true = False
        if point.kind != "expression" or condition.named & MOMENTARY:
            return true
        # An expression over the state is a hit when it becomes true. As long as it stays so, every frame would stop.
        before = self._memory.true.get(point.id, False)
        self._memory.true[point.id] = true
        return true and not before


class _Memory:
    """The memory of earlier phases: nothing that a phase has left is matched twice."""

    def __init__(self) -> None:
        self.frame = 0
        self.writes: set[str] = set()
        """Ids of this frame's writes that were there already."""
        self.problems = 0
        self.calls = 0
        self.standing: Mapping[str, str] | None = None
        """The standing of phases, steps and loops at the last COMMIT, by id; None if that is not known."""
        self.begun: dict[str, str | None] = {}
        """The task that has begun of each node with a breakpoint, by the node's id."""
        self.old: dict[tuple[str, str], Any] = {}
        """The values that the last FLUSH replaced."""
        self.true: dict[str, bool] = {}
        """The value of each expression when it was last looked at, by the breakpoint's id."""

    def remember(self, events: PhaseEvents) -> None:
        draft = events.draft
        self.frame = draft.number
        self.writes |= {write.id for write in events.writes}
        self.problems = len(draft.problems)
        self.calls = len(draft.calls)
        if draft.phase is Phase.COMMIT:
            self.standing = dict(draft.schedule.status)
        self.begun = {id: _begun(events.live, id) for id in self.begun}
        if draft.phase is Phase.FLUSH or draft.phase is None:
            self.old = _replaced(draft.written)
            self.writes = set()


class PhaseEvents:
    """The events of the phase that has just ended."""

    def __init__(self, live: Live, draft: Draft, memory: _Memory) -> None:
        self.live = live
        self.draft = draft
        self.memory = memory
        if memory.frame != draft.number or draft.phase is None:
            memory.problems = memory.calls = 0
        self.flushed = draft.phase is Phase.FLUSH or draft.phase is None
        """A draft without a phase is for writes that were applied between two frames."""
        # After FLUSH the outcome, which is empty if nothing was written; before it, the writes that wait.
        self.writes = draft.written if self.flushed else draft.pending

    def of(self, point: Breakpoint) -> Iterator[Match]:
        """Yield the events that a breakpoint waits for."""
        draft, phase = self.draft, self.draft.phase
        match point.kind:
            case "phase":
                if phase == point.target:
                    yield Match(f"{phase} of frame {draft.number} is done")
            case "handler":
                for call in draft.calls[self.memory.calls :] if phase is Phase.EXECUTE else ():
                    if point.target in (None, call.node_id) and point.event in (None, call.event):
                        yield Match(f"{call.event} of {call.node_id} {_ended(call)}", call.node_id)
            case "error":
                for problem in draft.problems[self.memory.problems :]:
                    yield Match(f"{problem.kind}: {problem.message}", problem.node_id)
            case "key":
                yield from self._key(point)
            case "node":
                yield from self._node(point)
            case "expression":
                condition = point.when or ""
                looked_at = self.flushed
                # An expression that names the writes is looked at while they can still be edited.
                if names_writes(condition):
                    looked_at = phase is Phase.EFFECTS
                if looked_at:
                    yield Match(f"{condition} is true")

    def _key(self, point: Breakpoint) -> Iterator[Match]:
        if point.event == "written":
            for write in self.writes:
                if write.key == point.target and write.id not in self.memory.writes:
                    yield Match(f"{write.key} is written by {said_by(write)}{_new(write)}", write.node_id)
            return
        if not self.flushed:
            return
        for (_, key), old in _replaced(self.writes).items():
            last = [write for write in self.writes if write.key == key and write.status in ("applied", "edited")]
            if key != point.target or not last:
                continue
            new = last[-1].new
            if plain(old) == plain(new):
                continue
            if point.event == "changed" or plain(new) == json.loads(point.value or ""):
                said = None if old is None else say(old)
                yield Match(say_change(key, said, say(new)), last[-1].node_id)

    def _node(self, point: Breakpoint) -> Iterator[Match]:
        draft, id = self.draft, point.target or ""
        if draft.phase is Phase.RECONCILE:
            if point.event == "mount" and id in draft.changes.mounted:
                yield Match(f"{draft.tree.index[id].type} {id} was mounted", id)
            if point.event == "unmount" and id in draft.changes.unmounted:
                yield Match(f"{draft.before.index[id].type} {id} was unmounted", id)
        if point.event not in STANDING:
            return
        before = self.memory.begun.setdefault(id, _begun(self.live, id))
        if draft.phase is Phase.SNAPSHOT and point.event != "start":
            for entry in draft.ended:
                if entry.node.id == id and entry.status in STANDING[point.event]:
                    error = ""
                    if entry.result and entry.result.error:
                        error = f": {entry.result.error}"
                    yield Match(f"{entry.node.type} {id} {entry.status}{error}", id)
        elif draft.phase is Phase.EXECUTE and point.event == "start":
            if _begun(self.live, id) not in (None, before):
                yield Match(f"{self.live.tasks[id].node.type} {id} started", id)
        elif draft.phase is Phase.COMMIT and (node := draft.tree.index.get(id)) and node.type not in RUNNABLE:
            yield from self._standing(node, point.event)

    def _standing(self, node: TreeNode, event: str) -> Iterator[Match]:
        """Yield the event of a phase, step or loop, whose standing follows from the nodes in it."""
        before, live = self.memory.standing, self.live
        if before is None:
            before = schedule(self.draft.before, live.tasks, live.committed.loops).status
        now = self.draft.schedule.status.get(node.id)
        if now in STANDING[event] and before.get(node.id) not in STANDING[event]:
            if event == "start":
                now = "started"
            yield Match(f"{node.type} {node.props.get('name', node.id)} {now}", node.id)

    def names(self, node_id: str | None) -> dict[str, Any]:  # Any: JSON
        """Return the names that an expression may use: copies, as plain JSON."""
        draft, live = self.draft, self.live
        node = draft.tree.index.get(node_id or "")
        facts = None
        if node is not None:
            facts = _node_facts(node, draft.schedule.status.get(node.id))
        return {
            # Facts read a value when it is asked for: to decode the whole state for one key would cost every phase.
            "state": Facts(self._state, lambda: sorted(live.committed.cells)),
            "prev": Facts(self._before, lambda: sorted({*live.committed.cells, *(key for _, key in self._replaced)})),
            "node": facts,
            "frame": _frame_facts(draft),
            "writes": [_write_facts(write) for write in self.writes],
        }

    @property
    def _replaced(self) -> dict[tuple[str, str], Any]:
        if self.flushed:
            return _replaced(self.writes)
        return self.memory.old

    def _state(self, key: str) -> Any:
        cell = self.live.committed.cells.get(key)
        if cell is None:
            return None
        return json.loads(cell.stored.text)

    def _before(self, key: str) -> Any:
        replaced = self._replaced
        if ("state", key) in replaced:
            return plain(replaced["state", key])
        return self._state(key)


def _begun(live: Live, id: str) -> str | None:
    """Return the task of a node, if it has begun."""
    entry = live.tasks.get(id)
    if entry is None or entry.status == "pending":
        return None
    return entry.task_id


def names_writes(text: str) -> bool:
    """Return whether an expression names the writes."""
    return "writes" in Expression(text, NAMES).named


def said_by(write: Write) -> str:
    """Return the writer in words: ``on_finished of notes``."""
    if write.handler:
        return f"{write.handler} of {write.node_id}"
    return write.node_id or write.origin


def plain(value: object) -> Any:  # Any: JSON
    """Return a copy of a value as JSON."""
    return json.loads(readable(value).text)


def _new(write: Write) -> str:
    if write.op == "delete":
        return ""
    if write.op == "update" and write.status == "queued":
        return ": computed at flush"
    return f": {say(write.new)}"


def _ended(call: HandlerCall) -> str:
    if call.status == "ok":
        return "was called"
    return call.status


def _replaced(writes: Iterable[Write]) -> dict[tuple[str, str], Any]:
    """Return the value that each key had before these writes were applied."""
    found: dict[tuple[str, str], Any] = {}
    for write in writes:
        if write.status in ("applied", "overridden", "edited"):
            found.setdefault((write.scope, write.key), write.old)
    return found


def _node_facts(node: TreeNode, status: str | None) -> dict[str, Any]:
    return {
        "id": node.id,
        "type": node.type,
        "key": node.key,
        "props": plain(node.props),
        "text": node.text,
        "path": node.path,
        "status": status,
        "events": list(node.events),
    }


def _frame_facts(draft: Draft) -> dict[str, Any]:
    return {
        "number": draft.number,
        "phase": str(draft.phase),
        "reason": list(draft.reason),
        "mounted": list(draft.changes.mounted),
        "unmounted": list(draft.changes.unmounted),
        "updated": list(draft.changes.updated),
        "moved": list(draft.changes.moved),
        "handlers": len(draft.calls),
        "problems": len(draft.problems),
        "nodes": len(draft.tree),
    }


def _write_facts(write: Write) -> dict[str, Any]:
    return {
        "key": write.key,
        "scope": write.scope,
        "op": write.op,
        "old": plain(write.old),
        "new": plain(write.new),
        "origin": write.origin,
        "node": write.node_id,
        "handler": write.handler,
        "status": write.status,
    }
