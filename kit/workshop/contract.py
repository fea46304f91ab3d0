"""The quick clauses of a lane's contract, asked on demand, from where the page's server runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from kit.flows.contract import Asking, ask_clauses
from kit.flows.emulated import left_directly, through
from kit.language import in_chinese, text
from kit.probe.client import Ask, Client
from kit.probe.origin import new_stream, stream_url
from kit.probe.proof_runner import ProofRequest
from kit.proof.contract import QUICK, Clause, ClauseFinding, ContractSpec, unsourced
from kit.report.clause import clause_view
from kit.targets import Target
from kit.workshop.lane_run import LaneRun
from kit.workshop.page_config import PageConfig


async def check(run: LaneRun, site: PageConfig, clauses: tuple[Clause, ...] = QUICK) -> list[dict[str, str]]:
    """Ask them of a lane, which has them then if it was judged; each as the page says it: {"en", "zh"}."""
    name = run.spec.target
    target = site.targets.get(name)
    emulated = site.environment == "lab" and target is not None
    asked = spec = ContractSpec(clauses)
    if emulated and target is not None:
        spec = through(target.front, spec)
    request = run.proof_request
    (found,) = await ask_clauses([Asking(spec, request, run.why_not, lambda _: None)])
    if spec != asked:
        itself = ClauseFinding(Clause.CANCELLED, "", "unknown")
        if request is not None:
            within_s, token = run.spec.timeout_s, run.spec.proof_token or ""
            async with _awake(request):
                left = await left_directly(
                    {name: site.directly[name]}, asked, token=token, timeout_s=within_s
                )
            itself = left[name]
        found = (unsourced(itself), *found)
    if run.lane is not None:
        run.lane = replace(run.lane, clauses=found)
    return [_said(one, target, emulated=emulated) for one in found]


@asynccontextmanager
async def _awake(request: ProofRequest) -> AsyncIterator[None]:
    """A stream open to the service through its front, which may freeze it between requests."""
    at = request.at
    url = stream_url(request.base, new_stream(), mode="lockstep", size=200, at=at)
    ask = Ask(at.method, url, request.headers, b"" if at.method == "POST" else None)
    async with Client() as client:
        stays = asyncio.create_task(client.fetch(ask, within_ms=60_000))
        try:
            yield
        finally:
            stays.cancel()
            await asyncio.gather(stays, return_exceptions=True)


def _said(finding: ClauseFinding, target: Target | None, *, emulated: bool) -> dict[str, Any]:
    claims = () if target is None else target.documented(finding.clause)
    seen = clause_view(finding, claims=claims, emulated=emulated)
    sentence = text("{name}: {headline}", name=seen.name, headline=seen.says or "")
    return {"en": sentence, "zh": in_chinese(sentence)}
