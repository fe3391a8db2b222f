"""EXECUTE: tasks of nodes that are gone are cancelled, pending tasks start, and the handlers of the tasks that have
ended are called: in document order, each a transaction of its own.
"""

from __future__ import annotations

from dataclasses import replace

from ...errors import AgentConfigError, HandlerError, RunError, UserCodeError, said
from ...nodes import source as sources
from ...nodes.runnable import AGENTS
from ...records import HandlerCall, Phase, TaskResult
from ...records.words import count
from ...user_code import awaited
from ...values import encode
from ..draft import Draft
from ..live import Live
from ..state import Transaction
from ..tasks.agents import agent_task
from ..tasks.entry import TaskEntry
from ..tasks.history import check_history
from ..user_code.call import call_as_transaction, call_handler
from ..user_code.context import Context
from ..user_code.output import keeping


async def execute(live: Live, draft: Draft) -> None:
    """Cancel, start, and call handlers."""
    await live.tasks.cancel_leaving()
    await _check_agents(live, draft)
    await live.tasks.start_pending()
    index = draft.tree.index
    # Of tasks that ended since SNAPSHOT, those whose node has left in this frame are dealt with in it, too: nothing
    # about them can change after it.
    known = {entry.task_id for entry in draft.ended}
    left = [entry for entry in live.tasks.unsettled if entry.unmounted and entry.task_id not in known]
    ended = [*draft.ended, *left, *live.tasks.reporting]
    # Document order, not the order in which tasks ended: that differs from run to run, and the writes with it.
    for entry in sorted(ended, key=lambda entry: draft.tree.order(entry.node.id)):
        if entry.settled:
            continue
        if entry.status == "running":
            await _progress(live, draft, entry)
            continue
        # The handler is this frame's: the one that the task was started with closes over props that are old by now.
        if not entry.unmounted and entry.node.id in index:
            entry.node = index[entry.node.id]
        await _deal_with(live, draft, entry)
        draft.settled.append(entry.task_id)
    if draft.schedule.enders:
        draft.ending = draft.schedule.enders[0].node


async def _check_agents(live: Live, draft: Draft) -> None:
    """Report at once, as problems, what would fail later: a missing package or key, a misspelt model."""
    index = draft.tree.index
    ready = {node.id for node in draft.schedule.start}
    for id in draft.changes.mounted:
        if isinstance(index[id].node, AGENTS):
            try:
                task = agent_task(live.services, index[id], "")
                check_history(live.services, index[id], index)
                # The prompt of one whose turn comes later may be what an earlier one has still to write.
                if id not in ready and not task.prompt.strip():
                    task = replace(task, prompt="comes later")
                await awaited(live.services.runner.check(task))
            except (AgentConfigError, UserCodeError) as error:
                draft.problem(error, Phase.EXECUTE)


async def _deal_with(live: Live, draft: Draft, entry: TaskEntry) -> None:
    """Call the handler of a task that has ended, or record why none is called."""
    draft.changes_lost(entry.lost, entry.node, Phase.EXECUTE)
    if entry.unmounted:
        if call := entry.stale_call(live.committed.frame, entry.status, draft.next_id("h")):
            draft.calls.append(call)
    elif entry.event:
        await _call(live, draft, entry, entry.event)
    elif entry.again:
        draft.problem(_nothing_handles(entry, draft.number), Phase.EXECUTE)
    elif entry.status in ("failed", "abandoned") and entry.result:
        node, why = entry.node, entry.result.error
        error = RunError(
            f"{node.type} {node.id} failed and has no on_error: {why}. ex.retry({node.id!r}) runs it again.",
            path=node.path,
            frame=draft.number,
            source=node.source,
        )
        draft.found("TaskError", str(error), node.id, phase=Phase.EXECUTE, source=node.source)


async def _progress(live: Live, draft: Draft, entry: TaskEntry) -> None:
    """Hand over a running task's newest report."""
    # Only the newest is kept: a handler that is slower than the reports must not fall behind them.
    output = live.inbox.progress.pop(entry.task_id)
    entry.node = draft.tree.index[entry.node.id]
    if "on_progress" in entry.node.events:
        text = output if isinstance(output, str) else encode(output).text
        report = TaskResult(
            node_id=entry.node.id,
            task_id=entry.task_id,
            status="running",
            output=output,
            text=text,
            error=None,
            attempts=entry.attempt,
            usage={},
            cost_usd=None,
            duration_s=0.0,
        )
        await _call(live, draft, entry, "on_progress", report=report)


async def _call(live: Live, draft: Draft, entry: TaskEntry, event: str, *, report: TaskResult | None = None) -> None:
    node = entry.node.node
    assert node is not None  # for the type checker: a task's node is not text
    handler = getattr(node.handlers, event)

    async def handle(ctx: Context) -> None:
        # Raised inside of the transaction, as if the handler had: its error is the one that a person can act upon.
        if entry.unread is not None and report is None:
            raise entry.unread
        await call_handler(handler, report or entry.result, ctx)

    call_id = draft.next_id("h")
    transaction = Transaction(
        origin="handler",
        origin_id=call_id,
        node_id=entry.node.id,
        handler=event,
        trigger=f"{entry.node.id} {entry.status}",
        next_id=draft.next_write_id,
        committed=live.committed.cells,
        vol=live.committed.vol,
    )
    with keeping(live.printed, draft):
        done = await call_as_transaction(live.context, transaction, handle)
    if done.failure is not None:
        draft.problem(_handler_error(entry, event, done.failure, len(transaction.queued)), Phase.EXECUTE)
    else:
        draft.changes_lost(transaction.lost_changes(), entry.node, Phase.EXECUTE)
    draft.add_call(
        transaction,
        HandlerCall(
            id=call_id,
            frame=draft.number,
            node_id=entry.node.id,
            task_id=entry.task_id,
            event=event,
            status=done.status,
            writes=len(transaction.queued),
            ms=done.ms,
            error=done.error,
            source=sources.of_function(handler) or entry.node.source,
        ),
    )


def _nothing_handles(entry: TaskEntry, frame: int) -> RunError:
    wanted = "on_finished" if entry.status == "succeeded" else "on_error"
    return RunError(
        f"{entry.node.id} was to be handled again, and has no {wanted}. Write one, swap the app "
        "(ex.swap, or the cell with --keep), then handle it again.",
        node_id=entry.node.id,
        frame=frame,
        source=entry.node.source,
    )


def _handler_error(entry: TaskEntry, event: str, failure: BaseException, writes: int) -> HandlerError:
    lost = "it had written nothing"
    if writes:
        were = "was" if writes == 1 else "were"
        lost = f"its {count(writes, 'write')} {were} rolled back"
    return HandlerError(
        f"{event} of {entry.node.id} raised {said(failure)}; {lost}. The task has ended and "
        f"counts as handled; ex.retry({entry.node.id!r}) runs it again when the handler is mended.",
        path=entry.node.path,
        node_id=entry.node.id,
        source=sources.of_traceback(failure.__traceback__) or entry.node.source,
    )
