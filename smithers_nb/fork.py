"""``fork``: what a branch begins with, from the record of its parent."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from .engine.code import code_hash, name_of
from .engine.state import check_key
from .errors import NotStorableError, PropError, clean
from .nodes.element import Component, Element
from .records import DELETED, REUSED, Durability, NewBranch
from .run import Run, root_with
from .store.fork import fork_point
from .store.reader import Reader
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
    reader = Reader(run.setup.path)
    root = root_of(app if app is not None else run.setup.app, props, reader, run.execution_id)
    setup = replace(
        run.setup,
        app=root,
        models={**run.setup.models, **(models or {})},
        limits=run.setup.limits if limits is None else limits,
    )
    asked = new_branch(
        run.execution_id,
        frame,
        root,
        name=name,
        durability=run.row.durability,
        edits=edits,
        reuse=reuse,
        models=models or (),
        allow_repeat=allow_repeat,
    )
    branch = await Run.fork(setup, asked, beside=run)
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
    point = fork_point(reader, execution_id, frame)
    held = {key: stored for key, (stored, _) in reader.state(point.execution_id, point.frame + 1).items()}
    return {key: in_place_of(held.get(key), key, value) for key, value in values.items()}


def in_place_of(held: Stored | None, key: str, value: object) -> Stored:
    """Return a JSON value as the store keeps it: where the key holds a value of a class, it is one of that class.

    Raises:
        NotStorableError: if it can't be stored, or the class does not accept it.
    """
    plain = first_state({key: value})[key]
    if held is None:
        return plain
    try:
        return like(plain, held.type)
    except (Unreadable, Unstorable) as why:
        raise NotStorableError(f"state key {key!r} holds a {held.type}: {why}") from None


def new_branch(
    parent_id: str,
    frame: int | None,
    root: object,
    *,
    name: str | None,
    durability: Durability,
    edits: Mapping[str, Stored | None],
    reuse: Iterable[str] = REUSED,
    models: Iterable[str] = (),
    allow_repeat: Iterable[str] = (),
    id: str | None = None,
) -> NewBranch:
    """Return what is known of a branch with this root before it is in the file."""
    return NewBranch(
        parent_id=parent_id,
        frame=frame,
        execution_id=id or secrets.token_hex(6),
        name=clean(name) if name else None,
        app=name_of(root),
        code_hash=code_hash(root),
        engine_version=__version__,
        durability=durability,
        props=stored_props(root),
        edits=edits,
        reuse=tuple(reuse),
        models=tuple(models),
        allow_repeat=tuple(allow_repeat),
    )


def root_of(app: object, props: Mapping[str, Any] | None, reader: Reader, execution_id: str) -> object:
    """Return the root of a plan: an app with these props, or with the recorded ones of an execution.

    Raises:
        PropError: if a component needs props, and those of the parent were not recorded.
    """
    if isinstance(app, Element) and props is not None:
        return root_with(app.component, {**app.props, **props})
    if not isinstance(app, Component) or props is not None:
        return root_with(app, props)
    recorded = reader.execution(execution_id).props
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
