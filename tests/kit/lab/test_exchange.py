"""One request through a front and its response, between a client and a service played by hand."""

from __future__ import annotations

import asyncio

import pytest

from kit.lab.sockets import hold_port
from kit.targets import FrontSpec, Hold
from tests.kit.lab.raw import (
    CHUNKED,
    LAST,
    behind,
    chunk,
    fields,
    front_before,
    get,
    in_loop,
    status,
    whole_exchange,
)
from tests.kit.lab.specs import front

PASS = front("none")
WHOLE = front("whole")
BLOCKS = front("blocks", block_bytes=1000)


# Releases, on the wire


@in_loop
async def test_through_a_pass_through_front_every_event_arrives_before_the_next_is_sent() -> None:
    async with behind(PASS) as (service, connect):
        client = await connect()
        await client.say(get())
        answering = await service.taken()
        await answering.head()
        await answering.say(CHUNKED)
        assert status(await client.head()) == 200
        for number in range(20):
            event = b"data: %d\n\n" % number
            await answering.say(chunk(event))
            assert await client.chunk() == event
        await answering.say(LAST)
        assert await client.chunk() == b""


@in_loop
async def test_through_a_block_front_nothing_arrives_until_the_block_is_full() -> None:
    async with behind(BLOCKS) as (service, connect):
        client = await connect()
        await client.say(get())
        answering = await service.taken()
        await answering.head()
        await answering.say(CHUNKED + chunk(b"x" * 999))
        # A second exchange that goes there and back shows that the first had its time.
        await whole_exchange(await connect(), service)
        assert client.silent()
        await answering.say(chunk(b"x"))
        assert status(await client.head()) == 200
        assert len(await client.chunk()) == 1000
        await answering.say(chunk(b"x" * 2500) + LAST)
        assert await client.chunk_sizes() == [1000, 1000, 500]


@in_loop
async def test_through_a_whole_message_front_all_arrives_at_the_end_with_its_length() -> None:
    async with behind(WHOLE) as (service, connect):
        client = await connect()
        await client.say(get())
        answering = await service.taken()
        await answering.head()
        await answering.say(CHUNKED + chunk(b"x" * 100_000))
        await whole_exchange(await connect(), service)
        assert client.silent()
        await answering.say(LAST)
        head = await client.head()
        assert fields(head)["content-length"] == "100000"
        assert "transfer-encoding" not in fields(head)
        assert await client.hear(100_000) == b"x" * 100_000


@in_loop
async def test_the_header_frees_the_blocks_of_its_own_response_only() -> None:
    async with behind(BLOCKS) as (service, connect):
        client = await connect()
        for freed in (True, False):
            await client.say(get())
            answering = await service.taken()
            await answering.head()
            accel = b"X-Accel-Buffering: no\r\n" if freed else b""
            await answering.say(CHUNKED[:-2] + accel + b"\r\n" + chunk(b"a"))
            if freed:
                assert "x-accel-buffering" not in fields(await client.head())
                assert await client.chunk() == b"a"
                await answering.say(LAST)
                assert await client.chunk() == b""
            else:
                await whole_exchange(await connect(), service)
                assert client.silent()


# What goes wrong on the service's side


@in_loop
async def test_a_service_that_is_not_there_is_a_502_in_a_plain_sentence() -> None:
    held, port = hold_port()
    with held:
        async with front_before(port, front(response_headers_added={"Server": "Front"})) as connect:
            client = await connect()
            await client.say(get())
            head = await client.head()
            assert status(head) == 502
            assert fields(head)["server"] == "Front"
            sentence = await client.rest()
            assert sentence == b"The service behind this front does not answer: Connection refused.\n"


@pytest.mark.parametrize(
    "rubbish",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"HTTP/1.1 2OO OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nbroken header\r\n\r\n",
        b"\x00\xff" * 100,
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 300_000,
    ],
)
@in_loop
async def test_a_service_that_does_not_speak_http_is_a_502(rubbish: bytes) -> None:
    async with behind(PASS) as (service, connect):
        client = await connect()
        await client.say(get())
        answering = await service.taken()
        await answering.head()
        saying = asyncio.create_task(answering.say(rubbish))
        if len(rubbish) < 1000:
            await saying
            answering.close()
        assert status(await client.head()) == 502
        assert b"gave no HTTP answer" in await client.reader.readline()
        saying.cancel()


@pytest.mark.parametrize("spec", [PASS, BLOCKS])
@pytest.mark.parametrize(
    "start",
    [CHUNKED + chunk(b"x" * 1500), b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" + b"x" * 1500],
)
@in_loop
async def test_a_service_that_dies_in_mid_body_is_seen_as_a_cut(spec: FrontSpec, start: bytes) -> None:
    async with behind(spec) as (service, connect):
        client = await connect()
        await client.say(get())
        answering = await service.taken()
        await answering.head()
        await answering.say(start)
        head = await client.head()
        answering.reset()
        rest = await client.rest()
        assert rest.count(b"x") == 1500  # what it had said is not lost
        if "content-length" in fields(head):
            assert len(rest) < int(fields(head)["content-length"])
        else:
            assert not rest.endswith(LAST)


@in_loop
async def test_without_framing_a_cut_is_seen_as_a_reset() -> None:
    async with behind(PASS) as (service, connect):
        client = await connect()
        await client.say(b"GET / HTTP/1.0\r\n\r\n")
        answering = await service.taken()
        await answering.head()
        await answering.say(CHUNKED + chunk(b"half"))
        await client.head()
        assert await client.hear(4) == b"half"
        answering.reset()
        with pytest.raises(ConnectionResetError):
            await client.rest()


@in_loop
async def test_a_service_that_dies_behind_a_whole_message_front_is_a_502() -> None:
    async with behind(WHOLE) as (service, connect):
        client = await connect()
        await client.say(get())
        answering = await service.taken()
        await answering.head()
        await answering.say(CHUNKED + chunk(b"half"))
        answering.reset()
        assert status(await client.head()) == 502


@in_loop
async def test_over_the_cap_a_whole_message_is_an_empty_500_though_the_service_goes_on() -> None:
    async with behind(front("whole", response_cap_bytes=100_000)) as (service, connect):
        client = await connect()
        await client.say(get())
        answering = await service.taken()
        await answering.head()
        await answering.say(CHUNKED + chunk(b"x" * 100_001))
        head = await client.head()
        assert (status(head), fields(head)["content-length"]) == (500, "0")
        await answering.say(chunk(b"x" * 500_000) + LAST)  # read and thrown away: this does not block


# Deadlines


@pytest.mark.parametrize(("hold", "expected"), [("whole", 500), ("blocks", 504), ("none", 504)])
@in_loop
async def test_at_the_deadline_a_client_that_saw_nothing_gets_the_platforms_error(
    hold: Hold, expected: int
) -> None:
    async with behind(front(hold, deadline_s=0.2)) as (service, connect):
        client = await connect()
        await client.say(get())
        answering = await service.taken()
        head = await client.head()
        assert (status(head), fields(head)["content-length"]) == (expected, "0")
        await answering.left()  # the service is told by the end of its connection


@in_loop
async def test_at_the_deadline_a_stream_is_cut() -> None:
    async with behind(front("none", deadline_s=2.0)) as (service, connect):
        client = await connect()
        await client.say(get())
        answering = await service.taken()
        await answering.say(CHUNKED + chunk(b"a"))
        await client.head()
        assert await client.rest() == chunk(b"a")
        await answering.left()


@in_loop
async def test_the_deadline_also_ends_an_answer_that_its_client_does_not_read() -> None:
    async with behind(front("none", deadline_s=2.0)) as (service, connect):
        client = await connect()
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await client.say(get())
        answering = await service.taken()

        async def talk() -> None:
            await answering.say(CHUNKED)
            while True:
                await answering.say(chunk(b"x" * 100_000))

        with pytest.raises(ConnectionError):  # blocked until the front lets go
            await talk()
