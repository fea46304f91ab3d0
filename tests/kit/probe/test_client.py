"""A hostile server gets one sentence and a code, in bounded time and memory."""

from __future__ import annotations

import asyncio
import gzip
import resource
import ssl
import threading
import zlib
from queue import Queue
from typing import Any

import brotli
import pytest
import trustme

from kit.errors import Code, KitError
from kit.probe import client
from kit.probe.client import Ask, Client, now_ms
from kit.proof.actions import By
from tests.fixtures.misbehaving import misbehaving, says
from tests.fixtures.wire import Connection, wire
from tests.kit.probe.test_coding import coded, flushed

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"content-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


async def send(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    await writer.drain()


async def gzip_bomb(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    bomb = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    begun = bomb.compress(bytes(1 << 20)) + bomb.flush(zlib.Z_FULL_FLUSH)
    more = bomb.compress(bytes(8 << 20)) + bomb.flush(zlib.Z_FULL_FLUSH)
    await says(OK + b"content-encoding: gzip\r\n\r\n", begun, then=more)(_, writer)


async def br_bomb(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    bomb, mib = brotli.Compressor(quality=1), bytes(1 << 20)
    begun = b"".join(bomb.process(mib) for _ in range(65))
    await send(writer, OK + b"content-encoding: br\r\n\r\n" + begun + bomb.finish())


async def zstd_bomb(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await send(writer, OK + b"content-encoding: zstd\r\n\r\n" + 9 * coded(bytes(8 << 20), "zstd"))


def moved(to: bytes, status: bytes = b"302 Found") -> Any:
    return says(b"HTTP/1.1 %b\r\nlocation: %b\r\ncontent-length: 0\r\n\r\n" % (status, to))


CUT_GZIP = gzip.compress(b"data: 1\n\n")[:-1]


async def read_all(url: str, timeout_s: float = 30.0) -> int:
    total = 0
    async with Client(timeout_s=timeout_s) as asking, asking.stream(Ask("GET", url)) as response:
        async for _, data in response.reads():
            total += len(data)
    return total


async def refusal(url: str, timeout_s: float = 30.0) -> KitError:
    """What is said of a URL that cannot be read."""
    with pytest.raises(KitError) as caught:
        await read_all(url, timeout_s)
    return caught.value


@pytest.mark.parametrize(
    ("behaviour", "code"),
    [
        (says(OK + b"x-much: ", then=b"a" * 65536), Code.NOT_HTTP),
        (says(OK, then=b"x-many: a\r\n" * 5000), Code.NOT_HTTP),
        (says(OK + b"\r\n", then=b"a" * 65536), Code.TOO_LARGE),
        (gzip_bomb, Code.TOO_LARGE),
        (br_bomb, Code.TOO_LARGE),
        (zstd_bomb, Code.TOO_LARGE),
        (says(OK + b"content-encoding: gzip\r\n\r\nnot at all"), Code.BAD_ENCODING),
        (says(OK + b"content-encoding: gzip\r\n\r\n" + CUT_GZIP), Code.BODY_CUT),
        (says(OK + b"content-encoding: compress\r\n\r\nabc"), Code.BAD_ENCODING),
        (says(CHUNKED + b"zzz\r\nabc\r\n"), Code.BODY_CUT),
        (says(OK + b"content-length: 100\r\n\r\nabc"), Code.BODY_CUT),
        (says(CHUNKED + b"a\r\nabc"), Code.BODY_CUT),
        (says(bytes(range(256)) * 4), Code.NOT_HTTP),
        (says(), Code.NOT_HTTP),
        (moved(b"/again"), Code.TOO_MANY_REDIRECTS),
        (moved(b"file:///etc/passwd"), Code.NOT_HTTP),
    ],
)
async def test_each_wrong_gets_one_sentence_and_a_code(behaviour: Any, code: Code) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    async with misbehaving(behaviour) as url:
        fault = await refusal(url)
    assert fault.code is code
    assert fault.message.endswith(".")
    assert "\n" not in fault.message
    assert fault.hint
    grown_mib = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown_mib < 100


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_what_is_flushed_is_read_at_once_whatever_it_is_coded_in(coding: str) -> None:
    events = [b"data: %d\n\n" % number for number in range(3)]
    read = asyncio.Event()

    async def flush(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await send(writer, OK + f"content-encoding: {coding}\r\n\r\n".encode())
        for piece in flushed(coding, events):
            await send(writer, piece)
            await read.wait()
            read.clear()

    async def run() -> list[bytes]:
        seen = []
        async with misbehaving(flush) as url, Client() as asking, asking.stream(Ask("GET", url)) as response:
            async for _, data in response.reads():
                seen.append(data)
                read.set()
                if len(seen) == len(events):
                    break
        return seen

    assert asyncio.run(asyncio.wait_for(run(), 30)) == events


async def test_a_server_that_never_answers_is_given_up() -> None:
    async with misbehaving(says(stays=True)) as url:
        assert (await refusal(url, timeout_s=0.05)).code is Code.TIMED_OUT


async def test_a_small_request_has_one_patience_for_all_of_it() -> None:
    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await send(writer, OK + b"\r\n")
        while True:
            await send(writer, b"a")
            await asyncio.sleep(0.01)

    async with misbehaving(drip) as url, Client() as client:
        with pytest.raises(KitError) as caught:
            await client.fetch(Ask("GET", url), within_ms=100)
        assert caught.value.code is Code.TIMED_OUT


async def test_a_port_without_a_server_is_unreachable() -> None:
    async with misbehaving(says(stays=True)) as url:
        pass
    assert (await refusal(url)).code is Code.UNREACHABLE


@pytest.mark.parametrize("proxy", ["socks5://me:secret@127.0.0.1:1", "ftp://x", "http://", "http://x:0x"])
async def test_a_proxy_that_is_none_is_said_to_be_none(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", proxy)
    fault = await refusal("http://example.com/")
    assert "http_proxy" in fault.hint
    assert "secret" not in fault.message


def test_a_proxy_may_be_named_by_host_and_port_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> int:
        async with misbehaving(says(OK + b"content-length: 2\r\n\r\nok")) as url:
            monkeypatch.setenv("http_proxy", url.removeprefix("http://"))
            return await read_all("http://example.invalid/")

    assert asyncio.run(run()) == 2


async def test_an_unknown_name_is_not_found() -> None:
    assert (await refusal("http://no-such-host.invalid/")).code is Code.NAME_NOT_FOUND


@pytest.mark.parametrize(
    "url", ["", "example.com", "ftp://a/", "http://", "http://a:99999/", "http://[::1", "/x"]
)
async def test_what_is_no_address_is_said_to_be_none(url: str) -> None:
    assert (await refusal(url)).code is Code.BAD_USAGE


async def test_another_names_certificate_is_refused(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    client._ssl_context.cache_clear()

    def tls(name: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(name).configure_cert(context)
        return context

    async with misbehaving(says(OK + b"content-length: 2\r\n\r\nok"), tls("127.0.0.1")) as url:
        assert await read_all(url) == 2
    async with misbehaving(says(OK + b"content-length: 2\r\n\r\nok"), tls("example.org")) as url:
        assert (await refusal(url)).code is Code.TLS_FAILED


def test_credentials_stay_with_the_origin_they_were_given_for() -> None:
    there: list[bytes] = []
    here: list[bytes] = []

    async def run() -> None:
        async with misbehaving(says(OK + b"content-length: 0\r\n\r\n"), heads=there) as elsewhere:
            onward = moved(f"{elsewhere}/x".encode(), b"307 Go")
            async with misbehaving(onward, heads=here) as url, Client() as client:
                headers = (
                    ("authorization", "Bearer secret"),
                    ("X-Serverless-Authorization", "Bearer secret-too"),
                    ("x-mine", "kept"),
                )
                async with client.stream(Ask("GET", url, headers)):
                    pass

    asyncio.run(run())
    assert b"authorization: bearer secret\r\n" in here[0]
    assert b"x-serverless-authorization: bearer secret-too\r\n" in here[0]
    assert b"x-mine: kept" in there[0]
    assert b"secret" not in there[0]


@pytest.mark.parametrize("onward", [b"http://[::1/", b"ftp://example.com/?key=secret"])
async def test_a_redirect_to_no_address_is_the_servers_fault(onward: bytes) -> None:
    async with misbehaving(moved(onward)) as url:
        fault = await refusal(url)
        assert fault.code is Code.NOT_HTTP
        assert url in fault.message
        assert "secret" not in fault.message


def test_a_name_and_password_in_the_address_are_sent_as_a_browser_would() -> None:
    heads: list[bytes] = []

    async def run() -> None:
        async with misbehaving(says(OK + b"content-length: 0\r\n\r\n"), heads=heads) as url:
            mine = url.replace("http://", "http://m%65:s%40cret@")
            async with Client() as client:
                for headers in ((), (("Authorization", "Bearer x"),)):
                    async with client.stream(Ask("GET", f"{mine}/x", headers)):
                        pass

    asyncio.run(run())
    assert b"authorization: basic bwu6c0bjcmv0" in heads[0]  # me:s@cret; the fixture lowers what it keeps
    assert b"basic" not in heads[1]
    assert b"s%40cret" not in b"".join(heads)


@pytest.mark.parametrize("content", [None, "no certificate"])
async def test_unreadable_certificates_are_named(
    content: str | None, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    if content is not None:
        (tmp_path / "ca.pem").write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    client._ssl_context.cache_clear()
    fault = await refusal("https://127.0.0.1:1/")
    assert fault.code is Code.TLS_FAILED
    assert "SSL_CERT_FILE" in fault.hint


async def test_a_read_is_stamped_when_it_returned_and_not_when_it_was_looked_at() -> None:
    sent = asyncio.Event()

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await send(writer, CHUNKED + b"3\r\nabc\r\n")
        sent.set()
        await asyncio.Event().wait()

    async with misbehaving(answer) as url, Client() as client, client.stream(Ask("GET", url)) as response:
        reads = response.reads()
        at, data = await anext(reads)
        assert data == b"abc"
        assert response.head_ms <= at <= now_ms()


def test_a_server_that_answers_and_then_refuses_is_not_asked_for_tls() -> None:
    answers = iter([b"HTTP/1.1 204 No Content\r\n\r\n"])

    def once(connection: Connection) -> None:
        if connection.request():
            connection.send(next(answers, b""))

    async def twice(url: str) -> None:
        for _ in range(2):
            async with Client() as asking, asking.stream(Ask("GET", url)):
                pass

    with wire(once) as server:
        with pytest.raises(KitError):
            asyncio.run(twice(server.url))
        assert server.closed()
        assert len(server.connections) == 2


@pytest.mark.parametrize(("by", "seen"), [(By.FIN, "FIN"), (By.RST, "RST"), (By.RST_STREAM, "FIN")])
@pytest.mark.parametrize("answered", [False, True])
def test_a_client_leaves_as_it_is_to_and_before_an_answer_too(by: By, seen: str, answered: bool) -> None:
    left: Queue[str] = Queue()
    asked = threading.Event()

    def behave(one: Connection) -> None:
        one.request()
        if answered:
            one.send(CHUNKED + b"9\r\ndata: 1\n\n\r\n")
        asked.set()
        try:
            left.put("FIN" if one.receive() == b"" else "more")
        except ConnectionResetError:
            left.put("RST")

    async def run(url: str) -> None:
        read = asyncio.Event()

        async def reads(asking: Client) -> None:
            async with asking.stream(Ask("GET", url)) as response:
                async for _ in response.reads():
                    read.set()

        async with Client() as asking:
            reading = asyncio.create_task(reads(asking))
            await (read.wait() if answered else asyncio.to_thread(asked.wait, 30))
            async with asking.leaving(by):
                reading.cancel()
                await asyncio.wait({reading})
            assert await asyncio.to_thread(left.get, timeout=30) == seen

    with wire(behave) as server:
        asyncio.run(run(server.url))
