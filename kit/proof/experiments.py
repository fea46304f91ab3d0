"""Which experiments to make, one after another: change one thing, and see whether that frees the stream.

A generator that yields experiments to make side by side and is sent what they showed. It holds no socket and
no clock; `kit.flows.by_proof` runs it on real ones. What the outcome means stands in `kit.proof.causes`.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from kit.language import join, text
from kit.proof.conditions import Change, Conditions, in_words
from kit.proof.quick_check import Observation, State
from kit.proof.verdict import Shape


@dataclass(frozen=True, slots=True)
class Experiment:
    """One stream, to see whether it passes.

    Attributes:
        conditions: under which.
        says: what it is, for a row of evidence.
        whole: find out how it is held as well, and in pieces of what size.
    """

    conditions: Conditions
    says: str
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One row of evidence: an experiment and what was seen."""

    experiment: Experiment
    observation: Observation


@dataclass(frozen=True, slots=True)
class BlockingFactor:
    """Something that holds the stream, by what frees it.

    Attributes:
        frees: each of these alone lets the stream pass it; none if only all together are known to.
        fails: each of these was tried, and alone does not.
        unseen: each of these was tried, and nothing could be decided.
        shape: how the stream is held as it is asked for.
    """

    frees: frozenset[Change]
    fails: frozenset[Change]
    unseen: frozenset[Change] = frozenset()
    shape: Shape | None = None


@dataclass(frozen=True, slots=True)
class Traced:
    """What the experiments found.

    Attributes:
        base: the stream as it is asked for.
        factors: what something frees. Several of them all hold it, each by itself.
        rest: what is seen when everything that can be changed is changed, and it still does not stream.
        direct: what is seen when the service is asked directly; None where it was not.
        rows: all experiments, in order.
    """

    base: Observation
    factors: tuple[BlockingFactor, ...] = ()
    rest: Observation | None = None
    direct: Observation | None = None
    rows: tuple[Row, ...] = ()


Tracing: TypeAlias = Generator[Sequence[Experiment], Sequence[Observation], Traced]

# In this order they are reported. Each alone is tried; together only what no hop has a reason to dislike.
_SINGLES = (
    Change.IDENTITY,
    Change.HEADER,
    Change.NO_TRANSFORM,
    Change.EVENT_STREAM,
    Change.ACCEPT,
    Change.METHOD,
    Change.HTTP_VERSION,
    Change.INCREMENTAL,
)
_KIND = (Change.IDENTITY, Change.HEADER, Change.NO_TRANSFORM, Change.EVENT_STREAM, Change.ACCEPT)
_SHAPES: Sequence[Shape | None] = list(Shape)  # from worst to best
# A lost packet can make one of these look as if it did not help, and which of them help is what tells
# nginx's compressor from another: so a failure is only believed twice.
_DECIDING = (Change.IDENTITY, Change.HEADER)


def trace(base: Conditions, seen: Observation, can: frozenset[Change]) -> Tracing:
    """Why a stream is held, by experiment.

    Args:
        base: how it is asked for.
        seen: what the first experiment under these conditions showed; not a stream that passes.
        can: what can be changed here.
    """
    return (yield from _Trace(base, can, refused=seen.state is State.REFUSED).run(seen))


def to_the_end(base: Conditions, can: frozenset[Change], *, refused: bool) -> tuple[Experiment, ...]:
    """The experiments that take longest and that `trace` makes last, so that they may begin before it."""
    return _Trace(base, can, refused=refused).to_the_end


class _Trace:
    def __init__(self, base: Conditions, can: frozenset[Change], *, refused: bool) -> None:
        self._base = base
        self._can = can
        self._rows: list[Row] = []
        self._known: dict[Conditions, Observation] = {}
        self._singles = self._changing(base)
        self._kind = kind = self._easing(refused=refused)
        self._together = together = _with(base, kind)
        # Of the others it is not known which of the two is kinder.
        self._either = [one for one in self._singles if one not in kind]
        at_once = text("all at once: {conditions}", conditions=in_words(together))
        self._easiest = {together: at_once} if kind else {}
        for one in self._either:
            says = text("all at once, {words}", words=one.words(together)) if kind else one.words(base)
            self._easiest[one.applied(together)] = says

    @property
    def to_the_end(self) -> tuple[Experiment, ...]:
        """As asked first, then under each of the least restrictive conditions."""
        same_shape = Change.INCREMENTAL.applied(self._together)
        easiest = [(at, says) for at, says in self._easiest.items() if at != same_shape]
        return tuple(
            Experiment(at, text("{says}, to the end", says=says), whole=True)
            for at, says in ((self._base, text("as asked")), *easiest)
        )

    def run(self, seen: Observation) -> Tracing:
        base, singles, kind, together = self._base, self._singles, self._kind, self._together
        either, easiest = self._either, self._easiest
        self._known[base] = seen
        as_it_is, *whole = self.to_the_end
        alone = self._each(base, singles)
        at_once = [Experiment(at, says) for at, says in easiest.items()]
        at_once = [
            experiment
            for experiment in at_once
            if all(experiment.conditions != one.conditions for one in alone)
        ]
        yield from self._take([*alone, *at_once, *self._directly()])
        frees, fails = self._alone(base, singles)
        factors: tuple[BlockingFactor, ...] = ()
        if frees:
            factors = (BlockingFactor(frees, fails, frozenset(singles) - frees - fails),)
        elif (passes := next((at for at in easiest if self._known[at].streams), None)) is not None:
            further = [one for one in either if one.applied(together) == passes]
            factors = yield from self._several([*kind, *further])
        yield from self._take([as_it_is] if factors else [as_it_is, *whole])
        if self._known[base].streams:  # a moment ago it did not: nothing follows from this
            return self._traced()
        if factors:
            shape = self._known[base].shape
            return self._traced(*(replace(one, shape=one.shape or shape) for one in factors))
        return self._traced(rest=self._least_restrictive([base, *easiest]))

    def _directly(self) -> list[Experiment]:
        asked = Change.DIRECT.applied(self._base)
        return [Experiment(asked, Change.DIRECT.words(self._base))] if Change.DIRECT in self._can else []

    def _each(self, at: Conditions, changes: Iterable[Change], also: str = "") -> list[Experiment]:
        """Each change alone; those that decide, twice at the same time."""
        return [
            Experiment(
                one.applied(at), text("{words}{also}{again}", words=one.words(at), also=also, again=again)
            )
            for one in changes
            for again in (("", text(", again")) if one in _DECIDING else ("",))
        ]

    def _alone(
        self, at: Conditions, changes: Iterable[Change]
    ) -> tuple[frozenset[Change], frozenset[Change]]:
        """Which of the changes free the stream by themselves, and which were tried and do not."""
        outcome = {one: self._known[one.applied(at)] for one in changes}
        decided = {one: seen for one, seen in outcome.items() if seen.state is not State.UNDECIDED}
        frees = frozenset(one for one, seen in decided.items() if seen.streams)
        return frees, frozenset(decided) - frees

    def _several(self, changes: Sequence[Change]) -> _Several:
        """Nothing alone frees it, all together do: the smallest set that does, each of it a factor."""
        needed, left = list(changes), list(changes)
        while left:
            without = {one: _with(self._base, [it for it in needed if it is not one]) for one in left}
            yield from self._take(
                Experiment(at, text("with all of these but {words}", words=one.words(self._base)))
                for one, at in without.items()
            )
            spare = next((one for one in left if self._known[without[one]].streams), None)
            if spare is None:
                if any(self._known[at].state is State.UNDECIDED for at in without.values()):
                    return (BlockingFactor(frozenset(), frozenset()),)  # unseen is not the same as needed
                break
            needed.remove(spare)
            # What was needed among more is needed among fewer.
            left = [one for one in left if one is not spare and self._known[without[one]].streams]
        factors = []
        for one in needed:
            others = [it for it in needed if it is not one]
            at = _with(self._base, others)
            changing = [it for it in self._changing(at) if it in changes]
            also = join(" and ", (it.words(self._base) for it in others))
            besides = text(" and {also}", also=also) if also else ""
            yield from self._take(
                [Experiment(at, text("with {also}", also=also)), *self._each(at, changing, besides)]
            )
            frees, fails = self._alone(at, changing)
            unseen = frozenset(changing) - frees - fails - {one}
            factors.append(BlockingFactor(frees | {one}, fails - {one}, unseen))
        return tuple(factors)

    def _take(self, experiments: Iterable[Experiment]) -> _Take:
        """Make those whose outcome is not known yet, or not in full."""
        wanted = [
            experiment
            for experiment in experiments
            if experiment.whole or experiment.conditions not in self._known
        ]
        if not wanted:
            return
        saw = tuple(zip(wanted, (yield wanted), strict=True))
        for experiment, seen in saw:
            self._note(experiment, seen)
        # What a busy machine left undecided is asked again, one at a time.
        for experiment, seen in saw:
            if not seen.busy or (self._known[experiment.conditions].streams and not experiment.whole):
                continue
            again = replace(experiment, says=text("{says}, once more", says=experiment.says))
            (seen,) = yield [again]
            self._note(again, seen)

    def _note(self, experiment: Experiment, seen: Observation) -> None:
        self._rows.append(Row(experiment, seen))
        before = self._known.get(experiment.conditions)
        # That five events passed one by one was no luck; that one did not come may have been.
        if before is None or not (before.streams or seen.state is State.UNDECIDED):
            self._known[experiment.conditions] = seen
        elif seen.doubts and before.state is State.HELD:  # held, and why it was not seen how
            self._known[experiment.conditions] = replace(before, doubts=(*before.doubts, *seen.doubts))

    def _least_restrictive(self, easiest: Sequence[Conditions]) -> Observation:
        """What still holds: of several that hold at once, the worst is what is seen."""
        as_asked = self._known[easiest[0]]
        shaped = [self._known[at] for at in easiest[1:] if self._known[at].shape is not None]
        if not shaped:
            return replace(as_asked, proven=as_asked.proven and len(easiest) == 1)
        least = max(shaped, key=lambda seen: _SHAPES.index(seen.shape))
        alike = len({seen.shape for seen in shaped}) == 1
        return least if alike else replace(least, proven=False)

    def _changing(self, at: Conditions) -> list[Change]:
        return [one for one in _SINGLES if one in self._can and one.applied(at) != at]

    def _easing(self, *, refused: bool) -> list[Change]:
        """What is done together: what makes a stream easier to let pass, whatever holds it."""
        return [
            one
            for one in self._singles
            if one in _KIND
            or (one is Change.METHOD and self._base.method == "POST")
            or (one is Change.INCREMENTAL and refused)
        ]

    def _traced(self, *factors: BlockingFactor, rest: Observation | None = None) -> Traced:
        direct = self._known.get(Change.DIRECT.applied(self._base))
        return Traced(self._known[self._base], factors, rest, direct, tuple(self._rows))


_Take: TypeAlias = Generator[Sequence[Experiment], Sequence[Observation], None]
_Several: TypeAlias = Generator[Sequence[Experiment], Sequence[Observation], tuple[BlockingFactor, ...]]


def _with(base: Conditions, changes: Iterable[Change]) -> Conditions:
    for one in changes:
        base = one.applied(base)
    return base


def as_asked(base: Conditions) -> Experiment:
    """The first experiment, without any change."""
    return Experiment(base, text("as asked: {conditions}", conditions=in_words(base)))
