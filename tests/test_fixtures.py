"""The fixtures that other tests stand on: a real proxy proxies, and a missing tool is said."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from tests.fixtures.origin import Origin
from tests.fixtures.proxies import Caddy, Envoy, Nginx


class _Hello(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = f"hello from {self.path} over {self.request_version}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def hello() -> Iterator[str]:
    """An origin that says which path it was asked for and in which version of HTTP."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Hello) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as response:
        body: bytes = response.read()
        return body.decode()


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_nginx_reaches_its_upstream_in_the_http_version_it_was_told(
    nginx: Nginx, hello: str, version: str
) -> None:
    base = nginx(hello, location=f"proxy_http_version {version};")
    assert _get(f"{base}/path") == f"hello from /path over HTTP/{version}"


def test_two_proxies_stand_behind_each_other(nginx: Nginx, hello: str) -> None:
    outer = nginx(nginx(hello))
    assert _get(f"{outer}/path").startswith("hello from /path")


def test_caddy_reaches_its_upstream_with_extra_directives(caddy: Caddy, hello: str) -> None:
    base = caddy(hello, directives="response_buffers 64KiB")
    assert _get(f"{base}/path").startswith("hello from /path")


@pytest.mark.parametrize("lua", ["", "function envoy_on_response(handle) handle:body() end"])
def test_envoy_reaches_its_upstream(envoy: Envoy, hello: str, lua: str) -> None:
    base = envoy(hello, lua=lua)
    assert _get(f"{base}/path").startswith("hello from /path")


def test_the_origin_is_the_service_as_the_lab_runs_it(origin: Origin) -> None:
    base = origin(tokens_per_s=1000, first_token_ms=0)
    assert json.loads(_get(f"{base}/proof/ping"))["streamproof"] == 1
    assert "event: done" in _get(f"{base}/search?ai_prompt=hello")


def test_an_origin_that_cannot_start_says_why(origin: Origin) -> None:
    with pytest.raises(pytest.fail.Exception, match="nosuch"):
        origin("service.nosuch:app")
