"""The notes of a branch: what its parent did outside after the fork, and what both share."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from ..records.words import dollars
from ..store.branches import Taken, aftermath, taken
from ..store.reader import Reader


def notes_of(reader: Reader, execution_id: str) -> tuple[str, ...]:
    """Return in words what the parent of a branch did outside after the fork, and what the branch shares with it."""
    after = aftermath(reader, execution_id)
    if after is None:
        return ()
    notes = [
        f"{after.parent} {did} after frame {after.frame}, and the branch may do so again: {names}."
        for did, names in after.repeatable
    ]
    for repeat, treated in (("refuse", "fails there"), ("recorded", "takes the recorded result there")):
        kept = [name for name in (*after.tasks, *(tool for tool, _ in after.tools)) if after.kept.get(name) == repeat]
        notes += [
            f"{after.parent} called {name} after frame {after.frame}: a call with the same arguments {treated}, "
            f"because its repeat is {repeat!r}."
            for name in kept
        ]
    for file in after.earlier:
        now = _sha256(file.path)
        if now != file.sha256:
            outcome = "is gone" if now is None else "has changed"
            notes.append(f"{file.path}, which frame {file.frame} wrote, {outcome} since: the branch finds it so.")
    if after.replaced:
        notes.append(
            f"the app of the branch has none of the nodes that {after.parent} had in frame {after.frame}, so nothing "
            f"but the state was carried over: {', '.join(after.replaced)}."
        )
    if after.shared:
        keys = ", ".join(after.shared)
        notes.append(f"the volatile values {keys} are shared with {after.parent}: the same objects, no copies.")
    if parts := list(_taken(taken(reader, execution_id))):
        notes.append(f"taken from the file and not asked or called again: {', '.join(parts)}.")
    return tuple(notes)


def _taken(found: Taken) -> Iterator[str]:
    """Yield in words what a branch took from the file."""
    if found.answers:
        saved = f", which saves {dollars(found.saved_usd)}" if found.saved_usd else ""
        yield f"{found.answers} {'answer of a model' if found.answers == 1 else 'answers of models'}{saved}"
    if found.tools:
        yield f"{found.tools} {'result of a tool' if found.tools == 1 else 'results of tools'}"
    if found.decisions:
        yield f"{found.decisions} {'answer of a person' if found.decisions == 1 else 'answers of people'}"
    if found.tasks:
        yield f"the results of the tasks {', '.join(found.tasks)}"


def _sha256(path: str) -> str | None:
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError:  # It is gone, or it is no file any more.
        return None
