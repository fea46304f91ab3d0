"""Where a cluster's API listens: a port of 127.0.0.1, by TLS, with a certificate of a CA of its own."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import trustme

from kit.rehearsal.kubernetes.api import Stream
from kit.rehearsal.threads import Threads
from kit.rehearsal.wire import Request, Response

HOST = "127.0.0.1"


class Server:
    """Listens from its making to `close`.

    Attributes:
        address: "127.0.0.1:PORT".
        ca: its CA's certificate, base64 of PEM, as clusters.get gives it.
    """

    def __init__(self, answer: Callable[[Request], Response | Stream]) -> None:
        authority = trustme.CA()
        self.ca = base64.b64encode(authority.cert_pem.bytes()).decode()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(HOST).configure_cert(context)

        class Handler(_Handler):
            def answer(self, request: Request) -> Response | Stream:
                return answer(request)

            def setup(self) -> None:
                self.request = context.wrap_socket(self.request, server_side=True)
                super().setup()

        server = Threads(Handler)
        self.address = f"{HOST}:{server.server_address[1]}"
        self.close = server.close
        server.start()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, request: Request) -> Response | Stream:
        raise NotImplementedError

    def _any(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        url = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        found = self.answer(Request(self.command, "kubernetes", unquote(url.path), query, headers, body))
        if isinstance(found, Stream):
            self._stream(found)
            return
        content = found.content
        self.send_response(found.status)
        for name, value in {"content-type": "application/json", **found.headers}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _any

    def _stream(self, stream: Stream) -> None:
        self.send_response(200)
        self.send_header("content-type", stream.content_type)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for piece in stream.pieces:
            if piece:
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        if stream.cut:
            self.close_connection = True
        else:
            self.wfile.write(b"0\r\n\r\n")

    def finish(self) -> None:
        try:
            super().finish()
        finally:
            self.connection.close()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: calls are recorded, not logged."""
