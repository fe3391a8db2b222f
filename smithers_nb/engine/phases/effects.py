"""EFFECTS: cleanups, then the effects that are new or whose deps changed; in document order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal

from ...errors import EffectError, EffectLoopError, said
from ...nodes import source as sources
from ...nodes.effect import Effect
from ...nodes.tree import TreeNode
from ...records import EffectRun, Phase
from ...values import encode
from ..committed import EffectMemory
from ..draft import Draft
from ..live import Live
from ..state import Transaction
from ..user_code.call import call_as_transaction, call_with_ctx
from ..user_code.output import keeping

HISTORY = 10
"""The number of runs of an effect that are looked at for a loop."""
LOOP = 4
"""The run with the same deps, among these, that is refused. Some repetition is usual: a value that toggles."""


async def effects(live: Live, draft: Draft) -> None:
    """Run the effects that are due. One counts as run once FLUSH has written it: an abandoned frame's run again."""
    memory = live.committed.effect_runs
    gone = [id for id in draft.changes.unmounted if id in memory]
    kept = memory
    if gone:
        kept = {id: last for id, last in memory.items() if id not in gone}
    due = [(node, deps) for node in draft.schedule.effects if (deps := _deps_if_due(kept, node)) is not None]
    if not due and not gone:
        return
    # A copy, which FLUSH makes the committed one: until then nothing has run, as far as the next frame can know.
    draft.effect_runs = dict(memory)
    # All cleanups before all runs: two effects that share a thing, such as a port, must not hold it at the same time.
    for id in [*gone, *(node.id for node, _ in due)]:
        if last := memory.get(id):
            await _cleanup(live, draft, last)
    for id in gone:
        del draft.memory[id]
    for node, deps in due:
        await _run(live, draft, node, deps)


def _deps_if_due(memory: Mapping[str, EffectMemory], node: TreeNode) -> str | None:
    """Return the deps of an effect, as JSON, if it is to run; else None."""
    last = memory.get(node.id)
    # The same node was not rendered since, so its deps are what they were: most effects of most frames end here.
    if last is not None and last.node is node:
        return None
    deps = encode(_effect(node).deps).text
    if last is not None and last.deps == deps:
        return None
    return deps


def _effect(node: TreeNode) -> Effect:
    assert isinstance(node.node, Effect)  # for the type checker: the schedule lists nothing else
    return node.node


async def _cleanup(live: Live, draft: Draft, last: EffectMemory) -> None:
    if last.node is not None and (cleanup := _effect(last.node).cleanup) is not None:
        await _call(live, draft, last.node, kind="cleanup", function=cleanup, deps=last.deps)


async def _run(live: Live, draft: Draft, node: TreeNode, deps: str) -> None:
    last = draft.memory.get(node.id)
    history: tuple[str, ...] = (deps,)
    if last is not None:
        history = (*last.history, deps)[-HISTORY:]
    assert draft.effect_runs is not None  # for the type checker: effects() made it
    refused = history.count(deps) >= LOOP
    draft.effect_runs[node.id] = EffectMemory(deps, history, node, refused)
    if not refused:
        effect = _effect(node)
        await _call(live, draft, node, kind="run", function=effect.run, deps=deps)
        if last is None and live.services.strict_effects:
            # An effect that can't be cleaned up and run again is found out at once.
            if effect.cleanup is not None:
                await _call(live, draft, node, kind="cleanup", function=effect.cleanup, deps=deps)
            await _call(live, draft, node, kind="run", function=effect.run, deps=deps)
        return
    draft.problem(
        EffectLoopError(
            f"effect {node.id} would run for the {LOOP}th time within {HISTORY} runs with the deps {deps:.80}: it "
            "keeps causing itself. It was not run. Let it write only what its deps do not depend on.",
            path=node.path,
            node_id=node.id,
            source=node.source,
        ),
        Phase.EFFECTS,
    )


async def _call(
    live: Live, draft: Draft, node: TreeNode, kind: Literal["run", "cleanup"], function: Callable[..., Any], deps: str
) -> None:
    run_id = draft.next_id("e")
    happened = "deps changed" if kind == "run" else "cleaned up"
    transaction = Transaction(
        origin="effect",
        origin_id=run_id,
        node_id=node.id,
        handler=kind,
        trigger=f"{node.id} {happened}",
        next_id=draft.next_write_id,
        committed=live.committed.cells,
        vol=live.committed.vol,
    )
    with keeping(live.printed, draft):
        done = await call_as_transaction(live.context, transaction, partial(call_with_ctx, function))
    if done.failure is not None:
        draft.problem(_effect_error(node, kind, done.failure), Phase.EFFECTS)
    else:
        draft.changes_lost(transaction.lost_changes(), node, Phase.EFFECTS)
    draft.add_effect(
        transaction,
        EffectRun(
            id=run_id,
            frame=draft.number,
            node_id=node.id,
            kind=kind,
            status=done.status,
            deps=deps,
            writes=len(transaction.queued),
            ms=done.ms,
            error=done.error,
        ),
    )


def _effect_error(node: TreeNode, kind: str, failure: BaseException) -> EffectError:
    return EffectError(
        f"{kind} of effect {node.id} raised {said(failure)}; its writes were rolled back.",
        path=node.path,
        node_id=node.id,
        source=sources.of_traceback(failure.__traceback__) or node.source,
    )
