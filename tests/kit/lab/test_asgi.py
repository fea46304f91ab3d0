from __future__ import annotations

import json
import threading
from http.client import HTTPConnection
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Router

from kit.errors import Code, KitError
from kit.lab.asgi import importable, refuse_wsgi, serving, with_proof
from tests.fixtures.user_apps import Holder, bare, streaming, with_lifespan


def _threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "streamproof app"]


def test_an_app_is_served_and_its_lifespan_runs_and_nothing_is_left() -> None:
    states: list[str] = []
    with serving(with_lifespan(states)) as url, urlopen(f"{url}/hello") as response:
        assert response.read().startswith(b"data: 0 hello\n\n")
        assert states == ["started"]
    assert states == ["started", "ended"]
    assert _threads() == []


def test_an_app_whose_lifespan_fails_is_one_sentence() -> None:
    with pytest.raises(KitError) as raised, serving(with_lifespan([], fails=True)):
        pass
    assert raised.value.code is Code.SERVICE_DIED
    assert _threads() == []


def test_a_client_that_still_reads_keeps_no_other_waiting() -> None:
    with serving(bare) as url:
        reading = HTTPConnection(urlsplit(url).netloc)
        reading.request("GET", "/")
        assert reading.getresponse().read(4) == b"data"
    assert _threads() == []
    reading.close()


TOKEN = "a-token-for-these-tests"


def ping(url: str, token: str = TOKEN) -> Any:
    with urlopen(Request(f"{url}/ping", headers={"Streamproof-Token": token})) as response:
        return json.load(response)


def test_the_proof_answers_below_an_unlikely_prefix_to_who_shows_the_token_and_is_gone_afterwards() -> None:
    app = streaming()
    before = list(app.router.routes)
    with with_proof(app, TOKEN) as (wrapped, prefix), serving(wrapped) as url:
        assert prefix.startswith("/streamproof-")
        assert ping(url + prefix)["streamproof"] == 1
        with pytest.raises(HTTPError, match="404"):
            ping(url + prefix, token="another-token-of-mine")
        with urlopen(f"{url}/chat?said=hello") as response:
            assert response.read().startswith(b"data: 0 hello")
    assert app.router.routes == before


def test_no_route_for_everything_comes_before_the_proof() -> None:
    with with_proof(with_lifespan([]), TOKEN) as (wrapped, prefix), serving(wrapped) as url:
        assert ping(url + prefix)["streamproof"] == 1


@pytest.mark.parametrize("app", [Starlette(), Router(), streaming(), Holder(Holder(streaming()))])
def test_the_proof_is_below_any_middleware_where_there_are_routes(app: Any) -> None:
    inner = app
    while isinstance(inner, Holder):
        inner = inner.app
    before = len(inner.routes)
    with with_proof(app, TOKEN):
        assert len(inner.routes) == before + 1
    assert len(inner.routes) == before


def test_where_there_are_no_routes_it_is_around_the_app() -> None:
    circle = Holder(bare)
    circle.app = circle
    for app in (bare, circle):
        with with_proof(app, TOKEN) as (wrapped, prefix), serving(wrapped) as url:
            assert ping(url + prefix)["streamproof"] == 1


def test_an_app_is_found_by_its_name_and_a_wsgi_app_is_refused_in_one_sentence() -> None:
    assert isinstance(importable("tests.fixtures.user_apps:streaming()"), FastAPI)
    assert importable("tests.fixtures.user_apps:bare") is bare
    refuse_wsgi(bare)
    refuse_wsgi(streaming())
    with pytest.raises(KitError) as raised:
        refuse_wsgi(lambda environ, start_response: [b""])  # type: ignore[arg-type, misc]
    assert raised.value.message == "That is a WSGI app, and the kit runs ASGI apps only."
