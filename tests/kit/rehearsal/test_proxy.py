"""The way in: TLS for any host with one certificate to trust, and nothing in the clear."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from kit.rehearsal.proxy import Proxy
from kit.rehearsal.wire import Request, Response


class Echo:
    """A proxy whose far end says what it was asked."""

    def __init__(self, folder: Path) -> None:
        self.astray: list[str] = []
        self.connections: set[str] = set()
        self.proxy = Proxy(self.answer, self.astray.append, folder)
        self.session = requests.Session()
        self.session.trust_env = False
        url = f"http://127.0.0.1:{self.proxy.port}"
        self.session.proxies = {"http": url, "https": url}
        self.session.verify = str(self.proxy.ca_file)

    def answer(self, request: Request) -> Response:
        self.connections.add(threading.current_thread().name)
        asked = {"method": request.method, "host": request.host, "path": request.path}
        return Response({**asked, "query": dict(request.query), "body": request.body.decode()})


@pytest.fixture
def echo(tmp_path: Path) -> Iterator[Echo]:
    echo = Echo(tmp_path)
    echo.proxy.start()
    yield echo
    echo.session.close()
    echo.proxy.close()


def test_any_host_is_answered_under_one_certificate(echo: Echo) -> None:
    for host in ("appengine.googleapis.com", "europe-west1-run.googleapis.com"):
        asked = echo.session.post(f"https://{host}/v1/a%2Fb?x=1&y=", data="body").json()
        assert asked == {
            "method": "POST",
            "host": host,
            "path": "/v1/a%2Fb",
            "query": {"x": "1", "y": ""},
            "body": "body",
        }
    assert echo.astray == []


def test_one_connection_carries_many_requests(echo: Echo) -> None:
    for _ in range(3):
        assert echo.session.get("https://run.googleapis.com/").status_code == 200
    assert len(echo.connections) == 1


def test_a_body_in_chunks_arrives_whole(echo: Echo) -> None:
    asked = echo.session.put("https://run.googleapis.com/", data=iter([b"one ", b"two"])).json()
    assert asked["body"] == "one two"


def test_plain_http_is_astray(echo: Echo) -> None:
    assert echo.session.get("http://example.com/x").status_code == 501
    (what,) = echo.astray
    assert "http://example.com/x" in what


def test_whoever_does_not_trust_the_certificate_gets_no_answer(echo: Echo) -> None:
    with pytest.raises(requests.exceptions.SSLError):
        echo.session.get("https://run.googleapis.com/", verify=True)
    assert not echo.connections
