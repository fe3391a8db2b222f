"""Panes at thousands of cursors in little room: each value once, in columns, and of each pane only the differences.

Neighbouring cursors show nearly the same. So dicts, lists and texts are in one pool, each once, and a pane has an entry
where it changes, with the fields that changed, and of a list of rows the runs that stay. All of it is written column by
column: what follows in a column is alike or grows steadily, and compresses to a third of what rows do. Texts are kept
as their words and their numbers: ``tick12 settled in frame 24`` and ``tick13 settled in frame 26`` are one template
with two columns. ``widgets/src/player/codec.ts`` reads it.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

LINES = 200
"""Texts of several lines that are longer than this are kept line by line."""
PLACED = ("frame", "base")
"""Fields that mostly follow the cursor's frame: their distance from it is kept."""
MAPS = ("names",)
"""Fields of a pane whose dict has the user's words as keys: kept as pairs."""
GREATEST = 2**50
"""Integers below this are numbers of a column: their differences are exact in JavaScript, too."""
SHORT = 12
"""Lists up to this length have a column for each place."""
TEXT, RECORD, TUPLE, LIST, SCALAR = range(5)
"""The kinds of tables: texts of one template, dicts with the same names, short lists of the same length, other lists,
and all else, also texts whose template no other has.
"""
CELL, ROWS, TEXT_LINES, PAIRS = range(4)
"""The kinds of a changed field: one value; or rows, lines or pairs, of which the runs that stay are named."""
NUMBERS, PLACES, CELLS = range(3)
"""The kinds of columns."""
_NUMBER = re.compile("([0-9]+)")
_EXACT = re.compile("0|[1-9][0-9]{0,8}")
"""The numbers that are written back as they were: without leading zeros, and small enough for a column."""

Cell = int | None
"""A number as an even integer, a place in the pool as an odd one; None is itself."""
Column = list[Any]
"""JSON: the kind, 1 if it has differences instead of values, and the values."""


class Pool:
    """The values of all panes, each once, in the order in which they came.

    Parameters
    ----------
    ref_of : callable
        Returns the name by which the page asks for a whole text, given the name that the pane has.
    """

    def __init__(self, ref_of: Callable[[str], str]) -> None:
        self._ref_of = ref_of
        self._tables: dict[tuple[int, tuple[str, ...]], list[Any]] = {}  # Any: cells, numbers, or scalars
        """The rows by kind of table, and the names of the dict or the parts of the text between its numbers."""
        self._order: list[tuple[int, tuple[str, ...]]] = []
        """The table of each value."""
        self._known: dict[object, int] = {}

    def place(self, value: object) -> int:
        """Return the place of a value, which is added unless it is there."""
        if isinstance(value, str):
            place = self._known.get(value)
            if place is None:
                place = self._known[value] = self._added(*_template(value))
            return place
        if isinstance(value, Mapping):
            return self._once(RECORD, tuple(value), tuple(self._field(name, one) for name, one in value.items()))
        if isinstance(value, list | tuple):
            cells = tuple(map(self.cell, value))
            # Short lists of one length mostly mean the same by their places, as pairs and points do.
            if len(cells) <= SHORT:
                return self._once(TUPLE, (str(len(cells)),), cells)
            return self._once(LIST, (), cells)
        # 1 and True are equal, and not the same.
        return self._once(SCALAR, (), value, type(value))

    def cell(self, value: object) -> Cell:
        """Return a value as it stands in a column."""
        if value is None:
            return None
        if type(value) is int and -GREATEST < value < GREATEST:
            return 2 * value
        return 2 * self.place(value) + 1

    def _field(self, name: str, value: object) -> Cell:
        # The names of a pane lead to a kernel: with one more frame in them every value would look different, too.
        if name == "ref" and isinstance(value, str):
            return self.cell(self._ref_of(value))
        return self.cell(value)

    def _once(self, kind: int, form: tuple[str, ...], row: object, told: object = None) -> int:
        known = (kind, form, row, told)
        place = self._known.get(known)
        if place is None:
            place = self._known[known] = self._added(kind, form, row)
        return place

    def _added(self, kind: int, form: tuple[str, ...], row: object) -> int:
        self._tables.setdefault((kind, form), []).append(row)
        self._order.append((kind, form))
        return len(self._order) - 1

    def packed(self) -> dict[str, Any]:  # Any: JSON
        """Return all values as JSON: the tables, and the table of each value."""
        scalar = (SCALAR, ())
        tables: dict[tuple[int, tuple[str, ...]], list[Any]] = {scalar: []}
        numbers: dict[tuple[int, tuple[str, ...]], int] = {scalar: 0}
        order, seen = [], dict.fromkeys(self._tables, 0)
        for table in self._order:
            row = self._tables[table][seen[table]]
            seen[table] += 1
            # A template of one text saves nothing, and each table takes room.
            if table[0] == TEXT and len(self._tables[table]) == 1:
                table, row = scalar, _joined(table[1], row)
            tables.setdefault(table, []).append(row)
            order.append(numbers.setdefault(table, len(numbers)))
        return {
            "tables": [[kind, form, _columns(kind, rows)] for (kind, form), rows in tables.items()],
            "order": column_of(order),
        }


def _template(text: str) -> tuple[int, tuple[str, ...], tuple[int, ...]]:
    """Return the parts of a text between its numbers, and these.

    >>> _template("tick12 in frame 24 of 007")
    (0, ('tick', ' in frame ', ' of 007'), (12, 24))
    """
    parts, numbers = [""], []
    for part in _NUMBER.split(text):
        if _EXACT.fullmatch(part):
            numbers.append(int(part))
            parts.append("")
        else:
            parts[-1] += part
    return TEXT, tuple(parts), tuple(numbers)


def _joined(parts: Sequence[str], numbers: Sequence[int]) -> str:
    return parts[0] + "".join(f"{number}{part}" for number, part in zip(numbers, parts[1:], strict=True))


def _columns(kind: int, rows: Sequence[Any]) -> list[Any]:
    if kind == SCALAR:
        return list(rows)
    if kind == LIST:
        return [column_of([len(row) for row in rows]), column([cell for row in rows for cell in row])]
    # A text without numbers, and a dict or a list without members, have no columns.
    made = column_of if kind == TEXT else column
    return [made(values) for values in zip(*rows, strict=True)]


def column(cells: Sequence[Cell]) -> Column:
    """Return cells as a column."""
    kinds = {cell & 1 for cell in cells if cell is not None}
    if len(kinds) > 1:
        return [CELLS, *_shorter(cells)]
    kind = PLACES if kinds == {1} else NUMBERS
    return [kind, *_shorter([None if cell is None else cell >> 1 for cell in cells])]


def column_of(numbers: Sequence[int | None]) -> Column:
    """Return numbers as a column."""
    return [NUMBERS, *_shorter(numbers)]


def _shorter(values: Sequence[int | None]) -> tuple[int, Sequence[int | None]]:
    """Return 0 and the values, or 1 and the differences of each from the one before: what compresses better."""
    # Tried, not guessed: what grows is shorter as differences, and what repeats with a period as it is.
    last = 0
    apart: list[int | None] = []
    for value in values:
        apart.append(None if value is None else value - last)
        last = last if value is None else value
    sizes = [len(zlib.compress(json.dumps(one).encode(), 6)) for one in (values, apart)]
    if sizes[1] < sizes[0]:
        return 1, apart
    return 0, values


# ---- tracks ----------------------------------------------------------------------------------------------------------


class Tracks:
    """The values that the panes of one kind take from cursor to cursor, each pane under its subject."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._names: tuple[str, ...] = ()
        self._last: dict[str, dict[str, _Field]] = {}
        self._subjects: dict[str, int] = {}
        self._masks: dict[tuple[int, ...], int] = {}
        """The changes of an entry, each as 4 times the number of its field, plus its kind."""
        self._entries: list[tuple[int, int, int]] = []
        """Place of the cursor, subject and mask."""
        self._cells: dict[str, list[Cell]] = {}
        self._runs: dict[str, _Runs] = {}

    def add(self, of: str, at: int, frame: int, value: Mapping[str, Any] | None) -> None:
        """Add the value of a subject from a cursor on; None where there is none. ``frame`` is the cursor's frame."""
        if value is None:
            if self._last.pop(of, None) is not None:
                self._enter(of, at, ())
            return
        self._names = self._names or tuple(value)
        last = self._last.setdefault(of, {})
        changes = []
        for number, name in enumerate(self._names):
            found = value[name]
            if not of and name in PLACED and isinstance(found, int):
                found -= frame
            kind = self._change(last, name, found)
            if kind is not None:
                changes.append(4 * number + kind)
        if changes:
            self._enter(of, at, tuple(changes))

    def _enter(self, of: str, at: int, changes: tuple[int, ...]) -> None:
        subject = self._subjects.setdefault(of, len(self._subjects))
        self._entries.append((at, subject, self._masks.setdefault(changes, len(self._masks))))

    def _change(self, last: dict[str, _Field], name: str, value: Any) -> int | None:
        """Write a field if it has changed, and return the kind of the change."""
        kind, members = _members(name, value)
        before = last.get(name)
        # A list that became empty is a value like others: no later list begins from the one before it.
        if before is not None and before.kind != kind:
            before = None
        if kind == CELL:
            cell = self._pool.cell(value)
            if before is not None and before.cell == cell:
                return None
            last[name] = _Field(CELL, cell=cell)
            self._cells.setdefault(name, []).append(cell)
            return CELL
        if before is not None and before.members == members:
            return None
        places = self._places(members, before)
        last[name] = _Field(kind, members=members, places=places)
        # The members may differ in the names by which a kernel would be asked for them.
        if before is not None and before.places == places:
            return None
        self._runs.setdefault(name, _Runs()).add([] if before is None else before.places, places)
        return kind

    def _places(self, members: Sequence[Any], before: _Field | None) -> list[int]:
        """Return the places of the members of a list; most are as in the list before."""
        known, places = ((), []) if before is None else (before.members, before.places)
        at, found = 0, []
        for member in members:
            # To find out that it is the same one, or the next one, takes a hundredth of looking for it in the pool.
            for near in (at, at + 1):
                if near < len(known) and (known[near] is member or known[near] == member):
                    found.append(places[near])
                    at = near + 1
                    break
            else:
                place = self._pool.place(member)
                found.append(place)
                if place in places:
                    at = places.index(place) + 1
        return found

    def packed(self) -> dict[str, Any]:  # Any: JSON
        """Return all entries as JSON."""
        places, subjects, masks = ([entry[part] for entry in self._entries] for part in range(3))
        return {
            "names": self._names,
            "subjects": list(self._subjects),
            "masks": list(self._masks),
            "entries": [column_of(places), column_of(subjects), column_of(masks)],
            "cells": {name: column(cells) for name, cells in self._cells.items()},
            "runs": {name: runs.packed() for name, runs in self._runs.items()},
        }


class _Field:
    """A field as it was written last."""

    def __init__(
        self, kind: int, *, cell: Cell = None, members: Sequence[Any] = (), places: Sequence[int] = ()
    ) -> None:
        self.kind = kind
        self.cell = cell
        self.members = members
        self.places = list(places)


def _members(name: str, value: Any) -> tuple[int, Sequence[Any]]:
    """Return the kind of a change to this value, and the members of a list."""
    if isinstance(value, list) and value and isinstance(value[0], Mapping | list | tuple):
        return ROWS, value
    if isinstance(value, str) and len(value) > LINES and "\n" in value:
        return TEXT_LINES, value.split("\n")
    if isinstance(value, Mapping) and name in MAPS:
        return PAIRS, [*map(list, value.items())]
    return CELL, ()


class _Runs:
    """The changes of one list: the runs of the list before that stay, and the members between them."""

    def __init__(self) -> None:
        self._sizes: list[int] = []
        """The number of runs of each change."""
        self._starts: list[int] = []
        """The starts of runs, from the end of the run before."""
        self._counts: list[int] = []
        self._fresh: list[int] = []
        """The number of new members after each run."""
        self._places: list[int] = []

    def add(self, before: Sequence[int], places: Sequence[int]) -> None:
        """Add a change."""
        found = runs(before, places)
        self._sizes.append(len(found))
        end = 0
        for start, count, fresh in found:
            self._starts.append(start - end)
            self._counts.append(count)
            self._fresh.append(len(fresh))
            self._places += fresh
            end = start + count

    def packed(self) -> list[Column]:
        """Return the changes as columns."""
        columns = (self._sizes, self._starts, self._counts, self._fresh, self._places)
        return [column_of(numbers) for numbers in columns]


def runs(before: Sequence[int], places: Sequence[int]) -> list[tuple[int, int, list[int]]]:
    """Return a list as runs of the list before: start, length, and the members that follow it and are in no run.

    >>> runs([7, 8, 9], [5, 7, 8, 9, 6])
    [(0, 0, [5]), (0, 3, [6])]
    """
    at = {place: number for number, place in enumerate(before)}
    start, count, fresh = 0, 0, list[int]()
    found = []
    for place in places:
        follows = start + count
        if count and not fresh and follows < len(before) and before[follows] == place:
            count += 1
        elif place in at:
            found.append((start, count, fresh))
            start, count, fresh = at[place], 1, []
        else:
            fresh.append(place)
    return [*found, (start, count, fresh)]
