"""A client that leaves, behind emulated fronts of which no source says whether they pass it on.

What such a front does in the lab is how it happens to be made, so that it is not measured: the service is
asked with no front before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from kit.flows.contract import Asking, ask_clauses
from kit.probe.client import Ask, Client
from kit.probe.origin import discover
from kit.probe.proof_runner import ProofRequest
from kit.probe.spec import beside_conditions
from kit.proof.contract import ASKED, Clause, ClauseFinding, ContractSpec, unsourced
from kit.proof.lane import Lane
from kit.targets import FrontSpec


def through(front: FrontSpec, contract: ContractSpec) -> ContractSpec:
    """What of the contract can be asked through that front."""
    if front.client_leaves == "passed":
        return contract
    return replace(contract, clauses=tuple(one for one in contract.clauses if one is not Clause.CANCELLED))


async def left_directly(
    asks: Mapping[str, Ask], contract: ContractSpec, *, token: str, timeout_s: float
) -> dict[str, ClauseFinding]:
    """What each service itself does when its client leaves; nothing where the contract does not ask that.

    Args:
        asks: what asks for each one's answer, with no front between, by the lane's name.
        contract: how it is asked.
        token: the proof's.
        timeout_s: how long a service may take to say whether it has a proof.

    Raises:
        KitError: one cannot be reached.
    """
    if Clause.CANCELLED not in contract.clauses:
        return {}
    askings = []
    for ask in asks.values():
        async with Client(timeout_s=timeout_s) as client:
            found = await discover(
                client, ask.url, ask.headers, within_ms=timeout_s * 1000, proof_url=None, token=token
            )
        headers = beside_conditions(ask, found)
        request = None if found.base is None else ProofRequest(found.base, headers=headers)
        alone = replace(contract, clauses=(Clause.CANCELLED,))
        askings.append(Asking(alone, request, found.why_not, lambda _: None))
    found_each = await ask_clauses(askings)
    return {name: one for name, (one,) in zip(asks, found_each, strict=True)}


def with_unsourced(lane: Lane, itself: ClauseFinding | None) -> Lane:
    """The lane with what is known of a client that leaves; `itself`: of its service, None where not asked."""
    if itself is None or lane.error is not None:
        return lane
    clauses = sorted((*lane.clauses, unsourced(itself)), key=lambda one: ASKED.index(one.clause))
    return replace(lane, clauses=tuple(clauses))
