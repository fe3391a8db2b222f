"""``fork``: what a branch begins with, from the record of its parent."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from .engine.code import code_hash, name_of
from .engine.state import check_key
from .errors import NotStorableError, PropError, clean, did_you_mean
from .nodes.element import Component, Element
from .records import REUSED, NewExecution, Reuse
from .records.words import dollars
from .run import Run, root_with
from .store.branches import Taken, aftermath, taken
from .store.fork import ForkPoint, fork_point
from .store.reader import Reader
from .store.reuse import repeatable_names
from .values import Stored, Unstorable, encode, opened
from .version import __version__


async def forked(
    run: Run,
    frame: int | None,
    edits: dict[str, Stored],
    *,
    app: object = None,
    props: Mapping[str, Any] | None = None,
    models: Mapping[str, Any] | None = None,
    name: str | None = None,
    reuse: Iterable[str] = REUSED,
    allow_repeat: Iterable[str] = (),
    limits: dict[str, float] | None = None,
) -> Run:
    """Return the run of a branch of a running execution, as ``Execution.fork`` describes it.

    Raises:
        StoreError: if the frame is not there, not flushed, or pruned.
        PropError: if the app does not take these props.
        ValueError: for a name in ``allow_repeat`` that no task and no tool of the family has.
    """
    # The point first: a frame that can't be forked is told before the app is looked at.
    reader = Reader(run.setup.path)
    point = fork_point(reader, run.execution_id, frame)
    root = root_of(app if app is not None else run.setup.app, props, reader.execution(run.execution_id).props)
    setup = replace(
        run.setup,
        app=root,
        row=branch_row(
            reader, point, root, name=name, reuse=[*reuse], models=models or (), allow_repeat=[*allow_repeat]
        ),
        models={**run.setup.models, **(models or {})},
        limits=run.setup.limits if limits is None else limits,
    )
    return await Run.fork(setup, point, edits, beside=run)


def first_state(state: Mapping[str, Any]) -> dict[str, Stored]:
    """Return values of the state as the store keeps them.

    Raises:
        NotStorableError: naming the key of the first that can't be stored.
    """
    encoded = {}
    for key, value in state.items():
        check_key(key)
        try:
            encoded[key] = encode(value, key)
        except Unstorable as why:
            raise NotStorableError(f"state key {key!r} can't hold this {type(value).__name__}: {why}.") from None
    return encoded


def branch_row(
    reader: Reader,
    point: ForkPoint,
    app: object,
    *,
    name: str | None,
    reuse: Sequence[str],
    models: Iterable[str],
    allow_repeat: Sequence[str],
) -> NewExecution:
    """Return the facts about a branch of an execution; without a name it is called ``NAME~2``, ``NAME~3`` …

    ``models`` are the names of the models that the branch replaces.

    Raises:
        ValueError: for a name in ``allow_repeat`` that no task and no tool of the family has.
    """
    _refuse_unknown(reader, point.execution_id, allow_repeat)
    parent = reader.execution(point.execution_id)
    id = secrets.token_hex(6)
    replaced = {**Reuse.of(parent.reuse).models, **dict.fromkeys(models, id)}
    return NewExecution(
        execution_id=id,
        name=clean(name) if name else free_name(reader, parent.name),
        app=name_of(app),
        code_hash=code_hash(app),
        engine_version=__version__,
        seed=parent.seed,
        kind="branch",
        parent_id=point.execution_id,
        forked_at_frame=point.frame,
        durability=parent.durability,
        props=stored_props(app),
        reuse=Reuse(tuple(reuse), replaced, tuple(allow_repeat)).as_json(),
    )


def _refuse_unknown(reader: Reader, execution_id: str, allow_repeat: Sequence[str]) -> None:
    """Refuse a name that nothing has: what it was to allow would be refused in the middle of the run."""
    if not allow_repeat:
        return
    known = repeatable_names(reader, execution_id)
    for name in allow_repeat:
        if not any(fnmatchcase(one, name) for one in known):
            there = f" There are {', '.join(known)}." if known else " There are none."
            raise ValueError(
                f"allow_repeat names {name!r}, and no task of {reader.execution(execution_id).name} and no tool that "
                f"it called has this name.{did_you_mean(name, known) or there}"
            )


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


def free_name(reader: Reader, name: str) -> str:
    """Return the first of ``NAME~2``, ``NAME~3`` … that no execution of the file has."""
    # A branch of NAME~2 is NAME~3, not NAME~2~2: its row says whose branch it is.
    stem = re.sub(r"~\d+$", "", name)
    number = 2
    while reader.named(f"{stem}~{number}"):
        number += 1
    return f"{stem}~{number}"


def root_of(app: object, props: Mapping[str, Any] | None, recorded: str | None) -> object:
    """Return the root of a branch's plan: an app with these props, or with the recorded ones.

    Raises:
        PropError: if a component needs props, and those of the parent were not recorded.
    """
    if isinstance(app, Element) and props is not None:
        return root_with(app.component, {**app.props, **props})
    if not isinstance(app, Component) or props is not None:
        return root_with(app, props)
    if recorded is None:
        raise PropError(f"the props of the execution could not be stored, so name them: fork({app.name}, props={{…}}).")
    return root_with(app, loaded_props(recorded))


def stored_props(root: object) -> str | None:
    """Return the props of a plan's root as JSON, each with its type; None where one of them can't be stored."""
    props = root.props if isinstance(root, Element) else {}
    try:
        encoded = {name: encode(value) for name, value in props.items()}
    except Unstorable:
        return None
    return json.dumps({name: {"value": json.loads(one.text), "type": one.type} for name, one in encoded.items()})


def loaded_props(text: str) -> dict[str, Any]:  # Any: they are the user's
    """Return props from what ``stored_props`` made of them.

    Raises:
        StoreError: if the class of one does not accept what is stored.
    """
    return {
        name: opened(Stored(json.dumps(one["value"]), one["type"]), f"the prop {name!r}", f"props={{{name!r}: …}}")
        for name, one in json.loads(text).items()
    }
