"""Artifacts of a run: text, tables, progress, links and images, as records that draw themselves safely.

A model may have written any of it: nothing is drawn as Markdown, as HTML, or as anything that runs.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from math import isfinite
from typing import Any, Literal
from urllib.parse import urlsplit

ArtifactKind = Literal["markdown", "table", "progress", "link", "image"]

MOST_BYTES = 5_000_000
"""The largest size of an image, and of the JSON of anything else."""

_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
_BLANK_OR_BACKSLASH = re.compile(r"[\x00-\x20\x7f\\]")


@dataclass(frozen=True, slots=True)
class Artifact:
    """A thing to show. The same ``key`` replaces it."""

    id: str
    """The key, or a generated id."""
    kind: ArtifactKind
    title: str | None
    content: Mapping[str, Any]  # Any: JSON
    """``text``; ``columns`` and ``rows``; ``value`` and ``total``; ``url``; or ``mime`` and ``base64``."""
    node_id: str | None
    """The node whose handler, effect or task made it."""
    frame: int
    """The frame in which it was made or replaced."""

    def _repr_html_(self) -> str:
        """Return it as HTML in which everything that was given is text."""
        title = ""
        if self.title:
            title = f"<p><b>{escape(self.title)}</b></p>"
        return f"<div>{title}{_body(self.kind, self.content)}</div>"

    def __repr__(self) -> str:
        text = json.dumps(self.content, ensure_ascii=False)
        if len(text) > 80:
            text = f"{text[:80]}…"
        return f"<Artifact {self.id!r}: {self.kind} {text}>"


def _body(kind: str, content: Mapping[str, Any]) -> str:
    match kind:
        case "markdown":
            return f"<pre style='white-space: pre-wrap'>{escape(str(content.get('text', '')))}</pre>"
        case "table":
            return _table(content)
        case "progress":
            value, total = _number(content.get("value")), _number(content.get("total"))
            return f"<progress value='{value:g}' max='{total:g}'></progress> {value:g} of {total:g}"
        case "link":
            return _link(str(content.get("url", "")))
        case "image":
            return _image(str(content.get("mime")), str(content.get("base64", "")))
        case _:
            return f"<pre>{escape(json.dumps(content, ensure_ascii=False))}</pre>"


def _table(content: Mapping[str, Any]) -> str:
    head = "".join(f"<th>{escape(str(column))}</th>" for column in content.get("columns", ()))
    rows = "".join(_row(row) for row in content.get("rows", ()))
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _row(cells: Iterable[object]) -> str:
    texts = ["" if cell is None else escape(str(cell)) for cell in cells]
    return f"<tr>{''.join(f'<td>{text}</td>' for text in texts)}</tr>"


def _link(url: str) -> str:
    # Checked again, although ctx.artifact.link has checked it: the row may have been written by another program.
    if why := why_not_a_link(url):
        return f"<code>{escape(url)}</code> ({escape(why)})"
    return f"<a href='{escape(url)}' target='_blank' rel='noopener noreferrer'>{escape(url)}</a>"


def _image(mime: str, data: str) -> str:
    # The row may have been written by another program. A type that the bytes do not have, such as SVG, could run
    # scripts; and text that is not base64 could end the attribute.
    try:
        raw = base64.b64decode(data, validate=True)
    except ValueError:
        raw = b""
    if image_type(raw) != mime:
        return "<i>not a PNG, JPEG, GIF or WebP image</i>"
    return f"<img style='max-width: 100%' src='data:{mime};base64,{data}'>"


def _number(value: object) -> float:
    if isinstance(value, int | float) and isfinite(value):
        return float(value)
    return 0.0


def image_type(data: bytes) -> str | None:
    """Return the MIME type of a PNG, JPEG, GIF or WebP image, by its first bytes; None for anything else."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((mime for magic, mime in _MAGIC if data.startswith(magic)), None)


def why_not_a_link(url: str) -> str | None:
    """Return why a URL may not be followed; None for http, https and relative ones.

    >>> why_not_a_link("https://example.org/a?b=1#c"), why_not_a_link("report.html")
    (None, None)
    >>> why_not_a_link("javascript:alert(1)")
    "its scheme is 'javascript', not http or https"
    """
    # Browsers remove tabs and newlines inside of a URL, and take a backslash for a slash. These are refused rather than
    # imitated, so that a browser opens the URL that was checked here.
    if _BLANK_OR_BACKSLASH.search(url):
        return "it contains blanks, control characters or backslashes"
    try:
        parts = urlsplit(url)
    except ValueError as error:
        return f"it is no URL: {error}"
    if parts.scheme in ("http", "https"):
        if not parts.netloc:
            return "it names no host"
        return None
    if parts.scheme:
        return f"its scheme is {parts.scheme!r}, not http or https"
    if url.startswith("//"):
        return "it names a host without http or https"
    return None
