"""What `probe`, `compare` and `demo` share: the question, the arms, the statuses."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

from kit.errors import Exit, UsageError

if TYPE_CHECKING:
    from kit.proof.bound import Bound
    from kit.proof.lane import Arm, LaneState, Wanted
    from kit.proof.verdict import Verdict

PROMPT = "Why does a streamed answer sometimes arrive all at once?"


class Arms(StrEnum):
    """Whether the answers are to bear `X-Accel-Buffering: no`; as-is: what they bear by themselves."""

    ON = "on"
    OFF = "off"
    BOTH = "both"
    AS_IS = "as-is"


def arms(wanted: Arms) -> list[Wanted]:
    """What to measure, with the header first."""
    if wanted is Arms.BOTH:
        return ["on", "off"]
    return ["on" if wanted is Arms.ON else "off" if wanted is Arms.OFF else "as-is"]


def own_arms(wanted: Arms) -> list[Arm]:
    """The same of the kit's own service, whose answers bear the header by themselves."""
    return ["off" if one == "off" else "on" for one in arms(wanted)]


def verdict(word: str | None) -> Verdict | None:
    """An expectation as a verdict.

    Raises:
        KitError: no such verdict.
    """
    from kit.proof.verdict import Verdict

    if word is None:
        return None
    try:
        return Verdict(word)
    except ValueError:
        raise UsageError(f"{word!r} is no verdict.", f"The verdicts are {', '.join(Verdict)}.") from None


def expectation(word: str | None) -> tuple[Verdict | None, Bound | None]:
    """An expectation: a verdict, or a bound on what may be collected.

    Raises:
        KitError: neither.
    """
    from kit.proof.bound import Bound

    if word is None or "<" not in word:
        return verdict(word), None
    bound = Bound.parse(word)
    if bound is None:
        raise UsageError(
            f"{word!r} is no bound.",
            "Write hold<=TIME (ms, s), block<=SIZE (B, KiB), or both with a comma, in quotes.",
        )
    return None, bound


def pairs(what: str, form: str, values: Sequence[str]) -> dict[str, str]:
    """Values of the form NAME=VALUE, each name once.

    Args:
        what: what they are, for the error ("--front", "the lane").
        form: how they are written, "TARGET=OTHER".
        values: as the user gave them.

    Raises:
        KitError: one is not of that form, or a name comes twice.
    """
    found: dict[str, str] = {}
    for value in values:
        name, equals, rest = value.partition("=")
        if not (name and equals and rest) or name in found:
            wrong = "names the same twice" if name in found else "is not of that form"
            raise UsageError(f"{what} {value} {wrong}.", f"Write {form}, each name once.")
        found[name] = rest
    return found


def status(*states: LaneState) -> Exit:
    """The exit status of what came out so; of several, the worst one's."""
    from kit.proof.lane import LaneState

    worst = next((one for one in LaneState if one in states), LaneState.OK)
    return Exit[worst.name]
