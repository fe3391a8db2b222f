"""The lint for plain English and plain code: docstrings, ternaries and comments, folder by folder."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGE = Path(__file__).parent.parent / "smithers_nb"
FRAGMENT = re.compile(
    r"(Of|By|What|Who|Whose|Whether|How|So many|When|Where|In|It|Its|One|Those|That|With|From|As|At most|They|There|And)\b"
)
"""Openings of docstrings that name nothing: a docstring begins with a verb or a noun phrase."""


class Words(NamedTuple):
    """The figures of a folder."""

    fragments: float
    """Docstrings that begin with a fragment, in percent."""
    ternaries: float
    """Ternaries in 1,000 lines that are not blank."""
    comments: float
    """Lines with a comment, in percent of those that are not blank."""
    nested: int
    """Ternaries inside of a ternary."""


GOAL = Words(fragments=2.0, ternaries=10.0, comments=4.0, nested=0)

# Folders that are not there yet. Figures here may only get better, and an entry goes when its folder reaches the goal.
ALLOWED: dict[str, Words] = {
    "top": Words(fragments=2.0, ternaries=17.0, comments=3.3, nested=1),
    "agents": Words(fragments=2.0, ternaries=10.0, comments=3.4, nested=0),
    "engine": Words(fragments=3.7, ternaries=10.0, comments=4.0, nested=0),
    "notebook": Words(fragments=12.4, ternaries=36.7, comments=3.6, nested=1),
}


def folders() -> list[str]:
    return ["top", *sorted(path.name for path in PACKAGE.iterdir() if any(path.glob("**/*.py")))]


def docstrings(tree: ast.AST) -> Iterator[str]:
    """Yield the docstrings of modules, classes, functions and attributes."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if not isinstance(body, list):
            continue
        for statement in body:
            value = statement.value if isinstance(statement, ast.Expr) else None
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield value.value.strip()


def words_of(sources: list[str]) -> Words:
    """Measure source texts together."""
    said: list[str] = []
    ternaries: list[ast.IfExp] = []
    lines: list[str] = []
    for source in sources:
        tree = ast.parse(source)
        said.extend(docstrings(tree))
        ternaries.extend(node for node in ast.walk(tree) if isinstance(node, ast.IfExp))
        lines.extend(line.strip() for line in source.splitlines() if line.strip())
    comments = [line for line in lines if line.startswith("#") or "  # " in line]
    return Words(
        fragments=100 * sum(1 for text in said if FRAGMENT.match(text)) / max(1, len(said)),
        ternaries=1000 * len(ternaries) / max(1, len(lines)),
        comments=100 * len(comments) / max(1, len(lines)),
        nested=sum(
            1 for one in ternaries if any(isinstance(node, ast.IfExp) for node in ast.walk(one) if node is not one)
        ),
    )


def measured(folder: str) -> Words:
    paths = (PACKAGE / folder).glob("**/*.py")
    if folder == "top":
        paths = PACKAGE.glob("*.py")
    return words_of([path.read_text() for path in sorted(paths)])


@pytest.mark.parametrize("folder", folders())
def test_a_folder_is_written_in_plain_words(folder: str) -> None:
    found, allowed = measured(folder), ALLOWED.get(folder, GOAL)
    assert found.fragments <= allowed.fragments
    assert found.ternaries <= allowed.ternaries
    assert found.comments >= allowed.comments
    assert found.nested <= allowed.nested


def test_allowances_name_folders_that_are_there() -> None:
    assert set(ALLOWED) <= set(folders())


def test_the_lint_sees_what_it_is_for() -> None:
    source = '"""Of a thing."""\nx = 1 if a else 2 if b else 3  # why\nclass A:\n    y: int\n    """The y."""\n'
    assert words_of([source]) == Words(fragments=50.0, ternaries=400.0, comments=20.0, nested=1)
