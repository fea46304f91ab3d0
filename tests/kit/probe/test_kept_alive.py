"""How long streams live through real proxies whose limits are known."""

from __future__ import annotations

import asyncio

import pytest

from kit.errors import Code, Exit, KitError
from kit.probe.kept_alive import kept_alive, watch
from kit.probe.proof_runner import ProofRequest
from kit.proof.conditions import Conditions
from kit.proof.contract import Clause, Limit, Term
from kit.proof.stream_limits import Kind, Limits
from tests.fixtures.origin import Origin
from tests.fixtures.sites import CaddySite, EnvoySite, NginxSite
from tests.fixtures.together import measured_by, through

pytestmark = pytest.mark.alone

# A route's timeout, set as Envoy lets a request set it: the fixture's own route has none.
TIMEOUT_2S = """
function envoy_on_request(handle)
  handle:headers():replace("x-envoy-upstream-rq-timeout-ms", "2000")
end
"""


async def watched(url: str, *, method: str = "GET", limit_s: float = 6.5) -> Limits:
    request = ProofRequest(f"{url}/proof", Conditions(method=method))
    return await watch(request, limit_s=limit_s, beat_s=0.4)


found = measured_by(watched)


def ends_by_its_read_timeout(found: Limits) -> None:
    assert (found.kind, found.doubts) == (Kind.IDLE_LIMIT, ()), found.evidence
    assert found.idle_s == pytest.approx(2.0, abs=0.5)
    assert any("broken off" in line for line in found.evidence)


@through(lambda origin: NginxSite(origin(), "proxy_read_timeout 2s;"))
def test_nginx_ends_a_stream_that_is_silent_for_its_read_timeout(found: Limits) -> None:
    ends_by_its_read_timeout(found)


@through(lambda origin: NginxSite(origin(), "proxy_read_timeout 2s;"), method="POST")
def test_nginx_ends_one_that_was_asked_for_by_post_as_well(found: Limits) -> None:
    ends_by_its_read_timeout(found)


@through(lambda origin: EnvoySite(origin(), TIMEOUT_2S, http_1_0=False), limit_s=8.5)
def test_envoy_ends_every_stream_after_its_routes_timeout(found: Limits) -> None:
    assert (found.kind, found.doubts) == (Kind.TIME_LIMIT, ()), found.evidence
    # It says nothing more after 2 s, and closes the connection a second later (its delayed_close_timeout).
    assert found.total_s == pytest.approx(3.0, abs=0.5)


@through(
    lambda origin: NginxSite(
        EnvoySite(origin(), TIMEOUT_2S.replace("2000", "4000"), http_1_0=False), "proxy_read_timeout 2s;"
    ),
    limit_s=9.0,
)
def test_both_limits_in_a_chain(found: Limits) -> None:
    assert found.kind is Kind.BOTH, found.evidence
    assert found.idle_s == pytest.approx(2.0, abs=0.5)
    assert found.total_s == pytest.approx(4.5, abs=0.8)


@through(lambda origin: CaddySite(origin()), limit_s=2.5)
def test_what_cuts_nothing_shows_no_limit(found: Limits) -> None:
    assert (found.kind, found.doubts) == (Kind.NO_LIMIT, ()), found.evidence
    assert "no limit below 2 s was seen" in found.evidence


@through(
    lambda origin: EnvoySite(
        origin(), TIMEOUT_2S + "function envoy_on_response(handle) handle:body() end", http_1_0=False
    )
)
def test_a_hop_that_collects_for_its_timeout_is_unclear_and_told(found: Limits) -> None:
    assert found.kind is Kind.UNCLEAR, found.evidence


def test_the_clause_says_what_was_proved_of_both(origin: Origin) -> None:
    said: list[str] = []
    found = asyncio.run(kept_alive(ProofRequest(f"{origin()}/proof"), for_s=2.0, say=said.append))
    assert (found.clause, found.sure, found.doubts) == (Clause.KEPT_ALIVE, "proved", ()), found.evidence
    assert said
    assert Limit(Term.IDLE, ">", 1_500.0).met([found]) is True
    assert Limit(Term.ALIVE, ">=", 2_000.0).met([found]) is True
    assert Limit(Term.ALIVE, ">", 60_000.0).met([found]) is None


def test_the_clause_is_unknown_where_there_is_no_proof(origin: Origin) -> None:
    for url in (f"{origin()}/nowhere", "http://127.0.0.1:1"):
        found = asyncio.run(kept_alive(ProofRequest(url), for_s=2.0))
        assert (found.sure, found.figures) == ("unknown", ())


def test_nobody_there_is_an_error() -> None:
    with pytest.raises(KitError) as caught:
        asyncio.run(watched("http://127.0.0.1:1"))
    assert caught.value.code is Code.UNREACHABLE


@pytest.mark.parametrize(("limit", "beat"), [(0.0, 1.0), (116.0, 4.0), (10.0, 0.0), (1.0, 2.0)])
def test_a_time_that_cannot_be_watched_is_refused(limit: float, beat: float) -> None:
    with pytest.raises(KitError) as caught:
        asyncio.run(watch(ProofRequest("http://127.0.0.1:1"), limit_s=limit, beat_s=beat))
    assert (caught.value.code, caught.value.exit) == (Code.BAD_USAGE, Exit.USAGE)


def test_a_service_without_the_proof_shows_nothing(origin: Origin) -> None:
    found = asyncio.run(watch(ProofRequest(f"{origin()}/nowhere"), limit_s=2.0, beat_s=0.4))
    assert found.kind is Kind.UNCLEAR
    assert "a stream was answered with 404" in found.evidence
