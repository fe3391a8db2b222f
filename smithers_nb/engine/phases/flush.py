"""FLUSH: the pending writes are resolved and applied, in one transaction with everything that made them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from time import perf_counter

from ...errors import EffectError, HandlerError, RunError, said, traceback_of
from ...nodes import source as sources
from ...records import Event, Phase, Scope, TaskEnd
from ...store import writer
from ...store.writer import Left
from ...values import Stored
from ..committed import Committed
from ..draft import Draft
from ..live import Live
from ..state import Cell, Resolved, Transaction, in_order, read_name, resolve
from ..user_code.output import keeping
from ..user_code.purity import KEYS

NAMED_CAUSES = 20
"""The number of changed keys that are named as causes of the next frame."""

FAILED = {"handler": HandlerError, "effect": EffectError}
"""The class of the error for an update that raises, by the origin of its write; a RunError for others."""


async def flush(live: Live, draft: Draft) -> None:
    """Apply the frame's writes and close it."""
    await _flush(live, draft, draft.ms)


async def flush_between(live: Live, draft: Draft) -> None:
    """Apply the writes that came when no frame was open; ``draft`` is made for them and has no row."""
    await _flush(live, draft, None)


async def _flush(live: Live, draft: Draft, ms: Mapping[Phase, float] | None) -> None:
    arrived, ends = live.inbox.take()
    draft.operated = bool(arrived or ends)
    transactions = in_order([*arrived, *draft.transactions])
    with keeping(live.printed, draft, "an update"):
        resolved = resolve(live.committed.cells, transactions, live.committed.vol)
    _roll_back(draft, transactions, resolved)
    draft.written = tuple(write for write, _, _ in resolved.transitions)
    noted = [*draft.problem_events(), *live.take_noted()]
    ended = [(end, live.tasks.left(end)) for end in ends]
    try:
        await live.services.database.transaction(
            writer.flush_frame,
            live.services.execution_id,
            _result(live, draft, transactions, resolved, ended=ended, noted=noted),
            ms=ms,
            started=perf_counter(),
        )
    except BaseException:
        # The file did not take it. The next FLUSH finds the inbox as this one did; the frame's own writes are still in
        # the draft. The events are recorded by whatever transaction comes first, so the draft does not give them again.
        live.inbox.put_back(arrived, ends)
        live.noted[:0] = noted
        raise
    # Nothing is awaited from here on: a cancellation can't come between the file and memory.
    _apply(live, draft, resolved, ended)


def _roll_back(draft: Draft, transactions: list[Transaction], resolved: Resolved) -> None:
    """Mark the handlers and effects one of whose updates raised only now."""
    for index, (failure, update) in resolved.failed.items():
        transaction = transactions[index]
        error = traceback_of(failure)
        place = draft.call_of.get(id(transaction))
        if place is not None and transaction.origin == "effect":
            draft.effects[place] = replace(draft.effects[place], status="raised", error=error)
        elif place is not None:
            draft.calls[place] = replace(draft.calls[place], status="raised", error=error)
        draft.problem(
            FAILED.get(transaction.origin, RunError)(
                f"an update by {transaction.by} raised {said(failure)}; all of its writes were rolled back.",
                node_id=transaction.node_id,
                source=sources.of_traceback(failure.__traceback__) or sources.of_function(update.function),
            ),
            Phase.FLUSH,
        )


def _result(
    live: Live,
    draft: Draft,
    transactions: list[Transaction],
    resolved: Resolved,
    *,
    ended: list[tuple[TaskEnd, Left | None]],
    noted: list[Event],
) -> writer.FlushResult:
    return writer.FlushResult(
        frame=draft.number,
        changes=[
            writer.Change(key, cell.since if (cell := live.committed.cells.get(key)) else None, value)
            for key, value in resolved.values.items()
        ],
        transitions=[(write, _text(old), _text(new)) for write, old, new in resolved.transitions],
        calls=draft.calls,
        effects=draft.effects,
        settled=draft.settled,
        ended=ended,
        artifacts=[made for one in transactions if one.state != "raised" for made in one.artifacts],
        events=[*(event for one in transactions for event in one.events), *noted],
    )


def _text(value: Stored | None) -> str | None:
    if value is None:
        return None
    return value.text


def _replace(committed: Committed, cells: dict[str, Cell], key: str, value: Stored | None, since: int) -> int:
    """Put a value in the place of another, if there was one; return by how much that changes the values' signature."""
    old = cells.pop(key, None)
    if value is not None:
        cells[key] = Cell(value, since)
    if (old is None) != (value is None):
        committed.note(KEYS)
    # Sums of hashes, because addition forgets the order: the same values give the same signature whatever was
    # written first, and taking a value out of it needs no look at the others.
    before = None
    if old is not None:
        before = old.stored
    return _hash(key, value) - _hash(key, before)


def _hash(key: str, value: Stored | None) -> int:
    if value is None:
        return 0
    return hash((key, value.text, value.type))


def _apply(live: Live, draft: Draft, resolved: Resolved, ended: list[tuple[TaskEnd, Left | None]]) -> None:
    """The file has it; now memory, and the causes of the next frame."""
    committed, signature = live.committed, live.committed.value_signature
    for key, value in resolved.values.items():
        committed.note(key)
        signature += _replace(committed, committed.cells, key, value, since=draft.number + 1)
    for key, value in resolved.vol.items():
        committed.note(read_name("vol", key))
        signature += _replace(committed, committed.vol, key, value, since=draft.number + 1)
    effect_runs = draft.effect_runs
    if effect_runs is None:
        effect_runs = committed.effect_runs
    live.committed = replace(committed, value_signature=signature, effect_runs=effect_runs)
    _name_causes(live, "state", list(resolved.values))
    _name_causes(live, "vol", list(resolved.vol))
    if any(transaction.events for transaction in draft.transactions):
        live.watch.look()
    # What a node that has left the plan did can let nothing in it begin, and is no cause of another frame.
    settled = [task_id for task_id in draft.settled if live.tasks.settle(task_id)]
    if len(settled) == 1:
        live.inbox.cause(f"{settled[0]} settled")
    elif settled:
        live.inbox.cause(f"{len(settled)} tasks settled")
    for end, left in ended:
        if left is not None:
            live.tasks.settle(end.task_id)
        live.tasks.ended(end)


def _name_causes(live: Live, scope: Scope, changed: list[str]) -> None:
    for key in changed[:NAMED_CAUSES]:
        live.inbox.cause(f"{scope} {key}")
    if len(changed) > NAMED_CAUSES:
        live.inbox.cause(f"{scope}: {len(changed) - NAMED_CAUSES} more keys")
