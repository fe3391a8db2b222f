"""What the stepper shows of an execution, as the protocol's dicts. Looks only; runs nothing."""

from __future__ import annotations

from collections.abc import Iterable

from ..engine.draft import Draft
from ..execution import Execution
from ..nodes import xml
from ..nodes.diff import Changes
from ..nodes.tree import EMPTY, Tree, TreeNode
from ..records import HandlerCall, Phase, Problem, Write
from ..values import Stored, readable
from . import protocol as p

CALLS = 200
ENTRIES = 500
XML_CHARS = 200_000
PROBLEMS = 20


class View:
    """One execution, looked at from outside. Safe on any thread: it reads records and the store."""

    def __init__(self, ex: Execution, dry: Tree) -> None:
        self.ex = ex
        self.dry = dry
        """The tree as it was rendered before the first frame."""
        self._linted = 0
        self._findings: list[Problem] = []

    # ---- the summary -------------------------------------------------------------------------------------------

    def summary(self, seq: int, busy: str | None, error: str | None) -> p.Summary:
        """Return all that the header, the toolbar, the phase strip and the sentence show."""
        ex, draft = self.ex, self._draft
        tokens, cost = ex.store.reader.totals(ex.execution_id)
        problems = [*draft.problems, *(self.findings() if ex.over else ())] if draft else []
        return {
            "protocol": p.PROTOCOL,
            "seq": seq,
            "name": ex.name,
            "execution_id": ex.execution_id,
            "status": ex.status,
            "reason": ex.reason,
            "over": ex.over and not ex.pending,
            "frame": draft.number if draft else self._recorded,
            "phase": str(draft.phase) if draft and draft.phase else None,
            "phases": self._chips(draft),
            "sentence": self.sentence(),
            "busy": busy,
            "counts": {
                "nodes": len(self.tree[1]),
                "pending": len(ex.pending),
                "handlers": len(draft.calls) if draft else 0,
                "state": len(ex.state),
                "problems": len(problems),
                "running": ex.running,
            },
            "tokens": tokens,
            "cost_usd": cost,
            "problems": [
                {
                    "kind": problem.kind,
                    "message": problem.message,
                    "node_id": problem.node_id,
                    "phase": str(problem.phase) if problem.phase else None,
                    "source": problem.source,
                }
                for problem in problems[:PROBLEMS]
            ],
            "error": error,
        }

    def findings(self) -> list[Problem]:
        """Return what ``ex.lint()`` finds, looked for once a frame."""
        if self._linted != self._recorded:
            self._linted, self._findings = self._recorded, self.ex.lint()
        return self._findings

    def _chips(self, draft: Draft | None) -> list[p.PhaseChip]:
        done = draft.ms if draft else {}
        # After FLUSH the next phase is the next frame's first.
        fresh = draft is None or (draft.phase is Phase.FLUSH and not self.ex.over)
        chips: list[p.PhaseChip] = []
        current = True
        for phase in Phase:
            if phase in done and not (fresh and draft is None):
                chips.append({"name": str(phase), "state": "done", "ms": round(done[phase], 3)})
            else:
                chips.append({"name": str(phase), "state": "current" if current else "todo", "ms": None})
                current = False
        return chips

    def sentence(self) -> str:
        """Return what just happened, and what the next step will do."""
        ex, draft = self.ex, self._draft
        if ex.over:
            return f"Frame {self._recorded} was the last: the execution is {ex.status} ({ex.reason})."
        running = _count(ex.running, "task")
        if ex.status == "waiting" and ex.questions and not ex.running:
            return f"Waiting for a person: {', '.join(ex.questions)}. Answer with ex.answer({ex.questions[0]!r}, …)."
        if ex.status == "waiting":
            return f"Waiting for {running} under way. The next frame begins when one has ended."
        if ex.status == "stopped":
            return f"Stopped after frame {self._recorded}. Step runs the interrupted tasks again."
        if draft is None or draft.phase is None:
            last = self._recorded
            return (
                f"Frame {last} is recorded. Step renders frame {last + 1}."
                if last
                else "No frames yet. Step renders frame 1; until then nothing is executed."
            )
        number = draft.number
        if draft.phase is Phase.FLUSH:
            return f"Frame {number} is flushed. Step renders frame {number + 1}."
        if draft.phase is not Phase.EFFECTS:
            following = list(Phase)[list(Phase).index(draft.phase) + 1]
            return f"{draft.phase} of frame {number} is done: {_done(draft)}. Next is {following}."
        return f"Frame {number} is at rest: {_rest(ex.pending)}. {self._next(number)}"

    def _next(self, number: int) -> str:
        ex, draft = self.ex, self._draft
        running = ex.running
        applies = [write for write in ex.pending if write.status == "queued"]
        if applies:
            first = f"{applies[0].key}{_value(applies[0])}"
            more = f" and {_count(len(applies) - 1, 'more write')}" if len(applies) > 1 else ""
            return f"Step applies {first}{more}, and renders frame {number + 1}."
        if draft and draft.settled:
            return f"Step settles {_count(len(draft.settled), 'task')} and renders frame {number + 1}."
        if ex.causes:
            return f"Step renders frame {number + 1}, because of: {', '.join(ex.causes[:3])}."
        if running:
            return f"Step waits for {_count(running, 'task')} under way and renders frame {number + 1}."
        return "Step closes the frame: nothing is left to do."

    # ---- the panes ---------------------------------------------------------------------------------------------

    @property
    def tree(self) -> tuple[int, Tree, Tree, Changes, bool]:
        """Frame number, its tree, the tree before, what changed, and whether it is the dry render."""
        draft = self._draft
        if draft is not None and draft.phase is not None:
            return draft.number, draft.tree, draft.before, draft.changes, False
        if self._recorded:
            return self._recorded, self.ex.at(self._recorded).tree, EMPTY, Changes(), False
        return 0, self.dry, EMPTY, Changes(), True

    def plan(self, full: bool) -> p.Plan:
        """Return the rows of the plan tree, removed nodes where they were."""
        number, tree, before, changes, dry = self.tree
        marks = _Marks(before, changes, self.ex.tasks)
        rows = list(_rows(tree.roots, before.roots, 0, marks))
        total = len(rows)
        return {"frame": number, "dry": dry, "total": total, "nodes": rows if full else rows[: p.FIRST_NODES]}

    def xml(self, full: bool) -> p.Xml:
        """Return the plan as XML."""
        number, tree, _, _, dry = self.tree
        text = tree.xml
        cut = not full and len(text) > XML_CHARS
        return {"frame": number, "dry": dry, "text": text[:XML_CHARS] if cut else text, "chars": len(text), "cut": cut}

    def pending(self, full: bool) -> p.Pending:
        """Return the writes of the frame in the order in which they apply; after FLUSH with what came of them."""
        draft = self._draft
        writes = draft.written if draft is not None and draft.phase is Phase.FLUSH else ()
        waiting = self.ex.pending
        return {
            "frame": draft.number if draft else 0,
            "writes": [_write(order, write, full) for order, write in enumerate([*writes, *waiting], 1)],
        }

    def handlers(self) -> p.Handlers:
        """Return the newest handler calls, of the frame under way first."""
        draft, ex = self._draft, self.ex
        calls: list[p.Call] = []
        if draft is not None and draft.phase is not Phase.FLUSH:
            calls = [_call(call) for call in draft.calls]
        for row in ex.store.reader.handlers(ex.execution_id, CALLS - len(calls)):
            calls.append(
                {
                    "id": row["id"],
                    "frame": row["frame"],
                    "node_id": row["node_id"],
                    "task_id": row["task_id"],
                    "event": row["event"],
                    "status": row["status"],
                    "writes": row["writes"],
                    "ms": row["ms"],
                    "error": row["error"],
                    "source": row["source"],
                }
            )
        return {"frame": draft.number if draft else 0, "calls": calls}

    def state(self, full: bool) -> p.State:
        """Return the committed state by key, with who wrote each value."""
        ex = self.ex
        cells = ex.cells()
        keys = sorted(cells)
        shown = keys if full else keys[:ENTRIES]
        newest = max((since for _, since in cells.values()), default=0)
        return {
            "frame": self._recorded,
            "total": len(keys),
            "entries": [
                {
                    "key": key,
                    "value": _text(cells[key][0], full),
                    "from_frame": cells[key][1],
                    "changed": cells[key][1] == newest > 1,
                    "writer": ex.store.reader.writer(ex.execution_id, key, cells[key][1]),
                }
                for key in shown
            ],
        }

    @property
    def _draft(self) -> Draft | None:
        return self.ex.draft

    @property
    def _recorded(self) -> int:
        return self.ex.recorded


class _Marks:
    """How each node of the plan is marked."""

    def __init__(self, before: Tree, changes: Changes, status: dict[str, str]) -> None:
        self.before = before.index
        self.added = set(changes.mounted)
        self.removed = set(changes.unmounted)
        self.updated = set(changes.updated)
        self.moved = set(changes.moved)
        self.status = status

    def is_gone(self, node: TreeNode) -> bool:
        """Whether it is in the plan no more. One that was mounted anew is shown as what it is now, once."""
        return node.id in self.removed and node.id not in self.added

    def row(self, node: TreeNode, depth: int, removed: bool) -> p.PlanNode:
        changes = self._changes(node) if node.id in self.updated and not removed else []
        change: str = ""
        if removed:
            change = "removed"
        elif node.id in self.added:
            change = "added"
        elif changes:
            change = "changed"
        elif node.id in self.moved:
            change = "moved"
        return {
            "id": node.id,
            "parent": node.parent_id,
            "depth": depth,
            "type": node.type,
            "key": node.key,
            "explicit_id": node.explicit_id,
            "attrs": xml.attributes(node),
            "text": None if node.text is None else _cut(node.text),
            "events": list(node.events),
            "status": None if removed else self.status.get(node.id),
            "change": change,  # type: ignore[typeddict-item]  # one of the five above
            "changes": changes,
            "children": len(node.children),
            "source": node.source,
            "path": node.path,
        }

    def _changes(self, node: TreeNode) -> list[p.PropChange]:
        old = dict(xml.attributes(self.before[node.id])) | {"text": self.before[node.id].text or ""}
        new = dict(xml.attributes(node)) | {"text": node.text or ""}
        return [
            {"prop": name, "old": _short(old.get(name)), "new": _short(new.get(name))}
            for name in dict.fromkeys([*old, *new])
            if old.get(name) != new.get(name)
        ]


def _rows(nodes: tuple[TreeNode, ...], before: tuple[TreeNode, ...], depth: int, marks: _Marks) -> Iterable[p.PlanNode]:
    """Yield the rows of siblings and all below them, the removed ones at their old place."""
    gone = [node for node in before if marks.is_gone(node)]
    for node in nodes:
        while gone and gone[0].position <= node.position:
            yield from _gone(gone.pop(0), depth, marks)
        yield marks.row(node, depth, removed=False)
        old = marks.before.get(node.id)
        yield from _rows(node.children, old.children if old else (), depth + 1, marks)
    for node in gone:
        yield from _gone(node, depth, marks)


def _gone(node: TreeNode, depth: int, marks: _Marks) -> Iterable[p.PlanNode]:
    yield marks.row(node, depth, removed=True)
    for child in node.children:
        if marks.is_gone(child):
            yield from _gone(child, depth + 1, marks)


def _write(order: int, write: Write, full: bool) -> p.PendingWrite:
    known = not (write.op == "delete" or (write.op == "update" and write.status == "queued"))
    return {
        "id": write.id,
        "order": order,
        "scope": write.scope,
        "key": write.key,
        "op": write.op,
        "old": None if write.old is None else _value_of(write.old, full),
        "new": _value_of(write.new, full) if known else None,
        "origin": write.origin,
        "origin_id": write.origin_id,
        "node_id": write.node_id,
        "handler": write.handler,
        "trigger": write.trigger,
        "status": write.status,
    }


def _call(call: HandlerCall) -> p.Call:
    return {
        "id": call.id,
        "frame": call.frame,
        "node_id": call.node_id,
        "task_id": call.task_id,
        "event": call.event,
        "status": call.status,
        "writes": call.writes,
        "ms": call.ms,
        "error": call.error,
        "source": call.source,
    }


def _value_of(value: object, full: bool) -> p.Value:
    # A volatile value may be anything; so may what a rolled back update returned.
    return _text(readable(value), full)


def _text(stored: Stored, full: bool) -> p.Value:
    cut = not full and len(stored.text) > p.VALUE_CHARS
    return {
        "text": stored.text[: p.VALUE_CHARS] if cut else stored.text,
        "chars": len(stored.text),
        "cut": cut,
        "type": stored.type,
    }


def _cut(text: str) -> str:
    text = xml.visible(text)
    return text if len(text) <= p.VALUE_CHARS else f"{text[: p.VALUE_CHARS]}… ({len(text):,} characters)"


def _short(text: str | None) -> str | None:
    return text if text is None or len(text) <= 200 else f"{text[:200]}…"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _done(draft: Draft) -> str:
    match draft.phase:
        case Phase.SNAPSHOT:
            return f"because of {', '.join(draft.reason[:3])}"
        case Phase.RENDER:
            return _count(len(draft.tree), "node")
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
            return f"{_count(len(draft.schedule.start), 'task')} to start"
        case _:
            return f"{_count(len(draft.calls), 'handler')} fired"


def _rest(pending: tuple[Write, ...]) -> str:
    waiting = sum(1 for write in pending if write.status == "queued")
    lost = len(pending) - waiting
    back = f", {_count(lost, 'write')} rolled back" if lost else ""
    return (f"{_count(waiting, 'write')} pending" if waiting else "nothing is pending") + back


def _value(write: Write) -> str:
    match write.op:
        case "delete":
            return " (deleted)"
        case "update":
            return " = computed at flush"
        case _:
            text = readable(write.new).text
            return f" = {text if len(text) <= 60 else text[:60] + '…'}"
