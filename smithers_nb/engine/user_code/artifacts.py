"""``ctx.artifact``: texts, tables, images and links that user code shows to people."""

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
from .scope import Owner, node_of, refuse_when_closed, refuse_while_rendering, scope_of
from .sealed import Sealed


class ArtifactApi(Sealed):
    """``ctx.artifact``.

    In a handler or an effect: stored with its writes, in the same transaction, or not at all if it raises. In a task
    or in the notebook: stored at once. While rendering: ``RenderWriteError``. An artifact replaces the one of the same
    ``key``; without a key each call adds one. Contents are shown as text, never as HTML or Markdown.
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
        """Show a progress bar: ``value`` of ``total``, or a fraction of 1 without a total.

        Raises:
            ValueError: if ``value`` is not in 0 to ``total``, or ``total`` is not positive.
        """
        most = total
        if most is None:
            most = 1
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
            ValueError: if it is a file of any other kind.
            NotStorableError: if it has over 5 MB.
        """
        data = image
        if not isinstance(data, bytes):
            data = Path(data).read_bytes()
        # The bytes decide, not the name of the file: a browser goes by them, too.
        mime = image_type(data)
        if mime is None:
            raise ValueError(f"artifact.image takes a PNG, JPEG, GIF or WebP image; this begins with {data[:8]!r}.")
        _check_size("image", len(data))
        self._add("image", {"mime": mime, "base64": base64.b64encode(data).decode()}, key, title)

    def _add(self, kind: ArtifactKind, content: Mapping[str, Any], key: str | None, title: str | None) -> None:
        refuse_while_rendering(f"artifact.{kind} was called")
        content = cleaned(content)
        # An image's limit is that of its bytes, which were counted before base64 made a third more of them.
        if kind != "image":
            _check_size(kind, len(_json(content)))
        scope = scope_of(self._ctx)
        id = _text(key)
        if id is None:
            id = secrets.token_hex(4)
        made = Artifact(
            id=id,
            kind=kind,
            title=_text(title),
            content=content,
            node_id=node_of(scope),
            frame=self._host.frame,
        )
        # A task that was cancelled may run on in its thread: its node has a later task by then, or none.
        refuse_when_closed(scope, f"artifact {id!r}")
        if isinstance(scope, Transaction):
            scope.artifacts.append(made)
        else:
            self._host.record(partial(writer.put_artifact, execution_id=self._host.execution_id, artifact=made))


def _text(given: object) -> str | None:
    if given is None:
        return None
    return clean(str(given))


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
        cells = _cells([row.get(name) for name in columns] for row in listed)
        return {"columns": [str(name) for name in columns], "rows": cells}
    if all(isinstance(row, list | tuple) for row in listed):
        return {"columns": [], "rows": _cells(listed)}
    raise TypeError("the rows of artifact.table are all dicts or all lists.")


def _cells(rows: Iterable[Iterable[Any]]) -> list[list[Any]]:
    return [[_cell(value) for value in row] for row in rows]


def _cell(value: Any) -> Any:
    # A subclass, such as an enum, is shown by its str, as other objects are. NaN and infinity are not JSON.
    if value is None or type(value) in (bool, int, str) or (type(value) is float and isfinite(value)):
        return value
    return str(value)
