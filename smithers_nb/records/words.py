"""Records in words: the author of a write, shortened texts, and numbers with their nouns."""

from __future__ import annotations


def author(origin: str, handler: str | None, node_id: str | None) -> str:
    """Return the author of a write.

    >>> author("handler", "on_finished", "notes"), author("effect", "run", "tick"), author("operator", None, None)
    ('on_finished of notes', 'effect tick', 'operator')
    """
    if origin == "handler":
        return f"{handler} of {node_id}"
    return f"{origin} {node_id}" if node_id else origin


def short(text: str, most: int = 200) -> str:
    """Return the beginning of a text.

    >>> short("a long text", 6)
    'a long…'
    """
    return text if len(text) <= most else f"{text[:most]}…"


def count(number: int, noun: str) -> str:
    """Return a number with its noun.

    >>> count(1, "write"), count(2, "write")
    ('1 write', '2 writes')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def last_line(error: str | None) -> str | None:
    """Return the message of an error: the last line of its traceback."""
    return None if error is None else short(error.strip().rpartition("\n")[2])
