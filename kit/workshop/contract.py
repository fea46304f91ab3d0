"""The quick clauses of a lane's contract, asked on demand, from where the page's server runs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kit.flows.contract import Asking, ask_clauses
from kit.flows.emulated import through
from kit.language import in_chinese, text
from kit.proof.contract import QUICK, Clause, ClauseFinding, ContractSpec, unsourced
from kit.proof.lane import Environment
from kit.report.clause import clause_view
from kit.targets import Target
from kit.workshop.lane_run import LaneRun


async def check(run: LaneRun, target: Target | None, environment: Environment) -> list[dict[str, str]]:
    """Ask them of a lane that was judged, which then has them; each as the page says it: {"en", "zh"}."""
    assert run.lane is not None  # noqa: S101 - asked of what was judged only
    emulated = environment == "lab" and target is not None
    spec = ContractSpec(QUICK)
    if emulated and target is not None:
        spec = through(target.front, spec)
    asking = Asking(spec, run.proof_request, run.why_not, lambda _: None)
    (found,) = await ask_clauses([asking])
    if spec.clauses != QUICK:
        found = (unsourced(ClauseFinding(Clause.CANCELLED, "", "unknown")), *found)
    run.lane = replace(run.lane, clauses=found)
    return [_said(one, target, emulated=emulated) for one in found]


def _said(finding: ClauseFinding, target: Target | None, *, emulated: bool) -> dict[str, Any]:
    claims = () if target is None else target.documented(finding.clause)
    seen = clause_view(finding, claims=claims, emulated=emulated)
    sentence = text("{name}: {headline}", name=seen.name, headline=seen.says or "")
    return {"en": sentence, "zh": in_chinese(sentence)}
