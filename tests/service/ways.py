"""What may lie between a client and the service: real fronts of the lab, and small pieces of middleware."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import h11
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kit.lab.exchange import Exchange
from kit.lab.peer import Peer
from kit.lab.proxy import Front
from kit.lab.sockets import listen
from kit.targets import FrontSpec
from service.generate import Finish, Request
from tests.service.gate import Gate

Around = Callable[[ASGIApp], ASGIApp]


class Way(Front):
    """A lab's front whose service may be another from some moment on, and that may treat POST differently."""

    def __init__(self, spec: FrontSpec, base: str, *, post: FrontSpec | None = None) -> None:
        super().__init__(spec, 0)
        self.to = base
        self._post = post or spec

    async def exchange(self, client: Peer, request: h11.Request) -> None:
        spec = self._post if request.method == b"POST" else self._spec
        port = urlsplit(self.to).port
        assert port
        await Exchange(spec, client, request).run(port)


@contextmanager
def open_to_clients(way: Way) -> Iterator[str]:
    """Runs the front in an event loop of its own while the block lasts: its base URL."""
    over = Gate()
    listener = listen(0)
    port = listener.getsockname()[1]

    async def run() -> None:
        way.start(listener)
        await over.passed()
        await way.close()

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        over.open()
        thread.join()


def saying(
    *words: str | Gate | Exception, stopped: threading.Event | None = None
) -> Callable[[Request], AsyncGenerator[str | Finish]]:
    """A generator that writes these words, waits at each gate among them, and raises an exception among them.

    `stopped` is set once it has ended or was stopped.
    """

    async def script(request: Request) -> AsyncGenerator[str | Finish]:
        try:
            for word in words:
                if isinstance(word, Gate):
                    await word.passed()
                elif isinstance(word, Exception):
                    raise word
                else:
                    yield word
            yield Finish("stop", 1, sum(isinstance(word, str) for word in words))
        finally:
            if stopped is not None:
                stopped.set()

    return script


# What a request is: the stream itself, a question beside it, or one that waits for the next piece.
STREAM, QUESTION, PIECE = "stream", "question", "piece"
Handle = Callable[[str, ASGIApp, Scope, Receive, Send], Awaitable[None]]


def between(handle: Handle) -> Around:
    """A middleware of requests for answers; `handle` gets each with its kind."""

    def around(app: ASGIApp) -> ASGIApp:
        async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http" or not scope["path"].startswith("/search"):
                await app(scope, receive, send)
                return
            beside = QUESTION if b"wait=0" in scope["query_string"] else PIECE
            await handle(STREAM if scope["path"] == "/search" else beside, app, scope, receive, send)

        return middleware

    return around


def seen(kind: str, times: int, then: Callable[[], None]) -> Around:
    """Calls `then` once so many requests of that kind were answered; a PIECE, once they have come."""
    count = 0

    async def handle(found: str, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal count

        def one_more() -> None:
            nonlocal count
            count += found == kind
            if count == times and found == kind:
                then()

        if kind == PIECE:
            one_more()
        await app(scope, receive, send)
        if kind != PIECE:
            one_more()

    return between(handle)


def late(over: Gate) -> Around:
    """Lets nothing of a stream pass before the second question beside it, which waits until all is over."""
    questions = 0
    asked_twice = Gate()

    async def handle(kind: str, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal questions

        async def pass_late(message: Message) -> None:
            await asked_twice.passed()
            await send(message)

        if kind == STREAM:
            await app(scope, receive, pass_late)
            return
        questions += 1
        if questions == 2:
            asked_twice.open()
            await over.passed()
        await app(scope, receive, send)

    return between(handle)


def one_at_a_time(when_one_waits: Callable[[], None]) -> Around:
    """A server that takes one request at a time, as App Engine's development server does for an instance."""
    taken = asyncio.Lock()

    async def handle(kind: str, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        if taken.locked():
            when_one_waits()
        async with taken:
            await app(scope, receive, send)

    return between(handle)


def refusing(status: int, pieces: int) -> Around:
    """Refuses that many requests for a piece, with a Retry-After of no time, before the service sees them."""
    left = pieces

    async def handle(kind: str, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal left
        if kind != PIECE or not left:
            await app(scope, receive, send)
            return
        left -= 1
        headers = [(b"content-type", b"text/html"), (b"retry-after", b"0")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"<h1>no"})

    return between(handle)


def sent_twice() -> Around:
    """A proxy that sends a POST again, because it took the connection for dead."""

    def repeating(body: Message) -> Receive:
        messages = iter([body])

        async def receive() -> Message:
            for message in messages:
                return message
            await Gate().passed()  # the client stays
            raise AssertionError

        return receive

    async def handle(kind: str, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        if kind != STREAM:
            await app(scope, receive, send)
            return
        answered = asyncio.Event()

        async def nowhere(message: Message) -> None:
            answered.set()

        body = await receive()
        first = asyncio.ensure_future(app(scope, repeating(body), nowhere))
        await answered.wait()
        await app(scope, repeating(body), send)
        first.cancel()

    return between(handle)
