"""Which mistakes are reported, where, and in which words."""

from __future__ import annotations

import pytest

from smithers_nb.syntax.compile import parse

MISTAKES = [
    # The tags themselves.
    ("an unclosed element", "x = 1\ny = <A>text\n", 2, 5, "'<A>' was never closed"),
    ("an unclosed inner element", "<A>\n  <B>\n</A>", 3, 1, "closing tag '</A>' does not match '<B>' opened on line 2"),
    ("an unclosed fragment", "x = (<>", 1, 6, "'<>' was never closed"),
    ("an unclosed tag", "x = [\n  <A b='1'\n", 2, 3, "'<A' was never closed"),
    ("a tag that ends before a value", "<A b=", 1, 1, "'<A' was never closed"),
    (
        "another closing tag",
        "x = (\n\n  <A>\n    </B>)",
        4,
        5,
        "closing tag '</B>' does not match '<A>' opened on line 3",
    ),
    ("a closing tag for a fragment", "<>\n</A>", 2, 1, "closing tag '</A>' does not match '<>' opened on line 1"),
    (
        "a fragment's closing tag for an element",
        "<A></>",
        1,
        4,
        "closing tag '</>' does not match '<A>' opened on line 1",
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
    ("a brace that does not close", "<A>\n  {n\n</A>", 2, 3, "'{' was never closed"),
    ("a prop's brace that does not close", "<A b={n />", 1, 6, "'{' was never closed"),
    ("a bracket that does not close", "<A>{f(n</A>", 1, 6, "'(' was never closed"),
    (
        "a bracket that does not match",
        "<A>{f(n}</A>",
        1,
        8,
        "closing parenthesis '}' does not match opening parenthesis '('",
    ),
    (
        "a bracket that does not match one above",
        "<A>{f[\nn)}</A>",
        2,
        2,
        "closing parenthesis ')' does not match opening parenthesis '[' on line 1",
    ),
    ("a bracket that opens nowhere", "<A>{n)}</A>", 1, 6, "unmatched ')'"),
    ("a stray brace", "<A>\n  a }\n</A>", 2, 5, "stray '}' in text; write {'}'}"),
    ("two statements", "<A>{a; b}</A>", 1, 6, "';' is not allowed inside an expression"),
    ("a spread as a child", "<A>{*xs}</A>", 1, 4, "a child needs no spread; use {xs}, lists are flattened"),
    ("a dotted spread as a child", "<A>{...xs}</A>", 1, 4, "a child needs no spread; use {xs}, lists are flattened"),
    ("a string in braces that does not end", "<A>{'n}</A>", 1, 5, "unterminated string literal"),
    ("a comment that does not end", "<A>{/* n }</A>", 1, 5, "comment was never closed; '*/' is missing"),
    ("an XML comment that does not end", "<A>\n <!-- n </A>", 2, 2, "comment was never closed; '-->' is missing"),
    # Python's own words, at the user's columns.
    ("a missing operand", "<A>\n  ü {n + }\n</A>", 2, 10, "invalid syntax"),
    ("a missing operand in a prop", "<A bb='1' c={n +}/>", 1, 17, "invalid syntax"),
    (
        "a keyword in braces",
        "x = <A>{n}{return}</A>",
        1,
        12,
        "'return' begins a statement, and braces take an expression: [… for x in xs], or a if b else c",
    ),
    (
        "a loop in braces",
        "<A>{ for i in x: <B/>}</A>",
        1,
        6,
        "'for' begins a statement, and braces take an expression: [… for x in xs], or a if b else c",
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
