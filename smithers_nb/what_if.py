"""``ex.what_if``: one recorded frame, rendered over other state or by other code. Nothing runs; nothing is written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from .engine.state import key_of
from .engine.user_code.scope import refuse_while_rendering
from .errors import StoreError, did_you_mean
from .history.causes.explanation import Explanation
from .nodes.diff import Changes, diff
from .nodes.names import name_of
from .nodes.schedule import schedule
from .nodes.tree import Tree, TreeNode
from .records import Phase, Statement
from .records.words import short
from .rendering import Renderer
from .store.past import PastFrame, past_frame
from .store.reader import Reader
from .values import Stored, legible

SHOWN = 80
"""The most characters of a value in a sentence."""

NO_CODE = Statement(text="not known: a file has no code to render. Give it as app=", evidence=None)
"""The answer to what only a rendering can tell, without an app."""


@dataclass(frozen=True, repr=False)
class WhatIf(Explanation):
    """The plan of a frame over other state or code, and how it differs from the recorded one."""

    frame: int
    gained: tuple[str, ...]
    """Ids of the nodes that the plan would have, and has not."""
    lost: tuple[str, ...]
    """Ids of the nodes that the plan has, and would not have."""
    changed: tuple[str, ...]
    """Ids of the nodes whose props, prompt, handlers or place would be others."""
    starts: tuple[str, ...]
    """Ids of the nodes whose tasks would start in this frame, and have not."""
    tree: Tree
    """The plan as it would be."""


class Trial:
    """A recorded frame, to be rendered over other values any number of times."""

    def __init__(self, reader: Reader, execution_id: str, root: object, number: int) -> None:
        self.reader, self.execution_id, self.number = reader, execution_id, number
        self.recorded, _ = reader.tree(reader.owner(execution_id, number), number)
        self.frame, self.tasks = past_frame(reader, execution_id, number, self.recorded)
        self.state: dict[str, Stored] = {key: row[0] for key, row in self.frame.state.items() if row is not None}
        """The values that the frame read, as they are stored."""
        self._renderer = Renderer(reader, execution_id, root)
        self._renderer.follow(self.frame)
        self._edited: set[str] = set()

    def rendered(self, edits: Mapping[str, Stored | None]) -> Tree:
        """Return the plan over the state of the frame with these values; None removes a key.

        Raises:
            ComponentError, PlanError, PurityError: if the code can't render it.
        """
        # What the last edit changed goes back with the same call: only the components that read it are called again.
        given = {key: self.frame.state.get(key) for key in self._edited}
        # A key that is removed has no row, as in a frame that finds it gone.
        given |= {key: value and (value, self.number) for key, value in edits.items()}
        self._edited = set(edits)
        self._renderer.follow(PastFrame(self.number, self.frame.began_at, state=given))
        tree, error = self._renderer.rendered(self.frame)
        if error is not None:
            raise error
        return tree

    @property
    def reads(self) -> set[str]:
        """The state keys that components read in the last rendering."""
        found = [key_of(name) for name, paths in self._renderer.readers.items() if paths]
        return {key[1] for key in found if key is not None and key[0] == "state"}

    @property
    def called(self) -> set[str]:
        """The names of the components in the last rendering."""
        return self._renderer.components

    @property
    def unknown(self) -> list[str]:
        """The components whose values are not recorded, in words."""
        return [f"{name} reads {what}, which is not recorded" for name, what in sorted(self._renderer.unknown)]

    def starts(self, tree: Tree) -> tuple[str, ...]:
        """Return the nodes of a plan whose tasks would start, and have none."""
        # A node of another type or iteration mounts again, and its task with it.
        stayed = {
            id: task
            for id, task in self.tasks.items()
            if (node := tree.index.get(id)) is not None and _same(node, self.recorded.index.get(id))
        }
        return tuple(node.id for node in schedule(tree, stayed, self._renderer.loops).start)


def _same(node: TreeNode, before: TreeNode | None) -> bool:
    return before is not None and (node.type, node.loop) == (before.type, before.loop)


def what_if(
    reader: Reader, execution_id: str, root: object, *, frame: int, state: Mapping[str, Stored | None], edited: bool
) -> WhatIf:
    """Return what a frame would be with other values of the state; ``edited`` is True if the root is other code.

    Raises:
        StoreError: if there is no such frame, or a key is not in the state and no component reads it.
        ComponentError, PlanError, PurityError: if the code can't render it.
    """
    refuse_while_rendering("what_if() was called")
    if root is None:
        tree, _ = reader.tree(reader.owner(execution_id, frame), frame)
        question = f"What would the plan of frame {frame} be?"
        return WhatIf(question, (NO_CODE,), frame=frame, gained=(), lost=(), changed=(), starts=(), tree=tree)
    trial = Trial(reader, execution_id, root, frame)
    before = trial.recorded
    # Over the recorded state, too: what a component reads that is not recorded must not look like a change.
    if not edited:
        before = trial.rendered({})
    tree = trial.rendered(state)
    known = trial.state.keys() | trial.reads
    # After the rendering: other code may read other keys.
    for key in state.keys() - known:
        raise StoreError(
            f"no state key {key!r}: the state of frame {frame} has none, and no component reads it."
            f"{did_you_mean(key, known)}"
        )
    return _answer(trial, before, tree, state, edited=edited)


def _answer(trial: Trial, before: Tree, tree: Tree, state: Mapping[str, Stored | None], *, edited: bool) -> WhatIf:
    changes = diff(before, tree)
    gained = tuple(_nodes(changes.mounted, tree))
    lost = tuple(id for id in _nodes(changes.unmounted, before) if id not in gained)
    prompts = _prompts(changes, before, tree)
    others = dict.fromkeys([*_nodes([*changes.updated, *changes.moved], tree), *prompts])
    changed = tuple(id for id in sorted(others, key=tree.order) if id not in gained)
    starts = trial.starts(tree)
    statements = []
    for id in gained:
        how = "would mount again" if id in before.index else "would be in the plan"
        statements.append(_said(trial, tree, id, f"{how}, and start" if id in starts else how))
    statements += [_said(trial, before, id, "would not be in the plan") for id in lost]
    for id in changed:
        what = _difference(before.index[id], tree.index[id], id in prompts)
        statements.append(_said(trial, tree, id, f"would have another {what}"))
    statements += [_said(trial, tree, id, "would start") for id in starts if id not in gained]
    if not statements:
        statements.append(Statement(text="the plan would be the same", frame=trial.number, evidence="derived"))
    statements += [Statement(text=f"not known: {why}", evidence=None) for why in trial.unknown]
    given = [_were(key, value) for key, value in state.items()]
    if edited:
        given.append("the code were the other one")
    return WhatIf(
        question=f"What would the plan of frame {trial.number} be, if {' and '.join(given) or 'nothing were changed'}?",
        statements=tuple(statements),
        frame=trial.number,
        gained=gained,
        lost=lost,
        changed=changed,
        starts=starts,
        tree=tree,
    )


def _were(key: str, value: Stored | None) -> str:
    if value is None:
        return f"{key} were not in the state"
    return f"{key} were {short(repr(legible(value)), SHOWN)}"


def _prompts(changes: Changes, before: Tree, tree: Tree) -> set[str]:
    """Return the nodes that stay and have other text below them: it is their prompt."""
    found = set()
    for plan, ids in ((before, changes.unmounted), (tree, changes.mounted), (tree, changes.updated)):
        for id in ids:
            parent = plan.index[id].parent_id
            if plan.index[id].type == "text" and parent in before.index and parent in tree.index:
                found.add(str(parent))
    return found


def _nodes(ids: Iterable[str], tree: Tree) -> Iterator[str]:
    return (id for id in ids if tree.index[id].type != "text")


def _difference(before: TreeNode, node: TreeNode, prompt: bool) -> str:
    names = [name for name in {**before.props, **node.props} if before.props.get(name) != node.props.get(name)]
    if prompt:
        names.append("prompt")
    if before.events != node.events:
        names.append("set of handlers")
    return " and ".join(names) or "place"


def _said(trial: Trial, tree: Tree, id: str, words: str) -> Statement:
    node = tree.index[id]
    return Statement(
        text=f"{name_of(node, node.props, tree)} {words}",
        frame=trial.number,
        phase=Phase.RENDER,
        node_id=id,
        source=node.source,
        execution_id=trial.execution_id,
        evidence="derived",
    )
