"""An execution as text and as plain HTML: what is there without a kernel, and in the saved notebook."""

from __future__ import annotations

from html import escape

from ..history.panes.view import View
from ..nodes.xml import visible
from ..records import Frame, RunResult, Write
from ..records.words import author
from ..store.history import FrameView
from ..values import readable

CHARS = 20_000
"""Of the XML: what is saved with the notebook stays small."""

LINES = 50
"""Of the writes, and of the handler calls."""


def as_text(view: View) -> str:
    """Return the execution in a few lines: its status, the sentence, the plan, the pending writes."""
    source = view.source()
    head, cursor, now = source.head, source.cursor(), source.publication
    reason = f" ({head.reason})" if head.reason else ""
    lines = [
        f"<Execution {head.name!r} {head.execution_id}: {head.status}{reason}, frame {head.recorded}>",
        view.sentence(buttons=False),
        "",
        *(["Dry render; nothing was executed:"] if cursor.dry else []),
        visible(_cut(cursor.tree.xml)),
    ]
    lines += [f"pending: {visible(write_line(write))}" for write in (now.pending[:LINES] if now else ())]
    return "\n".join(lines)


def as_html(view: View) -> str:
    """Return the execution as static HTML: nothing in it runs, and nothing of a model's or the user's is markup."""
    source = view.source()
    head, cursor, now = source.head, source.cursor(), source.publication
    calls = now.frame.handlers if now is not None and now.frame is not None else ()
    return _section(
        f"smithers_nb: {head.name}, {head.status}, frame {head.recorded}",
        view.sentence(buttons=False),
        "Dry render: nothing was executed." if cursor.dry else "",
        cursor.tree.xml,
        now.pending if now is not None else (),
        [f"{call.event} of {call.node_id}: {call.status}" for call in calls],
    )


def as_page(view: View) -> str:
    """Return the static HTML that stands below a stepper; the widget's style hides it."""
    return f'<div class="smithers-static">{as_html(view)}</div>'


def frame_text(frame: Frame) -> str:
    """Return a frame as text: reason, XML, handler calls, pending writes, problems."""
    lines = [repr(frame), f"because of: {', '.join(frame.reason)}", "", visible(frame.xml), ""]
    lines += [f"handler: {call.event} of {call.node_id}: {call.status}" for call in frame.handlers]
    lines += [f"{_standing(write)}: {visible(write_line(write))}" for write in frame.pending]
    lines += [f"problem: {problem.kind}: {visible(problem.message)}" for problem in frame.problems]
    return "\n".join(lines).rstrip()


def frame_html(frame: Frame) -> str:
    """Return a frame as static HTML."""
    handlers = [f"{call.event} of {call.node_id}: {call.status}" for call in frame.handlers]
    problems = "; ".join(f"{problem.kind}: {problem.message}" for problem in frame.problems)
    because = f"Because of: {', '.join(frame.reason)}."
    return _section(f"Frame {frame.number} after {frame.phase}", because, problems, frame.xml, frame.pending, handlers)


def view_html(view: FrameView) -> str:
    """Return a recorded frame as static HTML."""
    state = "; ".join(f"{key} = {_json(view.state[key])}" for key in view.state)
    return _section(f"Frame {view.number} (recorded)", f"It read: {state or 'nothing'}.", "", view.xml, (), [])


def result_html(result: RunResult) -> str:
    """Return how a run ended as static HTML."""
    problems = "".join(f"<li>{_safe(f'{problem.kind}: {problem.message}')}</li>" for problem in result.problems)
    words = f"{result.status}: {result.reason}. {result.frames} frames were rendered."
    return f"<div><b>{_safe(words)}</b>{f'<ul>{problems}</ul>' if problems else ''}</div>"


def write_line(write: Write) -> str:
    """Return a write in one line: ``set notes: null → "1. tides" (on_finished of notes)``."""
    new = "computed at flush" if write.op == "update" and write.status == "queued" else _json(write.new)
    arrow = "" if write.op == "delete" else f" → {new}"
    by = author(write.origin, write.handler, write.node_id)
    return f"{write.op} {write.key}: {_json(write.old)}{arrow} ({by}, {write.status})"


def _standing(write: Write) -> str:
    return "pending" if write.status in ("queued", "edited") else write.status.replace("_", " ")


def _section(title: str, sentence: str, note: str, xml: str, pending: tuple[Write, ...], handlers: list[str]) -> str:
    writes = _items([write_line(write) for write in pending])
    calls = _items(handlers)
    return (
        f"<details open><summary><b>{_safe(title)}</b></summary>"
        f"<p>{_safe(sentence)}</p>"
        + (f"<p><i>{_safe(note)}</i></p>" if note else "")
        + f"<pre>{_safe(_cut(xml))}</pre>"
        + (f"<p>Pending writes</p><ol>{writes}</ol>" if writes else "")
        + (f"<p>Handlers</p><ol>{calls}</ol>" if calls else "")
        + "</details>"
    )


def _items(lines: list[str]) -> str:
    more = [f"… and {len(lines) - LINES:,} more"] if len(lines) > LINES else []
    return "".join(f"<li>{_safe(line)}</li>" for line in [*lines[:LINES], *more])


def _cut(xml: str) -> str:
    return xml if len(xml) <= CHARS else f"{xml[:CHARS]}\n… ({len(xml):,} characters; frame.xml has all)"


def _safe(text: str) -> str:
    return escape(visible(text).encode("utf-8", "replace").decode(), quote=True)


def _json(value: object) -> str:
    text = readable(value).text
    return text if len(text) <= 200 else f"{text[:200]}… ({len(text):,} characters)"
