"""The clauses of lanes' contracts, asked once their verdicts are known, each by streams of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from kit.errors import KitError
from kit.flows.side_by_side import side_by_side
from kit.language import bare, join, text
from kit.probe.cancelled import cancelled
from kit.probe.kept_alive import kept_alive
from kit.probe.lane import LaneProbe
from kit.probe.many import many
from kit.probe.proof_runner import ProofRequest
from kit.proof.contract import QUICK, Clause, ClauseFinding, ContractSpec
from kit.proof.doubts import Doubt
from kit.proof.lane import Lane


@dataclass(frozen=True, slots=True)
class Asking:
    """One lane whose clauses are asked.

    Attributes:
        spec: which, and how.
        request: how a stream of the proof's is asked for as the lane's answer was; None without a proof.
        why_not: why there is none.
        say: is given what is done and found.
        unproved: measures without a proof whether the origin learns that its client left; None for nothing.
    """

    spec: ContractSpec
    request: ProofRequest | None
    why_not: Doubt
    say: Callable[[str], None]
    unproved: Callable[[], Awaitable[ClauseFinding]] | None = None

    @classmethod
    def of(cls, probe: LaneProbe, lane: Lane, say: Callable[[str], None]) -> Asking:
        """Those of a lane that was measured."""
        return cls(probe.spec.contract, probe.request(lane.header), probe.found.why_not, say)


class Measure(Protocol):
    """Measures one clause of a lane; raises KitError where that cannot be done."""

    async def __call__(
        self, clause: Clause, spec: ContractSpec, request: ProofRequest, say: Callable[[str], None]
    ) -> ClauseFinding:
        """What is found."""
        ...


async def measured(
    clause: Clause, spec: ContractSpec, request: ProofRequest, say: Callable[[str], None]
) -> ClauseFinding:
    """A `Measure` on real connections."""
    http2 = request.at.http2
    match clause:
        case Clause.CANCELLED:
            return await cancelled(request, watch_s=spec.watch_s, http2=http2)
        case Clause.MANY:
            return await many(request, streams=spec.streams, http2=http2)
        case Clause.KEPT_ALIVE:
            return await kept_alive(request, for_s=spec.for_s, http2=http2, say=say)
    raise ValueError(f"no stream shows whether one is {clause.words}")


async def ask_clauses(
    askings: Sequence[Asking], measure: Measure = measured
) -> tuple[tuple[ClauseFinding, ...], ...]:
    """What is found of each lane's clauses, in the order of its spec.

    An origin takes so many streams at once, and what becomes of one shows by its pace: of one origin the
    quick clauses are asked one after another. Streams that are only watched disturb each other little.
    """
    found: list[dict[Clause, ClauseFinding]] = [{} for _ in askings]
    by_origin: dict[str, list[int]] = {}
    for place, asking in enumerate(askings):
        by_origin.setdefault(asking.request.base if asking.request else "", []).append(place)

    async def ask(place: int, clause: Clause) -> None:
        found[place][clause] = await _ask(askings[place], clause, measure)

    async def in_turn(places: Sequence[int]) -> None:
        for place in places:
            for clause in askings[place].spec.clauses:
                if clause in QUICK:
                    await ask(place, clause)

    await side_by_side(in_turn(places) for places in by_origin.values())
    watched = [place for place, asking in enumerate(askings) if Clause.KEPT_ALIVE in asking.spec.clauses]
    await side_by_side(ask(place, Clause.KEPT_ALIVE) for place in watched)
    return tuple(
        tuple(one[clause] for clause in asking.spec.clauses)
        for one, asking in zip(found, askings, strict=True)
    )


def in_question(specs: Iterable[ContractSpec]) -> str:
    """What is about to be asked of lanes, a sentence."""
    clauses = dict.fromkeys(clause for spec in specs for clause in spec.clauses)
    return text(
        "The contract, clause by clause: {clauses}.", clauses=join(", ", (clause.words for clause in clauses))
    )


async def _ask(asking: Asking, clause: Clause, measure: Measure) -> ClauseFinding:
    if asking.request is not None:
        measuring: Awaitable[ClauseFinding] = measure(clause, asking.spec, asking.request, asking.say)
    elif clause is Clause.CANCELLED and asking.unproved is not None:
        measuring = asking.unproved()
    else:
        return ClauseFinding(clause, text("its origin shows no proof"), "unknown", doubts=(asking.why_not,))
    try:
        finding = await measuring
    except KitError as error:
        finding = ClauseFinding(clause, bare(error.message), "unknown")
    asking.say(text("{name}: {headline}", name=clause.words, headline=finding.says))
    return finding
