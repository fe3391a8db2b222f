"""What was used on a notebook's event loop first and is a node's then, and the other way round."""

from __future__ import annotations

import asyncio
import gc
import json
import threading
import warnings
from collections.abc import Callable, Coroutine, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx2
import pydantic_ai
import pytest
from pydantic_ai.models import Model
from pydantic_ai.models.fallback import FallbackModel
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.models.wrapper import WrapperModel
from pydantic_ai.providers.openai import OpenAIProvider

from smithers_nb import Agent, Claude, Effect, Parallel, Task, scripted
from smithers_nb.agents import clients
from smithers_nb.agents.scripted import ToolUse
from smithers_nb.bridge import engine
from tests.conftest import PATIENCE_S


class _Chat(BaseHTTPRequestHandler):
    """Answers on connections that stay open: the other fake provider closes each."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        told = {"id": "1", "object": "chat.completion", "created": 1, "model": "gpt-5"}
        if asked.get("stream"):
            chunk = {**told, "object": "chat.completion.chunk"}
            pieces = [{"delta": {"role": "assistant", "content": "hi"}}, {"delta": {}, "finish_reason": "stop"}]
            events = [json.dumps({**chunk, "choices": [{"index": 0, **piece}]}) for piece in pieces]
            body = "".join(f"data: {event}\n\n" for event in [*events, "[DONE]"]).encode()
            kind = "text/event-stream"
        else:
            choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hi"}}
            body, kind = json.dumps({**told, "choices": [choice]}).encode(), "application/json"
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Chat)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()


@pytest.fixture
def cell() -> Iterator[Callable[[Coroutine[Any, Any, Any]], Any]]:
    """Await something on the loop of a notebook, which is running all the time."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield lambda work: asyncio.run_coroutine_threadsafe(work, loop).result(PATIENCE_S)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def own_client(url: str) -> Model:
    return OpenAIChatModel("gpt-5", provider=OpenAIProvider(base_url=url, api_key="key"))


def given_client(url: str) -> Model:
    provider = OpenAIProvider(base_url=url, api_key="key", http_client=httpx2.AsyncClient())
    return OpenAIChatModel("gpt-5", provider=provider)


def given_transport(url: str) -> Model:
    client = httpx2.AsyncClient(mounts={"http://": httpx2.AsyncHTTPTransport(retries=1)})
    return OpenAIChatModel("gpt-5", provider=OpenAIProvider(base_url=url, api_key="key", http_client=client))


def wrapped(url: str) -> Model:
    return WrapperModel(own_client(url))


def fallback(url: str) -> Model:
    return FallbackModel(own_client(url), own_client(url))


MODELS = [own_client, given_client, given_transport, wrapped, fallback]


@pytest.mark.parametrize("first", ["cell", "node"])
@pytest.mark.parametrize("kind", ["agent", "model"])
@pytest.mark.parametrize("make", MODELS, ids=lambda make: make.__name__)
def test_agents_and_models_work_in_cells_and_as_nodes_in_both_orders(
    make: Callable[[str], Model], kind: str, first: str, url: str, cell: Any, run_of: Any
) -> None:
    model = make(url)
    agent = pydantic_ai.Agent(model)

    async def in_cell() -> list[str]:
        results = await asyncio.gather(*(agent.run("hello") for _ in range(4)))
        return [result.output for result in results]

    def as_nodes() -> list[str]:
        said: list[str] = []
        heard: Any = {"on_finished": lambda r: said.append(r.output), "retries": 0}
        nodes: list[Any] = [
            (Agent(id=f"a{n}", agent=agent, **heard) if kind == "agent" else Claude(id=f"a{n}", model=model, **heard))[
                "hello"
            ]
            for n in range(4)
        ]
        result = run_of(Parallel()[nodes]).run_sync()
        assert result.status == "finished", result.problems
        return said

    sides = [lambda: cell(in_cell()), as_nodes]
    try:
        for turn in range(6):
            assert sides[(turn + (first == "node")) % 2]() == ["hi"] * 4, f"turn {turn}"
    finally:
        engine.call(disconnected(model))
        cell(disconnected(model))


async def a_lock() -> Any:
    lock = asyncio.Lock()
    await lock.acquire()
    waiting = asyncio.ensure_future(lock.acquire())
    await asyncio.sleep(0)
    waiting.cancel()
    return lock.acquire


async def bound(wait: Callable[[], Any]) -> Any:
    """Wait for something in vain, and return what waits for it."""
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(wait(), 0.01)
    return wait


async def a_future() -> Any:
    future = asyncio.get_running_loop().create_future()
    return lambda: asyncio.wait_for(future, PATIENCE_S)


SHARED: dict[str, tuple[Callable[[], Coroutine[Any, Any, Any]], str]] = {
    "Lock": (a_lock, "An asyncio.Lock is shared"),
    "Event": (lambda: bound(asyncio.Event().wait), "An asyncio.Event is shared"),
    "Queue": (lambda: bound(asyncio.Queue().get), "An asyncio.Queue is shared"),
    "Semaphore": (lambda: bound(asyncio.Semaphore(0).acquire), "An asyncio.Semaphore is shared"),
    "Future": (a_future, "A future or connection is shared"),
}


@pytest.mark.parametrize("where", ["task", "handler", "effect", "tool"])
@pytest.mark.parametrize(("make", "said"), SHARED.values(), ids=SHARED)
def test_an_error_says_what_is_shared_by_two_event_loops_and_what_to_do(
    make: Any, said: str, where: str, cell: Any, run_of: Any
) -> None:
    wait = cell(make())

    async def waits(*_: Any) -> None:
        await wait()

    async def tool() -> None:
        """Wait."""
        await wait()

    app = {
        "task": lambda: Task(id="x", run=waits),
        "handler": lambda: Task(id="x", run=lambda: 1, on_finished=waits),
        "effect": lambda: Effect(run=waits),
        "tool": lambda: Claude(id="x", model=scripted([ToolUse("tool", {})]), tools=[tool])["go"],
    }[where]()
    [problem] = run_of(app).run_sync().problems
    assert said in problem.message and "one for each loop" in problem.message, problem.message


def test_an_error_of_a_client_names_its_library(url: str, run_of: Any) -> None:
    client = httpx2.AsyncClient()

    async def get() -> None:
        await client.post(url, json={})

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # The connection that its loop has left open.
        asyncio.run(get())
        result = run_of(Task(id="x", run=get)).run_sync()
        gc.collect()
    assert "A future or connection of httpcore2 is shared by two event loops" in result.problems[0].message


async def disconnected(model: Model) -> None:
    """Close the connections of a model that belong to this loop."""
    for client in clients._clients(model):
        for transport in {client._transport, *client._mounts.values()} - {None}:
            await transport.aclose()
