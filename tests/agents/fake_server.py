"""A provider on the loopback interface: Anthropic's and OpenAI's APIs, with a script of what it does with requests.

In a thread of the tests: ``with FakeServer(say("hello")) as server``. As a process of its own:
``python -m tests.agents.fake_server --port-file PORT --log LOG --tokens 5000``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from . import fake_anthropic, fake_openai
from .fake_replies import Act, Asked, Garbage, Hang, InOrder, Refuse, Reply, Script, Status, say, tokens

KEY = "sk-fake-key"
"""What the tests send; it must never turn up in a store or a log."""


@dataclass
class Entry:
    """One request in the log."""

    number: int
    at: float
    """Seconds since the epoch."""
    path: str
    headers: dict[str, str]
    asked: Asked
    act: Act | None = None
    status: int | None = None
    """The status that was sent; None before, and if none was."""
    outcome: str = "open"
    """``open``, ``sent`` (to the last byte, to a client that was still there), ``cut`` or ``gone`` (the client)."""

    sent: int = 0
    """How many events of a stream were."""
    pieces_at: list[float] = field(default_factory=list)
    """When each piece of a stream was sent, in seconds since the epoch."""

    def as_json(self) -> str:
        return json.dumps(
            {
                "number": self.number,
                "at": self.at,
                "path": self.path,
                "headers": self.headers,
                "turn": self.asked.turn,
                "prompt": self.asked.prompt,
                "stream": self.asked.stream,
                "body": self.asked.body,
                "status": self.status,
                "outcome": self.outcome,
            }
        )


@dataclass(frozen=True)
class Api:
    asked: Callable[[int, dict[str, str], dict[str, Any]], Asked]
    answer: Callable[[Asked, Reply], dict[str, Any]]
    events: Callable[[Asked, Reply], Iterator[tuple[bool, str]]]
    refusal: Callable[[dict[str, Any]], str | None]
    error: Callable[[Status], dict[str, Any]]
    failure: Callable[[Status], str]


ANTHROPIC = (fake_anthropic.refusal, fake_anthropic.error, fake_anthropic.failure)
OPENAI = (fake_openai.refusal, fake_openai.error, fake_openai.failure)
APIS = {
    "/v1/messages": Api(fake_anthropic.asked, fake_anthropic.answer, fake_anthropic.events, *ANTHROPIC),
    "/v1/chat/completions": Api(fake_openai.asked, fake_openai.chat_answer, fake_openai.chat_events, *OPENAI),
    "/v1/responses": Api(fake_openai.asked, fake_openai.responses_answer, fake_openai.responses_events, *OPENAI),
}


def _length(head: str) -> int:
    """Return the length of a request's body, as its head tells it."""
    found = re.search(r"^content-length: *(\d+)", head, re.IGNORECASE | re.MULTILINE)
    return int(found[1]) if found else 0


class FakeServer:
    """A server on 127.0.0.1, on a thread and a loop of its own.

    ``acts`` are given to the requests in order, the last one again and again; or one function of the request. Messages
    that the API would not take, such as a tool call without its result, get its 400. ``per_second`` makes it answer 429
    to every request beyond that many within any second. ``log`` is a file that gets a line of JSON as each request
    arrives and another as it ends.
    """

    def __init__(
        self,
        *acts: Act | Script,
        per_second: int | None = None,
        retry_after: str | None = "1",
        log: Path | None = None,
        port: int = 0,
    ) -> None:
        self.script: Script = acts[0] if acts and callable(acts[0]) else InOrder(acts or (say("hello"),))  # type: ignore[arg-type]
        self.per_second = per_second
        self.retry_after = retry_after
        self.requests: list[Entry] = []
        """Every request, in the order of arrival."""
        self.mistakes: list[BaseException] = []
        """Errors of the server or its script, not of the client."""
        self._log = log
        self._port = port
        self._recent: deque[float] = deque()
        self._changed = threading.Condition()
        self._ready: Future[int] = Future()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="fake provider", daemon=True)

    # ---- for the test ------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self._thread.start()
        self._port = self._ready.result(60)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(60)
        assert not self._thread.is_alive(), "the fake provider did not end"
        assert not self.mistakes, f"the fake provider itself failed: {self.mistakes}"

    @property
    def port(self) -> int:
        return self._port

    @property
    def anthropic_url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def openai_url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    @property
    def statuses(self) -> list[int | None]:
        """The statuses that were sent, in the order of arrival."""
        return [entry.status for entry in self.requests]

    def wait_for(self, condition: Callable[[list[Entry]], bool], patience_s: float = 20.0) -> list[Entry]:
        """Wait until the log is so; return it."""
        with self._changed:
            assert self._changed.wait_for(lambda: condition(self.requests), patience_s), (
                f"it never came; the requests were {[(e.path, e.status, e.outcome) for e in self.requests]}"
            )
            return list(self.requests)

    # ---- on its loop -------------------------------------------------------------------------------------------

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        clients: set[asyncio.Task[None]] = set()

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            clients.add(task)
            try:
                await self._client(reader, writer)
            except (ConnectionError, asyncio.CancelledError):
                pass  # The client has gone, and the log says so; or the test is over.
            except Exception as error:  # noqa: BLE001  # the end of the test says it
                self.mistakes.append(error)
            finally:
                clients.discard(task)
                writer.close()

        try:
            server = await asyncio.start_server(accept, "127.0.0.1", self._port, limit=2**24)
        except OSError as error:
            self._ready.set_exception(error)
            return
        self._ready.set_result(server.sockets[0].getsockname()[1])
        await self._stop.wait()
        server.close()
        for task in list(clients):
            task.cancel()
        await asyncio.gather(*clients, return_exceptions=True)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection, which is one request: every answer closes it."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            body = json.loads(await reader.readexactly(_length(head)) or b"{}")
        except asyncio.IncompleteReadError:
            return  # A client that was closed or killed while it sent: no fault of the server.
        line, *fields = head.strip().split("\r\n")
        path = line.split()[1].partition("?")[0]
        headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
        api = APIS.get(path)
        if api is None:
            writer.write(_plain(404, {"error": {"message": f"no {path} here", "type": "not_found_error"}}))
            await writer.drain()
            return
        entry = self._arrived(path, headers, api.asked(len(self.requests) + 1, headers, body))
        answering = asyncio.ensure_future(self._answer(api, entry, writer))
        leaving = asyncio.ensure_future(reader.read())
        try:
            await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if answering.done() and not isinstance(answering.exception(), ConnectionError):
                answering.result()
            if entry.outcome == "open":
                entry.outcome = "gone"
        finally:
            for task in (answering, leaving):
                task.cancel()
            await asyncio.gather(answering, leaving, return_exceptions=True)
            self._note(entry)

    def _arrived(self, path: str, headers: dict[str, str], asked: Asked) -> Entry:
        entry = Entry(asked.number, time.time(), path, headers, asked)
        wrong = APIS[path].refusal(dict(asked.body))
        entry.act = self._limited() or (Status(400, message=wrong) if wrong else self.script(asked))
        with self._changed:
            self.requests.append(entry)
        self._note(entry)
        return entry

    def _limited(self) -> Status | None:
        """Return a 429 if there were too many within the last second. Those that were refused don't count."""
        if self.per_second is None:
            return None
        now = time.monotonic()
        while self._recent and self._recent[0] <= now - 1:
            self._recent.popleft()
        if len(self._recent) >= self.per_second:
            return Status(429, self.retry_after, f"more than {self.per_second} requests in a second")
        self._recent.append(now)
        return None

    def _sent(self, entry: Entry, events: int) -> None:
        with self._changed:
            entry.sent = events
            self._changed.notify_all()

    def _note(self, entry: Entry) -> None:
        with self._changed:
            self._changed.notify_all()
        if self._log is not None:
            with self._log.open("a") as file:
                file.write(entry.as_json() + "\n")

    async def _answer(self, api: Api, entry: Entry, writer: asyncio.StreamWriter) -> None:
        act = entry.act
        match act:
            case Hang():
                await asyncio.Event().wait()
            case Refuse():
                entry.outcome = "cut"
                writer.transport.abort()
                return
            case Status():
                entry.status = act.code
                entry.outcome = "sent"
                writer.write(_plain(act.code, api.error(act), retry_after=act.retry_after))
            case Garbage():
                entry.status, entry.outcome = 200, "sent"
                writer.write(_head(200, act.content_type, length=len(act.body)) + act.body.encode())
            case Reply():
                entry.status = 200
                await asyncio.sleep(act.delay_s)
                await (self._stream if entry.asked.stream else self._whole)(api, entry, act, writer)
        await writer.drain()

    async def _whole(self, api: Api, entry: Entry, reply: Reply, writer: asyncio.StreamWriter) -> None:
        answer = _plain(200, api.answer(entry.asked, reply))
        if reply.cut_after is not None:
            answer = answer[: answer.index(b"\r\n\r\n") + 4 + reply.cut_after]
        # Said before it is done: a test that has the answer may look at once.
        entry.outcome = "sent" if reply.cut_after is None else "cut"
        writer.write(answer)

    async def _stream(self, api: Api, entry: Entry, reply: Reply, writer: asyncio.StreamWriter) -> None:
        writer.write(_head(200, "text/event-stream"))
        for n, (takes_time, event) in enumerate(api.events(entry.asked, reply)):
            if n == reply.cut_after and reply.fails is None:
                entry.outcome = "cut"
                return
            if n == reply.cut_after and reply.fails is not None:
                writer.write(_chunk(api.failure(reply.fails)))
                break
            if takes_time and reply.delay_s:
                await asyncio.sleep(reply.delay_s)
            if takes_time:
                entry.pieces_at.append(time.time())
            writer.write(_chunk(event))
            await writer.drain()
            self._sent(entry, n + 1)
        entry.outcome = "sent"
        writer.write(b"0\r\n\r\n")


def _head(status: int, content_type: str, length: int | None = None, retry_after: str | None = None) -> bytes:
    """A stream is chunked: only so can the client tell a cut from an end."""
    size = "transfer-encoding: chunked" if length is None else f"content-length: {length}"
    wait = f"retry-after: {retry_after}\r\n" if retry_after is not None else ""
    return (
        f"HTTP/1.1 {status} .\r\ncontent-type: {content_type}\r\n{size}\r\n{wait}connection: close\r\n\r\n"
    ).encode()


def _chunk(event: str) -> bytes:
    data = event.encode()
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def _plain(status: int, value: dict[str, Any], retry_after: str | None = None) -> bytes:
    body = json.dumps(value).encode()
    return _head(status, "application/json", len(body), retry_after) + body


def read_log(path: Path) -> list[dict[str, Any]]:
    """Return the requests of a log, each as it was at last."""
    entries: dict[int, dict[str, Any]] = {}
    for line in path.read_text().splitlines():
        entry = json.loads(line)
        entries[entry["number"]] = entry
    return list(entries.values())


def main() -> None:
    parser = argparse.ArgumentParser(description="A fake provider in a process of its own, until stdin is closed.")
    parser.add_argument("--port-file", type=Path, required=True, help="is written when it listens")
    parser.add_argument("--log", type=Path, help="gets a line of JSON a request")
    parser.add_argument("--per-second", type=int, help="more requests than that in a second get 429")
    parser.add_argument("--say", default="hello", help="the answer to every request")
    parser.add_argument("--tokens", type=int, help="answer with that many pieces instead")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each piece")
    options = parser.parse_args()
    reply = tokens(options.tokens, options.delay) if options.tokens else say(options.say, delay_s=options.delay)
    with FakeServer(reply, per_second=options.per_second, log=options.log) as server:
        part = options.port_file.with_suffix(".part")
        part.write_text(str(server.port))
        part.rename(options.port_file)
        input_ended()


def input_ended() -> None:
    """Return when whoever started this process has gone."""
    import sys

    sys.stdin.read()


if __name__ == "__main__":
    main()
