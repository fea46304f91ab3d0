"""Who hides from a service that its client left: the clause asked again, directly and over the other HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from kit.errors import KitError
from kit.flows.contract import measured
from kit.language import text
from kit.probe.cancelled import answer_departures, cancelled, departures
from kit.probe.client import Ask
from kit.probe.experiments import Origin
from kit.probe.proof_runner import ProofRequest
from kit.proof.cancel_causes import hidden_by, stops
from kit.proof.cancelled import REPEATED, Departure, Outcome, judge, worst_of
from kit.proof.causes import NamedCause
from kit.proof.contract import Clause, ClauseFinding, ContractSpec
from kit.proof.fingerprints import Hop


class Leaving:
    """Measures the clauses of one lane, and compares where a client that leaves is hidden.

    Args:
        direct: where the same service is asked past the hop; None where that is not known.
        known: what was found there before; None for nothing.
        answer: what asks for the app's own answer in lock-step, and how many pieces it had; None where that
            is not possible, or not to be asked again.

    Attributes:
        asked: how often the answer was asked for.
    """

    def __init__(
        self, direct: Origin | None, known: ClauseFinding | None, answer: tuple[Ask, int] | None = None
    ) -> None:
        self.asked = 0
        self._answer = answer
        self._origin = direct
        self._direct = known
        self._other: ClauseFinding | None = None
        self._other_http = ""
        self._left: Sequence[Departure] = ()
        self._finding: ClauseFinding | None = None

    async def measure(
        self, clause: Clause, spec: ContractSpec, request: ProofRequest, say: Callable[[str], None]
    ) -> ClauseFinding:
        """A `kit.flows.contract.Measure`."""
        if clause is not Clause.CANCELLED:
            return await measured(clause, spec, request, say)
        self._left = await departures(request, watch_s=spec.watch_s, http2=request.at.http2)
        self._finding = judge(self._left)
        if stops(self._finding) is False:
            say(text("a client that leaves is hidden ({says}): comparing", says=self._finding.says))
            self._direct, self._other = await asyncio.gather(
                self._asked_directly(request, spec.watch_s), self._over_the_other(request, spec.watch_s)
            )
        if self._answer is not None:
            await self._leave_the_answer(request, *self._answer, spec.watch_s)
        return self._finding

    async def _leave_the_answer(self, request: ProofRequest, ask: Ask, pieces: int, watch_s: float) -> None:
        """What the app itself does; what it does not show takes nothing from what the path does."""
        assert self._finding is not None  # noqa: S101 - the path was asked first
        self.asked += REPEATED
        try:
            left = await answer_departures(request, ask, pieces=pieces, watch_s=watch_s)
        except KitError:
            return
        if worst_of(left) is Outcome.UNDECIDED:
            evidence = (*self._finding.evidence, *judge(left).evidence)
            self._finding = replace(self._finding, evidence=evidence)
            return
        self._left = (*self._left, *left)
        self._finding = judge(self._left)

    def causes(self, hops: Collection[Hop]) -> tuple[NamedCause, ...]:
        """Who hides it; none where it is not hidden, or was not asked."""
        if self._finding is None:
            return ()
        return hidden_by(
            self._left,
            self._finding,
            direct=self._direct,
            other=self._other,
            other_http=self._other_http,
            hops=hops,
        )

    async def _asked_directly(self, request: ProofRequest, watch_s: float) -> ClauseFinding | None:
        if self._origin is None:
            return self._direct
        at = replace(request.at, direct=True)
        return await _found(ProofRequest(self._origin.base, at, self._origin.headers), watch_s)

    async def _over_the_other(self, request: ProofRequest, watch_s: float) -> ClauseFinding | None:
        if not request.base.startswith("https:"):
            return None
        self._other_http = "HTTP/1.1" if request.at.http2 else "HTTP/2"
        return await _found(replace(request, at=replace(request.at, http2=not request.at.http2)), watch_s)


async def _found(request: ProofRequest, watch_s: float) -> ClauseFinding | None:
    try:
        return await cancelled(request, watch_s=watch_s, http2=request.at.http2)
    except KitError:
        return None
