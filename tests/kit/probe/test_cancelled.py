"""Whether an origin knows that its client left, behind real servers and relays that do not pass it on."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from math import inf
from pathlib import Path
from typing import cast

import pytest

from kit.errors import Code, KitError
from kit.probe.cancelled import cancelled
from kit.probe.proof_runner import ProofRequest
from kit.probe.tls import Trust, trusting
from kit.proof.actions import By
from kit.proof.cancelled import Departure, Outcome
from kit.proof.conditions import Conditions, Switch
from kit.proof.contract import ClauseFinding, Limit, Term
from kit.proof.doubts import Doubt
from tests.fixtures.certificates import Certificate
from tests.fixtures.gunicorn import Gunicorn
from tests.fixtures.origin import Origin
from tests.fixtures.processes import free_port, listens, running
from tests.fixtures.proxies import Fleet, Nginx
from tests.fixtures.sites import NEW, CaddySite, NginxSite, NodeSite
from tests.fixtures.together import measured_by, through

pytestmark = pytest.mark.alone

IGNORES = "proxy_ignore_client_abort on;"
PIPELINE = (
    "response.writeHead(got.statusCode, got.headers).flushHeaders(); pipeline(got, response, () => {});"
)


async def left(
    url: str, *, header: Switch = "on", http2: bool = False, watch_s: float = 5.0
) -> ClauseFinding:
    with trusting(Trust(insecure=True)):
        request = ProofRequest(f"{url}/proof", Conditions(header=header, http2=http2))
        return await cancelled(request, watch_s=watch_s, http2=http2)


found = measured_by(left, apart=True)


def stops(found: ClauseFinding) -> None:
    (figure,) = found.figures
    assert (found.sure, found.doubts) == ("proved", ()), found.evidence
    assert found.says.startswith("stops after "), found.evidence
    assert Limit(Term.CANCEL, "<", 1_000.0).met([found]) is not False
    assert figure.least <= 100.0, found.evidence  # how narrow the figure is, the machine decides


def goes_on_with(found: ClauseFinding, says: str) -> None:
    """It goes on, or does until the origin writes again."""
    (figure,) = found.figures
    assert (found.sure, found.doubts) == ("proved", ()), found.evidence
    assert says in found.says, found.evidence
    assert 1_000.0 <= figure.least < figure.most == inf, found.evidence
    assert Limit(Term.CANCEL, "<", 1_000.0).met([found]) is False


@through(lambda origin: NginxSite(origin(), IGNORES))
def test_nginx_that_ignores_it_stops_once_it_cannot_write(found: ClauseFinding) -> None:
    goes_on_with(found, "stops only 2 events later")


@through(lambda origin: NginxSite(origin(), "root stored; proxy_store on;"), header="off")
def test_nginx_that_stores_the_answer_goes_on(found: ClauseFinding) -> None:
    goes_on_with(found, "goes on (watched ")


@through(
    lambda origin: NginxSite(
        origin(),
        "proxy_cache kept; proxy_cache_valid 1m; proxy_ignore_headers Cache-Control;",
        "proxy_cache_path kept keys_zone=kept:1m;",
    ),
    header="off",
)
def test_so_does_one_that_keeps_a_copy(found: ClauseFinding) -> None:
    goes_on_with(found, "goes on (watched ")


@through(lambda origin: NginxSite(origin(), NEW + IGNORES, tls=True), http2=True)
def test_and_one_that_ignores_it_does_not(found: ClauseFinding) -> None:
    goes_on_with(found, "stops only at the next event")


@through(lambda origin: NodeSite(origin()))
def test_a_pipe_of_nodes_goes_on(found: ClauseFinding) -> None:
    goes_on_with(found, "goes on (watched ")


@through(lambda origin: NodeSite(origin(), PIPELINE))
def test_a_pipeline_of_nodes_does_not_hear_of_it_before_there_is_an_answer(found: ClauseFinding) -> None:
    goes_on_with(found, "before the first event it stops only at the next event")
    assert found.says.startswith("by FIN or by RST it stops after ")


@through(lambda origin: origin("tests.fixtures.relays:streams", upstream=origin()))
def test_starlette_does_not_hear_of_it_before_there_is_an_answer(found: ClauseFinding) -> None:
    goes_on_with(found, "before the first event it stops only at the next event")
    assert found.says.startswith("by FIN or by RST it stops after ")


@through(lambda origin: origin("tests.fixtures.relays:reads_whole", upstream=origin()))
def test_a_relay_that_reads_the_whole_message_goes_on(found: ClauseFinding) -> None:
    goes_on_with(found, "goes on (watched ")


def test_httpx_ends_no_stream_of_http_2_that_it_leaves(origin: Origin, fleet: Fleet) -> None:
    (secure,) = fleet([CaddySite(origin(), tls=True)])
    relay = origin("tests.fixtures.relays:streams", upstream=secure, http2=1)
    goes_on_with(asyncio.run(left(relay)), "goes on (watched ")


def test_of_gunicorns_workers_one_notices_by_its_writes_and_one_is_asked_in_vain(gunicorn: Gunicorn) -> None:
    app = "tests.fixtures.wsgi_proof:app"
    urls = [gunicorn(app), gunicorn(app, "sync", threads=1)]

    async def both() -> list[ClauseFinding]:
        return await asyncio.gather(*map(left, urls))

    threads, sync = asyncio.run(both())
    goes_on_with(threads, "stops only 2 events later")
    assert (sync.sure, sync.figures) == ("unknown", ())
    if Doubt.BUSY_MACHINE not in sync.doubts:
        assert sync.says == "with one stream open, no side request was answered"
        assert "gthread" in sync.advice
    # On a busy machine that may be why they did not come back.
    assert {*sync.doubts} <= {Doubt.SIDE_REQUEST_HUNG, Doubt.BUSY_MACHINE}


@pytest.mark.parametrize("http2", [False, True])
def test_hypercorn_hears_of_it(http2: bool, certificate: Certificate, tmp_path: Path) -> None:
    port, pem = free_port(), certificate.folder
    argv = [sys.executable, "-m", "hypercorn", "service.main:app", "--bind", f"127.0.0.1:{port}"]
    argv += ["--certfile", f"{pem}/cert.pem", "--keyfile", f"{pem}/key.pem"]
    with running(argv, listens(port), tmp_path / "log", env={"STREAMPROOF_LAB": "1"}):
        found = asyncio.run(left(f"https://127.0.0.1:{port}", http2=http2))
    stops(found)
    assert any("RST_STREAM" in line for line in found.evidence) is http2


def test_a_watch_costs_what_it_is_given_and_no_more(origin: Origin, nginx: Nginx) -> None:
    url = nginx(origin(), location=IGNORES)
    began = time.monotonic()
    found = asyncio.run(left(url, watch_s=3.0))
    assert time.monotonic() - began < 5.0
    goes_on_with(found, "stops only 2 events later")


def test_an_address_without_the_proof_is_unknown(origin: Origin) -> None:
    found = asyncio.run(left(f"{origin()}/nowhere", watch_s=2.0))
    assert (found.sure, found.figures) == ("unknown", ())


def test_an_address_without_a_server_is_an_error() -> None:
    with pytest.raises(KitError) as caught:
        asyncio.run(left("http://127.0.0.1:1"))
    assert caught.value.code is Code.UNREACHABLE


@pytest.mark.parametrize("stalls", [0, 1, 2])
def test_what_this_process_slept_through_is_left_once_more(
    stalls: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: Counter[tuple[By, bool, bool]] = Counter()

    async def slept(_: ProofRequest, machine: object, **how: object) -> Departure:
        way = cast(tuple[By, bool, bool], machine)
        runs[way] += 1
        if way[0] is By.RST and runs[way] <= stalls:
            return Departure(*way[:2], Outcome.UNDECIDED, why="slept", doubts=(Doubt.BUSY_MACHINE,))
        return Departure(*way[:2], Outcome.STOPS, most_ms=5.0)

    def machine(by: By, *, early: bool, watch_ms: float, talks: bool) -> tuple[By, bool, bool]:
        return by, early, talks

    monkeypatch.setattr("kit.probe.cancelled.driven", slept)
    monkeypatch.setattr("kit.probe.cancelled.departs", machine)
    found = asyncio.run(cancelled(ProofRequest("http://nowhere/proof"), watch_s=0.4))
    assert {*runs.values()} == ({1} if not stalls else {1, 2})
    assert found.sure == ("likely" if stalls == 2 else "proved")
