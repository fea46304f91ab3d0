"""One lane against real servers: what is asked, what is found, and what cannot be said."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

import pytest

from kit.probe.client import Ask
from kit.probe.lane import Proved
from kit.probe.lane import measured as put_together
from kit.probe.origin import Found
from kit.probe.spec import LaneSpec
from kit.proof.conditions import Change, Conditions
from kit.proof.doubts import Doubt
from kit.proof.lane import Lane
from kit.proof.timeline import Arrival, End, Timeline
from kit.proof.verdict import Finding, Method, Verdict
from tests.fixtures.misbehaving import misbehaving, says
from tests.fixtures.origin import Origin
from tests.fixtures.probing import probed
from tests.fixtures.proxies import Caddy, Nginx
from tests.fixtures.sites import OLD
from tests.fixtures.wire import passing, wire

pytestmark = pytest.mark.alone

SSE = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def measured(url: str, reported: list[Arrival] | None = None, **spec: Any) -> Lane:
    lane = LaneSpec("x", spec.pop("ask", Ask("GET", url)), prompt="Why?", max_output_tokens=40, **spec)
    return asyncio.run(probed(lane, (reported if reported is not None else []).append))


def against(behaviour: Any, heads: list[bytes] | None = None, **spec: Any) -> Lane:
    async def run() -> Lane:
        async with misbehaving(behaviour, heads=heads) as url:
            return await probed(LaneSpec("x", Ask("GET", f"{url}/answer"), **spec))

    return asyncio.run(run())


def test_a_bare_origin_that_speaks_the_proof_is_asked_for_its_search(origin: Origin) -> None:
    reported: list[Arrival] = []
    lane = measured(origin(), reported)
    assert (lane.verdict, lane.method, lane.doubts, lane.error) == (
        Verdict.INCREMENTAL,
        Method.LOCK_STEP,
        (),
        None,
    )
    assert (
        [arrival.seq for arrival in reported]
        == [arrival.seq for arrival in lane.timeline.arrivals]
        == list(range(41))
    )
    assert lane.timeline.complete
    sent = [arrival.sent_ms for arrival in lane.timeline.arrivals[:-1]]
    assert all(at is not None for at in sent)
    assert lane.evidence


@pytest.mark.parametrize("accept", ["text/event-stream", "application/x-ndjson", "text/plain"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_proof_uses_the_answers_method_and_media_type(origin: Origin, accept: str, method: str) -> None:
    ask = Ask(
        method,
        f"{origin()}/search?ai_prompt=Why&max_output_tokens=40",
        (("accept", accept),),
        b"" if method == "POST" else None,
    )
    lane = measured("", ask=ask)
    assert lane.error is None
    assert lane.verdict is Verdict.INCREMENTAL
    assert lane.method is Method.LOCK_STEP
    assert (Doubt.ANSWER_NOT_CHECKED in lane.doubts) == (accept == "text/plain")


BEARS = "cc=no-cache&type=text/html%3B%20charset%3Dutf-8"


def test_the_proof_runs_under_the_answers_own_conditions(origin: Origin) -> None:
    with wire(passing(origin("tests.fixtures.foreign:app"))) as way:
        asks = (("accept", "text/html"), ("accept-encoding", "gzip"))
        lane = measured("", ask=Ask("GET", f"{way.url}/chat?{BEARS}", asks))
        (stream,) = [one for one in way.asked if one.path == "/proof/stream"]
        (answer,) = [one for one in way.asked if one.path == "/chat"]
    assert (lane.verdict, lane.header, lane.as_is) == (Verdict.INCREMENTAL, "off", True)
    for name in ("content-type", "cache-control", "incremental", "x-accel-buffering", "vary"):
        assert stream.answered.get(name) == answer.answered.get(name)
    for name in ("accept", "accept-encoding"):
        assert stream.headers[name] == answer.headers[name]


def test_what_honours_no_transform_is_not_hidden_by_the_proof(origin: Origin) -> None:
    url = origin("tests.fixtures.foreign:compressed")
    for query, verdict in (("cc=no-cache", "held"), ("cc=no-cache,%20no-transform", "streams")):
        asks = (("accept-encoding", "gzip"),)
        lane = measured("", ask=Ask("GET", f"{url}/chat?{query}", asks))
        assert (lane.verdict is Verdict.INCREMENTAL) == (verdict == "streams"), lane.evidence


def test_a_proof_that_cannot_bear_what_the_answer_bears_is_not_believed(origin: Origin) -> None:
    url = origin("tests.fixtures.foreign:older")
    lane = measured(f"{url}/chat?{BEARS}")
    assert (lane.verdict, lane.method) == (Verdict.INCONCLUSIVE, Method.PASSIVE)
    assert Doubt.PROOF_UNLIKE_ANSWER in lane.doubts
    assert lane.evidence[-1].endswith("differs from the answer in Content-Type, Cache-Control")
    assert measured(f"{url}/chat?cc=no-cache&stamp=1").method is Method.STAMPS
    usual = "cc=no-cache,%20no-transform&type=text/event-stream%3B%20charset%3Dutf-8"
    assert measured(f"{url}/chat?{usual}").verdict is Verdict.INCREMENTAL


def test_a_lane_whose_proof_and_answer_disagree_in_conditions_cannot_be_built() -> None:
    finding = Finding(Verdict.INCREMENTAL, Method.LOCK_STEP)
    at = Conditions(header="off")
    line = Timeline((), None, 0.0, False)

    def built(under: Conditions) -> Lane:
        spec = LaneSpec("x", Ask("GET", "http://a"))
        proof = Proved(finding, under)
        return put_together(spec, line, finding, proof, at, found=Found("http://a/proof"), error=None)

    assert built(at).header == "off"
    for change in Change:
        if change.applied(at) != at:
            with pytest.raises(ValueError, match="says nothing of an answer"):
                built(change.applied(at))


def test_an_answer_that_its_platforms_deadline_cut_bears_that_doubt_and_stays_streamed() -> None:
    at = Conditions()
    arrivals = tuple(Arrival(number, None, 100.0 * number, 20) for number in range(80))
    by_answer = Finding(Verdict.INCREMENTAL, Method.LOCK_STEP, doubts=(Doubt.STREAM_CUT,))

    def after(duration_ms: float, end: End = End.CUT) -> Lane:
        spec = LaneSpec("x", Ask("GET", "http://a"), deadline_s=8.0)
        line = Timeline(arrivals, 5.0, duration_ms, False, end)
        found = Found("http://a/proof")
        return put_together(spec, line, by_answer, None, at, found=found, error=None)

    assert after(8_020.0).verdict is Verdict.INCREMENTAL
    assert Doubt.CUT_AT_DEADLINE in after(8_020.0).doubts
    assert Doubt.CUT_AT_DEADLINE not in after(6_000.0).doubts
    assert Doubt.CUT_AT_DEADLINE not in after(8_020.0, End.WHOLE).doubts


def test_where_a_hop_hides_the_header_the_proof_like_the_answer_counts(origin: Origin, nginx: Nginx) -> None:
    url = nginx(origin("tests.fixtures.foreign:app", http="h11"), location=OLD)
    sent = measured(f"{url}/chat?accel=no")
    assert (sent.verdict, sent.header) == (Verdict.INCREMENTAL, "on")
    left_out = measured(f"{url}/chat")
    assert (left_out.verdict, left_out.header) == (Verdict.BYTE_LIMITED, "off")


def test_the_proof_bears_incremental_only_if_the_answer_does(origin: Origin, caddy: Caddy) -> None:
    url = caddy(origin("tests.fixtures.foreign:app"), directives="response_buffers 64KiB")
    assert measured(f"{url}/chat").verdict is Verdict.BYTE_LIMITED
    assert measured(f"{url}/chat?incremental=%3F1").verdict is Verdict.REFUSED


def test_a_service_whose_proof_has_expired_is_judged_by_its_stamps_and_says_so(origin: Origin) -> None:
    lane = measured(origin(lab=0))
    assert (lane.verdict, lane.method) == (Verdict.INCREMENTAL, Method.STAMPS)
    assert Doubt.PROOF_EXPIRED in lane.doubts
    assert Doubt.CLOCKS_NOT_ALIGNED in lane.doubts
    assert all(arrival.sent_ms is None for arrival in lane.timeline.arrivals)


def test_a_service_whose_proof_is_open_to_its_token_is_proved_with_it(origin: Origin) -> None:
    url = origin(lab=0, proof_token="open-sesame-open")
    shut = measured(url)
    assert (shut.verdict, shut.method) == (Verdict.INCREMENTAL, Method.STAMPS)
    assert Doubt.PROOF_TOKEN in shut.doubts
    assert "sesame" not in repr(LaneSpec("x", Ask("GET", url), proof_token="open-sesame-open"))
    let_in = measured(url, proof_token="open-sesame-open")
    assert (let_in.verdict, let_in.method) == (Verdict.INCREMENTAL, Method.LOCK_STEP)
    assert Doubt.CLOCKS_NOT_ALIGNED not in let_in.doubts


@pytest.mark.parametrize("path", ["", "/search?ai_prompt=Why"])
def test_a_service_that_wants_a_token_is_not_called_one_without_a_proof(origin: Origin, path: str) -> None:
    url = origin(token_sha256=hashlib.sha256(b"a-token").hexdigest()) + path
    refused = measured(url)
    assert refused.error is not None
    assert (refused.error.code, "--token-env" in refused.error.hint) == ("http-status", True)
    let_in = measured("", ask=Ask("GET", url, (("authorization", "Bearer a-token"),)))
    assert (let_in.verdict, let_in.method, let_in.error) == (Verdict.INCREMENTAL, Method.LOCK_STEP, None)


def test_an_open_answer_whose_proof_is_guarded_says_what_its_proof_takes() -> None:
    heads: list[bytes] = []

    async def guarded(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if heads[-1].startswith(b"get /answer "):
            writer.write(SSE + b"9\r\ndata: a\n\n\r\n9\r\ndata: b\n\n\r\n0\r\n\r\n")
        else:
            writer.write(b"HTTP/1.1 401 No\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()

    lane = against(guarded, heads)
    assert (lane.verdict, lane.method, lane.error) == (Verdict.INCONCLUSIVE, Method.PASSIVE, None)
    assert Doubt.PROOF_REFUSED in lane.doubts
    assert Doubt.NO_PROOF not in lane.doubts


def test_a_stranger_can_only_be_watched() -> None:
    lane = against(says(SSE + b"9\r\ndata: a\n\n\r\n9\r\ndata: b\n\n\r\n0\r\n\r\n"), event_bytes=None)
    assert (lane.verdict, lane.method, lane.error) == (Verdict.INCONCLUSIVE, Method.PASSIVE, None)
    assert set(lane.doubts) == {Doubt.ARRIVALS_ALONE, Doubt.NO_PROOF}
    assert len(lane.timeline.arrivals) == 2


def test_a_refusal_to_forward_is_a_verdict_and_no_error() -> None:
    lane = against(
        says(b"HTTP/1.1 501 No\r\nproxy-status: hop; error=incremental_refused\r\ncontent-length: 0\r\n\r\n"),
    )
    assert (lane.verdict, lane.error) == (Verdict.REFUSED, None)


NO_LENGTH = b"\r\ncontent-length: 0\r\n\r\n"


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"HTTP/1.1 404 Not Found" + NO_LENGTH, "http-status"),
        (b"HTTP/1.1 415 What?" + NO_LENGTH, "http-status"),
        (b"HTTP/1.1 429 Slow" + NO_LENGTH, "http-status"),
        (b"HTTP/1.1 501 Unsupported method ('POST')" + NO_LENGTH, "http-status"),
        (b"", "not-http"),
        (b"\x00 rubbish \xff\r\n\r\n", "not-http"),
    ],
)
def test_no_answer_is_the_lanes_error_and_leaves_no_doubt(sent: bytes, code: str) -> None:
    lane = against(says(sent))
    assert lane.error is not None
    assert (lane.verdict, lane.error.code, lane.doubts) == (Verdict.INCONCLUSIVE, code, ())
    assert lane.error.hint


@pytest.mark.parametrize(
    ("begin", "code"),
    [(b"", "timed-out"), (b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\nd", "no-stream")],
)
def test_a_server_that_says_almost_nothing_is_given_up(begin: bytes, code: str) -> None:
    lane = against(says(begin, stays=True), timeout_s=0.3)
    assert lane.error is not None
    assert lane.error.code == code


def test_an_answer_without_an_end_is_judged_by_what_came() -> None:
    lane = against(says(SSE + b"9\r\ndata: a\n\n\r\n" * 3, stays=True), timeout_s=0.3)
    assert (lane.verdict, lane.error) == (Verdict.INCONCLUSIVE, None)
    assert Doubt.STILL_RUNNING in lane.doubts
    assert len(lane.timeline.arrivals) == 3


def test_an_endless_event_is_an_error() -> None:
    lane = against(
        says(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n", then=b"data: " + b"a" * 65536),
    )
    assert lane.error is not None
    assert lane.error.code == "too-large"


def test_endless_tiny_events_are_an_error_and_no_full_memory() -> None:
    lane = against(
        says(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n", then=b"data:\n\n" * 5000),
    )
    assert lane.error is not None
    assert lane.error.code == "too-large"
    assert len(lane.timeline.arrivals) < 120_000
