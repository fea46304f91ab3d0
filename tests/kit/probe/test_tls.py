from __future__ import annotations

import asyncio
import ssl

import pytest

from kit.errors import Code, KitError
from kit.probe.client import Ask, Client
from kit.probe.tls import Trust, speaks_tls, trust_here, trusting
from tests.fixtures.certificates import Certificate
from tests.fixtures.misbehaving import misbehaving, says

ANSWER = says(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")


def server(certificate: Certificate) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.folder / "cert.pem", certificate.folder / "key.pem")
    return context


async def status(url: str, trust: Trust) -> int | KitError:
    with trusting(trust):
        try:
            async with Client(timeout_s=10) as client, client.stream(Ask("GET", url)) as response:
                return response.status
        except KitError as error:
            return error


async def test_a_certificate_of_ones_own_is_trusted_by_name_or_unseen(certificate: Certificate) -> None:
    async with misbehaving(ANSWER, server(certificate)) as url:
        stranger = await status(url, Trust())
        assert isinstance(stranger, KitError)
        assert stranger.code is Code.TLS_FAILED
        assert await status(url, Trust(cacert=str(certificate.folder / "ca.pem"))) == 200
        assert await status(url, Trust(insecure=True)) == 200
    assert trust_here() == Trust()


async def test_what_trusts_otherwise_shares_no_connection(certificate: Certificate) -> None:
    async with misbehaving(ANSWER, server(certificate)) as url, Client(timeout_s=10) as client:
        with trusting(Trust(insecure=True)):
            async with client.stream(Ask("GET", url)) as response:
                assert response.status == 200
        with pytest.raises(KitError):
            async with client.stream(Ask("GET", url)):
                pass


async def test_certificates_that_cannot_be_read_are_named() -> None:
    found = await status("https://127.0.0.1:1/", Trust(cacert="/no/such/file.pem"))
    assert isinstance(found, KitError)
    assert (found.code, found.hint[:17]) == (Code.TLS_FAILED, "Correct --cacert,")


async def test_plain_http_on_a_port_that_speaks_tls_names_the_address_that_was_meant(
    certificate: Certificate,
) -> None:
    async with misbehaving(ANSWER, server(certificate)) as url:
        found = await status(url.replace("https://", "http://"), Trust())
        assert isinstance(found, KitError)
        assert (found.code, found.hint) == (Code.NOT_HTTP, f"Did you mean {url}?")


async def test_tls_on_a_port_that_speaks_plain_http_names_the_address_that_was_meant() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as plain:
        port = plain.sockets[0].getsockname()[1]
        found = await status(f"https://127.0.0.1:{port}/x", Trust())
        assert isinstance(found, KitError)
        assert (found.code, found.hint) == (Code.TLS_FAILED, f"Did you mean http://127.0.0.1:{port}/x?")
        assert not await speaks_tls("127.0.0.1", port)
