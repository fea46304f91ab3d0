"""A clause of a lane's contract as a reader sees it, made once for every format, not escaped. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from kit.language import join, text
from kit.proof.contract import Clause, ClauseFinding
from kit.proof.doubts import Doubt
from kit.proof.lane import Lane, LaneState, clause_state
from kit.report.words import NONE
from kit.targets import UNSOURCED, Claim, in_short


@dataclass(frozen=True, slots=True)
class ClauseView:
    """One clause of a lane's contract.

    Attributes:
        clause, name: which, and what to call it ("kept alive").
        says: what was found, with how sure that is where it is not proved; None where it was not asked.
        unknown: whether it could not be found.
        expected: its limits as they are written; None where it has none.
        state: how it came out; None where nothing was expected of it, and then its mark says nothing.
        doubts: those that are not the lane's own.
        evidence, advice: what it rests on, and what to do (empty for nothing).
        documented: what its platform documents, in a few words; None without a platform's name.
        claims: that in full.
    """

    clause: Clause
    name: str
    says: str | None = None
    unknown: bool = False
    expected: str | None = None
    state: LaneState | None = None
    doubts: tuple[Doubt, ...] = ()
    evidence: tuple[str, ...] = ()
    advice: str = ""
    documented: str | None = None
    claims: tuple[Claim, ...] = ()

    @property
    def skipped(self) -> bool:
        """Whether it is unknown, and nothing was expected of it."""
        return self.unknown and self.state is None

    @property
    def cell(self) -> str:
        """What was found; else what is documented, a dash for nothing."""
        return self.says or self.beside or NONE

    @property
    def beside(self) -> str | None:
        """What its platform documents, to stand beside what was found; None where that is not known."""
        return (
            self.documented
            if self.documented in (None, UNSOURCED)
            else text("documented: {documented}", documented=self.documented)
        )

    @property
    def headline(self) -> str:
        """What was found, beside what was expected."""
        if self.expected is None:
            return self.says or NONE
        match self.state:
            case LaneState.OK:
                said = text("{says}, as expected: {expected}")
            case LaneState.INCONCLUSIVE:
                said = text("{says}, expected and not proved: {expected}")
            case _:
                said = text("{says}, not as expected: {expected}")
        return said.format(says=self.says, expected=self.expected)


def clause_view(
    finding: ClauseFinding,
    lane: Lane | None = None,
    claims: tuple[Claim, ...] = (),
    *,
    emulated: bool = False,
) -> ClauseView:
    """What there is to tell of one clause, of a lane or by itself.

    Args:
        finding: what was found of it.
        lane: of which, whose limits it is held to.
        claims: what its platform documents of it.
        emulated: whether the lane's front is the lab's.
    """
    says = finding.says
    if finding.sure == "likely":
        says = text("{says} (likely)", says=says)
    elif finding.sure == "unknown":
        says = text("unknown ({says})", says=says)
    documented = in_short(claims)
    # What no source says, the lab's front does as it happens to be made.
    made_up = emulated and documented == UNSOURCED and finding.sure != "unknown"
    return ClauseView(
        clause=finding.clause,
        name=finding.clause.words,
        says=text("{says} (emulated)", says=says) if made_up else says,
        unknown=finding.sure == "unknown",
        expected=join(", ", map(str, lane.limits_of(finding.clause))) or None if lane is not None else None,
        state=clause_state(lane, finding.clause) if lane is not None else None,
        doubts=tuple(doubt for doubt in finding.doubts if lane is None or doubt not in lane.doubts),
        evidence=finding.evidence,
        advice=finding.advice,
        documented=documented,
        claims=claims,
    )
