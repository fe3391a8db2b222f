"""Pages: as many rows as an agent can read at once, and the arguments for the rest."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from ..cli.shown import jsonable

MOST_BYTES = 20_000
"""The largest answer, as it is sent."""
ROOM = 1_000
"""The bytes of it that the frame of an answer and ``next`` take."""
CUTS = (4_000, 1_000, 200)
"""The most characters of a text, in turn, until a row has room."""


def page(rows: Sequence[object], after: int, asked: Mapping[str, object]) -> str:
    """Return rows as JSON, ``{"untrusted": [row, …], "next": {…} or null}``, at most 20,000 bytes.

    ``asked`` are the arguments of the call: those of ``next`` are these, with the number of rows that were read.
    """
    given = {name: value for name, value in asked.items() if value is not None}
    most = MOST_BYTES - ROOM - len(json.dumps(given).encode())
    kept: list[str] = []
    size = 0
    for row in rows[after:]:
        text = _fitting(jsonable(row), most)
        size += len(text.encode()) + 2
        if kept and size > most:
            break
        kept.append(text)
    following = None
    if after + len(kept) < len(rows):
        following = {**given, "after": after + len(kept)}
    # Put together as text: a row that was measured is what is sent.
    return f'{{"untrusted": [{", ".join(kept)}], "next": {json.dumps(following, ensure_ascii=False)}}}'


def _fitting(row: object, most: int) -> str:
    """Return a row as JSON of at most ``most`` bytes: long texts are cut, and say how long they were."""
    text = json.dumps(row, ensure_ascii=False, default=str)
    for cut in CUTS:
        if len(text.encode()) <= most:
            return text
        text = json.dumps(_cut(row, cut), ensure_ascii=False, default=str)
    if len(text.encode()) <= most:
        return text
    # Many short values: the beginning of the JSON, as a text. A character takes up to six bytes, escaped.
    return json.dumps({"cut": text[: most // 8], "chars": len(text)})


def _cut(value: object, most: int) -> object:
    if isinstance(value, str) and len(value) > most:
        return f"{value[:most]}… ({len(value):,} characters; sql with substr() reads the rest)"
    if isinstance(value, dict):
        return {name: _cut(one, most) for name, one in value.items()}
    if isinstance(value, list):
        return [_cut(one, most) for one in value]
    return value
