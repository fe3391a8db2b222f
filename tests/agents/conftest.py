"""What the tests of agents share: fake providers, and models of the real packages that ask them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from pydantic_ai.models import Model
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider

from smithers_nb import Claude, Execution, RunResult
from tests.agents.fake_server import KEY, FakeServer

APIS = ["anthropic", "chat", "responses"]
"""The APIs that the fake server speaks."""


@dataclass(frozen=True)
class Elsewhere:
    """A fake provider in a process of its own: it takes no time of the loop that asks it."""

    port: int
    log: Path

    @property
    def anthropic_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def openai_url(self) -> str:
        return f"{self.anthropic_url}/v1"


def model_at(server: FakeServer | Elsewhere, api: str = "anthropic", key: str = KEY) -> Model:
    """Return a model of the real package that asks the server."""
    if api == "anthropic":
        provider = AnthropicProvider(base_url=server.anthropic_url, api_key=key)
        return AnthropicModel("claude-haiku-5-5", provider=provider)
    kind = OpenAIChatModel if api == "chat" else OpenAIResponsesModel
    return kind("gpt-5", provider=OpenAIProvider(base_url=server.openai_url, api_key=key))


@pytest.fixture
def provider() -> Iterator[Callable[..., FakeServer]]:
    """Start fake providers, as ``FakeServer`` is called; they end with the test."""
    with ExitStack() as stack:

        def start(*acts: Any, **options: Any) -> FakeServer:
            return stack.enter_context(FakeServer(*acts, **options))

        yield start


@pytest.fixture
def provider_elsewhere(tmp_path: Path) -> Iterator[Callable[..., Elsewhere]]:
    """Start fake providers in processes of their own, with the arguments of the command; they end with the test."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*arguments: object) -> Elsewhere:
        files = tmp_path / f"provider{len(started)}"
        files.mkdir()
        port, log = files / "port", files / "log.ndjson"
        command = [sys.executable, "-m", "tests.agents.fake_server", "--port-file", port, "--log", log, *arguments]
        root = Path(__file__).parents[2]
        started.append(subprocess.Popen([str(word) for word in command], cwd=root, stdin=subprocess.PIPE))
        for _ in range(2000):
            if port.exists():
                return Elsewhere(int(port.read_text()), log)
            assert started[-1].poll() is None, "the fake provider did not start"
            Event().wait(0.01)
        raise AssertionError("the fake provider did not listen within 20 s")

    yield start
    for process in started:
        process.communicate(timeout=60)


@pytest.fixture
def ask(run_of: Any) -> Callable[..., tuple[Any, Any]]:
    """Run one agent to its end; return the execution and the result that its handler was given."""

    def run(server: FakeServer, api: str = "anthropic", prompt: str = "hi", **props: Any) -> tuple[Any, Any]:
        results: list[Any] = []
        node = Claude(
            **{"id": "c", "model": model_at(server, api)} | props, on_finished=results.append, on_error=results.append
        )
        ex = run_of(node[prompt])
        assert ex.run_sync().status == "finished"
        assert len(results) == 1, results
        return ex, results[0]

    return run


class Background:
    """``ex.run_sync()`` on a thread, so that the test can look and steer meanwhile."""

    def __init__(self, ex: Execution) -> None:
        self.results: list[RunResult] = []
        self._thread = Thread(target=lambda: self.results.append(ex.run_sync()), daemon=True)
        self._thread.start()

    def ended(self, patience_s: float = 20.0) -> RunResult:
        """Wait for its end."""
        self._thread.join(patience_s)
        assert self.results, "the run did not end"
        return self.results[0]
