"""Bounds on an answer without a proof: how much of it was collected at most, or how long. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from kit.proof.looks import Watched

_PART = re.compile(r"(hold|block) ?<= ?([0-9]{1,9}(?:\.[0-9]{1,3})?) ?(ms|s|B|KiB)", re.ASCII)
_UNITS = {("hold", "ms"): 1.0, ("hold", "s"): 1_000.0, ("block", "B"): 1.0, ("block", "KiB"): 1_024.0}


@dataclass(frozen=True, slots=True)
class Bound:
    """A bound on what arrivals may show.

    Attributes:
        hold_ms: between two arrivals; None for any.
        octets: that arrived together; None for any.
    """

    hold_ms: float | None = None
    octets: float | None = None

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """A bound as it is written, "hold<=200ms", "block<=4KiB" or both with a comma; None for none."""
        found = dict[str, float]()
        for part in text.split(","):
            match = _PART.fullmatch(part.strip())
            if match is None or match[1] in found or (match[1], match[3]) not in _UNITS:
                return None
            found[match[1]] = float(match[2]) * _UNITS[match[1], match[3]]
        return cls(found.get("hold"), found.get("block"))

    def __str__(self) -> str:
        parts = (("hold", self.hold_ms, "ms"), ("block", self.octets, "B"))
        return ",".join(f"{name}<={most:.10g}{unit}" for name, most, unit in parts if most is not None)

    def met(self, watched: Watched | None) -> bool | None:
        """Whether an answer keeps within it; None where its arrivals do not say.

        A delay of every event by the same time is not seen, and nor is a hold before the first.
        """
        if watched is None or watched.collected is None or watched.longest_ms is None:
            return None
        held = self.hold_ms is not None and watched.longest_ms > self.hold_ms
        return not (held or (self.octets is not None and watched.largest_octets > self.octets))
