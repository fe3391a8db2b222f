"""The failures of an agent's requests: the wait before the next attempt, or the error that ends the agent."""

from __future__ import annotations

from time import time
from typing import Any

from ..errors import AgentError, said
from ..records import ModelCall
from .retry import IN_PLACE_S, Verdict, backoff_s, verdict
from .runner import AgentTask, Ledger, Past, RetryLater
from .turns import Turns


class Failures:
    """The failed attempts at the turn, and the rate windows that they close."""

    def __init__(self, task: AgentTask, ledger: Ledger, turns: Turns) -> None:
        self._task = task
        self._ledger = ledger
        self._turns = turns
        self._count = (task.past or Past()).failures
        """The attempts of the turn that failed."""
        self.refusal: Exception | None = None
        """The last refusal of a request that the rate windows know of."""

    def answered(self) -> None:
        """Forget the failures of a turn that was answered after all."""
        self._count = 0

    def is_closed(self, error: BaseException) -> bool:
        """Return True if the windows of all models that an agent could ask were closed, so that none was asked."""
        if isinstance(error, BaseExceptionGroup):
            return any(map(self.is_closed, error.exceptions))
        return error is self.refusal

    async def wait_s(self, asked: ModelCall | None, error: Exception) -> float:
        """Count a failed attempt, and return the seconds to wait before the next one. ``asked`` is the last request of
        the attempt, if one was made.

        Raises:
            RetryLater: if that is long.
            Exception: the error, or one in our words, if it can't be tried again.
        """
        task, found = self._task, verdict(error)
        wait_s = self._wait_s(found)
        # The failures of a fallback have told the windows of its models already.
        name = None
        if asked is not None and not isinstance(error, BaseExceptionGroup):
            name = window(asked.provider, asked.model)
            await self.limited(asked.provider, asked.model, error)
        self._count += 1
        if not found.passes and found.fix and asked is not None:
            raise AgentError(
                f"{asked.provider} refused the request of {task.node_id} to {asked.model!r}: {_short(error)}. "
                f"{found.fix}, then ex.retry({task.node_id!r}).",
                node_id=task.node_id,
                source=task.source,
            ) from error
        if not found.passes or self._count > task.retries:
            raise error
        if wait_s > IN_PLACE_S:
            raise RetryLater("rate_limit" if found.limited else "retry", time() + wait_s, _short(error)) from error
        # After a rate limit the window lets one agent after the other ask again; a wait here would come on top.
        if found.limited and name:
            return 0.0
        return wait_s

    async def limited(self, provider: str, model: str, error: Exception) -> None:
        """Close the window of a model that has refused a request because of its rate; once for each refusal."""
        found, name = verdict(error), window(provider, model)
        # The limit is the provider's for all: the other agents wait, too, instead of being refused one by one.
        if found.limited and name and error is not self.refusal:
            self.refusal = error
            await self._ledger.refused(name, self._wait_s(found))

    def _wait_s(self, found: Verdict) -> float:
        """Return the seconds to wait after this attempt: those that the provider asked for, or our own choice."""
        if found.wait_s is not None:
            return found.wait_s
        return backoff_s(self._count + 1, f"{self._task.seed}/{self._task.task_id}/{self._turns.now}")


def window(provider: str, model: str) -> str | None:
    """Return the name of a rate window: all agents that ask this model of this provider share it.

    A script has none. A fallback has none of its own: each of the models that it tries has one.
    """
    if provider == "scripted" or provider.startswith("fallback:"):
        return None
    return f"{provider}:{model}"


def _short(error: BaseException) -> str:
    words: Any = getattr(error, "message", None) or error
    if isinstance(error, BaseExceptionGroup):
        words = said(error)
    text = " ".join(str(words).split())
    if len(text) <= 400:
        return text
    return f"{text[:400]} …"
