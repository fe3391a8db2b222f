"""``ex.needs``: the smallest edit of the state after which something is in the plan, confirmed by rendering."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any, Generic, TypeVar

from .edits import meeting
from .engine.user_code.scope import refuse_while_rendering
from .errors import SmithersError, StoreError, did_you_mean
from .history.causes.explanation import Explanation
from .nodes.schedule import RUNNABLE
from .nodes.tree import Tree
from .records import (
    DELETED,
    MISSING,
    Condition,
    Ghost,
    Ghosts,
    Guard,
    Phase,
    Statement,
    StatePart,
    WriteRecord,
    conditions,
    edited,
)
from .records.words import count, short
from .store.moments import Moments
from .store.reader import Reader
from .syntax.ghosts import ghosts_of
from .values import Unstorable, decode, encode, shown
from .what_if import NO_CODE, SHOWN, Trial

RENDERS = 500
"""The most copies of the frame that one search renders."""
SECONDS = 1.0
"""The longest that one search takes."""
RECORDED = 4
"""The most values of other frames that are tried for a key, the newest first."""

Branch = TypeVar("Branch")
"""The execution that a branch is: its module imports this one."""


@dataclass(frozen=True, repr=False)
class Needs(Explanation, Generic[Branch]):
    """The edit of the state after which a target is in the plan of a frame."""

    frame: int
    state: dict[str, Any]
    """The edit: the new values by key, ``DELETED`` for one that is removed. Empty if the target is in the plan as it
    is, or nothing was found."""
    found: bool
    """True if the target is in the plan with this edit, as a rendering has shown."""
    renders: int
    """The number of copies of the frame that were rendered."""
    _fork: Callable[..., Branch] = field(repr=False)

    def fork(self) -> Branch:
        """Return a branch from the frame before, with the edit: its first frame has the target in its plan.

        Raises:
            StoreError: if no edit was found, or the frame before can't be forked.
        """
        if not self.found:
            raise StoreError(f"no edit was found to branch with. {self.statements[0].text}.")
        return self._fork(frame=self.frame - 1, state=self.state)


Edit = dict[str, Any]


@dataclass(slots=True)
class _Search:
    """The search for an edit: each is tried by rendering the frame over it."""

    trial: Trial
    is_there: Callable[[Tree], bool]
    state: dict[str, Any]
    """The values that the frame read."""
    until: float = field(default_factory=lambda: time.perf_counter() + SECONDS)
    renders: int = 0
    tried: list[Edit] = field(default_factory=list)
    tree: Tree = field(default_factory=Tree)
    """The plan of the edit that was found."""

    @property
    def over(self) -> bool:
        """True if the renderings or the time are used up."""
        # The time too: of a large plan, one rendering may take long.
        return self.renders >= RENDERS or time.perf_counter() > self.until

    def first(self, edits: Iterable[Edit]) -> Edit | None:
        """Return the first edit after which the target is there."""
        for edit in edits:
            if self.over:
                return None
            # Two guards may ask for the same value.
            if edit not in self.tried and self._holds(edit):
                return edit
        return None

    def _holds(self, edit: Edit) -> bool:
        self.tried.append(edit)
        try:
            stored = {key: None if value is DELETED else encode(value, key) for key, value in edit.items()}
        except Unstorable:
            return False
        self.renders += 1
        try:
            self.tree = self.trial.rendered(stored)
        except SmithersError:
            # Code that raises over a value has no plan for it.
            return False
        return self.is_there(self.tree)


def needs(
    reader: Reader,
    execution_id: str,
    root: object,
    target: str,
    *,
    frame: int,
    fork: Callable[..., Branch],
) -> Needs[Branch]:
    """Return the smallest edit after which a target, a node's id or a component's name, is in the plan of a frame.

    Raises:
        StoreError: if there is no such frame.
    """
    refuse_while_rendering("needs() was called")
    question = f"What would it take for {target} to be in the plan of frame {frame}?"
    if root is None:
        return Needs(question, (NO_CODE,), frame=frame, state={}, found=False, renders=0, _fork=fork)
    trial = Trial(reader, execution_id, root, frame)
    ghosts = ghosts_of(root)
    wanted = ghosts.named(target) or [one for one in ghosts.all if target == one.name]
    search = _Search(trial, lambda tree: _is_there(target, wanted, tree, trial), _values(trial))
    edit: Edit | None = None
    already = search.first([{}]) is not None
    if already:
        edit = {}
    elif wanted:
        by_key = _candidates(search, wanted, Moments(reader, execution_id))
        edit = search.first(_one_key(by_key)) or search.first(_two_keys(by_key))
    told = _Sentences(trial, target, search, wanted)
    if already:
        statements = [told.derived(f"{target} is in the plan of frame {frame} as it is")]
    elif edit is not None:
        statements = list(told.found(edit))
    else:
        statements = list(told.not_found(ghosts))
    return Needs(
        question=question,
        statements=tuple(statements),
        frame=frame,
        state=edit or {},
        found=edit is not None,
        renders=search.renders,
        _fork=fork,
    )


def _values(trial: Trial) -> dict[str, Any]:
    found = {}
    for key, stored in trial.state.items():
        try:
            found[key] = decode(stored)
        except Exception:  # noqa: BLE001  # a class that has changed: the key is as if it were not there
            continue
    return found


def _is_there(target: str, wanted: list[Ghost], tree: Tree, trial: Trial) -> bool:
    if target in tree.index or target in trial.called:
        return True
    # A node without an id of its own is known by the place in the code that makes it.
    # So are those of an id that is made by a call, where all of them are asked for.
    places = {(one.type, one.source) for one in wanted if one.id is None and one.pattern in (None, target)}
    # Most targets have an id: the walk is for the others.
    return any((node.type, node.source) in places for node in tree.walk()) if places else False


# ---- edits -------------------------------------------------------------------------------------------------------


def _candidates(search: _Search, wanted: list[Ghost], file: Moments) -> dict[str, list[Any]]:
    """Return by key the values that may open the guards that stand in the way, likely ones first."""
    found: dict[str, list[Any]] = {}
    for ghost in wanted:
        # Where nothing is closed, a helper or a default decides: all of its guards may matter.
        closed = [guard for guard in ghost.guards if guard.holds(search.state) is not True]
        for guard in closed or ghost.guards:
            for key, values in _of_guard(guard, search.state, file).items():
                kept = found.setdefault(key, [])
                kept += [value for value in values if value not in kept]
        # Several conditions of one key have to be met by one value: each is met over what meets the others.
        for key in list(found):
            value = _all_of(key, closed, search.state)
            if value is not MISSING and value not in found[key]:
                found[key].insert(0, value)
    return found


def _of_guard(guard: Guard, state: dict[str, Any], file: Moments) -> dict[str, list[Any]]:
    tests = list(conditions(guard.test))
    recorded = {key: _recorded(key, file) for key in guard.keys if not key.startswith("vol:")}
    found: dict[str, list[Any]] = {}
    for test in tests:
        key = test.part.key
        found.setdefault(key, []).extend(meeting(test, state, recorded.get(key, ())))
        # Another key on the other side: score > limit is met by a lower limit, too.
        if isinstance(test, Condition) and isinstance(test.value, StatePart):
            found.setdefault(test.value.key, []).extend(recorded.get(test.value.key, ()))
    for key, values in recorded.items():
        # Of a condition that can't be told from the code, values that the key had are tried.
        if key not in found:
            found[key] = values
    return found


def _all_of(key: str, guards: list[Guard], state: dict[str, Any]) -> Any:
    now = dict(state)
    value = now.get(key, MISSING)
    tests = [test for guard in guards for test in conditions(guard.test) if test.part.key == key]
    # A single test has its values already.
    if len(tests) < 2:
        return MISSING
    for test in tests:
        if test.holds(now) is not True:
            value = next(iter(meeting(test, now, ())), value)
            now = now if value is MISSING else edited(now, {key: value})
    return value


def _recorded(key: str, file: Moments) -> list[Any]:
    found: list[Any] = []
    for stored in file.values_of(key, RECORDED):
        try:
            found.append(decode(stored))
        except Exception:  # noqa: BLE001  # as in _values
            continue
    return found


def _one_key(by_key: Mapping[str, list[Any]]) -> Iterator[Edit]:
    return ({key: value} for key, values in by_key.items() for value in values)


def _two_keys(by_key: Mapping[str, list[Any]]) -> Iterator[Edit]:
    # Likely values first in both: the whole table is too large for most searches.
    for one, other in combinations(by_key, 2):
        for first in by_key[one]:
            for second in by_key[other]:
                yield {one: first, other: second}


# ---- sentences ---------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Sentences:
    trial: Trial
    target: str
    search: _Search
    wanted: list[Ghost]

    def derived(self, text: str) -> Statement:
        return Statement(
            text=text,
            frame=self.trial.number,
            phase=Phase.RENDER,
            node_id=self.target if self.target in self.search.tree.index else None,
            source=self.wanted[0].source if self.wanted else None,
            execution_id=self.trial.execution_id,
            evidence="derived",
        )

    def found(self, edit: Edit) -> Iterator[Statement]:
        """Yield the edit as a sentence, below it the guards that it opens and the origin of each present value."""
        writes = {key: self._write(key) for key in edit}
        parts = [f"{key} were {_were(value)} ({self._is(key, writes[key])})" for key, value in edit.items()]
        yield self.derived(f"{self.target} would be in the plan if {' and '.join(parts)}")
        for guard in self._opened(edit):
            yield replace(self.derived(f"{guard.words} then"), depth=1, source=guard.source, node_id=None)
        for key, write in writes.items():
            if write is not None:
                yield self._origin(key, write)
        node = self.search.tree.index.get(self.target)
        # That it is in the plan does not start it: phases and loops have their order.
        if node is not None and node.type in RUNNABLE and node.id not in self.trial.starts(self.search.tree):
            yield replace(self.derived(f"{self.target} would not start in this frame: it would be pending"), depth=1)

    def not_found(self, ghosts: Ghosts) -> Iterator[Statement]:
        """Yield the attempts, and the guards that stay closed."""
        if not self.wanted:
            hint = did_you_mean(self.target, ghosts.names)
            if not hint and not self.target.isidentifier():
                hint = f" Of a key, a task or a handler ask why_not({self.target!r})."
            yield replace(self.derived(f"no component can return {self.target}.{hint}"), evidence=None)
        else:
            # The keys, and not the values: of these there may be hundreds.
            tried = dict.fromkeys(key for edit in self.search.tried for key in edit)
            keys = f", of {', '.join(tried)}" if tried else ""
            text = f"nothing was found: {count(self.search.renders, 'rendering')} with other values{keys}"
            if self.search.over:
                text += f", which is as many as are made ({RENDERS}, or {SECONDS:g} s)"
            yield replace(self.derived(text), evidence=None)
            for ghost in self.wanted:
                for guard in ghost.guards:
                    if guard.holds(self.search.state) is not True:
                        yield replace(self.derived(f"{guard.words}, it needs"), depth=1, source=guard.source)
        for why in (*ghosts.unknown, *self.trial.unknown):
            yield Statement(text=f"not known: {why}", evidence=None)

    def _opened(self, edit: Edit) -> Iterator[Guard]:
        after = edited(self.search.state, edit)
        seen = set()
        for ghost in self.wanted:
            for guard in ghost.guards:
                opens = guard.holds(after) is True and guard.holds(self.search.state) is not True
                if opens and guard.source not in seen:
                    seen.add(guard.source)
                    yield guard

    def _write(self, key: str) -> WriteRecord | None:
        row = self.trial.frame.state.get(key)
        if row is None:
            return None
        writes = Moments(self.trial.reader, self.trial.execution_id).writes(row[1] - 1)
        # The last one of the frame: the others were overridden by it.
        return next((one for one in reversed(writes) if one.key == key and one.status in ("applied", "edited")), None)

    def _is(self, key: str, write: WriteRecord | None) -> str:
        if key not in self.trial.state:
            return "it is missing"
        text = f"it is {_shown(self.search.state.get(key))}"
        if write is not None:
            text += f", {_wrote(write)}"
        return text

    def _origin(self, key: str, write: WriteRecord) -> Statement:
        return Statement(
            text=f"{key} was {_wrote(write)}",
            depth=1,
            frame=write.frame,
            phase=Phase.FLUSH,
            node_id=write.node_id,
            table="transitions",
            row_id=write.id,
            execution_id=self.trial.reader.owner(self.trial.execution_id, max(write.frame, 1)),
            link=f"state:{key}",
        )


def _wrote(write: WriteRecord) -> str:
    if write.origin == "init" and write.frame == 0:
        return "given with the first state"
    return f"written in frame {write.frame} by {_author(write)}"


def _author(write: WriteRecord) -> str:
    if write.handler is not None and write.node_id is not None:
        return f"{write.node_id}'s {write.handler}"
    return write.author


def _were(value: Any) -> str:
    # By identity: the == of a user's value may be anything.
    return "not in the state" if value is DELETED else _shown(value)


def _shown(value: Any) -> str:
    return short(repr(shown(value)), SHOWN)
