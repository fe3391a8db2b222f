"""The rendered plan: every node in its place, as plain immutable data.

The engine's trees and those that are read back from the store are the same thing; only the live ones carry the
user's node, with its handlers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from ..identity import NodeId, Path
from . import xml
from .base import NodeBase
from .parts import PARTS


# Not frozen, although nothing ever changes one: making a frozen dataclass takes four times as long.
@dataclass(slots=True)
class TreeNode:
    """A node in its place."""

    id: NodeId
    path: Path
    type: str
    key: str | None
    explicit_id: bool
    """True if the user gave the id."""
    props: dict[str, object]
    """The declared props that differ from their default, as JSON (``values.shown``)."""
    text: str | None
    """The text, for a text node only."""
    events: tuple[str, ...]
    source: str | None
    parent_id: NodeId | None
    position: int
    """Place among the parent's rendered children, from 0."""
    children: tuple[TreeNode, ...] = ()
    loop: str = ""
    """Path of the innermost loop iteration that it stands in: with a new one the node mounts again."""
    node: NodeBase | None = field(default=None, compare=False)
    """The user's node; None in a tree that was read back."""

    def walk(self) -> Iterator[TreeNode]:
        """Yield this node and all below it in document order."""
        return walk((self,))

    def same_content(self, other: TreeNode) -> bool:
        """Return True if both look the same; their places and children are not compared."""
        return (
            self.props == other.props
            # 1, 1.0 and True are equal, and not the same.
            and repr(self.props) == repr(other.props)
            and self.text == other.text
            and self.events == other.events
            and self.key == other.key
        )

    @property
    def content(self) -> str:
        """The text of the node and all below it: the prompt of an agent node."""
        return "".join(node.text or "" for node in self.walk())

    @property
    def legible(self) -> str:
        """The content with its files in words, as the prompt of an agent node is shown."""
        inner = (node.text or "" if node.type not in PARTS else in_words(node) for node in walk(self.children))
        return (self.text or "") + "".join(inner)

    def __repr__(self) -> str:
        return f"<{self.type} {self.id} at {self.path}>"


@dataclass(frozen=True, slots=True)
class Patch:
    """The step from one tree to the next: all nodes that are not one object in both, by id."""

    of: tuple[TreeNode, ...]
    """The roots of the former tree."""
    before: dict[str, TreeNode]
    after: dict[str, TreeNode]


@dataclass(frozen=True)
class Tree:
    """A whole plan."""

    roots: tuple[TreeNode, ...] = ()
    # Both save RENDER and RECONCILE a walk over all nodes: one node of 10,000 often changes alone.
    known: dict[str, TreeNode] | None = field(default=None, compare=False, repr=False)
    """The index, if the tree's maker has it already."""
    patch: Patch | None = field(default=None, compare=False, repr=False)
    """The new nodes, if only a part was rendered again. Without it ``diff`` has to look at all nodes."""

    @cached_property
    def index(self) -> dict[str, TreeNode]:
        """Every node by its id, in no order."""
        if self.known is not None:
            return self.known
        return {node.id: node for node in self.walk()}

    def order(self, id: str) -> tuple[int, ...]:
        """Return a sort key that puts ids in document order: the positions from the root down."""
        positions: list[int] = []
        node = self.index.get(id)
        while node is not None:
            positions.append(node.position)
            if node.parent_id is None:
                break
            node = self.index.get(node.parent_id)
        return tuple(reversed(positions))

    def walk(self) -> Iterator[TreeNode]:
        """Yield every node in document order, parents first."""
        return walk(self.roots)

    @cached_property
    def xml(self) -> str:
        """The plan as XML: one element a node."""
        return xml.serialize(self.roots)

    def __len__(self) -> int:
        return len(self.index)

    def __repr__(self) -> str:
        return f"<Tree of {len(self)} nodes>"


def walk(siblings: tuple[TreeNode, ...]) -> Iterator[TreeNode]:
    """Yield each node and all below it in document order."""
    stack = list(reversed(siblings))
    while stack:
        node = stack.pop()
        yield node
        if node.children:
            stack.extend(reversed(node.children))


EMPTY = Tree()


def in_words(part: TreeNode) -> str:
    """Return a file of a prompt in words: its kind and place, its media type, size and hash, where they are known.

    >>> in_words(TreeNode("i", "/", "image", None, False, {"media_type": "image/png", "size": 1200, "hash": "3f"},
    ...                   None, (), None, None, 0))
    '[image: image/png, 1,200 bytes, hash 3f]'
    """
    shown = [str(part.props[name]) for name in ("src", "media_type") if name in part.props]
    size = part.props.get("size")
    if isinstance(size, int):
        shown += [f"{size:,} bytes", f"hash {part.props['hash']}"]
    return f"[{part.type}: {', '.join(shown)}]"
