"""The origin's half of the proof keeps to docs/proof-protocol.md, in our service and as one copied file."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import itertools
import json
import math
import secrets
import shutil
import sys
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.routing import Mount

from kit.proof.sse import SSEDecoder
from service import proof
from service.app import create_app
from service.settings import Settings
from tests.fixtures.processes import eventually
from tests.service.asking import GIVE_UP_S, Answer, ask, connected, freed
from tests.service.conftest import Serve, serving

TYPES = {
    "sse": "text/event-stream; charset=utf-8",
    "ndjson": "application/x-ndjson",
    "text": "text/plain; charset=utf-8",
}
MIB = 1024 * 1024
UNKNOWN = "0" * 32


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
    """A stream, under an id of its own unless one is given."""
    answer = ask(base, "/stream", method=method, **{"id": new_id()} | query)
    assert answer.status == 200, answer.read()
    return answer


def free(base: str, total: int = 500, **query: Any) -> Answer:
    """A stream of so many octets, sent back to back."""
    return opened(base, mode="free", total=total, **query)


def fetched(base: str, what: str, **query: Any) -> dict[str, Any]:
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
        answered = fetched(base, "feed", id=one, bytes=size)
        assert list(answered) == ["streamproof", "known", "emitted", "seconds", "instance", "http", "now_ms"]
        assert (answered["known"], answered["emitted"]) == (True, seq + 1)
        fields = data(event_octets(answer, size), media)
        assert list(fields) == ["seq", "ms", "pad"]
        assert fields["seq"] == seq
    assert fetched(base, "end", id=one)["emitted"] == 5
    assert answer.read() == b""


def test_a_comment_is_sent_as_an_event_is_and_no_client_takes_it_for_one(base: str) -> None:
    one = new_id()
    answer = opened(base, id=one)
    event_octets(answer, 200)
    assert fetched(base, "feed", id=one, bytes=300, comment="on")["emitted"] == 2
    comment = event_octets(answer, 300)
    assert data(comment.replace(b": {", b"data: {", 1), "sse")["seq"] == 1
    assert SSEDecoder().feed(comment) == []
    fetched(base, "feed", id=one, comment="off")
    assert data(event_octets(answer, 200), "sse")["seq"] == 2
    answer.leave()


@pytest.mark.parametrize(("media", "content_type"), TYPES.items())
def test_the_response_says_what_keeps_it_flowing(media: str, content_type: str, shared: str) -> None:
    answer = free(shared, type=media)
    assert answer.headers["Content-Type"] == content_type
    assert answer.headers["Cache-Control"] == "no-cache, no-transform"
    assert answer.headers["Incremental"] == "?1"
    assert answer.headers["X-Accel-Buffering"] == "no"
    assert answer.headers["Content-Encoding"] is None
    off = free(shared, type=media, accel="off")
    assert {it.lower() for it in set(answer.headers) - set(off.headers)} == {"x-accel-buffering"}
    bare = free(shared, type=media, incremental="off")
    assert {it.lower() for it in set(answer.headers) - set(bare.headers)} == {"incremental"}


@pytest.mark.parametrize(
    ("header", "parameter", "value"),
    [
        ("Content-Type", "content", "text/html; charset=utf-8"),
        ("Content-Type", "content", 'application/vnd.api+json;profile="a.b"'),
        ("Cache-Control", "cache", "no-cache"),
        ("Cache-Control", "cache", "public, max-age=60,stale-if-error=5"),
        ("Cache-Control", "cache", ""),
        ("Vary", "vary", "Accept-Encoding, Origin"),
        ("Vary", "vary", "*"),
    ],
)
def test_the_response_bears_what_it_is_asked_to(header: str, parameter: str, value: str, shared: str) -> None:
    usual = free(shared, type="text")
    asked: dict[str, Any] = {"type": "text", parameter: value}
    answer = free(shared, **asked)
    assert answer.headers[header] == (value or None)
    others = [
        {(k, v) for k, v in it.headers.items() if k.lower() not in (header.lower(), "date")}
        for it in (answer, usual)
    ]
    assert others[0] == others[1]
    assert answer.read() != b""


@settings(max_examples=40)
@given(st.sampled_from(list(TYPES)), st.integers(128, 9000), st.integers(1, 4))
@example("sse", 128, 3)
@example("text", 128, 3)
@example("sse", MIB, 1)
def test_an_event_is_exactly_so_many_octets_of_noise(shared: str, media: str, size: int, count: int) -> None:
    assume(size * count <= MIB)
    answer = free(shared, size * count, bytes=size, type=media)
    octets = answer.read()
    assert len(octets) == size * count
    for seq in range(count):
        fields = data(octets[seq * size : (seq + 1) * size], media)
        assert (list(fields), fields["seq"]) == (["seq", "ms", "pad"], seq)


def test_what_an_event_is_filled_with_cannot_be_compressed_away(shared: str) -> None:
    octets = free(shared, 500_000, bytes=10_000).read()
    # base64 is six bits of noise in eight.
    assert len(zlib.compress(octets, 9)) > 0.74 * len(octets)


def test_an_event_says_when_it_was_made(shared: str) -> None:
    before = time.time() * 1000
    octets = free(shared, 200).read()
    assert before - 1 <= data(octets, "sse")["ms"] <= time.time() * 1000 + 1


def test_pause_sends_its_three_parts_and_ends(shared: str) -> None:
    octets = opened(shared, mode="pause", bytes=5000, type="ndjson").read()
    lines = octets.splitlines(keepends=True)
    events = [json.loads(line) for line in lines]
    assert [event["seq"] for event in events] == list(range(len(events)))
    parts = [(part, len(list(group))) for part, group in itertools.groupby(event["part"] for event in events)]
    assert parts == [("first", 1), ("bulk", math.ceil(1_153_434 / 5000)), ("rest", 3)]
    assert {len(line) for line in lines[:-3]} == {5000}
    assert {len(line) for line in lines[-3:]} == {200}
    assert events[-3]["ms"] - events[-4]["ms"] >= 990


def test_pauses_silence_is_one_and_an_end_shortens_it(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "SILENCE_SECONDS", 3600.0)
    one = new_id()
    answer = opened(base, id=one, mode="pause", bytes=65_536, type="text")
    before = event_octets(answer, 65_536 * 19)
    assert [json.loads(line)["part"] for line in before.splitlines()] == ["first"] + ["bulk"] * 18
    assert fetched(base, "end", id=one)["known"] is True
    assert len(answer.read()) <= 3 * 200  # long before the hour that the silence would last


def test_free_sends_a_mebibyte_back_to_back_and_ends(shared: str) -> None:
    octets = opened(shared, mode="free", bytes=1000, type="text").read()
    assert len(octets) == MIB // 1000 * 1000
    assert [json.loads(line)["seq"] for line in octets.splitlines()] == list(range(MIB // 1000))


@pytest.mark.parametrize("media", TYPES)
def test_with_a_total_the_length_is_announced_and_the_end_pads_to_it(media: str, base: str) -> None:
    one = new_id()
    answer = opened(base, id=one, total=50_000, type=media)
    assert answer.headers["Content-Length"] == "50000"
    assert answer.headers["Transfer-Encoding"] is None
    first = event_octets(answer, 200)
    fetched(base, "end", id=one)
    rest = answer.read()
    assert len(first + rest) == 50_000
    assert not rest.strip(b"\n")  # lines that a reader of any of the types passes over


@pytest.mark.parametrize("mode", ["lockstep", "pause", "free"])
def test_without_a_total_it_is_chunked(mode: str, base: str) -> None:
    with opened(base, mode=mode) as answer:
        assert answer.headers["Content-Length"] is None
        assert answer.headers["Transfer-Encoding"] == "chunked"


def test_what_was_ordered_goes_out_before_the_end(base: str) -> None:
    one = new_id()
    answer = opened(base, id=one, type="text")
    for _ in range(20):
        fetched(base, "feed", id=one, bytes=1000)
    fetched(base, "end", id=one)
    assert [json.loads(line)["seq"] for line in answer.read().splitlines()] == list(range(21))


# Side requests


def test_ping_tells_the_time_and_which_process_this_is(shared: str) -> None:
    before = time.time() * 1000
    ping = fetched(shared, "ping")
    assert list(ping) == ["streamproof", "instance", "http", "now_ms"]
    assert before - 1 <= ping["now_ms"] <= time.time() * 1000 + 1
    assert fetched(shared, "ping")["instance"] == ping["instance"]


def test_two_proofs_are_two_instances(serve: Serve) -> None:
    a, b = (serve(proof.create_proof(enabled=lambda: True)) for _ in range(2))
    assert fetched(a, "ping")["instance"] != fetched(b, "ping")["instance"]


@pytest.mark.parametrize(
    ("environ", "version"),
    [
        ({"GAE_VERSION": "sp-1", "STREAMPROOF_BUNDLE": "d" * 40}, "sp-1"),
        ({"K_REVISION": "streamproof-sp-1", "GAE_VERSION": ""}, "streamproof-sp-1"),
        ({"STREAMPROOF_VERSION": "sp-1", "STREAMPROOF_BUNDLE": "d" * 40}, "sp-1"),
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
    answers = [stream, *(ask(base, f"/{what}", method="POST", id=UNKNOWN) for what in ("feed", "end"))]
    answers += [ask(base, "/stream", id="none"), ask(base, "/ping")]
    assert [answer.status for answer in answers] == [200, 200, 200, 400, 404]
    assert {answer.headers["Streamproof-Version"] for answer in answers} == {version}
    assert [answer.json()["version"] for answer in answers[1:3]] == [version] * 2


def test_a_version_that_is_given_is_said_and_without_one_nothing_is(serve: Serve) -> None:
    base = serve(proof.create_proof(enabled=lambda: True, version="mine"))
    assert fetched(base, "ping")["version"] == "mine"
    silent = ask(serve(proof.create_proof(enabled=lambda: True)), "/ping")
    assert silent.headers["Streamproof-Version"] is None
    assert "version" not in silent.json()


@pytest.mark.parametrize("what", ["feed", "end"])
def test_a_stream_that_is_not_here_is_an_answer_and_no_error(what: str, shared: str) -> None:
    answer = fetched(shared, what, id=UNKNOWN)
    assert (answer["known"], answer["emitted"]) == (False, 0)


def test_an_id_is_the_same_in_upper_case(base: str) -> None:
    one = new_id()
    with opened(base, id=one):
        assert fetched(base, "end", id=one.upper())["known"] is True


def test_one_stream_is_not_fed_by_anothers_id(base: str) -> None:
    one, other = new_id(), new_id()
    with opened(base, id=one), opened(base, id=other):
        assert fetched(base, "feed", id=one)["emitted"] == 2
        assert fetched(base, "feed", id=other)["emitted"] == 2


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
        ({"first": "no"}, "bad-first"),
        ({"first": "off", "mode": "free"}, "bad-first"),
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
        *(({"stop": value}, "bad-stop") for value in ("61", "-1", "1.5", "", "9" * 5000)),
        ({"stop": "1", "mode": "pause"}, "bad-stop"),
        *(({"seconds": value}, "bad-seconds") for value in ("0", "3901", "-1", "1.5", "", "9" * 5000)),
        ({"total": "x"}, "bad-total"),
        ({"total": ""}, "bad-total"),
        ({"total": 199}, "bad-total"),
        ({"mode": "pause", "total": 1_153_434}, "bad-total"),
        ({"mode": "lockstep", "total": 4 * MIB + 1}, "too-many-octets"),
        ({"mode": "pause", "total": 4 * MIB + 1}, "too-many-octets"),
        ({"mode": "free", "total": MIB + 1}, "too-many-octets"),
    ],
)
def test_a_wrong_or_excessive_parameter_is_refused(query: dict[str, Any], error: str, shared: str) -> None:
    answer = ask(shared, "/stream", **{"id": new_id(), **query})
    refused(answer, 429 if error == "too-many-octets" else 400, error)


def test_side_requests_check_their_parameters_too(shared: str) -> None:
    for what in ("feed", "end"):
        refused(ask(shared, f"/{what}", method="POST"), 400, "bad-id")
    refused(ask(shared, "/feed", method="POST", id=UNKNOWN, bytes=1), 400, "bad-bytes")
    refused(ask(shared, "/feed", method="POST", id=UNKNOWN, comment="yes"), 400, "bad-comment")


@pytest.mark.parametrize("media", ["ndjson", "text"])
def test_only_an_event_stream_has_comments(media: str, base: str) -> None:
    one = new_id()
    with opened(base, id=one, type=media):
        refused(ask(base, "/feed", method="POST", id=one, comment="on"), 400, "bad-comment")


@pytest.mark.parametrize("mode", ["pause", "free"])
def test_only_a_lockstep_stream_is_fed(mode: str, base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "SILENCE_SECONDS", 3600.0)
    monkeypatch.setattr(proof, "FREE_OCTETS", 10**12)
    monkeypatch.setattr(proof, "ALL_OCTETS", 10**13)
    one = new_id()
    with opened(base, id=one, mode=mode):
        refused(ask(base, "/feed", method="POST", id=one), 400, "not-lockstep")


def test_an_id_in_use_is_refused_with_409_and_the_first_stream_is_not_harmed(base: str) -> None:
    one = new_id()
    answer = opened(base, id=one)
    event_octets(answer, 200)
    refused(ask(base, "/stream", id=one), 409, "id-in-use")
    fetched(base, "feed", id=one, bytes=300)
    assert data(event_octets(answer, 300), "sse")["seq"] == 1
    answer.leave()


def test_one_stream_too_many_is_refused_with_429_until_one_has_left(
    base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proof, "STRANGERS_STREAMS", 16)
    answers = [opened(base) for _ in range(16)]
    refused(ask(base, "/stream", id=new_id()), 429, "too-many-streams")
    answers.pop().leave()
    answer = freed(429, base, "/stream", id=new_id())
    assert answer.status == 200
    for each in (answer, *answers):
        each.leave()


@pytest.mark.parametrize(
    ("how", "environ", "most"),
    [
        ({}, {"STREAMPROOF_PROOF_UNTIL": "inf"}, 128),
        ({}, {"STREAMPROOF_PROOF_UNTIL": str(2**40)}, 128),
        ({"enabled": lambda: True}, {"STREAMPROOF_PROOF_TOKEN": "its own: not asked for here"}, 128),
        ({"token": "sixteen characters"}, {}, 5_000),
        ({}, {"STREAMPROOF_PROOF_TOKEN": "sixteen-characters"}, 5_000),
        ({}, {"STREAMPROOF_PROOF_TOKEN_SHA256": "0" * 64}, 5_000),
        ({"enabled": lambda: True}, {"STREAMPROOF_LAB": "1"}, 5_000),
    ],
)
def test_thousands_of_streams_are_for_those_who_show_a_token(
    how: dict[str, Any], environ: dict[str, str], most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    origin = proof.create_proof(**how)
    assert isinstance(origin, proof._Proof)
    assert origin._most_streams() == most


@pytest.mark.parametrize("how", [{"bytes": 1024}, {"total": 1024}, {"mode": "pause"}])
def test_all_open_streams_share_a_limit_on_octets(
    how: dict[str, Any], base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proof, "BULK_OCTETS", 0)
    monkeypatch.setattr(proof, "SILENCE_SECONDS", 3600.0)
    octets = 200 + 3 * 200 if how == {"mode": "pause"} else 1024
    monkeypatch.setattr(proof, "ALL_OCTETS", 2 * octets + 127)
    first, second = opened(base, **how), opened(base, **how)
    refused(ask(base, "/stream", id=new_id(), bytes=128, type="text"), 429, "too-many-octets")
    for each in (first, second):
        each.leave()
    freed(429, base, "/stream", id=new_id(), bytes=128).leave()


def test_a_feed_is_refused_where_all_open_streams_have_their_octets(
    base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = new_id()
    monkeypatch.setattr(proof, "ALL_OCTETS", 2 * 128 + 256)
    with opened(base, id=one, bytes=128), opened(base, bytes=128):
        assert fetched(base, "feed", id=one, bytes=256)["emitted"] == 2
        refused(ask(base, "/feed", method="POST", id=one, bytes=128), 429, "too-many-octets")


def test_a_stream_of_four_mebibytes_is_fed_to_the_last_octet_and_no_further(base: str) -> None:
    one = new_id()
    answer = opened(base, id=one, bytes=MIB)
    for emitted in (2, 3, 4):
        assert fetched(base, "feed", id=one, bytes=MIB)["emitted"] == emitted
    refused(ask(base, "/feed", method="POST", id=one, bytes=128), 429, "too-many-octets")
    assert fetched(base, "end", id=one)["emitted"] == 4
    assert len(answer.read()) == 4 * MIB


def test_a_stream_is_not_fed_beyond_its_total(base: str) -> None:
    one = new_id()
    answer = opened(base, id=one, total=450)
    assert fetched(base, "feed", id=one)["emitted"] == 2
    refused(ask(base, "/feed", method="POST", id=one), 429, "too-many-octets")
    fetched(base, "end", id=one)
    assert len(answer.read()) == 450


def test_a_stream_whose_time_is_over_ends_in_good_order(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "STREAM_SECONDS", 0.05)
    one = new_id()
    assert len(opened(base, id=one, total=5000).read()) == 5000
    assert told_until(base, one)["known"] is False


def test_a_stream_lives_for_as_long_as_it_is_asked_to(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "STREAM_SECONDS", 0.05)
    one, other = new_id(), new_id()
    with opened(base, id=one, seconds=3900):
        began = time.monotonic()
        assert len(opened(base, id=other, seconds=1).read()) == 200
        assert 0.9 < time.monotonic() - began < GIVE_UP_S
        assert fetched(base, "ping", id=one)["seconds"] == 3900
        assert "seconds" not in fetched(base, "ping", id=UNKNOWN)


def told_until(base: str, one: str) -> dict[str, Any]:
    """The answer to an end, once the stream is no longer known: a moment after its last octet."""
    give_up = time.monotonic() + GIVE_UP_S
    while (answer := fetched(base, "end", id=one))["known"]:
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


# What became of a stream


def gone_until(base: str, one: str) -> dict[str, Any]:
    """Why a stream is over, once it is no longer known."""
    give_up = time.monotonic() + GIVE_UP_S
    while (answer := fetched(base, "ping", id=one))["known"]:
        assert "gone" not in answer
        assert time.monotonic() < give_up
    gone: dict[str, Any] = answer["gone"]
    assert list(gone) == ["why", "ms"]
    return gone


@pytest.mark.parametrize("early", [False, True])
def test_that_a_client_left_is_kept_with_the_time(early: bool, base: str) -> None:
    one = new_id()
    before = time.time() * 1000
    if early:
        connection = connected(base)
        path = f"{urlsplit(base).path}/stream?id={one}&first=off"
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: here\r\n\r\n".encode())
        eventually(lambda: fetched(base, "ping", id=one)["known"])
        connection.close()
    else:
        answer = opened(base, id=one)
        event_octets(answer, 200)
        answer.leave()
    gone = gone_until(base, one)
    assert gone["why"] == "left"
    assert before - 1 <= gone["ms"] <= time.time() * 1000 + 1
    assert fetched(base, "end", id=one)["gone"] == gone
    assert fetched(base, "feed", id=one)["gone"] == gone


def test_one_that_was_asked_to_end_ended(base: str) -> None:
    one = new_id()
    answer = opened(base, id=one)
    fetched(base, "end", id=one)
    answer.read()
    assert gone_until(base, one)["why"] == "ended"


def test_one_that_has_no_more_to_send_ended(base: str) -> None:
    one = new_id()
    free(base, id=one).read()
    assert gone_until(base, one)["why"] == "ended"


def test_one_whose_time_is_over_says_so(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "STREAM_SECONDS", 0.05)
    one = new_id()
    opened(base, id=one).read()
    assert gone_until(base, one)["why"] == "time"


def test_only_the_last_are_remembered(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "GONE", 2)
    ids = [new_id() for _ in range(3)]
    for one in ids:
        free(base, id=one).read()
        gone_until(base, one)
    assert "gone" not in fetched(base, "ping", id=ids[0])
    assert [fetched(base, "ping", id=one)["gone"]["why"] for one in ids[1:]] == ["ended"] * 2


def test_an_id_that_is_used_again_is_not_gone(base: str) -> None:
    one = new_id()
    free(base, id=one).read()
    gone_until(base, one)
    with opened(base, id=one):
        assert "gone" not in fetched(base, "ping", id=one)


def test_without_a_first_event_nothing_is_sent_before_it_is_fed(base: str) -> None:
    one = new_id()
    with ThreadPoolExecutor() as thread:
        answering = thread.submit(opened, base, id=one, first="off")
        eventually(lambda: fetched(base, "ping", id=one)["known"])
        assert fetched(base, "ping", id=one)["emitted"] == 0
        assert not answering.done()
        assert fetched(base, "feed", id=one)["emitted"] == 1
        answer = answering.result(GIVE_UP_S)
    assert data(event_octets(answer, 200), "sse")["seq"] == 0
    fetched(base, "end", id=one)
    assert answer.read() == b""


def test_one_without_a_first_event_may_end_without_any(base: str) -> None:
    one = new_id()
    with ThreadPoolExecutor() as thread:
        answering = thread.submit(opened, base, id=one, first="off")
        eventually(lambda: fetched(base, "end", id=one)["known"])
        assert answering.result(GIVE_UP_S).read() == b""


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
    assert fetched(f"{ahead}/proof", "ping")
    past = serve(create_app(Settings(proof_until=time.time() - 1)))
    refused(ask(f"{past}/proof", "/ping"), 404, "proof-expired")


def test_a_running_proof_closes_when_its_time_is_over(serve: Serve) -> None:
    answers = iter([True, False])
    base = serve(proof.create_proof(enabled=lambda: next(answers)))
    assert fetched(base, "ping")
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


def test_the_file_copied_elsewhere_is_a_whole_proof(
    tmp_path: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMPROOF_LAB", "1")
    base = serve(Starlette(routes=[Mount("/theirs", copied(tmp_path).create_proof())])) + "/theirs"
    one = new_id()
    answer = opened(base, id=one)
    assert data(event_octets(answer, 200), "sse")["seq"] == 0
    fetched(base, "feed", id=one, bytes=128)
    assert data(event_octets(answer, 128), "sse")["seq"] == 1
    fetched(base, "end", id=one)
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
