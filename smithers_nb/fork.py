"""``fork``: what a branch begins with, from the record of its parent."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .engine.code import code_hash, name_of
from .errors import PropError, clean
from .nodes.element import Component, Element
from .records import NewExecution, Reuse
from .run import root_with
from .store.fork import ForkPoint
from .store.reader import Reader
from .values import Stored, Unstorable, encode, opened
from .version import __version__


def branch_row(
    reader: Reader, point: ForkPoint, app: object, *, name: str | None, reuse: Sequence[str], models: Iterable[str]
) -> NewExecution:
    """Return the facts about a branch of an execution; without a name it is called ``NAME~2``, ``NAME~3`` …

    ``models`` are the names of the models that the branch replaces.
    """
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
        reuse=Reuse(tuple(reuse), replaced).as_json(),
    )


def free_name(reader: Reader, name: str) -> str:
    """Return the first of ``NAME~2``, ``NAME~3`` … that no execution of the file has."""
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
