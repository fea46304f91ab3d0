"""The origin's half of the proof keeps to docs/proof-protocol.md, in our service and as one copied file."""

from __future__ import annotations

import ast
import asyncio
import hashlib
import importlib.util
import itertools
import json
import math
import secrets
import shutil
import sys
import time
import urllib.request
import zlib
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from types import ModuleType
from typing import Any, Self
from urllib.parse import urlencode

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import Receive, Scope, Send

from service import proof
from service.app import create_app
from service.settings import Settings
from tests.service.asking import GIVE_UP_S, Answer, ask, freed
from tests.service.conftest import Serve, serving

TYPES = {
    "sse": "text/event-stream; charset=utf-8",
    "ndjson": "application/x-ndjson",
    "text": "text/plain; charset=utf-8",
}
MIB = 1024 * 1024
NOBODY = "0" * 32


@pytest.fixture
def base(serve: Serve) -> str:
    """A proof of its own under another prefix, in a bare Starlette app."""
    return (
        serve(Starlette(routes=[Mount("/deep/down", proof.create_proof(enabled=lambda: True))]))
        + "/deep/down"
    )


@pytest.fixture(scope="module")
def shared(quick: str) -> str:
    """The proof of the service that tests share: for what leaves no stream open."""
    return f"{quick}/proof"


def opened(base: str, method: str = "GET", **query: Any) -> Answer:
    answer = ask(base, "/stream", method=method, **query)
    assert answer.status == 200, answer.read()
    return answer


def told(base: str, what: str, **query: Any) -> dict[str, Any]:
    """A side request's answer."""
    answer = ask(
        base, f"/{what}", method="GET" if what == "ping" else "POST", **query, n=secrets.token_hex(4)
    )
    assert answer.status == 200
    assert answer.headers["Cache-Control"] == "no-store"
    body: dict[str, Any] = answer.json()
    assert body["streamproof"] == 1
    return body


def refused(answer: Answer, status: int, error: str) -> None:
    assert answer.status == status
    assert answer.headers["Cache-Control"] == "no-store"
    body = answer.json()
    assert (body["streamproof"], body["error"]) == (1, error)


def new_id() -> str:
    return secrets.token_hex(16)


def event_octets(answer: Answer, size: int) -> bytes:
    """So many octets of the stream, and none after them has come yet."""
    octets = b""
    for read in answer.octets():
        octets += read
        if len(octets) >= size:
            break
    assert len(octets) == size
    return octets


def data(event: bytes, media: str) -> dict[str, Any]:
    """One event's data, with its framing checked."""
    if media == "sse":
        assert event.startswith(b"data: {")
        assert event.endswith(b"}\n\n")
        event = event.removeprefix(b"data: ").removesuffix(b"\n")
    line = event.removesuffix(b"\n")
    assert b"\n" not in line
    fields: dict[str, Any] = json.loads(line)
    return fields


# The stream


@pytest.mark.parametrize("media", TYPES)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_event_is_sent_when_it_is_ordered_and_not_before(media: str, method: str, base: str) -> None:
    one = new_id()
    answer = opened(base, method, id=one, type=media)
    assert data(event_octets(answer, 200), media)["seq"] == 0
    for seq, size in enumerate((128, 1153, 65_536, 200), start=1):
        answered = told(base, "feed", id=one, bytes=size)
        assert list(answered) == ["streamproof", "known", "emitted", "instance", "http", "now_ms"]
        assert (answered["known"], answered["emitted"]) == (True, seq + 1)
        fields = data(event_octets(answer, size), media)
        assert list(fields) == ["seq", "ms", "pad"]
        assert fields["seq"] == seq
    assert told(base, "end", id=one)["emitted"] == 5
    assert answer.read() == b""


@pytest.mark.parametrize(("media", "content_type"), TYPES.items())
def test_the_response_says_what_keeps_it_flowing(media: str, content_type: str, shared: str) -> None:
    answer = opened(shared, id=new_id(), mode="free", total=500, type=media)
    assert answer.headers["Content-Type"] == content_type
    assert answer.headers["Cache-Control"] == "no-cache, no-transform"
    assert answer.headers["Incremental"] == "?1"
    assert answer.headers["X-Accel-Buffering"] == "no"
    assert answer.headers["Content-Encoding"] is None
    off = opened(shared, id=new_id(), mode="free", total=500, type=media, accel="off")
    assert {it.lower() for it in set(answer.headers) - set(off.headers)} == {"x-accel-buffering"}
    bare = opened(shared, id=new_id(), mode="free", total=500, type=media, incremental="off")
    assert {it.lower() for it in set(answer.headers) - set(bare.headers)} == {"incremental"}


@pytest.mark.parametrize(
    ("header", "parameter", "value"),
    [
        ("Content-Type", "content", "text/html; charset=utf-8"),
        ("Content-Type", "content", 'application/vnd.api+json;profile="a.b"'),
        ("Cache-Control", "cache", "no-cache"),
        ("Cache-Control", "cache", "public, max-age=60,stale-if-error=5"),
        ("Vary", "vary", "Accept-Encoding, Origin"),
        ("Vary", "vary", "*"),
    ],
)
def test_the_response_bears_to_the_letter_what_it_is_asked_to(
    header: str, parameter: str, value: str, shared: str
) -> None:
    usual = opened(shared, id=new_id(), mode="free", total=500, type="text")
    answer = opened(shared, id=new_id(), mode="free", total=500, type="text", **{parameter: value})
    assert answer.headers[header] == value
    others = [
        {(k, v) for k, v in it.headers.items() if k.lower() not in (header.lower(), "date")}
        for it in (answer, usual)
    ]
    assert others[0] == others[1]
    assert answer.read() != b""


def test_an_empty_cache_asks_for_no_cache_control_at_all(shared: str) -> None:
    answer = opened(shared, id=new_id(), mode="free", total=500, cache="")
    assert answer.headers["Cache-Control"] is None


@settings(max_examples=40)
@given(st.sampled_from(list(TYPES)), st.integers(128, 9000), st.integers(1, 4))
@example("sse", 128, 3)
@example("text", 128, 3)
@example("sse", MIB, 1)
def test_an_event_is_exactly_so_many_octets_of_noise(shared: str, media: str, size: int, count: int) -> None:
    assume(size * count <= MIB)
    answer = opened(shared, id=new_id(), mode="free", bytes=size, total=size * count, type=media)
    octets = answer.read()
    assert len(octets) == size * count
    for seq in range(count):
        fields = data(octets[seq * size : (seq + 1) * size], media)
        assert (list(fields), fields["seq"]) == (["seq", "ms", "pad"], seq)


def test_what_an_event_is_filled_with_cannot_be_compressed_away(shared: str) -> None:
    octets = opened(shared, id=new_id(), mode="free", bytes=10_000, total=500_000).read()
    # base64 is six bits of noise in eight.
    assert len(zlib.compress(octets, 9)) > 0.74 * len(octets)


def test_an_event_says_when_it_was_made(shared: str) -> None:
    before = time.time() * 1000
    octets = opened(shared, id=new_id(), mode="free", total=200).read()
    assert before - 1 <= data(octets, "sse")["ms"] <= time.time() * 1000 + 1


def test_pause_sends_its_three_parts_and_ends(shared: str) -> None:
    octets = opened(shared, id=new_id(), mode="pause", bytes=5000, type="ndjson").read()
    lines = octets.splitlines(keepends=True)
    events = [json.loads(line) for line in lines]
    assert [event["seq"] for event in events] == list(range(len(events)))
    parts = [(part, len(list(group))) for part, group in itertools.groupby(event["part"] for event in events)]
    assert parts == [("first", 1), ("bulk", math.ceil(1_153_434 / 5000)), ("rest", 3)]
    assert {len(line) for line in lines[:-3]} == {5000}
    assert {len(line) for line in lines[-3:]} == {200}
    assert events[-3]["ms"] - events[-4]["ms"] >= 990


def test_pauses_silence_is_a_silence_and_an_end_shortens_it(
    base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proof, "SILENCE_SECONDS", 3600.0)
    one = new_id()
    answer = opened(base, id=one, mode="pause", bytes=65_536, type="text")
    before = event_octets(answer, 65_536 * 19)
    assert [json.loads(line)["part"] for line in before.splitlines()] == ["first"] + ["bulk"] * 18
    assert told(base, "end", id=one)["known"] is True
    assert len(answer.read()) <= 3 * 200  # long before the hour that the silence would last


def test_free_sends_a_mebibyte_back_to_back_and_ends(shared: str) -> None:
    octets = opened(shared, id=new_id(), mode="free", bytes=1000, type="text").read()
    assert len(octets) == MIB // 1000 * 1000
    assert [json.loads(line)["seq"] for line in octets.splitlines()] == list(range(MIB // 1000))


@pytest.mark.parametrize("media", TYPES)
def test_with_a_total_the_length_is_announced_and_the_end_pads_to_it(media: str, base: str) -> None:
    one = new_id()
    answer = opened(base, id=one, total=50_000, type=media)
    assert answer.headers["Content-Length"] == "50000"
    assert answer.headers["Transfer-Encoding"] is None
    first = event_octets(answer, 200)
    told(base, "end", id=one)
    rest = answer.read()
    assert len(first + rest) == 50_000
    assert not rest.strip(b"\n")  # lines that a reader of any of the types passes over


@pytest.mark.parametrize("mode", ["lockstep", "pause", "free"])
def test_without_a_total_it_is_chunked(mode: str, base: str) -> None:
    with opened(base, id=new_id(), mode=mode) as answer:
        assert answer.headers["Content-Length"] is None
        assert answer.headers["Transfer-Encoding"] == "chunked"


def test_what_was_ordered_goes_out_before_the_end(base: str) -> None:
    one = new_id()
    answer = opened(base, id=one, type="text")
    for _ in range(20):
        told(base, "feed", id=one, bytes=1000)
    told(base, "end", id=one)
    assert [json.loads(line)["seq"] for line in answer.read().splitlines()] == list(range(21))


# Side requests


def test_ping_tells_the_time_and_which_process_this_is(shared: str) -> None:
    before = time.time() * 1000
    ping = told(shared, "ping")
    assert list(ping) == ["streamproof", "instance", "http", "now_ms"]
    assert before - 1 <= ping["now_ms"] <= time.time() * 1000 + 1
    assert told(shared, "ping")["instance"] == ping["instance"]


def test_two_proofs_are_two_instances(serve: Serve) -> None:
    a, b = (serve(proof.create_proof(enabled=lambda: True)) for _ in range(2))
    assert told(a, "ping")["instance"] != told(b, "ping")["instance"]


@pytest.mark.parametrize(
    ("environ", "version"),
    [
        ({"GAE_VERSION": "sp-1", "STREAMPROOF_BUNDLE": "d" * 40}, "sp-1"),
        ({"K_REVISION": "streamproof-sp-1", "GAE_VERSION": ""}, "streamproof-sp-1"),
        ({"STREAMPROOF_BUNDLE": "d" * 40}, "d" * 40),
    ],
)
def test_every_response_says_which_version_answers(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], version: str
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    opens = iter([True] * 4 + [False])
    base = serve(proof.create_proof(enabled=lambda: next(opens)))
    stream = ask(base, "/stream", id=new_id(), mode="free", total=500)
    answers = [stream, *(ask(base, f"/{what}", method="POST", id=NOBODY) for what in ("feed", "end"))]
    answers += [ask(base, "/stream", id="none"), ask(base, "/ping")]
    assert [answer.status for answer in answers] == [200, 200, 200, 400, 404]
    assert {answer.headers["Streamproof-Version"] for answer in answers} == {version}
    assert [answer.json()["version"] for answer in answers[1:3]] == [version] * 2


def test_a_version_that_is_given_is_said_and_without_one_nothing_is(serve: Serve) -> None:
    base = serve(proof.create_proof(enabled=lambda: True, version="mine"))
    assert told(base, "ping")["version"] == "mine"
    silent = ask(serve(proof.create_proof(enabled=lambda: True)), "/ping")
    assert silent.headers["Streamproof-Version"] is None
    assert "version" not in silent.json()


@pytest.mark.parametrize("what", ["feed", "end"])
def test_a_stream_that_is_not_here_is_an_answer_and_no_error(what: str, shared: str) -> None:
    answer = told(shared, what, id=NOBODY)
    assert (answer["known"], answer["emitted"]) == (False, 0)


def test_an_id_is_the_same_in_upper_case(base: str) -> None:
    one = new_id()
    with opened(base, id=one):
        assert told(base, "end", id=one.upper())["known"] is True


def test_one_stream_is_not_fed_by_anothers_id(base: str) -> None:
    one, other = new_id(), new_id()
    with opened(base, id=one), opened(base, id=other):
        assert told(base, "feed", id=one)["emitted"] == 2
        assert told(base, "feed", id=other)["emitted"] == 2


# Refusals


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ({"id": ""}, "bad-id"),
        ({"id": "f" * 31}, "bad-id"),
        ({"id": "g" * 32}, "bad-id"),
        ({"id": "f" * 32 + "\n"}, "bad-id"),
        ({"mode": "burst"}, "bad-mode"),
        ({"type": "html"}, "bad-type"),
        ({"accel": "yes"}, "bad-accel"),
        ({"incremental": "?1"}, "bad-incremental"),
        ({"content": "text/html\r\nX-Injected: 1"}, "bad-content"),
        ({"content": "text/html\n"}, "bad-content"),
        ({"content": ""}, "bad-content"),
        ({"content": "image/svg+xml"}, "bad-content"),
        ({"content": "text/" + "x" * 96}, "bad-content"),
        ({"content": "text/ht\u017fml"}, "bad-content"),
        ({"cache": "no-cache\r\nSet-Cookie: a=b"}, "bad-cache"),
        ({"cache": "no-cache\n"}, "bad-cache"),
        ({"cache": "whatever"}, "bad-cache"),
        ({"cache": "max-age"}, "bad-cache"),
        ({"cache": ", ".join(["no-cache"] * 30)}, "bad-cache"),
        ({"vary": "Accept\r\nA: b"}, "bad-vary"),
        ({"vary": "Accept;Origin"}, "bad-vary"),
        ({"vary": ""}, "bad-vary"),
        ({"bytes": 127}, "bad-bytes"),
        ({"bytes": MIB + 1}, "bad-bytes"),
        ({"bytes": "-200"}, "bad-bytes"),
        ({"bytes": "٢٠٠"}, "bad-bytes"),
        ({"bytes": "9" * 5000}, "bad-bytes"),
        ({"total": "x"}, "bad-total"),
        ({"total": ""}, "bad-total"),
        ({"total": 199}, "bad-total"),
        ({"mode": "pause", "total": 1_153_434}, "bad-total"),
    ],
)
def test_a_parameter_that_is_none_is_refused_with_400(query: dict[str, Any], error: str, shared: str) -> None:
    refused(ask(shared, "/stream", **{"id": new_id(), **query}), 400, error)


@pytest.mark.parametrize("what", ["feed", "end"])
def test_side_requests_check_their_parameters_too(what: str, shared: str) -> None:
    refused(ask(shared, f"/{what}", method="POST"), 400, "bad-id")
    if what == "feed":
        refused(ask(shared, "/feed", method="POST", id=NOBODY, bytes=1), 400, "bad-bytes")


@pytest.mark.parametrize("mode", ["pause", "free"])
def test_only_a_lockstep_stream_is_fed(mode: str, base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "SILENCE_SECONDS", 3600.0)
    monkeypatch.setattr(proof, "FREE_OCTETS", 10**12)
    one = new_id()
    with opened(base, id=one, mode=mode):
        refused(ask(base, "/feed", method="POST", id=one), 400, "not-lockstep")


def test_an_id_in_use_is_refused_with_409_and_the_first_stream_is_not_harmed(base: str) -> None:
    one = new_id()
    answer = opened(base, id=one)
    event_octets(answer, 200)
    refused(ask(base, "/stream", id=one), 409, "id-in-use")
    told(base, "feed", id=one, bytes=300)
    assert data(event_octets(answer, 300), "sse")["seq"] == 1
    answer.leave()


def test_the_seventeenth_stream_is_refused_with_429_until_one_has_left(base: str) -> None:
    answers = [opened(base, id=new_id()) for _ in range(16)]
    refused(ask(base, "/stream", id=new_id()), 429, "too-many-streams")
    answers.pop().leave()
    answer = freed(429, base, "/stream", id=new_id())
    assert answer.status == 200
    for each in (answer, *answers):
        each.leave()


def test_a_stream_of_four_mebibytes_is_fed_to_the_last_octet_and_no_further(base: str) -> None:
    one = new_id()
    answer = opened(base, id=one, bytes=MIB)
    for emitted in (2, 3, 4):
        assert told(base, "feed", id=one, bytes=MIB)["emitted"] == emitted
    refused(ask(base, "/feed", method="POST", id=one, bytes=128), 429, "too-many-octets")
    assert told(base, "end", id=one)["emitted"] == 4
    assert len(answer.read()) == 4 * MIB


@pytest.mark.parametrize(("mode", "most"), [("lockstep", 4 * MIB), ("pause", 4 * MIB), ("free", MIB)])
def test_a_total_over_the_limit_is_refused_with_429(mode: str, most: int, shared: str) -> None:
    refused(ask(shared, "/stream", id=new_id(), mode=mode, total=most + 1), 429, "too-many-octets")


def test_a_stream_is_not_fed_beyond_its_total(base: str) -> None:
    one = new_id()
    answer = opened(base, id=one, total=450)
    assert told(base, "feed", id=one)["emitted"] == 2
    refused(ask(base, "/feed", method="POST", id=one), 429, "too-many-octets")
    told(base, "end", id=one)
    assert len(answer.read()) == 450


def test_a_stream_whose_time_is_over_ends_in_good_order(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "STREAM_SECONDS", 0.05)
    one = new_id()
    assert len(opened(base, id=one, total=5000).read()) == 5000
    assert told_until(base, one)["known"] is False


def told_until(base: str, one: str) -> dict[str, Any]:
    """The answer to an end, once the stream is no longer known: a moment after its last octet."""
    give_up = time.monotonic() + GIVE_UP_S
    while (answer := told(base, "end", id=one))["known"]:
        assert time.monotonic() < give_up
    return answer


@pytest.mark.parametrize("mode", ["lockstep", "pause"])
def test_a_client_that_leaves_frees_its_id(mode: str, base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "SILENCE_SECONDS", 3600.0)
    one = new_id()
    answer = opened(base, id=one, mode=mode, bytes=300_000)
    next(answer.octets())
    answer.leave()
    again = freed(409, base, "/stream", id=one)
    assert again.status == 200
    again.leave()


# Open only for a while


EVERYTHING = [("GET", "stream"), ("POST", "stream"), ("POST", "feed"), ("POST", "end"), ("GET", "ping")]


@pytest.mark.parametrize(("method", "what"), EVERYTHING)
def test_closed_everything_answers_404_whatever_is_asked(method: str, what: str, closed: str) -> None:
    refused(ask(closed, f"/{what}", method=method), 404, "proof-expired")
    refused(ask(closed, f"/{what}", method=method, id=new_id()), 404, "proof-expired")


@pytest.fixture(scope="module")
def closed() -> Iterator[str]:
    """The proof of a service that is not in the lab."""
    with serving(create_app(Settings()), "auto") as url:
        yield f"{url}/proof"


def test_in_our_service_it_is_open_until_the_time_that_was_set(serve: Serve) -> None:
    ahead = serve(create_app(Settings(proof_until=time.time() + 3600)))
    assert told(f"{ahead}/proof", "ping")
    past = serve(create_app(Settings(proof_until=time.time() - 1)))
    refused(ask(f"{past}/proof", "/ping"), 404, "proof-expired")


def test_a_running_proof_closes_when_its_time_is_over(serve: Serve) -> None:
    answers = iter([True, False])
    base = serve(proof.create_proof(enabled=lambda: next(answers)))
    assert told(base, "ping")
    refused(ask(base, "/ping"), 404, "proof-expired")


SECRET = "a-secret-of-the-team"
DIGEST = hashlib.sha256(SECRET.encode()).hexdigest()


def test_only_who_shows_the_token_finds_it_open(serve: Serve) -> None:
    base = serve(proof.create_proof(token=SECRET, enabled=lambda: True))
    assert ask(base, "/ping", headers={"Streamproof-Token": SECRET}).status == 200
    for headers in ({}, {"Streamproof-Token": SECRET[:-1]}, {"Streamproof-Token": "\xfc" * 16}):
        refused(ask(base, "/ping", headers=headers), 404, "proof-token")


def test_in_our_service_a_token_opens_it_whatever_the_date(serve: Serve) -> None:
    base = serve(create_app(Settings(proof_token=SECRET, proof_until=time.time() + 3600))) + "/proof"
    assert ask(base, "/ping", headers={"Streamproof-Token": SECRET}).status == 200
    refused(ask(base, "/ping"), 404, "proof-token")


@pytest.mark.parametrize(
    ("environ", "why"),
    [
        ({}, "proof-expired"),
        ({"LAB": "1"}, None),
        ({"LAB": "1", "PROOF_TOKEN": "another-token-here"}, None),
        ({"LAB": "0"}, "proof-expired"),
        ({"PROOF_UNTIL": "1"}, "proof-expired"),
        ({"PROOF_UNTIL": ""}, "proof-expired"),
        ({"PROOF_UNTIL": "99999999999"}, None),
        ({"PROOF_UNTIL": "soon"}, "proof-until-unreadable"),
        ({"PROOF_UNTIL": "2099-12-31T00:00:00Z"}, "proof-until-unreadable"),
        ({"PROOF_UNTIL": "nan"}, "proof-until-unreadable"),
        ({"PROOF_UNTIL": "inf"}, "proof-until-unreadable"),
        ({"PROOF_TOKEN": SECRET}, None),
        ({"PROOF_TOKEN": SECRET, "PROOF_UNTIL": "1"}, None),
        ({"PROOF_TOKEN": f"{SECRET}!", "PROOF_UNTIL": "99999999999"}, "proof-token"),
        ({"PROOF_TOKEN": "fifteen-letters", "PROOF_UNTIL": "99999999999"}, "proof-token-unusable"),
        ({"PROOF_TOKEN": f"{SECRET} "}, "proof-token-unusable"),
        ({"PROOF_TOKEN": "ein-schlüssel-für-uns"}, "proof-token-unusable"),
        ({"PROOF_TOKEN": "", "PROOF_UNTIL": "99999999999"}, None),
        ({"PROOF_TOKEN_SHA256": DIGEST, "PROOF_UNTIL": "99999999999"}, None),
        ({"PROOF_TOKEN_SHA256": DIGEST.upper(), "PROOF_UNTIL": "99999999999"}, None),
        ({"PROOF_TOKEN_SHA256": DIGEST, "PROOF_UNTIL": "1"}, "proof-expired"),
        ({"PROOF_TOKEN_SHA256": DIGEST}, "proof-expired"),
        ({"PROOF_TOKEN_SHA256": DIGEST[:-1] + "ß", "PROOF_UNTIL": "99999999999"}, "proof-token"),
        ({"PROOF_TOKEN_SHA256": "", "PROOF_UNTIL": "99999999999"}, None),
        ({"PROOF_TOKEN_SHA256": "00", "PROOF_TOKEN": SECRET}, None),
    ],
)
def test_elsewhere_the_environment_opens_it_or_says_why_not(environ: dict[str, str], why: str | None) -> None:
    named = {f"STREAMPROOF_{name}": value for name, value in environ.items()}
    assert proof.closed_by_environment(SECRET, named) == why


def test_a_refusal_says_what_to_set(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMPROOF_PROOF_UNTIL", "soon")
    body = ask(serve(proof.create_proof()), "/ping").json()
    assert body["message"] == "STREAMPROOF_PROOF_UNTIL is not a number of seconds"


# One file


def copied(folder: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "their_proof", shutil.copy(proof.__file__, folder / "their_proof.py")
    )
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["their_proof"] = module
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules["their_proof"]
    return module


def test_the_one_file_copied_into_another_app_is_a_whole_proof(
    tmp_path: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMPROOF_LAB", "1")
    base = serve(Starlette(routes=[Mount("/theirs", copied(tmp_path).create_proof())])) + "/theirs"
    one = new_id()
    answer = opened(base, id=one)
    assert data(event_octets(answer, 200), "sse")["seq"] == 0
    told(base, "feed", id=one, bytes=128)
    assert data(event_octets(answer, 128), "sse")["seq"] == 1
    told(base, "end", id=one)
    assert answer.read() == b""


def test_the_one_file_imports_nothing_of_ours() -> None:
    tree = ast.parse(Path(proof.__file__).read_text())
    imported = {
        (node.module or "") if isinstance(node, ast.ImportFrom) else alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    roots = {name.partition(".")[0] for name in imported}
    assert roots <= set(sys.stdlib_module_names)


# Around an app


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """An ASGI app of no framework: answers with the path that it is asked for."""
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["path"].encode()})


@pytest.mark.parametrize("root", ["", "/behind/a/front"])
@pytest.mark.parametrize("whole_paths", [True, False])
def test_a_wrapped_app_has_the_proof_below_its_prefix_and_all_other_paths_itself(
    root: str, whole_paths: bool
) -> None:
    app = proof.wrap(echo, prefix="/deep/proof", enabled=lambda: True)

    def got(path: str) -> tuple[int, bytes]:
        scope = {
            "type": "http",
            "method": "GET",
            "path": f"{root}{path}" if whole_paths else path,
            "root_path": root,
            "query_string": b"",
            "headers": [],
        }
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> Any:
            return {"type": "http.request"}

        async def asked() -> None:
            await app(scope, receive, send)

        asyncio.run(asked())
        return sent[0]["status"], b"".join(message.get("body", b"") for message in sent)

    status, body = got("/deep/proof/ping")
    assert (status, json.loads(body)["streamproof"]) == (200, 1)
    for path in ("/", "/ping", "/deep/proofs/ping", "/x/deep/proof/ping", "/deep"):
        assert got(path) == (200, (f"{root}{path}" if whole_paths else path).encode())


def test_a_wrapped_app_is_told_of_its_lifespan_and_its_sockets() -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    async def unused(*_: Any) -> Any:
        raise AssertionError

    async def all_kinds() -> None:
        for kind in ("lifespan", "websocket"):
            await proof.wrap(app)({"type": kind, "path": "/proof/ping"}, unused, unused)

    asyncio.run(all_kinds())
    assert seen == ["lifespan", "websocket"]


# The app's own answer in lock-step


class Lane:
    """One request to a wrapped app, and the side requests beside it, without a server."""

    def __init__(self, app: Any, *asked: bytes, token: str | None = SECRET) -> None:
        self.app = app if isinstance(app, proof._Wrapped) else proof.wrap(app, token=SECRET)
        self.id = new_id()
        self.heard: asyncio.Queue[Any] = asyncio.Queue()
        for body in asked or [b""]:
            self.heard.put_nowait(
                {"type": "http.request", "body": body, "more_body": body is not asked[-1] if asked else False}
            )
        self.out: list[Any] = []
        shown = [] if token is None else [(b"streamproof-token", token.encode())]
        self.headers = [(b"accept", b"*/*"), (b"streamproof-answer", self.id.encode()), *shown]
        self.task: asyncio.Task[None]

    async def __aenter__(self) -> Self:
        async def sent(message: Any) -> None:
            self.out.append(message)

        scope = {"type": "http", "method": "POST", "path": "/", "headers": self.headers}
        self.task = asyncio.ensure_future(self.app(scope, self.heard.get, sent))
        await settled()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.task.cancel()
        await asyncio.wait({self.task})

    async def side(self, what: str, token: str = SECRET, **query: Any) -> dict[str, Any]:
        async def unused() -> Any:
            raise AssertionError

        got: list[Any] = []

        async def sent(message: Any) -> None:
            got.append(message)

        scope = {
            "type": "http",
            "method": "GET" if what == "ping" else "POST",
            "path": f"/proof/{what}",
            "query_string": urlencode({"id": self.id, **query}).encode(),
            "headers": [(b"streamproof-token", token.encode())],
        }
        await self.app(scope, unused, sent)
        body: dict[str, Any] = json.loads(got[1]["body"])
        return body

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.out)

    @property
    def ended(self) -> bool:
        return len(self.out) > 1 and not self.out[-1].get("more_body", False)


async def settled() -> None:
    """All that can run has run."""
    for _ in range(50):
        await asyncio.sleep(0)


def writes(*bodies: bytes, status: int = 200, ends: bool = False, headers: Any = ()) -> Any:
    """An app that sends these, one message each; `ends`: the last of them is the end as well."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": status, "headers": headers})
        for place, body in enumerate(bodies, 1):
            last = ends and place == len(bodies)
            await send({"type": "http.response.body", "body": body, "more_body": not last})
        if not ends:
            await send({"type": "http.response.body", "body": b""})

    return app


@pytest.mark.parametrize("ends", [True, False])
async def test_a_piece_of_an_answer_goes_when_it_is_asked_for_and_so_does_the_end(ends: bool) -> None:
    async with Lane(writes(b"one", b"", b"three", b"5", ends=ends)) as lane:
        assert (lane.body, lane.ended) == (b"one", False)
        state = await lane.side("ping")
        assert (state["known"], state["emitted"], state["octets"], state["sent"]) == (True, 1, 3, 2)
        assert (state["waits"], state["free"], state["coding"]) == ("piece", "", "")
        state = await lane.side("pass", pieces=2)
        assert (lane.body, state["emitted"], state["octets"]) == (b"onethree", 2, 8)
        state = await lane.side("pass", pieces=4)
        assert (lane.body, lane.ended) == (b"onethree5", False)
        assert (state["emitted"], state["waits"], state["ended"]) == (3, "end", False)
        state = await lane.side("end", times="on")
        await lane.task
        assert lane.ended
        assert [octets for octets, _, _ in state["times"]] == [3, 8, 9]
        assert all(0 <= sent <= gone for _, sent, gone in state["times"])
        state = await lane.side("ping")
        assert (state["known"], state["ended"], state["free"]) == (True, True, "asked")


async def test_a_pass_is_answered_once_its_pieces_are_gone() -> None:
    ready = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"1", "more_body": True})
        await ready.wait()
        await send({"type": "http.response.body", "body": b"2", "more_body": True})
        await asyncio.Event().wait()

    async with Lane(app) as lane:
        passed = asyncio.ensure_future(lane.side("pass", pieces=2))
        await settled()
        assert not passed.done()
        ready.set()
        assert (await passed)["emitted"] == 2


@pytest.mark.parametrize("token", [None, "", "another-secret-of-sixteen", SECRET + "x"])
async def test_who_does_not_show_the_secret_gets_the_answer_untouched_and_is_told_nothing(
    token: str | None,
) -> None:
    seen: list[Any] = []
    said = writes(b"one", b"two")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append((scope["headers"], receive, send))
        await said(scope, receive, send)

    async with Lane(app, token=token) as lane:
        await lane.task
        assert (lane.body, lane.ended) == (b"onetwo", True)
        assert (await lane.side("ping"))["known"] is False
        assert (await lane.side("ping", token=token or "")).get("error") == "proof-token"
        assert seen[0][:2] == (lane.headers, lane.heard.get)


@pytest.mark.parametrize(("token", "held"), [(SECRET, True), (SECRET + "x", False), (None, False)])
async def test_the_hash_of_the_secret_is_enough_for_an_answer_in_lock_step(
    token: str | None, held: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMPROOF_PROOF_TOKEN_SHA256", DIGEST)
    monkeypatch.setenv("STREAMPROOF_PROOF_UNTIL", "99999999999")

    async with Lane(proof.wrap(writes(b"one", b"two")), token=token) as lane:
        assert lane.ended is not held


async def test_the_app_does_not_see_that_its_answer_is_held() -> None:
    seen: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["headers"])
        seen.append(b"".join([(await receive())["body"] for _ in range(3)]))
        await writes(b"one", b"two")(scope, receive, send)

    async with Lane(app, b"the ", b"whole ", b"question"):
        assert seen == [[(b"accept", b"*/*")], b"the whole question"]


@pytest.mark.parametrize("listens", [True, False])
async def test_a_client_that_leaves_frees_its_answer_at_once(listens: bool) -> None:
    heard: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if listens:  # as some frameworks do while they answer
            await receive()
            ears = asyncio.ensure_future(receive())
        await writes(b"one", b"two")(scope, receive, send)
        heard.append((await ears if listens else (await receive(), await receive())[1])["type"])

    async with Lane(app) as lane:
        assert not lane.ended
        lane.heard.put_nowait({"type": "http.disconnect"})
        await asyncio.wait_for(lane.task, GIVE_UP_S)
        assert (heard, (await lane.side("ping"))["free"]) == (["http.disconnect"], "left")


def test_a_client_that_is_gone_from_a_real_server_frees_its_answer(serve: Serve) -> None:
    base = serve(proof.wrap(writes(b"one", b"two"), token=SECRET))
    one, shown = new_id(), {"Streamproof-Token": SECRET}
    asked = urllib.request.Request(f"{base}/", headers={"Streamproof-Answer": one, **shown})
    with urllib.request.urlopen(asked) as answer:
        assert answer.read1() == b"one"
    ping = urllib.request.Request(f"{base}/proof/ping?id={one}", headers=shown)
    give_up = time.monotonic() + GIVE_UP_S
    free = ""
    while not free:
        with urllib.request.urlopen(ping) as answer:
            free = json.load(answer)["free"]
        assert time.monotonic() < give_up
    assert free == "left"


@pytest.mark.parametrize(
    ("app", "why"),
    [
        (writes(b"one", b"two", headers=[(b"Content-Length", b"6")]), "length"),
        (writes(b"onetwo", ends=True), "one piece"),
        (writes(b"one", b"two", status=404), "status"),
    ],
)
async def test_what_cannot_be_held_is_let_go_and_says_why(app: Any, why: str) -> None:
    async with Lane(app) as lane:
        await lane.task
        state = await lane.side("ping", times="on")
        assert (lane.body, state["known"], state["free"]) == (b"onetwo", True, why)
        assert state["times"][-1][0] == 6


@pytest.mark.parametrize(("limit", "why"), [("HOLD_SECONDS", "time"), ("ALONE_SECONDS", "alone")])
async def test_an_answer_is_held_for_so_long_and_no_longer(
    limit: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proof, limit, 0.02)

    async with Lane(writes(b"one", b"two")) as lane:
        await asyncio.wait_for(lane.task, GIVE_UP_S)
        assert (lane.ended, (await lane.side("ping"))["free"]) == (True, why)


async def test_a_redirected_request_is_held_where_it_ends() -> None:
    answers = iter([writes(b"", status=307), writes(b"one", b"two"), writes(b"one", b"two")])

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await next(answers)(scope, receive, send)

    async with Lane(app) as before:
        await before.task
        after = Lane(before.app)
        after.id, after.headers = before.id, before.headers
        async with after:
            assert ((await after.side("ping"))["free"], after.body) == ("", b"one")
            again = Lane(before.app)
            again.headers = before.headers
            async with again:
                assert again.body == b"onetwo"


async def test_so_many_answers_are_held_and_further_ones_pass() -> None:
    async with Lane(writes(b"one", b"two")) as lane, AsyncExitStack() as stack:
        lanes = [lane]
        for _ in range(proof.ANSWERS):
            lanes.append(Lane(lane.app))
            await stack.enter_async_context(lanes[-1])
        assert [one.ended for one in lanes] == [*[False] * proof.ANSWERS, True]
        assert (await lanes[-1].side("ping"))["known"] is False
        await lane.side("end")
        lanes.append(Lane(lane.app))
        await stack.enter_async_context(lanes[-1])
        assert not lanes[-1].ended


async def test_an_app_that_keeps_its_event_loop_to_itself_is_known_by_it() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(0)  # the clock of the loop's turns starts
        time.sleep(2.5 * proof.BLINK_SECONDS)  # noqa: ASYNC251 (what is to be seen)
        await writes(b"one", b"two")(scope, receive, send)

    async with Lane(app) as lane:
        assert (await lane.side("ping"))["blocked_ms"] >= 1000 * proof.BLINK_SECONDS
