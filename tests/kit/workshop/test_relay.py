"""A lane whose service wants credentials: the page's server shows them, passes on at once, and keeps them."""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
import ssl
from dataclasses import replace
from typing import Any

from kit.config import Config
from kit.probe.client import Ask, Client
from kit.probe.spec import LaneSpec
from kit.probe.tls import Trust, trusting
from kit.workshop.lanes import named
from kit.workshop.page_config import PageConfig
from kit.workshop.server import Page
from kit.workshop.serving import listen, serving
from tests.fixtures.certificates import Certificate
from tests.fixtures.misbehaving import misbehaving, says
from tests.fixtures.origin import Origin
from tests.fixtures.wire import passing, wire

TOKEN = "not-for-the-browser"


async def post(client: Client, url: str, data: Any = None) -> Any:
    body = b"" if data is None else json.dumps(data).encode()
    _, answer, _, _ = await client.fetch(Ask("POST", url, body=body), within_ms=60_000)
    return json.loads(answer)


def test_a_relayed_stream_is_passed_on_as_it_comes_with_the_credentials(origin: Origin) -> None:
    service = origin(token_sha256=hashlib.sha256(TOKEN.encode()).hexdigest(), cors_origins="*")
    with wire(passing(service)) as way:
        _passed_on(way.url)
        asked = [one.headers for one in way.asked if one.path in ("/search", "/proof/stream")]
    # The proof is asked for as the answer is, and both as a browser asks.
    assert {(one["accept"], one["accept-encoding"]) for one in asked} == {
        ("text/event-stream;q=0.7", "gzip, deflate, br, zstd")
    }
    assert len(asked) == 2


def _passed_on(service: str) -> None:
    headers = (("Authorization", f"Bearer {TOKEN}"), ("Accept", "text/event-stream;q=0.7"))
    site = PageConfig(
        "cloud", named({"mine": Ask("GET", service, headers)}, {}, Config(), timeout_s=60), {}, 60
    )

    async def play() -> None:
        with listen("127.0.0.1", 0) as listening:
            page = f"http://127.0.0.1:{listening.getsockname()[1]}"
            async with (
                Client() as asked,
                Client() as streams,
                Client() as side,
                serving(Page(site, asked).app, listening),
            ):
                await _play(page, streams, side)

    async def _play(page: str, streams: Client, side: Client) -> None:
        go = {"prompt": "Why?", "lanes": ["mine"], "tokens": 5}
        run = await post(side, f"{page}/api/runs", go)
        (lane,) = run["lanes"]
        assert lane["relayed"]
        assert TOKEN not in json.dumps(run)
        request = lane["request"]
        async with streams.stream(Ask(request["method"], f"{page}/{request['url']}", body=b"")) as response:
            assert response.status == 200
            assert b"event: done" in b"".join([piece async for _, piece in response.reads()])
        # Event for event: the second is ordered only once the first is here.
        base, id = f"{page}/relay/{run['run']}/0/proof", secrets.token_hex(16)
        opening = Ask("POST", f"{base}/stream?id={id}&bytes=128", body=b"")
        async with asyncio.timeout(60), streams.stream(opening) as response:
            octets = 0
            async for _, piece in response.reads():
                octets += len(piece)
                if octets in (128, 256):
                    await post(side, f"{base}/{'feed' if octets == 128 else 'end'}?id={id}&bytes=128")
            assert octets == 256

    asyncio.run(play())


def test_each_run_asks_with_the_credentials_that_are_good_then(origin: Origin) -> None:
    service = origin(token_sha256=hashlib.sha256(TOKEN.encode()).hexdigest())
    asks = {"mine": Ask("GET", service, (("Authorization", "Bearer expired"),))}

    async def fresh(spec: LaneSpec) -> LaneSpec:
        return replace(spec, ask=replace(spec.ask, headers=(("Authorization", f"Bearer {TOKEN}"),)))

    site = PageConfig("cloud", named(asks, {}, Config(), timeout_s=60), {}, 60, fresh=fresh)

    async def play() -> int:
        with listen("127.0.0.1", 0) as listening:
            page = f"http://127.0.0.1:{listening.getsockname()[1]}"
            async with Client() as asked, Client() as side, serving(Page(site, asked).app, listening):
                go = {"prompt": "Why?", "lanes": ["mine"], "tokens": 3}
                (lane,) = (await post(side, f"{page}/api/runs", go))["lanes"]
                asking = Ask("POST", f"{page}/{lane['request']['url']}", body=b"")
                response, _, _, _ = await side.fetch(asking, within_ms=60_000)
                return response.status

    assert asyncio.run(play()) == 200


def test_a_lane_that_polls_is_asked_for_its_pieces_through_the_relay_too(origin: Origin) -> None:
    service = origin()
    site = PageConfig("url", named({"mine": Ask("GET", service)}, {}, Config(), timeout_s=60), {}, 60)

    async def play() -> list[str]:
        with listen("127.0.0.1", 0) as listening:
            page = f"http://127.0.0.1:{listening.getsockname()[1]}"
            async with Client() as asked, Client() as side, serving(Page(site, asked).app, listening):
                go = {"prompt": "Why?", "lanes": ["mine"], "tokens": 3, "how": "poll"}
                (lane,) = (await post(side, f"{page}/api/runs", go))["lanes"]
                await post(side, f"{page}/{lane['request']['url']}")
                events: list[str] = []
                done, after = False, -1
                while not done:
                    ask = Ask("GET", f"{page}/{lane['pieces']}?after={after}&wait=5")
                    _, body, _, _ = await side.fetch(ask, within_ms=60_000)
                    pieces = json.loads(body)
                    events += [event["event"] for event in pieces["events"]]
                    done, after = pieces["done"], len(events) - 1
                return events

    assert asyncio.run(play()) == ["token", "token", "token", "done"]


async def test_what_the_kit_trusts_and_a_browser_does_not_is_asked_by_the_server(
    certificate: Certificate,
) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate.folder / "cert.pem", certificate.folder / "key.pem")
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\naccess-control-allow-origin: *\r\n"
    with trusting(Trust(insecure=True)):
        async with misbehaving(says(head + b"content-length: 9\r\n\r\ndata: 1\n\n"), tls) as url:
            site = PageConfig("url", named({"mine": Ask("GET", url)}, {}, Config(), timeout_s=60), {}, 60)
            with listen("127.0.0.1", 0) as listening:
                page = f"http://127.0.0.1:{listening.getsockname()[1]}"
                async with Client() as asks, Client() as side, serving(Page(site, asks).app, listening):
                    go = {"prompt": "Why?", "lanes": ["mine"], "tokens": 5}
                    (lane,) = (await post(side, f"{page}/api/runs", go))["lanes"]
                    assert lane["relayed"]
                    ask = Ask("POST", f"{page}/{lane['request']['url']}", body=b"")
                    response, body, _, _ = await side.fetch(ask, within_ms=60_000)
    assert (response.status, body) == (200, b"data: 1\n\n")
