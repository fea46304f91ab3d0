"""Requests as the service gets them: headers by the target's rules, bodies as they were sent."""

from __future__ import annotations

import asyncio

from kit.lab.sockets import HOST
from tests.kit.lab.raw import LAST, asked, behind, chunk, fields, get, status
from tests.kit.lab.specs import front

PASS = front("none")
WHOLE = front("whole")
BLOCKS = front("blocks", block_bytes=1000)


async def test_request_headers_are_removed_and_added_by_the_targets_rules() -> None:
    spec = front(
        request_headers_removed=("x-google-*", "accept-encoding"),
        request_headers_added={
            "X-Cloud-Trace-Context": "{trace}",
            "X-Forwarded-For": "{forwarded_for}",
            "X-Forwarded-Proto": "{scheme}",
        },
    )
    traces = set()
    async with behind(spec) as (service, connect):
        client = await connect()
        for _ in range(2):
            sent = ["X-Google-Secret: 1", "Accept-Encoding: gzip", "X-Forwarded-For: 10.0.0.1", "Mine: 1"]
            await client.say(get("/a?b=c", *sent))
            answering = await service.taken()
            head = await answering.head()
            assert head.startswith(b"GET /a?b=c HTTP/1.1\r\n")
            got = fields(head)
            assert got["host"] == "front.example"
            assert got["mine"] == "1"
            assert got["x-forwarded-for"] == f"10.0.0.1, {HOST}"
            assert got["x-forwarded-proto"] == "http"
            assert not {"x-google-secret", "accept-encoding"} & set(got)
            traces.add(got["x-cloud-trace-context"])
            await answering.say(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            await client.head()
    assert len(traces) == 2  # random for each request


async def test_request_and_response_bear_the_same_trace() -> None:
    added = {"X-Cloud-Trace-Context": "{trace};o=0"}
    async with behind(front(request_headers_added=added, response_headers_added=added)) as (service, connect):
        client = await connect()
        await client.say(get())
        answering = await service.taken()
        asked = fields(await answering.head())["x-cloud-trace-context"]
        await answering.say(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        assert fields(await client.head())["x-cloud-trace-context"] == asked


async def test_a_body_with_a_length_reaches_the_service_as_it_is() -> None:
    async with behind(PASS) as (service, connect):
        client = await connect()
        await client.say(get("/", "Content-Length: 5", method="POST") + b"he")
        answering = await service.taken()
        assert fields(await answering.head())["content-length"] == "5"
        assert await answering.hear(2) == b"he"  # not collected first
        await client.say(b"llo")
        assert await answering.hear(3) == b"llo"


async def test_a_chunked_body_reaches_the_service_chunked_and_without_a_length_beside_it() -> None:
    async with behind(PASS) as (service, connect):
        client = await connect()
        both = ["Transfer-Encoding: chunked", "Content-Length: 1"]
        await client.say(get("/", *both, method="POST") + chunk(b"hello") + LAST)
        answering = await service.taken()
        got = fields(await answering.head())
        assert got["transfer-encoding"] == "chunked"
        assert "content-length" not in got
        assert await answering.chunk() == b"hello"
        assert await answering.chunk() == b""


async def test_expect_100_continue_is_answered_by_the_front_and_not_passed_on() -> None:
    async with behind(PASS) as (service, connect):
        client = await connect()
        await client.say(get("/", "Content-Length: 2", "Expect: 100-continue", method="POST"))
        assert status(await client.head()) == 100
        await client.say(b"hi")
        answering = await service.taken()
        assert "expect" not in fields(await answering.head())
        assert await answering.hear(2) == b"hi"
        await answering.say(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        assert status(await client.head()) == 200


async def test_a_service_that_answers_before_the_body_is_complete_is_heard() -> None:
    async with asked(PASS, get("/", "Content-Length: 100000000", method="POST")) as (client, answering, _):
        sending = asyncio.create_task(client.say(b"x" * 50_000_000))  # more than anybody takes unread
        await answering.say(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nno\n")
        assert status(await client.head()) == 413
        assert await client.rest() == b"no\n"  # an end, no reset that could have taken the answer with it
        sending.cancel()
