"""A baseline: what lanes are known to miss of what is expected, so that only more than that counts. Pure.

It covers what was decided and no worse. What could not be measured, or is undecided, it never covers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Final

from kit.proof.bound import Bound
from kit.proof.contract import Limit, Term
from kit.proof.lane import Lane, LaneState, delivered
from kit.proof.verdict import Verdict

DELIVERED: Final = "delivered"
HOLD: Final = "hold"
BLOCK: Final = "block"
WHAT: Final = (DELIVERED, HOLD, BLOCK, *Term)

# A time varies from one measurement to the next: only one that is twice as bad is called worse.
_WORSE = 2.0
_MORE_IS_BETTER = (Term.IDLE, Term.ALIVE, Term.MANY)
_ORDER = tuple(Verdict)


@dataclass(frozen=True, slots=True)
class Miss:
    """One thing that a lane misses.

    Attributes:
        lane: its name in reports.
        what: "delivered" where it is the expected verdict; "hold" or "block", a bound on what arrives; else a
            term of the contract, "cancel".
        verdict: of its answer, where it is that.
        octets: of a block that is held, where it is that and its size is known.
        figure: of a bound or a term: the better end of what was measured; ms, octets or streams.
    """

    lane: str
    what: str
    verdict: Verdict | None = None
    octets: int | None = None
    figure: float | None = None

    def is_worse_than(self, known: Miss) -> bool:
        """Whether it is worse than the same was known to be; of a figure twice as bad."""
        if self.verdict is not None and known.verdict is not None:
            if self.verdict is not known.verdict:
                return _ORDER.index(self.verdict) > _ORDER.index(known.verdict)
            return (self.octets or 0) > (inf if known.octets is None else known.octets)
        if self.figure is None or known.figure is None:
            return False
        if self.what in _MORE_IS_BETTER:
            return self.figure * _WORSE < known.figure
        return self.figure > known.figure * _WORSE


@dataclass(frozen=True, slots=True)
class Against:
    """Lanes held against a baseline.

    Attributes:
        lanes: those that were given, of which nothing is expected any more that they are known to miss.
        known: what they miss, and no worse than is known.
        new: what they miss, and is not known.
        worse: what they miss and is known, each with what was known.
        better: what was known, and is kept now or missed by less, each with the latter.
    """

    lanes: tuple[Lane, ...]
    known: tuple[Miss, ...] = ()
    new: tuple[Miss, ...] = ()
    worse: tuple[tuple[Miss, Miss], ...] = ()
    better: tuple[tuple[Miss, Miss | None], ...] = ()


def misses(name: str, lane: Lane) -> tuple[Miss, ...]:
    """What a lane of this name misses for certain; nothing of one that could not be measured."""
    return tuple(_misses(name, lane)) if lane.error is None else ()


def _misses(name: str, lane: Lane) -> Iterator[Miss]:
    # An answer that was cut is no verdict on the way: what cuts it may do so for another reason tomorrow.
    judged = delivered(replace(lane, at_most=None))
    if lane.expected is not None and not lane.fate and judged is LaneState.NOT_AS_EXPECTED:
        yield Miss(name, DELIVERED, lane.verdict, lane.block_bytes)
    watched = lane.timeline.watched
    if lane.at_most is not None and watched is not None and not lane.fate:
        figures = ((HOLD, Bound(lane.at_most.hold_ms), watched.longest_ms),
                   (BLOCK, Bound(None, lane.at_most.octets), watched.largest_octets))  # fmt: skip
        for what, bound, figure in figures:
            if bound.met(watched) is False:
                yield Miss(name, what, figure=figure)
    for limit in lane.limits:
        if limit.met(lane.clauses) is False:
            yield Miss(name, str(limit.term), figure=_figure(lane, limit))


def _figure(lane: Lane, limit: Limit) -> float | None:
    for finding in lane.clauses:
        for figure in finding.figures:
            if figure.term is limit.term and finding.sure == "proved":
                return figure.most if limit.term in _MORE_IS_BETTER else figure.least
    return None


def against(lanes: Sequence[tuple[str, Lane]], baseline: Sequence[Miss]) -> Against:
    """Hold lanes, each with its name, against what is known."""
    entries = {(one.lane, one.what): one for one in baseline}
    known, new, worse, better = list[Miss](), list[Miss](), list[tuple[Miss, Miss]](), list[Better]()
    lowered = []
    for name, lane in lanes:
        found = {one.what: one for one in misses(name, lane)}
        covered = set()
        for what, miss in found.items():
            before = entries.get((name, what))
            if before is None:
                new.append(miss)
            elif miss.is_worse_than(before):
                worse.append((miss, before))
            else:
                known.append(miss)
                covered.add(what)
                if before.is_worse_than(miss):
                    better.append((before, miss))
        better += [
            (before, None)
            for (whose, what), before in entries.items()
            if whose == name and what not in found and _keeps(lane, what)
        ]
        lowered.append(_without(lane, covered))
    return Against(tuple(lowered), tuple(known), tuple(new), tuple(worse), tuple(better))


Better = tuple[Miss, Miss | None]


def written(lanes: Sequence[tuple[str, Lane]], before: Sequence[Miss]) -> tuple[Miss, ...]:
    """The baseline by which these lanes miss nothing new.

    What was known of other lanes stays, and of these what is not decided now.
    """
    found = {(one.lane, one.what): one for name, lane in lanes for one in misses(name, lane)}
    measured = dict(lanes)
    stays = {
        (one.lane, one.what): one
        for one in before
        if one.lane not in measured or not _keeps(measured[one.lane], one.what)
    }
    return tuple({**stays, **found}.values())


def _keeps(lane: Lane, what: str) -> bool:
    """Whether it is certain that a lane keeps what is expected of it there."""
    if lane.error is not None:
        return False
    if what == DELIVERED:
        return lane.expected is not None and delivered(replace(lane, at_most=None)) is LaneState.OK
    if what in (HOLD, BLOCK):
        bound = lane.at_most
        asked = bound is not None and (bound.hold_ms if what == HOLD else bound.octets) is not None
        return asked and delivered(replace(lane, expected=None)) is LaneState.OK
    limits = [limit for limit in lane.limits if limit.term == what]
    return bool(limits) and all(limit.met(lane.clauses) is True for limit in limits)


def _without(lane: Lane, covered: set[str]) -> Lane:
    """The lane with nothing expected of it there."""
    bound = lane.at_most
    if bound is not None:
        hold = None if HOLD in covered else bound.hold_ms
        octets = None if BLOCK in covered else bound.octets
        bound = None if hold is octets is None else Bound(hold, octets)
    return replace(
        lane,
        expected=None if DELIVERED in covered else lane.expected,
        at_most=bound,
        limits=tuple(limit for limit in lane.limits if limit.term not in covered),
    )
