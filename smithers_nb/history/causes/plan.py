"""Why the plan is as it is: nodes, their props and texts, and the calls of components that made them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import NamedTuple

from ...identity import component_of, iteration_of, loop_of
from ...nodes.names import ordinal
from ...nodes.tree import TreeNode
from ...records import Evidence, Phase
from ...records.words import count, short
from ...store.origins import NodeSpan
from ..remounts import remounted
from .book import About, Book, component_paths, props_of
from .facts import ComponentIn, Matter, NodeAt, NodeGone, PropAt, TaskBegan, TaskEnded, Told, ValueAt
from .frames import files_read, outside
from .targets import TEXT
from .values import maker_of

MOST_MISSING = 3
"""The most keys without a value that are named as those that a text was made of."""
CONTAINED = 8
"""The least characters of a value that tell where it came from: shorter ones stand in many texts by chance."""


# ---- nodes -------------------------------------------------------------------------------------------------------


def node_at(fact: NodeAt) -> Told:
    """Tell since when a node is in the plan, and why."""
    book, id = fact.book, fact.node_id
    held = book.node(id, fact.frame)
    if held is None:
        return _not_there(fact)
    since = mounted(book, id, fact.frame)
    statement = book.say(
        f"{book.name(id, fact.frame)} is in the plan since frame {since}",
        table="nodes",
        row_id=id,
        frame=since,
        phase=Phase.RECONCILE,
        node_id=id,
        source=held.node.source,
    )
    return Told(statement, tuple(_mount_causes(book, held, since)))


def _not_there(fact: NodeAt) -> Told:
    book, id = fact.book, fact.node_id
    last = book.rows.last_node(id, fact.frame)
    if last is None or last.until is None:
        return Told(book.say(f"{id} is not in the plan of frame {fact.frame}", frame=fact.frame, evidence=None))
    was = mounted(book, id, last.until - 1)
    statement = book.say(
        f"{book.name(id, fact.frame)} was in the plan from frame {was} to {last.until - 1}",
        table="nodes",
        row_id=id,
        frame=was,
        phase=Phase.RECONCILE,
        node_id=id,
    )
    return Told(statement, (NodeGone(book, id, last.until),))


def mounted(book: Book, node_id: str, frame: int) -> int:
    """Return the frame in which a node of a frame was mounted."""
    return book.rows.mounted_at(node_id, frame)


def _mount_causes(book: Book, held: NodeSpan, since: int) -> list[Matter | Told]:
    """Return why a node was mounted in a frame."""
    node = held.node
    if since > 1:
        again = remounted(book.source.cursor(since)).get(node.id)
        if again is not None:
            text = f"{book.name(node.id, since)} was mounted again in frame {since}: {again}"
            about: About = {"table": "nodes", "row_id": node.id, "frame": since, "node_id": node.id}
            return [Told(book.say(text, **about), tuple(_turn_or_call(book, held, since)))]
    return _turn_or_call(book, held, since)


def _turn_or_call(book: Book, held: NodeSpan, since: int) -> list[Matter | Told]:
    # What stands in a later iteration is there because the loop continued: its component may not have been called.
    if (iteration_of(loop_of(held.node.path)) or 1) > 1 and (turn := _turn(book, held, since)):
        return turn
    return called_because(book, held.node.path, since)


def _turn(book: Book, held: NodeSpan, since: int) -> list[Matter | Told]:
    """Return why the loop around a node went on to the iteration in which the node was mounted."""
    loop = loop_of(held.node.path)
    around = next((one for one in book.tree(since).walk() if loop.startswith(f"{one.path}/@")), None)
    number = iteration_of(loop)
    if around is None or number is None:
        return []
    text = f"{book.name(around.id, since)} continued with its {ordinal(number)} iteration"
    ended = [TaskEnded(book, one.task_id) for one in book.rows.settled_in(since - 2)]
    statement = book.say(text, table="loops", row_id=around.id, frame=since - 1, phase=Phase.COMMIT, node_id=around.id)
    return [Told(statement, (*ended, *_condition(book, around, since - 1)))]


def _condition(book: Book, loop: TreeNode, frame: int) -> list[Matter]:
    """Return the fact of the condition of a loop, where a change of the state had set it."""
    prop = "condition" if loop.type == "while" else "until"
    held = book.node(loop.id, frame)
    if held is None or prop not in props_of(held.node):
        return []
    return [PropAt(book, loop.id, prop, frame)]


def node_gone(fact: NodeGone) -> Told:
    """Tell when a node left the plan, and why."""
    book, id, frame = fact.book, fact.node_id, fact.frame
    last = book.rows.last_node(id, frame - 1)
    # A handler call may be stale some frames after its node has left.
    if last is not None and last.until is not None:
        frame = min(frame, last.until)
    statement = book.say(
        f"{book.name(id, frame)} left the plan in frame {frame}",
        table="nodes",
        row_id=id,
        frame=frame,
        phase=Phase.RECONCILE,
        node_id=id,
    )
    causes: list[Matter | Told] = []
    if last is not None:
        again = remounted(book.source.cursor(frame)).get(id)
        if again is not None:
            causes.append(Told(book.say(again, table="nodes", row_id=id, frame=frame, node_id=id)))
        causes += called_because(book, last.node.path, frame)
    return Told(statement, tuple(causes))


# ---- components --------------------------------------------------------------------------------------------------


def called_because(book: Book, path: str, frame: int) -> list[Matter | Told]:
    """Return why the components around a path were called in a frame: the innermost whose reads had changed."""
    # Calls are not recorded one by one. But a component whose reads had changed was called: that is the rule of RENDER.
    around = component_paths(path)
    if frame == 1:
        return [_from_the_code(book, path, around, frame)]
    for component in around:
        keys = book.rows.changed(_reads(book, component, frame), frame)
        if keys:
            return [_call(book, component, keys, frame)]
    found: list[Matter | Told] = list(outside(book, frame))
    if found:
        return found
    text = f"{_named(around[-1:])} rendered it in frame {frame}; no key that it reads had changed"
    return [Told(book.say(text, frame=frame, phase=Phase.RENDER, evidence=None))]


def _reads(book: Book, component: str, frame: int) -> list[str]:
    """Return the keys that a component reads in a frame, or read in the one before."""
    return list(dict.fromkeys([*book.rows.read_by(component, frame), *book.rows.read_by(component, frame - 1)]))


def _call(book: Book, component: str, keys: list[str], frame: int) -> Told:
    text = f"{component_of(component)} was called in frame {frame}, because {_listed(keys)} had changed"
    statement = book.say(text, table="reads", row_id=component, frame=frame, phase=Phase.RENDER)
    return Told(statement, tuple(maker_of(book, key, frame) for key in keys[:4]))


def _named(around: list[str]) -> str:
    """Return the name of the first of some components; an app that is no component has none."""
    if not around:
        return "the app"
    return component_of(around[0])


def _listed(keys: Iterable[str]) -> str:
    names = list(keys)
    if len(names) > 3:
        return f"{', '.join(names[:3])} and {count(len(names) - 3, 'more key')}"
    return " and ".join(names)


def _from_the_code(book: Book, path: str, around: list[str], frame: int) -> Told:
    """Return the root of what the first frame had: the code, over the first state."""
    # The path and not the id: of a text, or a node without one, the caller has only the place.
    node = next((one for one in book.tree(frame).walk() if one.path == path), None)
    text = f"the code of {_named(around)} put it into the first frame"
    keys = [key for component in around[:1] for key in book.rows.read_by(component, frame)]
    had = [key for key in keys if book.rows.value(key, frame) is not None]
    about: About = {"table": "frames", "row_id": str(frame), "frame": frame, "phase": Phase.RENDER}
    if had:
        text += f", over the first state ({_listed(had)})"
        about["link"] = f"state:{had[0]}"
    if node is not None:
        about |= {"node_id": node.id, "source": node.source}
    statement = book.say(text, **about)
    if book.around is not None:
        outer, task = book.around
        return Told(statement, (_made(book, outer, task.task_id),))
    return Told(statement)


def _made(book: Book, outer: Book, task_id: str) -> Told:
    text = f"{book.execution.name} is a child, which a task of {outer.execution.name} made"
    return Told(book.say(text, table="executions", row_id=book.execution_id), (TaskBegan(outer, task_id),))


def component_in(fact: ComponentIn) -> Told:
    """Tell why a component was called in a frame, or was not."""
    book, path, frame = fact.book, fact.path, fact.frame
    # RENDER calls a component whose props, reads and globals are as before not again: that is what the rows tell.
    about: About = {"table": "reads", "row_id": path, "frame": frame, "phase": Phase.RENDER}
    keys, name = _reads(book, path, frame), component_of(path)
    if frame == 1:
        return Told(book.say(f"{name} was called in frame 1: the first frame calls every component", **about))
    if changed := book.rows.changed(keys, frame):
        return _call(book, path, changed, frame)
    outer = [one for one in component_paths(path)[1:] if book.rows.changed(_reads(book, one, frame), frame)]
    reasons = list(outside(book, frame))
    if reasons:
        text = f"{name} was called in frame {frame}: not only the state had changed"
        return Told(book.say(text, **about), tuple(reasons))
    if files := files_read(book, path, frame):
        text = f"{name} was called in frame {frame}, as in every frame: it looks at files"
        return Told(book.say(text, **about), tuple(files))
    if outer:
        text = f"{name} was called in frame {frame} only if {component_of(outer[0])}, which was, gave it other props"
        about["evidence"] = None
        return Told(book.say(text, **about), (ComponentIn(book, outer[0], frame),))
    none = f"none of the {len(keys)} keys that it reads had changed"
    if len(keys) == 1:
        none = f"{keys[0]}, the only key that it reads, had not changed"
    elif not keys:
        none = "it reads no key, and its props were the same"
    return Told(book.say(f"{name} was not called in frame {frame}: {none}", **about))


# ---- props and texts ---------------------------------------------------------------------------------------------


class _Content(NamedTuple):
    """A prop, or a text, as it is in the plan."""

    text: str
    since: int
    pieces: tuple[str, ...]
    """The values that it is made of, as texts: a value that is one of them is there by itself."""


def prop_at(fact: PropAt) -> Told:
    """Tell a prop of a node, or the text below it: since when it is so, and what made it."""
    book, id = fact.book, fact.node_id
    held = book.node(id, fact.frame)
    if held is None:
        return _not_there(NodeAt(book, id, fact.frame))
    content = _content(book, fact, held)
    shown = short(" ".join(content.text.split()), 80)
    name = book.name(id, fact.frame)
    text = f"the {fact.prop} of {name} is {shown or 'empty'} since frame {content.since}"
    if fact.sent:
        text = (
            f"the task of {name} began in frame {fact.frame} with the {fact.prop} {shown or '(empty)'}, which was so "
            f"since frame {content.since}"
        )
    statement = book.say(
        text,
        table="nodes",
        row_id=id,
        frame=content.since,
        phase=Phase.RENDER,
        node_id=id,
        source=held.node.source,
    )
    return Told(statement, tuple(_made_of(book, held.node.path, content)))


def _content(book: Book, fact: PropAt, held: NodeSpan) -> _Content:
    if fact.prop not in TEXT:
        return _prop(book, fact, held)
    since = mounted(book, fact.node_id, fact.frame)
    node = book.tree(fact.frame).index[fact.node_id]
    pieces = [one for one in node.walk() if one.text is not None]
    # A text is a node of its own, with versions: the newest of them is the last change of the whole.
    spans = [book.node(one.id, fact.frame) for one in pieces]
    newest = max([since, *(one.since for one in spans if one is not None)])
    return _Content(node.content, newest, tuple(one.text or "" for one in pieces))


def _prop(book: Book, fact: PropAt, held: NodeSpan) -> _Content:
    # Only props that differ from their default are in a plan.
    props = props_of(held.node)
    if fact.prop not in props:
        return _Content("at its default", mounted(book, fact.node_id, fact.frame), ())
    now = json.dumps(props[fact.prop], ensure_ascii=False)
    # From the newest version backwards to the first that differs: nothing else is decoded.
    other = book.rows.other_prop(fact.node_id, fact.prop, now, fact.frame)
    if other is None or other.until is None:
        since = mounted(book, fact.node_id, fact.frame)
    else:
        # Since the version that differs, or since a mount after it.
        since = max(other.until, book.rows.mounted_at(fact.node_id, fact.frame, other.since))
    value = props[fact.prop]
    pieces = [_plain(value)]
    if isinstance(value, list):
        pieces += map(_plain, value)
    return _Content(now, since, tuple(pieces))


def _plain(value: object) -> str:
    """Return a text as it is, and any other value as JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _made_of(book: Book, path: str, content: _Content) -> list[Matter | Told]:
    """Return where a prop or a text came from: the values in it, else what had changed, else the code."""
    frame, found = content.since, []
    # From the innermost component outwards: one around it may have handed the value in as a prop.
    keys: dict[str, str] = {}
    for component in component_paths(path):
        for key in book.rows.read_by(component, frame):
            keys.setdefault(key, component)
    changed = set(book.rows.changed(keys, frame))
    matches = {key: how for key in keys if (how := _contains(book, key, content)) is not None}
    # A value that is in the text and had changed explains the change; one that only is in it explains the text.
    wanted = [key for key in matches if key in changed] or list(matches)
    for key in wanted:
        component, evidence = keys[key], matches[key]
        what = {"recorded": "this is its value", "inferred": "its text is in it"}[evidence]
        text = f"{component_of(component)} read {key} in frame {frame}: {what}"
        about: About = {"table": "reads", "row_id": component, "frame": frame, "evidence": evidence}
        found.append(Told(book.say(text, **about), (maker_of(book, key, frame),)))
    missing: list[Told] = []
    # What a text and an f-string make of a value that is not there.
    if not content.text.strip() or "None" in content.text or content.text == "null":
        none = [key for key in keys if book.rows.value(key, frame) is None]
        missing = [_read_nothing(book, key, keys[key], frame) for key in none[:MOST_MISSING]]
    if found:
        return [*found, *missing]
    code: list[Matter | Told] = [_from_the_code(book, path, component_paths(path), frame)]
    if frame > 1 or not keys:
        code = called_because(book, path, frame)
    files = [read for one in component_paths(path)[:1] for read in files_read(book, one, frame, frame)]
    return [*code, *missing, *files]


def _read_nothing(book: Book, key: str, component: str, frame: int) -> Told:
    """Tell that a component read a key that had no value: a misspelt one, or one that was to be written before."""
    text = f"{component_of(component)} read {key} in frame {frame}, which had no value"
    about: About = {"table": "reads", "row_id": component, "frame": frame, "phase": Phase.RENDER}
    return Told(book.say(text, **about), (ValueAt(book, key, frame),))


def _contains(book: Book, key: str, content: _Content) -> Evidence | None:
    """Return how it is known that the value of a key is in a prop or a text; None if it is not."""
    found = book.rows.value(key, content.since)
    # A value that was cut can't be looked for: its end is missing.
    if found is None or found.value.cut:
        return None
    value = json.loads(found.value.text)
    text = _plain(value)
    if text in content.pieces:
        return "recorded"
    inner = [text]
    if isinstance(value, dict):
        inner += [one for one in value.values() if isinstance(one, str)]
    elif isinstance(value, list):
        inner += [one for one in value if isinstance(one, str)]
    if any(len(one) >= CONTAINED and one in content.text for one in inner):
        return "inferred"
    return None
