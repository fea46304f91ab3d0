"""One stream, held until it is cut: silent, with heartbeats, or talking. `stream_limits` judges several."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise, zip_longest
from math import inf

from kit.proof.actions import Action, Await, End, Feed, Machine, Observed, Open, Ping, Reply
from kit.proof.doubts import Doubt
from kit.proof.sse import COMMENT
from kit.proof.steps import SIDE_TIMEOUT_MS, SMALL, Came, GiveUpError, OverError, Steps

OLDER_S = 115.0  # an older origin ends each stream after 120 s
SPARE_S = 60.0  # for which the origin lets a stream live longer than it is watched
# Well below every known limit on silence, and no multiple of the 5 s after which many servers close the
# connection that side requests come on.
BEAT_S = 4.0
BEATS = 12  # at least, in a time that is short
# What talks says more at a time than the blocks of 4 KiB that nginx collects; 900 of them are under 4 MiB.
TALK = 4_200
PASSES_MS = 3_000.0  # for an event to come through a stream that was watched
_LOOK_MS = 1_000.0  # so that it is known how late this process was when a stream ended


@dataclass(frozen=True, slots=True)
class StreamLifetime:
    """One stream, from its opening to its end, or to our timeout. Seconds.

    Attributes:
        lived_s: how long it lived.
        cut: whether it ended without having been asked to.
        cleanly: whether what ended it closed the message as if it were whole.
        status: of the response; None if it had none.
        last_silence_s: how long nothing had arrived when it ended.
        longest_silence_s: the longest time in which nothing arrived, before that last one.
        talked: whether all that was to be said in it was passed on to the origin; true for a silent one.
        passes: whether one more event came through it when it had been watched; None where that is not known.
        late_s: for how long this process did not run when it ended: its times may be wrong by so much.
        beat_ms: between which times the latest of what was said in it came; None where nothing was said.
        held: whether what was said in it was overtaken by side requests, and had not come when it ended.
        comments: whether comments were said in it.
        dropped: whether they never came, though an event that was said after them did.
        older: whether its origin ends every stream after 120 s, so that it was not watched for longer.
    """

    lived_s: float
    cut: bool
    cleanly: bool
    status: int | None
    last_silence_s: float
    longest_silence_s: float
    talked: bool = True
    passes: bool | None = None
    late_s: float = 0.0
    beat_ms: tuple[float, float] | None = None
    held: bool = False
    comments: bool = False
    dropped: bool = False
    older: bool = False


@dataclass(slots=True)
class _Beat:
    sent_ms: float
    known_ms: float  # when the origin's word that it was sent was back
    overtaken: bool = False
    late_ms: float = 0.0  # this process did not run meanwhile


def apart_s(for_s: float) -> float:
    """How much later the second streams begin: more than clocks differ by, and little of the time."""
    return min(max(2.5, for_s / 20), 30.0, for_s / 2)


def side_by_side(for_s: float, *, comments: bool) -> tuple[tuple[float, Machine[StreamLifetime]], ...]:
    """The streams to watch, and when each begins, in seconds: two that are silent, and two that talk.

    Args:
        for_s: for how long to watch in all.
        comments: whether their media type has such.
    """
    later_s, beat_s = apart_s(for_s), min(BEAT_S, for_s / BEATS)
    left_s = for_s - later_s
    return (
        (0.0, life(for_s)),
        (later_s, life(left_s)),
        (0.0, life(for_s, beat_s=beat_s)),
        (later_s, life(left_s, beat_s=beat_s, octets=SMALL, comments=comments)),
    )


def life(
    limit_s: float, *, beat_s: float | None = None, octets: int = TALK, comments: bool = False
) -> Machine[StreamLifetime]:
    """Watch one stream until it is cut.

    Args:
        limit_s: how long to watch.
        beat_s: how often something is said in it; None for a stream that is silent after its first event.
        octets: how much.
        comments: whether in comments, as heartbeats are sent.
    """
    return _Life(limit_s, beat_s, octets, comments=comments).run()


class _Life(Steps):
    """One stream that is watched, by the rule of what is held (`Steps`)."""

    def __init__(self, limit_s: float, beat_s: float | None, octets: int, *, comments: bool) -> None:
        super().__init__()
        self._limit_s, self._beat_s, self._octets, self._comments = limit_s, beat_s, octets, comments
        self._beats: list[_Beat] = []
        self._talked = True
        self._older = False
        self._last_late_ms = 0.0

    def run(self) -> Machine[StreamLifetime]:
        longer = self._limit_s > OLDER_S
        opened = Open(SMALL, seconds=int(self._limit_s + SPARE_S) if longer else None)
        self._begin((yield from self._do(opened)))
        self._count = 1
        try:
            if longer and (yield from self._seconds()) is None:
                self._limit_s, self._older = OLDER_S, True
            yield from self._watch()
        except OverError:
            pass
        except GiveUpError:
            self._talked = False
        seen = self._seen()
        if seen.cut:
            return seen
        passes = (yield from self._passes()) if self._talked else None
        yield from self._do(End(SIDE_TIMEOUT_MS))
        dropped = seen.comments and bool(passes) and not any(self._came(comments=True))
        return replace(seen, passes=passes, dropped=dropped)

    def _do(self, action: Action) -> Machine[Observed]:
        observed = yield from super()._do(action)
        self._last_late_ms = observed.late_ms
        return observed

    def _seconds(self) -> Machine[float | None]:
        """For how long the origin lets the stream live; None where it does not say so."""
        for _ in range(10):
            before = self._stream.events
            reply = (yield from self._do(Ping(SIDE_TIMEOUT_MS))).reply
            if reply is not None and reply.known:
                return reply.seconds
            if before or self._stream.ended_ms is not None:
                break
            yield from self._do(Await(500.0, events=1))  # it may be on its way to what is starting
        return None

    def _watch(self) -> Machine[None]:
        stream, beat_ms = self._stream, inf if self._beat_s is None else self._beat_s * 1000
        due_ms, until_ms = self._opened_ms + beat_ms, inf
        while stream.ended_ms is None and self._now_ms < until_ms:
            began_ms = self._opened_ms if self._older or not stream.reads else stream.reads[0][0]
            until_ms = began_ms + self._limit_s * 1000
            look_ms = min(self._now_ms + _LOOK_MS, due_ms, until_ms)
            yield from self._do(Await(max(look_ms - self._now_ms, 0.0)))
            if stream.ended_ms is None and due_ms <= self._now_ms < until_ms:
                yield from self._beat()
                due_ms = self._now_ms + beat_ms

    def _beat(self) -> Machine[None]:
        missing = self._stream.events < self._count
        fed = yield from self._say_more(self._octets, comment=self._comments)
        self._talked = fed.known
        if not fed.known:
            return
        self._count += 1
        self.rtt_ms = self.slowest_ms = fed.took_ms
        beat = _Beat(fed.sent_ms, fed.arrived_ms)
        if not (missing and any(one.overtaken for one in self._beats)):  # else it is behind one that is late
            late_ms = self._late_ms
            beat.overtaken = (yield from self._comes(self._least_ms, events=self._count)) is not Came.PROMPT
            beat.late_ms = self._late_ms - late_ms
        self._beats.append(beat)

    def _say_more(self, octets: int, *, comment: bool = False) -> Machine[Reply]:
        """The origin's word that it was sent, or that it does not know the stream, which has not begun."""
        reply = None
        for _ in range(2):  # the connection may have been closed for its own idleness just as we asked
            reply = (yield from self._do(Feed(octets, SIDE_TIMEOUT_MS, comment))).reply
            if reply is not None:
                break
        if reply is None:
            raise GiveUpError(Doubt.SIDE_REQUEST_HUNG)
        if not reply.known:
            # The origin knows before we do that the stream is over.
            yield from self._do(Await(1_000.0))
            self._check_alive()
            if self._stream.status is not None:
                raise GiveUpError(Doubt.OTHER_INSTANCE)
        return reply

    def _passes(self) -> Machine[bool | None]:
        """Whether what was not closed still passes an event, be it at its end; None where it is not known."""
        before = self._stream.events
        try:
            if not (yield from self._say_more(SMALL)).known:
                return None
            if (yield from self._comes(max(PASSES_MS, self._least_ms), events=before + 1)) is Came.HELD:
                yield from self._do(End(SIDE_TIMEOUT_MS))
                yield from self._do(Await(PASSES_MS, events=before + 1))
        except (GiveUpError, OverError):
            return None
        return True if self._stream.events > before else (False if before else None)

    def _came(self, *, comments: bool) -> list[float]:
        """When what was said in it came: all comments, or all events but the first."""
        if comments:
            return [at for at, event in self._stream.arrivals if event.type == COMMENT]
        return [at for at, _ in self._stream.arrivals[1:]]

    def _seen(self) -> StreamLifetime:
        """What became of it until now."""
        stream = self._stream
        ended_ms = self._now_ms if stream.ended_ms is None else stream.ended_ms
        said = stream.reads if stream.status == 200 else []  # a hop's own page is no stream
        times = [self._opened_ms, *(at for at, _ in said), ended_ms]
        silences = [later - sooner for sooner, later in pairwise(times)]
        # An older origin sends an event in a comment's place.
        comments = self._comments and not any(event.type != COMMENT for _, event in stream.arrivals[1:])
        late_ms, most_ms, missing = [0.0, 0.0], 0.0, 0
        for beat, at in zip_longest(self._beats, self._came(comments=comments)[: len(self._beats)]):
            if at is not None:
                most_ms = max(most_ms, at - beat.sent_ms)
                late_ms += [at - beat.known_ms - beat.late_ms] if beat.overtaken else []
            elif beat.overtaken or missing:
                most_ms, missing = inf, missing + 1
                late_ms.append(ended_ms - beat.known_ms - beat.late_ms)
        return StreamLifetime(
            lived_s=(ended_ms - self._opened_ms) / 1000,
            cut=stream.ended_ms is not None,
            cleanly=stream.ended_ms is not None and stream.clean,
            status=stream.status,
            last_silence_s=silences[-1] / 1000,
            longest_silence_s=max(silences[:-1], default=0.0) / 1000,
            talked=self._talked or self._beat_s is None,
            late_s=self._last_late_ms / 1000,
            beat_ms=(sorted(late_ms)[-2], most_ms) if most_ms else None,  # one alone may have met a stall
            held=missing > 1,
            comments=comments,
            older=self._older,
        )
