"""One URL examined: does its answer stream, and if not, who holds it and what frees it?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from kit.events import Announced, Watch, silent, stages
from kit.flows.by_answers import ByAnswers
from kit.flows.by_proof import ByProof
from kit.flows.contract import Asking, ask_clauses, in_question
from kit.flows.examination import DoctorSpec
from kit.flows.leaving import Leaving
from kit.language import text
from kit.probe.cancelled import named_answer_left
from kit.probe.http_errors import shown
from kit.probe.kept_alive import stream_limits
from kit.probe.lane import LaneProbe
from kit.probe.proof_runner import ProofRequest
from kit.probe.spec import as_browser
from kit.proof.cancelled import REPEATED
from kit.proof.contract import Clause, ClauseFinding, ContractSpec
from kit.proof.diagnosis import Diagnosis
from kit.proof.stream_limits import Limits, finding, named_with

__all__ = ["DoctorSpec", "doctor"]


async def doctor(spec: DoctorSpec, watch: Watch = silent) -> Diagnosis:
    """Examine one URL.

    Args:
        spec: what, and what may be done for it.
        watch: is given each event, as it happens.

    Raises:
        KitError: it cannot be asked at all, or the service's direct address cannot.
    """

    def announce(text: str) -> None:
        watch(Announced(text))

    direct = answer = again = None
    async with LaneProbe(replace(spec, ask=as_browser(spec.ask))) as probe:
        await probe.find()
        if probe.error is not None:
            raise probe.error
        if probe.found.base is not None and probe.pings:
            by_proof = ByProof(spec, probe, stages(watch), announce)
            found = await by_proof.examine(probe.found.base)
            direct = by_proof.direct
            answer = probe.in_lock_step if by_proof.left >= REPEATED else None
        else:
            by_answers = ByAnswers(spec, probe, stages(watch), announce)
            found = await by_answers.examine()
            if probe.is_ours and by_answers.left >= REPEATED and Clause.CANCELLED in spec.contract.clauses:
                again = probe.asked
    if not spec.contract.clauses:
        return found
    say, seen = stages(watch), list[Limits]()
    if (answer or again) and Clause.CANCELLED in spec.contract.clauses:
        announce(
            text(
                "asking {url} {times} times more for its answer, to leave it",
                url=shown(spec.ask.url),
                times=REPEATED,
            )
        )
    leaving = Leaving(direct, spec.known_cancelled, answer)

    async def measure(
        clause: Clause, spec: ContractSpec, request: ProofRequest, say: Callable[[str], None]
    ) -> ClauseFinding:
        if clause is not Clause.KEPT_ALIVE:
            return await leaving.measure(clause, spec, request, say)
        seen.append(await stream_limits(request, for_s=spec.for_s, http2=request.at.http2, say=say))
        return finding(seen[-1])

    say(in_question([spec.contract]))
    asking = Asking.of(probe, found.lane, say)
    if again is not None:
        asking = replace(asking, unproved=partial(named_answer_left, again, watch_s=spec.contract.watch_s))
        found = replace(found, requests=found.requests + REPEATED)
    (clauses,) = await ask_clauses([asking], measure)
    for one in seen:
        found = replace(found, causes=named_with(one, found.causes, found.hops))
    named = (*found.causes, *leaving.causes(found.hops))
    lane = replace(found.lane, clauses=clauses)
    return replace(found, lane=lane, causes=named, requests=found.requests + leaving.asked)
