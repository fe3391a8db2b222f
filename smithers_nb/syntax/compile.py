"""Compilation of a cell's source to an ``ast`` whose positions are the user's own.

``parse`` transpiles, lets the caller transform the Python that results (IPython's magics), and parses it. Every
position then goes back the same way: from the transformed text to the transpiled line, from there through the segments
to the source. Carets in tracebacks and syntax errors thus point into the JSX. ``remember`` lets them show the source.
"""

from __future__ import annotations

import ast
import hashlib
import linecache
import re
from bisect import bisect_right
from collections.abc import Callable
from difflib import SequenceMatcher
from typing import Any, NamedTuple, SupportsIndex, overload

from .transpile import Transpiled, or_as_text, transpile

__all__ = ["cell_filename", "offset_of", "parse", "remap", "remember"]


def parse(
    source: str,
    filename: str,
    mode: str = "exec",
    flags: int = 0,
    transform: Callable[[str], str] = str,
) -> ast.Module:
    """Return the syntax tree of ``source``, positions as in ``source``, ready for ``compile``.

    ``transform`` is applied to the transpiled code. On a line that it changes, other than by taking indentation away,
    columns can't be told, so a position there covers the whole line.

    Raises:
        SyntaxError: at the user's line and column, whether JSX or Python is at fault.
    """
    transpiled = transpile(source, filename)
    text = _restore_leading_lines(transform(transpiled.code), transpiled.code)
    try:
        tree: ast.Module = compile(text, filename, mode, ast.PyCF_ONLY_AST | flags, dont_inherit=True)
    except SyntaxError as error:
        raise _remapped_error(error, transpiled, text) from None
    except (RecursionError, MemoryError):
        raise _unplaced_error("nested too deeply", filename) from None
    except ValueError as error:  # A null byte or a lone surrogate.
        raise _unplaced_error(str(error), filename) from None
    return remap(tree, transpiled, text)


def remap(tree: ast.Module, transpiled: Transpiled, text: str | None = None) -> ast.Module:
    """Return ``tree``, its positions moved from the transpiled code to the source.

    ``text`` is the text that was parsed, if that is a transformed version of the transpiled code.
    """
    if text is None:
        text = transpiled.code
    positions = _Positions(transpiled, text)
    # The tree, not the code object: an ast takes new positions, and ``compile`` makes a table of them from it.
    for node in ast.walk(tree):
        if isinstance(node, _POSITIONED):
            start = positions.start(node.lineno, node.col_offset)
            end = positions.end(node.end_lineno or node.lineno, node.end_col_offset or 0)
            node.lineno, node.col_offset = start
            # On a line that IPython changed only one of the two may be known, and ``compile`` refuses an early end.
            node.end_lineno, node.end_col_offset = max(start, end)
    return tree


def offset_of(source: str, line: int, byte_column: int) -> int:
    """Return the offset in a source of a position as in ``ast``."""
    return _Lines(source).offset(line, byte_column)


def cell_filename(name: str, source: str) -> str:
    """Return the file name under which a cell's code is compiled: ``<smithers:NAME:sha8>``."""
    digest = hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest()
    return f"<smithers:{name}:{digest[:8]}>"


def remember(filename: str, source: str) -> None:
    """Make tracebacks and ``inspect.getsource`` show ``source`` for code compiled under ``filename``.

    ``inspect`` believes in a file that doesn't exist once it is in ``linecache``; None for its time of change keeps
    ``linecache.checkcache`` from dropping it. This serves functions and methods; a class has no file name of its own,
    ``inspect`` takes its module's.
    """
    linecache.cache[filename] = (len(source), None, _SourceLines(source), filename)


class _SourceLines(list[str]):
    """A source's lines, of which ``inspect.getsource`` can find the end of a function.

    For that, ``inspect.getblock`` reads the tokens of ``lines[start:]``, and stumbles over JSX text such as ``Don't``.
    Such a rest is therefore read as the transpiled lines, which have the same numbers; indexed, it is still the source.
    """

    def __init__(self, source: str) -> None:
        super().__init__(_Lines(source).with_breaks())

    @overload
    def __getitem__(self, key: SupportsIndex) -> str: ...
    @overload
    def __getitem__(self, key: slice) -> list[str]: ...
    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice) and key.stop is None and key.step is None:
            return _Rest(self, key.start or 0)
        return super().__getitem__(key)


class _Rest(list[str]):
    """``lines[start:]``, which iterates over Python."""

    def __init__(self, lines: _SourceLines, start: int) -> None:
        super().__init__(list(lines)[start:])
        self._lines = lines
        self._start = start

    def __iter__(self) -> Any:
        source = "".join(self._lines)
        try:
            code = transpile(source).code
        except SyntaxError:
            return super().__iter__()
        return iter(_Lines(code).with_breaks()[self._start :])


_POSITIONED: tuple[type[Any], ...] = (
    ast.expr,
    ast.stmt,
    ast.excepthandler,
    ast.arg,
    ast.keyword,
    ast.alias,
    ast.pattern,
)
if hasattr(ast, "type_param"):  # From Python 3.12 on.
    _POSITIONED += (ast.type_param,)

_Position = tuple[int, int]
"""Line, from 1, and column in UTF-8 bytes, from 0: as in ``ast``."""


class _Lines:
    """A text by lines, split where Python's tokenizer splits them."""

    def __init__(self, text: str) -> None:
        self.text = text
        # Not str.splitlines: it also splits at form feeds and at U+2028, which Python's tokenizer takes for blanks or
        # characters of a string, and all later line numbers would be wrong.
        self.starts = [0, *(found.end() for found in re.finditer(r"\r\n?|\n", text))]
        self.ends = [*self.starts[1:], len(text)]

    def __len__(self) -> int:
        return len(self.starts)

    def with_breaks(self) -> list[str]:
        """Return the lines as they are, without the empty one after a final line break."""
        return [self.text[start:end] for start, end in zip(self.starts, self.ends, strict=True) if start < end]

    def without_breaks(self) -> list[str]:
        return [self.line(number) for number in range(1, len(self) + 1)]

    def line(self, number: int) -> str:
        """Return a line without its line break."""
        return self.text[self.starts[number - 1] : self.ends[number - 1]].rstrip("\r\n")

    def offset(self, number: int, byte_column: int) -> int:
        return self.starts[number - 1] + _count_characters(self.line(number), byte_column)

    def position(self, offset: int) -> _Position:
        number = bisect_right(self.starts, offset)
        return number, _count_bytes(self.text[self.starts[number - 1] : offset].rstrip("\r\n"))


class _Origin(NamedTuple):
    """The origin of a line of the transformed text."""

    line: int
    """The line of the transpiled code, and so of the source."""
    shift: int | None
    """The number of columns of indentation that were removed; None if the line was changed otherwise."""


class _Positions:
    """A map from positions in a parsed text to the source that it was made from."""

    def __init__(self, transpiled: Transpiled, text: str) -> None:
        self._transpiled = transpiled
        self._code = _Lines(transpiled.code)
        self._source = _Lines(transpiled.source)
        self._origins = _origins(self._code.without_breaks(), _Lines(text).without_breaks())
        self._known: dict[tuple[int, int, bool], _Position] = {}

    def start(self, line: int, column: int) -> _Position:
        return self._position(line, column, end=False)

    def end(self, line: int, column: int) -> _Position:
        return self._position(line, column, end=True)

    def _position(self, line: int, column: int, *, end: bool) -> _Position:
        key = (line, column, end)
        if key not in self._known:
            self._known[key] = self._find(*key)
        return self._known[key]

    def _find(self, line: int, column: int, end: bool) -> _Position:
        origin = self._origins[min(line, len(self._origins)) - 1]
        if origin.shift is None:
            if end:
                return origin.line, _count_bytes(self._source.line(origin.line))
            return origin.line, 0
        offset = self._code.offset(origin.line, column + origin.shift)
        return self._source.position(self._transpiled.source_offset(offset, end=end))


def _origins(code: list[str], text: list[str]) -> list[_Origin]:
    """Return the origin of each line of ``text``, which was made from ``code``."""
    if text[-1] == "" != code[-1]:
        code = [*code, ""]
    if len(code) == len(text):
        return [_Origin(number, _shift(*lines)) for number, lines in enumerate(zip(code, text, strict=True), 1)]
    # IPython's transformers give no map. Equal lines are the same; of the others only the order is known.
    origins: list[_Origin] = []
    for kind, start, end, text_start, text_end in SequenceMatcher(None, code, text, autojunk=False).get_opcodes():
        if kind == "equal":
            origins += (_Origin(number, 0) for number in range(start + 1, end + 1))
            continue
        # IPython joins the lines of a magic that ends them with backslashes.
        firsts = [index for index in range(start, end) if index == start or not code[index - 1].endswith("\\")]
        firsts = firsts or [min(start, len(code) - 1)]
        origins += (_Origin(firsts[min(index, len(firsts) - 1)] + 1, None) for index in range(text_end - text_start))
    return origins


def _shift(line: str, transformed: str) -> int | None:
    """Return the indentation that ``transformed`` lacks, in columns; None if more than that was changed."""
    shift = len(line) - len(transformed)
    if shift >= 0 and line.endswith(transformed) and not line[:shift].strip():
        return shift
    return None


def _restore_leading_lines(text: str, code: str) -> str:
    """Return ``text`` with the blank lines at its beginning that IPython drops."""
    return "\n" * (_count_leading_lines(code) - _count_leading_lines(text)) + text


def _count_leading_lines(text: str) -> int:
    blank = text[: len(text) - len(text.lstrip())]
    return len(_Lines(blank)) - 1


def _remapped_error(error: SyntaxError, transpiled: Transpiled, text: str) -> SyntaxError:
    """Return an error of the same class, with position and line moved from the parsed text to the source."""
    if not error.lineno:
        return _unplaced_error(error.msg, transpiled.filename)
    positions, lines, source = _Positions(transpiled, text), _Lines(text), _Lines(transpiled.source)
    start = positions.start(error.lineno, _byte_column(lines, error.lineno, error.offset))
    end = start
    if error.end_lineno and (error.end_offset or 0) > 0:
        end = positions.end(error.end_lineno, _byte_column(lines, error.end_lineno, error.end_offset))
    line, offset = _character_position(source, start)
    end_line, end_offset = _character_position(source, max(start, end))
    # A fault in an expression that is a child may be a text in braces: then the advice is to quote it.
    message = _in_python(error.msg, source.line(line), offset - 1)
    braces = transpiled.child_at(source.offset(*start))
    if braces is not None and message not in JAVASCRIPT.values():
        message = or_as_text(message, braces)
    return type(error)(message, (transpiled.filename, line, offset, source.line(line) + "\n", end_line, end_offset))


JAVASCRIPT = {
    "&&": "Python has no '&&': write 'and'",
    "||": "Python has no '||': write 'or'",
    "?": "Python has no '? :': write 'one if condition else other'",
    "=>": "Python has no '=>': write 'lambda item: …'",
    "!==": "Python has no '!==': write '!='",
    "===": "Python has no '===': write '=='",
    "!": "Python has no '!': write 'not'",
    "`": "Python has no backquotes: write f'… {name} …'",
}
STATEMENT = re.compile(r"\{\s*(for|while|if|return|def|with|try|del|raise|import)\b")


def _in_python(message: str, line: str, at: int) -> str:
    """Return advice for an expression of JavaScript in braces; for any other fault, the message."""
    # Of these Python says "invalid syntax" only; for all else its own message is better.
    if message != "invalid syntax":
        return message
    for sign, advice in JAVASCRIPT.items():
        if sign in line[max(0, at - len(sign) + 1) : at + len(sign)]:
            return advice
    found = next((found for found in STATEMENT.finditer(line) if found.start(1) == at), None)
    if found is None:
        return message
    return f"'{found[1]}' begins a statement, and braces take an expression: [… for x in xs], or a if b else c"


def _unplaced_error(message: str, filename: str) -> SyntaxError:
    return SyntaxError(message, (filename, 1, 1, None))


def _byte_column(lines: _Lines, number: int, offset: int | None) -> int:
    """Return the column in bytes for a ``SyntaxError``'s offset, which counts characters from 1."""
    line = lines.line(min(number, len(lines)))
    return _count_bytes(line[: max(0, (offset or 1) - 1)])


def _character_position(lines: _Lines, position: _Position) -> _Position:
    number, column = position
    return number, _count_characters(lines.line(number), column) + 1


def _count_bytes(text: str) -> int:
    # isascii() reads a flag of the string. A lone surrogate can't be encoded: as "?" it counts one byte.
    if text.isascii():
        return len(text)
    return len(text.encode("utf-8", "replace"))


def _count_characters(text: str, byte_count: int) -> int:
    """Return the number of characters in the first bytes of ``text``."""
    if text.isascii():
        return min(byte_count, len(text))
    return len(text.encode("utf-8", "replace")[:byte_count].decode("utf-8", "ignore"))
