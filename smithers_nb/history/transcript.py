"""Transcripts: the conversations of an agent as text, and as static HTML."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import message_of
from ..records import Exchange, Part, TaskConversation
from ..records.words import count
from .static import Readable, inert, safe

# A saved notebook keeps what is shown for ever: the whole text is in .text.
SHOWN_CHARS = 4_000
"""The most characters of a part that the HTML has."""
SHOWN_EXCHANGES = 200
"""The newest requests of a run that the HTML has."""


@dataclass(frozen=True, repr=False)
class Transcript(Readable):
    """The conversations of an agent node, one a task, in words."""

    node_id: str
    conversations: tuple[TaskConversation, ...]
    """Oldest first: one for each time that the node ran, in loops one for each iteration."""

    @property
    def text(self) -> str:
        """All of it as plain text."""
        return "\n\n".join("\n".join(_lines(one)) for one in self.conversations)

    def _repr_html_(self) -> str:
        # Jupyter looks for this name.
        return "".join(_html(one) for one in self.conversations)


def title(conversation: TaskConversation) -> str:
    """Return the heading of a conversation: node, iteration, how it ended, and its totals."""
    task = conversation.task
    words = f"{task.node_id}"
    if conversation.iteration is not None:
        words += f", iteration {conversation.iteration}"
    words += f": {task.status}"
    if task.attempt > 1:
        words += f" in attempt {task.attempt} of {task.max_attempts}"
    into, out = conversation.tokens
    price = "price not known"
    if conversation.cost_usd is not None:
        price = _dollars(conversation.cost_usd)
    requests = count(len(conversation.exchanges), "request")
    return f"{words} ({task.task_id}; {requests}, {into:,} tokens in, {out:,} out, {price})"


def heading(exchange: Exchange) -> str:
    """Return the heading of a request: turn, attempt, the wait before it, agent, model."""
    call = exchange.call
    words = f"turn {call.turn}"
    if call.agent is not None:
        words += f", agent {call.agent}, request {call.attempt}"
    elif call.attempt > 1:
        words += f", attempt {call.attempt}"
    if exchange.waited_s is not None:
        words += f" after {exchange.waited_s:.1f} s"
    words += f" · {call.model}"
    if call.answered_by != "model":
        words += f" (answered by {call.answered_by})"
    return words


def _dollars(cost_usd: float) -> str:
    # A short answer costs less than the fourth digit, and that is not nothing.
    if 0 < cost_usd < 0.0001:
        return f"${cost_usd:.7f}".rstrip("0")
    return f"${cost_usd:.4f}"


def ending(exchange: Exchange) -> str:
    """Return how a request ended: its finish reason or error, tokens and cost; of a fallback, the model that answered,
    too.
    """
    call = exchange.call
    if call.status == "running":
        return "no answer yet"
    words = [exchange.finish_reason or "answered"]
    if call.provider.startswith("fallback:") and exchange.answered_as is not None:
        words = [f"{words[0]} of {exchange.answered_as}"]
    if call.status != "ok":
        words = [f"{call.status}: {message_of(call.error or '')}".removesuffix(": ")]
    if call.input_tokens is not None or call.output_tokens is not None:
        words.append(f"{call.input_tokens or 0:,} tokens in, {call.output_tokens or 0:,} out")
    if call.cost_usd is not None:
        words.append(_dollars(call.cost_usd))
    elif call.unpriced is not None:
        words.append(f"price not known: {call.unpriced}")
    return " · ".join(words)


def label(part: Part) -> str:
    """Return a part's name: ``user``, ``thinking``, ``calls weather``, ``weather returned (ok)``.

    >>> label(Part("assistant", "tool call", "{}", "weather"))
    'calls weather'
    >>> label(Part("tool", "retry", "days: not a number", "final_result"))
    'final_result is rejected'
    """
    words = f"{part.role}, {part.kind}"
    if part.kind == "text":
        words = part.role
    elif part.kind in ("thinking", "compaction"):
        words = part.kind
    elif part.kind == "tool call":
        words = f"calls {part.tool}"
    elif part.kind == "edited arguments":
        words = f"a person edits the arguments of {part.tool}"
    elif part.kind == "retry":
        words = f"{part.tool or 'answer'} is rejected"
    elif part.kind == "output":
        words = f"answers with {part.tool}"
    elif part.kind == "tool result":
        words = f"{part.tool} returned"
    if part.status is not None and part.role == "tool":
        words += f" ({part.status})"
    return words


def _lines(conversation: TaskConversation) -> Iterator[str]:
    yield inert(title(conversation))
    for exchange in conversation.exchanges:
        yield ""
        yield inert(f"── {heading(exchange)}")
        for part in exchange.given + exchange.answer:
            yield _line(part)
        yield inert(f"── {ending(exchange)}{_took(exchange.call.ms)}")
        for part in exchange.results:
            yield _line(part)
    if conversation.task.status == "failed" and conversation.task.error:
        yield ""
        yield inert(f"failed: {message_of(conversation.task.error)}")


def _line(part: Part) -> str:
    text = inert(part.text)
    if "\n" in text:
        # Indented, so that a text can't look like the next part.
        text = "\n" + "\n".join(f"    {line}" for line in text.splitlines())
    return f"{inert(label(part))}{_took(part.ms)}: {text}"


def _took(ms: float | None) -> str:
    if not ms:
        return ""
    return f" · {ms:,.0f} ms"


# ---- HTML ------------------------------------------------------------------------------------------------------

# Only tags that the page keeps of an untrusted notebook. The colours are Jupyter's, so that dark themes are readable.
_BORDER = "border-left:3px solid {};padding:2px 8px;margin:4px 0"
_COLORS = {
    "system": "var(--jp-border-color1,#bdbdbd)",
    "user": "var(--jp-brand-color1,#1976d2)",
    "assistant": "var(--jp-content-font-color2,#616161)",
    "tool": "var(--jp-warn-color1,#f57c00)",
}
_PRE = "white-space:pre-wrap;word-break:normal;overflow-wrap:anywhere;margin:0"  # Jupyter breaks within words.


def _html(conversation: TaskConversation) -> str:
    parts = [f"<summary><b>{safe(title(conversation))}</b></summary>"]
    shown = conversation.exchanges[-SHOWN_EXCHANGES:]
    if len(shown) < len(conversation.exchanges):
        before = count(len(conversation.exchanges) - len(shown), "request")
        parts.append(f"<p><i>{before} before; .text has all</i></p>")
    parts += [_exchange_html(one) for one in shown]
    if conversation.task.status == "failed" and conversation.task.error:
        parts.append(f"<p><b>failed: {safe(message_of(conversation.task.error))}</b></p>")
    return f"<details open>{''.join(parts)}</details>"


def _exchange_html(exchange: Exchange) -> str:
    summary = f"<summary>{safe(heading(exchange))}</summary>"
    body = "".join(_part_html(part) for part in exchange.given + exchange.answer)
    end = f"<p><small>{safe(ending(exchange) + _took(exchange.call.ms))}</small></p>"
    results = "".join(_part_html(part) for part in exchange.results)
    return f"<details open>{summary}{body}{end}{results}</details>"


def _part_html(part: Part) -> str:
    text = part.text
    if len(text) > SHOWN_CHARS:
        text = f"{text[:SHOWN_CHARS]}\n… ({len(part.text):,} characters; .text has all)"
    style = _BORDER.format(_COLORS[part.role])
    name = safe(label(part) + _took(part.ms))
    return f'<div style="{style}"><small>{name}</small><pre style="{_PRE}">{safe(text)}</pre></div>'
