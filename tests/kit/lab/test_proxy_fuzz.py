"""Whatever either side sends, the front answers or closes, leaves no error unhandled, and goes on serving."""

from __future__ import annotations

import asyncio
import gc
from contextlib import suppress
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from kit.targets import Hold
from tests.fixtures.loop import GIVE_UP_S
from tests.kit.lab.raw import CHUNKED, LAST, Service, behind, chunk, get
from tests.kit.lab.specs import front

Bytes = st.SearchStrategy[bytes]

REQUESTS = st.sampled_from(
    [b"GET / HTTP/1.1", b"GET /a?b HTTP/1.0", b"HEAD / HTTP/1.1", b"POST / HTTP/1.1", b"CONNECT a:1 HTTP/1.1"]
)
STATUSES = st.sampled_from(
    [
        b"HTTP/1.1 200 OK",
        b"HTTP/1.1 204 ",
        b"HTTP/1.0 500 No",
        b"HTTP/1.1 101 Up",
        b"HTTP/1.1 100 Go",
        b"HTTP/1.1 2",
    ]
)
HEADERS = st.sampled_from(
    [
        b"Content-Length: 3", b"Content-Length: 99", b"Transfer-Encoding: chunked", b"Connection: close",
        b"Transfer-Encoding: gzip", b"Connection: upgrade", b"Upgrade: websocket", b"Expect: 100-continue",
        b"X-Accel-Buffering: no", b"Set-Cookie: \xff", b"Host: b", b"no header", b": empty", b"X: \x00",
    ]
)  # fmt: skip
BODIES = st.sampled_from(
    [b"3\r\nabc\r\n", b"0\r\n\r\n", b"fffffffff\r\n", b"-1\r\n", b"abc", b"\r\n", b"\x00"]
)
HOLDS: st.SearchStrategy[Hold] = st.sampled_from(["none", "blocks", "whole"])
PROPER = CHUNKED + chunk(b"ok") + LAST


@st.composite
def messages(draw: st.DrawFn, starts: Bytes, *always: bytes) -> bytes:
    """Something like a message: often a right one, sometimes broken anywhere."""
    lines = [draw(starts), *always, *draw(st.lists(HEADERS, max_size=3)), b"", b""]
    message = b"\r\n".join(lines) + b"".join(draw(st.lists(BODIES, max_size=4)))
    if draw(st.integers(0, 3)) == 0:
        place = draw(st.integers(0, len(message)))
        message = message[:place] + draw(st.binary(max_size=4)) + message[place + draw(st.integers(0, 9)) :]
    return message


def survives(hold: Hold, request: bytes, answer: bytes) -> None:
    """Have both sides say that and close; a proper exchange must work after that, without a complaint."""
    complaints: list[dict[str, Any]] = []

    async def exchange() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        async with asyncio.timeout(GIVE_UP_S), behind(front(hold)) as (service, connect):
            answers = [answer]
            answering = asyncio.create_task(answer_all(service, answers))
            client = await connect()
            await client.say(request)
            client.half_close()
            await client.left()
            answers[:] = [PROPER]  # also for a request of that client that is only now on its way
            client = await connect()
            await client.say(get())
            assert (await client.head()).startswith(b"HTTP/1.1 200 ")
            answering.cancel()
        gc.collect(1)  # an error that no code fetched is reported when its task goes

    asyncio.run(exchange())
    assert complaints == []


async def answer_all(service: Service, answers: list[bytes]) -> None:
    """Give each connection what is the answer at the time."""
    while True:
        wire = await service.taken()
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await wire.head()
            await wire.say(answers[0])
        wire.close()


@settings(max_examples=120)
@given(HOLDS, st.sampled_from(["GET", "HEAD", "POST"]), messages(STATUSES))
@example("none", "GET", CHUNKED[:-2] + b"Content-Length: 3\r\n\r\n" + chunk(b"abc") * 2)  # found here once
def test_whatever_a_service_answers(hold: Hold, method: str, answer: bytes) -> None:
    survives(hold, get(method=method), answer)


@settings(max_examples=120)
@given(HOLDS, messages(REQUESTS, b"Host: a"))
def test_whatever_a_client_asks(hold: Hold, request: bytes) -> None:
    survives(hold, request, PROPER)
