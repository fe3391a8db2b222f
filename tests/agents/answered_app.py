"""A process that waits for the result of a call made elsewhere, and is killed: before or after it was answered."""

from __future__ import annotations

import os
import signal

from pydantic_ai import CallDeferred
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.providers.anthropic import AnthropicProvider

from smithers_nb import Claude, Execution
from tests.agents.fake_server import KEY


def measure(sample: str) -> str:
    """Measure a sample."""
    raise CallDeferred


def main() -> None:
    provider = AnthropicProvider(base_url=os.environ["SERVER"], api_key=KEY)
    app = Claude(id="c", model=AnthropicModel("claude-haiku-5-5", provider=provider), tools=[measure])["hi"]
    ex = Execution(app, store=os.environ["DB"])
    assert ex.run_sync().status == "waiting"
    if os.environ["WHEN"] == "answered":
        ex.answer("c", result={"salt": 3.5})
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
