"""Tables as static HTML, without scripts: for results that a notebook keeps."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from ..nodes.xml import visible

ROWS = 50
"""The most rows of a table: a saved notebook keeps them for ever."""


def table(head: str, heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a sentence with a table below it. Nothing that a model or a user wrote is markup."""
    parts = [f"<div><p>{_safe(head)}</p>"]
    if rows:
        cells = "".join(f"<th>{_safe(name)}</th>" for name in heads)
        parts.append(f"<table><thead><tr>{cells}</tr></thead><tbody>")
        parts += [_row(row) for row in rows[:ROWS]]
        parts.append("</tbody></table>")
    if len(rows) > ROWS:
        parts.append(f"<p>… and {len(rows) - ROWS:,} more: .df has all.</p>")
    return "".join(parts) + "</div>"


def _row(values: Sequence[object]) -> str:
    return "<tr>" + "".join(f"<td>{_safe(value)}</td>" for value in values) + "</tr>"


def _safe(value: object) -> str:
    if value is None:
        return ""
    # A lone surrogate, which JSON can bring, can't be encoded for the page.
    return escape(visible(str(value)).encode("utf-8", "replace").decode(), quote=True)
