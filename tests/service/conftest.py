"""Servers for the service's tests: under a real uvicorn, but in this process, so that a test sees inside."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import pytest
import uvicorn
from starlette.types import ASGIApp

from service.app import create_app
from service.generate import Finish, Request
from service.settings import Settings
from tests.service.asking import GIVE_UP_S
from tests.service.ways import Around, Way, open_to_clients

Script = Callable[[Request], AsyncGenerator[str | Finish]]


Http = str | type[asyncio.Protocol]


class Serve(Protocol):
    def __call__(self, app: ASGIApp, http: Http = "auto") -> str: ...


class Answering(Protocol):
    def __call__(
        self, script: Script, http: str = "auto", *, around: Around = ..., **settings: Any
    ) -> str: ...


class Behind(Protocol):
    def __call__(self, way: Way) -> str: ...


@contextmanager
def serving(app: ASGIApp, http: Http = "auto") -> Iterator[str]:
    """Run an ASGI app while the block lasts: its base URL."""
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listening:
        config = uvicorn.Config(
            app, http=http, log_config=None, access_log=False, timeout_graceful_shutdown=1
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            # No need to wait until it has begun: the socket listens already.
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(GIVE_UP_S)
    assert not thread.is_alive()


@pytest.fixture
def serve() -> Iterator[Serve]:
    """`serve(app)` runs an ASGI app until the test ends: its base URL."""
    running = []

    def start(app: ASGIApp, http: Http = "auto") -> str:
        running.append(serving(app, http))
        return running[-1].__enter__()

    yield start
    for server in running:
        server.__exit__(None, None, None)


class Scripted:
    name = "scripted"

    def __init__(self, script: Script) -> None:
        self.generate = script

    async def prepare(self) -> None: ...

    async def close(self) -> None: ...


@pytest.fixture
def answering(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> Answering:
    """`answering(script)` is the service with a generator that a test wrote: its base URL.

    `around` puts something between the service and its clients.
    """

    def start(
        script: Script, http: str = "auto", *, around: Around = lambda app: app, **settings: Any
    ) -> str:
        monkeypatch.setattr("service.app.create_generator", lambda _: Scripted(script))
        return serve(around(create_app(Settings(**settings))), http)

    return start


@pytest.fixture
def behind() -> Iterator[Behind]:
    """`behind(way)` opens a front until the test ends: its base URL."""
    running = []

    def start(way: Way) -> str:
        running.append(open_to_clients(way))
        return running[-1].__enter__()

    yield start
    for way in running:
        way.__exit__(None, None, None)


@pytest.fixture(scope="session")
def quick() -> Iterator[str]:
    """The service as it stands, with a generator in no haste to wait: a base URL that tests share."""
    with serving(create_app(Settings(lab=True, first_token_ms=0, tokens_per_s=1_000_000)), "auto") as url:
        yield url


@pytest.fixture
def log_lines() -> Iterator[list[str]]:
    """What this process's service and server have logged, tracebacks included."""
    lines: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    keep = Keep()
    loggers = [logging.getLogger(name) for name in ("streamproof", "uvicorn.error", "asyncio")]
    before = [log.level for log in loggers]
    for log in loggers:
        log.addHandler(keep)
        log.setLevel(logging.INFO)
    yield lines
    for log, level in zip(loggers, before, strict=True):
        log.removeHandler(keep)
        log.setLevel(level)
