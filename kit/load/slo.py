"""Objectives for a load, as they are written, and whether what was seen meets them. Pure.

`first=800,gap=2000,late=500,cut=0`: within so many milliseconds for 99 of a hundred (`first.p95=300`,
`gap.max=5000` say another share), so many streams at most, or such a part of them (`cut=0.5%`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import inf
from typing import Literal, Self

from kit.errors import UsageError
from kit.language import text
from kit.load.histogram import GROWTH
from kit.load.tally import Tally

Times = Literal["first", "gap", "late"]
_PART = re.compile(
    r"(?:(first|gap|late)(?:\.(p[0-9]{1,2}(?:\.[0-9]{1,3})?|max))?=([0-9]{1,9}(?:\.[0-9]{1,3})?) ?(ms|s)?"
    r"|(cut|refused)=([0-9]{1,9}(?:\.[0-9]{1,3})?) ?(%)?)",
    re.ASCII,
)
_USUAL = "p99"
# A figure of the worst hundredth is spoilt by what the generator itself does in less than a thousandth.
_OWN_SHARE = 0.999


@dataclass(frozen=True, slots=True)
class Objective:
    """One of them.

    Attributes:
        name: what it is about: first, gap, late, cut, refused.
        most: milliseconds, streams, or hundredths of the streams.
        of: which share of the times, "p99" or "max"; empty for a number of streams.
        unit: "ms", "%" or nothing.
    """

    name: str
    most: float
    of: str = ""
    unit: str = ""

    def __str__(self) -> str:
        of = "" if self.of in ("", _USUAL) else f".{self.of}"
        return f"{self.name}{of}={self.most:.12g}{self.unit.replace('ms', '')}"


def parse(text: str) -> tuple[Objective, ...]:
    """The objectives of a text.

    Raises:
        KitError: BAD_USAGE, it is not written so, or asks for the same twice.
    """
    found: dict[tuple[str, str], Objective] = {}
    for part in text.split(","):
        match = _PART.fullmatch(part.strip())
        if match is None:
            raise _bad(part)
        times, of, ms, unit, count, number, percent = match.groups()
        if times:
            one = Objective(times, float(ms) * (1000 if unit == "s" else 1), of or _USUAL, "ms")
        else:
            one = Objective(count, float(number), "", percent or "")
            if (one.most > 100) if percent else one.most % 1:
                raise _bad(part)
        if (one.name, one.of) in found:
            raise UsageError(f"--slo names {one.name} twice.", "Name each once, or another share of it.")
        found[one.name, one.of] = one
    return tuple(found.values())


def _bad(part: str) -> UsageError:
    return UsageError(
        f"{part.strip()[:40]!r} is no objective.",
        "Write milliseconds for first, gap or late (late.p95=500), and streams or a part of them for cut "
        "or refused: first=800,gap=2000,late=500,cut=0.",
    )


@dataclass(frozen=True, slots=True)
class Judged:
    """An objective and what was seen of it.

    Attributes:
        objective: that.
        low, high: between these it lies: the generator's own lateness is in the upper one. None for nothing.
        met: whether it is met; None where that cannot be said.
        why: why not; empty where it can.
    """

    objective: Objective
    low: float | None
    high: float | None
    met: bool | None
    why: str = ""

    @classmethod
    def within(cls, objective: Objective, low: float, high: float) -> Self:
        """Of a figure between two bounds."""
        met = True if high <= objective.most else False if low > objective.most else None
        return cls(objective, low, high, met, text("the generator itself was late") if met is None else "")


def judge(objective: Objective, tally: Tally) -> Judged:
    """One objective against what was seen.

    What the generator adds by being late can only make a time longer: a time that keeps within its bound is
    certain, and one that does not is only so without the generator's own.
    """
    match objective.name:
        case "first" | "gap" | "late":
            return _of_time(objective, tally)
    count = tally.cut if objective.name == "cut" else tally.refused
    if objective.unit == "%":
        if not tally.started:
            return Judged(objective, None, None, None, text("no stream was started"))
        return Judged.within(objective, share := 100 * count / tally.started, share)
    return Judged.within(objective, count, count)


def _of_time(objective: Objective, tally: Tally) -> Judged:
    times = {"first": tally.first, "gap": tally.gap, "late": tally.late}[objective.name]
    high = times.most_ms if objective.of == "max" else times.quantile(float(objective.of[1:]) / 100)
    if high is None or not times.count:
        why = (
            text("no event bears its time") if objective.name == "late" else text("no stream had two events")
        )
        return Judged(
            objective, None, None, None, why if objective.name != "first" else text("no stream was started")
        )
    # The worst silence of a stream holds the generator's worst moment.
    whole = objective.of == "max" or objective.name == "gap"
    own_ms = tally.own.most_ms if whole else tally.own.quantile(_OWN_SHARE) or 0.0
    low = high if high == inf else max(0.0, high / GROWTH - own_ms)
    return Judged.within(objective, low, high)
