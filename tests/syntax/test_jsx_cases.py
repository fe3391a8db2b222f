"""What each piece of JSX becomes, as a table."""

from __future__ import annotations

import asyncio
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from smithers_nb.syntax.transpile import transpile

A, B, C = "component A", "component B", "component C"
NAMES: dict[str, Any] = {
    "A": A,
    "B": B,
    "C": C,
    "ns": SimpleNamespace(Card="ns.Card", deep=SimpleNamespace(er="ns.deep.er")),
    "topic": "rust",
    "xs": [1, 2],
    "yes": True,
    "n": 2,
    "p": {"a": 1},
    "asyncio": asyncio,
}


def el(tag: str, props: dict[str, Any] | None = None, *children: Any) -> tuple[str, dict[str, Any], list[Any]]:
    return tag, props or {}, list(children)


TAGS = [
    ("a capitalised tag is a Python name", "x = <A/>", el(A)),
    ("a lower-case tag is a string", "x = <claude/>", el("claude")),
    ("a hyphenated tag is a string", "x = <my-tool/>", el("my-tool")),
    ("a hyphenated capitalised tag is a string", "x = <My-tool/>", el("My-tool")),
    ("a dotted tag is an expression", "x = <ns.Card/>", el("ns.Card")),
    ("a tag may have several dots", "x = <ns.deep.er></ns.deep.er>", el("ns.deep.er")),
    ("an underscore begins a name", "_a = 5\nx = <_a/>", el(5)),  # type: ignore[arg-type]
    ("a tag may be unicode", "Ñ = 5\nx = <Ñ>é</Ñ>", el(5, {}, "é")),  # type: ignore[arg-type]
    ("a tag may have combining marks", "हिन्दी = 5\nx = <हिन्दी>é</हिन्दी>", el(5, {}, "é")),  # type: ignore[arg-type]
    ("a tag may be Thai", "ที่ = 5\nx = <ที่/>", el(5)),  # type: ignore[arg-type]
    ("a decomposed tag is the composed name", "Caf\u00e9 = 5\nx = <Cafe\u0301></Caf\u00e9>", el(5)),  # type: ignore[arg-type]
    ("a decomposed lower-case tag is composed", "x = <cafe\u0301></caf\u00e9>", el("caf\u00e9")),
    ("a ligature in a tag is its letters", "x = <ﬁeld/>", el("field")),
    ("a dotted tag may have combining marks", "Ñ = ns\nx = <Ñ.Card></Ñ.Card>", el("ns.Card")),
    ("a letter that needs two words to Python is no tag", "x = <A>a <½ b <² c</A>", el(A, {}, "a <½ b <² c")),
    ("an element may have an opening and a closing tag", "x = <A></A>", el(A)),
    ("a closing tag may have blanks in it", "x = <A></ A >", el(A)),
    ("a fragment has no name", "x = <><A/><B/></>", el("<>", {}, el(A), el(B))),
    ("a fragment may be empty", "x = <></>", el("<>")),
    ("a lower-case tag may be a Python keyword", "x = <if><for/></if>", el("if", {}, el("for"))),
    ("tags nest", "x = <A><B><C/></B></A>", el(A, {}, el(B, {}, el(C)))),
]

PROPS = [
    ("a quoted prop is a string", 'x = <A m="s"/>', el(A, {"m": "s"})),
    ("single quotes do as well", "x = <A m='s'/>", el(A, {"m": "s"})),
    ("a quoted prop may be empty", 'x = <A m=""/>', el(A, {"m": ""})),
    ("a quoted prop may hold the other quote", "x = <A m='say \"hi\"'/>", el(A, {"m": 'say "hi"'})),
    ("a backslash in quotes is a backslash", 'x = <A m="a\\nb\\"/>', el(A, {"m": "a\\nb\\"})),
    ("entities in quotes are decoded", 'x = <A m="a &lt; b &quot;&#10;"/>', el(A, {"m": 'a < b "\n'})),
    (
        "an entity in quotes has its semicolon, or is text",
        'x = <A m="?q=1&copy=2&amp;&reg=3"/>',
        el(A, {"m": "?q=1&copy=2&&reg=3"}),
    ),
    ("a quoted prop may span lines", 'x = <A m="a\n  b"/>', el(A, {"m": "a\n  b"})),
    ("a brace in quotes is a brace", 'x = <A m="{n}"/>', el(A, {"m": "{n}"})),
    ("a tag in quotes is text", 'x = <A m="<B/>"/>', el(A, {"m": "<B/>"})),
    ("a prop in braces is an expression", "x = <A m={n + 1}/>", el(A, {"m": 3})),
    ("a dict in braces has two braces", "x = <A m={{'a': {}}}/>", el(A, {"m": {"a": {}}})),
    ("a tuple needs no parentheses", "x = <A m={1, 2}/>", el(A, {"m": (1, 2)})),
    ("a walrus needs none either", "x = <A m={y := 4} z={y}/>", el(A, {"m": 4, "z": 4})),
    ("a prop without a value is true", "x = <A on/>", el(A, {"on": True})),
    ("several are true", "x = <A on off>t</A>", el(A, {"on": True, "off": True}, "t")),
    ("a prop may have a hyphen", 'x = <A data-id="1"/>', el(A, {"data-id": "1"})),
    ("a prop may have a colon", 'x = <A xml:lang="de"/>', el(A, {"xml:lang": "de"})),
    ("a prop may be a keyword", 'x = <A class="c" if={yes}/>', el(A, {"class": "c", "if": True})),
    ("a prop may be unicode", 'x = <A título="ñ"/>', el(A, {"título": "ñ"})),
    (
        "a prop may have combining marks",
        "x = <A नाम='h' ที่={1} cafe\u0301 ﬁeld='f'/>",
        el(A, {"नाम": "h", "ที่": 1, "café": True, "field": "f"}),
    ),
    ("blanks around the equals sign don't matter", "x = <A a = {1} b\n=\n'2'/>", el(A, {"a": 1, "b": "2"})),
    (
        "blanks between props may be missing",
        "x = <A a='1'b='2'c={3}d/>",
        el(A, {"a": "1", "b": "2", "c": 3, "d": True}),
    ),
    ("props may be on lines of their own", "x = <A\n  a={1}\n\n  b={2}\n/>", el(A, {"a": 1, "b": 2})),
    ("props keep their order", "x = <A b={1} a={2}/>", el(A, {"b": 1, "a": 2})),
    ("an element may be a prop", "x = <A h=<B/> i={1}/>", el(A, {"h": el(B), "i": 1})),
    ("an element with children may be a prop", "x = <A h=<B>t</B>>u</A>", el(A, {"h": el(B, {}, "t")}, "u")),
    ("a fragment may be a prop", "x = <A h=<>t</>/>", el(A, {"h": el("<>", {}, "t")})),
    ("an element in braces may be a prop", "x = <A h={<B/>}/>", el(A, {"h": el(B)})),
    ("a spread has three dots", "x = <A {...p}/>", el(A, {"a": 1})),
    ("a spread may have two asterisks", "x = <A {**p}/>", el(A, {"a": 1})),
    ("a spread may have blanks", "x = <A { ... p }/>", el(A, {"a": 1})),
    ("a later prop wins over a spread", "x = <A {...p} a={2} b/>", el(A, {"a": 2, "b": True})),
    ("a spread wins over an earlier prop", "x = <A a={2} {...p} {...{'c': 3}}/>", el(A, {"a": 1, "c": 3})),
    ("a spread may be any expression", "x = <A {...(p if yes else {})}/>", el(A, {"a": 1})),
    ("a spread may span lines", "x = <A {...\n p\n}/>", el(A, {"a": 1})),
    ("a Python comment may stand between props", "x = <A # note > />\n  b='1'/>", el(A, {"b": "1"})),
    (
        "a Python comment may stand before a value",
        "x = <A b # note\n  = # note\n 1/>".replace(" 1", " {1}"),
        el(A, {"b": 1}),
    ),
    ("a JSX comment may stand between props", "x = <A {/* note */} b='1' /* note */ c/>", el(A, {"b": "1", "c": True})),
]

CHILDREN = [
    ("text is a string", "x = <A>hi</A>", el(A, {}, "hi")),
    ("braces are an expression", "x = <A>{topic}</A>", el(A, {}, "rust")),
    ("blanks around braces stay", "x = <A>Hi {topic} , ok </A>", el(A, {}, "Hi ", "rust", " , ok ")),
    ("a blank between braces stays", "x = <A>{topic} {n}</A>", el(A, {}, "rust", " ", 2)),
    ("blanks around elements stay", "x = <A>a <B/> b</A>", el(A, {}, "a ", el(B), " b")),
    ("a list stays a list", "x = <A>{xs}</A>", el(A, {}, [1, 2])),
    ("a tuple needs no parentheses", "x = <A>{topic, n}</A>", el(A, {}, ("rust", 2))),
    ("and may guard an element", "x = <A>{yes and <B/>}</A>", el(A, {}, el(B))),
    ("or may give a default", "x = <A>{None or <B/>}</A>", el(A, {}, el(B))),
    ("a conditional may choose", "x = <A>{<B/> if not yes else <C/>}</A>", el(A, {}, el(C))),
    (
        "a comprehension may make elements",
        "x = <A>{[<B i={i}/> for i in xs]}</A>",
        el(A, {}, [el(B, {"i": 1}), el(B, {"i": 2})]),
    ),
    ("braces nest", "x = <A>{<B>{<C>{n}</C>}</B>}</A>", el(A, {}, el(B, {}, el(C, {}, 2)))),
    ("a dict comprehension is no end", "x = <A>{{i: <B/> for i in [1]}}</A>", el(A, {}, {1: el(B)})),
    ("a lambda may return an element", "x = <A>{(lambda i: <B i={i}/>)(1)}</A>", el(A, {}, el(B, {"i": 1}))),
    ("a comparison in braces is one", "a = 1\nx = <A>{a<n}{a <n}</A>", el(A, {}, True, True)),
    ("a string in braces may hold braces", "x = <A>{'}'}{\"{\"}</A>", el(A, {}, "}", "{")),
    ("a string in braces may hold tags", "x = <A>{'</A>'}</A>", el(A, {}, "</A>")),
    ("a raw string is raw", r"x = <A>{r'\d\\'}</A>", el(A, {}, r"\d\\")),
    ("a triple-quoted string keeps its lines", "x = <A>{'''\n '} \n'''}</A>", el(A, {}, "\n '} \n")),
    ("an expression may span lines", "x = <A>{\n  n\n  +\n  1\n}</A>", el(A, {}, 3)),
    ("an expression may end with a comment", "x = <A>{n # }\n}</A>", el(A, {}, 2)),
    ("a JSX comment is no child", "x = <A>{/* } </A> */}<B/></A>", el(A, {}, el(B))),
    ("a JSX comment may span lines", "x = <A>{/* a\n b */\n}<B/></A>", el(A, {}, el(B))),
    ("a JSX comment may precede an expression", "x = <A>{/* a */ n /* b */}</A>", el(A, {}, 2)),
    ("a hash comment is no child", "x = <A>{# note #}<B/></A>", el(A, {}, el(B))),
    ("a Python comment in braces is no child", "x = <A>{# note }\n}<B/></A>", el(A, {}, el(B))),
    ("empty braces are no child", "x = <A>{}{ }{\n}</A>", el(A)),
    ("an XML comment is no child", "x = <A><!-- {n} </A> --><B/></A>", el(A, {}, el(B))),
    ("a comment does not split a text", "x = <A>a{/* b */}c<!-- d -->e</A>", el(A, {}, "ace")),
    ("a comment takes its line with it", "x = <A>\n  a\n  {/* b */}\n  c\n</A>", el(A, {}, "a\nc")),
    ("a comment at the end of a line leaves the line", "x = <A>\n  a{/* b */}\n  c\n</A>", el(A, {}, "a\nc")),
    ("a comment before text is left out", "x = <A>\n  {/* b */}\n  c\n</A>", el(A, {}, "c")),
    ("a comment between expressions takes its line", "x = <A>{n}\n {/* b */}\n {n}</A>", el(A, {}, 2, "\n", 2)),
]

TEXT = [
    ("apostrophes and quotes are text", 'x = <A>Don\'t say "hi"</A>', el(A, {}, 'Don\'t say "hi"')),
    ("triple quotes are text", "x = <A>'''\"\"\"</A>", el(A, {}, "'''\"\"\"")),
    ("a backslash is a backslash", r"x = <A>\d \n \" C:\</A>", el(A, {}, r"\d \n \" C:\ ".rstrip())),
    ("a hash is no comment", "x = <A># Title 50% // $x</A>", el(A, {}, "# Title 50% // $x")),
    ("an arrow is text", "x = <A>a -> b >> c</A>", el(A, {}, "a -> b >> c")),
    ("less-than before a blank or a digit is text", "x = <A>a < b <3 <= <- <</A>", el(A, {}, "a < b <3 <= <- <")),
    ("entities are decoded", "x = <A>a &lt; b &amp; &#x41;&copy;</A>", el(A, {}, "a < b & A©")),
    (
        "an entity has its semicolon, or is text",
        "x = <A>?q=1&copy=2&lt;&ampx &notit; &nope; &#65 &#x41;&#65;</A>",
        el(A, {}, "?q=1&copy=2<&ampx &notit; &nope; &#65 AA"),
    ),
    ("an entity that no character has is text", f"x = <A>&#1; &#x{'9' * 9}; &#{'9' * 5000};</A>", None),
    ("a lone ampersand is text", "x = <A>a & b && c</A>", el(A, {}, "a & b && c")),
    ("an entity for a blank is no edge", "x = <A>\n  &#32;a&#10;\n</A>", el(A, {}, " a\n")),
    ("a brace can be written in braces", "x = <A>{'{'}a{'}'}</A>", el(A, {}, "{", "a", "}")),
    ("unicode is text", "x = <A>日本 — ok 🎉</A>", el(A, {}, "日本 — ok 🎉")),
    ("brackets need not match", "x = <A>:-) [ (</A>", el(A, {}, ":-) [ (")),
    ("a keyword is text", "x = <A>return if not</A>", el(A, {}, "return if not")),
    ("lines of IPython are text", "x = <A>\n  !ls\n  %time\n  what?\n</A>", el(A, {}, "!ls\n%time\nwhat?")),
    ("lines are dedented and kept", "x = <A>\n    one\n      two\n\n    three\n</A>", el(A, {}, "one\n  two\n\nthree")),
    ("blank edges are lost", "x = <A>\n\n  one\n  \n\n</A>", el(A, {}, "one")),
    ("blanks on the line of a tag stay", "x = <A> one </A>", el(A, {}, " one ")),
    ("text may begin on the line of the tag", "x = <A>one\n    two\n  three\n</A>", el(A, {}, "one\n  two\nthree")),
    ("blanks at the end of an inner line stay", "x = <A>\n  one  \n  two\n</A>", el(A, {}, "one  \ntwo")),
    (
        "the prompt of the handbook",
        "x = <A>\n    Give two notes on {topic}.\n</A>",
        el(A, {}, "Give two notes on ", "rust", "."),
    ),
    ("a line may begin with an expression", "x = <A>\n  {n}\n    {n} b\n  c\n</A>", el(A, {}, 2, "\n  ", 2, " b\nc")),
    ("an expression may be outdented", "x = <A>\n    a\n{n}\n    b\n</A>", el(A, {}, "    a\n", 2, "\n    b")),
    ("a line break between expressions stays", "x = <A>\n  {n}\n  {n}\n</A>", el(A, {}, 2, "\n", 2)),
    ("blank lines between expressions stay", "x = <A>\n  {n}\n\n  {n}\n</A>", el(A, {}, 2, "\n\n", 2)),
    ("a line break between elements is lost", "x = <A>\n  <B/>\n\n  <C/>\n</A>", el(A, {}, el(B), el(C))),
    (
        "a line break between element and expression is lost",
        "x = <A>\n  <B/>\n  {n}\n  <C/>\n</A>",
        el(A, {}, el(B), 2, el(C)),
    ),
    ("text between elements loses its edges", "x = <A>\n  a\n  <B/>\n  b\n</A>", el(A, {}, "a", el(B), "b")),
    ("tabs indent as well", "x = <A>\n\t\ta\n\t\t\tb\n\t</A>", el(A, {}, "a\n\tb")),
    ("tabs and blanks have nothing in common", "x = <A>\n\ta\n  b\n</A>", el(A, {}, "\ta\n  b")),
    ("a no-break space is no blank", "x = <A>\n\xa0\n</A>", el(A, {}, "\xa0")),
    ("Windows line breaks become line feeds", "x = (\r\n\t<A>\r\n\t\ta\r\n\t\tb\r\n\t</A>)\r\n", el(A, {}, "a\nb")),
    ("old Mac line breaks as well", "x = (\r<A>\r a\r b\r</A>)\r", el(A, {}, "a\nb")),
]

PLACES = [
    ("after return", "def f():\n    return <A/>\nx = f()", el(A)),
    ("after return, without a blank", "def f():\n    return<A/>\nx = f()", el(A)),
    ("in parentheses", "x = (\n  # note\n  <A>\n    t\n  </A>\n)", el(A, {}, "t")),
    ("as an argument", "f = list\nx = f((<A/>, <B/>))", [el(A), el(B)]),
    ("as a keyword argument", "x = dict(a=<A/>)", {"a": el(A)}),
    ("as a default", "x = (lambda a=<A/>: a)()", el(A)),
    ("in a list and as a dict's value", "x = [<A/>, {'k': <B/>}]", [el(A), {"k": el(B)}]),
    ("in a generator expression", "x = list(<A/> for i in xs)", [el(A), el(A)]),
    ("after a colon", "if yes: x = <A/>\nelse: x = <B/>", el(A)),
    ("after a semicolon", "y = 1; x = <A/>", el(A)),
    ("after a walrus", "(x := <A/>)", el(A)),
    ("after yield and yield from", "def g():\n    yield <A/>\n    yield from <B/>\nx = list(g())", [el(A), B, {}, []]),
    (
        "after await",
        "async def g(e):\n    return e\nasync def f():\n    x = g(<A/>)\n    return await x\nx = asyncio.run(f())",
        el(A),
    ),
    ("after not", "x = not <A/>", False),
    ("after in and is", "x = [1 in <A/>, <A/> is <A/>]", [False, False]),
    ("after elif and while", "x = 0\nif 0: pass\nelif <A/>: x = 1\nwhile <A/> and x < 3: x += 1", 3),
    ("after assert", "assert <A/>\nx = 1", 1),
    ("after a line continuation", "x = \\\n  <A/>", el(A)),
    ("after an asterisk", "x = [*<A/>]", [A, {}, []]),
    ("under a decorator", "def d(f): return f\n@d\ndef f(c):\n    return <A/>\nx = f(0)", el(A)),
    ("in a match statement", "match n:\n    case 1: x = <A/>\n    case _ if <B/>: x = <C/>", el(C)),
    ("subscripted and called", "x = <A/>[0].upper()", A.upper()),
    ("as an operand", "x = <A/> + (1,)", (*el(A), 1)),
    ("after a string that ends with a backslash", "s = '\\\\'\nx = <A/>", el(A)),
    ("on a line of its own, after any statement", "y = 1\n<A/>\nimport os\n<B/>\nx = <C/>", el(C)),
    ("in an async function", "async def f():\n    return <A/>\nx = asyncio.run(f())", el(A)),
    (
        "after a type hint",
        "def f(a: list[int], b: dict[str, int] = {}) -> 'list[A]':\n    return <A/>\nx = f(1)",
        el(A),
    ),
    ("beside names that hold keywords", "inx = orx = 1\nx = [inx<n, orx <n, <A/>]", [True, True, el(A)]),
    ("beside f-strings with comparisons", 'a = 1\nx = <A s={f"{a<n} {n:<4}|"}/>', el(A, {"s": "True 2   |"})),
    ("beside f-strings with nested formats", 'w = 4\nx = <A>{f"{n:<{w}}| {{"}</A>', el(A, {}, "2   | {")),
    ("beside f-strings with escaped quotes", 'x = <A>{f"\\"{topic!r:>8}\\""}</A>', el(A, {}, "\"  'rust'\"")),
    ("beside multi-line f-strings", "x = <A>{f'''\n{topic}\n}}'''}</A>", el(A, {}, "\nrust\n}")),
    ("80 deep", "x = " + "<A>" * 80 + "</A>" * 80, None),
    ("190 deep", "x = " + "<A>" * 190 + "</A>" * 190, None),
    ("80 deep, each in braces", "x = " + "<A>{" * 80 + "n" + "}</A>" * 80, None),
    ("80 deep, each in a lambda", "x = " + "<A>{lambda: yes and " * 80 + "n" + "}</A>" * 80, None),
]

GROUPS = {"tag": TAGS, "prop": PROPS, "child": CHILDREN, "text": TEXT, "place": PLACES}
CASES = [
    pytest.param(source, value, id=f"{group}: {name}") for group in GROUPS for name, source, value in GROUPS[group]
]


@pytest.mark.parametrize(("source", "value"), CASES)
def test_jsx_evaluates_to(evaluate: Any, source: str, value: Any) -> None:
    assert evaluate(source, **NAMES) == value or value is None


F_STRINGS = [
    (
        "f-strings with quotes in formats",
        "import datetime\nx = <A>{f'{datetime.date(1, 2, 3):%d\"%m\"}'}</A>",
        el(A, {}, '03"02"'),
    ),
    ("f-strings with braces after a backslash", r"x = <A>{f'\N{BULLET}{n}'}</A>", el(A, {}, "•2")),
]


@pytest.mark.parametrize(("source", "value"), [pytest.param(s, v, id=name) for name, s, v in F_STRINGS])
def test_jsx_stands_beside_f_strings_that_look_like_it(evaluate: Any, source: str, value: Any) -> None:
    assert evaluate(source, **NAMES) == value


NEWER = [
    ("generic functions", "def f[T](a: T) -> T:\n    return a\nx = f(<A/>)", el(A)),
    ("type statements", "type T[K] = dict[K, int]\nx = <A/>", el(A)),
    ("nested quotes in f-strings", 'x = <A t={f"{\'a\' + f"{topic}"}"}/>', el(A, {"t": "arust"})),
    ("f-strings with comments", 'x = <A>{f"""{\n  n # }"\n}"""}</A>', el(A, {}, "2")),
]


@pytest.mark.parametrize(("source", "value"), [pytest.param(s, v, id=name) for name, s, v in NEWER])
def test_jsx_stands_beside_newer_python(evaluate: Any, source: str, value: Any) -> None:
    """What is new in Python 3.12; an older one says so itself, in the user's terms."""
    if sys.version_info >= (3, 12):
        assert evaluate(source, **NAMES) == value
    else:
        with pytest.raises(SyntaxError):
            evaluate(source, **NAMES)


UNTOUCHED = [
    ("nothing", ""),
    ("a comparison without blanks", "x = a<b"),
    ("a comparison with one blank", "x = 1 if a <b else c\ny = f(a) <b\nz = a[0] <b\n"),
    ("a chain of comparisons", "x = 1<n <m and 'a' <b"),
    ("shifts", "a = 1 <<b\na <<=c\nb = a <<b<<c"),
    ("soft keywords as names", "match <n\ncase <n\ntype <n\n_ <n\nprint <n\n"),
    ("numbers", "x = 1. <n, 1.5e-3 <n, 0xFF <n, 1_0j <n, .5 <n"),
    ("ellipsis", "x = ... <n"),
    ("tags in strings", "x = '<A/>', \"\"\"\n<A>\n\"\"\", b'<A/>', r'\\<A', f'<A/>'\n"),
    ("tags in comments", "# <A>\nx = 1 # <B\n"),
    ("tags in f-strings", "x = f'{n:<4} {{<A/>'\n"),
    ("strings that never end", "x = 'abc <A/>\ny = '''abc <A/>\n"),
    ("unbalanced brackets", "x = (1]\ny = )<b"),
    ("a byte order mark", "\ufeffx = 1"),
    ("form feeds and odd line breaks", "x = 1\f\ry = 2\r\n\x0b"),
]


@pytest.mark.parametrize("source", [pytest.param(source, id=name) for name, source in UNTOUCHED])
def test_python_without_jsx_is_untouched(source: str) -> None:
    assert transpile(source).code == source


def test_the_emitted_calls_have_the_agreed_shape() -> None:
    source = '<Phase name="plan" on>Do {x}<b/></Phase>; <>t</>'
    assert transpile(source).code == (
        "__smithers_jsx__(Phase, { 'name': 'plan' , 'on': True}, 'Do ', (x), __smithers_jsx__('b', {})); "
        "__smithers_jsx__(__smithers_fragment__, {}, 't')"
    )


def test_segments_cover_the_code_without_gaps() -> None:
    source = "x = <A a={1}>\n  ü {y}\n</A>\n"
    transpiled = transpile(source)
    ends = [0]
    for segment in transpiled.segments:
        assert segment.start == ends[-1] < segment.end
        if segment.verbatim:
            assert transpiled.code[segment.start : segment.end] == source[segment.source_start : segment.source_end]
        ends.append(segment.end)
    assert ends[-1] == len(transpiled.code)
