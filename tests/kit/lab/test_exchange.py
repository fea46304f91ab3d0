"""One request through a front and its response, between a client and a service played by hand."""

from __future__ import annotations

import asyncio
import errno

import h11
import pytest

from kit.lab import exchange
from kit.lab.peer import Peer, Said
from kit.lab.sockets import hold_port
from kit.targets import FrontSpec, Hold
from tests.kit.lab.raw import (
    CHUNKED,
    LAST,
    asked,
    asleep,
    behind,
    chunk,
    fields,
    front_before,
    get,
    stalled,
    status,
    whole_exchange,
)
from tests.kit.lab.specs import front

PASS = front("none")
WHOLE = front("whole")
BLOCKS = front("blocks", block_bytes=1000)


# Releases, on the wire


async def test_through_a_pass_through_front_every_event_arrives_before_the_next_is_sent() -> None:
    async with asked(PASS) as (client, answering, _):
        await answering.say(CHUNKED)
        assert status(await client.head()) == 200
        for number in range(20):
            event = b"data: %d\n\n" % number
            await answering.say(chunk(event))
            assert await client.chunk() == event
        await answering.say(LAST)
        assert await client.chunk() == b""


async def test_through_a_block_front_nothing_arrives_until_the_block_is_full() -> None:
    async with asked(BLOCKS) as (client, answering, another):
        await answering.say(CHUNKED + chunk(b"x" * 999))
        # A second exchange that goes there and back shows that the first had its time.
        await another()
        assert client.silent()
        await answering.say(chunk(b"x"))
        assert status(await client.head()) == 200
        assert len(await client.chunk()) == 1000
        await answering.say(chunk(b"x" * 2500) + LAST)
        assert await client.chunk_sizes() == [1000, 1000, 500]


async def test_through_a_whole_message_front_all_arrives_at_the_end_with_its_length() -> None:
    async with asked(WHOLE) as (client, answering, another):
        await answering.say(CHUNKED + chunk(b"x" * 100_000))
        await another()
        assert client.silent()
        await answering.say(LAST)
        head = await client.head()
        assert fields(head)["content-length"] == "100000"
        assert "transfer-encoding" not in fields(head)
        assert await client.hear(100_000) == b"x" * 100_000


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
async def test_a_service_that_does_not_speak_http_is_a_502(rubbish: bytes) -> None:
    async with asked(PASS) as (client, answering, _):
        saying = asyncio.create_task(answering.say(rubbish))
        if len(rubbish) < 1000:
            await saying
            answering.close()
        assert status(await client.head()) == 502
        assert b"gave no HTTP answer" in await client.reader.readline()
        saying.cancel()


@pytest.mark.parametrize("spec", [PASS, BLOCKS])
@pytest.mark.parametrize(
    "start", [CHUNKED + chunk(b"x" * 1500), b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" + b"x" * 1500]
)
async def test_a_service_that_dies_in_mid_body_is_seen_as_a_cut(spec: FrontSpec, start: bytes) -> None:
    async with asked(spec) as (client, answering, _):
        await answering.say(start)
        head = await client.head()
        answering.reset()
        rest = await client.rest()
        assert rest.count(b"x") == 1500  # what it had said is not lost
        if "content-length" in fields(head):
            assert len(rest) < int(fields(head)["content-length"])
        else:
            assert not rest.endswith(LAST)


async def test_without_framing_a_cut_is_seen_as_a_reset() -> None:
    async with asked(PASS, b"GET / HTTP/1.0\r\n\r\n") as (client, answering, _):
        await answering.say(CHUNKED + chunk(b"half"))
        await client.head()
        assert await client.hear(4) == b"half"
        answering.reset()
        with pytest.raises(ConnectionResetError):
            await client.rest()


async def test_a_service_that_dies_behind_a_whole_message_front_is_a_502() -> None:
    async with asked(WHOLE) as (client, answering, _):
        await answering.say(CHUNKED + chunk(b"half"))
        answering.reset()
        assert status(await client.head()) == 502


async def test_over_the_cap_a_whole_message_is_an_empty_500_though_the_service_goes_on() -> None:
    async with asked(front("whole", response_cap_bytes=100_000)) as (client, answering, _):
        await answering.say(CHUNKED + chunk(b"x" * 100_001))
        head = await client.head()
        assert (status(head), fields(head)["content-length"]) == (500, "0")
        await answering.say(chunk(b"x" * 500_000) + LAST)  # read and thrown away: this does not block


# Deadlines


@pytest.mark.parametrize(
    ("hold", "expected", "said"),
    [("whole", 500, b""), ("blocks", 504, b""), ("none", 504, b"upstream request timeout")],
)
async def test_at_the_deadline_a_client_without_a_head_gets_the_platforms_error(
    hold: Hold, expected: int, said: bytes
) -> None:
    async with behind(front(hold, deadline_s=0.2)) as (service, connect):
        client = await connect()
        await client.say(get())
        answering = await service.taken()
        head = await client.head()
        assert (status(head), fields(head)["content-length"]) == (expected, str(len(said)))
        assert await client.hear(len(said)) == said
        await answering.left()  # the service learns it from the end of its connection


@pytest.mark.parametrize("spec", [PASS, WHOLE, BLOCKS])
async def test_an_answer_that_ended_in_time_is_whole_though_the_front_was_asleep(spec: FrontSpec) -> None:
    async with asked(spec, get("/", "Connection: close")) as (client, answering, another):
        await answering.say(CHUNKED + chunk(b"a"))
        await another()  # the front has got as far as it can
        answering.writer.write(chunk(b"b" * 1_000_000) + LAST)
        assert answering.writer.transport.get_write_buffer_size() == 0  # it lies in the front's socket
        asleep(spec.deadline_s + 1)
        assert status(await client.head()) == 200
        rest = await client.rest()
        assert rest.count(b"b") == 1_000_000
        assert rest.endswith(LAST) or spec is WHOLE


async def test_at_the_deadline_a_service_that_never_pauses_is_cut_too() -> None:
    async with asked(PASS) as (client, answering, _):
        await answering.say(CHUNKED)
        await client.head()

        async def talk() -> None:
            while True:
                await answering.say(chunk(b"x" * 100_000))

        talking = asyncio.create_task(talk())
        reading = asyncio.create_task(client.rest())
        await asyncio.sleep(0)
        asleep(PASS.deadline_s + 1)
        assert not (await reading).endswith(LAST)
        with pytest.raises(ConnectionError):
            await talking


@pytest.mark.parametrize("after_its_head", [False, True])
async def test_a_service_that_times_out_is_no_deadline(
    monkeypatch: pytest.MonkeyPatch, after_its_head: bool
) -> None:
    class Losing(Peer):
        """The service's side of the front: TCP gives up on its connection."""

        async def next_event(self) -> Said:
            if self.machine.our_role is h11.CLIENT and self.machine.their_state in (
                h11.SEND_BODY if after_its_head else h11.SEND_RESPONSE,
            ):
                raise TimeoutError(errno.ETIMEDOUT, "Connection timed out")
            return await super().next_event()

    monkeypatch.setattr(exchange, "Peer", Losing)
    async with asked(PASS) as (client, answering, _):
        await answering.say(CHUNKED)
        head = await client.head()
        if after_its_head:
            assert status(head) == 200
            assert await client.rest() == b""  # no last chunk: a cut
        else:
            assert status(head) == 502
            assert b"Connection timed out" in await client.reader.readline()


async def test_at_the_deadline_a_stream_is_cut() -> None:
    async with behind(PASS) as (service, connect):
        client = await connect()
        await client.say(get())
        answering = await service.taken()
        await answering.say(CHUNKED + chunk(b"a"))
        await client.head()
        asleep(PASS.deadline_s)
        assert await client.rest() == chunk(b"a")
        await answering.left()


async def test_the_deadline_also_ends_an_answer_that_its_client_does_not_read() -> None:
    async with stalled(PASS) as (talking, _):
        asleep(PASS.deadline_s)
        with pytest.raises(ConnectionError):  # blocked until the front ends it
            await talking
