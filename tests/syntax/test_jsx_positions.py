"""Syntax trees, tracebacks, warnings and `inspect` show the user's own lines and columns."""

from __future__ import annotations

import ast
import inspect
import linecache
import traceback
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from smithers_nb.syntax.compile import cell_filename, parse, remap, remember
from smithers_nb.syntax.transpile import FRAGMENT, RUNTIME, transpile

CELL = '''
def report(topic):
    """A report."""
    return (
        <A name="übersicht" on={lambda r: [
                r, 1]}>
            Don't do this (
            {/* never */}
            日本 {topic} and {1 / (len(topic) - 4)} """
            <b c=<d e={topic.nothing}/>/>
        </A>
    )

def other(): return 1

class Kind:
    def method(self):
        return <A>it's</A>
'''


def run(source: str, filename: str = "<cell>", **names: Any) -> dict[str, Any]:
    space = {"__name__": "__main__", RUNTIME: lambda tag, props, *children: props, FRAGMENT: "", "A": "A", **names}
    exec(compile(parse(source, filename), filename, "exec", dont_inherit=True), space)
    return space


def marked(source: str) -> tuple[str, int, int, int, int]:
    """Return the source without its ‹marks›, and where they were: lines from 1, columns in bytes."""
    start, end = source.index("‹"), source.index("›") - 1
    source = source.replace("‹", "").replace("›", "")

    def position(offset: int) -> tuple[int, int]:
        before = source[:offset].split("\n")
        return len(before), len(before[-1].encode())

    return (source, *position(start), *position(end))


RAISING = [
    ("a child", "<A>{‹1 / 0›}</A>"),
    ("a child after text", "<A>\n   日本 {2} ü {‹1 / 0›} text\n</A>"),
    ("a child over lines", "<A>\n  {\n    ‹1 /\n 0›}\n</A>"),
    ("a prop", "<A a='ü' b={‹1 / 0›} c/>"),
    ("a prop on a line of its own", "<A\n  a\n\n  b={‹1 / 0›}\n/>"),
    ("a spread", "<A a='1' {...‹1 / 0›}/>"),
    ("an element as a prop", "<A a=<A b={‹1 / 0›}/>/>"),
    ("a nested element", "<A>\n  <A>\n    <A>{[‹1 / 0› for _ in [1]]}</A>\n  </A>\n</A>"),
    ("an unknown tag", "<A>\n  <‹Unknown› a='1'>text</Unknown>\n</A>"),
    ("an attribute of a dotted tag", "<A>\n  ü <‹A.unknown›/>\n</A>"),
    ("what follows an element", "[<A a='1'/>, ‹1 / 0›]"),
    ("what follows an element on other lines", "[<A>\n  text\n  more\n</A>, ‹1 / 0›]"),
    ("an f-string in a child", "<A>ü {f'{2}' + ‹str(1, 2, 3, 4)›}</A>"),
    ("plain Python", "x = ‹1 / 0›"),
]


@pytest.mark.parametrize("source", [pytest.param(source, id=name) for name, source in RAISING])
def test_a_traceback_points_into_the_source(source: str) -> None:
    source, *expected = marked("\n" + source)
    with pytest.raises((ZeroDivisionError, NameError, AttributeError, TypeError)) as caught:
        run(source)
    last = caught.value.__traceback__
    while last and last.tb_next:
        last = last.tb_next
    assert last is not None
    line, end_line, column, end_column = list(last.tb_frame.f_code.co_positions())[last.tb_lasti // 2]
    assert [line, column, end_line, end_column] == expected


RAISED_BY_RUNTIME = [
    ("an empty element", "x = ‹<A/>›"),
    ("an element with children", "x = 'ü', ‹<A>text {2}</A>›"),
    ("an element over lines", "x = (\n  ‹<A\n    b='1'>\n    text\n  </A>›\n)"),
    ("an element as a prop", "x = 'ü', [‹<A b='1' c/>›]"),
    ("a fragment", "x = ‹<>text</>›"),
]


@pytest.mark.parametrize("source", [pytest.param(source, id=name) for name, source in RAISED_BY_RUNTIME])
def test_the_call_covers_the_element(source: str) -> None:
    source, *expected = marked(source)
    call = next(node for node in ast.walk(parse(source, "<cell>")) if isinstance(node, ast.Call))
    assert [call.lineno, call.col_offset, call.end_lineno, call.end_col_offset] == expected


def test_text_and_props_are_where_they_stand() -> None:
    source = "x = <A a='ü' b>\n\n  some text\n   more\n  {2}</A>"
    constants = [node for node in ast.walk(parse(source, "<cell>")) if isinstance(node, ast.Constant)]
    found = {node.value: (node.lineno, node.col_offset, node.end_lineno, node.end_col_offset) for node in constants}
    assert found["ü"] == (1, 9, 1, 13)
    assert found["some text\n more\n"] == (3, 2, 4, 7)
    assert found[2] == (5, 3, 5, 4)


def test_source_without_jsx_has_the_positions_of_the_builtin_compiler() -> None:
    source = "def f(a, *b: int):\n    ü = f'{a!r:>{b}}'; return [\n a for a in b]\n\n@f\nclass K(dict): x = lambda: 1\n"
    assert ast.dump(parse(source, "f"), include_attributes=True) == ast.dump(ast.parse(source), include_attributes=True)


def test_a_printed_traceback_shows_jsx_and_carets() -> None:
    filename = cell_filename("report", CELL)
    remember(filename, CELL)
    with pytest.raises(ZeroDivisionError) as caught:
        run(CELL, filename)["report"]("four")
    line, caret = traceback.format_exception(caught.value)[-2].splitlines()[1:3]
    assert line.strip() == '日本 {topic} and {1 / (len(topic) - 4)} """'
    # Python 3.11 and 3.12 underline as many columns as the characters before are wide, or long.
    assert caret.strip() in {"~~^~~~~~~~~~~~~~~~~~", "~~^~~~~~~~~~~~~~~~~"}


def test_getsource_finds_functions_whatever_their_text() -> None:
    filename = cell_filename("report", CELL)
    remember(filename, CELL)
    linecache.checkcache(filename)
    space = run(CELL, filename)
    assert inspect.getsource(space["report"]) == CELL[1 : CELL.index("\ndef other")]
    assert inspect.getsource(space["other"]) == "def other(): return 1\n"
    assert inspect.getsource(space["Kind"].method) == CELL[CELL.index("    def method") :]
    assert inspect.getdoc(space["report"]) == "A report."
    handler = next(code for code in space["report"].__code__.co_consts if getattr(code, "co_name", "") == "<lambda>")
    assert inspect.getsource(handler).startswith('        <A name="übersicht" on={lambda r: [\n')


def test_a_source_that_is_no_jsx_can_be_remembered() -> None:
    remember("<broken>", "def f():\n    <A>\n")
    assert linecache.getlines("<broken>")[0:] == ["def f():\n", "    <A>\n"]
    assert list(linecache.getlines("<broken>")[1:]) == ["    <A>\n"]


def test_the_file_name_tells_the_cell_and_its_version() -> None:
    assert cell_filename("report", "x = 1") == "<smithers:report:8ff436de>"
    assert cell_filename("report", "x = 1") != cell_filename("report", "x = 2")
    assert cell_filename("r", "\ud800").startswith("<smithers:r:")


WARNED = [
    ("a backslash in a child", '\nx = <A>\n  \\d\n  {"\\d"}\n</A>', 4),
    ("a backslash in a prop", "\nx = <A b='\\d'\n c={'\\d'}/>", 3),
    ("a comparison with a literal", "\n\nx = <A b={1 is 1}/>", 3),
    ("a call of a literal", "x = <A>\n{1()}</A>", 2),
]


@pytest.mark.parametrize(("source", "line"), [pytest.param(*row[1:], id=row[0]) for row in WARNED])
def test_a_warning_comes_once_and_with_its_line(source: str, line: int) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        compile(parse(source, "<cell>"), "<cell>", "exec")
    assert [(warning.filename, warning.lineno) for warning in caught] == [("<cell>", line)]


def test_future_statements_of_the_library_do_not_leak() -> None:
    assert run("def f(a: int): pass")["f"].__annotations__ == {"a": int}


def test_flags_and_mode_are_passed_on() -> None:
    tree = parse("await f(<A/>)", "<cell>", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    assert isinstance(tree.body[0], ast.Expr)
    assert isinstance(parse("<A/>", "<cell>", mode="eval"), ast.Expression)


def shouting(code: str) -> str:
    """Change one line, as a magic would."""
    return code.replace("!shout", "shout('much longer than before')")


def joining(code: str) -> str:
    """Join continued lines and drop leading blank ones, as IPython does."""
    return code.lstrip("\n").replace("!shout \\\n  -l", "shout('-l')") + "\n"


TRANSFORMED = [
    ("nothing is changed", str, "\ny = <A>ü {‹1 / 0›}</A>"),
    ("a line above is changed", shouting, "!shout\ny = <A>ü {‹1 / 0›}</A>"),
    ("lines above are joined", joining, "\n\n!shout \\\n  -l\ny = <A>ü {‹1 / 0›}</A>"),
    ("indentation is taken away", lambda code: code.replace("\n  ", "\n"), "\n  y = 1\n  y = <A>ü {‹1 / 0›}</A>"),
    ("the line itself is changed", lambda code: code.replace("y =", "y = 1,"), "\n‹y = <A>ü {1 / 0}</A>›"),
    ("a line break is added", lambda code: code + "\n", "y = <A>ü {‹1 / 0›}</A>"),
]


@pytest.mark.parametrize(("transform", "source"), [pytest.param(*row[1:], id=row[0]) for row in TRANSFORMED])
def test_positions_survive_a_transformation(transform: Callable[[str], str], source: str) -> None:
    source, *expected = marked(source)
    tree = parse(source, "<cell>", transform=transform)
    division = next(node for node in ast.walk(tree) if isinstance(node, ast.BinOp))
    assert [division.lineno, division.col_offset, division.end_lineno, division.end_col_offset] == expected


def test_remap_takes_a_text_that_was_transformed_elsewhere() -> None:
    transpiled = transpile("!shout\nx = <A b='1' c={n}/>")
    text = shouting(transpiled.code)
    tree = remap(ast.parse(text), transpiled, text)
    name = next(node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == "n")
    assert (name.lineno, name.col_offset, name.end_col_offset) == (2, 16, 17)


def test_an_error_in_a_transformed_line_covers_the_line() -> None:
    with pytest.raises(SyntaxError) as caught:
        parse("x = <A/>\n!shout", "<cell>", transform=lambda code: code.replace("!shout", "a much longer mistake"))
    assert (caught.value.lineno, caught.value.offset, caught.value.end_offset) == (2, 1, 7)
    assert caught.value.text == "!shout\n"
