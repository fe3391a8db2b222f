"""``ctx.artifact``: what user code wants people to see."""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Iterable, Mapping
from functools import partial
from math import isfinite
from pathlib import Path
from typing import Any

from ...artifacts import MOST_BYTES, Artifact, ArtifactKind, image_type, why_not_a_link
from ...errors import NotStorableError, clean, kind_of
from ...store import writer
from ...values import cleaned
from ..state import Transaction
from .host import Host
from .scope import Owner, TaskScope, refuse_when_closed, refuse_while_rendering, scope_of
from .sealed import Sealed


class ArtifactApi(Sealed):
    """``ctx.artifact``.

    In a handler or an effect: stored with its writes, in the same transaction, or not at all if it raises. In a task
    or in the notebook: stored at once. While rendering: ``RenderWriteError``. The same ``key`` replaces what it named;
    without one each call adds another. What is given is shown as text, never as HTML or Markdown.
    """

    __slots__ = ("_ctx", "_host")
    _name = "ctx.artifact"

    def __init__(self, ctx: Owner, host: Host) -> None:
        self._ctx = ctx
        self._host = host

    def markdown(self, text: str, key: str | None = None, title: str | None = None) -> None:
        """Show a text as it was written."""
        if not isinstance(text, str):
            raise TypeError(f"artifact.markdown takes a str, not {kind_of(text)}.")
        self._add("markdown", {"text": text}, key, title)

    def table(self, rows: Any, key: str | None = None, title: str | None = None) -> None:
        """Show rows: a list of dicts, a list of lists, or a DataFrame. Cells that are not JSON are shown by ``str``.

        Raises:
            TypeError: if it is none of these.
        """
        self._add("table", _table(rows), key, title)

    def progress(
        self, value: float, total: float | None = None, key: str | None = None, title: str | None = None
    ) -> None:
        """Show how far something has come: ``value`` of ``total``, or a fraction of 1 without a total.

        Raises:
            ValueError: if ``value`` is not in 0 to ``total``, or ``total`` is not positive.
        """
        most = 1 if total is None else total
        if not all(isinstance(number, int | float) and isfinite(number) for number in (value, most)):
            raise ValueError(f"artifact.progress takes two finite numbers, not {value!r} of {total!r}.")
        if not (0 <= value <= most and most > 0):
            raise ValueError(
                f"progress of {value:g} is not between 0 and {most:g}. Without total= it is a fraction of 1."
            )
        self._add("progress", {"value": value, "total": most}, key, title)

    def link(self, url: str, key: str | None = None, title: str | None = None) -> None:
        """Show a link, with its URL in full.

        Raises:
            ValueError: if it is not an http, https or relative URL.
        """
        if why := why_not_a_link(url):
            raise ValueError(f"{url!r:.200} can't be an artifact.link: {why}.")
        self._add("link", {"url": url}, key, title)

    def image(self, image: bytes | str | os.PathLike[str], key: str | None = None, title: str | None = None) -> None:
        """Show a PNG, JPEG, GIF or WebP image, given as bytes or as the path of a file.

        Raises:
            ValueError: if it is another kind of file.
            NotStorableError: if it has over 5 MB.
        """
        data = image if isinstance(image, bytes) else Path(image).read_bytes()
        mime = image_type(data)
        if mime is None:
            raise ValueError(f"artifact.image takes a PNG, JPEG, GIF or WebP image; this begins with {data[:8]!r}.")
        _check_size("image", len(data))
        self._add("image", {"mime": mime, "base64": base64.b64encode(data).decode()}, key, title)

    def _add(self, kind: ArtifactKind, content: Mapping[str, Any], key: str | None, title: str | None) -> None:
        refuse_while_rendering(f"artifact.{kind} was called")
        content = cleaned(content)
        if kind != "image":
            _check_size(kind, len(_json(content)))
        scope = scope_of(self._ctx)
        node_id = scope.node_id if isinstance(scope, Transaction | TaskScope) else None
        id = secrets.token_hex(4) if key is None else clean(str(key))
        made = Artifact(id, kind, None if title is None else clean(str(title)), content, node_id, self._host.frame)
        refuse_when_closed(scope, f"artifact {id!r}")
        if isinstance(scope, Transaction):
            scope.artifacts.append(made)
        else:
            self._host.record(partial(writer.put_artifact, execution_id=self._host.execution_id, artifact=made))


def _json(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False, allow_nan=False).encode()


def _check_size(kind: str, size: int) -> None:
    if size > MOST_BYTES:
        raise NotStorableError(
            f"this artifact.{kind} has {size:,} bytes; at most {MOST_BYTES:,} are stored. Show less of it, or write it "
            "to a file with ctx.fs.write and show a link."
        )


def _table(rows: Any) -> dict[str, Any]:
    if hasattr(rows, "to_dict") and hasattr(rows, "columns"):  # A DataFrame, without importing pandas to see.
        split = rows.to_dict("split")
        return {"columns": [str(name) for name in split["columns"]], "rows": _cells(split["data"])}
    if isinstance(rows, str | bytes | Mapping) or not isinstance(rows, Iterable):
        raise TypeError(f"artifact.table takes a list of dicts, a list of lists or a DataFrame, not {kind_of(rows)}.")
    listed = list(rows)
    if all(isinstance(row, Mapping) for row in listed):
        columns = list(dict.fromkeys(name for row in listed for name in row))
        return {
            "columns": [str(name) for name in columns],
            "rows": _cells([row.get(c) for c in columns] for row in listed),
        }
    if all(isinstance(row, list | tuple) for row in listed):
        return {"columns": [], "rows": _cells(listed)}
    raise TypeError("the rows of artifact.table are all dicts or all lists.")


def _cells(rows: Iterable[Iterable[Any]]) -> list[list[Any]]:
    return [[_cell(value) for value in row] for row in rows]


def _cell(value: Any) -> Any:
    if value is None or type(value) in (bool, int, str) or (type(value) is float and isfinite(value)):
        return value
    return str(value)
