"""The panes of an exported run: what the page shows at each cursor, as the read model makes it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, cast

from ..errors import StoreError
from ..history.cursor import PHASES, Cursor
from ..history.names import names_of
from ..history.panes import protocol as p
from ..history.panes.handlers import ROWS
from ..history.panes.search import label_of
from ..history.panes.view import View
from ..records import Phase
from .codec import Pool, Tracks
from .reasons import Reasons
from .still import MANY, CursorChanges, StillReader, StillSource

FORMAT = 2
"""The version of this block: a page is in the same file, and no other one reads it."""
PHASED = 10_000
"""The number of nodes, all together, of the newest frames whose phases are in the file. Older frames are there at their
rest: of 1,000 frames with 100 nodes 100 have their phases.
"""
LEAST = 25
"""The least number of such frames."""
TEXT_OF = "the text of "
"""The beginning of the names of texts."""
READ_ONLY = "This page is a file: it shows what was recorded, and nothing runs here."
"""The reason why no command is taken in a page that is a file."""
STORE = "Store('run.html')"
"""The expression that opens the file, in Python; it may have another name by then."""
PANES: tuple[p.PaneName, ...] = (
    "frame", "plan", "xml", "pending", "handlers", "state", "tasks", "breakpoints", "output", "problems",
)  # fmt: skip
"""The panes that there is one of at each cursor."""
ASKED = p.Get(type="get", id="", pane="plan", limit=MANY)
"""The request that all others are copies of."""
FIXED: tuple[p.PaneName, ...] = ("branches", "notes", "compare", "gantt")
"""The panes that are the same at every cursor."""


def panes_of(path: str, execution_id: str, frames: tuple[int, int]) -> bytes:
    """Return the panes of frames ``first`` to ``last`` in a database as the page reads them: JSON."""
    reader = StillReader(path)
    recorder = _Recorder(StillSource(reader, execution_id))
    with reader.together():
        found = recorder.record(range(frames[0], frames[1] + 1))
    return json.dumps(found, separators=(",", ":")).encode()


class _Recorder:
    """Asks a view of the recorded execution for its panes, cursor by cursor."""

    def __init__(self, source: StillSource) -> None:
        self._source = source
        self._view = View(source)
        self._changes = CursorChanges(source)
        self._texts: list[dict[str, str]] = []
        self._places: dict[tuple[str, str], str] = {}
        """The places of the texts."""
        self._refs: dict[str, str] = {}
        self._pool = Pool(self._ref_of)
        self._tracks: dict[str, Tracks] = {}
        self._there: dict[str, set[str]] = {"node": set(), "task": set()}
        """The nodes and tasks that had a pane at the cursor before."""
        self._changed: dict[str, None] = {}
        """The keys that have a last change at some cursor."""
        self._flushed = 0
        """The last frame whose writes are among the last changes of their keys."""
        self._has_hits = bool(source.breakpoints() or source.hits(source.head.recorded, 1))
        self._reasons = Reasons(source, self._pool, partial(self._add, "why"))
        self._keys: dict[str, set[str]] = {}
        """The keys whose values the pane of a node shows, by node."""
        self._named: dict[tuple[str, str], dict[str, str]] = {}
        """The names of nodes that a pane shows, by pane and subject: where they change, the pane does."""
        self._called: dict[str, str] = {}
        """The names of all these nodes at the cursor."""
        self._gone: set[str] = set()
        """Those of them that had left before the cursor: their names stay."""
        self._fresh: set[str] = set()
        """The nodes that had another name at the cursor before."""

    def record(self, numbers: range) -> dict[str, Any]:  # Any: JSON
        """Return all that the page needs."""
        last = self._source.head.recorded
        numbers = range(max(1, numbers.start), min(last + 1, numbers.stop))
        phased = _first(numbers, len(self._source.tree(max(numbers, default=0))))
        for number in numbers:
            for phase in _phases(whole=number >= phased, last=number == last):
                self._cursor(self._source.cursor(number, phase), told=phase is Phase.EFFECTS or number == last)
        if not numbers:
            self._cursor(self._source.cursor(), told=True)
        return {
            "format": FORMAT,
            "first": numbers.start if numbers else 0,
            "last": numbers.stop - 1 if numbers else 0,
            "phased": phased,
            # The time of asking is left out: the same run makes the same file.
            "summary": {**self._view.summary(1, None, None), "read_only": READ_ONLY, "now": 0},
            "fixed": {**self._fixed(), "timeline": self._timeline(numbers.start)},
            "end": self._reasons.end(),
            **self._packed(),
            "texts": self._texts,
        }

    def _ask(self, pane: str, cursor: Cursor | None = None, of: str | None = None, **more: Any) -> Any:
        """Return a pane at a cursor, at the end of the execution without one."""
        place: dict[str, Any] = {"pane": pane, "of": of, **more}
        if cursor is not None and cursor.frame:
            place |= {"at": cursor.frame, "phase": cursor.phase}
        # A copy is not checked again: this asks tens of thousands of times.
        return self._view.pane(ASKED.model_copy(update=place))

    def _cursor(self, cursor: Cursor, *, told: bool) -> None:
        """Record all panes at a cursor; with ``told`` also why all of it is so."""
        changes = self._changes
        changes.move(cursor, self._keys)
        self._reasons.heed(changes)
        self._rename(cursor)
        same = {
            "xml": not changes.plan,
            "handlers": not changes.calls,
            "state": not changes.values,
            "tasks": not changes.listed,
        }
        nodes: list[str] = []
        for pane in PANES:
            if same.get(pane, False) and not self._renamed(pane, ""):
                continue
            shown = self._ask(pane, cursor)
            if pane == "plan":
                shown["version"] = 1  # It counts the answers.
                nodes = list(dict.fromkeys(row["id"] for row in shown["nodes"]))
            elif pane == "tasks":
                shown["now"] = 0  # It is the time of the answer.
            self._add(pane, "", cursor, shown)
        self._last_changes(cursor)
        self._hits(cursor)
        self._each("node", nodes, changes.nodes, cursor)
        self._each("task", [task.task_id for task in self._source.tasks(cursor, MANY)], changes.tasks, cursor)
        if told:
            self._reasons.record(cursor, self._happened(cursor))

    def _happened(self, cursor: Cursor) -> list[str]:
        """Return the ids of the writes and handler calls of a frame."""
        calls = [one.call.id for one in self._source.calls(cursor, ROWS) if one.call.frame == cursor.frame]
        return [*(write.id for write in self._source.file.writes(cursor.frame)), *calls]

    def _fixed(self) -> dict[str, Any]:  # Any: the panes' types
        found: dict[str, Any] = {pane: self._ask(pane) for pane in FIXED}
        # The database is cut out of a store in a temporary folder: its name there is nothing to tell.
        found["branches"]["store"] = STORE
        return found

    def _timeline(self, first: int) -> p.TimelinePane:
        """Return the timeline, which begins with frame 1 on the page, whatever frames are in the file."""
        shown = cast(p.TimelinePane, self._view.pane(p.Get(type="get", id="", pane="timeline", since=first)))
        shown["since"] = 1
        for dense in (shown["writes"], shown["handlers"], shown["changes"], shown["ms"]):
            dense[:0] = [0] * (first - 1)
        return shown

    def _last_changes(self, cursor: Cursor) -> None:
        """Record the last change of each key that may have one more."""
        flushed = cursor.newest(Phase.FLUSH)
        keys: set[str] = set()
        while self._flushed < flushed:
            self._flushed += 1
            keys |= {write.key for write in self._source.file.writes(self._flushed)}
        for key in sorted(keys | self._changes.written):
            self._changed[key] = None
            self._add("last_change", key, cursor, self._ask("last_change", cursor, key))

    def _packed(self) -> dict[str, Any]:  # Any: JSON
        found: dict[str, Any] = {
            "changes": self._pool.place([(key, self._changes_of(key)) for key in self._changed]),
            "searchable": self._pool.place(self._searchable()),
            "facts": self._reasons.packed(),
            "tracks": {pane: tracks.packed() for pane, tracks in self._tracks.items()},
        }
        # The pool is the last: it has the values of all others.
        return found | self._pool.packed()

    def _changes_of(self, key: str) -> list[tuple[int, int, Any]]:
        """Return the place of each change of a key with the answer for the change before it, newest first."""
        found: list[tuple[int, int, Any]] = []
        before = self._ask("last_change", of=key)["before"]
        while True:
            shown = self._ask("last_change", of=key, before=before)
            found.append((*before, shown))
            if shown["found"] is None:
                return found
            before = shown["before"]

    def _hits(self, cursor: Cursor) -> None:
        """Record the nearest hits before and after a cursor."""
        if not self._has_hits and "hit" in self._tracks:
            return
        for direction in ("back", "forward"):
            shown = self._ask("hit", cursor, direction=direction)
            if shown["found"] is None:
                shown["before"] = None  # The place from which none was found is the cursor's.
            self._add("hit", direction, cursor, shown)

    def _searchable(self) -> list[tuple[object, ...]]:
        """Return what can be found: kind, id, label, frame, node, subject and texts. 0 stands for the id, 1 for the
        label.
        """
        found: list[tuple[object, ...]] = []
        names = names_of(self._source, self._source.cursor())
        rows = list(self._source.file.searchable())
        names.learn(one.node_id for one, *_ in rows if one.node_id is not None)
        for one, subject, texts in rows:
            label = label_of(names, one.kind, one.label, one.node_id)
            known: dict[str | None, int] = {label: 1, one.id: 0}
            node, about, *told = (known.get(text, text) for text in (one.node_id, subject, *texts))
            found.append((one.kind, one.id, label, one.frame, node, about, told))
        return found

    def _each(self, pane: str, ids: Iterable[str], changed: set[str], cursor: Cursor) -> None:
        """Record the panes of the nodes or tasks that may have changed."""
        last = self._there[pane]
        now = self._there[pane] = set(ids)
        for id in ids:
            if id in changed or id not in last or self._renamed(pane, id):
                shown = self._ask(pane, cursor, id)
                if pane == "node":
                    self._keys[id] = {read["key"] for read in shown["reads"]}
                self._add(pane, id, cursor, shown)
        for id in last - now:
            self._add(pane, id, cursor, None)

    def _rename(self, cursor: Cursor) -> None:
        """Find out which of the nodes that panes name are called otherwise now."""

        def is_here(id: str) -> bool:
            return id in cursor.tree.index or id in cursor.before.index

        found = names_of(self._source, cursor).all(id for id in self._called if id not in self._gone or is_here(id))
        self._fresh = {id for id, name in found.items() if self._called[id] != name}
        self._called |= found
        # The name of a text is that of the node around it, which may be there still.
        texts = {id for id, name in found.items() if name.startswith(TEXT_OF)}
        self._gone = {id for id in self._called if not is_here(id)} - texts

    def _renamed(self, pane: str, of: str) -> bool:
        """Return whether a node that the pane names is called otherwise now."""
        return bool(self._fresh) and not self._fresh.isdisjoint(self._named.get((pane, of), ()))

    def _add(self, pane: str, of: str, cursor: Cursor, shown: Mapping[str, Any] | None) -> None:
        if shown is not None and "names" in shown:
            # The name of a task is that of its node where it began, which does not change.
            tasks = {row["task_id"] for row in shown.get("tasks", ())}
            named = self._named[pane, of] = {id: name for id, name in shown["names"].items() if id not in tasks}
            self._called |= named
        if pane not in self._tracks:
            self._tracks[pane] = Tracks(self._pool)
        place = cursor.frame * len(PHASES) + PHASES.index(cursor.phase or Phase.EFFECTS)
        self._tracks[pane].add(of, place, cursor.frame, shown)

    def _ref_of(self, ref: str) -> str:
        """Return the place of a whole text, by the name that the panes have for it."""
        known = self._refs.get(ref)
        if known is None:
            found = self._source.whole(json.loads(ref))
            if found is None:
                raise StoreError(f"the text {ref} is not in the file, though a pane shows its beginning.")
            about = (found.text, found.type)
            if about not in self._places:
                self._places[about] = str(len(self._texts))
                self._texts.append({"text": found.text, "type": found.type})
            known = self._refs[ref] = self._places[about]
        return known


def _first(numbers: range, nodes: int) -> int:
    """Return the first of the newest frames whose phases are in the file."""
    return max(numbers.start, numbers.stop - max(LEAST, PHASED // max(1, nodes)))


def _phases(*, whole: bool, last: bool) -> Iterable[Phase]:
    """Yield the phases after which a frame is recorded: its rest at least. The last one is also seen after FLUSH."""
    for phase in PHASES:
        if whole or phase is Phase.EFFECTS or (last and phase is Phase.FLUSH):
            yield phase
