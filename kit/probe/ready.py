"""Waits until a service that was just made answers: a new name, a new route and a cold start take a while.

So does the traffic that was moved to another version: for some seconds the old one goes on answering.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from kit.errors import Code, KitError
from kit.language import join, text
from kit.probe.client import Ask, Client, now_ms
from kit.probe.http_errors import shown
from kit.probe.origin import discover
from kit.proof.doubts import Doubt
from kit.proof.version import ExpectedVersion

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


# Answers in a row by the wanted version after which it is believed to be the one that answers; refusals in a
# row after which the caller is believed to be refused.
_IN_A_ROW = 3


async def wait_until_version(
    ask: Ask,
    wanted: ExpectedVersion,
    *,
    within_s: float,
    let_in_s: float = 0.0,
    waiting: Callable[[str], None] = lambda _: None,
    proof_url: str | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> bool:
    """Ask which version answers until it is the wanted one, or time is over: the measurement holds it against
    what answers then.

    Returns whether another one answered at first.

    Args:
        ask: the request whose answer is to be measured.
        wanted: which.
        within_s: seconds after which it is given up.
        let_in_s: for how long a platform may refuse a caller that it was just told to let in.
        waiting: called once with who answers instead.
        proof_url: the proof's prefix, as in `LaneSpec`.
        sleep: for tests.
    """
    began, in_a_row, refused, announced, pause_s = now_ms(), 0, 0, False, 0.25
    while in_a_row < _IN_A_ROW:
        gone_s = (now_ms() - began) / 1000
        left_s = within_s - gone_s
        if left_s <= 0:
            break
        # A connection of its own each time: a kept one may lead to the old version for ever.
        async with Client(timeout_s=left_s) as client:
            try:
                found = await discover(
                    client, ask.url, ask.headers, within_ms=left_s * 1000, proof_url=proof_url
                )
            except KitError:  # it cannot be reached: the measurement says why
                break
        if wanted.is_it(client.versions):
            in_a_row += 1
            continue
        in_a_row = 0
        refused = refused + 1 if found.why_not is Doubt.PROOF_REFUSED and found.base is None else 0
        # The service's own refusal is of a token, which no time makes right.
        if refused >= _IN_A_ROW and (found.ours or gone_s >= let_in_s):
            break
        if not announced:
            announced = True
            other = join(", ", sorted(client.versions)) or text("a version that does not say which")
            waiting(text("waiting for {name}: {other} still answers", name=wanted.name, other=other))
        await sleep(pause_s)
        pause_s = min(pause_s * 2, 4.0)
    return announced


async def wait_until_ready(
    ask: Ask,
    *,
    within_s: float = 120.0,
    each_s: float = 10.0,
    waiting: Callable[[str], None] = lambda _: None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Ask again and again until the service itself answers, whatever it says.

    Args:
        ask: a cheap request, such as GET /ready.
        within_s: seconds after which it is given up.
        each_s: seconds for each attempt.
        waiting: called with why it is not ready yet.
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
                    status = response.status
                # A front that knows no route yet says 404, and so does a service for ever to a wrong path.
                if status not in _NOT_YET or (status == 404 and await _speaks(client, ask, each_s)):
                    return
                said = text("status {status}", status=status)
            except TimeoutError:
                said = "nothing"
            except KitError as error:
                if error.code not in _STARTING:
                    raise
                said = error.message
            if now_ms() - began > within_s * 1000:
                raise KitError(
                    Code.SERVICE_NOT_READY,
                    text(
                        "{url} was not ready within {within_s:.0f} s; it last said: {said}",
                        url=shown(ask.url),
                        within_s=within_s,
                        said=said,
                    ),
                    text("Look at the service's log: kit logs TARGET."),
                )
            waiting(text("not ready yet: {said}", said=said))
            await sleep(pause_s)
            pause_s = min(pause_s * 2, 4.0)


async def _speaks(client: Client, ask: Ask, within_s: float) -> bool:
    found = await discover(client, ask.url, ask.headers, within_ms=within_s * 1000, proof_url=None)
    return found.speaks
