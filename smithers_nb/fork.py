"""``fork``: what a branch begins with, from the record of its parent."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

from .engine.code import code_hash, name_of
from .engine.state import check_key
from .errors import NotStorableError, PropError, clean, did_you_mean
from .nodes.element import Component, Element
from .records import DELETED, REUSED, NewExecution, Reuse
from .run import Run, root_with
from .store.fork import ForkPoint, fork_point
from .store.reader import Reader
from .store.reuse import repeatable_names
from .values import Stored, Unreadable, Unstorable, encode, like, opened
from .version import __version__


async def forked(
    run: Run,
    frame: int | None,
    edits: Mapping[str, Stored | None],
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
    # One connection for all of it: on each new one SQLite reads the schema first.
    with reader.together():
        point = fork_point(reader, run.execution_id, frame)
        root = root_of(app if app is not None else run.setup.app, props, reader.execution(run.execution_id).props)
        row = branch_row(
            reader, point, root, name=name, reuse=[*reuse], models=models or (), allow_repeat=[*allow_repeat]
        )
        setup = replace(
            run.setup,
            app=root,
            row=row,
            models={**run.setup.models, **(models or {})},
            limits=run.setup.limits if limits is None else limits,
        )
        branch = await Run.fork(setup, point, edits, reader=reader, beside=run)
    run.live.services.observers.notify()  # Its family has grown: a stepper shows where the branch leaves.
    return branch


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


def edited_state(edit: Mapping[str, Any]) -> dict[str, Stored | None]:
    """Return an edit of the state as the store keeps it; None for a key that it removes.

    Raises:
        NotStorableError: naming the key of the first value that can't be stored.
    """
    # Apart from None, which is a value like any other.
    values = first_state({key: value for key, value in edit.items() if value is not DELETED})
    return {key: values.get(key) for key in edit}


def recorded_state(
    reader: Reader, execution_id: str, frame: int | None, values: Mapping[str, Any]
) -> dict[str, Stored]:
    """Return JSON values for keys of the state as a branch that begins after a frame keeps them.

    A key that holds a value of a class there keeps the class.

    Raises:
        NotStorableError: naming the key of the first that can't be stored, or that its class does not accept.
        StoreError: if the frame is not there, not flushed, or pruned.
    """
    if not values:
        return {}
    # JSON has no dates, sets or models: without the recorded type a handler that reads the key would find a text.
    plain = first_state(values)
    point = fork_point(reader, execution_id, frame)
    held = reader.state(point.execution_id, point.frame + 1)
    encoded = {}
    for key, value in plain.items():
        kind = held[key][0].type if key in held else value.type
        try:
            encoded[key] = like(value, kind)
        except (Unreadable, Unstorable) as why:
            raise NotStorableError(f"state key {key!r} holds a {kind}: {why}") from None
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
    id: str | None = None,
) -> NewExecution:
    """Return the facts about a branch of an execution; without a name it is called ``NAME~2``, ``NAME~3`` …

    ``models`` are the names of the models that the branch replaces.

    Raises:
        ValueError: for a name in ``allow_repeat`` that no task and no tool of the family has.
    """
    _refuse_unknown(reader, point.execution_id, allow_repeat)
    parent = reader.execution(point.execution_id)
    id = id or secrets.token_hex(6)
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
        StoreError: if the class of one does not accept the stored JSON.
    """
    return {
        name: opened(Stored(json.dumps(one["value"]), one["type"]), f"the prop {name!r}", f"props={{{name!r}: …}}")
        for name, one in json.loads(text).items()
    }
