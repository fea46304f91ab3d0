"""The driver on real sockets: what the pure proof asks is what is done, and nothing is left open."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Generator
from typing import Any

import pytest

from kit.errors import Code, KitError
from kit.probe.client import Client
from kit.probe.proof_runner import Driver, ProofRequest
from kit.proof.actions import Action, Await, End, Feed, Observed, Open, Ping
from kit.proof.conditions import MEDIA_TYPES, Conditions
from kit.proof.lockstep import LockStep
from kit.proof.sse import COMMENT
from kit.proof.verdict import Finding, Method, Verdict
from tests.fixtures.misbehaving import misbehaving, says
from tests.fixtures.origin import Origin

DONE = Finding(Verdict.INCREMENTAL, Method.LOCK_STEP)
Script = Generator[Action, Observed, Finding]


def drive(base: str, script: Script, stepped: Callable[[], None] = lambda: None, **request: Any) -> Finding:
    async def run() -> Finding:
        async with Client() as streams, Client() as side:
            return await Driver(streams, side, ProofRequest(base, Conditions(**request)), stepped).run(script)

    return asyncio.run(run())


@pytest.mark.parametrize("media", MEDIA_TYPES.values())
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_is_fed_arrives_as_whole_events_of_that_size(origin: Origin, media: str, method: str) -> None:
    def script() -> Script:
        opened = yield Open(200)
        stream = opened.stream
        assert stream is not None
        yield Await(10_000, events=1)
        fed = yield Feed(6000, 10_000)
        assert fed.reply is not None
        assert (fed.reply.known, fed.reply.emitted) == (True, 2)
        yield Await(10_000, events=2)
        assert [event.octets for _, event in stream.arrivals] == [200, 6000]
        assert [at for at, _ in stream.arrivals] == sorted(at for at, _ in stream.arrivals)
        yield End(10_000)
        ended = yield Await(10_000)
        assert stream.clean
        assert stream.ended_ms is not None
        assert stream.ended_ms <= ended.now_ms
        return DONE

    steps: list[None] = []
    outcome = drive(f"{origin()}/proof", script(), lambda: steps.append(None), media=media, method=method)
    assert outcome is DONE
    assert len(steps) == 6


def test_waiting_ends_with_its_patience(origin: Origin) -> None:
    def script() -> Script:
        before = yield Open(200)
        after = yield Await(50, events=2)
        assert after.stream is not None
        assert after.stream.events <= 1
        assert after.now_ms - before.now_ms >= 50
        return DONE

    assert drive(f"{origin()}/proof", script()) is DONE


def test_a_second_stream_leaves_the_first(origin: Origin) -> None:
    def script() -> Script:
        first = (yield Open(200)).stream
        yield Await(10_000, events=1)
        second = (yield Open(300)).stream
        yield Await(10_000, events=1)
        assert first is not None
        assert second is not None
        assert first is not second
        assert first.ended_ms is not None
        assert second.arrivals[0][1].octets == 300
        return DONE

    assert drive(f"{origin()}/proof", script()) is DONE


def test_side_requests_before_any_stream_and_to_nobody_are_no_reply() -> None:
    def script() -> Script:
        assert (yield Ping(5_000)).reply is None
        assert (yield End(5_000)).reply is None
        return DONE

    assert drive("http://127.0.0.1:1/proof", script()) is DONE


def test_a_stream_that_cannot_be_opened_is_an_error() -> None:
    def script() -> Script:
        yield Open(200)
        yield Await(10_000, events=1)
        return DONE

    with pytest.raises(KitError) as caught:
        drive("http://127.0.0.1:1/proof", script())
    assert caught.value.code is Code.UNREACHABLE


def test_a_stream_that_breaks_off_is_for_the_proof_to_judge() -> None:
    def script() -> Script:
        stream = (yield Open(200)).stream
        yield Await(10_000)
        assert stream is not None
        assert (stream.events, stream.clean) == (1, False)
        return DONE

    async def run() -> Finding:
        async with (
            misbehaving(
                says(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\ndata: a\n\n\r\n5\r\nab")
            ) as url,
            Client() as streams,
            Client() as side,
        ):
            return await Driver(streams, side, ProofRequest(url)).run(script())

    assert asyncio.run(run()) is DONE


async def test_an_event_without_an_end_is_an_error() -> None:
    def script() -> Script:
        yield Open(200)
        yield Await(30_000)
        return DONE

    async with (
        misbehaving(says(b"HTTP/1.1 200 OK\r\n\r\n", then=b"data: " + b"a" * 65536)) as url,
        Client() as streams,
        Client() as side,
    ):
        with pytest.raises(KitError) as caught:
            await Driver(streams, side, ProofRequest(url)).run(script())
        assert caught.value.code is Code.TOO_LARGE


def test_a_proof_that_is_given_up_ends_its_stream_at_the_origin() -> None:
    heads: list[bytes] = []
    begun = asyncio.Event()

    async def answers_at_length(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\ndata: a\n\n")
        await writer.drain()
        begun.set()
        await asyncio.sleep(60)

    def script() -> Script:
        yield Open(200)
        yield Await(60_000)
        return DONE

    async def run() -> str:
        async with misbehaving(answers_at_length, heads=heads) as url, Client() as streams, Client() as side:
            driver = Driver(streams, side, ProofRequest(url))
            proving = asyncio.create_task(driver.run(script()))
            await begun.wait()
            proving.cancel()
            await asyncio.gather(proving, return_exceptions=True)
            return driver.stream_id

    ended = f"post /end?id={asyncio.run(run())}&".encode()
    assert [head.startswith(ended) for head in heads] == [False, True]


def test_what_came_while_this_process_slept_is_read_before_a_wait_is_over(origin: Origin) -> None:
    def script() -> Script:
        yield Open(200)
        yield Await(10_000, events=1)
        yield Feed(200, 10_000)
        time.sleep(0.3)  # the whole process, its event loop too
        after = yield Await(0, events=2)
        assert after.stream is not None
        assert after.stream.events == 2
        assert 200 < after.late_ms < 10_000
        assert (yield Ping(10_000)).late_ms < after.late_ms
        return DONE

    assert drive(f"{origin()}/proof", script()) is DONE


def test_a_stream_lives_for_as_long_as_it_is_opened_for_and_sends_comments(origin: Origin) -> None:
    def script() -> Script:
        yield Open(200, seconds=600)
        yield Await(10_000, events=1)
        fed = yield Feed(300, 10_000, comment=True)
        assert fed.reply is not None
        assert fed.reply.seconds == 600
        stream = (yield Await(10_000, events=2)).stream
        assert stream is not None
        assert [(event.type, event.octets) for _, event in stream.arrivals] == [
            ("message", 200),
            (COMMENT, 300),
        ]
        assert stream.octets == 500
        return DONE

    assert drive(f"{origin()}/proof", script()) is DONE


def test_a_ping_says_whether_the_origin_has_the_stream(origin: Origin) -> None:
    def script() -> Script:
        yield Open(200)
        yield Await(10_000, events=1)
        reply = (yield Ping(10_000)).reply
        assert reply is not None
        assert (reply.known, reply.emitted) == (True, 1)
        return DONE

    assert drive(f"{origin()}/proof", script()) is DONE


def test_a_bug_while_reading_is_raised_and_no_cut_stream(
    origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: object, now_ms: float, data: bytes) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("kit.proof.received.Received.body", broken)
    with pytest.raises(RuntimeError, match="a bug"):
        asyncio.run(_proved(f"{origin()}/proof"))


async def _proved(base: str) -> Finding:
    async with Client() as streams, Client() as side:
        return await Driver(streams, side, ProofRequest(base)).run(LockStep().run())
