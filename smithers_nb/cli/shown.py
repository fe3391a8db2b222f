"""Output: lines for people, and one JSON object a line for programs."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from typing import Any

from .codes import USAGE

CELL_CHARS = 60
"""The most characters of a value in a listing."""


def print_rows(rows: Sequence[Any], columns: Sequence[str], as_json: bool) -> None:
    """Print rows, dicts, as a table of some of their columns, or each whole as a JSON object."""
    if as_json:
        print_json(rows)
        return
    # The whole table before its first line: a column is as wide as its widest value.
    lines = [tuple(columns), *(tuple(_cell(row[name]) for name in columns) for row in rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(columns))]
    for line in lines:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def print_json(rows: Iterable[object]) -> None:
    """Print each row as a JSON object on a line of its own. What a model or a user wrote stays a JSON string."""
    for row in rows:
        # ASCII only: a terminal or a pipe may have another encoding than the reader.
        print(json.dumps(jsonable(row), ensure_ascii=True, allow_nan=False, default=str))


def print_text(text: str, error: bool = False) -> None:
    """Print a text of several lines. Control characters are written as escapes: a terminal would obey them."""
    stream = sys.stderr if error else sys.stdout
    print("\n".join(plain(line) for line in text.split("\n")), file=stream)


def complain(message: str, code: int = USAGE) -> int:
    """Print a message to the error stream, and return the exit code."""
    print(f"smithers: {plain(message)}", file=sys.stderr)
    return code


def plain(text: str) -> str:
    """Return a text on one line, with escapes for what a terminal would obey.

    >>> plain("red \\x1b[31m, and a\\nbreak")
    'red \\\\x1b[31m, and a\\\\nbreak'
    """
    if text.isprintable():
        return text
    return "".join(repr(one)[1:-1].replace("\\'", "'").replace("\\\\", "\\") for one in text)


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = plain(str(value))
    if len(text) <= CELL_CHARS:
        return text
    return f"{text[: CELL_CHARS - 1]}…"


def jsonable(value: object) -> object:
    """Return a value as JSON has it: dataclasses as objects, NaN and infinity as texts."""
    # JSON has no NaN, and Python would write one that no other reader takes.
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if isinstance(value, Mapping):
        return {str(name): jsonable(one) for name, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [jsonable(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
