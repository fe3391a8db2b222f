"""The answer of a model while it streams, as far as it has come."""

from __future__ import annotations

from typing import Any

from pydantic_core import from_json


class PartialAnswer:
    """Collects the pieces of one answer.

    >>> answer = PartialAnswer(["final_result"], structured=True)
    >>> answer.begin(0, "final_result", '{"title": "The ti')
    >>> answer.extend(0, 'des", "tags": ["sea", "mo')
    >>> answer.value()
    {'title': 'The tides', 'tags': ['sea', 'mo']}
    """

    def __init__(self, outputs: list[str], structured: bool) -> None:
        self._outputs = outputs
        """The names of the tools that give structured output."""
        self._structured = structured
        """True if the text is JSON."""
        self._text: dict[int, str] = {}
        self._arguments: dict[int, str] = {}
        self._given: dict[str, Any] = {}
        """Arguments that came as an object, and not as a text."""

    def again(self) -> PartialAnswer:
        """Return an empty one for the same answer."""
        return PartialAnswer(self._outputs, self._structured)

    def begin(self, index: int, tool: str | None, first: Any) -> None:  # Any: text, or arguments as an object
        """Begin a part: text, or the arguments of a tool; those of a tool that is no output are left out."""
        if tool is None:
            self._text[index] = ""
        elif tool in self._outputs:
            self._arguments[index] = ""
        self.extend(index, first)

    def extend(self, index: int, piece: Any) -> None:  # Any: text, or arguments as an object
        """Add a piece to a part."""
        if isinstance(piece, str) and index in self._text:
            self._text[index] += piece
        elif isinstance(piece, str) and index in self._arguments:
            self._arguments[index] += piece
        elif isinstance(piece, dict) and index in self._arguments:
            self._given |= piece

    def value(self) -> Any:  # Any: text, or what JSON holds
        """Return text, or the fields of structured output that have come; None if that is nothing yet."""
        if self._given:
            return self._given
        text = "".join(self._text.values())
        if arguments := "".join(self._arguments.values()):
            return _fields(arguments)
        if text and self._structured:
            return _fields(text)
        return text or None


def _fields(text: str) -> Any:  # Any: what JSON holds
    try:
        return from_json(text, allow_partial="trailing-strings") or None
    except ValueError:
        return None
