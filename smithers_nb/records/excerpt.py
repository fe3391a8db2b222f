"""Texts of which only the beginning was read."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..values import Stored

VALUE_CHARS = 2048
"""Characters of one value that are read, and shown, before "load all"."""
# Cut where it is read, in SQL: a state may hold megabytes, and a pane shows the beginnings of hundreds of values.


@dataclass(frozen=True, slots=True)
class Excerpt:
    """The beginning of a text, or all of it."""

    text: str
    chars: int
    """The length of the whole text."""
    type: str
    """``str``, ``int``, ``list`` … of a value's JSON; ``text`` of plain text."""
    place: tuple[object, ...] | None = None
    """The name under which a ``Source`` finds the whole text; None where this is the whole."""

    def shortened(self, most: int = VALUE_CHARS) -> Excerpt:
        """Return at most ``most`` characters of it, if the whole text can be found again."""
        # What can't be found again is not cut: the rest of it would be lost to the page.
        if self.place is None or len(self.text) <= most:
            return self
        return replace(self, text=self.text[:most])

    @property
    def cut(self) -> bool:
        """True if a part of the text is missing."""
        return self.chars > len(self.text)


def of_text(text: str, place: tuple[object, ...] | None) -> Excerpt:
    """Return the excerpt of a plain text."""
    return Excerpt(text, len(text), "text", place)


def of_stored(stored: Stored, place: tuple[object, ...] | None) -> Excerpt:
    """Return the excerpt of a stored value."""
    return Excerpt(stored.text, len(stored.text), stored.type, place)


def of_json(text: str | None, chars: int | None, place: tuple[object, ...], kind: str = "") -> Excerpt | None:
    """Return the excerpt of a JSON text that was read in part; None if there is no text."""
    if text is None:
        return None
    if chars is None:
        chars = len(text)
    return Excerpt(text, chars, kind or kind_of(text), place)


def kind_of(text: str) -> str:
    """Return the type of a JSON text, as far as its first character tells.

    >>> kind_of('"a"'), kind_of("1.5"), kind_of("[1]")
    ('str', 'float', 'list')
    """
    # Not parsed: the text may be cut, and then it is no JSON.
    known = {'"': "str", "[": "list", "{": "dict", "t": "bool", "f": "bool", "n": "NoneType"}
    if text[:1] in known:
        return known[text[:1]]
    if any(sign in text for sign in ".eE"):
        return "float"
    return "int"
