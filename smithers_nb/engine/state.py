"""The committed state in memory, and the writes that wait to be applied to it.

Values are kept as the store keeps them. What a reader gets is its own: a list that someone changes in place
changes no one else's, and no copy of the state is made for a frame. Volatile values are the objects themselves.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, Literal, Protocol

from ..artifacts import Artifact
from ..captured import captured_by
from ..errors import NotStorableError, RunError, kind_of
from ..records import Event, Origin, Scope, Write, WriteStatus
from ..values import IMMUTABLE, Held, Stored, Unstorable, decode, encode, legible, readable, same, value_of

CONTAINERS = (list, dict, set, bytearray, deque)
WATCHED = 100
"""The number of values that one transaction read and that are looked at for changes in place."""

NONE: Mapping[str, Cell] = {}
"""No volatile values."""


@dataclass(slots=True)
class Cell:
    """A value of the state, as it is stored."""

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
                # The first reader gets it. Kept here, it would be in the hands of two who can change it.
                fresh, self._value = self._value, None
                return fresh
        if self._shareable:
            return self._value
        return value_of(key, self.stored)


@dataclass(slots=True)
class Queued:
    """A write on its way, with what the record of it does not hold."""

    write: Write
    value: Stored | None = None
    """The new value of a set or an init."""
    function: Callable[[Any], Any] | None = None  # Any: old value to new value
    """The function of an update."""


class Writes(Protocol):
    """Takes writes: a transaction, ``ctx.state``."""

    def set(self, key: str, value: object) -> object:
        """Queue a new value."""

    def init(self, key: str, value: object) -> object:
        """Queue a first value."""

    def update(self, key: str, function: Callable[[Any], Any]) -> object:
        """Queue a function of the value so far."""

    def delete(self, key: str) -> object:
        """Queue the removal of a key."""


def write_again(writes: Writes, key: str, op: str, value: object) -> None:
    """Queue a recorded write once more."""
    match op:
        case "delete":
            writes.delete(key)
        case "update":
            # The function is not in the file; its outcome is.
            writes.update(key, lambda _: value)
        case "init":
            writes.init(key, value)
        case _:
            writes.set(key, value)


@dataclass(frozen=True, slots=True)
class TaskAuthor:
    """A task that writes while it runs, and the tool call that does it, in an agent's task."""

    task_id: str | None
    node_id: str | None
    tool_call_id: str | None = None


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
    """closed: it takes no further writes; raised: and none of them is applied."""
    artifacts: list[Artifact] = field(default_factory=list)
    """Artifacts that are stored with its writes, or not at all."""
    events: list[Event] = field(default_factory=list)
    """Actions outside of the state; recorded even if it raised, because they can't be undone."""
    random: Random | None = None
    handed_out: HandedOut = field(default_factory=lambda: HandedOut())
    tool_call_id: str | None = None

    @property
    def by(self) -> str:
        """The origin of the writes in words: ``on_finished of notes``."""
        if self.handler:
            return f"{self.handler} of {self.node_id}"
        if self.origin == "task":
            return f"task {self.node_id}"
        return self.origin

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
        """Return a message for each value that was changed in place and that no write has taken up."""
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
        if scope == "vol":
            return self.vol
        return self.committed

    def applied(self, queued: Queued, current: Stored | None) -> Stored | None:
        """Return the value after one write. An update's function may raise, and so may encoding its result."""
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
                before = None
                if current is not None:
                    before = value_of(key, current)
                size = _size(before)
                after = queued.function(before)
                # None is a value like any other, unless the function has changed its argument.
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
        old = None
        if cell is not None:
            old = legible(cell.stored)
        write = Write(
            id=self.next_id(),
            scope=scope,
            key=key,
            op=op,
            old=old,
            new=legible(value),
            origin=self.origin,
            origin_id=self.origin_id,
            node_id=self.node_id,
            handler=self.handler,
            trigger=self.trigger,
            seq=0,
            status="queued",
            tool_call_id=self.tool_call_id,
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
    """The outcome of the pending writes: the values to store, and the status of every write."""

    values: dict[str, Stored | None]
    """New value by key, None for deleted; only keys whose value changed."""
    vol: dict[str, Stored | None]
    """The same of volatile values."""
    transitions: list[tuple[Write, Stored | None, Stored | None]]
    """The writes in the order in which they were applied, with the stored value before and after."""
    failed: dict[int, tuple[BaseException, Queued]]
    """Index of a transaction that was rolled back because one of its updates raised, with the error and the update."""


_Applied = tuple[Write, WriteStatus, Stored | None, Stored | None]
"""A write with its outcome, and the stored value before and after."""
RANK: dict[Origin, int] = {"init": 0, "operator": 1, "task": 2, "handler": 3, "effect": 3}
"""The order in which writes of these origins apply."""


def in_order(transactions: Iterable[Transaction]) -> list[Transaction]:
    """Return transactions in the order in which FLUSH applies them; those of one rank keep theirs."""
    # First values come first, because an update may rely on them. The frame's own handlers and effects come last:
    # they saw less than what arrived from outside, and an update of theirs builds on it instead of replacing it.
    return sorted(transactions, key=lambda transaction: RANK[transaction.origin])


def resolve(committed: Mapping[str, Cell], transactions: list[Transaction], vol: Mapping[str, Cell] = NONE) -> Resolved:
    """Apply the transactions in order to copy-on-write views of the state, which itself is not changed."""
    cells = {"state": committed, "vol": vol}
    overlay: dict[tuple[Scope, str], Stored | None] = {}
    transitions: list[_Applied] = []
    failed: dict[int, tuple[BaseException, Queued]] = {}

    def current(place: tuple[Scope, str]) -> Stored | None:
        if place in overlay:
            return overlay[place]
        return _stored(cells[place[0]].get(place[1]))

    for index, transaction in enumerate(transactions):
        before = {_place(queued): current(_place(queued)) for queued in transaction.queued}
        done: list[_Applied] = []
        try:
            # One that raised in its handler is listed below, as rolled back.
            for queued in () if transaction.state == "raised" else transaction.queued:
                old = current(_place(queued))
                if queued.write.status == "dropped":
                    done.append((queued.write, "dropped", old, queued.value))
                    continue
                new = transaction.applied(queued, old)
                overlay[_place(queued)] = new
                done.append((queued.write, _outcome(queued.write, old == new), old, new))
        except BaseException as error:  # noqa: BLE001  # the user's function; recorded as the transaction's failure
            # To the values before this transaction, not to the committed ones: what came before it stays applied.
            overlay.update(before)
            failed[index] = error, queued
            transaction.state = "raised"
        if transaction.state == "raised":
            done = [
                (queued.write, "rolled_back", before[_place(queued)], queued.value) for queued in transaction.queued
            ]
        transitions.extend(done)
    changed: dict[Scope, dict[str, Stored | None]] = {"state": {}, "vol": {}}
    for (scope, key), value in overlay.items():
        if value != _stored(cells[scope].get(key)):
            changed[scope][key] = value
    return Resolved(changed["state"], changed["vol"], _numbered(transitions), failed)


def _outcome(write: Write, same: bool) -> WriteStatus:
    if write.status == "edited":
        return "edited"
    return "noop" if same else "applied"


def _place(queued: Queued) -> tuple[Scope, str]:
    return queued.write.scope, queued.write.key


def check_key(key: object) -> None:
    """Refuse a key that the file would give back changed, or not at all.

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
    if isinstance(value, CONTAINERS):
        return len(value)
    return None


def _takes_up(queued: Queued, key: str, value: object) -> bool:
    """Return whether a write is of this key, or holds the value, perhaps inside of a larger one."""
    if (queued.write.scope, queued.write.key) == ("state", key):
        return True
    if queued.function is not None:
        return any(value is one for one in captured_by(queued.function))
    return queued.value is not None and readable(value).text in queued.value.text


@dataclass(slots=True)
class HandedOut:
    """Copies of values of the state that user code was given and can change in place."""

    _values: list[tuple[str, Any, Stored, int]] = field(default_factory=list)
    """(key, value, the stored value that it was made of, number of the writes before)."""

    def __bool__(self) -> bool:
        return bool(self._values)

    def add(self, key: str, value: object, stored: Stored, before: int) -> None:
        """Remember a value that was read after ``before`` writes, if it can be changed in place."""
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
    """Return whether a value differs from the stored value that it was made of."""
    if isinstance(value, IMMUTABLE):
        return False
    if isinstance(stored, Held):  # The object itself, so only its text as it was shows a change.
        return readable(value).text != stored.text
    was = decode(stored)
    text = readable(was).text
    if same(value, was) or readable(value).text == text:
        return False
    # A class that has changed may read the same text differently each time: such as a new field with an id as default.
    return readable(decode(stored)).text == text


def _stored(cell: Cell | None) -> Stored | None:
    if cell is None:
        return None
    return cell.stored


def _numbered(transitions: list[_Applied]) -> list[tuple[Write, Stored | None, Stored | None]]:
    """Give the writes their sequence and their values, and mark those that a later one replaced."""
    replaced: set[tuple[Scope, str]] = set()
    numbered = []
    # Backwards: only a later write can make one overridden.
    for seq, (write, status, old, new) in reversed(list(enumerate(transitions, 1))):
        place = (write.scope, write.key)
        if status == "applied" and place in replaced:
            status = "overridden"
        if status in ("applied", "overridden", "edited"):
            if write.op in ("set", "delete"):
                replaced.add(place)
            elif write.op == "update":
                # It builds on the value before it, which therefore was not lost.
                replaced.discard(place)
        numbered.append((replace(write, seq=seq, status=status, old=legible(old), new=legible(new)), old, new))
    return numbered[::-1]


def read_name(scope: Scope, key: str) -> str:
    """Return how RENDER calls a key that was read, or is to get a first value."""
    # No key of the user's begins so by chance, and the reads of both scopes fit into one set of names.
    if scope == "vol":
        return f"\0vol {key}"
    return key


def key_of(name: str) -> tuple[Scope, str] | None:
    """Return scope and key of what RENDER recorded as a read; None if it is no key."""
    if name.startswith("\0vol "):
        return "vol", name.removeprefix("\0vol ")
    if name.startswith("\0"):
        return None
    return "state", name


def first_values(
    inits: Mapping[str, tuple[Stored, str]],
    next_id: Callable[[], str],
    committed: Mapping[str, Cell],
    vol: Mapping[str, Cell] = NONE,
) -> list[Transaction]:
    """Return the transactions for the first values that components asked for: (value, component) by name."""
    transactions = []
    for name, (value, component) in inits.items():
        # Only a volatile value is kept as the object itself.
        scope: Scope = "vol" if isinstance(value, Held) else "state"
        transaction = Transaction(
            origin="init",
            origin_id=component,
            node_id=None,
            handler=None,
            trigger=f"{component} rendered",
            next_id=next_id,
            committed=committed,
            vol=vol,
        )
        transaction.init(name.removeprefix(read_name(scope, "")), decode(value), scope)
        transactions.append(transaction)
    return transactions
