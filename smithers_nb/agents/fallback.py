"""Fallback models: each of the models that they try is recorded, and takes its turn at its own rate window.

Imported, and pydantic-ai with it, only when the first agent begins.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from copy import copy
from time import time

from pydantic_ai.exceptions import ModelRateLimitError
from pydantic_ai.models import Model
from pydantic_ai.models.fallback import FallbackModel
from pydantic_ai.models.wrapper import WrapperModel

from .clients import keep_apart
from .conversation import Conversation
from .failures import window
from .runner import RetryLater


def each(model: Model, wrapped: Callable[[Model], Model]) -> Model:
    """Return the model as ``wrapped`` gives it; a copy of one that falls back, with each of the models that it tries.

    The models themselves stay as they are: they are the user's, and may be used in a cell at the same time.
    """
    if isinstance(model, FallbackModel):
        # Not made again from its parts: its ``fallback_on`` is nowhere to be read.
        own = copy(model)
        own.models = [each(inner, wrapped) for inner in model.models]
        # A copy is opened and closed by itself, so it must not share the lock and the count of its original.
        own._entered_count = 0
        vars(own).pop("_enter_lock", None)
        return own
    if isinstance(model, WrapperModel) and falls_back(model.wrapped):
        outer = copy(model)
        outer.wrapped = each(model.wrapped, wrapped)
        return outer
    return wrapped(model)


def falls_back(model: Model) -> bool:
    """Return True for a model that tries others, one after the other."""
    if isinstance(model, WrapperModel):
        return falls_back(model.wrapped)
    return isinstance(model, FallbackModel)


@asynccontextmanager
async def at_window(model: Model, provider: str, conversation: Conversation, *, waits: bool) -> AsyncIterator[None]:
    """Hold a turn at the rate window of a model's provider, and close it when the provider says so.

    Raises:
        RetryLater: if it is closed for long, and the agent ``waits`` for it.
        ModelRateLimitError: if it is closed for long, and there may be another model to fall back to.
    """
    try:
        async with conversation.ledger.turn(window(provider, model.model_name)):
            keep_apart(model)
            yield
    except RetryLater as later:
        if waits:
            raise
        closed = ModelRateLimitError(model.model_name, str(later), retry_after=max(0.0, later.at - time()))
        conversation.failures.refusal = closed
        raise closed from None
    except Exception as error:
        await conversation.failures.limited(provider, model.model_name, error)
        raise
