"""What happened can always be recorded: texts that SQLite refuses, made such that it takes them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from ..errors import clean
from ..values import LONGEST

REFUSALS = (UnicodeEncodeError, sqlite3.DataError, OverflowError)
"""What sqlite3 raises for a text with a lone surrogate, and for one that is too long."""


class Recordable:
    """A connection that takes any text: lone surrogates become U+FFFD, and what is longer than ``LONGEST`` is cut.

    A transaction that SQLite has refused is repeated with it. To clean each value before SQLite refuses one would
    cost every row of every frame, and nearly none needs it.
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
    return text if len(text) <= LONGEST // 4 and len(text.encode()) <= LONGEST else _cut(text)


def _cut(text: str) -> str:
    """Return the beginning of a text; of JSON, the same with the long texts in it cut: it is parsed again."""
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
"""Characters that are kept of each text in what is too long."""


def _beginning(text: str) -> str:
    return text if len(text) <= KEPT else f"{text[:KEPT]}… ({len(text) - KEPT:,} more characters are not stored)"
