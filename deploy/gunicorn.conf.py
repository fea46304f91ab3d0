"""How every bundle starts, on every platform: `gunicorn -c gunicorn.conf.py service.main:app`.

Read from the environment, because the JSON form of a Dockerfile's CMD expands no variables.
"""

import math
import os

from uvicorn_worker import UvicornWorker

try:
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
except ImportError:  # an app of the user's own without httptools: uvicorn takes h11, which has limits
    HttpToolsProtocol = None

HEAD_BYTES = 65_536
REFUSAL = b"""\
HTTP/1.1 431 Request Header Fields Too Large\r
Connection: close\r
Content-Type: application/problem+json\r
\r
{"title": "Request Header Fields Too Large", "status": 431, "detail": "What is long belongs in the body."}
"""


class HeadTooLargeError(Exception):
    """A request whose head is longer than HEAD_BYTES."""


if HttpToolsProtocol is not None:

    class BoundedProtocol(HttpToolsProtocol):
        """uvicorn's, which takes a head without an end as it comes: 20 MB of it were 385 MiB of memory.

        Here a head (the request line, header fields, and trailers if there are any) has HEAD_BYTES at most.
        """

        head = 0  # bytes of it so far
        unheard = 0  # bytes that the parser has not reported yet: perhaps a line without an end

        def data_received(self, data):
            self.unheard += len(data)
            super().data_received(data)
            if self.unheard > HEAD_BYTES and not self.transport.is_closing():
                self.refuse()

        def on_message_begin(self):
            self.head = 0
            super().on_message_begin()

        def on_url(self, url):
            self.count(url)
            super().on_url(url)

        def on_header(self, name, value):
            self.count(name, value)
            super().on_header(name, value)

        def on_headers_complete(self):
            self.unheard = 0
            super().on_headers_complete()

        def on_body(self, body):
            self.unheard = 0
            super().on_body(body)

        def on_message_complete(self):
            self.unheard = 0
            super().on_message_complete()

        def count(self, *parts):
            self.unheard = 0
            self.head += sum(map(len, parts)) + 4  # ": " and the line's end
            if self.head > HEAD_BYTES:
                raise HeadTooLargeError  # the parser stops, and so does uvicorn, by `send_400_response`

        def send_400_response(self, msg):
            if self.head > HEAD_BYTES:
                self.refuse()
            else:
                super().send_400_response(msg)

        def refuse(self):
            # To an answer that is under way only an end can be put.
            if self.cycle is None or self.cycle.response_complete:
                self.transport.write(REFUSAL)
            self.transport.close()

    class BoundedWorker(UvicornWorker):
        """uvicorn's worker with that protocol."""

        CONFIG_KWARGS = {**UvicornWorker.CONFIG_KWARGS, "http": BoundedProtocol}  # noqa: RUF012  # as its parent


bind = f"{os.environ.get('STREAMPROOF_BIND') or '0.0.0.0'}:{os.environ.get('PORT') or '8080'}"  # noqa: S104
worker_class = UvicornWorker if HttpToolsProtocol is None else BoundedWorker
workers = int(os.environ.get("STREAMPROOF_WORKERS") or "1")

# The service ends its own streams when its grace is over; what is still open a second later is killed without
# a word. gunicorn takes whole seconds only.
graceful_timeout = math.ceil(float(os.environ.get("STREAMPROOF_SHUTDOWN_GRACE_S") or "8")) + 1

# No watchdog: where the CPU is throttled between requests, a worker that only slept would be killed.
timeout = 0

# Longer than a Google front end keeps an idle connection (600 s): else it reuses one that is just being
# closed, and its client gets a 502.
keepalive = 620

# A prompt may stand in a query, and belongs in no log.
accesslog = None

# The socket's path is one for all instances under a HOME.
control_socket_disable = True
