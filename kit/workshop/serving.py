"""Runs the page's server on a socket of ours, for as long as a block lasts."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from functools import partial
from typing import Any, NoReturn, TypeAlias

import uvicorn
from starlette.types import ASGIApp

from kit.errors import Code, KitError


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; 0 for a free port.

    Raises:
        KitError: PORT_IN_USE, or BAD_USAGE for an address that is not this machine's.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=256)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise KitError(
                Code.PORT_IN_USE,
                f"Port {port} is in use; another workshop, perhaps?",
                "End what listens there, or give another one: kit workshop --port PORT.",
            ) from None
        raise KitError(
            Code.PORT_IN_USE,
            f"Nothing can listen on {host}, port {port}: {error.strerror}.",
            "Give --host an address of this machine (0.0.0.0 for all of them), and --port a free one.",
        ) from None


Died: TypeAlias = Callable[[], Coroutine[Any, Any, NoReturn]]


@contextlib.asynccontextmanager
async def serving(app: ASGIApp, listening: socket.socket) -> AsyncGenerator[Died]:
    """Serve the app until the block is left; then end at once, open streams included.

    Yields:
        What waits until the server ends by itself, and raises why.

    Raises:
        Exception: whatever keeps the server from serving.
    """
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        # A browser keeps connections; the next step of a proof shall find one.
        timeout_keep_alive=75,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve([listening]))
    listens = asyncio.create_task(server.listens.wait())
    try:
        await asyncio.wait({listens, task}, return_when=asyncio.FIRST_COMPLETED)
        if not server.listens.is_set():
            await _death(task)
        yield partial(_death, task)
    finally:
        listens.cancel()
        server.should_exit = server.force_exit = True
        # A stream that does not end would be waited for.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(task, 5)


async def _death(task: asyncio.Task[None]) -> NoReturn:
    """Wait until a server that should serve on has ended, and raise why."""
    await asyncio.wait({task})
    task.result()
    raise RuntimeError("The page's server ended by itself.")


class _Server(uvicorn.Server):
    """Says when it listens. Signals are the command's affair."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen, and say so."""
        await super().startup(sockets)
        self.listens.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Capture none."""
        yield
