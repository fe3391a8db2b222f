"""Targets of questions: a word, a number or nothing becomes facts of an execution, or of a child of it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ...errors import StoreError, an, did_you_mean
from ...identity import component_of
from ...nodes.schedule import RUNNABLE
from ...nodes.union import TAGS
from ...store.prune import refuse_missing
from .book import Book, component_paths, props_of
from .facts import (
    Called,
    ComponentIn,
    FrameMade,
    Matter,
    NodeAt,
    PropAt,
    Ran,
    Stands,
    TaskStands,
    ValueAt,
    Written,
)

TEXT = ("prompt", "text")
"""The names under which the text below a node is asked for."""
_NO_PROPS = ("type", "id", "key", "children", "handlers")
EVENTS = ("on_finished", "on_error", "on_progress")
Target = str | int | None
_WRITE, _CALL, _EFFECT = re.compile(r"\d+[wofv]\d+"), re.compile(r"\d+(h\d+|s.+)"), re.compile(r"\d+e\d+")
_TABLES = ((_WRITE, "transitions", "writes"), (_CALL, "handlers", "handler calls"), (_EFFECT, "effects", "effect runs"))


def facts_of(book: Book, asked: Target, frame: int | None) -> list[Matter]:
    """Return the facts that a target stands for.

    Raises:
        StoreError: if there is none of this name, naming the nearest ones, or no such frame.
    """
    if frame is not None:
        refuse_missing(book.reader, book.execution_id, frame)
    if asked is None and frame is None:
        return [Stands(book)]
    if asked is None or isinstance(asked, int):
        number = frame or 0
        if isinstance(asked, int):
            number = asked
        refuse_missing(book.reader, book.execution_id, number)
        return [FrameMade(book, number)]
    found = _named(book, asked, frame) or _in_children(book, asked, frame) or _of_type(book, asked, frame)
    if not found:
        raise StoreError(
            f"execution {book.execution_id} has nothing of the name {asked!r}.{near(book, asked)}"
            f" What is not there is asked by why_not({asked!r})."
        )
    return found


def near(book: Book, asked: str) -> str:
    """Return the hint at the nearest names that there are; "" if none is near."""
    known = [*book.rows.known_nodes(), *book.rows.known_keys()]
    named = {component_of(path) for node in book.tree(max(book.last, 1)).walk() for path in component_paths(node.path)}
    hint = near_ids(book, asked) or did_you_mean(asked.rpartition(":")[2], [*known, *named])
    if hint:
        return hint
    if not book.last:
        return " No frame has been made yet: a step makes the first one."
    if not known:
        return ""
    some = ", ".join(sorted(set(known))[:8])
    return f" It has {some} …"


def is_id(asked: str) -> bool:
    """Return whether a word may be an id that the engine gave: of a write, a call, an effect run or a task."""
    return "@" in asked or any(one.fullmatch(asked) for one in (_WRITE, _CALL, _EFFECT))


def near_ids(book: Book, asked: str) -> str:
    """Return the hint at the ids that are near to one that nothing has; "" if none is."""
    node, at, _ = asked.rpartition("@")
    if at and node:
        known = book.rows.tasks_of_node(node)
        return f" The tasks of {node} are {', '.join(known[-8:])}." if known else ""
    for pattern, table, what in _TABLES:
        if (match := pattern.fullmatch(asked)) is not None:
            frame = int(re.match(r"\d+", match[0])[0])  # type: ignore[index]  # each pattern begins with digits
            known = book.rows.ids_in(table, frame)
            return f" Frame {frame} has the {what} {', '.join(known[:8])}." if known else ""
    return ""


def _named(book: Book, asked: str, frame: int | None) -> list[Matter]:
    """Return the facts that a word means in one execution: a node first, then a component, a key, an id."""
    if asked.startswith("state:"):
        return [ValueAt(book, asked.removeprefix("state:"), frame or book.reads)]
    # A node wins over a key of its name, as people name both after what they hold: "state:notes" means the key.
    at = frame or max(book.last, 1)
    if book.rows.last_node(asked, at) is not None:
        return node_facts(book, asked, at)
    # From the right: an id may have dots of its own.
    id, dot, prop = asked.rpartition(".")
    if dot and book.rows.last_node(id, at) is not None:
        facts = prop_facts(book, id, prop, at)
        # Without a frame people mean what was sent, and not what the plan says by now.
        return facts if frame is not None else facts[::-1]
    if (path := component_path(book, asked, at)) is not None:
        return [ComponentIn(book, path, at)]
    if book.rows.value(asked, frame or book.reads) is not None or asked in book.rows.known_keys():
        return [ValueAt(book, asked, frame or book.reads)]
    return _by_id(book, asked)


def _by_id(book: Book, asked: str) -> list[Matter]:
    # The engine's own ids come last: a user may have named a node or a key like one.
    if _WRITE.fullmatch(asked) and (write := book.write(asked)) is not None:
        return [Written(book, asked, write.key)]
    if _CALL.fullmatch(asked) and book.call(asked) is not None:
        return [Called(book, asked)]
    if _EFFECT.fullmatch(asked) and book.effect(asked) is not None:
        return [Ran(book, asked)]
    if "@" in asked and book.task(asked) is not None:
        return [TaskStands(book, asked)]
    if any(one.key == asked for one in book.pending):
        return [ValueAt(book, asked, book.reads)]
    return []


def _of_type(book: Book, asked: str, frame: int | None) -> list[Matter]:
    """Return the facts of the only node of a type, such as ``end``, which seldom has an id."""
    at = frame or max(book.last, 1)
    if (id := only_of_type(book, asked, at)) is None:
        return []
    return node_facts(book, id, at)


def only_of_type(book: Book, type: str, frame: int) -> str | None:
    """Return the id of the only node of a type in a frame's plan; None if there are none or several."""
    ids = [node.id for node in book.tree(frame).walk() if node.type == type]
    return ids[0] if len(ids) == 1 else None


def node_facts(book: Book, id: str, frame: int) -> list[Matter]:
    """Return the facts of a node: that it stands in the plan, and how its task stands."""
    # Two answers side by side: why it is there, and why its task stands as it does.
    found: list[Matter] = [NodeAt(book, id, frame)]
    held = book.rows.last_node(id, frame)
    if held is not None and held.node.type in RUNNABLE and (task := book.rows.newest_task(id, frame)) is not None:
        found.append(TaskStands(book, task.task_id))
    return found


def prop_facts(book: Book, id: str, prop: str, frame: int) -> list[Matter]:
    """Return the facts of a prop in a plan, then of that with which its task began if it was another; or those of the
    call of a handler.

    Raises:
        StoreError: if the node has no such prop, naming the nearest, or the handler was not called.
    """
    # Events are no props: a handler is asked about for its call.
    if prop not in EVENTS:
        _refuse_unknown(book, id, prop, frame)
        return [PropAt(book, id, prop, frame), *_begun_with(book, id, prop, frame)]
    task = book.rows.newest_task(id, frame)
    if task is None or (call := book.call_of(task, prop)) is None:
        raise StoreError(f"{prop} of {id} was not called up to frame {frame}: why_not({f'{id}.{prop}'!r}) tells why.")
    return [Called(book, call.call.id)]


def _begun_with(book: Book, id: str, prop: str, frame: int) -> list[Matter]:
    """Return the prop with which a node's task began, if the plan of a later frame has another."""
    task = book.rows.newest_task(id, frame)
    if task is None or task.started_at is None or task.mounted_at_frame >= frame:
        return []
    # A task keeps what it began with, however the plan changes after that.
    began = task.mounted_at_frame
    if _content(book, id, prop, began) == _content(book, id, prop, frame):
        return []
    return [PropAt(book, id, prop, began, sent=True)]


def _content(book: Book, id: str, prop: str, frame: int) -> object:
    node = book.tree(frame).index.get(id)
    if node is None:
        return None
    return node.content if prop in TEXT else node.props.get(prop)


def _refuse_unknown(book: Book, id: str, prop: str, frame: int) -> None:
    held = book.rows.last_node(id, frame)
    if held is None:
        return
    known = {*TEXT, *props_of(held.node)}
    if (node := TAGS.get(held.node.type)) is not None:
        # Those at their default are not in the plan.
        known |= {name for name in node.model_fields if name not in _NO_PROPS} | {*EVENTS}
    if prop not in known:
        raise StoreError(f"{id} is {an(held.node.type)}, which has no prop {prop!r}.{did_you_mean(prop, known)}")


def component_path(book: Book, name: str, frame: int) -> str | None:
    """Return the path of the first component of a name in a frame's plan; None if it made nothing there."""
    if (path := book.components(frame).get(name)) is not None:
        return path
    # One that returns nothing has no node, but it may read.
    return next((path for path in book.rows.readers_in(frame) if component_of(path) == name), None)


def _in_children(book: Book, asked: str, frame: int | None) -> list[Matter]:
    """Return the facts of a child execution: its id or its node's, a slash and a target; or a name that only it has."""
    # The same notation as in approvals: people copy these ids from one place to the other.
    if "/" in asked:
        if (inner := child_named(book, asked)) is not None:
            return facts_of(*inner, None)
        return []
    for child in _children(book):
        if child.execution_id == asked:
            return [Stands(child)]
        if found := _named(child, asked, None) or _in_children(child, asked, None):
            return found
    return []


def child_named(book: Book, asked: str) -> tuple[Book, str] | None:
    """Return the child execution that a target names before its slash, and the target there; None without one."""
    name, _, rest = asked.partition("/")
    if not rest:
        return None
    # By the node first, as people know it; then by the id of the execution.
    task = book.rows.newest_task(name, max(book.last, 1))
    if task is not None and (child := book.child(task)) is not None:
        return child, rest
    return next(((one, rest) for one in _children(book) if one.execution_id == name), None)


def _children(book: Book) -> Iterator[Book]:
    for id in book.rows.children():
        yield book.of(id)
