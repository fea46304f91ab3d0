"""The streaming contract of a path: its clauses, what was found of each, and what may be expected. Pure.

A figure is an interval, since most of them are seen from one side only: a stream that was watched for a
minute and not cut lives for a minute at least. A limit is met or missed only where the whole interval says
so, and only by a finding that is proved.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from math import floor, inf
from typing import Final, Literal, Self, TypeAlias

from kit.language import text
from kit.proof.doubts import Doubt

Sure: TypeAlias = Literal["proved", "likely", "unknown"]


class Clause(StrEnum):
    """What a path may promise of a stream."""

    DELIVERED = "delivered"
    KEPT_ALIVE = "kept-alive"
    CANCELLED = "cancelled"
    MANY = "many"
    DEPLOY = "deploy"

    @property
    def words(self) -> str:
        """Its name for people."""
        return {
            Clause.KEPT_ALIVE: text("kept alive"),
            Clause.MANY: text("many at once"),
            Clause.DEPLOY: text("through a deploy"),
        }.get(self, str(self))


class Term(StrEnum):
    """A figure of a clause, as expectations name it.

    `cancel`: until the origin knows that its client left, ms. `idle`: the longest silence that a stream
    survives, ms. `alive`: how long a stream that talks lives, ms. `heartbeat`: how late a comment comes, ms.
    `many`: streams at once that are delivered as one is.
    """

    CANCEL = "cancel"
    IDLE = "idle"
    ALIVE = "alive"
    HEARTBEAT = "heartbeat"
    MANY = "many"

    @property
    def clause(self) -> Clause:
        """Whose figure it is."""
        return {Term.CANCEL: Clause.CANCELLED, Term.MANY: Clause.MANY}.get(self, Clause.KEPT_ALIVE)


@dataclass(frozen=True, slots=True)
class Figure:
    """What is known of a term: it lies between `least` and `most`, both included; milliseconds or streams."""

    term: Term
    least: float = 0.0
    most: float = inf


@dataclass(frozen=True, slots=True)
class ClauseFinding:
    """What was found of one clause.

    Attributes:
        clause: which.
        says: that, in a few words: "stops after 12 ms".
        sure: proved, likely, or unknown: then `says` is why.
        figures: what is known of the clause's terms.
        doubts: reasons not to trust a figure.
        evidence: what was done and seen, one sentence each, in order.
        advice: what to do, a sentence and then lines to paste; empty for nothing.
    """

    clause: Clause
    says: str
    sure: Sure
    figures: tuple[Figure, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    evidence: tuple[str, ...] = ()
    advice: str = ""


def unsourced(itself: ClauseFinding) -> ClauseFinding:
    """Of a path through a front of which no source says what it does: only what the service does is known.

    `itself` is what was found of the service with no front before it.
    """
    says = text("no source says what its front does")
    if itself.sure != "unknown":
        says = text("the service itself: {says}; no source says what its front does", says=itself.says)
    evidence = tuple(text("asked with no front before it: {seen}", seen=one) for one in itself.evidence)
    return replace(itself, says=says, sure="unknown", figures=(), evidence=evidence)


Sign: TypeAlias = Literal["<", "<=", ">", ">="]
_LIMIT = re.compile(
    rf"({'|'.join(Term)}) ?([<>]=?) ?([0-9]{{1,9}}(?:\.[0-9]{{1,3}})?) ?(ms|s|m|h|)", re.ASCII
)
_MS = {"ms": 1.0, "s": 1_000.0, "m": 60_000.0, "h": 3_600_000.0}


@dataclass(frozen=True, slots=True)
class Limit:
    """What is expected of a term: `cancel<1s`, `many>=100`. `value` in milliseconds, or streams."""

    term: Term
    sign: Sign
    value: float

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """A limit as it is written; None for none. A time needs its unit, a number of streams has none."""
        match = _LIMIT.fullmatch(text.strip())
        if match is None or (match[4] == "") is not (match[1] == Term.MANY):
            return None
        sign: Sign = match[2]  # type: ignore[assignment]
        return cls(Term(match[1]), sign, float(match[3]) * _MS.get(match[4], 1.0))

    def __str__(self) -> str:
        if self.term is Term.MANY:
            return f"{self.term}{self.sign}{self.value:.12g}"
        unit = next(name for name in ("h", "m", "s", "ms") if self.value % _MS[name] == 0 or name == "ms")
        return f"{self.term}{self.sign}{self.value / _MS[unit]:.12g}{unit}"

    def met(self, findings: Iterable[ClauseFinding]) -> bool | None:
        """Whether what was found keeps it; None where that is not proved either way."""
        for finding in findings:
            for figure in finding.figures:
                if figure.term is self.term and finding.sure == "proved":
                    return self._met(figure)
        return None

    def _met(self, figure: Figure) -> bool | None:
        least, most = self._holds(figure.least), self._holds(figure.most)
        return least if least is most else None

    def _holds(self, value: float) -> bool:
        match self.sign:
            case "<":
                return value < self.value
            case "<=":
                return value <= self.value
            case ">":
                return value > self.value
            case _:
                return value >= self.value


# Asked of a stream of its own each, by the proof: what they find is one finding a clause.
ASKED: Final = (Clause.CANCELLED, Clause.MANY, Clause.KEPT_ALIVE)
QUICK: Final = (Clause.CANCELLED, Clause.MANY)
WATCH_S = 5.0
STREAMS = 10


@dataclass(frozen=True, slots=True)
class ContractSpec:
    """Which clauses to ask of a lane, and how.

    Attributes:
        clauses: those of `ASKED` that are asked, in its order.
        for_s: how long to watch streams live, in seconds.
        streams: how many to open at once.
        watch_s: how long to watch what becomes of a stream that was left, in seconds.
    """

    clauses: tuple[Clause, ...] = ()
    for_s: float = WATCH_S
    streams: int = STREAMS
    watch_s: float = WATCH_S

    @classmethod
    def of(
        cls,
        limits: Sequence[Limit],
        clauses: Collection[Clause] = (),
        *,
        for_s: float | None = None,
        streams: int | None = None,
    ) -> Self:
        """These clauses and those that the limits name, for as long and as many as the limits need.

        Args:
            limits: what is expected.
            clauses: what is asked in any case.
            for_s: how long to watch, whatever the limits need.
            streams: how many to open, whatever the limits need.
        """
        wanted = {*clauses, *(limit.term.clause for limit in limits)}
        needs = {clause: [one for one in limits if one.term.clause is clause] for clause in ASKED}

        # A little longer than what is expected.
        expected_s = [limit.value / 1000 for limit in needs[Clause.KEPT_ALIVE]]
        lives_s = max(WATCH_S, *(min(1.1 * one, one + 30.0) for one in expected_s), 0.0)
        # A stream that is left is watched for so much less, since a second one comes after it.
        left_s = [1.5 + 1.4 * limit.value / 1000 for limit in needs[Clause.CANCELLED]]
        # One more than a limit shows that it is passed.
        many = [floor(one.value) + (one.sign in (">", "<=")) for one in needs[Clause.MANY]]
        return cls(
            tuple(clause for clause in ASKED if clause in wanted),
            for_s or lives_s,
            streams or max(many, default=STREAMS),
            max(WATCH_S, *left_s, 0.0),
        )


UNASKED: Final = ContractSpec()
