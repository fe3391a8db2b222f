"""Why a node is not in a plan: no code returns it, a condition in the code does not hold, or it has left."""

from __future__ import annotations

from collections.abc import Iterator

from ...errors import did_you_mean
from ...records import Ghost, Ghosts, Guard
from ...records.words import short
from ...values import legible
from .book import About, Book
from .facts import Matter, NodeAt, Stands, Told
from .frames import files_read
from .values import maker_of

MOST_GHOSTS = 3
"""The most places in the code that an answer looks at."""


def not_in_plan(book: Book, asked: str, frame: int, ghosts: Ghosts | None) -> Iterator[Matter | Told]:
    """Yield why a node, or a component, is not in the plan of a frame, outermost first."""
    # What is asked about may stand in the frame that is being made.
    now = book.unflushed
    if now is not None and now.number > book.last:
        text = f"frame {now.number} is open after its {now.phase}: its plan is not committed yet"
        yield Told(book.say(text, frame=now.number))
    elif not book.last:
        yield Stands(book)
    was = book.rows.last_node(asked, frame)
    if was is not None:
        yield NodeAt(book, asked, frame)
    if ghosts is None:
        text = f"what the code could return is not known without it: give it as why_not({asked!r}, app=…)"
        if book.around is not None:
            text = f"what the code of the child {short(book.execution.name)} could return is not known"
        yield Told(book.say(text, frame=frame, evidence=None))
        return
    found = ghosts.named(asked)
    if not found and was is None:
        yield _no_code(book, asked, frame, ghosts)
    state = {key: legible(row[0]) for key, row in book.reader.state(book.owner(frame), frame).items()}
    for ghost in found[:MOST_GHOSTS]:
        yield from _ghost(book, ghost, frame, state)


def _no_code(book: Book, asked: str, frame: int, ghosts: Ghosts) -> Told:
    known = [*ghosts.names, *book.rows.known_nodes()]
    text = f"no component could return {asked!r}.{did_you_mean(asked, known)}"
    # An id that is made by a call, or code that can't be read, may still make it: that has to be said.
    unknown = tuple(Told(book.say(f"not known: {why}", evidence=None)) for why in ghosts.unknown)
    return Told(book.say(text, frame=frame, evidence="derived"), unknown)


def _ghost(book: Book, ghost: Ghost, frame: int, state: dict[str, object]) -> Iterator[Matter | Told]:
    """Yield the conditions that keep a node out, outermost first."""
    false = [guard for guard in ghost.guards if guard.holds(state) is False]
    open_ones = [guard for guard in ghost.guards if guard.holds(state) is None]
    about: About = {"frame": frame, "source": ghost.source}
    for guard in false or open_ones:
        yield _guard(book, guard, frame, known=bool(false))
    if not false and not open_ones:
        text = f"the code of {ghost.component} can return it at {ghost.source}, and no condition there is known to fail"
        about["evidence"] = None
        yield Told(book.say(text, **about))


def _guard(book: Book, guard: Guard, frame: int, known: bool) -> Told:
    shown = short(" ".join(guard.text.split()), 120)
    about: About = {"frame": frame, "source": guard.source, "evidence": "derived"}
    outcome = {True: "is not true", False: "is true"}[guard.wanted]
    text = f"in {guard.component}, {shown} {outcome}"
    if guard.kind == "items":
        text = f"in {guard.component}, {shown} has no items"
    if not known:
        text = f"in {guard.component} it depends on {shown}, which is not told by the state"
        about["evidence"] = None
    files = () if known else files_read(book, guard.component, frame)
    return Told(book.say(text, **about), (*_values(book, guard, frame), *files))


def _values(book: Book, guard: Guard, frame: int) -> Iterator[Matter]:
    """Yield the values that a condition reads: who wrote each, or that nothing has."""
    for key in guard.keys[:4]:
        if not key.startswith("vol:"):
            yield maker_of(book, key, frame)
