"""Which mistakes are reported, where, and in which words."""

from __future__ import annotations

from typing import Any

import pytest

from smithers_nb.syntax.compile import parse

SPREAD = "a child needs no spread; use {xs}, lists are flattened"
STATEMENT = "begins a statement, and braces take an expression: [… for x in xs], or a if b else c"

MISTAKES = [
    # The tags themselves.
    ("an unclosed element", "x = 1\ny = <A>text\n", 2, 5, "'<A>' was never closed"),
    (
        "an unclosed inner element",
        "<A>\n  <B>\n</A>",
        3,
        1,
        "closing tag '</A>' does not match '<B>' opened on line 2. As text, write {'<B>'}",
    ),
    ("an unclosed fragment", "x = (<>", 1, 6, "'<>' was never closed"),
    ("an unclosed tag", "x = [\n  <A b='1'\n", 2, 3, "'<A' was never closed"),
    ("a tag that ends before a value", "<A b=", 1, 1, "'<A' was never closed"),
    (
        "another closing tag",
        "x = (\n\n  <A>\n    </B>)",
        4,
        5,
        "closing tag '</B>' does not match '<A>' opened on line 3. As text, write {'</B>'}",
    ),
    (
        "a closing tag for a fragment",
        "<>\n</A>",
        2,
        1,
        "closing tag '</A>' does not match '<>' opened on line 1. As text, write {'</A>'}",
    ),
    (
        "a fragment's closing tag for an element",
        "<A></>",
        1,
        4,
        "closing tag '</>' does not match '<A>' opened on line 1. As text, write {'</>'}",
    ),
    ("a closing tag alone", "x = 1\n</A>", 2, 1, "closing tag '</A>' has no opening tag"),
    ("a second closing tag", "<A/></A>", 1, 5, "closing tag '</A>' has no opening tag"),
    ("a closing tag with props", "<A></A b='1'>", 1, 4, "malformed closing tag"),
    ("a closing tag cut off", "<A></A", 1, 4, "malformed closing tag"),
    ("two roots", "x = (<A/>\n     <B/>)", 2, 6, "two elements side by side; wrap them in <>...</>"),
    ("too many elements in one another", "x = " + "<A>" * 400, 1, 599, "nested too deeply"),
    ("too many braces in one another", "x = " + "<A>{" * 400, 1, 401, "nested too deeply"),
    # Props.
    ("a prop given twice", "<A\n  b='1'\n  c b={2}/>", 3, 5, "duplicate prop 'b' in '<A'"),
    ("a prop without quotes", "<A b=1/>", 1, 6, "the value of prop 'b' must be in quotes or braces: b={...}"),
    ("a bare lambda", "<A\n b=lambda: 1/>", 2, 4, "the value of prop 'b' must be in quotes or braces: b={...}"),
    ("a prop without a value", "<A b=/>", 1, 6, "the value of prop 'b' must be in quotes or braces: b={...}"),
    ("an empty expression", "<A b={}/>", 1, 6, "empty expression for prop 'b'"),
    ("a comment as an expression", "<A b={ /* c */ }/>", 1, 6, "empty expression for prop 'b'"),
    ("an empty spread", "<A {...}/>", 1, 4, "empty expression for the spread"),
    ("a string that does not end", "x = <A b='1/>\n", 1, 10, "unterminated string for prop 'b'"),
    ("an expression where a prop is due", "<A {b}/>", 1, 4, "expected {...props} or name={value} here"),
    ("a sign where a prop is due", "<A ?/>", 1, 4, "unexpected '?' in tag '<A'"),
    ("a slash that ends nothing", "<A / >", 1, 4, "unexpected '/' in tag '<A'"),
    # Braces.
    ("a brace that does not close", "<A>\n  {n\n</A>", 2, 3, "'{' was never closed. As text, write {'{'}"),
    ("a prop's brace that does not close", "<A b={n />", 1, 6, "'{' was never closed"),
    ("a bracket that does not close", "<A>{f(n</A>", 1, 6, "'(' was never closed. As text, write {'{'}"),
    (
        "a bracket that does not match",
        "<A>{f(n}</A>",
        1,
        8,
        "closing parenthesis '}' does not match opening parenthesis '('. As text, write {'{f(n}'}",
    ),
    (
        "a bracket that does not match one above",
        "<A>{f[\nn)}</A>",
        2,
        2,
        "closing parenthesis ')' does not match opening parenthesis '[' on line 1. As text, write {'{'}",
    ),
    ("a bracket that opens nowhere", "<A>{n)}</A>", 1, 6, "unmatched ')'. As text, write {'{n)}'}"),
    ("a stray brace", "<A>\n  a }\n</A>", 2, 5, "stray '}' in text; write {'}'}"),
    ("two statements", "<A>{a; b}</A>", 1, 6, "';' is not allowed inside an expression. As text, write {'{a; b}'}"),
    ("a spread as a child", "<A>{*xs}</A>", 1, 4, f"{SPREAD}. As text, write {{'{{*'}}"),
    ("a dotted spread as a child", "<A>{...xs}</A>", 1, 4, f"{SPREAD}. As text, write {{'{{...'}}"),
    (
        "a string in braces that does not end",
        "<A>{'n}</A>",
        1,
        5,
        """unterminated string literal. As text, write {"{'n}"}""",
    ),
    ("a comment that does not end", "<A>{/* n }</A>", 1, 5, "comment was never closed; '*/' is missing"),
    (
        "an XML comment that does not end",
        "<A>\n <!-- n </A>",
        2,
        2,
        "comment was never closed; '-->' is missing. As text, write {'<!--'}",
    ),
    # Python's own words, at the user's columns.
    ("a missing operand", "<A>\n  ü {n + }\n</A>", 2, 10, "invalid syntax. As text, write {'{n + }'}"),
    ("a missing operand in a prop", "<A bb='1' c={n +}/>", 1, 17, "invalid syntax"),
    (
        "a keyword in braces",
        "x = <A>{n}{return}</A>",
        1,
        12,
        f"'return' {STATEMENT}. As text, write {{'{{return}}'}}",
    ),
    (
        "a loop in braces",
        "<A>{ for i in x: <B/>}</A>",
        1,
        6,
        f"'for' {STATEMENT}. As text, write {{'{{ for i in x: <B/>}}'}}",
    ),
    ("the JavaScript and", "<A>\n  {n && <B/>}</A>", 2, 7, "Python has no '&&': write 'and'"),
    ("the JavaScript or", "<A>{n || <B/>}</A>", 1, 8, "Python has no '||': write 'or'"),
    (
        "the JavaScript condition",
        "<A>{n ? <B/> : <C/>}</A>",
        1,
        7,
        "Python has no '? :': write 'one if condition else other'",
    ),
    (
        "the JavaScript condition of whole elements",
        "<A>{n ? <B>b</B> : None}</A>",
        1,
        7,
        "Python has no '? :': write 'one if condition else other'",
    ),
    ("a JavaScript function", "<A b={x => <B/>}/>", 1, 9, "Python has no '=>': write 'lambda item: …'"),
    ("the JavaScript not", "<A>{!n}</A>", 1, 5, "Python has no '!': write 'not'"),
    ("the JavaScript equality", "<A>{n === 2}</A>", 1, 9, "Python has no '===': write '=='"),
    ("the JavaScript inequality", "<A>{n !== 2}</A>", 1, 9, "Python has no '!==': write '!='"),
    ("a JavaScript text", "<A>{`a ${n}`}</A>", 1, 5, "Python has no backquotes: write f'… {name} …'"),
    ("a missing comma", "x = <A b={[1 2]}/>", 1, 12, "invalid syntax. Perhaps you forgot a comma?"),
    ("a mistake after an element", "x = <A a={1} b='2'/> )", 1, 22, "unmatched ')'"),
    ("a mistake without JSX", "x = 1\ny = = 2", 2, 5, "invalid syntax"),
    ("a bad indent", "if 1:\n    <A/>\n  <B/>", 3, 7, "unindent does not match any outer indentation level"),
    ("a string that does not end in Python", "x = 1\ny = 'a", 2, 5, "unterminated string literal (detected at line 2)"),
    ("JSX in an f-string", "x = <A/>, f'{<A/>}'", 1, None, "f-string: "),
    ("a null byte", "x = '\0'", 1, None, "source code "),
    ("a lone surrogate", "x = '\ud800'", 1, None, "'utf-8' codec can't encode "),
]


# What people write in a prompt, and how the error says that it is written as text.
MEANT_AS_TEXT = [
    ('Return {"a": 1} only', """{'{"a": 1}'}"""),
    ('Return {"a": {"b": [1]}, "c": 2}', """{'{"a": {"b": [1]}, "c": 2}'}"""),
    ('{\n  "a": 1\n}', "put it into a string in braces: {'''{ … '''}"),
    ("Dear {your name},", "{'{your name}'}"),
    ("a {user's name}", """{"{user's name}"}"""),
    ("{%s} or {x = 5}", "{'{%s}'}"),
    ("{x = 5}", "{'{x = 5}'}"),
    ("{% if a %}", "{'{% if a %}'}"),
    ("{for each item}", "{'{for each item}'}"),
    ("{a; b}", "{'{a; b}'}"),
    ("{*bold*}", "{'{*'}"),
    ("an open {", "{'{'}"),
    ("a closed }", "{'}'}"),
    ("use <br> here", "{'<br>'}"),
    ("<br>", "{'<br>'}"),
    ('<p class="x">hi', """{'<p class="x">'}"""),
    ("Dear <Name>,", "{'<Name>'}"),
    ("List<int>", "{'<int>'}"),
    ("a <> b", "{'<>'}"),
    ("if a <b and c> d", "{'<b and c>'}"),
    ("a </document>", "{'</document>'}"),
    ("a </ b", "{'</'}"),
    ("a<b", "&lt; or {'<'}"),
    ("if x <y: z", "&lt; or {'<'}"),
    ("mail <me@here.org>", "&lt; or {'<'}"),
    ("see <https://here.org>", "&lt; or {'<'}"),
    ("a <!-- b", "{'<!--'}"),
]


@pytest.mark.parametrize(("prompt", "written"), MEANT_AS_TEXT)
def test_an_error_in_a_prompt_says_how_it_is_written_as_text(prompt: str, written: str, evaluate: Any) -> None:
    with pytest.raises(SyntaxError) as caught:
        parse(f"x = <A>{prompt}</A>", "<cell>")
    assert written in caught.value.msg
    if written[0] == "{":
        assert evaluate(f"x = <A>{written}</A>", A=0)[2][0] in prompt, "the advice is true"


def test_a_mistake_in_code_outside_of_a_text_is_not_taken_for_text() -> None:
    for source in ("<A b={n + }/>", "<A>{f(<B c=1/>)}</A>", "<A><B c=1/></A>", "x = <y"):
        with pytest.raises(SyntaxError) as caught:
            parse(source, "<cell>")
        assert "As text" not in caught.value.msg, source


@pytest.mark.parametrize(
    ("source", "line", "column", "message"), [pytest.param(*row[1:], id=row[0]) for row in MISTAKES]
)
def test_a_mistake_is_reported_where_it_is(source: str, line: int, column: int | None, message: str) -> None:
    with pytest.raises(SyntaxError) as caught:
        parse(source, "<cell>")
    error = caught.value
    assert error.msg.startswith(message) if column is None else error.msg == message
    assert (error.filename, error.lineno) == ("<cell>", line)
    if column is not None:
        assert error.offset == column
        assert error.text == source.split("\n")[line - 1] + "\n"
        assert (error.end_lineno or line, error.end_offset or column) >= (line, column)


def test_an_error_spans_what_it_is_about() -> None:
    with pytest.raises(SyntaxError) as caught:
        parse("<A>\n  text</Bcd>", "<cell>")
    assert (caught.value.offset, caught.value.end_lineno, caught.value.end_offset) == (7, 2, 13)


def test_an_indentation_error_stays_one() -> None:
    with pytest.raises(IndentationError):
        parse("def f():\n<A/>", "<cell>")
