"""The one sentence: what just happened, and what the next step will do."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping

from ..engine.draft import Draft
from ..engine.schedule import RUNNABLE, name_of
from ..execution import Execution
from ..nodes.tree import TreeNode
from ..records import Phase, Write
from .moment import Moment, Records
from .values import count
from .writes import line_of

QUEUED = ("queued", "edited")


def sentence(ex: Execution, buttons: bool = True) -> str:
    """Return how things stand, live. ``buttons`` says that a question's answers can be pressed beside it."""
    stopped = f"{why}. " if (why := _stopped(ex)) else ""
    swapped = "New code is in place: this is its plan, rendered dry. " if ex.swapped is not None else ""
    return stopped + swapped + _standing(ex, buttons)


def variable_of(ex: Execution) -> str | None:
    """Return the name of the user's variable that holds an execution: it need not be the execution's own name."""
    names = vars(sys.modules["__main__"])
    held = [name for name, value in list(names.items()) if value is ex and name[:1] != "_"]
    return ex.name if ex.name in held else next(iter(held), None)


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


def _standing(ex: Execution, buttons: bool) -> str:
    draft, last = ex.draft, ex.recorded
    if ex.over:
        return f"Frame {last} was the last: the execution is {ex.status} ({ex.reason})."
    if ex.status == "waiting":
        return _waits(ex, buttons)
    if ex.status == "stopped":
        return f"Stopped after frame {last}. Step {_starts(ex, 'runs', ' again') or f'renders frame {last + 1}'}."
    if draft is None or draft.phase is None:
        return (
            f"Frame {last} is recorded. Step renders frame {last + 1}."
            if last
            else "No frames yet. Step renders frame 1; until then nothing is executed."
        )
    if draft.phase is Phase.FLUSH:
        return f"Frame {draft.number} is flushed. {_next(ex, draft)}"
    if draft.phase is not Phase.EFFECTS:
        following = list(Phase)[list(Phase).index(draft.phase) + 1]
        return f"{draft.phase} of frame {draft.number} is done: {_done(draft)}. Next is {following}.{_ends(ex, draft)}"
    return f"Frame {draft.number} is at rest: {_rest(ex.pending)}. {_next(ex, draft)}"


def _waits(ex: Execution, buttons: bool) -> str:
    if ex.running:
        return f"Waiting for {count(ex.running, 'task')}. The next frame begins when one has ended."
    asked = ex.questions
    if not asked:
        return f"{ex.reason}."
    how = "Answer with the buttons" if buttons else f"Answer with {_call(ex, asked[0])}"
    return f"Waiting for a person: {', '.join(asked)}. {how}."


def _call(ex: Execution, question: str) -> str:
    name = variable_of(ex)
    called = f"answer({question!r}, …)"
    return f"{name}.{called}" if name else f"{called} of the execution {ex.name!r}"


def _next(ex: Execution, draft: Draft) -> str:
    ends = _ends(ex, draft)
    following = "closes it" if ends else f"renders frame {draft.number + 1}"
    applies = [write for write in ex.pending if write.status in QUEUED]
    if applies:
        more = f" and {count(len(applies) - 1, 'more write')}" if len(applies) > 1 else ""
        return f"Step applies {line_of(applies[0])}{more}, and {following}.{ends}"
    if ends:
        return f"Step {following}.{ends}"
    if draft.settled and draft.phase is not Phase.FLUSH:
        return f"Step settles {count(len(draft.settled), 'task')} and {following}."
    if ex.causes:
        starts = _starts(ex, ", and starts", "")
        return f"Step {following}, because of: {', '.join(ex.causes[:3])}{starts}."
    if ex.running:
        return f"Step waits for {count(ex.running, 'task')} and {following}."
    if draft.phase is Phase.FLUSH:
        return f"Step {following}."
    return "Step closes the frame: nothing is left to do."


def _ends(ex: Execution, draft: Draft) -> str:
    """Say that a Stop or an End ends the execution after this frame, and what does not get its turn; or nothing."""
    if not draft.schedule.enders:
        return ""
    standing = ex.tasks
    lost = [f"{node.type} {node.id!r} {how}" for node in draft.tree.walk() if (how := _lost(node, standing))]
    more = f" and {len(lost) - 3} more" if len(lost) > 3 else ""
    what = f": {', '.join(lost[:3])}{more}" if lost else ""
    return f" The {name_of(draft.schedule.enders[0])} ends the execution after this frame{what}."


def _lost(node: TreeNode, standing: Mapping[str, str]) -> str | None:
    """Return what becomes of a runnable when the execution ends; None where it has ended."""
    status = standing.get(node.id)
    if node.type not in RUNNABLE or status not in ("pending", "running", "blocked"):
        return None
    if node.type == "approval":
        return "is never asked" if status == "pending" else "is not waited for"
    return "never starts" if status == "pending" else "is cancelled"


def _starts(ex: Execution, verb: str, after: str) -> str:
    """Say which tasks the next step starts: those that were retried, answered or interrupted."""
    names = [task.node.id for task in ex.live.tasks.open if task.status == "pending" and not task.unmounted]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{verb} {', '.join(names[:3])}{more}{after}" if names else ""


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
