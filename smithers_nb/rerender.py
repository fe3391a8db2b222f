"""``ex.rerender``: the recorded frames, rendered again by edited code. Nothing runs, and nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

from .engine.user_code.scope import refuse_while_rendering
from .errors import SmithersError, StoreError
from .history.static import table
from .nodes.diff import Changes, diff
from .nodes.runnable import AGENT_TYPES
from .nodes.schedule import RUNNABLE, schedule
from .nodes.tree import Tree, TreeNode
from .records import REUSED, LoopKey, LoopState, Reusable
from .records.words import dollars
from .rendering import Renderer
from .store.frames import frame_from
from .store.past import PastFrame, PastFrames, PastNode, PastTask, TaskStanding, plan_of
from .store.prune import refuse_missing
from .store.reader import Reader

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["added", "removed", "changed", "moved", "remounted"]
KINDS: tuple[Kind, ...] = ("added", "removed", "changed", "moved", "remounted")
ASKING = AGENT_TYPES | {"approval"}
"""Types of the nodes that are answered by a model or a person."""
KEPT = 8
"""The number of frames whose plans are kept."""
NAMED = 3
"""The most differences that a sentence names."""

Branch = TypeVar("Branch")
"""The execution that a branch is: its module imports this one."""

Fate = Literal["reused", "asked again", "new", "gone"]


@dataclass(frozen=True, slots=True)
class RerenderedFrame:
    """A recorded frame as the edited code renders it: the ids of the nodes that differ from the recorded plan."""

    frame: int
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()
    remounted: tuple[str, ...] = ()
    """Nodes of the same id, but of another type or in another loop iteration."""
    error: str | None = None
    """The error of code that can't render this frame."""
    pending: bool = False
    """True if all of it is behind a phase or step that has not begun yet."""
    words: str = ""
    """The first differences in words."""

    @property
    def same(self) -> bool:
        """True if nothing differs."""
        return not (self.error or self.added or self.removed or self.changed or self.moved or self.remounted)


@dataclass(frozen=True, slots=True)
class AnswerFate:
    """The answer of a model or a person, and what becomes of it under the edited code."""

    node_id: str
    task_id: str | None
    """None for a node that is new."""
    frame: int
    """The frame in which the task started; of a new one, in which it would."""
    fate: Fate
    """reused: the node asks the same, by its props and prompt in the plan."""
    why: str
    cost_usd: float | None
    """The recorded cost; None if it is not known."""


_FRAME = {"frame": "INTEGER", "same": "", **{str(kind): "" for kind in KINDS}, "error": "TEXT", "pending": ""}
_REQUEST = {
    "node_id": "TEXT", "task_id": "TEXT", "frame": "INTEGER", "fate": "TEXT", "why": "TEXT", "cost_usd": "REAL"
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Rerender(Generic[Branch]):
    """The recorded frames of an execution as edited code renders them.

    Each frame is rendered over the state, loops, clock and seed that are recorded for it. So of frames after the first
    that differs it shows the plans that the code makes of the *recorded* state, not of what other answers would write.
    """

    name: str
    """The name of the execution."""
    execution_id: str
    frames: tuple[RerenderedFrame, ...]
    answers: tuple[AnswerFate, ...]
    unknown: tuple[str, ...]
    """The components whose values are not recorded, in words: they read ``ctx.vol``, files or the store."""
    app: object = field(repr=False)
    """The edited app."""
    _plans: Callable[[int], tuple[Tree, Tree]] = field(repr=False)
    """Returns the recorded plan of a frame, and the one that the edited code renders."""
    # ...: frame, name, reuse and allow_repeat, by name
    _fork: Callable[..., Branch] = field(repr=False)

    @property
    def first(self) -> int | None:
        """The first frame that differs, other than behind a phase or step that has not begun; None if none does."""
        return next((one.frame for one in self.frames if not one.same and not one.pending), None)

    @property
    def cost_usd(self) -> float | None:
        """An estimate in USD: the recorded cost of the answers that are asked for again; None if none is known."""
        again = [one for one in self.answers if one.fate in ("asked again", "new")]
        known = [one.cost_usd for one in again if one.cost_usd is not None]
        if again and not known:
            return None
        return sum(known)

    @property
    def text(self) -> str:
        """The outcome in words."""
        return " ".join(self.sentences)

    @property
    def sentences(self) -> tuple[str, ...]:
        """The sentences of ``text``."""
        sentences = [self._first_words()]
        later = [one for one in self.frames if one.pending]
        if later and (self.first is None or later[0].frame < self.first):
            sentences.append(f"From frame {later[0].frame} on, phases that have not begun differ: {later[0].words}.")
        if self.answers:
            sentences.append(self._answers_words())
        if self.first is not None:
            sentences.append(
                "Later frames are rendered over the recorded state: other answers may change them further."
            )
        sentences += [f"Not known: {one}." for one in self.unknown]
        return tuple(sentences)

    def _first_words(self) -> str:
        if not self.frames:
            return "No frame is recorded yet."
        found = next((one for one in self.frames if one.frame == self.first), None)
        if found is None:
            return f"None of the {len(self.frames):,} frames differs."
        if found.error:
            return f"Frame {found.frame} is the first that differs: it can't be rendered: {found.error}"
        return f"Frame {found.frame} is the first that differs: {found.words}."

    def _answers_words(self) -> str:
        count = dict.fromkeys(("reused", "asked again", "new", "gone"), 0)
        for one in self.answers:
            count[one.fate] += 1
        recorded = len(self.answers) - count["new"]
        parts = [f"A branch reuses {count['reused']} of {recorded} answer{'s' * (recorded != 1)}"]
        if count["asked again"]:
            parts.append(f"asks {count['asked again']} again")
        if count["gone"]:
            parts.append(f"does without {count['gone']}")
        if count["new"]:
            parts.append(f"needs {count['new']} new, of unknown cost")
        cost = self.cost_usd
        if cost:
            parts.append(f"about {dollars(cost)}")
        elif cost is None and count["asked again"]:
            parts.append("of unknown cost")
        return f"{', '.join(parts)}."

    @cached_property
    def df(self) -> pd.DataFrame:
        """A row per frame: frame, same, added, removed, changed, moved, remounted, error, pending.

        The nodes that differ are lists of node ids.
        """
        lists = [[list(getattr(one, kind)) for kind in KINDS] for one in self.frames]
        rows = [
            (one.frame, one.same, *ids, one.error, one.pending) for one, ids in zip(self.frames, lists, strict=True)
        ]
        return frame_from(rows, _FRAME).astype({"same": bool, "pending": bool})

    @cached_property
    def requests(self) -> pd.DataFrame:
        """A row per answer of a model or a person: node_id, task_id, frame, fate, why, cost_usd.

        ``fate`` is reused (the node would ask the same), asked again, new or gone.
        """
        return frame_from([tuple(getattr(one, name) for name in _REQUEST) for one in self.answers], _REQUEST)

    def changes(self, frame: int) -> Changes:
        """Return the way from the recorded plan of a frame to the one that the edited code renders.

        Raises:
            StoreError: if there is no such frame.
            ComponentError, PlanError, PurityError: if the code can't render it.
        """
        return diff(*self._plans(frame))

    def tree(self, frame: int) -> Tree:
        """Return the plan that the edited code renders of a recorded frame.

        Raises:
            StoreError: if there is no such frame.
            ComponentError, PlanError, PurityError: if the code can't render it.
        """
        return self._plans(frame)[1]

    def fork(
        self, name: str | None = None, *, reuse: Iterable[Reusable] = REUSED, allow_repeat: Iterable[str] = ()
    ) -> Branch:
        """Return a branch with the edited code, from the frame before the first that differs.

        If none differs, it begins at the last flushed frame. The arguments are those of ``Execution.fork``.
        """
        first = self.first
        return self._fork(frame=None if first is None else first - 1, name=name, reuse=reuse, allow_repeat=allow_repeat)

    def __repr__(self) -> str:
        return f"<Rerender of {self.name!r} ({self.execution_id}): {self.text}>"

    def _repr_html_(self) -> str:
        differing = table(f"{self.name}: {self.text}", ["frames", "differs", "phase"], self._spans())
        if not self.answers:
            return differing
        answers = [
            [one.node_id, one.frame, one.fate, one.why, None if one.cost_usd is None else f"${one.cost_usd:.2g}"]
            for one in self.answers
        ]
        return differing + table("Answers of models and people:", ["node", "frame", "fate", "why", "cost"], answers)

    def _spans(self) -> list[list[object]]:
        """Return a row for each run of frames that differ in the same way."""
        found: list[list[object]] = []
        last = None
        for one in self.frames:
            words = one.words or one.error
            # An error names its frame.
            said = ((words or "").replace(f"frame {one.frame},", ""), one.pending)
            if one.same:
                last = None
            elif said == last:
                found[-1][0] = f"{str(found[-1][0]).partition(' ')[0]} to {one.frame}"
            else:
                found.append([str(one.frame), words, "not begun" if one.pending else ""])
                last = said
        return found


def rerender(
    reader: Reader,
    execution_id: str,
    root: object,
    *,
    frames: Iterable[int] | int | None,
    fork: Callable[..., Branch],  # ...: as in Rerender
) -> Rerender[Branch]:
    """Return the recorded frames as an app renders them; ``fork`` makes a branch at a frame.

    Raises:
        StoreError: if one of the frames is not recorded.
    """
    refuse_while_rendering("rerender() was called")
    past = PastFrames(reader, execution_id)
    wanted = None
    if frames is not None:
        wanted = {frames} if isinstance(frames, int) else set(frames)
        for number in sorted(wanted - past.frames.keys()):
            refuse_missing(reader, execution_id, number)
            raise StoreError(f"frame {number} of execution {execution_id} is not recorded.")
    judge = _Judge()
    renderer = Renderer(reader, execution_id, root)
    found: list[RerenderedFrame] = []
    for frame in past.frames.values():
        judge.follow(frame)
        renderer.follow(frame)
        if wanted is None or frame.number in wanted:
            found.append(judge.verdict(frame, *renderer.rendered(frame), loops=renderer.loops))

    # The panes of a stepper ask several times for the plans of one frame.
    @lru_cache(maxsize=KEPT)
    def plans(number: int) -> tuple[Tree, Tree]:
        refuse_missing(reader, execution_id, number)
        return _plans(past, Renderer(reader, execution_id, root), number)

    return Rerender(
        name=reader.execution(execution_id).name,
        execution_id=execution_id,
        frames=tuple(found),
        answers=tuple(judge.answers),
        unknown=tuple(
            f"{component} reads {what}, which is not recorded" for component, what in sorted(renderer.unknown)
        ),
        app=root,
        _plans=plans,
        _fork=fork,
    )


def _plans(past: PastFrames, renderer: Renderer, number: int) -> tuple[Tree, Tree]:
    versions: dict[str, PastNode] = {}
    for frame in past.frames.values():
        renderer.follow(frame)
        _follow(versions, frame)
        if frame.number == number:
            tree, error = renderer.rendered(frame)
            if error is not None:
                raise error
            return plan_of(versions), tree
    raise StoreError(f"frame {number} of execution {renderer.execution_id} is not recorded.")


def _follow(versions: dict[str, PastNode], frame: PastFrame) -> None:
    for id, version in frame.nodes.items():
        if version is None:
            versions.pop(id, None)
        else:
            versions[id] = version


# ---- comparing ---------------------------------------------------------------------------------------------------


class _Judge:
    """The recorded plans beside the rendered ones. It looks only at nodes that changed in one of them."""

    def __init__(self) -> None:
        self.answers: list[AnswerFate] = []
        self._versions: dict[str, PastNode] = {}
        self._stale: set[str] = set()
        """Ids of recorded nodes that changed since the last verdict."""
        self._tasks: dict[str, TaskStanding] = {}
        self._asked: set[str] = set()
        """Nodes with a recorded answer."""
        self._new: set[tuple[str, str]] = set()
        self._tree = Tree()
        self._differing: dict[str, str] = {}
        """The way in which a node differs, by id: a kind, or "position"."""
        self._due = True
        """True if a difference may have come to differ, or to be pending."""
        self._last = RerenderedFrame(0)
        self._to_tell: list[PastTask] = []

    def follow(self, frame: PastFrame) -> None:
        """Take up what a recorded frame has changed."""
        for id, version in frame.nodes.items():
            before = self._versions.get(id)
            if version is None or before is None or (before.type, before.loop) != (version.type, version.loop):
                self._tasks.pop(id, None)
        _follow(self._versions, frame)
        self._stale |= frame.nodes.keys()
        for task in frame.mounted:
            if task.node_id in self._versions:
                self._tasks[task.node_id] = TaskStanding("running", settled=False)
        for task in frame.settled:
            if task.node_id in self._tasks:
                self._tasks[task.node_id] = TaskStanding(task.status, settled=True)
        if frame.mounted or frame.settled or frame.loops:
            self._due = True
        self._to_tell = frame.started

    def verdict(
        self, frame: PastFrame, tree: Tree, error: SmithersError | None, *, loops: Mapping[LoopKey, LoopState]
    ) -> RerenderedFrame:
        """Return how the rendered plan differs from the recorded one."""
        if error is not None:
            why = f"frame {frame.number} can't be rendered"
            self._tell(lambda _: ("asked again", why), frame.number)
            what, _, _ = str(error).partition("\n")
            # The next plan is compared whole.
            self._stale |= self._versions.keys() | self._tree.index.keys()
            self._tree, self._due = Tree(), True
            self._last = RerenderedFrame(frame.number, error=what)
            return self._last
        if self._compare(tree) or self._due:
            self._due = False
            self._last = self._described(frame.number, loops)
        self._tell(self._fate, frame.number)
        self._last = replace(self._last, frame=frame.number)
        return self._last

    def _compare(self, tree: Tree) -> bool:
        """Update the differences; return True if there are others."""
        if tree is not self._tree:
            changes = diff(self._tree, tree)
            for ids in (changes.mounted, changes.unmounted, changes.updated, changes.moved, changes.shifted):
                self._stale.update(ids)
        stale, self._stale, self._tree = self._stale, set(), tree
        other = False
        for id in stale:
            kind = _kind(self._versions.get(id), tree.index.get(id))
            if kind is None:
                other = self._differing.pop(id, None) is not None or other
            else:
                # The same kind of difference may have another value: "changed" to something else.
                self._differing[id] = kind
                other = True
        return other

    def _described(self, number: int, loops: Mapping[LoopKey, LoopState]) -> RerenderedFrame:
        found = self._found()
        if not any(found.values()):
            return RerenderedFrame(number)
        differing = [id for ids in found.values() for id in ids]
        now = _pending(self._tree, self._tasks, loops)
        before: set[str] = set()
        if found["removed"]:
            before = _pending(plan_of(self._versions), self._tasks, loops)
        begun = [id for id in differing if id not in now and id not in before]
        self._note_new(number, [id for id in found["added"] + found["remounted"] if id in begun])
        return RerenderedFrame(
            number,
            added=tuple(found["added"]),
            removed=tuple(found["removed"]),
            changed=tuple(found["changed"]),
            moved=tuple(found["moved"]),
            remounted=tuple(found["remounted"]),
            pending=not begun,
            words=self._words(begun or differing),
        )

    def _found(self) -> dict[Kind, list[str]]:
        """Return the ids by kind, in document order where they are in the new plan."""
        found: dict[Kind, list[str]] = {kind: [] for kind in KINDS}
        if not self._differing:
            return found
        resized = {self._parent(id) for id, kind in self._differing.items() if kind in ("added", "removed")}
        for id in sorted(self._differing, key=self._tree.order):
            kind = self._differing[id]
            if kind != "position":
                found[kind].append(id)  # type: ignore[index]  # the others are kinds
            # Where siblings came or went, the others only moved up or down.
            elif self._parent(id) not in resized:
                found["moved"].append(id)
        return found

    def _parent(self, id: str) -> str | None:
        node = self._node(id)
        if node is not None:
            return node.parent_id
        return self._versions[id].parent_id

    def _node(self, id: str) -> TreeNode | None:
        return self._tree.index.get(id)

    def _words(self, ids: list[str]) -> str:
        told = list(dict.fromkeys(self._word(id) for id in ids))
        if len(told) > NAMED:
            told[NAMED:] = [f"{len(told) - NAMED} more"]
        return ", ".join(told)

    def _word(self, id: str) -> str:
        """Return a difference in words: ``draft's prompt``."""
        node, version, kind = self._node(id), self._versions.get(id), self._differing[id]
        before = None
        if version is not None:
            before = plan_of({id: version._replace(parent_id=None)}).roots[0]
        found = node or before
        assert found is not None
        if found.type == "text" and (around := self._around(id)) is not None:
            return f"{_whose(around)} {'prompt' if around.type in AGENT_TYPES else 'text'}"
        name = _label(found)
        if node is None or before is None:
            return f"{name} is {'gone' if node is None else 'new'}"
        if kind == "remounted":
            return f"{name} mounts again"
        if kind in ("moved", "position"):
            return f"{name} has moved"
        props = [prop for prop in {**before.props, **node.props} if before.props.get(prop) != node.props.get(prop)]
        if props:
            return ", ".join(f"{_whose(found)} {prop}" for prop in props)
        if before.events != node.events:
            return f"{_whose(found)} handlers"
        return f"{_whose(found)} key"

    def _around(self, id: str) -> TreeNode | None:
        """Return the node around one, as it is now or was recorded."""
        parent = self._parent(id)
        if parent is None:
            return None
        if (node := self._node(parent)) is not None:
            return node
        return plan_of({parent: self._versions[parent]._replace(parent_id=None)}).roots[0]

    # ---- answers -------------------------------------------------------------------------------------------------

    def _tell(self, fate_of: Callable[[PastTask], tuple[Fate, str]], number: int) -> None:
        """Note the fates of the answers to what started in this frame."""
        for task in self._to_tell:
            version = self._versions.get(task.node_id)
            if version is not None and version.type in ASKING and task.ended:
                fate, why = fate_of(task)
                self._asked.add(task.node_id)
                self.answers.append(
                    AnswerFate(task.node_id, task.task_id, number, fate=fate, why=why, cost_usd=task.cost_usd)
                )
        self._to_tell = []

    def _fate(self, task: PastTask) -> tuple[Fate, str]:
        node = self._node(task.node_id)
        if node is None:
            return "gone", f"{task.node_id} is not in the plan"
        below = [id for id in self._differing if self._differing[id] != "position" and self._is_in(id, node.id)]
        if not below or all(self._differing[id] == "moved" for id in below):
            return "reused", "nothing that it is asked differs"
        # Texts have ids of their path: the same prompt in another place is no other prompt.
        stands = self._differing.get(node.id) not in ("changed", "remounted")
        if stands and plan_of(self._versions).index[node.id].content == node.content:
            return "reused", "nothing that it is asked differs"
        return "asked again", self._words(below)

    def _is_in(self, id: str, ancestor: str) -> bool:
        at: str | None = id
        while at is not None and at != ancestor:
            at = self._parent(at)
        return at is not None

    def _note_new(self, number: int, ids: list[str]) -> None:
        for id in ids:
            node = self._node(id)
            if node is not None and node.type in ASKING and id not in self._asked and (node.loop, id) not in self._new:
                self._new.add((node.loop, id))
                why = "it is not in the recorded plan"
                self.answers.append(AnswerFate(id, None, number, fate="new", why=why, cost_usd=None))


def _label(node: TreeNode) -> str:
    """Return the id of a node, or its type and name if the id was made from its path."""
    if node.explicit_id:
        return node.id
    return f"{node.type} {node.key or node.props.get('name') or node.id}"


def _whose(node: TreeNode) -> str:
    """Return the label of a node as a possessive: ``draft's``, ``notes'``."""
    label = _label(node)
    if label.endswith("s"):
        return f"{label}'"
    return f"{label}'s"


def _kind(version: PastNode | None, node: TreeNode | None) -> str | None:
    """Return how a node differs from the recorded one; None if it does not."""
    if version is None:
        return "added" if node is not None else None
    if node is None:
        return "removed"
    if (version.type, version.loop) != (node.type, node.loop):
        return "remounted"
    if not version.same_content(node):
        return "changed"
    if version.parent_id != node.parent_id:
        return "moved"
    return "position" if version.position != node.position else None


def _pending(tree: Tree, tasks: Mapping[str, TaskStanding], loops: Mapping[LoopKey, LoopState]) -> set[str]:
    """Return the nodes that stand in a phase, step, sequence or loop that has not begun."""
    status = schedule(tree, tasks, loops).status
    found: set[str] = set()
    for node in tree.walk():
        if node.parent_id in found or (node.type not in RUNNABLE and status.get(node.id) == "pending"):
            found.add(node.id)
    return found
