from __future__ import annotations

import asyncio
import hashlib
import json
from typing import Any

import pytest

from kit.errors import Code, KitError
from kit.probe.client import Ask, Client
from kit.probe.origin import LENGTH, Found, Side, discover, new_stream, reply_of, stream_url
from kit.proof.actions import Gone, Progress, Reply
from kit.proof.conditions import Conditions
from kit.proof.doubts import Doubt
from tests.fixtures.misbehaving import misbehaving, says
from tests.fixtures.origin import Origin


def found(url: str, proof_url: str | None = None, token: str | None = None) -> Found:
    headers = () if token is None else (("authorization", f"Bearer {token}"),)

    async def run() -> Found:
        async with Client() as client:
            return await discover(client, url, headers, within_ms=5000, proof_url=proof_url)

    return asyncio.run(run())


def against(behaviour: Any, *, within_ms: float = 5000, **more: Any) -> Found:
    async def run() -> Found:
        async with misbehaving(behaviour, heads=more.pop("heads", None)) as url, Client() as client:
            return await discover(client, url, (), within_ms=within_ms, proof_url=None, **more)

    return asyncio.run(asyncio.wait_for(run(), 30))


@pytest.mark.parametrize("path", ["", "/", "/search", "/search?ai_prompt=x", "/deep/down/search"])
def test_the_proof_is_found_beside_the_url_or_at_its_origin(origin: Origin, path: str) -> None:
    url = origin()
    assert found(f"{url}{path}") == Found(f"{url}/proof", ours=path in ("", "/"))


def test_an_app_with_the_proof_at_its_root_is_not_taken_for_the_kits_service(origin: Origin) -> None:
    assert found(origin("tests.fixtures.frameworks:fastapi")) == Found(None, Doubt.PROOF_TOKEN, ours=False)


def test_a_proof_elsewhere_is_found_when_it_is_named(origin: Origin) -> None:
    url = origin()
    assert found("http://127.0.0.1:1/search", f"{url}/proof/") == Found(f"{url}/proof")
    assert found(f"{url}/deep/down/search", "/proof") == Found(f"{url}/proof")


def test_a_proof_that_is_switched_off_differs_from_none(origin: Origin) -> None:
    assert found(origin(lab=0)) == Found(None, Doubt.PROOF_EXPIRED, ours=True)


def test_a_proof_that_wants_a_token_is_found_with_it(origin: Origin) -> None:
    url = origin(token_sha256=hashlib.sha256(b"a-token").hexdigest())
    assert found(url) == Found(None, Doubt.PROOF_REFUSED, ours=True)
    assert found(url, token="another") == Found(None, Doubt.PROOF_REFUSED, ours=True)
    assert found(url, token="a-token") == Found(f"{url}/proof", ours=True)


def test_only_a_proof_that_asks_for_the_token_is_shown_it() -> None:
    heads: list[bytes] = []

    async def asks(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        status, body = b"200 OK", b'{"streamproof": 1}'
        if b"streamproof-token: open-sesame-open\r\n" not in heads[-1]:
            status, body = b"404 No", b'{"streamproof": 1, "error": "proof-token"}'
        writer.write(b"HTTP/1.1 %b\r\ncontent-length: %d\r\n\r\n%b" % (status, len(body), body))
        await writer.drain()

    stranger = says(b"HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n")
    token = "open-sesame-open"
    assert against(stranger, heads=heads, token=token) == Found(None)
    assert b"streamproof-token" not in heads[-1]
    for wrong in (None, "wrong"):
        assert against(asks, heads=heads, token=wrong).why_not is Doubt.PROOF_TOKEN
    found = against(asks, heads=heads, token=token)
    assert found.base is not None
    assert found.shows == (("streamproof-token", "open-sesame-open"),)
    assert "sesame" not in repr(found)


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"type": "about:blank"}', b"[]", b""])
def test_another_service_that_wants_a_token_is_not_ours(status: int, body: bytes) -> None:
    guard = says(b"HTTP/1.1 %d No\r\ncontent-length: %d\r\n\r\n%b" % (status, len(body), body))
    assert against(guard) == Found(None, Doubt.PROOF_REFUSED)


def test_a_missing_server_is_an_error_and_no_missing_proof() -> None:
    with pytest.raises(KitError) as caught:
        found("http://127.0.0.1:1/")
    assert caught.value.code is Code.UNREACHABLE


@pytest.mark.parametrize("answer", [b"<html>", b"[]", b'{"streamproof": 2}', b"", b"[" * 20000])
def test_a_page_that_answers_everything_is_no_proof(answer: bytes) -> None:
    catch_all = says(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(answer), answer))
    assert against(catch_all) == Found(None)


def test_a_server_that_streams_whatever_the_path_is_not_listened_to() -> None:
    for_ever = says(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: x\n\n", stays=True)
    assert against(for_ever, within_ms=3_600_000) == Found(None)


def test_a_silent_server_is_waited_for_once_and_not_once_a_path() -> None:
    waits: list[float] = []

    class Impatient(Client):
        async def fetch(self, ask: Ask, *, within_ms: float, **rest: Any) -> Any:
            waits.append(within_ms)
            raise KitError(Code.TIMED_OUT, "a", "b")

    async def run() -> Found:
        async with Impatient() as client:
            return await discover(client, "http://x.example/deep/x", (), within_ms=0.0, proof_url=None)

    assert asyncio.run(run()) == Found(None)
    assert waits == [0.0, 5000.0]


async def test_a_stream_that_the_origin_does_not_know_is_an_answer(origin: Origin) -> None:
    async with Client() as client:
        side = Side(client, f"{origin()}/proof", ())
        ping = await side.ping(5000)
        fed = await side.feed(new_stream(), 200, 5000)
        assert ping is not None
        assert fed is not None
        assert (fed.known, fed.emitted, fed.instance) == (False, 0, ping.instance)
        assert ping.sent_ms <= ping.arrived_ms <= fed.sent_ms


async def test_a_side_request_that_gets_no_proper_answer_is_none(origin: Origin) -> None:
    async with Client() as client:
        assert await Side(client, f"{origin()}/nowhere", ()).ping(5000) is None
        assert await Side(client, "http://127.0.0.1:1/proof", ()).ping(5000) is None


def test_streams_have_ids_of_their_own_and_a_url_says_it_all() -> None:
    first, second = new_stream(), new_stream()
    assert first != second
    assert len(bytes.fromhex(first)) == 16
    url = stream_url(
        "http://a/proof", first, mode="lockstep", size=200, at=Conditions(header="off", length=True)
    )
    assert (
        url == f"http://a/proof/stream?id={first}&mode=lockstep&bytes=200&type=sse&accel=off&total={LENGTH}"
    )
    longer = stream_url("http://a/proof", first, mode="lockstep", size=200, at=Conditions(), seconds=660)
    assert longer == f"http://a/proof/stream?id={first}&mode=lockstep&bytes=200&type=sse&accel=on&seconds=660"


HELD = {
    "streamproof": 1,
    "known": True,
    "emitted": 2,
    "octets": 180,
    "sent": 3,
    "waits": "piece",
    "free": "",
    "ended": False,
    "coding": "",
    "gone_ms": 7.5,
    "blocked_ms": 0,
    "times": [[90, 1.0, 1.0], [180, 5, 7]],
    "instance": "a",
    "wraps": True,
    "now_ms": 8.0,
}


def parsed(**fields: object) -> Reply | None:
    return reply_of(200, json.dumps({**HELD, **fields}).encode(), 1.0, 2.0)


def test_what_an_origin_says_of_an_answer_is_read() -> None:
    reply = parsed()
    assert reply is not None
    assert (reply.known, reply.wraps) == (True, True)
    assert reply.progress == Progress(
        2, 180, 3, "piece", "", False, "", 7.5, 0.0, ((90, 1.0, 1.0), (180, 5.0, 7.0))
    )


@pytest.mark.parametrize(
    ("said", "seconds"), [(660, 660), (1.5, 1.5), (None, None), ("1", None), (True, None)]
)
def test_for_how_long_a_stream_may_live_is_a_number_or_not_known(said: object, seconds: float | None) -> None:
    reply = parsed(seconds=said)
    assert reply is not None
    assert reply.seconds == seconds


@pytest.mark.parametrize(
    "wrong", [{"waits": "tomorrow"}, {"octets": "many"}, {"times": [[1]]}, {"gone_ms": None}, {"ended": 7}]
)
def test_what_is_not_as_the_protocol_has_it_is_no_progress(wrong: dict[str, object]) -> None:
    reply = parsed(**wrong)
    assert reply is not None
    assert reply.progress is None


def test_a_proofs_own_stream_makes_no_progress() -> None:
    reply = reply_of(200, b'{"known": true, "emitted": 2, "now_ms": 8.0, "instance": "a"}', 1.0, 2.0)
    assert reply is not None
    assert (reply.progress, reply.wraps, reply.emitted) == (None, False, 2)


@pytest.mark.parametrize(
    ("gone", "read"),
    [
        ({"why": "left", "ms": 8.5}, Gone("left", 8.5)),
        ({"why": "bored", "ms": 8.5}, None),
        ({"why": "left"}, None),
        ("left", None),
        (None, None),
    ],
)
def test_what_became_of_a_stream_is_read_where_the_origin_says_it(gone: object, read: Gone | None) -> None:
    body = {"known": False, "emitted": 0, "now_ms": 9.0, "instance": "a", "gone": gone}
    reply = reply_of(200, json.dumps(body).encode(), 1.0, 2.0)
    assert reply is not None
    assert (reply.known, reply.gone) == (False, read)
