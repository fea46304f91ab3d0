"""A user's ASGI app under a real server in this process, the proof among its routes while it is measured.

The app is an object, so no other process can have it: its server runs in a thread, on a loop of its own.
"""

from __future__ import annotations

import inspect
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import TYPE_CHECKING

from kit.errors import Code, KitError
from kit.lab.sockets import HOST, listen
from kit.service import service_module

if TYPE_CHECKING:
    from starlette.routing import BaseRoute
    from starlette.types import ASGIApp
    from uvicorn import Server

_START_S = 60.0
_STOP_S = 5.0
_LOOK_S = 0.01
# Of a middleware around an app around a middleware…; a chain that leads in a circle ends too.
_DEEPEST = 100


@contextmanager
def serving(app: ASGIApp) -> Iterator[str]:
    """Run the app, lifespan and all, on a free port of this machine: its base URL.

    Raises:
        KitError: SERVICE_DIED, it did not start; SERVICE_NOT_READY, not within its time.
    """
    import uvicorn

    config = uvicorn.Config(
        app, log_config=None, access_log=False, ws="none", proxy_headers=False, timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    with listen(0) as listening:
        # asyncio switches Nagle's algorithm off only where it made the socket; each second write would wait
        # some 40 ms for the client's ACK. What is accepted inherits it.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        url = f"http://{HOST}:{listening.getsockname()[1]}"

        def run() -> None:
            with suppress(SystemExit):  # how uvicorn says that the lifespan failed
                server.run([listening])

        thread = threading.Thread(target=run, name="streamproof app", daemon=True)
        thread.start()
        try:
            _wait_until_started(server, thread)
            yield url
        finally:
            server.should_exit = True
            thread.join(_STOP_S)


def _wait_until_started(server: Server, thread: threading.Thread) -> None:
    until = time.monotonic() + _START_S
    while not server.started:
        if not thread.is_alive():
            raise KitError(
                Code.SERVICE_DIED,
                "The app did not start: its lifespan failed.",
                "What it raised stands in the log: logger uvicorn.error.",
            )
        if time.monotonic() > until:
            raise KitError(
                Code.SERVICE_NOT_READY,
                f"The app did not start within {_START_S:.0f} s.",
                "Look at what its lifespan waits for.",
            )
        time.sleep(_LOOK_S)


@contextmanager
def with_proof(app: ASGIApp, token: str) -> Iterator[tuple[ASGIApp, str]]:
    """The app with the proof around it, and the prefix of the proof, which cannot be guessed.

    In a Starlette or FastAPI app (or a middleware around one, which has it as `app`) the proof's own streams
    come from below all of its middleware, as its answers do; in any other they come from before it.

    Args:
        app: any ASGI app.
        token: what the proof is shown.
    """
    prefix, outside = (f"/streamproof-{secrets.token_hex(16)}" for _ in range(2))
    routes = _routes(app)
    if routes is None:
        yield service_module("proof").wrap(app, prefix=prefix, token=token), prefix
        return
    from starlette.routing import Mount

    wrapped = service_module("proof").wrap(app, prefix=outside, token=token)
    # First, or a route for everything would have it.
    mount = Mount(prefix, app=wrapped.proof)
    routes.insert(0, mount)
    try:
        yield wrapped, prefix
    finally:
        routes[:] = [route for route in routes if route is not mount]


def importable(name: str) -> ASGIApp:
    """The app of that name, "mine.main:app" or "mine.main:create_app()", as gunicorn imports it."""
    app: ASGIApp = import_module("gunicorn.util").import_app(name)
    return app


def refuse_wsgi(app: ASGIApp) -> None:
    """Raises KitError for what is called as PEP 3333 has it: with a second argument by that name."""
    try:
        is_wsgi = "start_response" in inspect.signature(app).parameters
    except (TypeError, ValueError):
        return
    if is_wsgi:
        raise KitError(
            Code.BAD_USAGE,
            "That is a WSGI app, and the kit runs ASGI apps only.",
            "Run it under its own server, and give its URL.",
        )


def _routes(app: object) -> list[BaseRoute] | None:
    from starlette.applications import Starlette
    from starlette.routing import Router

    for _ in range(_DEEPEST):
        if isinstance(app, Starlette):
            return app.router.routes
        if isinstance(app, Router):
            return app.routes
        app = getattr(app, "app", None)
    return None
