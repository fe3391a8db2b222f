"""``ex.export("run.html")``: the contents of the file, told before it is written."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..store.connection import migrations, now
from ..store.cut import Cut, cut, redaction_of
from ..store.masks import Redaction
from ..store.reader import Reader
from ..version import __version__
from . import container
from .panes import panes_of

Redact = str | re.Pattern[str] | Iterable[str | re.Pattern[str]]
"""Things to remove: a key of the state, a column, a pattern, or several of them."""
MOST = 12
"""The most names of a kind that are listed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """An exported run: the file, which it can be passed for, and what went out with it."""

    path: Path
    execution_id: str
    name: str
    executions: tuple[str, ...]
    """The names of the executions: the line, oldest first, then the children."""
    frames: tuple[int, int]
    """The first and the last frame; (0, 0) without any."""
    rows: dict[str, int]
    """The number of rows by table."""
    keys: tuple[str, ...]
    """The keys of the state."""
    files: tuple[str, ...]
    """The files that it wrote. Their names go out, and not their contents."""
    masked: int
    """The number of credentials that were masked."""
    redacted: tuple[str, ...]
    """The keys, columns and patterns that were removed."""
    removed: int
    """The number of values and texts that were removed for them."""
    sizes: dict[str, int]
    """Bytes: ``database``, ``panes``, and ``file`` for all of it."""

    @property
    def calls(self) -> int:
        """The number of requests to models and of tool calls."""
        return self.rows["model_calls"] + self.rows["tool_calls"]

    @property
    def text(self) -> str:
        """The contents of the file in words."""
        rows = self.rows
        first, last = self.frames
        frames = "no frame"
        if last:
            frames = f"frames {first} to {last}"
        lines = [f"{self.path} has {self.name} ({self.execution_id}), {frames}: {_size(self.sizes['file'])}."]
        if len(self.executions) > 1:
            lines.append(f"  executions: {_listed(self.executions)}")
        counted = [
            *(f"{_count(rows['frames'], 'frame')} in all", _count(rows["tasks"], "task")),
            *(_count(rows["model_calls"], "model call"), _count(rows["tool_calls"], "tool call")),
            *(_count(rows["approvals"], "approval"), _count(rows["artifacts"], "artifact")),
        ]
        lines.append(f"  {', '.join(counted)}")
        lines.append(f"  keys of the state: {_listed(self.keys)}")
        if self.files:
            lines.append(f"  names of files, without their contents: {_listed(self.files)}")
        if rows["blobs"]:
            lines.append(f"  {_count(rows['blobs'], 'image or document', 'images or documents')}")
        lines.append(f"  {_count(self.masked, 'credential')} masked")
        if self.redacted:
            removed = _count(self.removed, "value or text", "values and texts")
            lines.append(f"  {removed} removed: {_listed(self.redacted)}")
        return "\n".join(lines)

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"<Export {self.text}>"


def export(
    reader: Reader,
    execution_id: str,
    path: str | os.PathLike[str],
    *,
    frames: Sequence[int] | None = None,
    redact: Redact = (),
    show: bool = True,
) -> Export:
    """Write an execution with its line and its children to a file; see ``Recording.export``.

    Raises:
        StoreError: if a frame is not there, or the file can't be written.
        ValueError: if something of ``redact`` names nothing, or the frames are no unbroken row.
    """
    wanted = [redact] if isinstance(redact, str | re.Pattern) else list(redact)
    redaction = redaction_of(reader, execution_id, wanted)
    # The panes are made of the database that goes out, not of the one that it is cut from: what was masked or left out
    # can't be in them.
    with tempfile.TemporaryDirectory(prefix="smithers-") as folder:
        target = os.path.join(folder, "run.db")
        found = cut(reader, execution_id, target, frames=_range(frames), redaction=redaction)
        there = (found.first, found.last)
        panes = panes_of(target, execution_id, there)
        contents = container.Contents(
            _header(Reader(target), found, redaction, execution_id), Path(target).read_bytes(), panes
        )
    data = container.page(contents)
    told = Export(
        path=Path(path),
        execution_id=execution_id,
        name=contents.header.name,
        executions=tuple(found.executions),
        frames=there,
        rows=dict(found.rows),
        keys=tuple(found.keys),
        files=tuple(found.files),
        masked=found.masked,
        redacted=redaction.words,
        removed=found.redacted,
        sizes={"database": found.bytes, "panes": len(panes), "file": len(data)},
    )
    # Before the file: a person who sees a key in it that should stay here can stop the sending, if not the writing.
    if show:
        sys.stdout.write(f"{told.text}\n")
    container.write(path, data)
    return told


def _range(frames: Sequence[int] | None) -> tuple[int, int] | None:
    """Return the first and the last of frames.

    Raises:
        ValueError: if there are none, or some between them are missing.
    """
    if frames is None:
        return None
    wanted = sorted(set(frames))
    if not wanted or len(wanted) != wanted[-1] - wanted[0] + 1:
        raise ValueError(
            f"frames={list(frames)!r:.80} is no unbroken row of frames, and a missing one would leave a hole in the "
            "history. Name the first and the last with range(3, 9)."
        )
    return wanted[0], wanted[-1]


def _header(reader: Reader, found: Cut, redaction: Redaction, execution_id: str) -> container.Header:
    execution = reader.execution(execution_id)
    return container.Header(
        format=container.FORMAT,
        package=__version__,
        engine=execution.engine_version,
        schema=migrations()[-1][0],
        code_hash=execution.code_hash,
        exported_at=now(),
        execution_id=execution_id,
        name=execution.name,
        status=execution.status,
        frames=(found.first, found.last),
        masked=found.masked,
        redacted=redaction.words,
    )


def _count(count: int, one: str, several: str | None = None) -> str:
    if count == 1:
        return f"1 {one}"
    return f"{count:,} {several or one + 's'}"


def _listed(names: Sequence[str]) -> str:
    if not names:
        return "none"
    listed = ", ".join(f"{name:.60}" for name in names[:MOST])
    if len(names) > MOST:
        listed += f" and {len(names) - MOST} more"
    return listed


def _size(count: int) -> str:
    if count < 1_000_000:
        return f"{max(1, round(count / 1000)):,} KB"
    return f"{count / 1_000_000:,.1f} MB"
