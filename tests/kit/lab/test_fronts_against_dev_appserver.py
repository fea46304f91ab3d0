"""The whole-message front held against Google's own local server, dev_appserver, with Standard's bundle.

Both run the same copy of the rendered bundle, in which a few more paths say what no service should: lines
that bear the time at which each was sent, bodies around the cap, headers that are the platform's own. The
clock is the machine's one monotonic clock, for service and client alike, so that "held" needs no threshold:
nothing arrived before the last line had been sent.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from kit.bundle import write
from kit.config import Config
from kit.lab.lab import Lab, LabLane
from kit.render import render
from kit.targets import load_targets
from tests.fixtures.processes import answers, running
from tests.fixtures.tools import Tool

LINES = 10
CAP = 32 * 2**20
MORE_PATHS = """

import asyncio, json, time, urllib.parse

_service = app


async def app(scope, receive, send):
    if scope["type"] != "http" or not scope["path"].startswith("/more/"):
        return await _service(scope, receive, send)
    query = urllib.parse.parse_qs(scope["query_string"].decode())
    said = json.loads(query.get("say", ["{}"])[0])
    headers = [(name.encode(), value.encode()) for name, value in said.items()]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    if scope["path"] == "/more/lines":
        for _ in range(int(query["n"][0])):
            await asyncio.sleep(0.2)
            line = b"%d\\n" % time.monotonic_ns()
            await send({"type": "http.response.body", "body": line, "more_body": True})
    elif scope["path"] == "/more/bytes":
        await send({"type": "http.response.body", "body": b"x" * int(query["n"][0]), "more_body": True})
    else:
        seen = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        await send({"type": "http.response.body", "body": json.dumps(seen).encode(), "more_body": True})
    await send({"type": "http.response.body"})
"""


@dataclass(frozen=True)
class Answer:
    """A response, its headers in lower case, and when its very first byte came."""

    status: int
    headers: dict[str, str]
    body: bytes
    first_ns: int

    @property
    def held(self) -> bool:
        """Whether not a byte came before the last line had been sent."""
        return self.first_ns >= int(self.body.split()[-1])


def ask(url: str, path: str, **headers: str) -> Answer:
    """One GET."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=120)
    connection.request("GET", path, headers=headers)
    assert connection.sock is not None
    connection.sock.recv(1, 2)  # MSG_PEEK: returns with the first byte and leaves it there
    first_ns = time.monotonic_ns()
    response = connection.getresponse()
    fields = {name.lower(): value for name, value in response.getheaders()}
    answer = Answer(response.status, fields, response.read(), first_ns)
    connection.close()
    return answer


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rendered bundle for Standard, with more paths; its packages are those of this environment."""
    folder = tmp_path_factory.mktemp("standard")
    standard = load_targets()["standard"]
    rendered = write(render(standard, Config()), folder)
    main = rendered / "service" / "main.py"
    main.write_text(main.read_text() + MORE_PATHS)
    app = yaml.safe_load((rendered / "app.yaml").read_text())
    app["env_variables"] |= {"STREAMPROOF_BIND": "127.0.0.1", "STREAMPROOF_LAB": "1"}
    (rendered / "app.yaml").write_text(yaml.safe_dump(app))
    (rendered / "requirements.txt").write_text("")
    return rendered


@pytest.fixture(scope="module")
def google(tool: Tool, bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The bundle under dev_appserver: its URL."""
    sdk = tool("gcloud").resolve().parents[1]
    server = sdk / "platform" / "google_appengine" / "dev_appserver.py"
    if not server.is_file():
        pytest.skip("gcloud is installed without its component app-engine-python")
    folder = tmp_path_factory.mktemp("dev_appserver")
    log = folder / "log"
    env = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(folder),
        "TMPDIR": str(folder),
    }
    # The SDK's own Python where it brings one: dev_appserver does not run under every newer one.
    own = sdk / "platform" / "bundledpythonunix" / "bin" / "python3"
    argv: list[str | Path] = [own if own.exists() else sys.executable, "-S", server]
    argv += ["--automatic_restart=no", "--skip_sdk_update_check=yes", "--application=demo"]
    argv += [f"--storage_path={folder / 'storage'}", f"--runtime_python_path={_python(folder)}"]
    argv += [f"--{part}host=127.0.0.1" for part in ("", "admin_", "api_")]
    argv += [f"--{part}port=0" for part in ("", "admin_", "api_")]

    def url() -> str:
        found = re.search(r"Starting module .* running at: (http://\S+)", log.read_text(errors="replace"))
        return found[1] if found else ""

    def ready() -> bool:
        # Patiently: it starts one more instance for each request that waits, and a busy machine ends there.
        return bool(url()) and answers(f"{url()}/ready", 200, timeout_s=120)()

    with running([*argv, bundle / "app.yaml"], ready, log, env=env):
        yield url()


def _python(folder: Path) -> Path:
    """A Python with which dev_appserver makes the app's environment: an empty one, in no time.

    The app's packages are found behind it on PATH, in the environment of these tests.
    """
    python = folder / "python"
    python.write_text(
        "#!/bin/sh\n"
        '[ "$2" = venv ] || exec ' + shlex.quote(sys.executable) + ' "$@"\n'
        'mkdir -p "$3/bin" && echo "#!/bin/sh" >"$3/bin/pip" && chmod +x "$3/bin/pip"\n'
    )
    python.chmod(0o755)
    return python


@asynccontextmanager
async def lab(bundle: Path) -> AsyncIterator[tuple[str, str]]:
    """The same bundle in the lab, behind Standard's front and behind Cloud Run's: their URLs."""
    targets = load_targets()
    standard, other = targets["standard"], replace(targets["standard"], name="other")
    start = render(standard, Config()).start
    lanes = [LabLane(standard, bundle, start), LabLane(other, bundle, start, front=targets["run"].front)]
    async with Lab(lanes) as running_lab:
        yield running_lab.urls["standard"], running_lab.urls["other"]


async def asked(url: str, path: str, **headers: str) -> Answer:
    """The same, off the event loop, in which the fronts run."""
    return await asyncio.to_thread(ask, url, path, **headers)


async def test_lines_come_at_once_with_their_length_as_from_googles_server(google: str, bundle: Path) -> None:
    path = f'/more/lines?n={LINES}&say={{"x-accel-buffering":"no"}}'
    async with lab(bundle) as (ours, other):
        real_answer, our_answer, other_answer = [await asked(url, path) for url in (google, ours, other)]
    for answer in (real_answer, our_answer):
        assert answer.held
        assert len(answer.body.split()) == LINES
        assert answer.headers["content-length"] == str(len(answer.body))
        assert "transfer-encoding" not in answer.headers
        assert answer.headers["x-accel-buffering"] == "no"  # neither obeyed nor taken away
    assert not other_answer.held  # so that the comparison can fail
    assert "content-length" not in other_answer.headers


async def test_the_cap_is_googles_to_the_byte(google: str, bundle: Path) -> None:
    async with lab(bundle) as (ours, _):
        for url in (google, ours):
            largest = await asked(url, f"/more/bytes?n={CAP}")
            assert (largest.status, len(largest.body)) == (200, CAP)
            over = await asked(url, f"/more/bytes?n={CAP + 1}")
            assert (over.status, len(over.body) < 100) == (500, True)
        assert over.body == b""  # as Google's page says; its local server adds a sentence


async def test_the_same_headers_are_the_platforms_own_in_both_directions(google: str, bundle: Path) -> None:
    sent = {"Accept-Encoding": "gzip", "TE": "trailers", "Proxy-Authorization": "Basic eA==", "Mine": "1"}
    said = ["content-encoding", "keep-alive", "proxy-authenticate", "trailer", "upgrade", "mine"]
    path = f"/more/headers?say={json.dumps(dict.fromkeys(said, 'x'), separators=(',', ':'))}"
    async with lab(bundle) as (ours, other):
        for url in (google, ours):
            answer = await asked(url, path, **sent)
            reached = json.loads(answer.body)
            assert reached["mine"] == "1"
            assert reached["x-appengine-country"] == "ZZ"
            assert not {"te", "proxy-authorization"} & set(reached)
            assert reached.get("accept-encoding") != "gzip"  # dev_appserver's own client says "identity"
            assert set(answer.headers) & set(said) == {"mine"}
            assert {"server", "date"} <= set(answer.headers)
            assert "uvicorn" not in answer.headers["server"]
        other_answer = await asked(other, path, **sent)
        assert json.loads(other_answer.body)["accept-encoding"] == "gzip"


def test_the_probe_says_whole_message_of_googles_own_server(google: str) -> None:
    """It sends an instance one request at a time, so a lock-step feed is impossible, and pause has to do."""
    ran = subprocess.run(
        [sys.executable, "-m", "kit", "probe", google, "--expect", "whole-message", "--json"],
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert ran.returncode == 0, ran.stderr
    lane = json.loads(ran.stdout)["data"]
    assert (lane["verdict"], lane["shape"], lane["method"]) == ("whole-message", "whole", "pause")
