"""The contract's clauses through real servers and proxies, some that keep each and some that break it.

`make soak` counts how often each was right, unsure and wrong beside a busy machine.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Mapping

import pytest

from kit.flows.contract import measured
from kit.probe.proof_runner import ProofRequest
from kit.proof.contract import Clause, ClauseFinding, ContractSpec
from tests.fixtures.origin import Origin
from tests.fixtures.proxies import Fleet
from tests.fixtures.sites import CaddySite, EnvoySite, NginxSite, NodeSite, Site
from tests.kit.probe.test_cancelled import IGNORES
from tests.kit.probe.test_many import ZONE
from tests.system.matrix import Outcome

# Watched at once: each opens several streams, and their pace says what becomes of them.
AT_ONCE = 3

CASES: Mapping[Clause, Mapping[str, tuple[Callable[[Origin], Site | str], str]]] = {
    Clause.CANCELLED: {
        "no hop": (lambda origin: origin(), "stops after .*"),
        "nginx": (lambda origin: NginxSite(origin()), "stops after .*"),
        "Caddy": (lambda origin: CaddySite(origin()), "stops after .*"),
        "Envoy": (lambda origin: EnvoySite(origin()), "stops after .*"),
        "nginx that ignores it": (lambda origin: NginxSite(origin(), IGNORES), ".*stops only .*"),
        "a pipe of node's": (lambda origin: NodeSite(origin()), ".*goes on .*"),
        "what reads the whole message": (
            lambda origin: origin("tests.fixtures.relays:reads_whole", upstream=origin()),
            "goes on .*",
        ),
    },
    Clause.MANY: {
        "no hop": (lambda origin: origin(), "10 at once pass"),
        "nginx": (lambda origin: NginxSite(origin()), "10 at once pass"),
        "Caddy": (lambda origin: CaddySite(origin()), "10 at once pass"),
        "Envoy": (lambda origin: EnvoySite(origin()), "10 at once pass"),
        "nginx, limit_conn 6": (
            lambda origin: NginxSite(origin(), "limit_conn streams 6;", ZONE),
            r"refused from the 7th on \(503\)",
        ),
        "Envoy, max_requests 5": (
            lambda origin: EnvoySite(origin(), breakers=(("max_requests", 5),)),
            r"refused from the 6th on \(503\)",
        ),
        "Envoy, max_connections 4": (
            lambda origin: EnvoySite(origin(), breakers=(("max_connections", 4),)),
            "queued from the 5th on",
        ),
    },
    Clause.KEPT_ALIVE: {
        "no hop": (lambda origin: origin(), "lives for at least [5-6] s"),
        "Caddy": (lambda origin: CaddySite(origin()), "lives for at least [5-6] s"),
        "nginx, proxy_read_timeout 2s": (
            lambda origin: NginxSite(origin(), "proxy_read_timeout 2s;"),
            "cut after 2 s of silence",
        ),
        # Envoy ends a connection up to a second after its time is over.
        "Envoy, idle_timeout 2s": (
            lambda origin: EnvoySite(origin(), idle_s=2),
            "cut after [23] s of silence",
        ),
        "Envoy, timeout 3s": (lambda origin: EnvoySite(origin(), timeout_s=3), "cut after [34] s"),
    },
}


def outcome(found: ClauseFinding, truth: str) -> Outcome:
    """How a finding compares with what is so."""
    right = re.fullmatch(truth, found.says) is not None
    if found.sure == "proved":
        return Outcome.RIGHT if right else Outcome.FALSE
    return Outcome.UNSURE if right or found.sure == "unknown" else Outcome.WRONG


@pytest.mark.alone
@pytest.mark.long
@pytest.mark.thorough
@pytest.mark.parametrize("clause", CASES)
def test_each_clause_is_right_where_it_is_kept_and_where_it_is_broken(
    clause: Clause, origin: Origin, fleet: Fleet, record_property: Callable[[str, object], None]
) -> None:
    cases = CASES[clause]
    places = {name: make(origin) for name, (make, _) in cases.items()}
    sites = {name: place for name, place in places.items() if not isinstance(place, str)}
    urls = {**places, **dict(zip(sites, fleet(list(sites.values())), strict=True))}
    spec = ContractSpec((clause,), for_s=6.5)

    async def all_of_them() -> list[ClauseFinding]:
        turn = asyncio.Semaphore(AT_ONCE)

        async def one(url: str) -> ClauseFinding:
            async with turn:
                return await measured(clause, spec, ProofRequest(f"{url}/proof"), lambda _: None)

        return await asyncio.gather(*(one(str(urls[name])) for name in cases))

    answers = []
    for (name, (_, truth)), found in zip(cases.items(), asyncio.run(all_of_them()), strict=True):
        came = outcome(found, truth)
        line = f"{came}  {clause}, {name}: {found.says} ({found.sure}) {[*found.doubts]}"
        answers.append((came, line if came is Outcome.RIGHT else f"{line} {found.evidence}"))
    record_property("answers", json.dumps(answers))
    missed = [line for came, line in answers if came is not Outcome.RIGHT]
    assert not missed, "\n".join(missed)
