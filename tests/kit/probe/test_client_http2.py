"""HTTP/2 and TLS, through a real Caddy with a certificate of the test's own."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from kit.probe import client
from kit.probe.client import Ask, Client
from kit.probe.spec import LaneSpec
from kit.proof.lane import Lane
from kit.proof.verdict import Method, Shape, Verdict
from tests.fixtures.origin import Origin
from tests.fixtures.probing import probed
from tests.fixtures.processes import free_port, running
from tests.fixtures.tools import Tool

pytestmark = pytest.mark.alone


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[trustme.CA]:
    """A certificate authority that this process trusts."""
    made = trustme.CA()
    made.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    client._ssl_context.cache_clear()
    yield made
    client._ssl_context.cache_clear()


@pytest.fixture
def secure(tool: Tool, authority: trustme.CA, origin: Origin, tmp_path: Path) -> Iterator[str]:
    """The service behind Caddy, HTTP/1.1 and HTTP/2 over TLS; below /held it buffers 64 KiB."""
    service = origin("tests.fixtures.apps:without_incremental")
    directives = f"""
        handle_path /held/* {{
            reverse_proxy {service} {{
                response_buffers 64KiB
            }}
        }}
        reverse_proxy {service}
    """
    with behind_tls(tool("caddy"), authority, tmp_path, directives) as url:
        yield url


@contextmanager
def behind_tls(caddy: Path, authority: trustme.CA, tmp_path: Path, directives: str) -> Iterator[str]:
    """A Caddy that speaks HTTP/1.1 and HTTP/2 over TLS, with these directives for all that it is asked."""
    leaf = authority.issue_cert("127.0.0.1")
    leaf.private_key_pem.write_to_path(tmp_path / "key.pem")
    leaf.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    port = free_port()
    (tmp_path / "Caddyfile").write_text(
        f"""
        {{
            admin off
            auto_https disable_redirects
            persist_config off
        }}
        https://127.0.0.1:{port} {{
            bind 127.0.0.1
            tls {tmp_path}/cert.pem {tmp_path}/key.pem
            {directives}
        }}
        """
    )

    def listening() -> bool:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1) as plain:
                trusting = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
                with trusting.wrap_socket(plain, server_hostname="127.0.0.1"):
                    return True
        except OSError:
            return False

    argv: list[str | Path] = [caddy, "run", "--config", tmp_path / "Caddyfile", "--adapter", "caddyfile"]
    with running(argv, listening, tmp_path / "caddy.log"):
        yield f"https://127.0.0.1:{port}"


def measured(url: str, *, http2: bool) -> Lane:
    return asyncio.run(probed(LaneSpec("x", Ask("GET", url), http2=http2)))


@pytest.mark.parametrize("http2", [False, True])
def test_a_stream_over_tls_is_proved_in_lock_step(secure: str, http2: bool) -> None:
    lane = measured(f"{secure}/search?ai_prompt=Why&max_output_tokens=40", http2=http2)
    assert lane.error is None
    assert (lane.verdict, lane.method, lane.doubts) == (Verdict.INCREMENTAL, Method.LOCK_STEP, ())


@pytest.mark.parametrize("http2", [False, True])
def test_a_buffer_over_tls_is_measured_too(secure: str, http2: bool) -> None:
    lane = measured(f"{secure}/held/search?ai_prompt=Why&max_output_tokens=40", http2=http2)
    assert lane.error is None
    assert (lane.verdict, lane.shape, lane.block_bytes) == (Verdict.BYTE_LIMITED, Shape.PREFIX, 65536)


@pytest.mark.parametrize(("http2", "version"), [(False, "HTTP/1.1"), (True, "HTTP/2")])
def test_http_2_is_spoken_when_it_is_offered(secure: str, http2: bool, version: str) -> None:
    async def run() -> tuple[str, int | None]:
        async with Client(http2=http2) as asking, asking.stream(Ask("GET", f"{secure}/health")) as response:
            return response.http_version, asking.multiplexed

    assert asyncio.run(run()) == (version, 250 if http2 else None)  # Go's own number for a server
