"""The answers to questions about an execution: statements as text, as a DataFrame and as static HTML."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from ...records import Statement
from ...store.frames import frame_from
from ..static import Readable, inert, tree

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class Explanation(Readable):
    """The answer to a question, in sentences: each with its frame, its row, and the evidence for it.

    A sentence that is one deeper than the one before it is a cause of that one; several of the same depth came
    together.
    """

    COLUMNS: ClassVar[dict[str, str]] = {
        "depth": "INTEGER",
        "text": "TEXT",
        "frame": "INTEGER",
        "phase": "TEXT",
        "node_id": "TEXT",
        "source": "TEXT",
        "table": "TEXT",
        "row_id": "TEXT",
        "execution_id": "TEXT",
        "evidence": "TEXT",
    }
    """The columns of ``df``: fields of a ``Statement``, with their types as in ``schema.sql``."""

    question: str
    statements: tuple[Statement, ...]

    @property
    def text(self) -> str:
        """The answer as plain text: the question, then a line per sentence, causes indented."""
        return "\n".join([inert(self.question), *(_line(one) for one in self.statements)])

    @cached_property
    def df(self) -> pd.DataFrame:
        """A row per sentence: depth, text, frame, phase, node_id, source, table, row_id, execution_id, evidence."""
        rows = [tuple(getattr(one, name) for name in self.COLUMNS) for one in self.statements]
        return frame_from(rows, self.COLUMNS)

    @property
    def roots(self) -> tuple[Statement, ...]:
        """The sentences that have no cause below them: where the chains end."""
        return tuple(_roots(self.statements))

    def _repr_html_(self) -> str:
        # Jupyter looks for this name.
        # No script and no style: a saved notebook shows it as it is, trusted or not.
        return tree(self.question, [(one.depth, one.text, place_of(one)) for one in self.statements])


def place_of(one: Statement) -> str:
    """Return where a statement belongs, and how it is known: ``frame 4 · report.py:12:9 · recorded``."""
    words = []
    if one.frame is not None:
        words.append(f"frame {one.frame}")
    if one.source is not None:
        words.append(one.source)
    words.append(one.evidence or "unknown")
    if one.link is not None:
        words.append(f"ask why of {one.link}")
    return " · ".join(words)


def _line(one: Statement) -> str:
    # A text with line breaks can't look like the next sentence.
    words = " ".join(inert(one.text).split())
    return f"{'  ' * (one.depth + 1)}{words}  [{inert(place_of(one))}]"


def _roots(statements: tuple[Statement, ...]) -> Iterator[Statement]:
    # Depth-first order: a sentence has causes if the next one is deeper.
    for place, one in enumerate(statements):
        below = statements[place + 1 : place + 2]
        if not below or below[0].depth <= one.depth:
            yield one
