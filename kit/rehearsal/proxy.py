"""The way in: an HTTP proxy on 127.0.0.1 that ends TLS itself, with a throw-away CA, for any host."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from functools import cache
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import trustme

from kit.rehearsal.threads import Threads
from kit.rehearsal.wire import Request, Response

Answer = Callable[[Request], Response]


class Proxy:
    """Listens on a free port from `start` to `close`. `ca_file` is what a client must trust.

    Args:
        answer: called in a thread of its connection for each request out of a tunnel.
        astray: called with what came in any other way, around the client's own transport.
        folder: where the CA's certificate is written.
    """

    def __init__(self, answer: Answer, astray: Callable[[str], None], folder: Path) -> None:
        ca = trustme.CA()
        self.ca_file = folder / "ca.pem"
        ca.cert_pem.write_to_path(str(self.ca_file))
        lock = threading.Lock()

        @cache
        def context(host: str) -> ssl.SSLContext:
            made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            ca.issue_cert(host).configure_cert(made)
            return made

        class Tunnel(_Tunnel):
            def tls(self, host: str) -> ssl.SSLContext:
                with lock:
                    return context(host)

            def answer(self, request: Request) -> Response:
                return answer(request)

            def astray(self, what: str) -> None:
                astray(what)

        self._server = Threads(Tunnel)
        self.port: int = self._server.server_address[1]
        self.start, self.close = self._server.start, self._server.close


class _Tunnel(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    host: str | None = None

    def tls(self, host: str) -> ssl.SSLContext:
        raise NotImplementedError

    def answer(self, request: Request) -> Response:
        raise NotImplementedError

    def astray(self, what: str) -> None:
        raise NotImplementedError

    def do_CONNECT(self) -> None:
        host = self.path.rpartition(":")[0]
        self.send_response(200, "Connection established")
        self.end_headers()
        self.wfile.flush()
        self.connection = self.tls(host).wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb", -1)
        self.wfile = self.connection.makefile("wb", -1)
        self.host = host
        self.close_connection = False

    def finish(self) -> None:
        super().finish()
        if isinstance(self.connection, ssl.SSLSocket):
            # The server closes the plain socket, which wrapping has detached: this one is ours to close.
            self.connection.close()

    def _any(self) -> None:
        body = self._body()
        if self.host is None:
            self.astray(f"{self.command} {self.path}: plain HTTP to the proxy")
            response = Response({}, 501)
        else:
            url = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            query = dict(parse_qsl(url.query, keep_blank_values=True))
            response = self.answer(Request(self.command, self.host, url.path, query, headers, body))
        content = response.content
        self.send_response(response.status)
        headers = {"content-type": "application/json; charset=UTF-8", **response.headers}
        for name, value in headers.items():
            self.send_header(name, value)
        if response.status != 204:
            self.send_header("content-length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD" and response.status != 204:
            self.wfile.write(content)
        self.wfile.flush()

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _any

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("transfer-encoding", "").lower():
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return body

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: calls are recorded, not logged."""
