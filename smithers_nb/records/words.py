"""Records in words: the author of a write, shortened texts, and numbers with their nouns."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import message_of


def author(origin: str, handler: str | None, node_id: str | None) -> str:
    """Return the author of a write.

    >>> author("handler", "on_finished", "notes"), author("effect", "run", "tick"), author("operator", None, None)
    ('on_finished of notes', 'effect tick', 'operator')
    """
    if origin == "handler":
        return f"{handler} of {node_id}"
    # People, and the first values of an app, have no node.
    if node_id is None:
        return origin
    return f"{origin} {node_id}"


def short(text: str, most: int = 200) -> str:
    """Return the beginning of a text.

    >>> short("a long text", 6)
    'a long…'
    """
    if len(text) <= most:
        return text
    return f"{text[:most]}…"


def count(number: int, noun: str) -> str:
    """Return a number with its noun.

    >>> count(1, "write"), count(2, "write")
    ('1 write', '2 writes')
    """
    if number == 1:
        return f"1 {noun}"
    return f"{number:,} {noun}s"


def last_line(error: str | None) -> str | None:
    """Return the message of an error: the last line of its traceback; of a group of errors, all of theirs."""
    if error is None:
        return None
    if error.lstrip().startswith("+ Exception Group"):
        return short(message_of(error))
    return short(error.strip().rpartition("\n")[2])


def dollars(cost_usd: float) -> str:
    """Return a cost in USD; of less than a cent, two digits.

    >>> dollars(0.0423), dollars(0.00123)
    ('$0.04', '$0.0012')
    """
    return f"${cost_usd:.2f}" if cost_usd >= 0.01 else f"${cost_usd:.2g}"


def closed(text: str) -> str:
    """Return a sentence with its full stop: one that ends in a mark of its own, or was cut, gets none.

    >>> closed("n is 2"), closed("it is no number."), closed("the task has ended and counts as…")
    ('n is 2.', 'it is no number.', 'the task has ended and counts as…')
    """
    if text.endswith((".", "!", "?", "…")):
        return text
    return f"{text}."


def listed(names: Sequence[str], most: int = 3) -> str:
    """Return the first names, and how many more there are.

    >>> listed(["a", "b"]), listed(["a", "b", "c"], 2)
    ('a, b', 'a, b and 1 more')
    """
    said = ", ".join(names[:most])
    if len(names) <= most:
        return said
    return f"{said} and {len(names) - most} more"


def standing_of(status: str, reason: str = "", phase: str | None = None) -> str:
    """Return the status of an execution as people read it: a step leaves it at rest, and a person pauses it.

    ``phase`` is the last phase of its frame that is done, where it is known.

    >>> standing_of("paused"), standing_of("paused", "paused by hand"), standing_of("paused", "", "RENDER")
    ('at rest', 'paused', 'paused')
    """
    # Between the phases of a frame it does not rest: the frame's writes and tasks are still to come.
    if status == "paused" and phase in (None, "EFFECTS") and not reason.startswith("paused"):
        return "at rest"
    return status
