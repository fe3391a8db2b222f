"""Fallback models: each of the models that they try takes its turn at its own provider's rate window.

Imported, and pydantic-ai with it, only when the first agent begins.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from copy import copy
from time import time
from typing import Any

from pydantic_ai.exceptions import ModelRateLimitError
from pydantic_ai.messages import ModelResponse
from pydantic_ai.models import Model
from pydantic_ai.models.fallback import FallbackModel
from pydantic_ai.models.wrapper import WrapperModel

from .clients import keep_apart
from .conversation import Conversation
from .failures import window
from .runner import RetryLater


def with_windows(model: Model, conversation: Conversation) -> Model:
    """Return the model itself; a copy of one that falls back, whose models keep to their rate windows one by one.

    The models themselves stay as they are: they are the user's, and may be used in a cell at the same time.
    """
    if isinstance(model, FallbackModel):
        # Not made again from its parts: its ``fallback_on`` is nowhere to be read.
        own = copy(model)
        own.models = [windowed(inner, conversation) for inner in model.models]
        # A copy is opened and closed by itself, so it must not share the lock and the count of its original.
        own._entered_count = 0
        vars(own).pop("_enter_lock", None)
        return own
    if isinstance(model, WrapperModel) and _falls_back(model.wrapped):
        outer = copy(model)
        outer.wrapped = with_windows(model.wrapped, conversation)
        return outer
    return model


def _falls_back(model: Model) -> bool:
    if isinstance(model, WrapperModel):
        return _falls_back(model.wrapped)
    return isinstance(model, FallbackModel)


def windowed(model: Model, conversation: Conversation) -> Model:
    """Return a model that keeps to its rate window; of one that falls back, each of the models that it tries does."""
    if _falls_back(model):
        return with_windows(model, conversation)
    return _Windowed(model, conversation)


class _Windowed(WrapperModel):
    """A model that waits at its provider's window, and closes it when the provider says so.

    A closed window is a rate limit to the fallback, which then tries its next model instead of waiting.
    """

    def __init__(self, wrapped: Model, conversation: Conversation) -> None:
        super().__init__(wrapped)
        self._conversation = conversation

    async def request(self, *args: Any) -> ModelResponse:
        async with self._turn():
            return await super().request(*args)

    @asynccontextmanager
    async def request_stream(self, *args: Any) -> AsyncIterator[Any]:
        async with self._turn(), super().request_stream(*args) as response:
            yield response

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Hold a turn at the provider.

        Raises:
            ModelRateLimitError: if its window is closed for longer than is worth waiting.
        """
        name = window(self.system, self.model_name)
        try:
            async with self._conversation.ledger.turn(name):
                keep_apart(self.wrapped)
                yield
        except RetryLater as later:
            closed = ModelRateLimitError(self.model_name, str(later), retry_after=max(0.0, later.at - time()))
            self._conversation.failures.refusal = closed
            raise closed from None
        except Exception as error:
            await self._conversation.failures.limited(self.system, self.model_name, error)
            raise
