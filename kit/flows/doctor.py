"""One URL examined: does its answer stream, and if not, who holds it and what frees it?"""

from __future__ import annotations

from dataclasses import replace

from kit.events import Announced, Watch, silent, stages
from kit.flows.by_answers import ByAnswers
from kit.flows.by_proof import ByProof
from kit.flows.contract import Asking, ask_clauses, in_question
from kit.flows.examination import DoctorSpec
from kit.probe.lane import LaneProbe
from kit.probe.spec import as_browser
from kit.proof.diagnosis import Diagnosis

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

    async with LaneProbe(replace(spec, ask=as_browser(spec.ask))) as probe:
        await probe.find()
        if probe.error is not None:
            raise probe.error
        if probe.found.base is not None and probe.pings:
            found = await ByProof(spec, probe, stages(watch), announce).examine(probe.found.base)
        else:
            found = await ByAnswers(spec, probe, stages(watch), announce).examine()
    if not spec.contract.clauses or found.lane.error is not None:
        return found
    say = stages(watch)
    say(in_question([spec.contract]))
    (clauses,) = await ask_clauses([Asking.of(probe, found.lane, say)])
    return replace(found, lane=replace(found.lane, clauses=clauses))
