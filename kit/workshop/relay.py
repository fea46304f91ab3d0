"""Passes a lane's requests on where the browser may not ask by itself, each piece the moment it is in.

It adds the credentials, which the browser never sees, and knows no address but those of the lanes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from kit.errors import KitError
from kit.probe.client import Ask, Client

# What a page would be let see of a service's own head, and no more: no cookie, no challenge.
PASSED = (
    "content-type", "cache-control", "x-accel-buffering", "incremental", "proxy-status",
    "streamproof-started-ms", "retry-after", "preference-applied",
)  # fmt: skip


class Relayed(Response):
    """The answer to a request that is passed on; it ends when either side leaves."""

    def __init__(self, ask: Ask, *, timeout_s: float, http2: bool = False) -> None:
        self.background = None
        self.status_code = 200
        self._ask = ask
        self._timeout_s = timeout_s
        self._http2 = http2

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Ask, and send on what comes. A response that breaks off breaks off here too."""
        request = Request(scope, receive)
        pump = asyncio.ensure_future(self._pump(scope, receive, send))
        gone = asyncio.ensure_future(_left(request))
        try:
            await asyncio.wait({pump, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (pump, gone):
                task.cancel()
            await asyncio.gather(pump, gone, return_exceptions=True)
        if not pump.cancelled():
            pump.result()

    async def _pump(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False
        try:
            # A client of its own: no stream waits for another's connection.
            async with (
                Client(http2=self._http2, timeout_s=self._timeout_s) as client,
                client.stream(self._ask) as response,
            ):
                await send(
                    {
                        "type": "http.response.start",
                        "status": response.status,
                        "headers": _kept(response.headers),
                    }
                )
                begun = True
                async for _, piece in response.reads():
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        except KitError as error:
            if begun:
                raise
            await refused(error, 502)(scope, receive, send)


def refused(error: KitError, status: int) -> JSONResponse:
    """An error for the page, in a sentence with its remedy."""
    return JSONResponse({"error": error.data}, status, {"Cache-Control": "no-store"})


def _kept(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    kept = [(name.encode(), headers[name].encode("latin-1", "replace")) for name in PASSED if name in headers]
    return [*kept, (b"x-content-type-options", b"nosniff")]


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
