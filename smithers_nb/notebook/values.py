"""Values as the stepper shows them: cut, with a name by which the whole can be asked for."""

from __future__ import annotations

import json
from datetime import datetime

from ..nodes import xml
from ..values import Stored, readable
from . import protocol as p


def value(text: str, chars: int, kind: str, ref: tuple[object, ...] | None) -> p.Value:
    """Return a value of which ``text`` is the beginning, or all."""
    cut = chars > p.VALUE_CHARS and ref is not None
    return {
        "text": text[: p.VALUE_CHARS] if cut else text,
        "chars": chars,
        "cut": cut,
        "type": kind,
        "ref": json.dumps(ref) if cut else None,
    }


def of_stored(stored: Stored, ref: tuple[object, ...] | None) -> p.Value:
    """Return a stored value; without ``ref`` uncut."""
    return value(stored.text, len(stored.text), stored.type, ref)


def of_object(found: object, ref: tuple[object, ...] | None) -> p.Value:
    """Return any value: a volatile one may be anything, and so may what a rolled back update returned."""
    return of_stored(readable(found), ref)


def of_part(text: str | None, chars: int | None, ref: tuple[object, ...]) -> p.Value | None:
    """Return a value whose JSON was read in part; its type is seen at its first character."""
    return None if text is None else value(text, chars or len(text), kind_of(text), ref)


def kind_of(text: str) -> str:
    """Return the type of a JSON text.

    >>> kind_of('"a"'), kind_of("1.5"), kind_of("[1]")
    ('str', 'float', 'list')
    """
    known = {'"': "str", "[": "list", "{": "dict", "t": "bool", "f": "bool", "n": "NoneType"}
    return known.get(text[:1]) or ("float" if any(sign in text for sign in ".eE") else "int")


def cut(text: str) -> str:
    """Return a node's text, cut, with control characters shown."""
    text = xml.visible(text[: p.VALUE_CHARS + 1]) if len(text) > p.VALUE_CHARS else xml.visible(text)
    return text if len(text) <= p.VALUE_CHARS else f"{text[: p.VALUE_CHARS]}… (cut)"


def short(text: str | None, most: int = 200) -> str | None:
    """Return the beginning of a text."""
    return text if text is None or len(text) <= most else f"{text[:most]}…"


def count(number: int, what: str) -> str:
    """Return a number with its word: ``1 write``, ``2 writes``."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def epoch_ms(time: str | None) -> float | None:
    """Return a time of the store as milliseconds since 1970."""
    return None if time is None else datetime.fromisoformat(time).timestamp() * 1000
