"""An execution as text and as plain HTML: for shells without widgets, and for the saved notebook."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from ..history.panes.view import View
from ..history.source import Source
from ..nodes.xml import visible
from ..recording import FrameView
from ..records import Frame, RunResult, Write
from ..records.words import author, standing_of
from ..values import readable

# A saved notebook keeps this text for ever, and a version control system shows it in each diff: it stays small.
CHARS = 20_000
"""The most characters of XML that are shown."""

LINES = 50
"""The most writes that are shown, and the most handler calls."""

VALUE = 200
"""The most characters of a value."""


def as_text(view: View) -> str:
    """Return the execution in a few lines: its status, the sentence, the plan, the pending writes."""
    source = view.source()
    head, cursor = source.head, source.cursor()
    reason = f" ({head.reason})" if head.reason else ""
    lines = [
        f"<Execution {head.name!r} {head.execution_id}: {head.status}{reason}, frame {head.recorded}>",
        visible(view.sentence(buttons=False)),
        *(f"problem: {visible(problem)}" for problem in _problems(view)),
        "",
    ]
    if cursor.dry:
        lines.append("Dry render; nothing was executed:")
    lines.append(visible(_cut(cursor.tree.xml)))
    lines += [f"pending: {visible(write_line(write))}" for write in _pending(source)[:LINES]]
    return "\n".join(lines)


def as_html(view: View) -> str:
    """Return the execution as static HTML: nothing in it runs, and nothing of a model's or the user's is markup."""
    source = view.source()
    head, cursor, now = source.head, source.cursor(), source.publication
    section = _Section(
        title=f"smithers_nb: {head.name}, {standing_of(head.status, head.reason)}, frame {head.recorded}",
        sentence=view.sentence(buttons=False),
        xml=cursor.tree.xml,
        pending=_pending(source),
        problems=_problems(view),
    )
    if cursor.dry:
        section.note = "Dry render: nothing was executed."
    if now is not None and now.frame is not None:
        section.handlers = _calls(now.frame)
    return section.html()


def as_page(view: View) -> str:
    """Return the static HTML that stands below a stepper; the widget's style hides it."""
    file = f'{view.caller() or "ex"}.export("run.html")'
    offer = f"<p>Every frame of it, without a kernel: <code>{_safe(file)}</code> writes a page that opens anywhere.</p>"
    return f'<div class="smithers-static">{as_html(view)}{offer}</div>'


def frame_text(frame: Frame) -> str:
    """Return a frame as text: reason, XML, handler calls, pending writes, problems."""
    lines = [repr(frame), f"because of: {', '.join(frame.reason)}", "", visible(frame.xml), ""]
    lines += [f"handler: {call}" for call in _calls(frame)]
    lines += [f"{_standing(write)}: {visible(write_line(write))}" for write in frame.pending]
    lines += [f"problem: {problem.kind}: {visible(problem.message)}" for problem in frame.problems]
    return "\n".join(lines).rstrip()


def frame_html(frame: Frame) -> str:
    """Return a frame as static HTML."""
    section = _Section(
        title=f"Frame {frame.number} after {frame.phase}",
        sentence=f"Because of: {', '.join(frame.reason)}.",
        xml=frame.xml,
        pending=frame.pending,
        handlers=_calls(frame),
        note="; ".join(f"{problem.kind}: {problem.message}" for problem in frame.problems),
    )
    return section.html()


def view_html(view: FrameView) -> str:
    """Return a recorded frame as static HTML."""
    state = "; ".join(f"{key} = {_json(view.state[key])}" for key in view.state)
    section = _Section(
        title=f"Frame {view.number} (recorded)", sentence=f"It read: {state or 'nothing'}.", xml=view.xml
    )
    return section.html()


def result_html(result: RunResult) -> str:
    """Return the end of a run as static HTML."""
    words = _safe(f"{result.status}: {result.reason}. {result.frames} frames were rendered.")
    problems = [f"{problem.kind}: {problem.message}" for problem in result.problems]
    if not problems:
        return f"<div><b>{words}</b></div>"
    items = "".join(f"<li>{_safe(problem)}</li>" for problem in problems)
    return f"<div><b>{words}</b><ul>{items}</ul></div>"


def write_line(write: Write) -> str:
    """Return a write in one line: ``set notes: null → "1. tides" (on_finished of notes)``."""
    by = author(write.origin, write.handler, write.node_id)
    return f"{write.op} {write.key}: {_json(write.old)}{_becomes(write)} ({by}, {write.status})"


def _becomes(write: Write) -> str:
    if write.op == "delete":
        return ""
    if write.op == "update" and write.status == "queued":
        return " → computed at flush"
    return f" → {_json(write.new)}"


def _standing(write: Write) -> str:
    if write.status in ("queued", "edited"):
        return "pending"
    return write.status.replace("_", " ")


def _calls(frame: Frame) -> list[str]:
    return [f"{call.event} of {call.node_id}: {call.status}" for call in frame.handlers]


def _pending(source: Source) -> tuple[Write, ...]:
    """Return the writes that wait for FLUSH; a recorded execution has none."""
    if source.publication is None:
        return ()
    return source.publication.pending


def _problems(view: View) -> list[str]:
    """Return the problems of an execution, each with its frame."""
    return [f"{found['kind']}: {found['message']} (frame {found['frame']})" for found in view.problems()]


@dataclass(slots=True)
class _Section:
    """A frame, or an execution, as HTML that can be folded."""

    title: str
    sentence: str
    xml: str
    pending: tuple[Write, ...] = ()
    handlers: Sequence[str] = ()
    note: str = ""
    problems: Sequence[str] = ()

    def html(self) -> str:
        """Return the HTML."""
        # Only what the page keeps of an untrusted notebook: its sanitizer removes scripts, handlers and SVG, but not
        # <details>, which folds without any script.
        parts = [f"<summary><b>{_safe(self.title)}</b></summary>", f"<p>{_safe(self.sentence)}</p>"]
        if self.note:
            parts.append(f"<p><i>{_safe(self.note)}</i></p>")
        if self.problems:
            parts.append(f"<p>Problems</p><ul>{_items(self.problems)}</ul>")
        parts.append(f"<pre>{_safe(_cut(self.xml))}</pre>")
        if self.pending:
            parts.append(f"<p>Pending writes</p><ol>{_items([write_line(write) for write in self.pending])}</ol>")
        if self.handlers:
            parts.append(f"<p>Handlers</p><ol>{_items(self.handlers)}</ol>")
        return f"<details open>{''.join(parts)}</details>"


def _items(lines: Sequence[str]) -> str:
    shown = list(lines[:LINES])
    if len(lines) > LINES:
        shown.append(f"… and {len(lines) - LINES:,} more")
    return "".join(f"<li>{_safe(line)}</li>" for line in shown)


def _cut(xml: str) -> str:
    if len(xml) <= CHARS:
        return xml
    return f"{xml[:CHARS]}\n… ({len(xml):,} characters; frame.xml has all)"


def _safe(text: str) -> str:
    # In a trusted notebook everything in an output runs, and Lab's policy does not forbid it: what a model wrote is
    # escaped here. A lone surrogate, which JSON can bring, can't be encoded for the page.
    return escape(visible(text).encode("utf-8", "replace").decode(), quote=True)


def _json(value: object) -> str:
    text = readable(value).text
    if len(text) <= VALUE:
        return text
    return f"{text[:VALUE]}… ({len(text):,} characters)"
