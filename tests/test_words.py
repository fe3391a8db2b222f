"""The lint for plain English and plain code: docstrings, ternaries, comments and calls, folder by folder."""

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
STILTED = re.compile(
    r"\b(under way|is another|another one|who (has|wants|is|does|was)|no more\b|what (is|was|it|they|came|became)|nobody"
    r"|somebody|(is|are|was) told|said of|so many|anew|at hand|goes? on|go on)\b",
    re.IGNORECASE,
)
"""Phrases over which readers stumble: continues, running, no one, again, available and a noun say the same."""
ARGUMENTS = 4
"""The most positional arguments of a call; further ones have names."""
NAMELESS = {"run_in_executor"}
"""Functions that pass arguments on and take none by name."""


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
    stilted: float = 1.0
    """Stilted phrases in 1,000 words of docstrings."""
    positional: int = 0
    """Calls with more than four positional arguments."""


GOAL = Words(fragments=2.0, ternaries=10.0, comments=4.0, nested=0)

# Folders that are not there yet. Figures here may only get better, and an entry goes when its folder reaches the goal.
ALLOWED: dict[str, Words] = {
    "engine": GOAL._replace(positional=1),  # RENDER makes a node's record by position, for its speed.
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
    positional = 0
    for source in sources:
        tree = ast.parse(source)
        said.extend(docstrings(tree))
        ternaries.extend(node for node in ast.walk(tree) if isinstance(node, ast.IfExp))
        positional += sum(1 for node in ast.walk(tree) if isinstance(node, ast.Call) and _takes_many(node))
        lines.extend(line.strip() for line in source.splitlines() if line.strip())
    text = " ".join(said)
    comments = [line for line in lines if line.startswith("#") or "  # " in line]
    return Words(
        fragments=100 * sum(1 for text in said if FRAGMENT.match(text)) / max(1, len(said)),
        ternaries=1000 * len(ternaries) / max(1, len(lines)),
        comments=100 * len(comments) / max(1, len(lines)),
        nested=sum(
            1 for one in ternaries if any(isinstance(node, ast.IfExp) for node in ast.walk(one) if node is not one)
        ),
        stilted=1000 * len(STILTED.findall(text)) / max(1, len(text.split())),
        positional=positional,
    )


def _takes_many(call: ast.Call) -> bool:
    name = getattr(call.func, "attr", getattr(call.func, "id", None))
    return len(call.args) > ARGUMENTS and name not in NAMELESS


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
    assert found.stilted <= allowed.stilted
    assert found.positional <= allowed.positional


def test_allowances_name_folders_that_are_there() -> None:
    assert set(ALLOWED) <= set(folders())


def test_the_lint_sees_what_it_is_for() -> None:
    source = (
        '"""Of a thing."""\nx = 1 if a else 2 if b else 3  # why\nclass A:\n    y: int\n    """The y is another."""\n'
    )
    found = words_of([source])
    assert found == Words(fragments=50.0, ternaries=400.0, comments=20.0, nested=1, stilted=1000 / 7)


def test_the_lint_counts_the_positional_arguments_of_a_call() -> None:
    calls = "f(1, 2, 3, 4, 5)\na.f(1, 2, 3, 4, *b)\nf(1, 2, 3, 4, e=5)\nloop.run_in_executor(a, b, 1, 2, 3)\n"
    assert words_of([calls]).positional == 2
