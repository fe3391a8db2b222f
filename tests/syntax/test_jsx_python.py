"""Plain Python and lines for IPython come through as they are."""

from __future__ import annotations

import ast
import os
import time
from pathlib import Path
from typing import Any

import pytest

from smithers_nb.syntax.compile import parse
from smithers_nb.syntax.transpile import transpile

LIBRARY = Path(os.__file__).parent
FILES = sorted(
    path
    for folder in (
        "",
        "asyncio",
        "json",
        "email",
        "test",
        "unittest",
        "importlib",
        "multiprocessing",
        "xml/*",
        "encodings",
    )
    for path in LIBRARY.glob(f"{folder}/*.py".lstrip("/"))
)[:900]


def read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


def test_the_standard_library_is_untouched() -> None:
    sources = {path: source for path in FILES if (source := read(path)) is not None}
    assert len(sources) >= 300
    assert [path for path, source in sources.items() if transpile(source).code != source] == []


LARGE = """
@component
def Report{n}(ctx):
    notes = ctx.state.get("notes", {n}) if ctx.frame < 3 else f"{{ctx.frame:<4}}"
    return (
        <Phase name="research" {{...ctx.props}}>
            <Claude id="notes" model={{scripted("1. tides 2. turbines")}}
                    on_finished={{lambda r: ctx.state.set("notes", r.output)}}>
                Give two notes on {{topic}}; don't repeat "yourself".
                {{[<Step key={{i}}>{{i}}</Step> for i in range(10) if i < 5]}}
            </Claude>
        </Phase>
    )
"""


def seconds(source: str) -> float:
    def once() -> float:
        start = time.process_time()
        transpile(source)
        return time.process_time() - start

    return min(once() for _ in range(3))


def test_2000_lines_take_well_under_300_ms() -> None:
    source = "".join(LARGE.format(n=n) for n in range(160))
    assert source.count("\n") > 2000
    assert seconds(source) < 0.3


@pytest.mark.parametrize(
    "piece",
    [
        "<A/>\n",
        "x = a<b\n",
        "f'{a}'\n",
        "# note\n",
        "<A>{n} text {/* c */}\n text</A>\n",
        "{/* a */}",
        "\n",
        "!ls\n",
        "a &amp; <B/>",
    ],
)
def test_time_grows_with_length_alone(piece: str) -> None:
    wrap = "<A>{}</A>".format if piece.startswith(("{", "a &")) else str
    small, large = (seconds(wrap(piece * count)) for count in (1_000, 10_000))
    assert large < 10 * 4 * small + 0.05


IPYTHON = [
    ("a shell command", "!ls <file"),
    ("a shell command with quotes", "!echo 'don\"t <A>"),
    ("an indented shell command", "if x:\n    !ls <file\n    x = 1"),
    ("a command over lines", "!ls \\\n  <file \\\n <A>\nx = 1"),
    ("a captured command", "x = !ls <file"),
    ("a captured command over lines", "x = !ls \\\n  <file <A>\ny = 1"),
    ("captured twice", "x, y[0] = !!ls <A>"),
    ("a line magic", "%timeit a<b"),
    ("a line magic with a tag", "%html <A>"),
    ("an assigned magic", "x = %time <A>"),
    ("a cell magic", "%%html <A>"),
    ("help", "?obj\nobj?\nobj.a??\n??obj <A>"),
    ("automatic quotes and calls", ",f <A\n;f <A\n/f <A"),
    ("a magic after a comment", "x = 1 # note\n%timeit <A"),
    ("a magic after brackets", "x = (1,\n2)\n%timeit <A"),
]


@pytest.mark.parametrize("source", [pytest.param(source, id=name) for name, source in IPYTHON])
def test_a_line_for_ipython_is_untouched(source: str) -> None:
    assert transpile(source).code == source


def test_jsx_follows_a_line_for_ipython() -> None:
    source = "!ls <file\n<A/>\nx = %time <B/>\nx = <C/>"
    assert transpile(source).code.split("\n") == [
        "!ls <file",
        "__smithers_jsx__(A, {})",
        "x = %time <B/>",
        "x = __smithers_jsx__(C, {})",
    ]


def test_a_percent_sign_that_is_an_operator_starts_no_magic() -> None:
    source = "x = (5\n% <A/>)\ny = 5 \\\n% <A/>\nx %= <A/>\n"
    assert transpile(source).code.count("__smithers_jsx__") == 3


@pytest.fixture(scope="module")
def transform() -> Any:
    return pytest.importorskip("IPython.core.inputtransformer2").TransformerManager().transform_cell


CELL = """

!ls <file
files = !ls \\
   -l
obj?
%timeit a<b
report = (
    <A>
        !not a command
        is it help?
        ü {1 / 0}
    </A>
)
    # indented
"""


def test_ipython_reads_the_transpiled_cell(transform: Any) -> None:
    tree = parse(CELL, "<cell>", transform=transform)
    code = ast.unparse(tree)
    assert "get_ipython().system('ls <file')" in code
    assert "get_ipython().getoutput('ls     -l')" in code
    assert "get_ipython().run_line_magic('timeit', 'a<b')" in code
    assert "__smithers_jsx__(A, {}, '!not a command\\nis it help?\\nü ', 1 / 0)" in code


def test_positions_are_the_cells_after_ipython(transform: Any) -> None:
    tree = parse(CELL, "<cell>", transform=transform)
    lines = [node.lineno for node in tree.body]
    division = next(node for node in ast.walk(tree) if isinstance(node, ast.BinOp))
    assert lines == [3, 4, 6, 7, 8]
    assert (division.lineno, division.col_offset, division.end_col_offset) == (12, 12, 17)


def test_an_error_after_ipython_is_where_it_is(transform: Any) -> None:
    with pytest.raises(SyntaxError) as caught:
        parse("\n\n!ls \\\n -l\nx = <A>{n +}</A>\n", "<cell>", transform=transform)
    assert (caught.value.lineno, caught.value.offset) == (5, 12)
    assert caught.value.text == "x = <A>{n +}</A>\n"
