"""One figure of a benchmark: what was measured, against what, and the goal it should meet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Figure:
    """What `make bench` prints on one line.

    Attributes:
        what: a phrase, "kit --help against a bare Typer app".
        value: the figure itself.
        unit: "×" for a ratio, else "ms" and the like.
        goal: the largest value that is good enough.
        detail: the absolute figures behind it, for the curious.
    """

    what: str
    value: float
    unit: str
    goal: float
    detail: str = ""

    def __str__(self) -> str:
        met = "ok " if self.value <= self.goal else "OVER"
        line = f"{met:4} {self.value:6.2f} {self.unit:2} (goal {self.goal:g})  {self.what}"
        return f"{line}  [{self.detail}]" if self.detail else line


def ratio(what: str, ours: Sequence[float], peers: Sequence[float], *, goal: float, unit: str) -> Figure:
    """The median of paired ratios, round by round: noise that lasts longer than a round cancels out."""
    pairs = sorted(our / peer for our, peer in zip(ours, peers, strict=True))
    detail = (
        f"{median(ours):.1f} {unit} against {median(peers):.1f} {unit}, "
        f"{len(pairs)} pairs from {pairs[0]:.2f} to {pairs[-1]:.2f}"
    )
    return Figure(what, median(pairs), "×", goal, detail)
