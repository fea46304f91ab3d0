"""Known limits of time: after how long hops and servers end a response by default. Hints only.

The table stands in known_limits.toml.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from kit.language import join, text
from kit.proof.fingerprints import HOW, Hop, Sure, fingerprint
from kit.proof.texts import table

# Many hops look at their clocks once a second only; and for a second after its deadline an Envoy still holds
# the client's connection (its delayed_close_timeout, measured over HTTP/1.1).
WITHIN_S = 1.0
HELD_ON_S = 1.0

# A serverless backend behind the same front, which the load balancer's own timeout does not bound.
_SERVERLESS = "google"


@dataclass(frozen=True, slots=True)
class KnownLimit:
    """One row.

    Attributes:
        seconds: after so long it ends a response.
        on: whether that is the whole time of the response, or a silence in it.
        who: who has it, and how it is called there.
        frees: text to read and lines to paste.
        sure: how sure that is.
        source: where it is from.
        kind: who that is in fingerprints.toml; empty for a server.
    """

    seconds: float
    on: Literal["whole", "silence"]
    who: str
    frees: str
    sure: Sure
    source: str
    kind: str = ""

    def fits(self, seen_s: float) -> bool:
        """Whether what ended after so long may have met it."""
        held_on_s = HELD_ON_S if self.on == "whole" else 0.0
        return -WITHIN_S <= seen_s - self.seconds <= WITHIN_S + held_on_s

    def hinted(self, hops: Collection[Hop]) -> bool:
        """Whether the response's headers hint at it."""
        names = {hop.name for hop in hops}
        if not self.kind or fingerprint(self.kind).name not in names:
            return False
        return self.kind != "google-balancer" or fingerprint(_SERVERLESS).name not in names


def known_limits(
    seen_s: float | None, on: Literal["whole", "silence"], hops: Collection[Hop] = ()
) -> tuple[KnownLimit, ...]:
    """Whose default an end after so long may be: what the headers hint at first, then the nearest number."""
    if seen_s is None:
        return ()
    fit = [one for one in every() if one.on == on and one.fits(seen_s)]
    return tuple(sorted(fit, key=lambda one: (not one.hinted(hops), abs(seen_s - one.seconds))))


def hint(limits: Sequence[KnownLimit]) -> str:
    """Whose default it may be, in a sentence; empty for none."""
    if not limits:
        return ""
    whose = join("; ", (one.who for one in limits))
    return text("This number by default has {whose}. A hint only: others have it too.", whose=whose)


def with_lines(remedy: str, limits: Sequence[KnownLimit]) -> str:
    """A remedy, and the lines for each of these by name."""
    lines = (
        text("{who} ({how}):\n{lines}", who=one.who, how=HOW[one.sure], lines=one.frees.strip("\n"))
        for one in limits
    )
    return join("\n", (remedy, *lines))


@cache
def every() -> tuple[KnownLimit, ...]:
    """All of them."""
    return tuple(KnownLimit(**row) for row in table("known_limits")["known"])
