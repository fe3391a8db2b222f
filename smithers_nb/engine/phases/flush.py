"""FLUSH: the pending writes are resolved and applied, in one transaction with everything that made them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from time import perf_counter

from ...errors import EffectError, HandlerError, RunError, said, traceback_of
from ...nodes import source as sources
from ...records import Event, Phase, Scope, TaskEnd
from ...store import writer
from ...values import Stored
from ..committed import Committed
from ..draft import Draft
from ..live import Live
from ..state import Cell, Resolved, Transaction, read_name, resolve
from ..user_code.output import heard
from ..user_code.purity import KEYS

NAMED_CAUSES = 20
"""How many changed keys are named as causes of the next frame."""

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
    operators = [write for write in arrived if write.origin == "operator"]
    tasks = [write for write in arrived if write.origin != "operator"]
    # First values come first: whoever updates a key may rely on them.
    first = [write for write in draft.transactions if write.origin == "init"]
    transactions = [*first, *operators, *tasks, *(write for write in draft.transactions if write.origin != "init")]
    with heard(live.printed, draft, "an update"):
        resolved = resolve(live.committed.cells, transactions, live.committed.vol)
    _roll_back(draft, transactions, resolved)
    draft.written = tuple(write for write, _, _ in resolved.transitions)
    noted = [*(problem.event(draft.number) for problem in draft.problems), *live.take_noted()]
    try:
        await live.services.database.transaction(
            writer.flush_frame,
            live.services.execution_id,
            _result(live, draft, transactions, resolved, ends, noted),
            ms=ms,
            started=perf_counter(),
        )
    except BaseException:
        live.inbox.put_back(arrived, ends)
        live.noted[:0] = noted
        raise
    _apply(live, draft, resolved, ends)


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
    ends: list[TaskEnd],
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
        ended=ends,
        artifacts=[made for one in transactions if one.state != "raised" for made in one.artifacts],
        events=[*(event for one in transactions for event in one.events), *noted],
    )


def _text(value: Stored | None) -> str | None:
    return value.text if value else None


def _replace(committed: Committed, cells: dict[str, Cell], key: str, value: Stored | None, since: int) -> int:
    """Put a value in the place of another, if there was one; return by how much that changes the values' signature."""
    old = cells.pop(key, None)
    if value is not None:
        cells[key] = Cell(value, since)
    if (old is None) != (value is None):
        committed.note(KEYS)
    return _hash(key, value) - _hash(key, old.stored if old else None)


def _hash(key: str, value: Stored | None) -> int:
    return hash((key, value.text, value.type)) if value is not None else 0


def _apply(live: Live, draft: Draft, resolved: Resolved, ends: list[TaskEnd]) -> None:
    """The file has it; now memory, and the causes of the next frame."""
    committed, signature = live.committed, live.committed.value_signature
    for key, value in resolved.values.items():
        committed.note(key)
        signature += _replace(committed, committed.cells, key, value, since=draft.number + 1)
    for key, value in resolved.vol.items():
        committed.note(read_name("vol", key))
        signature += _replace(committed, committed.vol, key, value, since=draft.number + 1)
    effect_runs = committed.effect_runs if draft.effect_runs is None else draft.effect_runs
    live.committed = replace(committed, value_signature=signature, effect_runs=effect_runs)
    _name_causes(live, "state", list(resolved.values))
    _name_causes(live, "vol", list(resolved.vol))
    if any(transaction.events for transaction in draft.transactions):
        live.watch.look()
    for task_id in draft.settled:
        live.tasks.settle(task_id)
    if draft.settled:
        live.inbox.cause(
            f"{len(draft.settled)} tasks settled" if len(draft.settled) > 1 else f"{draft.settled[0]} settled"
        )
    for end in ends:
        live.tasks.ended(end)


def _name_causes(live: Live, scope: Scope, changed: list[str]) -> None:
    for key in changed[:NAMED_CAUSES]:
        live.inbox.cause(f"{scope} {key}")
    if len(changed) > NAMED_CAUSES:
        live.inbox.cause(f"{scope}: {len(changed) - NAMED_CAUSES} more keys")
