"""Excerpts as the stepper shows them: with a name by which the whole text can be asked for."""

from __future__ import annotations

import json
from datetime import datetime

from ...nodes import xml
from ...records import Excerpt
from ...records.excerpt import VALUE_CHARS, of_stored
from ...values import readable
from . import protocol as p


def value(excerpt: Excerpt) -> p.Value:
    """Return an excerpt as the stepper shows it."""
    shown = excerpt.shortened()
    return {
        "text": shown.text,
        "chars": shown.chars,
        "cut": shown.cut,
        "type": shown.type,
        "ref": json.dumps(shown.place) if shown.cut else None,
    }


def value_or_none(excerpt: Excerpt | None) -> p.Value | None:
    """Return an excerpt as the stepper shows it; None if there is none."""
    return None if excerpt is None else value(excerpt)


def of_object(found: object, place: tuple[object, ...]) -> p.Value:
    """Return any value as the stepper shows it: a volatile one may be anything."""
    return value(of_stored(readable(found), place))


def cut(text: str) -> str:
    """Return a node's text, cut, with control characters shown."""
    shown = xml.visible(text[: VALUE_CHARS + 1])
    return shown if len(shown) <= VALUE_CHARS else f"{shown[:VALUE_CHARS]}… (cut)"


def epoch_ms(time: str | None) -> float | None:
    """Return a time of the store as milliseconds since 1970."""
    return None if time is None else datetime.fromisoformat(time).timestamp() * 1000
