"""`kit workshop` as a person runs it: who may ask it, and that nothing is left when it ends."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.fixtures.command import first_line, start
from tests.system.leftovers import processes_in

Process = subprocess.Popen[str]


@pytest.fixture
def page(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[Process, str]]:
    """A workshop, of one lane of the lab unless it has other arguments, and where its page is."""
    process = start(tmp_path, "workshop", "--port", "0", "--json", *getattr(request, "param", ["run"]))
    yield process, first_line(process)["url"]
    process.kill()
    process.communicate()
    give_up = time.monotonic() + 120
    while processes_in(tmp_path) or list((tmp_path / "tmp").iterdir()):
        assert time.monotonic() < give_up, "something is left"
        time.sleep(0.02)


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """Follow none."""


def answered(url: str, body: bytes | None = None, **headers: str) -> tuple[int, Any, str]:
    """Status, headers and body."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    opener = urllib.request.build_opener(NoRedirect)
    try:
        with opener.open(urllib.request.Request(url, body, names), timeout=60) as response:
            return int(response.status), response.headers, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read().decode()


def status(url: str, body: bytes | None = None, **headers: str) -> int:
    return answered(url, body, **headers)[0]


def reply(url: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data), timeout=60) as response:
        return json.load(response)


def test_it_answers_its_own_page_only_and_ends_with_nothing_left(page: tuple[Process, str]) -> None:
    process, url = page
    assert status(url) == 200
    assert status(f"{url}/page/sse.js") == status(f"{url}/page/workshop.js") == 200
    # Another's page: by a name that it had resolve to here, or from its own.
    assert status(url, Host="evil.example") == 421
    for path in ("/api/runs", "/api/path", "/here/proof/ping", "/relay/x/0/answer"):
        assert status(url + path, b"", Sec_Fetch_Site="cross-site") == 403
        assert status(url + path, b"", Origin="http://evil.example") == 403
    # It relays to no lane that the browser may ask itself, nor anywhere else.
    go = {"prompt": "Why?", "lanes": ["run"]}
    run = reply(f"{url}/api/runs", go)["run"]
    for what in ("proof/../whoami", "whoami", "http://evil.example/", "proof/feed/x"):
        assert status(f"{url}/relay/{run}/0/{what}", b"") in (400, 404, 410)
    # A wrong option gets a sentence.
    none_of_it = {"lanes": ["nowhere"]}, {"header": "maybe"}, {"prompt": ""}, {"tokens_per_s": 0}
    for wrong in ({}, *({**go, **part} for part in none_of_it)):
        assert status(f"{url}/api/runs", json.dumps(wrong).encode()) == 400
    assert status(f"{url}/api/runs/unknown/0/answer", b"") == 410
    assert status(f"{url}/api/runs/{run}/7/answer", b"") == 410
    assert status(f"{url}/api/runs/{run}/0/answer", b"\xff") == 400
    assert status(f"{url}/api/runs/{run}/0/answer", b" " * 1_100_000) == 413

    # Ended while a stream is open: at once, and the port is free.
    where = urlsplit(url)
    stream = socket.create_connection((where.hostname or "", where.port or 0))
    stream.sendall(f"GET /here/proof/stream?id={'a' * 32} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    assert stream.recv(9) == b"HTTP/1.1 "
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in err
    stream.close()
    with socket.socket() as client:
        assert client.connect_ex((where.hostname or "", where.port or 0)) != 0


@pytest.mark.parametrize("page", [["a=http://127.0.0.1:1", "--allow-host", "room.example"]], indirect=True)
def test_where_others_reach_the_page_it_answers_only_those_who_show_the_secret(
    page: tuple[Process, str],
) -> None:
    _, address = page
    url, _, secret = address.partition("/?token=")
    go = json.dumps({"prompt": "Why?", "lanes": ["a"]}).encode()
    everything = {
        "/": None, "/page/workshop.js": None, "/api/site": None, "/api/recording": None, "/api/runs": go,
        "/api/path": b"", "/here/proof/ping?n=1": None, "/relay/x/0/answer": b"",
    }  # fmt: skip
    for path, body in everything.items():
        assert status(url + path, body) == 401, path
        assert status(url + path, body, Authorization="Bearer wrong", Cookie="token=wrong") == 401, path
        # Under a name of the tunnel's, too.
        assert status(url + path, body, Host="room.example") == 401, path
    assert status(f"{url}/?token=wrong") == 401
    assert status(f"{url}/?token=") == 401
    assert status(f"{url}/api/runs?token={secret}", go) == 401  # it opens the page, and nothing else
    _, headers, text = answered(url)
    assert headers["WWW-Authenticate"] == "Bearer"
    assert "Open the whole address that `kit workshop` printed" in text
    assert "Open the whole address" in json.loads(answered(f"{url}/api/site")[2])["error"]["hint"]

    code, headers, _ = answered(address)
    assert (code, headers["Location"], headers["Cache-Control"]) == (303, "./", "no-store")
    cookie, *rules = headers["Set-Cookie"].split("; ")
    assert sorted(rules) == ["HttpOnly", "SameSite=lax"]
    assert status(url, Cookie=cookie) == 200
    assert status(f"{url}/api/runs", go, Cookie=cookie) == 200
    assert status(f"{url}/api/site", Authorization=f"Bearer {secret}") == 200
    # It takes the place of nothing else.
    assert status(f"{url}/api/runs", go, Cookie=cookie, Sec_Fetch_Site="cross-site") == 403
    assert status(url, Cookie=cookie, Host="evil.example") == 421
