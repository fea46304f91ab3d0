"""Waits until a service that was just made answers: a new name, a new route and a cold start take a while."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from kit.errors import Code, KitError
from kit.probe.client import Ask, Client, now_ms
from kit.probe.faults import shown

# What a front end says while a version is not there yet; anything else comes from the service itself.
_NOT_YET = (404, 429, 500, 502, 503, 504)
# Errors of a name or a route that is only just being made.
_STARTING = (
    Code.UNREACHABLE,
    Code.NAME_NOT_FOUND,
    Code.TIMED_OUT,
    Code.TLS_FAILED,
    Code.NOT_HTTP,
    Code.BODY_CUT,
)


async def wait_until_ready(
    ask: Ask,
    *,
    within_s: float = 120.0,
    each_s: float = 10.0,
    waiting: Callable[[str], None] = lambda _: None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Ask again and again until the service itself answers.

    Args:
        ask: a cheap request, such as GET /ready.
        within_s: seconds after which it is given up.
        each_s: seconds for each attempt.
        waiting: told why it is not ready yet.
        sleep: for tests.

    Raises:
        KitError: SERVICE_NOT_READY, with what it said last.
    """
    began = now_ms()
    said, pause_s = "nothing", 0.25
    async with Client(timeout_s=each_s) as client:
        while True:
            try:
                async with asyncio.timeout(each_s), client.stream(ask) as response:
                    if response.status not in _NOT_YET:
                        return
                    said = f"status {response.status}"
            except TimeoutError:
                said = "nothing"
            except KitError as error:
                if error.code not in _STARTING:
                    raise
                said = error.message
            if now_ms() - began > within_s * 1000:
                raise KitError(
                    Code.SERVICE_NOT_READY,
                    f"{shown(ask.url)} was not ready within {within_s:.0f} s; it last said: {said}",
                    "Look at the service's log: kit logs TARGET.",
                )
            waiting(f"not ready yet: {said}")
            await sleep(pause_s)
            pause_s = min(pause_s * 2, 4.0)
