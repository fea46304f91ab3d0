"""The service as it is started for real: by gunicorn, as every bundle does, and by uvicorn alone."""

from __future__ import annotations

import json
import secrets
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.fixtures.processes import DidNotStart, answers, free_port, running

ROOT = Path(__file__).parents[2]
PORTS_TRIED = 5


class Started(NamedTuple):
    """A running service. Its log is everything that it said."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path


Start = Callable[..., AbstractContextManager[Started]]


def _environment(settings: dict[str, str | float]) -> dict[str, str]:
    return {f"STREAMPROOF_{name.upper()}": str(value) for name, value in settings.items()}


@contextmanager
def by_gunicorn(log: Path, **settings: str | float) -> Iterator[Started]:
    """`gunicorn -c gunicorn.conf.py service.main:app`, with PORT from the platform."""
    argv: list[str | Path] = [
        sys.executable,
        "-m",
        "gunicorn",
        "-c",
        ROOT / "deploy" / "gunicorn.conf.py",
        "--chdir",
        ROOT,
    ]
    for tried in range(PORTS_TRIED):
        # Only this one knows its name: a stranger who took the port is never taken for it.
        port, instance = free_port(), secrets.token_hex(8)
        url = f"http://127.0.0.1:{port}"
        env = {"PORT": str(port), "STREAMPROOF_BIND": "127.0.0.1", "GAE_INSTANCE": instance}
        server = running(
            [*argv, "service.main:app"],
            lambda url=url, instance=instance: _is(url, instance),  # type: ignore[misc]
            log,
            env=env | _environment(settings),
        )
        try:
            process = server.__enter__()
        except DidNotStart:
            if tried + 1 == PORTS_TRIED:
                raise
            continue
        try:
            yield Started(url, process, log)
        finally:
            server.__exit__(None, None, None)
        return


def _is(url: str, instance: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/whoami", timeout=1) as response:
            return bool(json.load(response)["instance"] == instance)
    except (OSError, ValueError):
        return False


@contextmanager
def by_uvicorn(log: Path, **settings: str | float) -> Iterator[Started]:
    """`uvicorn service.main:app`, on a socket that is ours."""
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        fd = listening.fileno()
        argv: list[str | Path] = [
            sys.executable,
            "-m",
            "uvicorn",
            "--app-dir",
            ROOT,
            "service.main:app",
            "--fd",
            str(fd),
        ]
        with running(
            [*argv, "--no-access-log"],
            answers(f"{url}/health", 200),
            log,
            env=_environment(settings),
            pass_fds=[fd],
        ) as process:
            listening.close()  # else connections would queue up at a server that has ended
            yield Started(url, process, log)
