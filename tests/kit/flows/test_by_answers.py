"""Answers that only can be watched: what they look like is said, and nothing is claimed."""

from __future__ import annotations

import asyncio
import json
import re
import time
from dataclasses import replace
from typing import Any

import pytest

from kit.events import Announced, Event
from kit.flows.doctor import DoctorSpec, doctor
from kit.probe.client import Ask
from kit.proof.causes import Cause
from kit.proof.diagnosis import Diagnosis
from kit.proof.doubts import Doubt
from kit.proof.known_limits import every
from kit.proof.quick_check import State
from kit.proof.verdict import Method, Verdict
from kit.report.diagnosis import diagnosis_text, headline
from tests.fixtures.origin import Origin
from tests.fixtures.proxies import Envoy, Fleet, Nginx
from tests.fixtures.sites import BUFFERS_64K, GZIP, NEW, OLD, EnvoySite, NginxSite, Site
from tests.fixtures.together import measured_by, through
from tests.fixtures.wire import Behaviour, Connection, events, wire

pytestmark = pytest.mark.alone

# Servers without stamps and without a proof: one writes a word each 120 ms.
WORDS = [(0.12, b"data: a word %d\n\n" % number) for number in range(14)]
SLOW = events(*WORDS)
FAST = events(*((0.0, b"data: a word %d\n\n" % number) for number in range(200)))
AT_ITS_END = events((1.6, b"".join(data for _, data in WORDS)))
WHOLE = "function envoy_on_response(handle) handle:body() end"
BOTH = [(Cause.BUFFERED, "possible"), (Cause.APP, "possible")]


async def examine(url: str, *, chats: bool = False, **wanted: Any) -> Diagnosis:
    return await doctor(DoctorSpec("doctor", chat(url) if chats else Ask("GET", url), **wanted))


found = measured_by(examine)


def slow(origin: Origin) -> str:
    return origin(SLOW)


def chat(url: str, tokens: int = 256) -> Ask:
    body = {
        "model": "m",
        "messages": [{"role": "user", "content": "Why?"}],
        "stream": True,
        "max_tokens": tokens,
    }
    return Ask(
        "POST",
        f"{url}/v1/chat/completions",
        (("content-type", "application/json"),),
        json.dumps(body).encode(),
    )


def named(found: Diagnosis) -> list[tuple[Cause, str]]:
    return [(one.cause, one.certainty) for one in found.causes]


def proves_nothing(found: Diagnosis) -> None:
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.first_verdict_ms is None
    assert not any(row.observation.proven for row in found.rows)
    assert not any(one.certainty == "certain" for one in found.causes)
    assert Doubt.NO_PROOF in found.doubts


def through_http_1_0(upstream: str | Site) -> NginxSite:
    """It collects the answer, which is smaller than one of its buffers."""
    return NginxSite(upstream, OLD + BUFFERS_64K)


@through(slow)
def test_a_stream_without_stamps_looks_streamed_and_is_asked_for_once(found: Diagnosis) -> None:
    proves_nothing(found)
    assert (found.rows[0].observation.state, found.causes, found.requests) == (State.STREAMS, (), 1)
    assert headline(found) == "inconclusive, but it looks streamed"
    # A row claims no header that a hop may have hidden.
    assert found.rows[0].experiment.says == (
        "as asked: GET over HTTP/1.1, text/event-stream, compression accepted"
    )


def once(answer: Behaviour, *said: str) -> Any:
    """An answer that is asked for once, and what is said of it."""
    return pytest.param(*said, marks=through(lambda origin: origin(answer), max_requests=1))


@pytest.mark.parametrize(
    ("said", "step"),
    [
        once(
            events((0.0, b"<h1>my chat</h1>"), media="text/html"), "a web page is no stream", "Copy as cURL"
        ),
        once(
            events((1.2, b'{"answer": "a"}'), media="application/json"),
            "a JSON document is no stream",
            "Ask for a stream",
        ),
        once(events((1.2, b"data: a\n\n")), "one event is no stream", "a longer answer"),
        once(AT_ITS_END, "it came in one lump", "possible: "),
        once(SLOW, "it looks streamed", "is not buffered whole: since its beginning nothing"),
    ],
)
def test_what_is_no_stream_is_said_to_be_what_it_is_with_its_next_step(
    found: Diagnosis, said: str, step: str
) -> None:
    assert said in headline(found)
    text = " ".join(diagnosis_text(found).split())
    assert step in text
    assert "kit doctor URL" not in text


@through(lambda origin: through_http_1_0(slow(origin)))
def test_held_by_nginx_both_are_suspected(found: Diagnosis) -> None:
    proves_nothing(found)
    assert named(found) == BOTH
    assert headline(found) == "inconclusive, but it looks held: it came in one lump"
    assert all("--direct" in one.apart for one in found.causes)


@through(lambda origin: through_http_1_0(slow(origin)), direct_url=slow)
def test_held_by_nginx_and_asked_directly_one_cause_is_likely(found: Diagnosis) -> None:
    proves_nothing(found)
    assert named(found) == [(Cause.BUFFERED, "likely")]
    assert "a hop between there and here" in found.causes[0].where
    directly = [row.observation.state for row in found.rows if row.experiment.conditions.direct]
    assert directly == [State.STREAMS]


def two_nginx(origin: Origin) -> Site:
    return through_http_1_0(through_http_1_0(slow(origin)))


@pytest.mark.parametrize(
    "suspected",
    [
        pytest.param(True, marks=through(two_nginx)),
        pytest.param(False, marks=through(two_nginx, direct_url=slow)),
    ],
    ids=["not asked directly", "asked directly"],
)
def test_behind_two_nginx_the_cheap_lines_come_first_and_what_was_excluded_is_left_out(
    found: Diagnosis, suspected: bool
) -> None:
    text = diagnosis_text(found)
    lines = [line.strip() for line in text.splitlines() if line.startswith(" " * 8)]
    assert lines.index("X-Accel-Buffering: no") < lines.index("proxy_buffering off;")
    assert "gzip off;" not in lines  # without compression it was held as well
    assert ("The service itself" in text) is suspected


@through(lambda origin: NginxSite(slow(origin), NEW, GZIP))
def test_what_frees_a_compressed_answer_is_not_said_to_have_no_effect_unless_it_was_tried(
    found: Diagnosis,
) -> None:
    assert named(found) == [(Cause.COMPRESSION, "likely")]
    text = diagnosis_text(found)
    assert "no effect" not in text
    assert text.index("    X-Accel-Buffering: no") < text.index("    gzip off;")


@through(lambda origin: NginxSite(origin(AT_ITS_END)), direct_url=lambda origin: origin(AT_ITS_END))
def test_what_is_held_there_already_is_likely_the_apps(found: Diagnosis) -> None:
    proves_nothing(found)
    assert named(found) == [(Cause.APP, "likely")]


@through(lambda origin: origin(AT_ITS_END))
def test_an_app_that_sends_at_its_end_is_never_certain(found: Diagnosis) -> None:
    proves_nothing(found)
    assert named(found) == BOTH


@pytest.mark.parametrize(
    "hop",
    [
        pytest.param(hop, marks=through(site), id=hop)
        for hop, site in {
            "none": lambda origin: origin(FAST),
            "nginx": lambda origin: through_http_1_0(origin(FAST)),
        }.items()
    ],
)
def test_a_fast_server_is_never_called_held(found: Diagnosis, hop: str) -> None:
    proves_nothing(found)
    assert found.causes == ()
    assert {row.observation.state for row in found.rows} == {State.UNDECIDED}
    assert headline(found) == "inconclusive"


@through(lambda origin: origin(events((2.5, WORDS[0][1]), *WORDS[1:])))
def test_a_slow_start_is_no_hold(found: Diagnosis) -> None:
    proves_nothing(found)
    assert found.causes == ()
    assert found.rows[0].observation.state is not State.HELD


@through(lambda origin: origin(events(*WORDS[:8], ends="cut")))
def test_a_cut_answer_is_asked_for_again_and_its_headline_says_so(found: Diagnosis) -> None:
    (one,) = found.causes
    assert (one.cause, one.certainty) == (Cause.ANSWER_CUT, "certain")
    assert "as by a limit on time" in one.because
    assert headline(found) == "inconclusive, but the answer was cut"
    assert found.requests == 2


@through(
    lambda origin: origin(events(*WORDS[:8], media="text/event-stream\r\ncontent-encoding: gzip")),
    max_requests=1,
)
def test_a_false_content_encoding_is_a_finding_and_no_error(found: Diagnosis) -> None:
    assert [one.cause for one in found.causes] == [Cause.FALSE_HEADER]
    assert headline(found) == "inconclusive, but the answer cannot be decoded"


async def test_a_cut_is_held_against_its_platforms_own_deadline_too() -> None:
    with wire(events(*WORDS[:10], ends="cut")) as server:
        for deadline_s, is_it in ((1.0, True), (5.0, False)):
            found = await examine(server.url, deadline_s=deadline_s, max_requests=1)
            assert Doubt.STREAM_CUT in found.doubts
            assert (Doubt.CUT_AT_DEADLINE in found.doubts) is is_it


async def test_a_deadline_that_is_known_is_named_and_by_the_hops_header_first(
    origin: Origin, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = tuple(replace(one, seconds=2.0) if one.seconds == 15 else one for one in every())
    monkeypatch.setattr("kit.proof.known_limits.every", lambda: known)
    (url,) = fleet([EnvoySite(origin("tests.fixtures.foreign:bare"), timeout_s=2)])
    found = await examine(f"{url}/chat?n=400&gap=0.05")
    assert named(found) == [(Cause.TIME_LIMIT, "likely")]
    (one,) = found.causes
    assert "asked again, it ended after" in one.because
    assert "a default of Envoy, a route's timeout, at which the headers hint" in one.because
    assert one.remedy.index("timeout: 0s") < one.remedy.index("x-google-backend")
    assert re.fullmatch(r"inconclusive, but the answer was cut after [2-4] s", headline(found))
    assert {Doubt.STREAM_CUT, Doubt.CUT_AT_DEADLINE} <= {*found.doubts}


async def test_a_stored_copy_is_no_stream_that_is_held(origin: Origin, nginx: Nginx) -> None:
    url = nginx(
        origin("tests.fixtures.foreign:bare"),
        location=f"{NEW} proxy_cache c; proxy_cache_valid 200 1m;",
        http="proxy_cache_path cache keys_zone=c:1m;",
    )
    assert (await examine(f"{url}/chat")).causes == ()
    found = await examine(f"{url}/chat")
    assert named(found) == [(Cause.REPLAYED, "likely")]
    assert headline(found) == "inconclusive, but the answer is a stored copy"
    assert "Cache-Control: no-store" in found.causes[0].remedy
    assert found.requests == 2  # the second with a query of its own


async def test_what_a_limit_refuses_is_asked_for_again_and_no_fault_of_the_answer() -> None:
    refused: list[bytes] = []

    def limited(one: Connection) -> None:
        if refused or not (request := one.request()):
            SLOW(one)
        elif b"/proof/ping" in request.partition(b"\r\n")[0]:
            one.send(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        else:
            refused.append(request)
            one.send(b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")

    reported: list[Event] = []
    with wire(limited) as server:
        found = await doctor(DoctorSpec("doctor", Ask("GET", server.url)), reported.append)
    assert (found.rows[0].observation.state, found.causes) == (State.STREAMS, ())
    assert any("a limit refused that (429)" in str(event) for event in reported)


async def test_what_streamed_with_one_thing_changed_and_then_without_was_not_freed_by_that() -> None:
    asked: list[bytes] = []

    def held_at_first(one: Connection) -> None:
        if not (request := one.request()):
            return
        if b"/proof/ping" in request.partition(b"\r\n")[0]:
            one.send(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            return
        asked.append(request)
        one.send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
        for pause_s, data in [(1.6, b"".join(data for _, data in WORDS))] if len(asked) == 1 else WORDS:
            time.sleep(pause_s)
            one.send(data)

    with wire(held_at_first) as server:
        found = await examine(server.url)
    assert not any(one.holds for one in found.causes)
    assert any("not held every time" in limit for limit in found.limits)


async def test_a_generator_that_is_held_is_asked_for_two_lengths_and_both_are_suspected(
    origin: Origin, envoy: Envoy
) -> None:
    reported: list[Event] = []
    url = envoy(origin("tests.fixtures.generators:app"), lua=WHOLE)
    spec = DoctorSpec("doctor", chat(url), repeat_ok=True)
    found, once = await asyncio.gather(doctor(spec, reported.append), doctor(replace(spec, repeat_ok=False)))
    proves_nothing(found)
    assert (found.lane.method, named(found)) == (Method.LENGTHS, BOTH)
    assert Doubt.LENGTHS_ALONE in found.doubts
    assert found.requests == 5  # as asked, uncompressed, by another Accept, short, long
    assert isinstance(reported[0], Announced)
    assert "two of them for 272 tokens of output at most together" in reported[0].text
    proves_nothing(once)
    assert (once.lane.method, once.requests) == (Method.PASSIVE, 1)


@through(lambda origin: origin("tests.fixtures.generators:app"), chats=True, repeat_ok=True)
def test_a_generator_that_streams_is_asked_once(found: Diagnosis) -> None:
    proves_nothing(found)
    assert (found.rows[0].observation.state, found.causes, found.requests) == (State.STREAMS, (), 1)


@through(lambda origin: origin("tests.fixtures.generators:lump"), chats=True, repeat_ok=True)
def test_a_generator_that_writes_at_its_end_looks_the_same_as_a_hop_that_holds(found: Diagnosis) -> None:
    proves_nothing(found)
    assert named(found) == BOTH
    assert found.lane.method is Method.LENGTHS
