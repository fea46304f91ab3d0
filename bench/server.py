"""An ASGI app under uvicorn in a process of its own, on a port that listens before the process does."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

ENDS_WITHIN_S = 10.0


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: `port` on 127.0.0.1, and the `pid` whose CPU time counts."""

    port: int
    pid: int


@contextlib.contextmanager
def serve(app: str, *, factory: bool = False, env: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Start the app (`module:name`), and end it when the block is left.

    A client may connect at once: it then waits in the listening socket's queue until the app accepts, which
    is how start-up is timed without polling. What the server had to say is shown if the block fails.
    """
    with tempfile.TemporaryFile() as log:
        with socket.create_server(("127.0.0.1", 0), backlog=1024) as listening:
            port: int = listening.getsockname()[1]
            argv = [sys.executable, "-m", "uvicorn", app, "--fd", str(listening.fileno())]
            argv += ["--no-access-log", "--log-level", "warning", "--timeout-graceful-shutdown", "1"]
            argv += ["--factory"] * factory
            variables = {**os.environ, **(env or {})}
            process = subprocess.Popen(argv, env=variables, pass_fds=[listening.fileno()], stderr=log)
        try:
            yield Server(port, process.pid)
        except Exception:
            log.seek(0)
            sys.stderr.write(log.read()[-2000:].decode(errors="replace"))
            raise
        finally:
            process.terminate()
            try:
                process.wait(ENDS_WITHIN_S)
            except subprocess.TimeoutExpired:  # too busy to hear it
                process.kill()
                process.wait()
