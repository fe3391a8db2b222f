"""Recorded frames, rendered again: the code of a component over the state, loops, clock and seed that are recorded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

from .engine.phases.render import render
from .engine.rendered import Rendered
from .engine.state import Cell, key_of
from .engine.user_code.context import Context
from .engine.user_code.purity import KEYS, Look, Snapshot, loop_read
from .engine.user_code.scope import rendering
from .errors import RunError, SmithersError
from .identity import Path
from .nodes.tree import Tree
from .records import LoopKey, LoopState, Scope
from .store.past import PastFrame
from .store.reader import Reader


class Renderer:
    """Code over the recorded values: nothing runs, and nothing is written."""

    def __init__(self, reader: Reader, execution_id: str, root: object) -> None:
        found = reader.execution(execution_id)
        self.execution_id = execution_id
        self.name = found.name
        self.seed = found.seed
        self.frame = 0
        self.snapshot_time = 0.0
        self.loops: dict[LoopKey, LoopState] = {}
        self.unknown: set[tuple[str, str]] = set()
        """Components, with the reads of theirs that are not recorded."""
        self._path = reader.path
        self._root = root
        self._cells: dict[str, Cell] = {}
        self._changed: set[str] = set()
        """The names of the reads that have changed since the last rendering."""
        self._keys: dict[str, LoopKey] = {}
        self.before: Rendered | None = None
        """The outcome of the last rendering; None before the first, and after one that failed."""
        self._context = Context(self)

    def follow(self, frame: PastFrame) -> None:
        """Take up what a frame has changed."""
        self.frame, self.snapshot_time = frame.number, frame.began_at
        for key, held in frame.state.items():
            if (key in self._cells) != (held is not None):
                self._changed.add(KEYS)
            self._changed.add(key)
            if held is None:
                self._cells.pop(key, None)
            else:
                self._cells[key] = Cell(*held)
        for id, progress in frame.loops.items():
            self._changed.add(loop_read(id))
            self.loops.pop(self._keys.get(id, ("", id)), None)
            if progress is not None:
                self._keys[id] = progress[0], id
                self.loops[self._keys[id]] = progress[1]

    @property
    def readers(self) -> Mapping[str, frozenset[Path]]:
        """The components that read a name, in the last rendering."""
        return {} if self.before is None else self.before.readers

    @property
    def components(self) -> set[str]:
        """The names of the components in the last rendering."""
        # Those that returned nothing, too: no node tells of them.
        instances = {} if self.before is None else self.before.instances
        return {instance.element.component.name for instance in instances.values()}

    def rendered(self, frame: PastFrame) -> tuple[Tree, SmithersError | None]:
        """Return the plan, or the error of the code."""
        before = self.before
        snapshot = Snapshot(
            frame=frame.number,
            cells=self._cells,
            now=frame.began_at,
            seed=self.seed,
            loops=self.loops,
            changed=None if before is None else frozenset(self._changed),
            looks=_Looks(self.unknown),
        )
        self._changed.clear()
        try:
            self.before = render(self._root, snapshot, self._context, before)
        except SmithersError as error:
            # RENDER takes an interrupt for an error of the component; here it is the person who waits.
            if isinstance(error.__cause__, KeyboardInterrupt):
                raise error.__cause__ from None
            self.before = None
            return Tree(), error
        self._note_volatile(self.before)
        return self.before.tree, None

    def _note_volatile(self, rendered: Rendered) -> None:
        touched = rendered.instances.keys() if rendered.touched is None else rendered.touched
        for path in touched:
            if (instance := rendered.instances.get(path)) is None:
                continue
            for name in instance.reads:
                if (key := key_of(name)) is not None and key[0] == "vol":
                    self.unknown.add((instance.element.component.name, f"ctx.vol {key[1]!r}"))

    # ---- the host of the context: everything but reading is refused ------------------------------------------------

    @property
    def path(self) -> str:
        """The path of the file. Only a query asks for it, which sees the file as it is now."""
        if (scope := rendering()) is not None:
            self.unknown.add((scope.name, "ctx.db, as it was then"))
        return self._path

    def values(self, scope: Scope) -> Mapping[str, Cell]:
        """Return the recorded values of a scope."""
        return self._cells if scope == "state" else {}

    def outside(self, *_: object, **__: object) -> NoReturn:
        """Refuse a write."""
        raise RunError("nothing is written while recorded frames are rendered again.")

    reported = record = outside

    def look_at_files(self) -> None:
        """Watch no files."""

    def notify_soon(self) -> None:
        """Notify no one."""

    def refuse_when_closed(self) -> None:
        """Raise for a write, which can't be made here."""
        self.outside()


class _Looks(dict[Look, str | None]):
    """The looks at files, with the components that look: they see the files of now."""

    def __init__(self, unknown: set[tuple[str, str]]) -> None:
        super().__init__()
        self._unknown = unknown

    def __setitem__(self, look: Look, seen: str | None) -> None:
        if (scope := rendering()) is not None:
            self._unknown.add((scope.name, f"the file {look.path}, as it was then"))
        super().__setitem__(look, seen)
