"""A hostile server gets one sentence and a code, in bounded time and memory."""

from __future__ import annotations

import asyncio
import gzip
import resource
import ssl
import zlib
from collections.abc import Callable
from typing import Any

import brotli
import pytest
import trustme

from kit.errors import Code, KitError
from kit.probe import client
from kit.probe.client import Ask, Client, now_ms
from tests.kit.probe.test_coding import coded, flushed

Server = Callable[..., Any]
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"content-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


async def send(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    await writer.drain()


async def for_ever(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def endless_header(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await send(writer, OK + b"x-much: ")
    while True:
        await send(writer, b"a" * 65536)


async def endless_headers(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await send(writer, OK)
    while True:
        await send(writer, b"x-many: a\r\n" * 5000)


async def endless_body(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await send(writer, OK + b"\r\n")
    while True:
        await send(writer, b"a" * 65536)


async def gzip_bomb(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await send(writer, OK + b"content-encoding: gzip\r\n\r\n")
    bomb = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    await send(writer, bomb.compress(bytes(1 << 20)) + bomb.flush(zlib.Z_FULL_FLUSH))
    more = bomb.compress(bytes(8 << 20)) + bomb.flush(zlib.Z_FULL_FLUSH)
    while True:
        await send(writer, more)


async def br_bomb(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    bomb, mib = brotli.Compressor(quality=1), bytes(1 << 20)
    begun = b"".join(bomb.process(mib) for _ in range(65))
    await send(writer, OK + b"content-encoding: br\r\n\r\n" + begun + bomb.finish())


async def zstd_bomb(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await send(writer, OK + b"content-encoding: zstd\r\n\r\n" + 9 * coded(bytes(8 << 20), "zstd"))


async def no_gzip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await send(writer, OK + b"content-encoding: gzip\r\n\r\nnot at all")


async def cut_gzip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await send(writer, OK + b"content-encoding: gzip\r\n\r\n" + gzip.compress(b"data: 1\n\n")[:-1])


async def odd_coding(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await send(writer, OK + b"content-encoding: compress\r\n\r\nabc")


async def wrong_chunks(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await send(writer, CHUNKED + b"zzz\r\nabc\r\n")


async def cut_short(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await send(writer, OK + b"content-length: 100\r\n\r\nabc")


async def cut_chunk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await send(writer, CHUNKED + b"a\r\nabc")


async def rubbish(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await send(writer, bytes(range(256)) * 4)


async def silent_end(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
    return


async def redirects(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await send(writer, b"HTTP/1.1 302 Found\r\nlocation: /again\r\ncontent-length: 0\r\n\r\n")


async def to_another_scheme(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await send(writer, b"HTTP/1.1 302 Found\r\nlocation: file:///etc/passwd\r\ncontent-length: 0\r\n\r\n")


async def read_all(url: str, timeout_s: float = 30.0) -> int:
    total = 0
    async with Client(timeout_s=timeout_s) as asking, asking.stream(Ask("GET", url)) as response:
        async for _, data in response.reads():
            total += len(data)
    return total


@pytest.mark.parametrize(
    ("behaviour", "code"),
    [
        (endless_header, Code.NOT_HTTP),
        (endless_headers, Code.NOT_HTTP),
        (endless_body, Code.TOO_LARGE),
        (gzip_bomb, Code.TOO_LARGE),
        (br_bomb, Code.TOO_LARGE),
        (zstd_bomb, Code.TOO_LARGE),
        (no_gzip, Code.BAD_ENCODING),
        (cut_gzip, Code.BODY_CUT),
        (odd_coding, Code.BAD_ENCODING),
        (wrong_chunks, Code.BODY_CUT),
        (cut_short, Code.BODY_CUT),
        (cut_chunk, Code.BODY_CUT),
        (rubbish, Code.NOT_HTTP),
        (silent_end, Code.NOT_HTTP),
        (redirects, Code.TOO_MANY_REDIRECTS),
        (to_another_scheme, Code.NOT_HTTP),
    ],
)
def test_each_wrong_gets_one_sentence_and_a_code(server: Server, behaviour: Any, code: Code) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    async def run() -> None:
        async with server(behaviour) as url:
            with pytest.raises(KitError) as caught:
                await read_all(url)
            assert caught.value.code is code
            assert caught.value.message.endswith(".")
            assert "\n" not in caught.value.message
            assert caught.value.hint

    asyncio.run(run())
    grown_mib = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown_mib < 100


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_what_is_flushed_is_read_at_once_whatever_it_is_coded_in(server: Server, coding: str) -> None:
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
        async with server(flush) as url, Client() as asking, asking.stream(Ask("GET", url)) as response:
            async for _, data in response.reads():
                seen.append(data)
                read.set()
                if len(seen) == len(events):
                    break
        return seen

    assert asyncio.run(asyncio.wait_for(run(), 30)) == events


async def test_a_server_that_never_answers_is_given_up(server: Server) -> None:
    async with server(for_ever) as url:
        with pytest.raises(KitError) as caught:
            await read_all(url, timeout_s=0.05)
        assert caught.value.code is Code.TIMED_OUT


async def test_a_small_request_has_one_patience_for_all_of_it(server: Server) -> None:
    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await send(writer, OK + b"\r\n")
        while True:
            await send(writer, b"a")
            await asyncio.sleep(0.01)

    async with server(drip) as url, Client() as client:
        with pytest.raises(KitError) as caught:
            await client.fetch(Ask("GET", url), within_ms=100)
        assert caught.value.code is Code.TIMED_OUT


async def test_nobody_listening_is_unreachable(server: Server) -> None:
    async with server(for_ever) as url:
        pass
    with pytest.raises(KitError) as caught:
        await read_all(url)
    assert caught.value.code is Code.UNREACHABLE


@pytest.mark.parametrize("proxy", ["socks5://me:secret@127.0.0.1:1", "ftp://x", "http://", "http://x:0x"])
def test_a_proxy_that_is_none_is_said_to_be_none(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", proxy)
    with pytest.raises(KitError) as caught:
        asyncio.run(read_all("http://example.com/"))
    assert "http_proxy" in caught.value.hint
    assert "secret" not in caught.value.message


def test_a_proxy_may_be_named_by_host_and_port_alone(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await send(writer, OK + b"content-length: 2\r\n\r\nok")

    async def run() -> int:
        async with server(answer) as url:
            monkeypatch.setenv("http_proxy", url.removeprefix("http://"))
            return await read_all("http://example.invalid/")

    assert asyncio.run(run()) == 2


def test_a_name_that_nobody_knows() -> None:
    with pytest.raises(KitError) as caught:
        asyncio.run(read_all("http://no-such-host.invalid/"))
    assert caught.value.code is Code.NAME_NOT_FOUND


@pytest.mark.parametrize(
    "url", ["", "example.com", "ftp://a/", "http://", "http://a:99999/", "http://[::1", "/x"]
)
def test_what_is_no_address_is_said_to_be_none(url: str) -> None:
    with pytest.raises(KitError) as caught:
        asyncio.run(read_all(url))
    assert caught.value.code is Code.BAD_USAGE


async def test_a_certificate_for_another_name_is_refused(
    server: Server, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    client._ssl_context.cache_clear()

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await send(writer, OK + b"content-length: 2\r\n\r\nok")

    def tls(name: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(name).configure_cert(context)
        return context

    async with server(answer, tls("127.0.0.1")) as url:
        assert await read_all(url) == 2
    async with server(answer, tls("example.org")) as url:
        with pytest.raises(KitError) as caught:
            await read_all(url)
        assert caught.value.code is Code.TLS_FAILED


def test_credentials_stay_with_the_origin_they_were_given_for(server: Server) -> None:
    there: list[bytes] = []
    here: list[bytes] = []

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await send(writer, OK + b"content-length: 0\r\n\r\n")

    async def run() -> None:
        async with server(answer, heads=there) as elsewhere:

            async def onward(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                place = elsewhere.encode()
                await send(
                    writer, b"HTTP/1.1 307 Go\r\nlocation: " + place + b"/x\r\ncontent-length: 0\r\n\r\n"
                )

            async with server(onward, heads=here) as url, Client() as client:
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
async def test_a_redirect_to_no_address_is_the_servers_fault(server: Server, onward: bytes) -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await send(writer, b"HTTP/1.1 302 Go\r\nlocation: %b\r\ncontent-length: 0\r\n\r\n" % onward)

    async with server(answer) as url:
        with pytest.raises(KitError) as caught:
            await read_all(url)
        assert caught.value.code is Code.NOT_HTTP
        assert url in caught.value.message
        assert "secret" not in caught.value.message


def test_a_name_and_password_in_the_address_are_sent_as_a_browser_would(server: Server) -> None:
    heads: list[bytes] = []

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await send(writer, OK + b"content-length: 0\r\n\r\n")

    async def run() -> None:
        async with server(answer, heads=heads) as url:
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
def test_certificates_that_cannot_be_read_are_said_so(
    content: str | None, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    if content is not None:
        (tmp_path / "ca.pem").write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    client._ssl_context.cache_clear()
    with pytest.raises(KitError) as caught:
        asyncio.run(read_all("https://127.0.0.1:1/"))
    assert caught.value.code is Code.TLS_FAILED
    assert "SSL_CERT_FILE" in caught.value.hint


async def test_a_read_is_stamped_when_it_returned_and_not_when_it_was_looked_at(server: Server) -> None:
    sent = asyncio.Event()

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await send(writer, CHUNKED + b"3\r\nabc\r\n")
        sent.set()
        await asyncio.Event().wait()

    async with server(answer) as url, Client() as client, client.stream(Ask("GET", url)) as response:
        reads = response.reads()
        at, data = await anext(reads)
        assert data == b"abc"
        assert response.head_ms <= at <= now_ms()
