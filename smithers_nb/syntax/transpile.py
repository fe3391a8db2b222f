"""JSX to Python, line for line.

The source is read once, from left to right, by a stack of contexts: ``_Code`` (Python), ``_Tag`` (from ``<`` to
``>``) and ``_Content`` (from ``>`` to ``</``). Each takes one token at a time and may push a further context; there is
no recursion, so depth is limited by Python's own parser alone. A context writes nothing: it collects edits, each of
which replaces a stretch of the source. Text without an edit is copied, and every edit keeps the line breaks that it
replaces, so each token stays on its line and a source without JSX comes back as it was. Weaving source and edits
together also yields the segments, which lead from an offset in the output back to the source.

``<`` opens a tag only where Python expects an operand and a name or ``>`` follows; anywhere else it means "less than".
``<Phase name="plan">Do {x}</Phase>`` becomes ``__smithers_jsx__(Phase, {'name': "plan", }, 'Do ', (x))``.
"""

from __future__ import annotations

import html
import re
import sys
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from html.entities import html5
from typing import ClassVar, Final, NamedTuple, NoReturn, Protocol

__all__ = ["FRAGMENT", "RUNTIME", "Segment", "Transpiled", "as_text", "or_as_text", "transpile"]

RUNTIME: Final = "__smithers_jsx__"
"""The function that the output calls: ``RUNTIME(tag, props, *children)``."""

FRAGMENT: Final = "__smithers_fragment__"
"""The name that stands for the tag of ``<>…</>``."""


class Segment(NamedTuple):
    """Says that ``code[start:end]`` stems from ``source[source_start:source_end]``."""

    start: int
    end: int
    source_start: int
    source_end: int
    verbatim: bool
    """True if the two are the same text, so that offsets within them correspond."""


@dataclass(frozen=True)
class Transpiled:
    """Python code that has its source's line numbers, and the way back to its source's columns."""

    code: str
    segments: tuple[Segment, ...]
    """Ordered, gapless over ``code``, none of them empty."""
    source: str
    filename: str
    braces: tuple[tuple[int, int], ...] = ()
    """Spans in the source of the expressions that are children, braces included; inner ones come first."""

    def source_offset(self, offset: int, *, end: bool = False) -> int:
        """Return the offset in the source for one in the code.

        In generated text a start leads to the start of the replaced stretch; with ``end``, an exclusive end to its end.
        """
        if offset >= len(self.code):
            return len(self.source)
        # An exclusive end belongs to the character before it, which may be the last one of an earlier segment.
        inside = offset - int(end)
        segment = self.segments[max(bisect_right(self._starts, inside) - 1, 0)]
        if segment.verbatim:
            return min(segment.source_start + offset - segment.start, segment.source_end)
        if end:
            return segment.source_end
        return segment.source_start

    def child_at(self, offset: int) -> str | None:
        """Return the innermost ``{…}`` of an element's children that holds an offset in the source; None for none."""
        return next((self.source[start:end] for start, end in self.braces if start <= offset < end), None)

    @cached_property
    def _starts(self) -> list[int]:
        return [segment.start for segment in self.segments]


def transpile(source: str, filename: str = "<smithers>") -> Transpiled:
    """Return ``source`` with its JSX replaced by calls, every token on its line.

    The rest is left unchanged, whether or not it is valid Python: IPython's ``%``, ``!`` and ``?`` lines, too.

    Raises:
        SyntaxError: the JSX is malformed; line, column and text are those of ``source``.
    """
    scanner = _Scanner(source, filename)
    code, segments = _weave(source, scanner.scan())
    return Transpiled(code, segments, source, filename, braces=tuple(scanner.braces))


def as_text(text: str) -> str:
    """Return advice on writing a stretch of JSX that is meant as text.

    >>> as_text("<br>")
    "As text, write {'<br>'}"
    """
    if len(text) > _LONGEST_QUOTED or _LINE_BREAK.search(text):
        return f"As text, put it into a string in braces: {{'''{text[0]} … '''}}"
    return f"As text, write {{{text!r}}}"


def or_as_text(message: str, text: str) -> str:
    """Return a message, followed by advice on writing the text that it is about."""
    if not message.endswith("?"):
        message += "."
    return f"{message} {as_text(text)}"


_LONGEST_QUOTED = 80

# Edits: positions line for line.
#
# Tracebacks, breakpoints of debuggers, %debug, coverage and linecache know code by its line number alone, and none of
# them can be given a map. So an output line is always the source's line of that number, whatever an edit does to its
# columns; columns go back by segments, where an ast can be given other ones (compile.py).


class _Edit(NamedTuple):
    start: int
    end: int
    text: str


def _weave(source: str, edits: list[_Edit]) -> tuple[str, tuple[Segment, ...]]:
    """Return the edited source and its segments. The edits are in order and don't overlap."""
    parts: list[str] = []
    segments: list[Segment] = []
    written = done = 0
    for edit in [*edits, _Edit(len(source), len(source), "")]:
        pieces = ((source[done : edit.start], done, edit.start, True), (edit.text, edit.start, edit.end, False))
        for text, start, end, verbatim in pieces:
            if text:
                parts.append(text)
                segments.append(
                    Segment(
                        start=written, end=written + len(text), source_start=start, source_end=end, verbatim=verbatim
                    )
                )
                written += len(text)
        done = edit.end
    return "".join(parts), tuple(segments)


_LINE_BREAK = re.compile(r"\r\n?|\n")  # As Python's tokenizer reads them, a lone carriage return included.


def _line_breaks(text: str) -> str:
    return "".join(_LINE_BREAK.findall(text))


# Characters

_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]*);")


def _decoded(text: str) -> str:
    """Return the text with its entities replaced; one without its semicolon, or of an unknown name, is plain text."""
    return _ENTITY.sub(lambda found: _character(found[0]), text)


def _character(entity: str) -> str:
    # html.unescape takes the beginning of a name for an entity (&notit;), and drops some control characters.
    if entity[1] == "#" or entity[1:] in html5:
        return html.unescape(entity) or entity
    return entity


def _word_by_word(source: str) -> str:
    """Return the source with other characters where ``\\w`` and Python disagree on what a name is made of.

    A combining mark continues a name, and a superscript digit does not. All characters keep their offsets.
    """
    # Stand-ins that the patterns below read as Python reads the character itself: "_" begins a name, "0" only continues
    # one, and a bullet is no part of any.
    kinds = {}
    for mark in set(source):
        if mark.isascii() or mark.isalnum() == f"a{mark}".isidentifier():
            continue
        kinds[ord(mark)] = "0"
        if mark.isidentifier():
            kinds[ord(mark)] = "_"
        elif mark.isalnum():
            kinds[ord(mark)] = "\u2022"
    if not kinds:
        return source
    return source.translate(kinds)


def _name(text: str) -> str:
    """Return a name as Python's own parser takes it."""
    # In a call the parser would do it, but a prop's name becomes a string, and closing tags are compared here.
    return unicodedata.normalize("NFKC", text)


# Python's tokens, as far as JSX must know them
#
# The module tokenize can't be used: JSX is no Python, and on text such as "Don't" it raises, or looks for the end of a
# string to the end of the cell. Whether "<" opens a tag depends on the token before it, so tokens are needed. Only some
# differences between them matter: strings and comments, in which nothing is JSX; brackets, which end an expression;
# line ends, which begin a statement; and whether an operand may follow. Python's parser checks all else, and its errors
# are better than any that could be made here.

_TAG_NAME = re.compile(r"[^\W\d][\w-]*(?:\.[^\W\d]\w*)*")
_PROP_NAME = re.compile(r"[^\W\d][\w:-]*")
_TAG_START = re.compile(r"<(?=[^\W\d]|>)")

_TOKEN = re.compile(
    r"""
      (?P<newline>\r\n?|\n)
    | (?P<blank>[ \t\f\ufeff]+|\\(?:\r\n?|\n)|\#[^\r\n]*)
    | (?P<string>(?P<prefix>[bB][rR]?|[rR][bBfFtT]?|[fFtT][rR]?|[uU])?(?P<quote>'''|\"\"\"|'|\"))
    | (?P<name>[^\W\d]\w*)
    | (?P<number>0[xXoObB][\da-fA-F_]+|(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d[\d_]*)?[jJ]?)
    | (?P<open>[(\[{])
    | (?P<close>[)\]}])
    | (?P<shift><<=?)
    | (?P<tag><(?=[^\W\d]|>))
    | (?P<closing_tag></(?=[^\W\d]|>))
    | (?P<block_comment>/\*)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)

# Soft keywords are not among them: "match < 3" compares. After "for", "lambda" and "import" comes a name, and None,
# True and False are operands themselves.
_KEYWORDS_BEFORE_OPERAND = frozenset(
    {"and", "assert", "await", "del", "elif", "else", "from", "if", "in", "is"}
    | {"not", "or", "raise", "return", "while", "with", "yield"}
)
_BEFORE_OPERAND = _KEYWORDS_BEFORE_OPERAND | frozenset("([{,:;=+-*/%&|^~<>!@?")
"""The tokens after which Python expects an operand. Operators count by their last character."""
# "?" is none of Python's: after it a tag is taken for one, so that Python's error stands at the "?" of JavaScript.

_IPYTHON_ESCAPES = frozenset("%!?,;/")
"""No Python statement begins with one of these, but a line for IPython does."""

# Possessive: a pattern that gives characters back takes quadratic time on a long source.
_IPYTHON_LINE = re.compile(r"(?:[^\r\n\\]|\\(?:\r\n?|\n)?)*+")

_PAIRS = {")": "(", "]": "[", "}": "{"}

_MAX_PARENTHESES = 199
"""The depth to which Python's tokenizer lets brackets nest (MAXLEVEL in Parser/lexer/state.h), less one."""


# String literals
#
# "<" in a string is text, so its end must be found exactly. A pattern finds that of a plain string. Since PEP 701 an
# f-string may hold its own quote in a field, f"{d["k"]}", and fields nest: those are read by the same tokens.

_FSTRINGS_NEST = sys.version_info >= (3, 12)  # Before PEP 701 an f-string ended at its first quote.
_MAX_FSTRING_DEPTH = 100  # Python itself allows 150 levels (MAXFSTRINGLEVEL in Parser/lexer/state.h).

_STRING_REST = {
    "'": re.compile(r"(?:[^'\\\r\n]|\\\r\n|\\.)*+'", re.DOTALL),
    '"': re.compile(r'(?:[^"\\\r\n]|\\\r\n|\\.)*+"', re.DOTALL),
    "'''": re.compile(r"(?:[^'\\]|\\.|'(?!''))*+'''", re.DOTALL),
    '"""': re.compile(r'(?:[^"\\]|\\.|"(?!""))*+"""', re.DOTALL),
}


def _string_end(source: str, opening: re.Match[str], depth: int = 0) -> int | None:
    """Return the end of the string whose prefix and quote ``opening`` matched; None if it has none."""
    if _has_fields(opening):
        return _fstring_end(source, opening.end(), opening["quote"], depth)
    return _plain_string_end(source, opening)


def _plain_string_end(source: str, opening: re.Match[str]) -> int | None:
    rest = _STRING_REST[opening["quote"]].match(source, opening.end())
    if rest is None:
        return None
    return rest.end()


def _has_fields(opening: re.Match[str]) -> bool:
    return _FSTRINGS_NEST and not {"f", "t"}.isdisjoint((opening["prefix"] or "").lower())


def _fstring_end(source: str, at: int, quote: str, depth: int) -> int | None:
    """Return the end of the f-string whose text continues at ``at``."""
    # A name, \N{BULLET}, is the one brace that opens no field; "{{" is a brace of the text.
    mark = re.compile(rf"\\N\{{[^{{}}]*\}}|\\\r\n|\\[^{{}}]|\{{\{{?|{quote}|[\r\n]", re.DOTALL)
    while found := mark.search(source, at):
        at = found.end()
        if found[0] == quote:
            return at
        if found[0] in "\r\n" and len(quote) == 1:
            return None
        if found[0] == "{":
            field_end = _field_end(source, at, quote, depth + 1)
            if field_end is None:
                return None
            at = field_end
    return None


def _field_end(source: str, at: int, quote: str, depth: int) -> int | None:
    """Return the end of the replacement field that ``{`` before ``at`` opened."""
    brackets = 0
    while depth < _MAX_FSTRING_DEPTH and (token := _TOKEN.match(source, at)):
        at = token.end()
        if token.lastgroup == "string":
            string_end = _string_end(source, token, depth + 1)
            if string_end is None:
                return None
            at = string_end
        elif token.lastgroup == "open":
            brackets += 1
        elif token.lastgroup == "close" and brackets:
            brackets -= 1
        elif token.lastgroup == "close":
            if token[0] != "}":
                return None
            return at
        elif token[0] == ":" and not brackets:
            # From here on it is text again, f"{x:>10}". A ":" of a lambda, a slice or a dict is in brackets.
            return _format_end(source, at, quote, depth)
    return None


def _format_end(source: str, at: int, quote: str, depth: int) -> int | None:
    """Return the end of the replacement field whose format specification starts at ``at``."""
    mark = re.compile(rf"\\[^{{}}]|[{{}}]|{quote}|[\r\n]", re.DOTALL)
    while found := mark.search(source, at):
        at = found.end()
        if found[0] == "}":
            return at
        if found[0] == quote or (found[0] in "\r\n" and len(quote) == 1):
            return None
        if found[0] == "{":
            field_end = _field_end(source, at, quote, depth + 1)
            if field_end is None:
                return None
            at = field_end
    return None


# The scanner and its contexts


class _Context(Protocol):
    """A kind of text on the scanner's stack."""

    def step(self) -> None:
        """Take one token at the scanner's cursor: move on, collect edits, push a context or pop this one."""

    def unclosed(self) -> None:
        """Raise the error for the source's end within this context."""


class _Scanner:
    """The cursor, the stack and the edits, which all contexts share."""

    def __init__(self, source: str, filename: str) -> None:
        self.source = source
        self.words = _word_by_word(source)
        """The source for patterns that know names."""
        self.filename = filename
        self.at = 0
        self.edits: list[_Edit] = []
        self.braces: list[tuple[int, int]] = []
        """Spans of the expressions that are children."""
        self.stack: list[_Context] = [_Code(self)]
        self._parentheses = 0
        self._fstrings_nest = True

    def scan(self) -> list[_Edit]:
        """Return the edits that turn the source into Python."""
        while self.at < len(self.source):
            self.stack[-1].step()
        self.stack[-1].unclosed()
        return self.edits

    def replace(self, end: int, text: str = "") -> None:
        """Replace the source from the cursor to ``end`` by ``text`` and move there; line breaks stay."""
        self.edits.append(_Edit(self.at, end, text + _line_breaks(self.source[self.at : end])))
        self.at = end

    def nest(self, levels: int) -> None:
        """Count brackets that the output opens (or closes, if negative) at the cursor."""
        self._parentheses += levels
        if self._parentheses > _MAX_PARENTHESES:
            self.fail("nested too deeply", self.at)

    def open_brace(self, end: int, text: str, owner: str) -> None:
        """Replace the source up to ``end``, which opens an expression, by ``text``; continue in the expression."""
        opener = self.at
        self.nest(1)
        self.replace(end, text)
        self.stack.append(_Code(self, opener, owner))

    def open_element(self, separator: str = "") -> None:
        """Replace the ``<`` at the cursor by the beginning of a call; continue in the tag, or in the fragment."""
        start = self.at
        around = None
        if isinstance(content := self.stack[-1], _Content):
            around = content
        # The parenthesis of the call, and the brace of its props until the tag ends.
        self.nest(2)
        found = _TAG_NAME.match(self.words, start + 1)
        if found is None:
            self.replace(start + 2, f"{separator}{RUNTIME}({FRAGMENT}, {{}}")
            self.nest(-1)
            self.stack.append(_Content(self, "", start, around))
            return
        name = _name(self.source[start + 1 : found.end()])
        self.replace(start + 1, f"{separator}{RUNTIME}(")
        if _is_expression(name):
            self.at = found.end()
            self.replace(self.at, ", {")
        else:
            self.replace(found.end(), f"{name!r}, {{")
        self.stack.append(_Tag(self, name, start, around))

    def string_end(self, opening: re.Match[str]) -> int | None:
        """Return the end of the string at the cursor; None if it has none."""
        if not self._fstrings_nest:
            return _plain_string_end(self.source, opening)
        end = _string_end(self.source, opening)
        if end is None and _has_fields(opening):
            # Python will report the fault. Looking for the end from every later quote again takes quadratic time.
            self._fstrings_nest = False
            end = _plain_string_end(self.source, opening)
        return end

    def skip_comment(self, end_mark: str) -> None:
        """Leave out the comment at the cursor, which ends with ``end_mark``."""
        end = self.source.find(end_mark, self.at)
        if end < 0:
            message = f"comment was never closed; '{end_mark}' is missing"
            if end_mark == "-->":
                message = or_as_text(message, "<!--")
            self.fail(message, self.at)
        self.replace(end + len(end_mark))

    def line_of(self, offset: int) -> int:
        """Return the number of the line at ``offset``, from 1."""
        return len(_LINE_BREAK.findall(self.source, 0, offset)) + 1

    def fail(self, message: str, start: int, end: int | None = None) -> NoReturn:
        """Raise a SyntaxError at ``source[start:end]``, by default one character."""
        if end is None:
            end = start + 1
        line, column = self._position(start)
        end_line, end_column = self._position(end)
        text = _LINE_BREAK.split(self.source[start - column + 1 :], maxsplit=1)[0] + "\n"
        raise SyntaxError(message, (self.filename, line, column, text, end_line, end_column))

    def _position(self, offset: int) -> tuple[int, int]:
        starts = [0, *(found.end() for found in _LINE_BREAK.finditer(self.source, 0, offset))]
        return len(starts), offset - starts[-1] + 1


def _is_expression(tag: str) -> bool:
    """Return True if the tag is a Python expression; otherwise it is passed as a string."""
    return "-" not in tag and ("." in tag or not tag[0].islower())


class _Code:
    """Python: the module, or an expression in braces."""

    def __init__(self, scanner: _Scanner, opener: int | None = None, owner: str = "") -> None:
        self.scanner = scanner
        self.opener = opener
        """The position of the brace; None for the module."""
        self.owner = owner
        self.brackets: list[tuple[str, int]] = []
        self.last = ""
        """The token before the cursor; empty at the start of a logical line or of the expression."""

    def step(self) -> None:
        scanner = self.scanner
        token = _TOKEN.match(scanner.words, scanner.at)
        assert token is not None, "the pattern ends with an alternative for any character"
        kind, text = token.lastgroup, token[0]
        if kind in {"name", "number"}:
            self._take(token.end(), text)
        elif kind == "blank":
            scanner.at = token.end()
        elif kind == "newline":
            self._newline(token.end())
        elif kind == "string":
            self._string(token)
        elif kind == "open":
            self._open(text)
        elif kind == "close":
            self._close(text)
        elif kind == "tag":
            self._less_than()
        elif kind == "closing_tag":
            self._closing_tag()
        elif kind == "block_comment" and self.opener is not None:
            scanner.skip_comment("*/")
        else:
            self._operator(text)

    def unclosed(self) -> None:
        if self.opener is None:
            return
        mark, start = [("{", self.opener), *self.brackets][-1]
        self._fail(f"'{mark}' was never closed", start)

    def _fail(self, message: str, start: int, end: int | None = None) -> NoReturn:
        """Raise, with advice for braces of a child that are meant as text."""
        if self.owner == _CHILD and self.opener is not None:
            braces = _ONE_LINE_OF_BRACES.match(self.scanner.source, self.opener)
            text = "{"
            if braces is not None:
                text = braces[0]
            message = or_as_text(message, text)
        self.scanner.fail(message, start, end)

    def _take(self, end: int, token: str) -> None:
        self.scanner.at = end
        self.last = token

    def _newline(self, end: int) -> None:
        self.scanner.at = end
        if self.opener is None and not self.brackets:
            self.last = ""

    def _string(self, opening: re.Match[str]) -> None:
        source, start = self.scanner.source, opening.start()
        end = self.scanner.string_end(opening)
        if end is None and self.opener is not None:
            self._fail("unterminated string literal", start, opening.end())
        if end is None:
            # Python will report it. A string that can't span lines is taken to end with its line: code follows there.
            end = len(source)
            if len(opening["quote"]) == 1 and (line_break := _LINE_BREAK.search(source, start)):
                end = line_break.start()
        self._take(end, "''")

    def _open(self, bracket: str) -> None:
        self.brackets.append((bracket, self.scanner.at))
        if self.opener is not None:
            self.scanner.nest(1)
        self._take(self.scanner.at + 1, bracket)

    def _close(self, bracket: str) -> None:
        if self.opener is not None:
            self._check_close(bracket)
            self.scanner.nest(-1)
            if not self.brackets:
                self._end()
                return
        if self.brackets:
            self.brackets.pop()
        self._take(self.scanner.at + 1, bracket)

    def _check_close(self, bracket: str) -> None:
        """Raise unless ``bracket`` closes the innermost one. In the module that is left to Python."""
        opened, start = [("{", self.opener or 0), *self.brackets][-1]
        if opened == _PAIRS[bracket]:
            return
        scanner = self.scanner
        if not self.brackets:
            self._fail(f"unmatched '{bracket}'", scanner.at)
        line = scanner.line_of(start)
        message = f"closing parenthesis '{bracket}' does not match opening parenthesis '{opened}'"
        if line != scanner.line_of(scanner.at):
            message += f" on line {line}"
        self._fail(message, scanner.at)

    def _end(self) -> None:
        scanner = self.scanner
        if not self.last:
            scanner.fail(f"empty expression for {self.owner}", self.opener or 0, scanner.at + 1)
        if self.owner == _CHILD and self.opener is not None:
            scanner.braces.append((self.opener, scanner.at + 1))
        scanner.replace(scanner.at + 1, ")")
        scanner.stack.pop()

    def _less_than(self) -> None:
        scanner = self.scanner
        if not self.last or self.last in _BEFORE_OPERAND:
            # ``return<A/>`` is fine; the name that replaces ``<`` must not join the keyword.
            separator = ""
            if scanner.at and scanner.source[scanner.at - 1].isalpha():
                separator = " "
            self.last = "</>"
            scanner.open_element(separator)
        elif self.last == "</>":
            scanner.fail("two elements side by side; wrap them in <>...</>", scanner.at)
        else:
            self._take(scanner.at + 1, "<")

    def _closing_tag(self) -> None:
        self.unclosed()
        scanner = self.scanner
        closing = _CLOSING_TAG.match(scanner.words, scanner.at)
        end = scanner.at + 2
        if closing is not None:
            end = closing.end()
        scanner.fail(f"closing tag '{scanner.source[scanner.at : end]}' has no opening tag", scanner.at, end)

    def _operator(self, text: str) -> None:
        scanner = self.scanner
        if self.opener is None and not self.brackets and self._starts_ipython_line(text):
            line = _IPYTHON_LINE.match(scanner.source, scanner.at)
            assert line is not None, "the pattern matches an empty line, too"
            scanner.at = line.end()
            return
        if text == ";" and self.opener is not None and not self.brackets:
            self._fail("';' is not allowed inside an expression", scanner.at)
        self._take(scanner.at + len(text), text[-1])

    def _starts_ipython_line(self, text: str) -> bool:
        # ``%time <b`` and ``!grep <x`` are no Python, and their quotes and brackets need not match. Only at the start
        # of a statement: "%" and "/" between operands are operators. ``files = !ls`` is IPython's, too.
        if not self.last:
            return text in _IPYTHON_ESCAPES
        return self.last == "=" and text in "%!"


_GAP = re.compile(r"(?:[ \t\f\r\n]|\#[^\r\n]*+)++")
_EQUALS = re.compile(r"(?:[ \t\f\r\n]|\#[^\r\n]*+)*+=")
_SPREAD = re.compile(r"\{\s*(?:\.\.\.|\*\*)")
_EMPTY_BRACES = re.compile(r"\{\#[^\r\n]*?\#\}|\{(?:\s|\#[^\r\n]*+(?=[\r\n])|(?>/\*.*?\*/))*+\}", re.DOTALL)


class _Tag:
    """An opening tag after its name. Blanks and ``#`` comments in it are valid in the dict that it becomes."""

    def __init__(self, scanner: _Scanner, name: str, start: int, around: _Content | None) -> None:
        self.scanner = scanner
        self.name = name
        self.start = start
        self.around = around
        """The content that it is a child of; None for one in Python code."""
        self.props: set[str] = set()
        self.prop = ""
        """The prop whose value is due at the cursor."""
        self.separator = ""

    def step(self) -> None:
        scanner = self.scanner
        source = scanner.source
        if gap := _GAP.match(source, scanner.at):
            scanner.at = gap.end()
        elif source.startswith("/*", scanner.at):
            scanner.skip_comment("*/")
        elif self.prop:
            self._value()
        elif source.startswith("/>", scanner.at):
            scanner.replace(scanner.at + 2, "})")
            scanner.nest(-2)
            scanner.stack.pop()
        elif source.startswith(">", scanner.at):
            scanner.replace(scanner.at + 1, "}")
            scanner.nest(-1)
            scanner.stack[-1] = _Content(scanner, self.name, self.start, self.around)
        elif source.startswith("{", scanner.at):
            self._spread()
        else:
            self._prop()

    def unclosed(self) -> None:
        self._fail(f"'<{self.name}' was never closed", self.start, self.start + 1 + len(self.name))

    def _fail(self, message: str, start: int, end: int | None = None) -> NoReturn:
        """Raise, with advice for a ``<`` that is meant as text, as in ``if a <b``."""
        if self.around is not None and (self.name[:1].islower() or self.around.has_text()):
            message = f"{message}. As text, write '<' as &lt; or {{'<'}}"
        self.scanner.fail(message, start, end)

    def _prop(self) -> None:
        scanner = self.scanner
        found = _PROP_NAME.match(scanner.words, scanner.at)
        if found is None:
            self._fail(f"unexpected {scanner.source[scanner.at]!r} in tag '<{self.name}'", scanner.at)
        name = _name(scanner.source[scanner.at : found.end()])
        if name in self.props:
            self._fail(f"duplicate prop '{name}' in '<{self.name}'", scanner.at, found.end())
        self.props.add(name)
        equals = _EQUALS.match(scanner.source, found.end())
        item = f"{self.separator}{name!r}: "
        self.separator = ", "
        if equals is None:
            scanner.replace(found.end(), f"{item}True")
            return
        scanner.replace(found.end(), item)
        self.prop = name
        # Blanks and comments before the sign are kept: a line break among them must stay.
        scanner.at = equals.end() - 1
        scanner.replace(equals.end())

    def _value(self) -> None:
        scanner, name = self.scanner, self.prop
        self.prop = ""
        mark = scanner.source[scanner.at]
        if mark in "\"'":
            self._quoted(mark, name)
        elif mark == "{":
            scanner.open_brace(scanner.at + 1, "(", f"prop '{name}'")
        elif _TAG_START.match(scanner.words, scanner.at):
            scanner.open_element()
        else:
            self._fail(f"the value of prop '{name}' must be in quotes or braces: {name}={{...}}", scanner.at)

    def _quoted(self, quote: str, name: str) -> None:
        scanner = self.scanner
        start = scanner.at + 1
        end = scanner.source.find(quote, start)
        if end < 0:
            self._fail(f"unterminated string for prop '{name}'", scanner.at)
        value = _LINE_BREAK.sub("\n", scanner.source[start:end])
        scanner.replace(end + 1, repr(_decoded(value)))

    def _spread(self) -> None:
        scanner = self.scanner
        if spread := _SPREAD.match(scanner.source, scanner.at):
            scanner.open_brace(spread.end(), f"{self.separator}**(", "the spread")
            self.separator = ", "
        elif empty := _EMPTY_BRACES.match(scanner.source, scanner.at):
            scanner.replace(empty.end())
        else:
            self._fail("expected {...props} or name={value} here", scanner.at)


# Content: between the tags

_CLOSING_TAG = re.compile(r"</\s*([\w.-]*)\s*>")
_TEXT = re.compile(r"(?:[^{}<]|<(?!/|>|!--|[^\W\d]))++")
_SPREAD_CHILD = re.compile(r"\{\s*(?:\*|\.\.\.(?=\s*[^\s}]))")
_BLANK_LINE = re.compile(r"[ \t\f]*\n")
_BLANK_LINES = re.compile(r"(?:[ \t\f]*\n)+")
_CHILD = "a child"
_ONE_LINE_OF_BRACES = re.compile(r"\{[^\r\n]*?\}+")
_BLANKS = " \t\f\r\n"  # Not every white space: a no-break space is meant.


@dataclass
class _Text:
    """A run of text among an element's children; comments in it are left out."""

    value: str
    slot: int
    """The index of the edit that is to become the string literal."""

    inline: ClassVar = False

    def extend(self, value: str, slot: int) -> None:
        """Append what follows a comment. A comment alone on its line takes the line with it."""
        rest_of_line = _BLANK_LINE.match(value)
        line_start = self.value.rfind("\n") + 1
        if rest_of_line and not self.value[line_start:].strip(_BLANKS):
            self.value = self.value[:line_start]
            value = value[rest_of_line.end() :]
        if not self.value.strip(_BLANKS):
            self.slot = slot
        self.value += value


@dataclass(frozen=True)
class _Other:
    """A child that is not text: an element, or an expression in braces."""

    inline: bool
    """True if it is part of the text around it, whose line breaks then count: true of expressions."""


_Child = _Text | _Other


class _Content:
    """The children of an element, from the end of its opening tag to the end of its closing tag."""

    def __init__(self, scanner: _Scanner, name: str, start: int, around: _Content | None) -> None:
        self.scanner = scanner
        self.name = name
        self.start = start
        self.end = scanner.at
        """The end of the opening tag."""
        self.around = around
        """The content that it is a child of; None for one in Python code."""
        self.children: list[_Child] = []

    def step(self) -> None:
        scanner = self.scanner
        source, at = scanner.source, scanner.at
        if text := _TEXT.match(scanner.words, at):
            self._text(text.end())
        elif source[at] == "{":
            self._brace()
        elif source[at] == "}":
            scanner.fail("stray '}' in text; write {'}'}", at)
        elif source.startswith("<!--", at):
            scanner.skip_comment("-->")
        elif source.startswith("</", at):
            self._close()
        else:
            self.children.append(_Other(inline=False))
            scanner.open_element(", ")

    def unclosed(self) -> None:
        self.scanner.fail(f"'<{self.name}>' was never closed", self.start, self.end)

    def _brace(self) -> None:
        scanner = self.scanner
        if empty := _EMPTY_BRACES.match(scanner.source, scanner.at):
            scanner.replace(empty.end())
        elif spread := _SPREAD_CHILD.match(scanner.source, scanner.at):
            message = or_as_text("a child needs no spread; use {xs}, lists are flattened", spread[0])
            scanner.fail(message, scanner.at, spread.end())
        else:
            self.children.append(_Other(inline=True))
            scanner.open_brace(scanner.at + 1, ", (", _CHILD)

    def has_text(self) -> bool:
        """Return whether there is text among the children so far."""
        return any(isinstance(child, _Text) and child.value.strip(_BLANKS) for child in self.children)

    def _text(self, end: int) -> None:
        """Keep the text for later and leave a slot for it, apart from the blanks around, whose lines must stay."""
        # Its margin is known only when all children are: the literal is made by ``_fill_slots`` at the closing tag.
        scanner = self.scanner
        start = scanner.at
        text = scanner.source[start:end]
        begin = start + len(text) - len(text.lstrip(_BLANKS))
        scanner.replace(begin)
        slot = len(scanner.edits)
        scanner.replace(max(begin, start + len(text.rstrip(_BLANKS))))
        scanner.replace(end)
        value = _LINE_BREAK.sub("\n", text)
        if self.children and isinstance(run := self.children[-1], _Text):
            run.extend(value, slot)
        else:
            self.children.append(_Text(value, slot))

    def _close(self) -> None:
        scanner = self.scanner
        closing = _CLOSING_TAG.match(scanner.words, scanner.at)
        if closing is None:
            message = "malformed closing tag"
            if self.has_text():
                message = or_as_text(message, "</")
            scanner.fail(message, scanner.at, scanner.at + 2)
        name = _name(scanner.source[closing.start(1) : closing.end(1)])
        if name != self.name:
            line = scanner.line_of(self.start)
            message = f"closing tag '</{name}>' does not match '<{self.name}>' opened on line {line}"
            if text := self._meant_as_text(name, closing.end()):
                message = or_as_text(message, text)
            scanner.fail(message, scanner.at, closing.end())
        self._fill_slots()
        scanner.replace(closing.end(), ")")
        scanner.nest(-1)
        scanner.stack.pop()

    def _meant_as_text(self, closing: str, end: int) -> str:
        """Return the tag that may be text: the closing one at the cursor, or that of this element, or none."""
        if not self._is_open(closing):
            return self.scanner.source[self.scanner.at : end]
        if self.around is None:
            return ""
        return self.scanner.source[self.start : self.end]

    def _is_open(self, name: str) -> bool:
        around: _Content | None = self
        while around is not None and around.name != name:
            around = around.around
        return around is not None

    def _fill_slots(self) -> None:
        margin = _margin(self.children)
        edits = self.scanner.edits
        for left, child, right in _with_neighbours(self.children):
            if isinstance(child, _Text):
                value = _without_blank_edges(_dedent(child.value, margin), left, right)
                if value:
                    slot = edits[child.slot]
                    edits[child.slot] = slot._replace(text=f", {_decoded(value)!r}{slot.text}")


def _with_neighbours(children: list[_Child]) -> Iterator[tuple[_Child, _Child, _Child]]:
    """Yield each child between its neighbours; to the first and the last, the parent's tag is one."""
    tag = _Other(inline=False)
    return zip([tag, *children], children, [*children[1:], tag], strict=False)


def _margin(children: list[_Child]) -> str:
    """Return the white space that all lines have in common which begin with text or with an expression."""
    indents: list[str] = []
    for _, child, right in _with_neighbours(children):
        if isinstance(child, _Text) and "\n" in child.value:
            *lines, last = child.value.split("\n")[1:]
            begins = [line for line in lines if line.strip(_BLANKS)]
            if last.strip(_BLANKS) or right.inline:
                begins.append(last)
            indents += (line[: len(line) - len(line.lstrip(" \t"))] for line in begins)
    return _common_start(indents)


def _common_start(texts: list[str]) -> str:
    first, last = min(texts, default=""), max(texts, default="")
    differing = (index for index, (a, b) in enumerate(zip(first, last, strict=False)) if a != b)
    return first[: next(differing, len(first))]


def _dedent(text: str, margin: str) -> str:
    """Return the text without the margin, and without the blanks of blank lines."""
    first, *lines = text.split("\n")
    if not lines:
        return text
    *lines, last = lines
    for place, line in enumerate(lines):
        lines[place] = ""
        if line.strip(_BLANKS):
            lines[place] = line.removeprefix(margin)
    return "\n".join([first, *lines, last.removeprefix(margin)])


def _without_blank_edges(text: str, left: _Child, right: _Child) -> str:
    """Return the text without the line breaks and blank lines that separate it from a tag."""
    end = len(text.rstrip(_BLANKS))
    if not right.inline and "\n" in text[end:]:
        text = text[:end]
    if not left.inline and (blank := _BLANK_LINES.match(text)):
        text = text[blank.end() :]
    return text
