"""Texts that SQLite refuses, changed so that it takes them: whatever happened can be recorded."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from ..errors import clean
from ..values import LONGEST

REFUSALS = (UnicodeEncodeError, sqlite3.DataError, OverflowError)
"""The errors of sqlite3 for a text with a lone surrogate, and for one that is too long."""


class Recordable:
    """A connection that takes any text: lone surrogates become U+FFFD, and texts longer than ``LONGEST`` are cut.

    A transaction that SQLite has refused is repeated with it. Cleaning each value beforehand would slow down every
    row of every frame, and nearly none needs it.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> sqlite3.Cursor:
        """Do what ``Connection.execute`` does."""
        return self._connection.execute(sql, recordable(parameters))

    def executemany(self, sql: str, rows: Iterable[Sequence[object]]) -> sqlite3.Cursor:
        """Do what ``Connection.executemany`` does."""
        return self._connection.executemany(sql, [recordable(row) for row in rows])


def recordable(parameters: Any) -> Any:  # Any: values by place or by name, as sqlite3 takes them
    """Return the parameters of a statement with texts that SQLite takes."""
    if isinstance(parameters, dict):
        return {name: _text(value) for name, value in parameters.items()}
    return [_text(value) for value in parameters]


def _text(value: object) -> object:
    if not isinstance(value, str):
        return value
    text = clean(value)
    # A character takes at most 4 bytes: texts of a quarter of the limit need not be encoded to be counted.
    if len(text) <= LONGEST // 4 and len(text.encode()) <= LONGEST:
        return text
    return _cut(text)


def _cut(text: str) -> str:
    """Return the beginning of a text; for JSON, the same JSON with its long texts cut, because it is parsed again."""
    try:
        return json.dumps(_shortened(json.loads(text)), ensure_ascii=False)
    except ValueError:
        return _beginning(text)


def _shortened(value: Any) -> Any:  # Any: JSON
    if isinstance(value, str):
        return _beginning(value)
    if isinstance(value, list):
        return [_shortened(item) for item in value]
    if isinstance(value, dict):
        return {_beginning(name): _shortened(item) for name, item in value.items()}
    return value


KEPT = 100_000
"""The number of characters that are kept of a text which is too long."""


def _beginning(text: str) -> str:
    if len(text) <= KEPT:
        return text
    return f"{text[:KEPT]}… ({len(text) - KEPT:,} more characters are not stored)"
