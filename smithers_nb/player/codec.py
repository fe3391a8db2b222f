"""Panes at thousands of cursors in little room: each row once, and of each pane only the differences.

Neighbouring cursors show nearly the same. So dicts, lists and longer texts are in one pool, named by their place there,
and a track has the values that one pane takes from cursor to cursor: an entry where it changes, with the fields that
changed, and of a list of rows the runs that stay. Every ``KEYFRAME`` entries one is whole. A value that is used once
stands where it is used, and near places are written as distances: small numbers that repeat compress well.
``widgets/src/player/codec.ts`` reads it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

KEYFRAME = 256
"""The number of entries after which a track has a whole one: the most differences on the way to a cursor."""
SHORT = 24
"""Texts up to this length stand where they are used; longer ones are in the pool."""
LINES = 200
"""Texts of several lines that are longer than this are kept line by line."""
NEAR = 200
"""The greatest distance that is written as one."""
NONE, WHOLE = -1, -2
"""The marks of entries: there is no value; all fields follow, and none of the entries before is needed."""
LIST = -1
"""The shape of a list."""
PLACED = ("frame", "base")
"""Fields that mostly follow the cursor's frame: their distance from it is kept."""

Encoded = Any
"""JSON: a scalar; ``[n]``, the n-th of the pool, or below -1 a distance; ``[shape, member, …]`` for a dict or list;
``{"rows": runs}``, ``{"lines": runs}``, or ``{"frame": distance}``; ``{}`` is a dict without members.
"""


class Pool:
    """The values of all panes, each once.

    Parameters
    ----------
    ref_of : callable
        Returns the name by which the page asks for a whole text, given the name that the pane has.
    """

    def __init__(self, ref_of: Callable[[str], str]) -> None:
        self.entries: list[Encoded] = []
        self.shapes: list[tuple[str, ...]] = []
        self._ref_of = ref_of
        self._shape_of: dict[tuple[str, ...], int] = {}
        self._place_of: dict[str, int] = {}
        self._known: dict[str, int] = {}
        """The places of values, by their JSON: most values were seen before."""

    def place(self, value: object) -> int:
        """Return the place of a value, which is added unless it is there."""
        said = json.dumps(value)
        place = self._known.get(said)
        if place is None:
            entry, told = value, said
            if not isinstance(value, str):
                entry = self._entry(value)
                # Values that differ in nothing but the name of a text are the same: that name has the frame in it.
                told = f" {json.dumps(entry)}"
            place = self._place_of.setdefault(told, len(self.entries))
            if place == len(self.entries):
                self.entries.append(entry)
            self._known[said] = place
        return place

    def encoded(self, value: object) -> Encoded:
        """Return a value as it stands in an entry: scalars and short texts as they are, all else by its place."""
        if isinstance(value, str):
            if len(value) <= SHORT:
                return value
        elif not isinstance(value, Mapping | list | tuple):
            return value
        elif not value:
            return {} if isinstance(value, Mapping) else [LIST]
        return [self.place(value)]

    def _entry(self, value: Any) -> Encoded:
        if not isinstance(value, Mapping):
            return [LIST, *map(self.encoded, value)]
        names = tuple(value)
        shape = self._shape_of.setdefault(names, len(self.shapes))
        if shape == len(self.shapes):
            self.shapes.append(names)
        return [shape, *(self._field(name, value[name]) for name in names)]

    def _field(self, name: str, value: object) -> Encoded:
        # The names of a pane lead to a kernel: with one more frame in them every value would look different, too.
        if name == "ref" and isinstance(value, str):
            return self._ref_of(value)
        return self.encoded(value)


class Track:
    """The values that a pane takes from cursor to cursor.

    ``placed`` says that its frame is the cursor's: the frame of a task is that in which it began.
    """

    def __init__(self, pool: Pool, *, placed: bool = False) -> None:
        self.names: tuple[str, ...] = ()
        """The names of the fields."""
        self.entries: list[list[Encoded]] = []
        """The distance from the place of the entry before; then number and value of each changed field, or ``WHOLE``
        and all fields, or ``NONE``.
        """
        self._pool = pool
        self._placed = PLACED if placed else ()
        self._last: list[Encoded] | None = None
        self._lists: dict[int, list[int]] = {}
        self._at = 0
        self._changes = 0

    def add(self, at: int, frame: int, value: Mapping[str, Any] | None) -> None:
        """Add the value from a cursor on; None where there is none. ``frame`` is the frame that the cursor shows."""
        if value is None:
            if self._last is not None:
                self._append(at, [NONE])
                self._last, self._changes = None, 0
            return
        self.names = self.names or tuple(value)
        whole = self._last is None or self._changes % KEYFRAME == 0
        entry: list[Encoded] = []
        if whole:
            # The lists begin again, too: a run may not name a list before the keyframe.
            self._last, self._lists, entry = None, {}, [WHOLE]
        fields: list[Encoded] = []
        for number, name in enumerate(self.names):
            found, known = self._one(number, name, value[name], frame)
            fields.append(known)
            if whole:
                entry.append(found)
            elif not _same(self._last[number], known):  # type: ignore[index]  # there is one
                entry += [number, found]
        if entry:
            self._append(at, entry)
            self._last = fields

    def _one(self, number: int, name: str, value: Any, frame: int) -> tuple[Encoded, Encoded]:
        """Return a field as it is written, and as it is compared with the next one."""
        if name in self._placed and isinstance(value, int):
            found: Encoded = {"frame": value - frame}
            return found, found
        if isinstance(value, list) and value and isinstance(value[0], Mapping | list | tuple):
            return self._runs(number, "rows", [self._pool.place(one) for one in value])
        if isinstance(value, str) and len(value) > LINES and "\n" in value:
            return self._runs(number, "lines", [self._pool.place(line) for line in value.split("\n")])
        self._lists.pop(number, None)
        found = self._pool.encoded(value)
        return found, found

    def _runs(self, number: int, kind: str, places: list[int]) -> tuple[Encoded, Encoded]:
        before = self._lists.get(number, [])
        self._lists[number] = places
        if places == before:
            # It is not written: the field has not changed.
            return None, {kind: places}
        return {kind: runs(before, places)}, {kind: places}

    def _append(self, at: int, entry: list[Encoded]) -> None:
        self.entries.append([at - self._at, *entry])
        self._at = at
        self._changes += 1


def runs(before: Sequence[int], places: Sequence[int]) -> list[int]:
    """Return the members of a list, each its place; those in runs of the list before as ``-1 - start, count``.

    >>> runs([7, 8, 9], [5, 7, 8, 9])
    [5, -1, 3]
    """
    at = {place: number for number, place in enumerate(before)}
    found: list[int] = []
    following = -1
    for place in places:
        start = at.get(place)
        if 0 <= following < len(before) and before[following] == place:
            found[-1] += 1
            following += 1
        elif start is None:
            found.append(place)
            following = -1
        else:
            found += [-1 - start, 1]
            following = start + 1
    return found


def _same(one: Encoded, other: Encoded) -> bool:
    # 1 and True are equal, and not the same.
    return type(one) is type(other) and one == other


# ---- all of it, packed -----------------------------------------------------------------------------------------


def packed(pool: Pool, tracks: Mapping[str, Mapping[str, Track]], kept: Sequence[int] = ()) -> dict[str, Any]:
    """Return the pool and the tracks as JSON; ``kept`` are places that are named elsewhere, as ``places`` has them."""
    return _Packing(pool, tracks, kept).packed()


class _Packing:
    """Moves values that are used once to their place, and writes near places as distances."""

    def __init__(self, pool: Pool, tracks: Mapping[str, Mapping[str, Track]], kept: Sequence[int]) -> None:
        self._pool = pool
        self._tracks = tracks
        self._kept = kept
        self._uses = [0] * len(pool.entries)
        for place in kept:
            self._uses[place] += 2
        self._new: dict[int, int] = {}
        """The places of what stays in the pool."""

    def packed(self) -> dict[str, Any]:  # Any: JSON
        """Return the pool and the tracks."""
        for tracks in self._tracks.values():
            for track in tracks.values():
                for entry in track.entries:
                    self._count(entry)
        for entry in self._pool.entries:
            if not isinstance(entry, str):
                self._count(entry)
        # In their order, so that an entry names none that comes after it.
        stays = (place for place, uses in enumerate(self._uses) if uses > 1)
        self._new = {place: number for number, place in enumerate(stays)}
        return {
            "shapes": self._pool.shapes,
            "pool": [self._moved(self._pool.entries[place], number) for place, number in self._new.items()],
            "tracks": {
                pane: {of: self._track(track) for of, track in tracks.items()} for pane, tracks in self._tracks.items()
            },
            "kept": [self._new[place] for place in self._kept],
        }

    def _count(self, entry: Sequence[Encoded]) -> None:
        for member in entry:
            if isinstance(member, list) and _is_place(member):
                self._uses[member[0]] += 1
            elif isinstance(member, dict) and member and "frame" not in member:
                [found] = member.values()
                for place in _literals(found):
                    self._uses[place] += 1

    def _moved(self, entry: Encoded, base: int) -> Encoded:
        """Return an entry of the pool, or one inside of one; distances count from ``base``."""
        if isinstance(entry, str):
            return entry
        return [entry[0], *(self._member(member, base) for member in entry[1:])]

    def _member(self, member: Encoded, base: int) -> Encoded:
        if not isinstance(member, list) or not _is_place(member):
            return member
        place = self._new.get(member[0])
        if place is None:
            return self._moved(self._pool.entries[member[0]], base)
        return [_told(place, base)]

    def _track(self, track: Track) -> dict[str, Any]:  # Any: JSON
        base = 0
        entries = []
        for distance, *entry in track.entries:
            found = [distance]
            for member in entry:
                if isinstance(member, dict) and member and "frame" not in member:
                    [(kind, places)] = member.items()
                    told, base = self._runs(places, base)
                    found.append({kind: told})
                else:
                    found.append(self._member(member, base))
                    if isinstance(member, list) and _is_place(member):
                        base = self._new.get(member[0], base)
            entries.append(found)
        return {"names": list(track.names), "entries": entries}

    def _runs(self, places: Sequence[int], base: int) -> tuple[list[Encoded], int]:
        """Return a list with its members as they stand in entries, and runs as their start and length."""
        told: list[Encoded] = []
        members = iter(places)
        for place in members:
            if place < 0:
                told += [-1 - place, next(members)]
            else:
                told.append(self._member([place], base))
                base = self._new.get(place, base)
        return told, base


def _is_place(member: Sequence[Encoded]) -> bool:
    return len(member) == 1 and bool(member[0] >= 0)


def _literals(places: Sequence[int]) -> Iterator[int]:
    members = iter(places)
    for place in members:
        if place < 0:
            next(members)
        else:
            yield place


def _told(place: int, base: int) -> int:
    """Return a place as it is written beside ``base``: below -1 its distance, if it is shortly before."""
    # What repeats compresses: the distance to what has just been made, and the place of what all others have, too.
    distance = base - place
    return -2 - distance if 0 <= distance < NEAR else place
