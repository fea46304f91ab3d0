"""An HTTP server on a free port of 127.0.0.1, a thread for each connection."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Threads(ThreadingHTTPServer):
    """Listens from its making, answers from `start` to `close`."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed in the middle, or trusts no CA of ours: tests do it on purpose."""

    def start(self) -> None:
        """Answer."""
        self._thread.start()

    def close(self) -> None:
        """Take no more connections; those that are open end with their clients."""
        self.shutdown()
        self.server_close()
        self._thread.join()
