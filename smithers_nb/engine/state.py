"""The committed state in memory, and the writes that wait to be applied to it.

Values are kept as the store keeps them. What a reader gets is its own: a list that someone changes in place
changes nobody else's, and no copy of the state is made for a frame. Volatile values are the objects themselves.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, Literal

from ..artifacts import Artifact
from ..captured import captured_by
from ..errors import NotStorableError, RunError, kind_of
from ..records import Event, Origin, Scope, Write, WriteStatus
from ..values import IMMUTABLE, Held, Stored, Unstorable, decode, encode, legible, readable, same, value_of

CONTAINERS = (list, dict, set, bytearray, deque)
WATCHED = 100
"""How many values that one transaction read are looked at for changes in place."""

NONE: Mapping[str, Cell] = {}
"""No volatile values."""


@dataclass(slots=True)
class Cell:
    """One value."""

    stored: Stored
    since: int
    """The first frame that reads it."""
    _value: Any = None  # Any: it is what the user stored
    _shareable: bool | None = None

    def value(self, key: str) -> Any:  # Any: it is what the user stored
        """Return the value: the same object if it can't be changed, else a fresh one.

        Raises:
            StoreError: if it can't be read, naming the key.
        """
        if self._shareable is None:
            self._value = value_of(key, self.stored)
            self._shareable = isinstance(self._value, IMMUTABLE)
            if not self._shareable:
                fresh, self._value = self._value, None
                return fresh
        return self._value if self._shareable else value_of(key, self.stored)


@dataclass(slots=True)
class Queued:
    """A write on its way, with what the record of it does not hold."""

    write: Write
    value: Stored | None = None
    """The new value of a set or an init."""
    function: Callable[[Any], Any] | None = None  # Any: old value to new value
    """Of an update."""


@dataclass(slots=True)
class Transaction:
    """The writes of one handler call, effect run, task or person. They are applied together or not at all."""

    origin: Origin
    origin_id: str | None
    node_id: str | None
    handler: str | None
    trigger: str
    next_id: Callable[[], str]
    committed: Mapping[str, Cell]
    vol: Mapping[str, Cell] = field(default_factory=dict)
    """The committed volatile values."""
    queued: list[Queued] = field(default_factory=list)
    state: Literal["open", "closed", "raised"] = "open"
    """closed: it takes no more writes; raised: and none of them is applied."""
    artifacts: list[Artifact] = field(default_factory=list)
    """They are stored with its writes, or not at all."""
    events: list[Event] = field(default_factory=list)
    """What it has done outside; recorded even if it raised, for it is done."""
    random: Random | None = None
    handed_out: HandedOut = field(default_factory=lambda: HandedOut())

    @property
    def by(self) -> str:
        """The origin of the writes in words: ``on_finished of notes``."""
        if self.handler:
            return f"{self.handler} of {self.node_id}"
        return f"task {self.node_id}" if self.origin == "task" else self.origin

    def set(self, key: str, value: object, scope: Scope = "state") -> Write:
        """Queue a new value."""
        return self._queue("set", key, scope, value=self.encoded(key, value, scope))

    def init(self, key: str, value: object, scope: Scope = "state") -> Write | None:
        """Queue a first value, unless there is one; return None if there is."""
        if self.lookup(key, scope) is not None:
            return None
        return self._queue("init", key, scope, value=self.encoded(key, value, scope))

    def update(self, key: str, function: Callable[[Any], Any], scope: Scope = "state") -> Write:
        """Queue a function of the value so far; FLUSH calls it."""
        return self._queue("update", key, scope, function=function)

    def delete(self, key: str, scope: Scope = "state") -> Write:
        """Queue the removal of a key."""
        return self._queue("delete", key, scope)

    def read(self, key: str, default: Any, scope: Scope) -> Any:  # Any: it is what the user stored
        """Return a fresh value, and remember it if it can be changed in place; ``default`` if the key is missing."""
        stored = self.lookup(key, scope)
        if stored is None:
            return default
        value = value_of(key, stored)
        if scope == "state":
            self.handed_out.add(key, value, stored, len(self.queued))
        return value

    def lost_changes(self) -> list[str]:
        """Return what is to be said of each value that was changed in place and that no write has taken up."""
        return self.handed_out.lost(self.queued, self.by)

    def lookup(self, key: str, scope: Scope = "state") -> Stored | None:
        """Return the committed value as this transaction's own writes have changed it."""
        found = _stored(self.cells(scope).get(key))
        for queued in self.queued:
            if (queued.write.scope, queued.write.key) == (scope, key):
                found = self.applied(queued, found)
        return found

    def keys(self, scope: Scope) -> list[str]:
        """Return the keys that there are after this transaction's own writes, sorted."""
        written = {queued.write.key for queued in self.queued if queued.write.scope == scope}
        return sorted(key for key in {*self.cells(scope), *written} if self.lookup(key, scope) is not None)

    def cells(self, scope: Scope) -> Mapping[str, Cell]:
        """Return the committed values."""
        return self.vol if scope == "vol" else self.committed

    def applied(self, queued: Queued, current: Stored | None) -> Stored | None:
        """Return the value after one write. An update's function may raise; so may what it returns."""
        match queued.write.op:
            case "set":
                return queued.value
            case "init":
                return current or queued.value
            case "delete":
                return None
            case "update":
                assert queued.function is not None  # for the type checker: update() sets it
                key, scope = queued.write.key, queued.write.scope
                before = value_of(key, current) if current else None
                size = _size(before)
                after = queued.function(before)
                # None is a value like any other, unless the function has worked on what it was given.
                if after is None and current and (size != _size(before) or changed_in_place(before, current)):
                    raise RunError(
                        f"update({key!r}, …) changed the {type(before).__name__} in place and returned None, which "
                        "would replace it. Let the function return the new value: lambda value: [*value, item] for a "
                        "list, {**value, key: item} for a dict."
                    )
                return self.encoded(key, after, scope)

    def encoded(self, key: str, value: object, scope: Scope = "state") -> Stored:
        """Return the value as it will be stored, or held.

        Raises:
            NotStorableError: naming key, type and origin.
        """
        if scope == "vol":
            return Held.of(value)
        try:
            return encode(value, key)
        except Unstorable as why:
            raise NotStorableError(
                f"state key {key!r} can't hold this {type(value).__name__}, set by {self.by}: {why}. Nothing was "
                "changed."
            ) from None

    def _queue(
        self,
        op: Literal["set", "update", "delete", "init"],
        key: str,
        scope: Scope,
        *,
        value: Stored | None = None,
        function: Callable[[Any], Any] | None = None,
    ) -> Write:
        check_key(key)
        cell = self.cells(scope).get(key)
        write = Write(
            id=self.next_id(),
            scope=scope,
            key=key,
            op=op,
            old=legible(cell.stored) if cell else None,
            new=legible(value),
            origin=self.origin,
            origin_id=self.origin_id,
            node_id=self.node_id,
            handler=self.handler,
            trigger=self.trigger,
            seq=0,
            status="queued",
        )
        self.queued.append(Queued(write, value, function))
        return write

    @property
    def writes(self) -> tuple[Write, ...]:
        """The queued writes in order."""
        if self.state == "raised":
            return tuple(replace(queued.write, status="rolled_back") for queued in self.queued)
        return tuple(queued.write for queued in self.queued)


@dataclass(slots=True)
class Resolved:
    """What came of the pending writes: the values to store, and every write with its outcome."""

    values: dict[str, Stored | None]
    """New value by key, None for deleted; only keys whose value changed."""
    vol: dict[str, Stored | None]
    """The same of volatile values."""
    transitions: list[tuple[Write, Stored | None, Stored | None]]
    """In order of application, with the stored value before and after."""
    failed: dict[int, tuple[BaseException, Queued]]
    """Index of a transaction that was rolled back because one of its updates raised, with the error and the update."""


def resolve(committed: Mapping[str, Cell], transactions: list[Transaction], vol: Mapping[str, Cell] = NONE) -> Resolved:
    """Apply the transactions in order to copy-on-write views of the state, which itself is not changed."""
    cells = {"state": committed, "vol": vol}
    overlay: dict[tuple[Scope, str], Stored | None] = {}
    transitions: list[tuple[Write, Stored | None, Stored | None]] = []
    failed: dict[int, tuple[BaseException, Queued]] = {}

    def current(place: tuple[Scope, str]) -> Stored | None:
        return overlay[place] if place in overlay else _stored(cells[place[0]].get(place[1]))

    for index, transaction in enumerate(transactions):
        before = {_place(queued): current(_place(queued)) for queued in transaction.queued}
        done: list[tuple[Write, Stored | None, Stored | None]] = []
        try:
            for queued in transaction.queued if transaction.state != "raised" else ():
                old = current(_place(queued))
                if queued.write.status == "dropped":
                    done.append((queued.write, old, queued.value))
                    continue
                new = transaction.applied(queued, old)
                overlay[_place(queued)] = new
                done.append((replace(queued.write, status=_outcome(queued.write, old == new)), old, new))
        except BaseException as error:  # noqa: BLE001  # the user's function; recorded as the transaction's failure
            overlay.update(before)
            failed[index] = error, queued
            transaction.state = "raised"
        if transaction.state == "raised":
            done = [
                (replace(queued.write, status="rolled_back"), before[_place(queued)], queued.value)
                for queued in transaction.queued
            ]
        transitions.extend(done)
    changed: dict[Scope, dict[str, Stored | None]] = {"state": {}, "vol": {}}
    for (scope, key), value in overlay.items():
        if value != _stored(cells[scope].get(key)):
            changed[scope][key] = value
    return Resolved(changed["state"], changed["vol"], _numbered(transitions), failed)


def _outcome(write: Write, same: bool) -> WriteStatus:
    return "edited" if write.status == "edited" else "noop" if same else "applied"


def _place(queued: Queued) -> tuple[Scope, str]:
    return queued.write.scope, queued.write.key


def check_key(key: object) -> None:
    """Refuse a key that would come back as another one, or not at all.

    Raises:
        NotStorableError: naming it.
    """
    try:
        if isinstance(key, str) and (key.isascii() or key.encode()):
            return
        why = f"it is {kind_of(key)}; use a str"
    except UnicodeEncodeError:
        why = "it contains a lone surrogate, which is no valid text"
    raise NotStorableError(f"{key!r} can't be a key of the state: {why}. Nothing was changed.")


def _size(value: object) -> int | None:
    """Return the length of a container that can be changed in place."""
    return len(value) if isinstance(value, CONTAINERS) else None


def _takes_up(queued: Queued, key: str, value: object) -> bool:
    """Whether a write is of this key, or holds the value, perhaps in another one."""
    if (queued.write.scope, queued.write.key) == ("state", key):
        return True
    if queued.function is not None:
        return any(value is one for one in captured_by(queued.function))
    return queued.value is not None and readable(value).text in queued.value.text


@dataclass(slots=True)
class HandedOut:
    """Copies of values of the state that user code was given and can change in place."""

    _values: list[tuple[str, Any, Stored, int]] = field(default_factory=list)
    """(key, value, what it was made of, number of the writes before)."""

    def __bool__(self) -> bool:
        return bool(self._values)

    def add(self, key: str, value: object, stored: Stored, before: int) -> None:
        """Remember a value that was read after so many writes, if it can be changed in place."""
        if not isinstance(value, IMMUTABLE) and len(self._values) < WATCHED:
            self._values.append((key, value, stored, before))

    def lost(self, writes: Sequence[Queued], by: str, result: Stored | None = None) -> list[str]:
        """Return a message for each value that was changed, and that neither a later write nor the result holds."""
        return [
            f"the {type(value).__name__} of state key {key!r} was changed in place by {by} and not set: get() gives a "
            f"copy, so the change is lost. Set the value after changing it, ctx.state.set({key!r}, value), or use "
            f"ctx.state.update({key!r}, function). To change a copy on purpose, make one: copy.deepcopy(value)."
            for key, value, stored, before in self._values
            if changed_in_place(value, stored)
            and not (result is not None and readable(value).text in result.text)
            and not any(_takes_up(write, key, value) for write in writes[before:])
        ]

    def clear(self) -> None:
        """Forget all of them."""
        self._values.clear()


def changed_in_place(value: object, stored: Stored) -> bool:
    """Whether a value that was made of this is no longer what it was then."""
    if isinstance(value, IMMUTABLE):
        return False
    if isinstance(stored, Held):  # The object itself: only what is shown of it tells.
        return readable(value).text != stored.text
    was = decode(stored)
    text = readable(was).text
    if same(value, was) or readable(value).text == text:
        return False
    # A class that has changed may read the same text differently each time: such as a new field with an id as default.
    return readable(decode(stored)).text == text


def _stored(cell: Cell | None) -> Stored | None:
    return cell.stored if cell else None


def _numbered(
    transitions: list[tuple[Write, Stored | None, Stored | None]],
) -> list[tuple[Write, Stored | None, Stored | None]]:
    """Give the writes their sequence and their values, and mark those that a later one replaced."""
    replaced: set[tuple[Scope, str]] = set()
    numbered = []
    for seq, (write, old, new) in reversed(list(enumerate(transitions, 1))):
        status: WriteStatus = write.status
        place = (write.scope, write.key)
        if status == "applied" and place in replaced:
            status = "overridden"
        if status in ("applied", "overridden", "edited"):
            if write.op in ("set", "delete"):
                replaced.add(place)
            elif write.op == "update":
                # It builds on the value before it, which therefore was not lost.
                replaced.discard(place)
        numbered.append((_with_values(write, seq, status, old, new), old, new))
    return numbered[::-1]


def _with_values(write: Write, seq: int, status: WriteStatus, old: Stored | None, new: Stored | None) -> Write:
    return replace(write, seq=seq, status=status, old=legible(old), new=legible(new))


def read_name(scope: Scope, key: str) -> str:
    """Return how RENDER calls a key that was read, or is to get a first value."""
    return key if scope == "state" else f"\0vol {key}"


def key_of(name: str) -> tuple[Scope, str] | None:
    """Return scope and key of what RENDER recorded as a read; None if it is no key."""
    if name.startswith("\0vol "):
        return "vol", name.removeprefix("\0vol ")
    return None if name.startswith("\0") else ("state", name)


def first_values(
    inits: Mapping[str, tuple[Stored, str]],
    next_id: Callable[[], str],
    committed: Mapping[str, Cell],
    vol: Mapping[str, Cell] = NONE,
) -> list[Transaction]:
    """Return the transactions for the first values that components asked for: (value, component) by name."""
    transactions = []
    for name, (value, component) in inits.items():
        scope: Scope = "vol" if isinstance(value, Held) else "state"
        transaction = Transaction("init", component, None, None, f"{component} rendered", next_id, committed, vol)
        transaction.init(name.removeprefix(read_name(scope, "")), decode(value), scope)
        transactions.append(transaction)
    return transactions
