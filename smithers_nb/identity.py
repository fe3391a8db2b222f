"""Paths and node ids: what makes a node of this frame the same as one of the frame before.

A path is the parent's path, ``/`` and a segment::

    claude[0]      the slot among the parent's children; None and False keep theirs
    step[2.0]      a list (or Fragment) opens its own level: first child of the list in slot 2
    claude["k"]    a key, in quotes, so that the key "1" is never the index 1
    Report[0]      a component is a segment too
    @3             the third iteration of a loop, so that each one is mounted again

The id is the one that the user gave, or the first 12 hex digits of the path's sha256: the same in every process
and for every ``PYTHONHASHSEED``.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from hashlib import sha256
from typing import NewType

NodeId = NewType("NodeId", str)
"""An id that the user gave, or 12 hex digits. Unique within a tree, stable across frames and processes."""

Path = NewType("Path", str)
"""The place of a node, e.g. ``/Report[0]/phase[0.1]/claude[0]``."""

ROOT = Path("")


@lru_cache(maxsize=65536)
def generated_id(path: Path) -> NodeId:
    """Return the id of a node that was given none.

    >>> generated_id(Path("/phase[0]"))
    '6d8335db15dc'
    """
    return sha256(path.encode("utf-8", "surrogatepass")).hexdigest()[:12]  # type: ignore[return-value]  # as below


def child_path(parent: Path, name: str, slot: str, key: str | None) -> Path:
    """Return the path of a child: by its key where it has one, by its slot otherwise.

    >>> child_path(Path("/phase[0]"), "step", "2.0", None)
    '/phase[0]/step[2.0]'
    >>> child_path(Path("/phase[0]"), "step", "2.0", "a")
    '/phase[0]/step["a"]'
    """
    if key is not None:
        slot = quoted(key)
    # A call of the NewType would take as long as all the rest.
    return f"{parent}/{name}[{slot}]"  # type: ignore[return-value]


def quoted(key: str) -> str:
    """Return a key in double quotes, escaped as in JSON.

    >>> print(quoted('a "b"'))
    "a \\"b\\""
    """
    # Most keys are alphanumeric, and this is called for each of them in each frame.
    if key.isalnum():
        return f'"{key}"'
    return json.dumps(key, ensure_ascii=False)


def iteration_path(loop: Path, iteration: int) -> Path:
    """Return the path below which everything of one iteration stands.

    >>> iteration_path(Path("/while[0]"), 3)
    '/while[0]/@3'
    """
    return Path(f"{loop}/@{iteration}")


def loop_of(path: str) -> str:
    """Return the path of the innermost iteration that a node stands in; "" outside of loops.

    >>> loop_of("/while[0]/@2/phase[0]"), loop_of('/step["/@3/"]')
    ('/while[0]/@2', '')
    """
    if "/@" not in path:
        return ""
    # A quoted key may have the same characters. It is blanked at the same length, so that places stay valid.
    unquoted = re.sub(r'"(?:[^"\\]|\\.)*"', lambda key: "_" * len(key[0]), path)
    found = list(re.finditer(r"/@\d+(?=/)", unquoted))
    if not found:
        return ""
    return path[: found[-1].end()]


def iteration_of(loop: str) -> int | None:
    """Return the number of an iteration from its path, as ``loop_of`` returns it; None outside of loops.

    >>> iteration_of("/while[0]/@2"), iteration_of("")
    (2, None)
    """
    if not loop:
        return None
    return int(loop.rsplit("@", 1)[1])


@lru_cache(maxsize=65536)
def prefixes_of(path: str) -> tuple[str, ...]:
    """Return the paths around, innermost first: a slash in a quoted key separates nothing."""
    plain = re.sub(r'"(?:[^"\\]|\\.)*"', lambda key: "_" * len(key[0]), path)
    return tuple(path[: cut.start()] for cut in reversed(list(re.finditer("/", plain))) if cut.start())


@lru_cache(maxsize=65536)
def component_of(path: str) -> str:
    """Return the name in the last segment of a path; a slash in a quoted key separates nothing.

    >>> component_of('/App[0]/Row["a/b"]')
    'Row'
    """
    around = prefixes_of(path)
    return path[len(around[0]) if around else 0 :].lstrip("/").partition("[")[0]


def child_id(execution_id: str, task_id: str) -> str:
    """Return the id of the child execution that a task runs."""
    return sha256(f"{execution_id}/{task_id}".encode()).hexdigest()[:12]
