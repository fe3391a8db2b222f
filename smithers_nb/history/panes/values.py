"""Excerpts as the stepper shows them: with a name by which the whole text can be asked for."""

from __future__ import annotations

import json
from datetime import datetime

from ...nodes import xml
from ...nodes.tree import TreeNode
from ...records import Author, Excerpt, Phase
from ...records.excerpt import VALUE_CHARS, of_stored
from ...records.words import short
from ...values import readable
from ..cursor import Cursor
from . import protocol as p


def value(excerpt: Excerpt) -> p.Value:
    """Return an excerpt as the stepper shows it."""
    shown = excerpt.shortened()
    found: p.Value = {
        "text": shown.text,
        "chars": shown.chars,
        "cut": shown.cut,
        "type": shown.type,
        "ref": None,
    }
    if shown.cut:
        # A list in JSON: the kernel gets it back from the page as it is, and needs to remember nothing about it.
        found["ref"] = json.dumps(shown.place)
    return found


def value_or_none(excerpt: Excerpt | None) -> p.Value | None:
    """Return an excerpt as the stepper shows it; None if there is none."""
    if excerpt is None:
        return None
    return value(excerpt)


def of_object(found: object, place: tuple[object, ...]) -> p.Value:
    """Return any value as the stepper shows it: a volatile one may be anything."""
    # What can't be stored is shown, too: to refuse a value is a matter of writing it, not of looking at it.
    return value(of_stored(readable(found), place))


def text_or_none(text: str | None) -> str | None:
    """Return the text of a text node, cut, with control characters shown; None of another node."""
    if text is None:
        return None
    # Cut before the escapes are made, and again after them: a text of megabytes must not be gone through for each row.
    shown = xml.visible(text[: VALUE_CHARS + 1])
    if len(shown) <= VALUE_CHARS:
        return shown
    return f"{shown[:VALUE_CHARS]}… (cut)"


def epoch_ms(time: str | None) -> float | None:
    """Return a time of the store as milliseconds since 1970."""
    if time is None:
        return None
    return datetime.fromisoformat(time).timestamp() * 1000


def place_frame(cursor: Cursor) -> int:
    """Return the frame in the name of a whole text; 0 is live."""
    # The frame in progress is in no file: its number would be looked for there in vain.
    if cursor.live:
        return 0
    return cursor.frame


def rounded(ms: float | None) -> float | None:
    """Return a time in milliseconds with three decimals."""
    if ms is None:
        return None
    return round(ms, 3)


def phase_name(phase: Phase | None) -> str | None:
    """Return the name of a phase; None before the first frame."""
    if phase is None:
        return None
    return phase.value


def type_of(node: TreeNode | None) -> str | None:
    """Return the type of a node; None where the plan does not have it any more."""
    if node is None:
        return None
    return node.type


def source_of(node: TreeNode | None) -> str | None:
    """Return the place in the user's code that made a node; None where the plan does not have it any more."""
    if node is None:
        return None
    return node.source


def words_of(author: Author | None) -> str | None:
    """Return the author of a value in words; None where it is not known."""
    if author is None:
        return None
    return author.words


def excerpt_words(excerpt: Excerpt | None) -> str:
    """Return at most 60 characters of a value, for a sentence; ``nothing`` where there is none."""
    if excerpt is None:
        return "nothing"
    return short(excerpt.text, 60)
