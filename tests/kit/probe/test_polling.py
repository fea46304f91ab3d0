"""An answer asked for in pieces: from the real service, and from servers that offer it badly or never."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from kit.probe.client import Ask
from kit.probe.polling import PollingProbe
from kit.probe.spec import LaneSpec
from kit.proof.doubts import Doubt
from kit.proof.lane import Lane
from kit.proof.timeline import Arrival
from kit.proof.verdict import Method, Verdict
from tests.fixtures.misbehaving import misbehaving, says
from tests.fixtures.origin import Origin

Respond = Callable[[str], bytes]

TOKEN = '{"seq":%d,"event":"token","data":{"seq":%d,"text":"a","t_ms":%d}}'
DONE = '{"seq":%d,"event":"done","data":{}}'


def token(seq: int) -> str:
    return TOKEN % (seq, seq, 600 * seq)


def response(status: str, body: str = "", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", "connection: close", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def piece(*events: str, done: bool = False) -> bytes:
    return response("200 OK", f'{{"events":[{",".join(events)}],"done":{str(done).lower()}}}')


ASK = Ask("GET", "/ask")
ACCEPTED = response("202 Accepted", '{"events":[],"done":false}', "location: pieces/1?of=a%20b")


async def lane_of(url: str, reported: list[Arrival] | None = None, **spec: Any) -> Lane:
    lane = LaneSpec(
        "x", spec.pop("ask", Ask("GET", url)), prompt="Why?", max_output_tokens=60, delivery="polling", **spec
    )
    async with PollingProbe(lane) as probe:
        await probe.find()
        await probe.answer((reported if reported is not None else []).append)
        assert not probe.provable
        return await probe.prove()


def against(respond: Respond, heads: list[bytes] | None = None, ask: Ask = ASK, **spec: Any) -> Lane:
    """A lane against a server without a proof, which answers by the request's target."""
    seen: list[bytes] = [] if heads is None else heads

    async def behave(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target = seen[-1].split()[1].decode()
        writer.write(response("404 Not Found") if "ping" in target else respond(target))
        await writer.drain()

    async def run() -> Lane:
        async with misbehaving(behave, heads=seen) as url:
            return await lane_of("", ask=replace(ask, url=url + ask.url), **spec)

    return asyncio.run(run())


@pytest.mark.alone
def test_the_service_is_asked_for_piece_after_piece_and_judged_by_its_stamps(origin: Origin) -> None:
    reported: list[Arrival] = []
    lane = asyncio.run(lane_of(origin(), reported))
    assert lane.error is None
    assert lane.verdict is Verdict.INCREMENTAL, lane.evidence
    assert (lane.delivery, lane.method, lane.doubts) == ("polling", Method.STAMPS, ())
    arrivals = lane.timeline.arrivals
    assert [one.seq for one in reported] == [one.seq for one in arrivals] == list(range(61))
    assert [one.arrived_ms for one in reported] == [one.arrived_ms for one in arrivals]
    assert lane.timeline.complete
    assert all(one.sent_ms is not None and one.sent_ms <= one.arrived_ms for one in arrivals[:-1])
    assert lane.hold_ms is not None
    assert lane.hold_floor_ms is not None
    assert "pieces, each a whole response" in lane.evidence[0]
    assert "where a round trip takes" in lane.evidence[-1]


@pytest.mark.alone
def test_without_the_proofs_clock_the_stamps_alone_are_judged(origin: Origin) -> None:
    lane = asyncio.run(lane_of(origin(lab=0)))
    assert (lane.verdict, lane.hold_ms, lane.doubts) == (
        Verdict.INCREMENTAL,
        None,
        (Doubt.CLOCKS_NOT_ALIGNED,),
    )
    assert all(arrival.sent_ms is None for arrival in lane.timeline.arrivals)


def test_each_piece_is_asked_for_after_the_last_event_at_the_place_that_was_named() -> None:
    heads: list[bytes] = []

    def respond(target: str) -> bytes:
        if target.startswith("/ask"):
            return ACCEPTED
        if "after=-1" in target:
            return piece(token(0), token(1))
        return piece(token(2), DONE % 3, done=True)

    ask = Ask("POST", "/ask", (("content-type", "text/plain"), ("x-own", "kept")), b"Why?")
    lane = against(respond, heads, ask)
    assert lane.error is None
    assert [arrival.seq for arrival in lane.timeline.arrivals] == [0, 1, 2, 3]
    asked, *pieces = [head for head in heads if b"ping" not in head.split()[1]]
    assert b"prefer: respond-async" in asked
    assert [head.split()[:2] for head in pieces] == [
        [b"get", b"/pieces/1?of=a+b&after=-1&wait=20"],
        [b"get", b"/pieces/1?of=a+b&after=1&wait=20"],
    ]
    assert all(b"x-own: kept" in head and b"content-type" not in head for head in pieces)
    assert not any(b"prefer" in head for head in pieces)


def test_credentials_are_not_taken_to_another_origin() -> None:
    here: list[bytes] = []
    there: list[bytes] = []

    async def run() -> Lane:
        async with misbehaving(says(piece(DONE % 0, done=True)), heads=there) as other:

            async def first(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                writer.write(response("202 Accepted", "", f"location: {other}/pieces"))
                await writer.drain()

            async with misbehaving(first, heads=here) as url:
                ask = Ask("GET", f"{url}/ask", (("authorization", "Bearer secret"),))
                return await lane_of("", ask=ask)

    assert asyncio.run(run()).error is None
    assert all(b"secret" in head for head in here)
    assert there
    assert not any(b"secret" in head for head in there)


@pytest.mark.parametrize(
    ("begin", "then"),
    [
        (response("200 OK", "id: a.0\n\n", "content-type: text/event-stream"), b""),
        (response("202 Accepted", "{}"), b""),
        (response("202 Accepted", "{}", "location: http://[::1"), b""),
        (response("202 Accepted", "{}", "location: file:///etc/passwd"), b""),
        (ACCEPTED, response("200 OK", "<html>")),
        (ACCEPTED, response("200 OK", '{"events":[],"done":"soon"}')),
        (ACCEPTED, piece(token(7))),
    ],
)
def test_a_service_without_polling_is_named(begin: bytes, then: bytes) -> None:
    lane = against(lambda target: begin if target.startswith("/ask") else then)
    assert lane.error is not None
    assert (lane.error.code, lane.verdict) == ("no-polling", Verdict.INCONCLUSIVE)
    assert "/ask does not offer polling: " in lane.error.message
    assert "--polling" in lane.error.hint


@pytest.mark.parametrize("status", ["401 Who?", "404 Not Found", "405 Not So", "501 Never", "503 Later"])
def test_a_question_that_is_refused_is_the_lanes_error(status: str) -> None:
    lane = against(lambda _: response(status))
    assert lane.error is not None
    assert lane.error.code == "http-status"
    assert status[:3] in lane.error.message


@pytest.mark.parametrize("status", ["404 Not Found", "410 Gone"])
def test_an_unknown_answer_was_perhaps_anothers_instances(status: str) -> None:
    lane = against(lambda target: ACCEPTED if target.startswith("/ask") else response(status))
    assert lane.error is not None
    assert "another instance" in lane.error.hint


@pytest.mark.alone
def test_a_service_that_does_not_wait_is_not_hammered() -> None:
    heads: list[bytes] = []
    lane = against(lambda target: ACCEPTED if target.startswith("/ask") else piece(), heads, timeout_s=0.35)
    assert lane.error is not None
    assert lane.error.code == "no-stream"
    assert sum(b"/pieces/" in head.split()[1] for head in heads) <= 4


def test_an_answer_that_breaks_off_is_judged_by_what_came() -> None:
    cut = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"

    def respond(target: str) -> bytes:
        if target.startswith("/ask"):
            return ACCEPTED
        if "after=-1" not in target:
            return cut
        time.sleep(1.0)  # sooner it could only be a copy of an answer to another request
        return piece(token(0), token(1), token(2))

    lane = against(respond)
    assert (lane.error, lane.verdict) == (None, Verdict.WHOLE_MESSAGE)
    assert Doubt.STREAM_CUT in lane.doubts
    assert len(lane.timeline.arrivals) == 3
