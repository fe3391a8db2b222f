"""Why a value is as it is: the write that made it, its author, and the cause of that."""

from __future__ import annotations

from ...errors import did_you_mean, message_of
from ...records import CallRecord, EffectRun, Phase, Statement, WriteRecord
from ...records.excerpt import Excerpt
from ...records.words import count, short
from .book import Book
from .facts import Called, Matter, NodeAt, NodeGone, PropAt, Ran, TaskBegan, TaskEnded, Told, ToolRan, ValueAt, Written
from .writers import would_write

REPLACED = ("edited", "dropped")
"""The states of a write that a person changed before FLUSH."""
_OUTCOMES = {
    "queued": "; it waits for FLUSH",
    "noop": ", which it was already",
    "overridden": "; a later write of the same frame replaced it",
    "rolled_back": "; it was rolled back, because its author raised",
}
FORK = "fork"
"""The trigger of a write that a fork made."""


def value_words(value: Excerpt | None) -> str:
    """Return the beginning of a value for a sentence."""
    if value is None:
        return "nothing"
    return short(" ".join(value.text.split()), 60)


def maker_of(book: Book, key: str, frame: int) -> Matter:
    """Return the write that made the value which a frame reads; without a record of it, the value itself."""
    made = frame - 1
    if (found := book.rows.value(key, frame)) is not None:
        made = found.since - 1
    write = book.rows.maker(key, made)
    if write is None:
        return ValueAt(book, key, frame)
    return Written(book, write.id, key)


def value_at(fact: ValueAt) -> Told:
    """Tell a value."""
    book, key = fact.book, fact.key
    found = book.rows.value(key, fact.frame)
    if found is None:
        return _missing(fact)
    told = book.say(
        f"{key} is {value_words(found.value)} since frame {found.since}",
        table="state",
        row_id=key,
        frame=found.since,
        phase=Phase.SNAPSHOT,
    )
    write = book.rows.maker(key, found.since - 1)
    if write is None:
        return Told(told, (Told(book.say(f"the write that made {key} was pruned", evidence=None)),))
    return Told(told, (Written(book, write.id, key),))


def _missing(fact: ValueAt) -> Told:
    book, key = fact.book, fact.key
    # What waits for FLUSH is no value yet, and the next thing that a person wants to know.
    pending = next((one for one in book.pending if one.key == key), None)
    if pending is not None:
        text = f"{key} has no value yet: a write of it is pending"
        return Told(book.say(text, frame=fact.frame), (Written(book, pending.id, key),))
    ended = book.rows.value_end(key, fact.frame)
    if ended is not None and (write := book.rows.maker(key, ended - 1)) is not None:
        text = f"{key} has no value since frame {ended}"
        return Told(book.say(text, table="state", row_id=key, frame=ended), (Written(book, write.id, key),))
    text = f"{key} has no value in frame {fact.frame}: nothing had written it"
    # A key that was written later has its authors in the record: these here are for one that never was.
    causes: list[Told] = []
    if not book.rows.last_written(key, book.last):
        text += did_you_mean(key, book.rows.known_keys()).replace(" Did", ". Did", 1)
        causes = list(would_write(book, key, fact.frame))
    return Told(book.say(text, table="state", row_id=key, frame=fact.frame), tuple(causes))


def written(fact: Written) -> Told:
    """Tell a write: its author, its value and its outcome."""
    book = fact.book
    write = book.write(fact.id)
    if write is None:
        return Told(book.say(f"write {fact.id} is not recorded any more", evidence=None))
    # The edit of a fork is of the frame before the branch's first one, under the branch's id.
    owner = book.owner(write.frame + (write.trigger == FORK))
    statement = book.say(
        f"{_did(book, write)}{_OUTCOMES.get(write.status, '')}",
        table="transitions",
        row_id=write.id,
        frame=write.frame,
        phase=Phase.FLUSH,
        node_id=write.node_id,
        execution_id=owner,
        source=_source(book, write),
        link=_before(write),
    )
    return Told(statement, _causes(book, write))


def _before(write: WriteRecord) -> str | None:
    """Return the further question of a write that built on the value before."""
    # A person is the root. The call that had wanted to write is a further question.
    if write.status in REPLACED and write.origin_id is not None:
        return write.origin_id
    # The value before is not followed: a counter would have a chain as long as its history.
    if write.op == "update" and write.old is not None and write.scope == "state":
        return f"state:{write.key}"
    return None


def _did(book: Book, write: WriteRecord) -> str:
    key = write.key
    if write.scope == "vol":
        key = f"vol {key}"
    new = value_words(write.new)
    if write.trigger == FORK and write.op == "delete":
        return f"the fork deleted {key} after frame {write.frame}, which was {value_words(write.old)}"
    if write.trigger == FORK:
        return f"the fork set {key} to {new} after frame {write.frame}"
    if write.status == "dropped":
        return f"a person dropped a pending write of {book.name(write.node_id, write.frame)}: {key} = {new}"
    if write.status == "edited":
        return f"a person edited a pending write of {book.name(write.node_id, write.frame)}: {key} = {new}"
    if write.origin == "init" and write.frame == 0:
        return f"{key} = {new} was given with the first state"
    who = _who(book, write)
    if write.op == "delete":
        return f"{who} deleted {key}, which was {value_words(write.old)}"
    if write.op == "init":
        return f"{who} gave {key} its first value, {new}"
    text = f"{who} wrote {key} = {new}"
    if write.old is not None and write.status in ("applied", "overridden"):
        text += f", which was {value_words(write.old)}"
    return text


def _who(book: Book, write: WriteRecord) -> str:
    name = book.name(write.node_id, max(write.frame, 1))
    match write.origin:
        case "handler":
            return f"{write.handler} of {name}"
        case "effect":
            return f"{write.handler} of {name}"
        case "task":
            return _tool_of(book, write, name) or f"{name}, while it ran,"
        case "init":
            return f"component {write.origin_id}"
        case _:
            return "a person"


def _tool_of(book: Book, write: WriteRecord, name: str) -> str | None:
    """Return the tool that wrote, in words; None where the task did."""
    if write.tool_call_id is None or write.origin_id is None:
        return None
    call = book.rows.tool_call(write.origin_id, write.tool_call_id, write.frame)
    return None if call is None else f"tool {call.tool} of {call.agent or name}"


def _source(book: Book, write: WriteRecord) -> str | None:
    # The handler's own line says more than that of its node.
    if write.origin == "handler" and write.origin_id is not None:
        call = book.call(write.origin_id)
        if call is not None and call.call.source is not None:
            return call.call.source
    return book.source_of(write.node_id, max(write.frame, 1))


def _causes(book: Book, write: WriteRecord) -> tuple[Matter | Told, ...]:
    """Return the cause of a write; none where it is a root: a person, a fork, the first state."""
    if write.status == "overridden" and (later := _winner(book, write)) is not None:
        return (Told(later), *_author(book, write))
    if write.origin == "operator" or write.trigger == FORK:
        return ()
    return _author(book, write)


def _winner(book: Book, write: WriteRecord) -> Statement | None:
    # Writes of one key are applied in turn; the last one is the frame's.
    winner = book.rows.maker(write.key, write.frame, write.scope)
    if winner is None:
        return None
    return book.say(
        f"{_did(book, winner)}: it came later in the order of application",
        table="transitions",
        row_id=winner.id,
        frame=winner.frame,
        phase=Phase.FLUSH,
        node_id=winner.node_id,
    )


def _author(book: Book, write: WriteRecord) -> tuple[Matter | Told, ...]:
    if write.origin_id is None:
        return ()
    match write.origin:
        case "handler":
            return (Called(book, write.origin_id),)
        case "effect":
            return (Ran(book, write.origin_id),)
        case "task":
            if write.tool_call_id is not None:
                return (ToolRan(book, write.origin_id, write.tool_call_id, write.frame),)
            return (TaskBegan(book, write.origin_id),)
        case "init":
            number = write.frame
            text = f"component {write.origin_id} was rendered in frame {number}, and asked for it in its code"
            row = book.say(text, table="frames", row_id=str(number), frame=number, phase=Phase.RENDER)
            return (Told(row),)
    return ()


# ---- calls and effects -------------------------------------------------------------------------------------------


def called(fact: Called) -> Told:
    """Tell a handler call."""
    book = fact.book
    found = book.call(fact.id)
    if found is None:
        return Told(book.say(f"handler call {fact.id} is not recorded any more", evidence=None))
    call = found.call
    statement = book.say(
        call_words(book, found),
        table="handlers",
        row_id=call.id,
        frame=call.frame,
        phase=Phase.EXECUTE,
        node_id=call.node_id,
        source=call.source or book.source_of(call.node_id, call.frame),
    )
    # The task has not ended: a report has no cause that is recorded but the task itself.
    if call.event == "on_progress":
        text = f"{book.name(call.node_id, call.frame)} reported progress"
        running = book.say(
            text,
            table="tasks",
            row_id=call.task_id,
            frame=call.frame,
            phase=Phase.EXECUTE,
            node_id=call.node_id,
        )
        return Told(statement, (Told(running),))
    causes: list[Matter | Told] = [TaskEnded(book, call.task_id)]
    if call.status == "stale":
        causes.insert(0, NodeGone(book, call.node_id, call.frame))
    return Told(statement, tuple(causes))


def call_words(book: Book, found: CallRecord) -> str:
    """Return a handler call in words, with its outcome."""
    call = found.call
    name = f"{call.event} of {book.name(call.node_id, call.frame)}"
    if call.status == "stale":
        return f"{name} was not called in frame {call.frame}: its node had left the plan"
    text = f"{name} was called in frame {call.frame}"
    if call.status == "raised":
        text += f", and raised {_message(call.error)}"
        if call.writes:
            were = "was" if call.writes == 1 else "were"
            text += f"; its {count(call.writes, 'write')} {were} rolled back"
    return text


def _message(error: str | None) -> str:
    return short(" ".join(message_of(error or "an error").split()), 200)


def ran(fact: Ran) -> Told:
    """Tell an effect run, or a cleanup."""
    book = fact.book
    run = book.effect(fact.id)
    if run is None:
        return Told(book.say(f"effect run {fact.id} is not recorded any more", evidence=None))
    name = book.name(run.node_id, run.frame)
    text = f"{name} ran in frame {run.frame}"
    if run.kind == "cleanup":
        text = f"the cleanup of {text}"
    if run.status == "raised":
        text += f", and raised {_message(run.error)}"
    why, causes = _effect_cause(book, run)
    statement = book.say(
        f"{text}{why}",
        table="effects",
        row_id=run.id,
        frame=run.frame,
        phase=Phase.EFFECTS,
        node_id=run.node_id,
    )
    return Told(statement, causes)


def _effect_cause(book: Book, run: EffectRun) -> tuple[str, tuple[Matter, ...]]:
    """Return why an effect ran, in words, and the facts that led to it."""
    now, before = book.node(run.node_id, run.frame), book.node(run.node_id, run.frame - 1)
    # The file does not say why an effect ran. Its node's versions do: it runs on mount and when its deps change.
    if now is None:
        return ", because it left the plan", (NodeGone(book, run.node_id, run.frame),)
    if before is None:
        return ", because it was mounted", (NodeAt(book, run.node_id, run.frame),)
    if before.node.props != now.node.props:
        return ", because its deps changed", (PropAt(book, run.node_id, "deps", run.frame),)
    return ", because its phase had begun", (NodeAt(book, run.node_id, run.frame),)
