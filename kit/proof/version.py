"""Which version a verdict is of: the one that was deployed, or none. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from kit.language import join, text
from kit.proof.doubts import Doubt
from kit.proof.lane import Lane
from kit.proof.verdict import Verdict

_LONGEST = 80


@dataclass(frozen=True, slots=True)
class ExpectedVersion:
    """The version that is to be measured.

    Attributes:
        name: as it says of itself.
        says: whether it is known to say so. An origin older than that says nothing, and is believed.
    """

    name: str
    says: bool = False

    def is_it(self, said: Collection[str]) -> bool:
        """Whether none but this version answered, by what the responses said."""
        return set(said) == {self.name} or (not said and not self.says)


def held_against(lane: Lane, wanted: ExpectedVersion | None, said: Collection[str]) -> Lane:
    """The lane as it is if it is the wanted version's, else undecided: a verdict would be another's.

    Args:
        lane: as it was measured.
        wanted: None where any version may answer.
        said: the versions that its responses named, each once.
    """
    if wanted is None or lane.error is not None or wanted.is_it(said):
        return lane
    others = join(", ", sorted(one[:_LONGEST] for one in said)) or text("one that does not say which it is")
    return replace(
        lane,
        verdict=Verdict.INCONCLUSIVE,
        shape=None,
        block_bytes=None,
        hold_ms=None,
        doubts=(Doubt.OTHER_VERSION, *lane.doubts),
        evidence=(
            *lane.evidence,
            text(
                "It was {name} that was to answer, and what answered was {others}.",
                name=wanted.name,
                others=others,
            ),
        ),
    )
