"""Real servers and relays that pass on that a client left: the origin notices at once."""

from __future__ import annotations

import asyncio

import pytest

from kit.proof.conditions import Switch
from kit.proof.contract import ClauseFinding
from tests.fixtures.sites import NEW, CaddySite, EnvoySite, NginxSite, NodeSite
from tests.fixtures.together import measured_by, through
from tests.kit.probe.test_cancelled import left, stops

pytestmark = pytest.mark.alone

COLLECTS = "function envoy_on_response(handle) handle:body() end"
DESTROYS = 'response.on("close", () => asking.destroy());'
# Each opens three streams at a time, and an origin takes sixteen.
_turn = asyncio.Semaphore(4)


async def left_in_turn(url: str, *, header: Switch = "on", http2: bool = False) -> ClauseFinding:
    async with _turn:
        return await left(url, header=header, http2=http2)


found = measured_by(left_in_turn)


@through(lambda origin: origin())
def test_with_nothing_between_the_origin_notices_at_once(found: ClauseFinding) -> None:
    stops(found)


@through(lambda origin: NginxSite(origin()))
def test_nginx_passes_it_on_by_default(found: ClauseFinding) -> None:
    stops(found)


@through(lambda origin: NginxSite(origin()), header="off")
def test_so_does_one_that_buffers(found: ClauseFinding) -> None:
    stops(found)


@through(lambda origin: NginxSite(origin(), NEW, tls=True), http2=True)
def test_nginx_passes_on_that_a_request_of_http_2_is_taken_back(found: ClauseFinding) -> None:
    stops(found)
    assert any("left by RST_STREAM before the origin had sent anything" in line for line in found.evidence)


@through(lambda origin: NginxSite(origin(), NEW, tls=False), http2=True)
def test_where_there_is_no_http_2_connections_are_closed(found: ClauseFinding) -> None:
    stops(found)
    assert not any("RST_STREAM" in line for line in found.evidence)


@through(lambda origin: CaddySite(origin()))
def test_caddy_passes_it_on(found: ClauseFinding) -> None:
    stops(found)


@through(lambda origin: CaddySite(origin(), "flush_interval -1"))
def test_so_does_one_that_flushes_at_once(found: ClauseFinding) -> None:
    stops(found)  # those of 2.6 to 2.8 did not


@through(
    lambda origin: CaddySite(origin("tests.fixtures.apps:without_incremental"), "response_buffers 64KiB")
)
def test_so_does_one_that_collects_a_block(found: ClauseFinding) -> None:
    stops(found)
    assert any("while its first event was held" in line for line in found.evidence)


@through(lambda origin: CaddySite(origin(), tls=True), http2=True)
def test_caddy_passes_it_on_over_http_2(found: ClauseFinding) -> None:
    stops(found)


@through(lambda origin: EnvoySite(origin(), http_1_0=False))
def test_envoy_passes_it_on(found: ClauseFinding) -> None:
    stops(found)


@through(lambda origin: EnvoySite(origin(), COLLECTS, http_1_0=False))
def test_so_does_an_envoy_that_collects_the_answer(found: ClauseFinding) -> None:
    stops(found)
    assert any("while its first event was held" in line for line in found.evidence)


@through(lambda origin: EnvoySite(origin(), http_1_0=False, tls=True), http2=True)
def test_envoy_passes_it_on_over_http_2(found: ClauseFinding) -> None:
    stops(found)


@through(lambda origin: NodeSite(origin(), asks=DESTROYS))
def test_a_relay_of_nodes_that_looks_for_the_close_passes_it_on(found: ClauseFinding) -> None:
    stops(found)
