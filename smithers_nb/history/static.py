"""Tables and trees of sentences as static HTML, without scripts: for results that a notebook keeps."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from ..errors import NamesNearest
from ..nodes.xml import visible

# They would turn the direction of the text after them.
_BIDI = {code: f"\\u{code:04x}" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F)}
REPR_CHARS = 20_000
"""The most characters of a repr: a saved notebook keeps it for ever."""
ROWS = 50
"""The most rows of a table: a saved notebook keeps them for ever."""
LINES = 200
"""The most sentences of an answer."""


class Readable(NamesNearest):
    """A result that is read as text: all of it as ``.text`` and ``str``, its beginning as the repr."""

    @property
    def text(self) -> str:
        """All of it as plain text."""
        raise NotImplementedError

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        text = self.text
        if len(text) <= REPR_CHARS:
            return text
        return f"{text[:REPR_CHARS]}\n… ({len(text):,} characters; .text has all)"


# On each cell: JupyterLab's own rule for cells sets words to the right, away from what they are about.
LEFT = 'style="text-align:left"'


def table(head: str, heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a sentence with a table below it. Nothing that a model or a user wrote is markup."""
    parts = [f"<div><p>{safe(head)}</p>"]
    if rows:
        cells = "".join(f"<th {LEFT}>{safe(name)}</th>" for name in heads)
        parts.append(f"<table><thead><tr>{cells}</tr></thead><tbody>")
        parts += [_row(row) for row in rows[:ROWS]]
        parts.append("</tbody></table>")
    if len(rows) > ROWS:
        parts.append(f"<p>… and {len(rows) - ROWS:,} more: .df has all.</p>")
    return "".join(parts) + "</div>"


def tree(head: str, lines: Sequence[tuple[int, str, str]]) -> str:
    """Return a question with sentences below it, indented: each is (depth, text, a small print beside it)."""
    parts, depth = [f"<div><p><b>{safe(head)}</b></p>"], -1
    for deep, text, beside in lines[:LINES]:
        # A list belongs into an item of the list around it: one that goes deeper leaves its item open.
        parts.append("</li></ul>" * max(0, depth - deep))
        parts.append("<ul>" * (deep - depth) if deep > depth else "</li>")
        parts.append(f"<li>{safe(text)} <small>{safe(beside)}</small>")
        depth = deep
    parts.append("</li></ul>" * (depth + 1))
    if len(lines) > LINES:
        parts.append(f"<p>… and {len(lines) - LINES:,} more: .df has all.</p>")
    return "".join(parts) + "</div>"


def _row(values: Sequence[object]) -> str:
    return "<tr>" + "".join(f"<td {LEFT}>{safe(value)}</td>" for value in values) + "</tr>"


def safe(value: object) -> str:
    """Return a value as HTML that shows its text, and does nothing else."""
    if value is None:
        return ""
    # In a trusted notebook everything in an output runs, and Lab's policy does not forbid it.
    return f"<bdi>{escape(inert(str(value)), quote=True)}</bdi>"


def inert(text: str) -> str:
    """Return a text whose control characters, marks of direction and lone surrogates do nothing, but are seen."""
    return visible(text).translate(_BIDI).encode("utf-8", "replace").decode()
