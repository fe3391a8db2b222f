"""Write ``protocol.json``: real messages of a real run, which the TypeScript tests read.

``tests/notebook/test_protocol.py`` fails when the file is not what this would write.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any, get_args

from smithers_nb import Claude, Execution, Fragment, Phase, Task, component, scripted
from smithers_nb.commands import COMMANDS
from smithers_nb.history.panes import protocol as p
from smithers_nb.history.panes.view import View
from smithers_nb.notebook import messages as m
from smithers_nb.notebook.view_of import view_of

MOVES = [name for name, one in COMMANDS.items() if one.effect in ("moves", "halts")]
FILE = Path(__file__).with_name("protocol.json")


@component
def Report(ctx):
    notes = ctx.state.get("notes")
    return Fragment()[
        Phase(name="research")[
            Claude(id="notes", model=scripted("1. <b>tides</b>"), on_finished=lambda r: _note(ctx, r))["On ", "tides."]
        ],
        Phase(name="check")[Task(key="a", run=_broken, on_error=lambda r: _lose(ctx))],
        Phase(name="write")[notes and Task(id="more", run=_broken)],
    ]


def _note(ctx: Any, result: Any) -> None:
    print("noted", result.output)
    ctx.state.set("notes", result.output)
    ctx.state.update("count", lambda n: (n or 0) + 1)
    ctx.state.delete("old")


def _broken() -> None:
    raise ValueError("no luck")


def _lose(ctx: Any) -> None:
    ctx.state.set("lost", True)
    raise RuntimeError("the handler, too")


NEEDED = {"until": {"condition": "notes"}}
"""The arguments that a move can't be without."""


def messages() -> dict[str, Any]:
    """Return a summary, replies of every pane, commands' answers, and what the browser sends; with fixed times and ids."""
    with tempfile.TemporaryDirectory() as folder:
        state = {"old": [1], "long": "x" * 3000}
        with Execution(Report, name="report", store=Path(folder) / "golden.db", state=state) as ex:
            view = view_of(ex)
            asked = _Asked(view)
            asked("plan")
            ex.predict(1, {"starts:notes": True}, learner="ada")
            ex.breakpoints.add(key="notes")
            ex.breakpoints.add(when="state.count > 0", log=True)
            ex.breakpoints.add(node="more", event="finished", once=True, hits=2)
            ex.run_sync(until=lambda frame: bool(frame.handlers))
            for pane in ("plan", "xml", "pending", "handlers"):
                asked(pane)
            ex.run_sync()
            hit = view.summary(6, None, None)
            ex.run_sync(until=lambda frame: bool(frame.handlers))
            summary = view.summary(7, None, None, "ada")
            plan = asked("plan")
            asked("plan", known=plan["version"])
            for pane in (
                "frame",
                "timeline",
                "gantt",
                "pending",
                "state",
                "handlers",
                "tasks",
                "breakpoints",
                "output",
                "problems",
            ):
                asked(pane)
            asked("task", of="notes@1")
            asked("node", of="notes")
            asked("value", of=json.dumps(["cell", "state", "long"]), limit=10)
            asked("search", of="notes")
            asked("last_change", of="notes")
            asked("why")
            asked("why", of="notes")
            asked("why_not", of="more.on_error")
            asked("needs", at=1, of="more")
            asked("ghosts", at=1)
            asked("hit")
            ex.fork(2, name="other", state={"old": [2]}).close()
            asked("branches")
            asked("notes")
            for pane in ("frame", "plan", "pending", "handlers", "state"):
                asked(pane, at=2, phase="FLUSH")
            asked("plan", at=3, base=1)
            asked("xml", at=3)
            asked("edited")
            with ex.fork(3, state={"notes": "2. <b>wind</b>"}, name="wind") as branch:
                branch.run_sync()
                asked("compare")
                asked("compare", at=4, other="wind")
                asked("plan", at=4, other="wind")
            replies = asked.replies
    replies.append(
        _reply("r0", m.incoming.validate_python({"type": "get", "id": "r0", "pane": "xml"}), None, "StoreError: gone")
    )
    return _fixed(
        {
            "summary": summary,
            "hit": hit,
            "replies": replies,
            "answers": [
                {"type": "ack", "id": "c1", "name": "step_frame", "accepted": True, "why": ""},
                {
                    "type": "done",
                    "id": "c1",
                    "name": "step_frame",
                    "ok": False,
                    "error": "ComponentError: …",
                    "result": None,
                    "summary": summary,
                    "replies": replies[:1],
                },
                {
                    "type": "done",
                    "id": "c2",
                    "name": "break_add",
                    "ok": True,
                    "error": None,
                    "result": "b1",
                    "summary": None,
                    "replies": [],
                },
                {"type": "replies", "replies": replies[-2:]},
                {"type": "pong", "id": "p1"},
            ],
            "messages": [
                {"type": "hello", "protocol": p.PROTOCOL},
                {"type": "ping", "id": "p1"},
                {"type": "show", "execution_id": "0123456789ab"},
                {"type": "look", "gets": [{"type": "get", "id": "r0", "pane": "plan"}]},
                *({"type": "command", "id": "c1", "name": name, **NEEDED.get(name, {})} for name in MOVES),
                {
                    "type": "command",
                    "id": "c1",
                    "name": "step_frame",
                    "ask": [{"type": "get", "id": "r0", "pane": "plan", "known": 4, "seen": 7}],
                },
                {"type": "command", "id": "c2", "name": "edit_pending", "write": "4w2", "value": '"other"'},
                {"type": "command", "id": "c2", "name": "drop_pending", "write": "4w2"},
                {
                    "type": "command",
                    "id": "c2",
                    "name": "fork",
                    "execution_id": "0123456789ab",
                    "frame": 2,
                    "branch": "other",
                    "state": '{"old": [2]}',
                    "reuse": "agents",
                },
                {"type": "command", "id": "c2", "name": "predict", "frame": 3, "said": "{}", "learner": "ada"},
                {"type": "command", "id": "c2", "name": "cancel", "node": "notes"},
                {"type": "command", "id": "c2", "name": "retry", "node": "notes"},
                {"type": "command", "id": "c2", "name": "handle_again", "node": "notes"},
                {
                    "type": "command",
                    "id": "c2",
                    "name": "answer",
                    "approval": "ok@1",
                    "choice": "deny",
                    "comment": "no",
                },
                {
                    "type": "command",
                    "id": "c2",
                    "name": "answer",
                    "approval": "ok@1",
                    "choice": "approve",
                    "args": '{"to": "me"}',
                },
                {
                    "type": "command",
                    "id": "c2",
                    "name": "answer",
                    "approval": "ok@1",
                    "choice": "result",
                    "result": "3.5",
                },
                {
                    "type": "command",
                    "id": "c2",
                    "name": "break_add",
                    "kind": "key",
                    "target": "n",
                    "event": "equals",
                    "value": "3",
                },
                {
                    "type": "command",
                    "id": "c2",
                    "name": "break_add",
                    "kind": "expression",
                    "when": "state.n > 3",
                    "once": True,
                },
                {"type": "command", "id": "c2", "name": "break_check", "when": "state.n >"},
                {"type": "command", "id": "c2", "name": "break_remove", "breakpoint": "b1"},
                {"type": "command", "id": "c2", "name": "break_change", "breakpoint": "b1", "enabled": False},
                {"type": "command", "id": "c2", "name": "why", "target": "notes"},
                {"type": "command", "id": "c2", "name": "why_not", "target": "notes", "frame": 2},
                {"type": "command", "id": "c2", "name": "needs", "target": "notes"},
                {"type": "command", "id": "c2", "name": "follow", "text": "notes"},
                {"type": "command", "id": "c2", "name": "export", "path": "run.html", "redact": "notes"},
                *({"type": "get", "id": "r1", "pane": pane} for pane in get_args(p.PaneName)),
                {
                    "type": "get",
                    "id": "r1",
                    "pane": "plan",
                    "at": 3,
                    "phase": "RENDER",
                    "base": 1,
                    "known": 4,
                    "limit": 500,
                },
            ],
        }
    )


class _Asked:
    """Asks as the browser would, and keeps the replies."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.replies: list[dict[str, Any]] = []

    def __call__(self, pane: str, **options: Any) -> Any:
        id = f"r{len(self.replies) + 1}"
        get = m.incoming.validate_python({"type": "get", "id": id, "pane": pane, **options})
        data = self.view.pane(get)
        self.replies.append(_reply(id, get, data, None))
        return data


def _reply(id: str, get: Any, data: Any, error: str | None) -> dict[str, Any]:
    at, phase = get.at, get.phase
    return {
        "type": "reply",
        "id": id,
        "pane": get.pane,
        "at": at,
        "phase": phase,
        "data": data,
        "error": error,
    }


def _fixed(value: Any) -> Any:
    """Replace what differs from run to run."""
    if isinstance(value, dict) and value.get("table") == "executions":
        value = {**value, "row_id": "0123456789ab"}
    if isinstance(value, dict):
        return {key: _fixed_field(key, item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_fixed(item) for item in value]
    return value


def _fixed_field(key: str, value: Any) -> Any:
    if key == "ms" and value is not None:
        return [1 for _ in value] if isinstance(value, list) else 0.5
    if key in ("at", "now", "started", "ended", "created", "retry_at") and isinstance(value, float):
        return 1700000000000.5
    if key in ("execution_id", "parent_id") and value is not None:
        return "0123456789ab"
    if key == "store":
        return "Store('golden.db')"
    if key == "response" and value is not None:
        return {**value, "text": '{"parts": []}', "chars": 13}
    if key in ("error", "trace") and isinstance(value, str) and "Traceback" in value:
        return "Traceback (most recent call last):\n  …\n" + value.strip().rpartition("\n")[2]
    return _fixed(value)


def text() -> str:
    """Return the file's content."""
    return json.dumps(messages(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
