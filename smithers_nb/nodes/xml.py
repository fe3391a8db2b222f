"""The plan as XML. It parses, whatever text a model wrote, and has no memory addresses."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .tree import TreeNode

ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;"}
SPECIAL = re.compile("[&<>\"'\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""Characters that have to be escaped in text; in attributes tab and newline have to be, too."""
IN_ATTRIBUTE = re.compile("[\t\n]")


def serialize(roots: tuple[TreeNode, ...]) -> str:
    """Return the nodes as indented XML. It is one document: none or several roots stand in a ``<plan>``."""
    lines: list[str] = []
    if len(roots) == 1:
        _element(roots[0], 0, lines)
        return "\n".join(lines)
    for root in roots:
        _element(root, 1, lines)
    if not lines:
        return "<plan/>"
    return "\n".join(["<plan>", *lines, "</plan>"])


def attributes(node: TreeNode) -> list[tuple[str, str]]:
    """Return the attributes of a node in their order, unescaped: key, id, props, events."""
    found: list[tuple[str, str]] = []
    if node.key is not None:
        found.append(("key", node.key))
    if node.explicit_id:
        found.append(("id", node.id))
    found.extend((name, _attribute_text(value)) for name, value in node.props.items())
    if node.events:
        found.append(("events", ",".join(node.events)))
    return found


def escape(text: str) -> str:
    """Return text that is safe between tags.

    >>> escape("a<b & \\x00")
    'a&lt;b &amp; ␀'
    """
    return SPECIAL.sub(lambda found: _replacement(found[0]), text)


def escape_attribute(text: str) -> str:
    """Return text that is safe between double quotes; newlines and tabs survive a parser."""
    return IN_ATTRIBUTE.sub(lambda found: f"&#{ord(found[0])};", escape(text))


def visible(text: str) -> str:
    """Return the text with control characters shown as pictures (U+2400 …), as the XML and the widget show it."""
    return re.sub("[\x00-\x08\x0b-\x1f\x7f]", lambda found: _picture(ord(found[0])), text)


def _replacement(character: str) -> str:
    if entity := ESCAPES.get(character):
        return entity
    code = ord(character)
    if code < 0x20 or code == 0x7F:
        return _picture(code)
    # XML 1.0 has no way to write these, escaped or not: a document with one of them does not parse.
    return "\ufffd"


def _picture(code: int) -> str:
    if code == 0x7F:
        return chr(0x2421)
    return chr(0x2400 + code)


def _attribute_text(value: object) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


# Written by hand: xml.etree keeps control characters, which no parser takes, and its indent() adds to mixed text.
def _element(node: TreeNode, depth: int, lines: list[str]) -> None:
    indent = "  " * depth
    if node.type == "text" and node.text is not None:
        lines.append(f"{indent}<text>{escape(node.text)}</text>")
        return
    head = f"{indent}<{node.type}" + "".join(f' {name}="{escape_attribute(value)}"' for name, value in attributes(node))
    if not node.children:
        lines.append(f"{head}/>")
    elif any(child.type == "text" for child in node.children):
        # Indenting inside of an element that has text would add blanks to its text.
        lines.append(f"{head}>{''.join(_inline(child) for child in node.children)}</{node.type}>")
    else:
        lines.append(f"{head}>")
        for child in node.children:
            _element(child, depth + 1, lines)
        lines.append(f"{indent}</{node.type}>")


def _inline(node: TreeNode) -> str:
    if node.type == "text" and node.text is not None:
        return escape(node.text)
    head = f"<{node.type}" + "".join(f' {name}="{escape_attribute(value)}"' for name, value in attributes(node))
    if not node.children:
        return f"{head}/>"
    return f"{head}>{''.join(_inline(child) for child in node.children)}</{node.type}>"
