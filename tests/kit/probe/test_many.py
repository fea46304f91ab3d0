"""How many streams at once go through real proxies and servers whose limits are known."""

from __future__ import annotations

import asyncio
from math import inf

import pytest

from kit.errors import Code, Exit, KitError
from kit.probe.many import many
from kit.probe.proof_runner import ProofRequest
from kit.proof.conditions import Conditions
from kit.proof.contract import Clause, ClauseFinding, Figure, Sure, Term
from tests.fixtures.sites import CaddySite, NginxSite
from tests.fixtures.together import measured_by, through

pytestmark = pytest.mark.alone

ZONE = "limit_conn_zone $server_port zone=streams:1m;"


async def measured(
    url: str, *, streams: int = 10, http2: bool = False, method: str = "GET", base: str = "/proof"
) -> ClauseFinding:
    return await many(ProofRequest(f"{url}{base}", Conditions(method=method)), streams=streams, http2=http2)


found = measured_by(measured)


def is_said(found: ClauseFinding, sure: Sure, least: float, most: float, says: str) -> None:
    said = (found.clause, found.sure, found.figures, found.says)
    assert said == (Clause.MANY, sure, (Figure(Term.MANY, least, most),), says), found.evidence


@through(lambda origin: origin())
def test_ten_at_once_pass_without_a_hop(found: ClauseFinding) -> None:
    is_said(found, "proved", 10, inf, "10 at once pass")


@through(lambda origin: origin(), streams=300, method="POST")
def test_three_hundred_asked_for_by_post_pass_without_a_hop(found: ClauseFinding) -> None:
    is_said(found, "proved", 300, inf, "300 at once pass")


@through(lambda origin: CaddySite(origin()), streams=40)
def test_caddy_limits_nothing(found: ClauseFinding) -> None:
    is_said(found, "proved", 40, inf, "40 at once pass")


@through(lambda origin: NginxSite(origin(), "limit_conn streams 6;", ZONE))
def test_nginx_refuses_what_is_over_its_limit_conn(found: ClauseFinding) -> None:
    is_said(found, "proved", 6, 6, "refused from the 7th on (503)")
    assert "limit_conn ZONE 1000;" in found.advice
    assert any("calls itself nginx" in line for line in found.evidence)


@through(lambda origin: NginxSite(origin(), "limit_conn streams 10;", ZONE))
def test_a_limit_of_just_so_many_is_found_too(found: ClauseFinding) -> None:
    is_said(found, "proved", 10, 10, "refused from the 11th on (503)")


@through(lambda origin: NginxSite(origin(), "limit_conn streams 40;", ZONE), streams=40)
def test_nginx_passes_what_is_within_its_limit_conn(found: ClauseFinding) -> None:
    assert found.figures[0].least == 40


@through(lambda origin: NginxSite(origin(), "proxy_set_header X-Accel-Buffering no;"))
def test_nginx_with_nothing_set_passes_ten(found: ClauseFinding) -> None:
    is_said(found, "proved", 10, inf, "10 at once pass")


@through(
    lambda origin: NginxSite(
        origin(),
        "limit_req zone=rate burst=11 nodelay;",
        "limit_req_zone $server_port zone=rate:1m rate=4r/s;",
    )
)
def test_a_limit_on_a_rate_is_not_called_one_on_a_number(found: ClauseFinding) -> None:
    assert found.sure != "proved" or found.figures[0].most == inf, found


@through(lambda origin: origin(), base="/nowhere")
def test_a_service_without_the_proof_shows_nothing(found: ClauseFinding) -> None:
    assert (found.sure, found.figures) == ("unknown", ())
    assert found.says == "the origin's proof does not answer"


@pytest.mark.parametrize("streams", [0, -1, 10_001])
def test_a_number_that_cannot_be_asked_for_is_refused(streams: int) -> None:
    with pytest.raises(KitError) as caught:
        asyncio.run(many(ProofRequest("http://127.0.0.1:1/proof"), streams=streams))
    assert (caught.value.code, caught.value.exit) == (Code.BAD_USAGE, Exit.USAGE)
