"""RENDER: components are called, and their nodes get a place. Pure: it is handed no store and no task table."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from types import GeneratorType
from typing import Any

from ...errors import (
    ComponentError,
    DuplicateIdError,
    DuplicateKeyError,
    PlanError,
    PropError,
    RenderTaskError,
    SmithersError,
)
from ...identity import ROOT, NodeId, Path, child_path, child_slot, generated_id
from ...jsx.create import misspelt_tag
from ...nodes import source as sources
from ...nodes.base import NodeBase
from ...nodes.control import If
from ...nodes.element import Element, Fragment
from ...nodes.structure import Text
from ...nodes.tree import Tree, TreeNode
from ...nodes.union import TAGS
from ...values import Stored, shown
from ..context import Context, entered
from ..purity import RenderScope, Snapshot, no_tasks


@dataclass(slots=True)
class Rendered:
    """The outcome of RENDER."""

    tree: Tree
    inits: dict[str, tuple[Stored, str]] = field(default_factory=dict)
    """First values that components asked for, with the component's name."""
    reads: dict[str, dict[str, Stored | None]] = field(default_factory=dict)
    """By component path: the keys that it read, with what it saw."""


def render(app: object, snapshot: Snapshot, ctx: Context) -> Rendered:
    """Return the plan for this snapshot.

    Raises:
        PlanError: if the nodes are put together wrongly.
        PurityError: if a component does more than return nodes.
        ComponentError: if one raises.
    """
    renderer = _Renderer(snapshot, ctx)
    try:
        with no_tasks():
            roots = renderer.children((app,), ROOT, None)
    except SmithersError as error:
        error.at(frame=snapshot.frame)
        raise
    except RecursionError:
        raise PlanError(
            "the plan is nested too deeply for Python's recursion limit, or a component contains itself.",
            path=str(renderer.deepest),
            frame=snapshot.frame,
        ) from None
    renderer.rendered.tree = Tree(roots)
    return renderer.rendered


@dataclass(slots=True)
class _Siblings:
    """The rendered children of one node, as they are found."""

    parent_id: NodeId | None
    text_only: TreeNode | NodeBase | None = None
    nodes: list[TreeNode] = field(default_factory=list)
    keys: dict[tuple[str, str], str | None] = field(default_factory=dict)
    """Where each key was used, by (level, key)."""
    text: str = ""
    text_path: Path = ROOT


class _Renderer:
    def __init__(self, snapshot: Snapshot, ctx: Context) -> None:
        self.snapshot = snapshot
        self.ctx = ctx
        self.rendered = Rendered(Tree())
        self.where: dict[str, str | None] = {}
        """Source of each node id so far."""
        self.deepest: Path = ROOT

    def children(
        self, raw: tuple[Any, ...], base: Path, parent: NodeBase | None, parent_id: NodeId | None = None
    ) -> tuple[TreeNode, ...]:
        siblings = _Siblings(parent_id, parent if parent is not None and parent.prompt else None)
        self.level(raw, base, "", siblings)
        self.end_text(siblings)
        return tuple(siblings.nodes)

    def level(self, raw: tuple[Any, ...] | list[Any], base: Path, slot: str, siblings: _Siblings) -> None:
        """Place the items of a children tuple, a list or a fragment."""
        for index, item in enumerate(raw):
            self.place(item, base, child_slot(slot, index), slot, siblings)

    def place(self, item: Any, base: Path, slot: str, level: str, siblings: _Siblings) -> None:
        """Place one child, whatever it is."""
        if item is None or isinstance(item, bool):
            return
        if isinstance(item, str | int | float):
            self.add_text(str(item), base, slot, siblings)
        elif isinstance(item, Text):
            self.add_text(item.text, base, slot, siblings)
        elif isinstance(item, NodeBase):
            self.end_text(siblings)
            self.add_node(item, base, slot, level, siblings)
        elif isinstance(item, Element):
            self.claim_key(item, base, level, siblings)
            self.expand(item, child_path(base, item.component.name, slot, item.key), siblings)
        elif isinstance(item, Fragment):
            if item.key is not None:
                self.claim_key(item, base, level, siblings)
            self.level(item.children, base, slot if item.key is None else f'"{item.key}"', siblings)
        elif isinstance(item, list | tuple):
            self.level(item, base, slot, siblings)
        else:
            raise _not_a_child(item, base)

    def add_text(self, text: str, base: Path, slot: str, siblings: _Siblings) -> None:
        if not siblings.text:
            siblings.text_path = child_path(base, "text", slot, None)
        siblings.text += text

    def end_text(self, siblings: _Siblings) -> None:
        """Make one node of the neighbouring pieces of text."""
        text, siblings.text = siblings.text, ""
        if not text or (siblings.text_only is None and not text.strip()):
            return
        path = siblings.text_path
        id = generated_id(path)
        self.claim_id(id, None, path)
        siblings.nodes.append(
            TreeNode(id, path, "text", None, False, {}, text, (), None, siblings.parent_id, len(siblings.nodes))
        )

    def add_node(self, node: NodeBase, base: Path, slot: str, level: str, siblings: _Siblings) -> None:
        if siblings.text_only is not None:
            raise PropError(
                f"<{node.type}> stands inside <{siblings.text_only.type}>, whose children are its prompt: text, "
                "numbers and components that return text.",
                path=base,
                source=node.source,
            )
        path = self.deepest = child_path(base, node.type, slot, node.key)
        self.claim_key(node, base, level, siblings)
        id = NodeId(node.id) if node.id is not None else generated_id(path)
        self.claim_id(id, node.source, path)
        exists = not (isinstance(node, If) and not node.condition)
        position = len(siblings.nodes)
        children = self.children(node.children, path, node, id) if exists and node.children else ()
        siblings.nodes.append(
            TreeNode(
                id=id,
                path=path,
                type=node.type,
                key=node.key,
                explicit_id=node.id is not None,
                props={name: shown(value) for name, value in node.props().items()},
                text=None,
                events=node.handlers.events,
                source=node.source,
                parent_id=siblings.parent_id,
                position=position,
                children=children,
                node=node,
            )
        )

    def claim_id(self, id: NodeId, source: str | None, path: Path) -> None:
        if id in self.where:
            raise DuplicateIdError(
                f"two nodes have the id {id!r}: at {self.where[id] or '?'} and at {source or '?'}. An id is unique in "
                "the whole plan; for the items of a list, give each a key instead, or put the key into the id.",
                path=path,
                node_id=id,
                source=source,
            )
        self.where[id] = source

    def claim_key(self, item: NodeBase | Element | Fragment, base: Path, level: str, siblings: _Siblings) -> None:
        if item.key is None:
            return
        place = (f"{base} {level}", item.key)
        if place in siblings.keys:
            raise DuplicateKeyError(
                f"two siblings have the key {item.key!r}: at {siblings.keys[place] or '?'} and at "
                f"{item.source or '?'}. A key tells siblings apart; make it unique among them.",
                path=base,
                source=item.source,
            )
        siblings.keys[place] = item.source

    # ---- components --------------------------------------------------------------------------------------------

    def expand(self, element: Element, path: Path, siblings: _Siblings) -> None:
        """Call a component and place what it returns."""
        self.deepest = path
        component = element.component
        scope = RenderScope(
            self.snapshot, component.name, path, element.source or component.source, self.rendered.inits
        )
        returned = self.call(element, path, scope)
        if isinstance(returned, GeneratorType):
            raise PlanError(
                f"{component.name} is a generator. Return a list of nodes instead of yielding them.",
                path=path,
                source=component.source,
            )
        self.rendered.reads[path] = scope.reads
        self.place(returned, path, "0", "", siblings)
        for index, effect in enumerate(scope.effects, 1):
            self.place(effect, path, str(index), "effects", siblings)

    def call(self, element: Element, path: Path, scope: RenderScope) -> Any:  # Any: checked by place()
        component = element.component
        props = dict(element.props)
        if component.wants_ctx:
            props["ctx"] = self.ctx
        if component.wants_children:
            props["children"] = element.children
        try:
            with entered(self.ctx, scope):
                returned = component.function(**props)
            scope.check_mutations()
        except SmithersError as error:
            error.at(path=path)
            raise
        except RecursionError:
            raise
        except NameError as error:
            raise (
                misspelt_tag(error, self.known_tags(component.function)) or self.failed(error, path, scope)
            ) from error
        except Exception as error:
            raise self.failed(error, path, scope) from error
        if inspect.isawaitable(returned):
            if inspect.iscoroutine(returned):
                returned.close()
            raise RenderTaskError(
                f"{component.name} is async. Rendering can't await; do that in a <Task>, a handler or an Effect, and "
                "let it write to state.",
                path=path,
                source=component.source,
            )
        return returned

    @staticmethod
    def known_tags(function: object) -> list[str]:
        names = [node.__name__ for node in TAGS.values()] + ["Fragment"]
        return names + [name for name in getattr(function, "__globals__", {}) if name[:1].isupper()]

    @staticmethod
    def failed(error: Exception, path: Path, scope: RenderScope) -> ComponentError:
        return ComponentError(
            f"{scope.name} raised {type(error).__name__}: {error}. The frame was not committed; the one before stands.",
            path=path,
            source=sources.of_traceback(error.__traceback__) or scope.source,
        )


def _not_a_child(item: object, base: Path) -> PlanError:
    advice = "A child is a node, text, a number, None, or a list of these."
    if callable(item):
        name = getattr(item, "__name__", "…")
        advice = f"To use a component, write <{name} /> or {name}(), with @component above its definition."
    return PlanError(f"a {type(item).__name__} ({item!r:.60}) can't be a child. {advice}", path=base)
