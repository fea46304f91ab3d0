"""The answers of the frameworks that people use: as they come from each, and behind an nginx that buffers."""

from __future__ import annotations

import asyncio

import pytest

from kit.probe.client import Ask
from kit.probe.spec import LaneSpec
from kit.proof.lane import Lane
from kit.proof.looks import Looks
from kit.proof.verdict import HELD, Method, Verdict
from tests.fixtures.frameworks import EVENTS, SECRET
from tests.fixtures.gunicorn import Gunicorn
from tests.fixtures.origin import Origin
from tests.fixtures.probing import probed
from tests.fixtures.proxies import Nginx
from tests.fixtures.sites import OLD, NginxSite
from tests.fixtures.together import measured_by, through

pytestmark = pytest.mark.alone


async def measure(url: str, path: str) -> Lane:
    return await probed(LaneSpec("x", Ask("GET", url + path), proof_token=SECRET))


lane = measured_by(measure)


def fastapi(origin: Origin) -> str:
    return origin("tests.fixtures.frameworks:fastapi", http="h11")


def django(origin: Origin) -> str:
    return origin("tests.fixtures.frameworks:django", http="h11")


ANSWERS = {
    "streaming-response": (fastapi, "/streaming-response"),
    "event-source-response": (fastapi, "/event-source-response"),
    "sse-starlette": (fastapi, "/sse-starlette"),
    "django": (django, "/chat"),
}
# They send X-Accel-Buffering: no by themselves.
BEARING = ("event-source-response", "sse-starlette")


def direct(name: str) -> object:
    app, path = ANSWERS[name]
    return pytest.param(name, marks=through(app, path=path), id=name)


def behind_nginx(name: str) -> object:
    app, path = ANSWERS[name]
    return pytest.param(name, marks=through(lambda origin: NginxSite(app(origin), OLD), path=path), id=name)


@pytest.mark.parametrize("name", [direct(name) for name in ANSWERS])
def test_each_streams_by_itself(name: str, lane: Lane) -> None:
    assert (lane.error, lane.verdict, lane.method) == (None, Verdict.INCREMENTAL, Method.LOCK_STEP)
    assert len(lane.timeline.arrivals) == EVENTS


@pytest.mark.parametrize("name", [behind_nginx(name) for name in ANSWERS])
def test_an_nginx_that_buffers_holds_those_that_do_not_forbid_it(name: str, lane: Lane) -> None:
    assert (lane.error, lane.method) == (None, Method.LOCK_STEP)
    assert (lane.verdict is Verdict.INCREMENTAL) is (name in BEARING), lane.evidence
    assert (lane.verdict in HELD) is (name not in BEARING), lane.evidence


async def looks(url: str) -> Looks | None:
    lane = await measure(url, "/chat")
    assert (lane.error, lane.verdict, lane.method) == (None, Verdict.INCONCLUSIVE, Method.PASSIVE)
    assert lane.timeline.watched is not None
    return lane.timeline.watched.looks


def test_flask_cannot_be_proved_and_looks_as_it_comes(gunicorn: Gunicorn, nginx: Nginx) -> None:
    flask = gunicorn("tests.fixtures.frameworks:wsgi")

    async def both() -> tuple[Looks | None, Looks | None]:
        directly, through_nginx = await asyncio.gather(looks(flask), looks(nginx(flask, location=OLD)))
        return directly, through_nginx

    assert asyncio.run(both()) == (Looks.STREAMED, Looks.ONE_LUMP)
