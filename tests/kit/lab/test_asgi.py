from __future__ import annotations

import json
import threading
from http.client import HTTPConnection
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
from starlette.applications import Starlette
from starlette.routing import Router

from kit.errors import Code, KitError
from kit.lab.asgi import serving, with_proof
from tests.fixtures.user_apps import Holder, bare, streaming, with_lifespan


def _threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "streamproof app"]


def test_an_app_is_served_and_its_lifespan_runs_and_nothing_is_left() -> None:
    told: list[str] = []
    with serving(with_lifespan(told)) as url, urlopen(f"{url}/hello") as response:
        assert response.read().startswith(b"data: 0 hello\n\n")
        assert told == ["started"]
    assert told == ["started", "ended"]
    assert _threads() == []


def test_an_app_whose_lifespan_fails_is_one_sentence() -> None:
    with pytest.raises(KitError) as raised, serving(with_lifespan([], fails=True)):
        pass
    assert raised.value.code is Code.SERVICE_DIED
    assert _threads() == []


def test_a_client_that_still_reads_keeps_nobody_waiting() -> None:
    with serving(bare) as url:
        reading = HTTPConnection(urlsplit(url).netloc)
        reading.request("GET", "/")
        assert reading.getresponse().read(4) == b"data"
    assert _threads() == []
    reading.close()


def test_the_proof_answers_below_an_unlikely_prefix_and_is_gone_afterwards() -> None:
    app = streaming()
    before = list(app.router.routes)
    with serving(app) as url:
        with with_proof(app) as prefix, urlopen(f"{url}{prefix}/ping") as response:
            assert json.load(response)["streamproof"] == 1
        with pytest.raises(HTTPError, match="404"):
            urlopen(f"{url}{prefix}/ping")
    assert app.router.routes == before


def test_no_route_for_everything_comes_before_the_proof() -> None:
    app = with_lifespan([])
    with with_proof(app) as prefix, serving(app) as url, urlopen(f"{url}{prefix}/ping") as response:
        assert json.load(response)["streamproof"] == 1


@pytest.mark.parametrize("app", [Starlette(), Router(), streaming(), Holder(Holder(streaming()))])
def test_the_routes_are_found_below_any_middleware(app: object) -> None:
    with with_proof(app) as prefix:  # type: ignore[arg-type]
        assert prefix is not None
        assert prefix.startswith("/streamproof-")


def test_where_there_are_no_routes_nothing_is_mounted() -> None:
    with with_proof(bare) as prefix:
        assert prefix is None
    circle = Holder(bare)
    circle.app = circle
    with with_proof(circle) as prefix:
        assert prefix is None
