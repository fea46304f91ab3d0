"""Whether an origin knows that its client left: real proxies that pass it on, and others that do not."""

from __future__ import annotations

from math import inf

import pytest

from kit.probe.cancelled import cancelled
from kit.probe.proof_runner import ProofRequest
from kit.proof.conditions import Conditions, Switch
from kit.proof.contract import ClauseFinding
from tests.fixtures.sites import NginxSite
from tests.fixtures.together import measured_by, through

pytestmark = pytest.mark.alone


async def left(url: str, *, header: Switch = "on", watch_s: float = 5.0) -> ClauseFinding:
    return await cancelled(ProofRequest(f"{url}/proof", Conditions(header=header)), watch_s=watch_s)


found = measured_by(left)


def stops(found: ClauseFinding) -> None:
    (figure,) = found.figures
    assert (found.sure, found.doubts) == ("proved", ()), found.evidence
    assert found.says.startswith("stops after "), found.evidence
    assert figure.most <= 100.0, found.evidence


def at_event(found: ClauseFinding) -> None:
    (figure,) = found.figures
    assert (found.sure, found.doubts) == ("proved", ()), found.evidence
    assert found.says == "stops only 2 events later", found.evidence
    assert 300.0 <= figure.least < figure.most == inf, found.evidence


def goes_on(found: ClauseFinding) -> None:
    (figure,) = found.figures
    assert (found.sure, found.doubts) == ("proved", ()), found.evidence
    assert found.says.startswith("goes on (watched "), found.evidence
    assert 1_000.0 <= figure.least < figure.most == inf, found.evidence


@through(lambda origin: origin())
def test_with_nothing_between_the_origin_notices_at_once(found: ClauseFinding) -> None:
    stops(found)


@through(lambda origin: NginxSite(origin()))
def test_nginx_passes_it_on_by_default(found: ClauseFinding) -> None:
    stops(found)


@through(lambda origin: NginxSite(origin()), header="off")
def test_so_does_one_that_buffers(found: ClauseFinding) -> None:
    stops(found)


@through(lambda origin: NginxSite(origin(), "proxy_ignore_client_abort on;"))
def test_nginx_that_ignores_it_stops_once_it_cannot_write(found: ClauseFinding) -> None:
    at_event(found)


@through(lambda origin: NginxSite(origin(), "proxy_store stored$uri;"), header="off")
def test_nginx_that_stores_the_answer_goes_on(found: ClauseFinding) -> None:
    goes_on(found)
