"""The handlers that would write a key that nothing has written."""

from __future__ import annotations

from collections.abc import Iterator

from ...nodes import source as sources
from .book import About, Book
from .facts import Called, NotFired, Told

MOST = 5
"""The most handlers that are named as those that would write a key."""
MOST_STALE = 2


def would_write(book: Book, key: str, frame: int) -> Iterator[Told]:
    """Yield the handlers whose code names a key, and why they have not been called, then those that came too late."""
    at = max(min(frame, book.last), 1)
    for id, event, source in list(writers(book, key))[:MOST]:
        about: About = {"table": "nodes", "row_id": id, "frame": at, "node_id": id}
        about |= {"source": source, "evidence": "inferred"}
        text = f"{event} of {book.name(id, at)} names {key} in its code"
        yield Told(book.say(text, **about), (NotFired(book, id, event, at),))
    # Their node has left, and their code with it: only that they were not called is known.
    for call in book.rows.stale_calls(MOST_STALE):
        text = f"a handler that may have written {key} was not called"
        stale: About = {"table": "handlers", "row_id": call, "frame": at, "evidence": "inferred"}
        yield Told(book.say(text, **stale), (Called(book, call),))


def writers(book: Book, key: str) -> Iterator[tuple[str, str, str | None]]:
    """Yield (node id, event, source) of the handlers of the plan, live, that have a key among their constants."""
    now = book.source.publication
    if now is None or now.frame is None:
        return
    for node in now.frame.tree.walk():
        for event in node.events:
            handler = getattr(getattr(node.node, "handlers", None), event, None)
            if handler is not None and _names(handler, key):
                yield node.id, event, sources.of_function(handler) or node.source


def _names(function: object, key: str) -> bool:
    """Return whether a function has a text among its constants, or in what it closes over."""
    code = getattr(function, "__code__", None)
    if code is None:
        return False
    held = []
    for cell in getattr(function, "__closure__", None) or ():
        try:
            held.append(cell.cell_contents)
        except ValueError:
            # A variable that is bound after the function was made, and not yet.
            continue
    # By identity of type, too: the key 1 is not True.
    return any(isinstance(one, str) and one == key for one in [*code.co_consts, *held])
