"""RENDER: components are called, and their nodes get a place. Pure: it is handed no store and no task table.

A component whose props, read keys and read globals have not changed is not called again: its nodes are taken over as
they are. The outcome is remembered in a ``Rendered``, which is never changed: the next frame makes a new one.
"""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import AsyncGeneratorType, GeneratorType
from typing import Any

from ...errors import (
    ComponentError,
    DuplicateIdError,
    DuplicateKeyError,
    PlanError,
    PropError,
    PurityError,
    RenderTaskError,
    SmithersError,
    an,
    clean,
    kind_of,
    said,
)
from ...identity import ROOT, NodeId, Path, child_path, generated_id, iteration_path, quoted
from ...nodes import source as sources
from ...nodes.base import NodeBase
from ...nodes.control import LOOPS, LoopNode
from ...nodes.element import Component, Element, Fragment
from ...nodes.handlers import NONE as NO_HANDLERS
from ...nodes.parts import PromptPart, part_of
from ...nodes.structure import Text
from ...nodes.tree import Patch, Tree, TreeNode
from ...nodes.union import NODES
from ...records.words import closed
from ...user_code import raised_by
from ...values import Stored
from ..rendered import Captured, Instance, Place, Rendered, inside_of_props, to_call_again, upwards
from ..user_code.context import Context
from ..user_code.purity import RenderScope, Snapshot, loop_read, no_tasks
from ..user_code.scope import entered

TEXTUAL = (str, int, float)
LISTS = (list, tuple)
CHOOSING = frozenset({"each", "switch"})
"""Types of the nodes that call user code for their children: key and render of an Each, == of a Switch's values."""
EXACT = frozenset({str, int, bool, type(None)})
"""Types of which two equal values are the same."""


def render(app: object, snapshot: Snapshot, ctx: Context, before: Rendered | None = None) -> Rendered:
    """Return the plan for this snapshot; with ``before``, only what may have changed since is called.

    Raises:
        PlanError: if the nodes are put together wrongly.
        PurityError: if a component does more than return nodes.
        ComponentError: if one raises.
    """
    renderer = _Renderer(snapshot, ctx, before or Rendered())
    dirty = None
    # An app that is no component has nothing that could be called alone.
    if before is not None and isinstance(app, Element):
        dirty = to_call_again(before, snapshot)
    try:
        # Tasks of asyncio's that a component starts would outlive the frame, and run again with the next one.
        with no_tasks():
            if before is not None and dirty is not None:
                outermost, stale = dirty
                if not outermost:
                    return replace(before, inits={}, touched=frozenset())
                patched = renderer.patched(outermost, stale)
                if patched is not None:
                    return patched
                # It has begun to change its copies: everything is rendered from new ones.
                renderer = _Renderer(snapshot, ctx, before)
            return renderer.everything(app)
    except SmithersError as error:
        error.at(frame=snapshot.frame)
        raise
    except RecursionError:
        raise PlanError(
            "the plan is nested too deeply for Python's recursion limit, or a component contains itself.",
            path=str(renderer.deepest),
            frame=snapshot.frame,
            source=renderer.around,
        ) from None
    except BaseException as error:
        # Code of the user's outside of a component: an Each at the root, the == of a Case, the text of a number.
        source = sources.of_traceback(raised_by(error).__traceback__) or renderer.around
        raise ComponentError(
            f"the plan raised {closed(said(raised_by(error)))} The frame was not committed; the one before stands.",
            path=str(renderer.deepest),
            frame=snapshot.frame,
            source=source,
        ) from error


@dataclass(slots=True)
class _OpenCall:
    """A component while its nodes are placed."""

    path: Path
    component: Component | None = None
    scope: RenderScope | None = None
    """None for one that is not called itself, but around one that is."""
    found: list[Path] = field(default_factory=list)
    """The components that stand directly in it."""
    loops: set[str] = field(default_factory=set)
    """The loops that it places."""


@dataclass(slots=True)
class _Siblings:
    """The rendered children of one node, as they are found."""

    place: Place
    first: int = 0
    """Position of the first one."""
    nodes: list[TreeNode] = field(default_factory=list)
    keys: dict[tuple[str, str], str | None] = field(default_factory=dict)
    """The position in the source of each key, by the path that the key belongs to, and the key."""
    text: str = ""
    text_path: Path = ROOT

    @property
    def position(self) -> int:
        return self.first + len(self.nodes)


class _Renderer:
    """The state of one RENDER. It works on copies of the memory of the last one."""

    def __init__(self, snapshot: Snapshot, ctx: Context, before: Rendered) -> None:
        self.snapshot = snapshot
        self.ctx = ctx
        self.before = before
        self.index: dict[str, TreeNode] = {}
        self.sources: dict[str, str | None] = {}
        """The positions in the source of the nodes that are placed in this frame, by id."""
        self.inits: dict[str, tuple[Stored, str]] = {}
        self.instances: dict[Path, Instance] = {}
        self.below: dict[Path, tuple[Path, ...]] = {}
        self.readers: dict[str, frozenset[Path]] = {}
        self.turned: defaultdict[str, set[Path]] = defaultdict(set)
        """The components that begin or end to read a key. Most are forgotten and read it again: no copy is made."""
        self.always: set[Path] = set()
        self.given: set[Path] = set()
        self.touched: set[Path] | None = None
        self.renewed: set[str] = set()
        """Ids of the nodes that were put into the index or taken from it."""
        self.called: set[Component] = set()
        self.inside: list[_OpenCall] = []
        """The components being called, innermost last."""
        self.reusable: dict[Path, Instance] = {}
        """Components inside of the one that is called again, which may be taken over with all that is in them."""
        self.deepest: Path = ROOT

    # ---- all, or what changed ----------------------------------------------------------------------------------

    def everything(self, app: object) -> Rendered:
        """Call every component."""
        return self.remembered(self.children((app,), ROOT, Place(None, "", None)))

    def patched(self, outermost: list[Path], dirty: set[Path]) -> Rendered | None:
        """Call these components, in them all that are dirty, and take the rest of the plan over as it is.

        Return None if one of them now has text at its edges, or nothing: its neighbours have to be placed with it. Also
        if one places an id that another had, and perhaps gives up in this frame.
        """
        before = self.before
        # Copies, though a frame with one dirty component changes little of them: C copies a dict of a thousand nodes in
        # microseconds, and a RENDER that fails must leave the memory as it was.
        self.index = before.tree.index.copy()
        self.instances = before.instances.copy()
        self.below = before.below.copy()
        self.readers = before.readers
        self.always = set(before.always)
        self.given = set(before.given)
        self.touched = set()
        roots = before.tree.roots
        called = {path for below in dirty for path in upwards(below, before)}
        try:
            for path in outermost:
                roots = self.again(before.instances[path], called, roots)
        except DuplicateIdError:
            return None
        if not all(self.instances[path].whole for path in outermost):
            return None
        return self.remembered(roots)

    def again(self, old: Instance, dirty: set[Path], roots: tuple[TreeNode, ...]) -> tuple[TreeNode, ...]:
        """Call one component, put its nodes where the old ones were, and return the new roots."""
        first = 0
        if old.ids:
            first = self.index[old.ids[0]].position
        self.forget(old, dirty)
        siblings = _Siblings(old.place, first)
        self.inside = []
        if old.inside is not None:
            self.inside = [_OpenCall(old.inside)]
        self.expand(old.element, old.path, siblings)
        self.end_text(siblings)
        # Those that the call has not placed again are gone.
        while self.reusable:
            self.forget(self.reusable.popitem()[1])
        self.rename(old, self.instances[old.path].ids)
        return self.spliced(old, first, siblings.nodes, roots)

    def forget(self, old: Instance, dirty: Set[Path] = frozenset()) -> None:
        """Remove a component and all in it, but for those components that need not be called again: they stay where
        they are, to be taken over as they are, or to be forgotten, too.
        """
        kept: set[str] = set()
        paths = [old.path]
        while paths:
            path = paths.pop()
            instance = self.instances[path]
            if path != old.path and path not in dirty and instance.whole:
                self.reusable[path] = instance
                kept.update(instance.ids)
                continue
            del self.instances[path]
            self.touch(path)
            for key in instance.reads:
                self.turned[key] ^= {path}
            self.always.discard(path)
            self.given.discard(path)
            paths.extend(self.below.pop(path, ()))
        nodes = [self.index[id] for id in old.ids]
        while nodes:
            node = nodes.pop()
            if node.id not in kept:
                del self.index[node.id]
                self.renewed.add(node.id)
                nodes.extend(node.children)

    def rename(self, old: Instance, ids: tuple[NodeId, ...]) -> None:
        """Put the new ids of a component's nodes into those components around whose nodes they are, too."""
        around = old.inside
        while around is not None and ids != old.ids:
            outer = self.instances[around]
            if outer.place != old.place or not old.ids:
                return
            at = outer.ids.index(old.ids[0])
            renamed = (*outer.ids[:at], *ids, *outer.ids[at + len(old.ids) :])
            self.instances[around] = replace(outer, ids=renamed)
            around = outer.inside

    def spliced(
        self, old: Instance, first: int, new: list[TreeNode], roots: tuple[TreeNode, ...]
    ) -> tuple[TreeNode, ...]:
        """Return the roots with the children of one parent changed, and a new node for each above it."""
        parent_id = old.place.parent_id
        siblings = roots if parent_id is None else self.index[parent_id].children
        after = siblings[first + len(old.ids) :]
        if shift := len(new) - len(old.ids):
            after = tuple(self.put(replace(node, position=node.position + shift)) for node in after)
        children = (*siblings[:first], *new, *after)
        while parent_id is not None:
            parent = self.put(replace(self.index[parent_id], children=children))
            parent_id = parent.parent_id
            siblings = roots if parent_id is None else self.index[parent_id].children
            children = (*siblings[: parent.position], parent, *siblings[parent.position + 1 :])
        return children

    def put(self, node: TreeNode) -> TreeNode:
        self.index[node.id] = node
        self.renewed.add(node.id)
        return node

    def remembered(self, roots: tuple[TreeNode, ...]) -> Rendered:
        patch, touched = None, None
        if self.touched is not None:
            patch, touched = self.patch(), frozenset(self.touched)
        seen: dict[Component, Captured] = {}
        # When anything may have changed, all were called: those of before are not in the plan any more.
        if self.snapshot.changed is not None:
            seen.update(self.before.globals)
        for component in self.called:
            seen[component] = Captured.of(component)
        readers = self.readers
        if turned := {key: readers.get(key, frozenset()) ^ paths for key, paths in self.turned.items() if paths}:
            readers = readers | turned
        return Rendered(
            tree=Tree(roots, self.index, patch),
            inits=self.inits,
            instances=self.instances,
            below=self.below,
            readers=readers,
            always=frozenset(self.always),
            given=frozenset(self.given),
            touched=touched,
            globals=seen,
        )

    def patch(self) -> Patch:
        """Return the nodes that are new in this plan, and those that they replace."""
        old, new = self.before.tree.index, self.index
        changed = [id for id in self.renewed if old.get(id) is not new.get(id)]
        return Patch(
            self.before.tree.roots,
            {id: old[id] for id in changed if id in old},
            {id: new[id] for id in changed if id in new},
        )

    # ---- placing children --------------------------------------------------------------------------------------

    def children(self, raw: tuple[Any, ...], base: Path, place: Place) -> tuple[TreeNode, ...]:
        siblings = _Siblings(place)
        self.level(raw, base, "", siblings)
        self.end_text(siblings)
        return tuple(siblings.nodes)

    def level(self, raw: tuple[Any, ...] | list[Any], base: Path, slot: str, siblings: _Siblings) -> None:
        """Place the items of a children tuple, a list or a fragment."""
        prefix = ""
        if slot:
            prefix = f"{slot}."
        for index, item in enumerate(raw):
            self.place(item, base, f"{prefix}{index}", siblings)

    def place(self, item: Any, base: Path, slot: str, siblings: _Siblings) -> None:
        """Place one child, whatever it is."""
        kind = type(item)
        # Whether it is a pydantic model takes Python code to say; an element, or a node of ours, says it by its type.
        if kind is Element:
            self.claim_key(item.key, item.source, base, siblings)
            self.expand(item, child_path(base, item.component.name, slot, item.key), siblings)
        elif kind in NODES or isinstance(item, NodeBase):
            if kind is Text:
                self.claim_key(item.key, item.source, base, siblings)
                self.add_text(item.text, base, slot, siblings)
            else:
                self.add_node(item, base, slot, siblings)
        elif item is None or isinstance(item, bool):
            return
        elif isinstance(item, TEXTUAL):
            self.add_text(str(item), base, slot, siblings)
        elif isinstance(item, Fragment):
            self.claim_key(item.key, item.source, base, siblings)
            self.level(item.children, base, slot if item.key is None else quoted(item.key), siblings)
        elif isinstance(item, LISTS):
            self.level(item, base, slot, siblings)
        elif (part := part_of(item, self.around)) is not None:
            self.add_node(part, base, slot, siblings)
        else:
            parent = siblings.place.parent_id
            source = None
            if parent is not None:
                source = self.sources.get(parent)
            raise _not_a_child(item, base, siblings.place.prompt_of, source or self.around)

    def add_text(self, text: str, base: Path, slot: str, siblings: _Siblings) -> None:
        if not siblings.text:
            siblings.text_path = child_path(base, "text", slot, None)
        siblings.text += clean(text)

    def end_text(self, siblings: _Siblings) -> None:
        """Make one node of the neighbouring pieces of text."""
        text, siblings.text = siblings.text, ""
        if not text or (siblings.place.prompt_of is None and not text.strip()):
            return
        path = siblings.text_path
        id = generated_id(path)
        self.claim_id(id, None, path)
        siblings.nodes.append(
            self.put(
                TreeNode(
                    id=id,
                    path=path,
                    type="text",
                    key=None,
                    explicit_id=False,
                    props={},
                    text=text,
                    events=(),
                    source=None,
                    parent_id=siblings.place.parent_id,
                    position=siblings.position,
                    loop=siblings.place.loop,
                )
            )
        )

    def add_node(self, node: NodeBase, base: Path, slot: str, siblings: _Siblings) -> None:
        if siblings.text:
            self.end_text(siblings)
        place = siblings.place
        if isinstance(node, PromptPart) and place.prompt_of is None:
            raise PropError(
                f"<{node.type}> is a part of a prompt, and stands in none: put it between the tags of a <Claude> or an "
                "<Agent>, among the text.",
                path=base,
                source=node.source,
            )
        if place.prompt_of is not None and not isinstance(node, PromptPart):
            # The syntax of cells is imported for advice only: programs without a cell start without it.
            from ...syntax.transpile import as_text

            raise PropError(
                f"{an(f'<{node.type}>')} stands inside <{place.prompt_of}>, whose children are its prompt: text, "
                f"numbers and components that return text. {as_text(f'<{node.type}>')}.",
                path=base,
                source=node.source,
            )
        # A model's attributes are looked up by Python code; of a thousand nodes that shows.
        values = node.__dict__
        kind, key, source = values["type"], values["key"], values["source"]
        path = self.deepest = child_path(base, kind, slot, key)
        if key is not None:
            self.claim_key(key, source, base, siblings)
        given = values["id"]
        id = generated_id(path) if given is None else given
        self.claim_id(id, source, path)
        props = node.props()
        try:
            raw = self.chosen(node, path, place) if kind in CHOOSING else node.below()
        except PlanError as error:
            error.at(path=path, node_id=id)
            raise
        inner, loop, around = path, place.loop, place.around
        if kind in LOOPS:
            assert isinstance(node, LoopNode)  # for the type checker
            iteration = self.iteration(node, place.loop)
            props = {"iteration": iteration, **props}
            inner = iteration_path(path, iteration)
            loop, around = inner, (*around, (id, iteration))
            if not iteration:
                raw = ()
        children: tuple[TreeNode, ...] = ()
        if raw:
            children = self.children(raw, inner, Place(id, loop, kind if node.takes_text else None, around))
        # By position, not by keyword: for the thousand nodes of a plan that is half of a TreeNode's cost.
        placed = TreeNode(
            id,
            path,
            kind,
            key,
            given is not None,
            props,
            None,
            () if values["handlers"] is NO_HANDLERS else values["handlers"].events,
            source,
            place.parent_id,
            siblings.first + len(siblings.nodes),
            children,
            place.loop,
            node,
        )
        siblings.nodes.append(self.put(placed))

    def iteration(self, node: LoopNode, loop: str) -> int:
        """Return the iteration that a loop is in; 0 for one that has not begun, and does not."""
        if self.inside:
            self.inside[-1].loops.add(loop_read(node.id))
        if state := self.snapshot.loops.get((loop, node.id)):
            return state.iteration
        if node.continues and node.max_iterations:
            return 1
        return 0

    def claim_id(self, id: NodeId, source: str | None, path: Path) -> None:
        # In the index too: it holds the nodes that are taken over, which are not placed again.
        if id in self.sources or id in self.index:
            other = self.sources.get(id)
            if id not in self.sources:
                other = self.index[id].source
            raise DuplicateIdError(
                f"two nodes have the id {id!r}: at {other or '?'} and at {source or '?'}. An id is unique in the whole "
                "plan; for the items of a list, give each a key instead, or put the key into the id.",
                path=path,
                node_id=id,
                source=source,
            )
        self.sources[id] = source

    def claim_key(self, key: str | None, source: str | None, base: Path, siblings: _Siblings) -> None:
        if key is None:
            return
        place = (base, key)
        if place in siblings.keys:
            raise DuplicateKeyError(
                f"two siblings have the key {key!r}: at {siblings.keys[place] or '?'} and at {source or '?'}. A key "
                "tells siblings apart; make it unique among them.",
                path=base,
                source=source,
            )
        siblings.keys[place] = source

    @property
    def around(self) -> str | None:
        """The position of the innermost component that is being placed."""
        return next((call.scope.source for call in reversed(self.inside) if call.scope is not None), None)

    # ---- components --------------------------------------------------------------------------------------------

    def expand(self, element: Element, path: Path, siblings: _Siblings) -> None:
        """Place the nodes of a component: as they were, or from a new call."""
        self.deepest = path
        if self.inside:
            self.inside[-1].found.append(path)
        old = self.reusable.pop(path, None)
        if old is not None and _same_call(old, element):
            self.take_over(old, siblings)
            return
        if old is not None:
            self.forget(old)
        self.call_and_place(element, path, siblings)

    def call_and_place(self, element: Element, path: Path, siblings: _Siblings) -> None:
        component = element.component
        source = element.source or component.source
        around = dict(siblings.place.around)
        scope = RenderScope(self.snapshot, component.name, path, source, inits=self.inits, around=around)
        inside = None
        if self.inside:
            inside = self.inside[-1].path
        self.inside.append(_OpenCall(path, component, scope))
        self.called.add(component)
        returned = self.call(element, path, scope)
        # Text before it is not a node yet: if it begins with text, too, both are one node, and it is not whole.
        start, alone = len(siblings.nodes), not siblings.text
        self.place(returned, path, "0", siblings)
        for index, effect in enumerate(scope.effects, 1):
            self.place(effect, path, str(index), siblings)
        call = self.inside.pop()
        self.below[path] = tuple(call.found)
        self.remember(
            Instance(
                element=element,
                path=path,
                inside=inside,
                place=siblings.place,
                ids=tuple(node.id for node in siblings.nodes[start:]),
                whole=alone and not siblings.text and _begins_with_a_node(siblings.nodes[start:]),
                reads=frozenset(scope.reads) | call.loops,
                seen=inside_of_props(element),
                always=component.always or scope.untracked,
            )
        )

    def remember(self, instance: Instance) -> None:
        path = instance.path
        self.touch(path)
        self.instances[path] = instance
        for key in instance.reads:
            self.turned[key] ^= {path}
        if instance.always:
            self.always.add(path)
        if instance.seen is not None and instance.inside is None:
            self.given.add(path)

    def touch(self, path: Path) -> None:
        if self.touched is not None:
            self.touched.add(path)

    def take_over(self, old: Instance, siblings: _Siblings) -> None:
        """Place the nodes of a component, and all that stands in it, without a call."""
        self.end_text(siblings)
        for id in old.ids:
            node = self.index[id]
            if (node.position, node.parent_id) != (siblings.position, siblings.place.parent_id):
                node = self.put(replace(node, position=siblings.position, parent_id=siblings.place.parent_id))
            siblings.nodes.append(node)
        if old.place != siblings.place:
            self.moved(old, siblings.place)

    def moved(self, old: Instance, place: Place) -> None:
        """Remember the new place of a component that was taken over, and of those in it that stand there, too."""
        self.instances[old.path] = replace(old, place=place)
        for path in self.below[old.path]:
            inner = self.instances[path]
            if inner.place == old.place:
                self.moved(inner, place)

    def call(self, element: Element, path: Path, scope: RenderScope) -> Any:  # Any: checked by place()
        component = element.component
        # A copy, because ctx and children are no props of the element, which is compared to the next one.
        props = dict(element.props)
        if component.wants_ctx:
            props["ctx"] = self.ctx
        if component.wants_children or (component.takes_any and element.children):
            props["children"] = list(element.children)
        with self.users_code(path, scope):
            returned = component.function(**props)
        return _returned(returned, component, path)

    def chosen(self, node: NodeBase, path: Path, place: Place) -> tuple[Any, ...]:
        """Return the children of a node that asks user code for them: code of the component that made the node."""
        if self.inside and (scope := self.inside[-1].scope) is not None:
            with self.users_code(self.inside[-1].path, scope):
                return node.below()
        # In an app that is no component, user code is called all the same, and is as pure.
        alone = RenderScope(
            self.snapshot, f"<{node.type}>", path, node.source, inits=self.inits, around=dict(place.around)
        )
        with self.users_code(path, alone):
            raw = node.below()
        if alone.effects:
            raise PurityError(f"use_effect was called in a <{node.type}> outside of every component. Use an <Effect>.")
        return raw

    @contextmanager
    def users_code(self, path: Path, scope: RenderScope) -> Iterator[None]:
        """Run code of a component: its reads are noted as its own, and its errors say where they were raised.

        Raises:
            RenderMutationError: if it changed a value in place that it was given.
        """
        try:
            with entered(self.ctx, scope):
                yield
            scope.check_mutations()
        except SmithersError as error:
            error.at(path=self.deepest)
            raise
        except RecursionError:
            # Not an error of this component: ``render`` says that the plan is nested too deeply.
            raise
        except NameError as error:
            from ...syntax.names import misspelt_tag

            raise (misspelt_tag(error) or _failed(error, path, scope)) from error
        except BaseException as error:
            # SystemExit too: an exit() in a component must not end the engine's thread.
            raise _failed(error, path, scope) from error


def _begins_with_a_node(nodes: list[TreeNode]) -> bool:
    return bool(nodes) and nodes[0].type != "text"


def _same_call(instance: Instance, new: Element) -> bool:
    """Return whether a component is given equal props; with children it is not: they are new objects each time."""
    old = instance.element
    if old.component is not new.component or old.children or new.children:
        return False
    try:
        # 1, 1.0 and True are equal, and not the same. A value that was changed in place is equal to itself.
        return bool(old.props == new.props) and (
            _plain(old, new) or (repr(old.props) == repr(new.props) and instance.seen == inside_of_props(new))
        )
    except BaseException:  # noqa: BLE001  # a prop's own == may do anything; then it is called again
        return False


def _plain(old: Element, new: Element) -> bool:
    """Return whether all of equal props are text and whole numbers of the same types.

    Most props are, and for them the comparison of types replaces two calls of ``repr``, which take longer.
    """
    types = list(map(type, old.props.values()))
    return EXACT.issuperset(types) and types == [type(new.props[name]) for name in old.props]


def _returned(returned: Any, component: Component, path: Path) -> Any:  # Any: checked by place()
    if inspect.isawaitable(returned):
        if inspect.iscoroutine(returned):
            returned.close()  # Else Python warns that it was never awaited, and the error says it better.
        raise RenderTaskError(
            f"{component.name} is async. A component is called while a frame is rendered, and rendering can't await: "
            "write def, and await in a <Task>, a handler or an Effect, which writes to state.",
            path=path,
            source=component.source,
        )
    if isinstance(returned, GeneratorType | AsyncGeneratorType):
        raise PlanError(
            f"{component.name} is a generator. Return a list of nodes instead of yielding them.",
            path=path,
            source=component.source,
        )
    if returned is None:
        _refuse_dropped(component, path)
    return returned


def _refuse_dropped(component: Component, path: Path) -> None:
    """Refuse a component that returns None where it makes an element and drops it."""
    from ...syntax.returned import dropped_element

    if dropped := dropped_element(component.function):
        raise PlanError(
            f"{component.name} returns None, and drops {dropped.text} on its line {dropped.line}. Write return before "
            "it; several elements go into <>…</> together.",
            path=path,
            source=component.source,
        )


def _failed(error: BaseException, path: Path, scope: RenderScope) -> ComponentError | RenderTaskError:
    source = sources.of_traceback(raised_by(error).__traceback__) or scope.source
    if isinstance(error, RuntimeError) and "event loop" in str(error):  # asyncio.run() and its like say so.
        return RenderTaskError(
            f"{scope.name} waited for something async ({error}). Rendering must be pure, because it may run again for "
            "the same state. Do that in a <Task>, a handler or an Effect, and let it write to state.",
            path=path,
            source=source,
        )
    text = ""
    if isinstance(error, NameError):
        from ...syntax.names import meant_as_text

        text = meant_as_text(error)
    why = closed(said(raised_by(error)))
    return ComponentError(
        f"{scope.name} raised {why}{text} The frame was not committed; the one before stands.",
        path=path,
        source=source,
    )


def _not_a_child(item: object, base: Path, prompt_of: str | None, source: str | None) -> PlanError:
    advice = "A child is a node, text, a number, None, or a list of these."
    name = getattr(item, "__name__", "")
    if prompt_of is not None:
        advice = f"The children of <{prompt_of}> are its prompt: text, numbers, or a list of these. {_as_prompt(item)}"
    elif callable(item) and name.isidentifier():
        advice = f"To use a component, write <{name} /> or {name}(), with @component above its definition."
    elif callable(item):
        advice += " Call the function, or give it to a prop: render={…} of <Each>, run={…} of <Task>."
    return PlanError(f"{kind_of(item)} ({item!r:.60}) can't be a child. {advice}", path=base, source=source)


def _as_prompt(item: object) -> str:
    """Return how a value, or the braces that it came from, are written in a prompt."""
    from ...syntax.transpile import as_text

    if callable(item):
        return f"It is the value of the name in the braces. {as_text('{…}')}."
    if isinstance(item, set):
        return "{{name}} makes a set: write {name} for the value, and {'{{name}}'} for the braces."
    if isinstance(item, dict):
        return f"As JSON, write {{json.dumps(…)}}. {as_text('{…}')}."
    return "As text, write {str(…)}."
