"""The one sentence: what just happened, and what the next step will do."""

from __future__ import annotations

import json

from ..engine.draft import Draft
from ..execution import Execution
from ..records import Phase, Write
from .moment import Moment, Records
from .values import count
from .writes import line_of

QUEUED = ("queued", "edited")


def sentence(ex: Execution) -> str:
    """Return how things stand, live."""
    stopped = f"{why}. " if (why := _stopped(ex)) else ""
    swapped = "New code is in place: this is its plan, rendered dry. " if ex.swapped is not None else ""
    return stopped + swapped + _standing(ex)


def _stopped(ex: Execution) -> str:
    if ex.hit is not None:
        return f"Stopped: {ex.hit.text}"
    reason = ex.reason.rstrip(".") if ex.status == "paused" else ""
    return f"Stopped: {reason}" if reason and not reason.startswith("paused") else reason.capitalize()


def recorded_sentence(records: Records, moment: Moment) -> str:
    """Return where in the past the cursor stands, and how things stand live."""
    ex = records.ex
    live = f"Live: frame {ex.draft.number if ex.draft else ex.recorded}, {ex.status}."
    return (
        f"You are at frame {moment.frame} of {ex.recorded} (recorded). Nothing executes here. "
        f"{_was(records, moment)} {live}"
    )


def _was(records: Records, moment: Moment) -> str:
    row = moment.row or {}
    if moment.phase is Phase.FLUSH:
        writes = [write for write in records.store.writes(moment.frame) if write["status"] in ("applied", "edited")]
        if not writes:
            return "Its FLUSH changed nothing."
        first = f"{writes[0]['key']} = {(writes[0]['new'] or 'nothing')[:60]}"
        more = f" and {count(len(writes) - 1, 'more write')}" if len(writes) > 1 else ""
        return f"Its FLUSH applied {first}{more}."
    if moment.phase is Phase.SNAPSHOT:
        return f"SNAPSHOT: because of {', '.join(json.loads(row['reason'])[:3])}."
    if moment.phase is Phase.RENDER:
        return f"RENDER: {count(len(moment.tree), 'node')}."
    changed = [f"{row[name]} {name}" for name in ("mounted", "unmounted", "updated", "moved") if row.get(name)]
    nodes = ", ".join(changed) if changed else "nothing in the plan changed"
    if moment.phase is Phase.EXECUTE:
        return f"EXECUTE: {count(row.get('handlers', 0), 'handler')} fired."
    if moment.phase is Phase.EFFECTS:
        pending = f"{count(row['writes'], 'write')} pending" if row.get("writes") else "nothing pending"
        return f"At rest: {nodes}; {pending}."
    return f"{moment.phase}: {nodes}."


def _standing(ex: Execution) -> str:
    draft = ex.draft
    if ex.over:
        return f"Frame {ex.recorded} was the last: the execution is {ex.status} ({ex.reason})."
    if ex.status == "waiting" and ex.questions and not ex.running:
        return f"Waiting for a person: {', '.join(ex.questions)}. Answer with ex.answer({ex.questions[0]!r}, …)."
    if ex.status == "waiting" and not ex.running and ex.reason:
        return f"{ex.reason}."
    if ex.status == "waiting":
        return f"Waiting for {count(ex.running, 'task')} under way. The next frame begins when one has ended."
    if ex.status == "stopped":
        return f"Stopped after frame {ex.recorded}. Step runs the interrupted tasks again."
    if draft is None or draft.phase is None:
        last = ex.recorded
        return (
            f"Frame {last} is recorded. Step renders frame {last + 1}."
            if last
            else "No frames yet. Step renders frame 1; until then nothing is executed."
        )
    if draft.phase is Phase.FLUSH:
        return f"Frame {draft.number} is flushed. Step renders frame {draft.number + 1}."
    if draft.phase is not Phase.EFFECTS:
        following = list(Phase)[list(Phase).index(draft.phase) + 1]
        return f"{draft.phase} of frame {draft.number} is done: {_done(draft)}. Next is {following}."
    return f"Frame {draft.number} is at rest: {_rest(ex.pending)}. {_next(ex, draft)}"


def _next(ex: Execution, draft: Draft) -> str:
    number = draft.number
    applies = [write for write in ex.pending if write.status in QUEUED]
    if applies:
        more = f" and {count(len(applies) - 1, 'more write')}" if len(applies) > 1 else ""
        return f"Step applies {line_of(applies[0])}{more}, and renders frame {number + 1}."
    if draft.settled:
        return f"Step settles {count(len(draft.settled), 'task')} and renders frame {number + 1}."
    if ex.causes:
        return f"Step renders frame {number + 1}, because of: {', '.join(ex.causes[:3])}."
    if ex.running:
        return f"Step waits for {count(ex.running, 'task')} under way and renders frame {number + 1}."
    return "Step closes the frame: nothing is left to do."


def _done(draft: Draft) -> str:
    match draft.phase:
        case Phase.SNAPSHOT:
            return f"because of {', '.join(draft.reason[:3])}"
        case Phase.RENDER:
            return count(len(draft.tree), "node")
        case Phase.RECONCILE:
            changes = draft.changes
            found = [
                f"{len(ids)} {what}"
                for what, ids in (
                    ("mounted", changes.mounted),
                    ("unmounted", changes.unmounted),
                    ("updated", changes.updated),
                    ("moved", changes.moved),
                )
                if ids
            ]
            return ", ".join(found) or "nothing changed"
        case Phase.COMMIT:
            return f"{count(len(draft.schedule.start), 'task')} to start"
        case _:
            return f"{count(len(draft.calls), 'handler')} fired"


def _rest(pending: tuple[Write, ...]) -> str:
    waiting = sum(1 for write in pending if write.status in QUEUED)
    lost = sum(1 for write in pending if write.status == "rolled_back")
    dropped = len(pending) - waiting - lost
    back = (f", {count(lost, 'write')} rolled back" if lost else "") + (f", {dropped} dropped" if dropped else "")
    return (f"{count(waiting, 'write')} pending" if waiting else "nothing is pending") + back
