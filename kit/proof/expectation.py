"""An expectation: what a user wants of a path, as `--expect` has it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from kit.errors import KitError, UsageError
from kit.proof.bound import Bound
from kit.proof.contract import Limit, Term
from kit.proof.verdict import Verdict, by_words

_BOUNDS = ("hold", "block")


@dataclass(frozen=True, slots=True)
class Expectation:
    """What is expected of a lane.

    Attributes:
        verdict: of its answer; None for any.
        bound: that the answer's arrivals keep within; None for none.
        limits: that the clauses of the contract keep; of each term one at most.
    """

    verdict: Verdict | None = None
    bound: Bound | None = None
    limits: tuple[Limit, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """An expectation as it is written: a verdict, bounds and limits, in any order, with commas between.

        Raises:
            KitError: BAD_USAGE, what is wrong with the first part that is.
        """
        verdict = _verdict(text)  # some have a comma among their words
        if verdict is not None:
            return cls(verdict)
        bounds: list[str] = []
        limits: list[Limit] = []
        named: set[str] = set()
        for part in (one.strip() for one in text.split(",")):
            word, limit, bound = _verdict(part), Limit.parse(part), Bound.parse(part)
            if word is not None:
                name, verdict = "the verdict", word
            elif bound is not None:
                name = str(bound).partition("<")[0]
                bounds.append(part)
            elif limit is not None:
                name = str(limit.term)
                limits.append(limit)
            else:
                raise _wrong(part)
            if name in named:
                raise UsageError(f"{text!r} names {name} twice.", "Write each part once.")
            named.add(name)
        return cls(verdict, Bound.parse(",".join(bounds)), tuple(limits))

    def __str__(self) -> str:
        parts = (self.verdict, self.bound, *self.limits)
        return ", ".join(str(part) for part in parts if part is not None)


def _verdict(text: str) -> Verdict | None:
    """The verdict that it says; None for what bears a limit, which no verdict's words may swallow."""
    return None if "<" in text or ">" in text else by_words(text)


def _wrong(part: str) -> KitError:
    """What is wrong with a part that is neither a verdict nor a bound nor a limit."""
    name = next((one for one in (*_BOUNDS, *Term) if part.startswith(one)), None)
    if name in _BOUNDS:
        return UsageError(f"{part!r} is no bound.", "Write hold<=TIME (ms, s) or block<=SIZE (B, KiB).")
    if name == Term.MANY:
        return UsageError(f"{part!r} is no limit.", "Write a number of streams, as in many>=100.")
    if name is not None:
        return UsageError(
            f"{part!r} is no limit.",
            f"Write a time with its unit (ms, s, m, h), as in {name}<2s or {name}>=2s.",
        )
    said = f"{part!r} is no verdict, no bound and no limit." if part else "A part of --expect is empty."
    return UsageError(
        said,
        f"The verdicts are {', '.join(Verdict)}; bounds are hold<=200ms, block<=4KiB; limits are cancel<1s, "
        "idle>60s, alive>10m, heartbeat<1s, many>=100. Put commas between them, and all in quotes.",
    )
