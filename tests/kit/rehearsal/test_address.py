"""A Gateway's address: which rule fits, which version answers, and until when."""

from __future__ import annotations

import http.client
import json
import socket
import urllib.request
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.rehearsal.address import under
from kit.rehearsal.hosting import Hosting
from kit.rehearsal.uploads import Rule, Upload, Way
from tests.fixtures.processes import eventually
from tests.kit.lab.bundles import SERVER
from tests.kit.rehearsal.test_hosting import get

HOST = "127.0.0.1"
DOCKERFILE = b'FROM scratch\nCMD ["python", "serve.py"]\n'


@pytest.fixture(scope="module")
def hosting() -> Iterator[Hosting]:
    """Two versions of a namespace's."""
    with Hosting() as hosting:
        for version in ("one", "two"):
            files = {"serve.py": SERVER.encode(), "Dockerfile": DOCKERFILE}
            hosting.serve(Upload("gke", "space", version, files, {"VERSION": version}, None))
        yield hosting


@pytest.fixture
def gateway(hosting: Hosting) -> Iterator[str]:
    """The URL of a Gateway without rules."""
    port = free_port()
    assert hosting.open_gateway(HOST, port) == HOST
    yield f"http://{HOST}:{port}"
    hosting.close_gateway(HOST)


def free_port() -> int:
    with socket.create_server((HOST, 0)) as listener:
        return int(listener.getsockname()[1])


def way(version: str | None, weight: int = 1, timeout_s: float = 300) -> Way:
    return Way("space", version, weight, timeout_s)


def version_at(url: str) -> str:
    with urllib.request.urlopen(f"{url}/about", timeout=30) as answer:
        return str(json.load(answer)["env"]["VERSION"])


def test_the_first_rule_that_fits_leads_to_a_version_by_weight(hosting: Hosting, gateway: str) -> None:
    rules = Rule("/two", "/", (way("two"),)), Rule("/", None, (way("one"), way("two", 0)))
    hosting.route_gateway(HOST, rules)
    assert {version_at(gateway) for _ in range(10)} == {"one"}
    assert version_at(f"{gateway}/two") == "two"
    assert get(f"{gateway}/two/ready") == (200, b"")
    hosting.route_gateway(HOST, (Rule("/", None, (way("one"), way("two"))),))
    for version in ("one", "two"):
        eventually(lambda version=version: version_at(gateway) == version)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("rules", "status"),
    [
        ((), 404),
        ((Rule("/two", "/", (way("two"),)),), 404),
        ((Rule("/", None, (way("one", 0),)),), 500),
        ((Rule("/", None, ()),), 500),
        ((Rule("/", None, (way(None),)),), 503),
        ((Rule("/", None, (way("gone"),)),), 503),
    ],
)
def test_without_a_version_the_front_answers_itself(
    hosting: Hosting, gateway: str, rules: tuple[Rule, ...], status: int
) -> None:
    hosting.route_gateway(HOST, rules)
    assert get(f"{gateway}/ready")[0] == status


def test_an_answer_ends_without_its_end_at_its_services_timeout(hosting: Hosting, gateway: str) -> None:
    """`SERVER` sends "one", and "two" only on demand."""
    hosting.route_gateway(HOST, (Rule("/", None, (way("one", timeout_s=0.3),)),))
    with closing(http.client.HTTPConnection(gateway.removeprefix("http://"), timeout=60)) as client:
        client.request("GET", "/stream")
        answer = client.getresponse()
        assert answer.status == 200
        with pytest.raises(http.client.IncompleteRead) as cut:
            answer.read()
        assert cut.value.partial == b"one"


def test_a_version_is_healthy_that_answers_200(hosting: Hosting) -> None:
    assert hosting.healthy("space", "one", "/ready")
    assert not hosting.healthy("space", "one", "/go-on")
    assert not hosting.healthy("space", "gone", "/ready")


PARTS = st.lists(st.text(alphabet="ab%.", min_size=1, max_size=3), max_size=4)


@given(PARTS, PARTS)
def test_a_prefix_is_of_whole_parts(prefix: list[str], path: list[str]) -> None:
    rest = under(f"/{'/'.join(prefix)}".encode(), f"/{'/'.join(path)}".encode())
    assert (rest is not None) == (path[: len(prefix)] == prefix)
    if rest is not None and prefix:
        assert rest == "".join(f"/{part}" for part in path[len(prefix) :]).encode()
