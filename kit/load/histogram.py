"""A histogram of times that may be merged with others, in any order, without a loss.

Its buckets grow by a fiftieth each, so a quantile is at most that too large, whatever the times are.
"""

from __future__ import annotations

from collections import Counter
from math import ceil, inf, log
from typing import Any, Self

_LEAST_MS = 0.1  # no clock here tells less
GROWTH = 1.02
_LOG = log(GROWTH)


class Histogram:
    """Times in milliseconds. One that never came is infinite.

    Attributes:
        most_ms: the longest; 0 of none.
        never: how many never came.
    """

    __slots__ = ("_counts", "most_ms", "never")

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()
        self.never = 0
        self.most_ms = 0.0

    def add(self, ms: float, times: int = 1) -> None:
        """Count one, or so many of the same."""
        self.most_ms = max(self.most_ms, ms)
        if ms == inf:
            self.never += times
        else:
            self._counts[ceil(log(ms / _LEAST_MS) / _LOG) if ms > _LEAST_MS else 0] += times

    def merge(self, other: Histogram) -> None:
        """Count what the other has counted as well."""
        self._counts.update(other._counts)
        self.never += other.never
        self.most_ms = max(self.most_ms, other.most_ms)

    @property
    def count(self) -> int:
        """How many there are."""
        return self._counts.total() + self.never

    def quantile(self, share: float) -> float | None:
        """The time within which this share of them came; None of none.

        It is the upper end of its bucket: never too small, and at most a fiftieth too large.
        """
        left = max(1, ceil(share * self.count - 1e-9))
        for bucket in sorted(self._counts):
            left -= self._counts[bucket]
            if left <= 0:
                upper: float = _LEAST_MS * GROWTH**bucket
                return min(upper, self.most_ms)
        return inf if self.never else None

    @property
    def data(self) -> dict[str, Any]:
        """The same as JSON has it."""
        most = None if self.most_ms == inf else self.most_ms
        return {"counts": sorted(self._counts.items()), "never": self.never, "most_ms": most}

    @classmethod
    def of(cls, data: dict[str, Any]) -> Self:
        """From `data`."""
        made = cls()
        made._counts.update({int(bucket): int(count) for bucket, count in data["counts"]})
        made.never = int(data["never"])
        made.most_ms = inf if data["most_ms"] is None else float(data["most_ms"])
        return made
