"""Laws: what is printed as JSX evaluates to what it was; garbage is a SyntaxError at worst."""

from __future__ import annotations

import ast
import html
import re
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smithers_nb.syntax.compile import parse
from smithers_nb.syntax.transpile import transpile

SETTINGS = settings(max_examples=150, deadline=None)


@dataclass(frozen=True)
class Value:
    """A Python value, to be printed in braces."""

    value: Any


@dataclass(frozen=True)
class Tree:
    tag: str
    props: dict[str, Any]
    children: list[Any]


# HTML reads the numbers of control characters as Windows-1252, or as nothing; a source can't hold surrogates.
characters = st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\t")
texts = st.text(characters, max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3) | st.tuples(inner, inner),
    max_leaves=5,
)
names = st.from_regex(r"\A[a-z][a-z0-9_-]{0,6}\Z")
trees = st.recursive(
    st.builds(Tree, names, st.dictionaries(names, texts | values.map(Value), max_size=3), st.just([])),
    lambda inner: st.builds(
        Tree,
        names,
        st.dictionaries(names, texts | values.map(Value) | inner, max_size=3),
        st.lists(inner | values.map(Value) | texts, max_size=4),
    ),
    max_leaves=8,
)


def printed(tree: Tree, depth: int = 0) -> str:
    """Return the tree as JSX. Elements are on lines of their own where that says the same."""
    props = "".join(f" {name}={prop(value)}" for name, value in tree.props.items())
    if not tree.children:
        return f"<{tree.tag}{props}/>"
    apart = all(isinstance(child, Tree) for child in tree.children)
    gap = "\n" + "  " * depth if apart else ""
    return f"<{tree.tag}{props}>{gap}{gap.join(child(c, depth) for c in tree.children)}{gap}</{tree.tag}>"


def prop(value: Any) -> str:
    if isinstance(value, Tree):
        return printed(value)
    return f"{{{value.value!r}}}" if isinstance(value, Value) else f'"{html.escape(value)}"'


def child(item: Any, depth: int) -> str:
    if isinstance(item, Tree):
        return printed(item, depth + 1)
    return f"{{{item.value!r}}}" if isinstance(item, Value) else escaped(item)


def escaped(text: str) -> str:
    """Return text as entities, as far as JSX would read it otherwise; the blanks are all it would trim."""
    return re.sub(r"[&<>{}\s]", lambda found: f"&#{ord(found[0])};", text)


def plain(item: Any) -> Any:
    """Return what the tree should evaluate to. Neighbouring texts are one, an empty one is none."""
    if not isinstance(item, Tree):
        return item.value if isinstance(item, Value) else item
    children: list[Any] = []
    for each in item.children:
        if isinstance(each, str) and children and isinstance(children[-1], str):
            children[-1] += each
        elif each != "":
            children.append(each)
    return item.tag, {name: plain(value) for name, value in item.props.items()}, [plain(each) for each in children]


@SETTINGS
@given(trees)
def test_a_printed_tree_evaluates_to_itself(evaluate: Any, tree: Tree) -> None:
    assert evaluate(f"y = 1\nx = {printed(tree)}\n") == plain(tree)


@SETTINGS
@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1))
def test_text_survives(evaluate: Any, text: str) -> None:
    source = text.replace("&", "&amp;").replace("<", "&lt;").replace("{", "&#123;").replace("}", "&#125;")
    assert evaluate(f"x = <a>{source}</a>") == ("a", {}, [text])


@SETTINGS
@given(st.lists(st.text(st.sampled_from("ab'\"\\#()[!?%\t "), max_size=8), min_size=1, max_size=6))
def test_lines_survive_apart_from_the_margin(evaluate: Any, lines: list[str]) -> None:
    lines = ["|", *lines, "|"]
    source = "".join(f"      {line}\n" for line in lines)
    expected = "\n".join(line if line.strip() else "" for line in lines)
    assert evaluate(f"x = (\n    <a>\n{source}    </a>\n)") == ("a", {}, [expected])


PIECES = [
    *("<A>", "</A>", "<A ", "/>", "<>", "</>", "<a.b ", "<", ">", "</", "<!--", "-->", "/*", "*/", "{/*", "*/}"),
    *(
        "{",
        "}",
        "{#",
        "#}",
        "{...",
        "{**",
        "(",
        ")",
        "[",
        "]",
        "'",
        '"',
        "'''",
        '"""',
        "f'",
        'rf"""',
        "b'",
        "\\",
        "\\N{",
    ),
    *(
        "=",
        "x",
        " b=",
        "b='1'",
        "lambda",
        "return ",
        "if ",
        ":",
        ";",
        ",",
        "#",
        "!",
        "%",
        "?",
        "1",
        ".",
        "&amp;",
        "&",
        "ü",
    ),
    *("\n", "\r\n", "\r", "\f", "\t", "  ", "\n    ", "\0", "\x85", "\u2028", "\ufeff"),
]
garbage = st.lists(st.sampled_from(PIECES), max_size=40).map("".join) | st.text(max_size=60)


@settings(max_examples=1000, deadline=2000)
@given(garbage)
def test_garbage_is_a_syntax_error_at_worst(source: str) -> None:
    try:
        transpiled = transpile(source)
    except SyntaxError as error:
        lines = re.split(r"\r\n?|\n", source)
        assert error.lineno is not None and error.offset is not None
        assert 1 <= error.lineno <= len(lines)
        assert 1 <= error.offset <= len(lines[error.lineno - 1]) + 2
        return
    assert transpiled.code.count("\n") == source.count("\n")
    assert transpiled.code.count("\r") == source.count("\r")
    assert all(0 <= transpiled.source_offset(i) <= len(source) for i in range(len(transpiled.code) + 1))


@settings(max_examples=500, deadline=2000)
@given(garbage)
def test_garbage_is_a_syntax_error_at_worst_when_parsed(source: str) -> None:
    try:
        tree = parse(source, "<cell>")
    except SyntaxError:
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.expr | ast.stmt):
            assert (node.lineno, node.col_offset) <= (node.end_lineno, node.end_col_offset)  # type: ignore[operator]


@SETTINGS
@given(st.sampled_from(PIECES), st.sampled_from(PIECES), st.integers(500, 5000))
def test_repetition_neither_hangs_nor_overflows(first: str, second: str, count: int) -> None:
    for source in ((first + second) * count, f"x = <A>{first * count}{second * count}"):
        try:
            transpile(source)
        except SyntaxError:
            continue


def test_broken_fstrings_in_one_another_take_no_time_to_speak_of() -> None:
    source = "f'{" * 5000
    assert transpile(source).code == source
    with pytest.raises(SyntaxError):
        transpile("x = <A>{" + source)
