"""Write ``protocol.json``: real messages of a real run, which the TypeScript tests read.

``tests/notebook/test_protocol.py`` fails when the file is not what this would write.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any, get_args

from smithers_nb import Claude, Execution, Fragment, Phase, Task, component, scripted
from smithers_nb.notebook import protocol as p
from smithers_nb.notebook.panes import View

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
    ctx.state.set("notes", result.output)
    ctx.state.update("count", lambda n: (n or 0) + 1)
    ctx.state.delete("old")


def _broken() -> None:
    raise ValueError("no luck")


def _lose(ctx: Any) -> None:
    ctx.state.set("lost", True)
    raise RuntimeError("the handler, too")


def messages() -> dict[str, Any]:
    """Return a summary, replies of every pane, commands' answers, and what the browser sends; with fixed times and ids."""
    with tempfile.TemporaryDirectory() as folder:
        with Execution(Report, name="report", store=Path(folder) / "golden.db", state={"old": [1]}) as ex:
            view = View(ex, ex.preview())
            dry = _reply(view, "plan", 1)
            ex.run_sync(until=lambda frame: bool(frame.handlers))
            replies = [
                dry,
                *(_reply(view, pane, n) for n, pane in enumerate(("plan", "xml", "pending", "handlers"), 2)),
            ]
            ex.run_sync(until=lambda frame: bool(frame.handlers))
            summary = view.summary(7, None, None)
            replies += [_reply(view, pane, n) for n, pane in enumerate(("plan", "pending", "state", "handlers"), 6)]
        replies.append(
            {"type": "reply", "id": "r10", "pane": "xml", "seq": 8, "data": None, "error": "StoreError: gone"}
        )
    return _fixed(
        {
            "summary": summary,
            "replies": replies,
            "answers": [
                {"type": "ack", "id": "c1", "name": "step_frame", "accepted": True, "why": ""},
                {"type": "done", "id": "c1", "name": "step_frame", "ok": False, "error": "ComponentError: …"},
            ],
            "messages": [
                {"type": "hello", "protocol": p.PROTOCOL},
                *({"type": "command", "id": "c1", "name": name} for name in get_args(p.CommandName)),
                *({"type": "get", "id": "r1", "pane": pane, "full": False} for pane in get_args(p.PaneName)),
            ],
        }
    )


def _reply(view: View, pane: str, number: int) -> dict[str, Any]:
    read = getattr(view, pane)
    data = read() if pane == "handlers" else read(False)
    return {"type": "reply", "id": f"r{number}", "pane": pane, "seq": 7, "data": data, "error": None}


def _fixed(value: Any) -> Any:
    """Replace what differs from run to run."""
    if isinstance(value, dict):
        return {key: _fixed_field(key, item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_fixed(item) for item in value]
    return value


def _fixed_field(key: str, value: Any) -> Any:
    if key == "ms" and value is not None:
        return 0.5
    if key == "execution_id":
        return "0123456789ab"
    if key == "error" and isinstance(value, str) and "Traceback" in value:
        return "Traceback (most recent call last):\n  …\n" + value.strip().rpartition("\n")[2]
    return _fixed(value)


def text() -> str:
    """Return the file's content."""
    return json.dumps(messages(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
