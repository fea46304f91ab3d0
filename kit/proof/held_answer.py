"""The app's own answer in lock-step: its origin releases piece k+1 only once this client has piece k.

The rule is that of every proof (`kit.proof.steps`). What passes here are the answer's own pieces, counted by
octets, since hops join and split them. What an answer cannot show, the size of a block larger than itself
say, is left to the proof's own streams (`kit.proof.lockstep`).

Bounded to a dozen steps: a piece at a time at the beginning, then three times as many each time, of which the
last is waited for, and the answer's last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from kit.language import join, text
from kit.proof.actions import Action, Await, End, Machine, Observed, Pass, Progress, Reply
from kit.proof.doubts import Doubt
from kit.proof.lockstep import END_TIMEOUT_MS, alike
from kit.proof.steps import SEARCH_MS, SIDE_TIMEOUT_MS, Came, GiveUpError, Lead, OverError, Steps
from kit.proof.verdict import Finding, Method, Shape, Verdict

MOST = 12  # steps
SINGLE = 3  # of them at least, a piece at a time; then so many times more each time
RELEASES = 3  # of what is held, which tell how it is
ALL = 999_999_999  # pieces; the end waits all the same
WAIT_MS = 1_000.0  # an app that begins before may just be quick
BURST_MS = 50.0  # what is written within so little was not made meanwhile
AT_ONCE_MS = 4.0  # between two writes of what is there already; a fast model makes a token in as much
BLOCKED_MS = 500.0
WAITED_MS = 500.0
KEPT_ITS_LOOP = text("the app kept its event loop to itself")  # how the evidence of it begins
_STARTING_MS = 500.0

_FREE = {
    "one piece": text("the app sent it in one piece"),
    "length": text("it says its length"),
    "status": text("its status is not 200"),
    "alone": text("no side request reached its origin in time"),
    "time": text("its origin had held it for as long as it may"),
}


class HeldAnswer(Steps):
    """One answer's lock-step: `run()` is the machine, `finding` what is known so far.

    Args:
        pings: replies of the origin that are known already.

    Attributes:
        progress: what the origin said of the answer last; None while it knows of none.
        lost: whether fewer octets came than were released, though it ended in order.
    """

    def __init__(self, pings: Sequence[Reply] = ()) -> None:
        super().__init__()
        self.progress: Progress | None = None
        self.lost = False
        self._pings = pings
        self._reply: Reply | None = None
        self._lead = Lead(self._least_hold_ms)
        self._passed = 0  # octets of the largest single piece that came
        self._held_how: Finding | None = None
        self._unclear_how = False

    def run(self) -> Machine[None]:
        """Until it is known how the answer comes, or it is over; at the end all of it is released."""
        try:
            yield from self._measure_round_trip(self._pings)
            yield from self._lock_step()
        except GiveUpError as why:
            self._say(text("lock-step of the answer was not possible any further ({doubt})", doubt=why.doubt))
        except OverError:
            pass  # what became of the answer is judged where it is read
        yield from self._do(End(SIDE_TIMEOUT_MS))

    @property
    def is_complete(self) -> bool:
        """Whether the origin spoke last when only the answer's end was left."""
        return self.progress is not None and self.progress.waits == "end"

    def came(self, octets: int) -> None:
        """The answer has come whole, in so many octets: as many as were released, or they say nothing."""
        if self.progress is not None and octets != self._octets:
            self.lost = octets < self._octets
            does = text("cuts or changes it") if self.lost else text("changes it")
            self._say(
                text(
                    "{released:,} bytes of the answer were released and {arrived:,} arrived: a hop {does}, "
                    "so it is judged by its times",
                    released=self._octets,
                    arrived=octets,
                    does=does,
                )
            )
            self._held_how, self._unclear_how = None, True

    @property
    def finding(self) -> Finding | None:
        """How the answer comes; None where its pieces do not say."""
        if self._held_how is not None:
            return self._held_how
        lead = self._lead
        if self._unclear_how or not lead.count or self._unclear(lead):
            return None
        if lead.late and lead.decided:
            said = text(
                "{pieces} of the answer came {hold_ms:.0f} ms late, when side requests had overtaken them",
                pieces=_pieces(lead.count),
                hold_ms=lead.hold_ms,
            )
            timer = self._found(Verdict.TIME_LIMITED, Shape.TIMER, hold_ms=lead.hold_ms)
            return replace(timer, evidence=(*timer.evidence, said))
        if lead.late or not (lead.decided or lead.at_one):
            return None
        said = text(
            "{pieces} of the answer, each released only after the one before had arrived: "
            "passed, {hold_ms:.1f} ms later than a round trip ({rtt_ms:.1f} ms)",
            pieces=_pieces(lead.count),
            hold_ms=lead.hold_ms,
            rtt_ms=self.rtt_ms,
        )
        streams = self._found(Verdict.INCREMENTAL, hold_ms=lead.hold_ms)
        return replace(streams, evidence=(*streams.evidence, said))

    @property
    def short(self) -> bool:
        """Whether it was over before enough pieces had come to tell all that an answer can."""
        return self._held_how is None and not self._lead.decided

    # The moves.

    def _do(self, action: Action) -> Machine[Observed]:
        observed = yield from super()._do(action)
        if observed.stream is not None:
            self._stream = observed.stream
        if observed.reply is not None and observed.reply.progress is not None:
            self._reply, self.progress = observed.reply, observed.reply.progress
        return observed

    def _lock_step(self) -> Machine[None]:
        if not (yield from self._begun()):
            return
        came = yield from self._reach()
        more = 1
        for step in range(1, MOST + 1):
            if came is Came.HELD:
                yield from self._held_by()
                return
            self._lead.add(self._overtaken, self._hold_ms())
            if self._lead.decided and self._lead.late:
                return
            if step >= SINGLE and self._lead.decided:
                more = SINGLE * more
            before = self._octets
            if not (yield from self._pass(more if step < MOST - 1 else ALL)):
                return
            came = yield from self._reach()
            if more == 1 and came is not Came.HELD:
                self._passed = max(self._passed, self._octets - before)

    def _begun(self) -> Machine[bool]:
        """Whether it can be held, once its first piece was released; that may take the app a while."""
        while True:
            yield from self._do(Await(_STARTING_MS, octets=1))
            there = self._stream.octets > 0
            # What has come was released alone: it says itself that it came.
            reply = (yield from self._do(Pass(2 if there else 1, SIDE_TIMEOUT_MS))).reply
            if reply is None:
                raise GiveUpError(Doubt.SIDE_REQUEST_HUNG)
            progress = reply.progress
            if (
                progress is None
            ):  # before something came, it may be on its way to an instance that is starting
                if there:
                    raise GiveUpError(Doubt.OTHER_INSTANCE)
            elif progress.free:
                self._say(
                    text(
                        "the answer could not be put in lock-step: {why}",
                        why=_FREE.get(progress.free, progress.free),
                    )
                )
                return False
            elif progress.pieces:
                return True
            self._check_alive()

    def _pass(self, more: int) -> Machine[bool]:
        """Have so many more pieces released: whether at least one was."""
        pieces = 0 if self.progress is None else self.progress.pieces
        while True:
            reply = (yield from self._do(Pass(pieces + more, SIDE_TIMEOUT_MS))).reply
            if reply is None:
                raise GiveUpError(Doubt.SIDE_REQUEST_HUNG)
            progress = reply.progress
            if progress is None:
                self._check_alive()
                raise GiveUpError(Doubt.OTHER_INSTANCE)
            if progress.free or progress.ended:
                return False
            if progress.pieces >= pieces + more or progress.waits == "end":
                return progress.pieces > pieces
            self._check_alive()

    def _reach(self, least_ms: float | None = None) -> Machine[Came]:
        """Does all that was released arrive?"""
        return (yield from self._comes(least_ms or self._least_ms, octets=self._octets))

    def _held_by(self) -> Machine[None]:
        """Something was held: what frees it, as far as this answer shows?"""
        missing = self._octets - self._stream.octets
        self._say(
            text(
                "{missing:,} bytes of the answer were released and did not arrive; side requests "
                "overtook them",
                missing=missing,
            )
        )
        first, self._unclear_how = self._stream.octets == 0, True  # until it is known how
        began = self._pieces
        more, waited, by_next, released = 1, False, 0, list[int]()
        while len(released) < RELEASES:
            before, owed = self._stream.octets, self._octets
            if not (yield from self._pass(more)):
                break
            came = yield from self._comes(SEARCH_MS, octets=before + 1)
            if came is Came.HELD:
                more, waited = 2 * more, True
                continue
            yield from self._reach(SEARCH_MS)
            if came is Came.LATE:
                self._say(text("it came out when nothing had just been released: a timer?"))
                return
            released.append(self._stream.octets - before)
            by_next += self._stream.octets >= owed and not waited
            waited = False
            if self._stream.octets >= self._octets and (yield from self._flows()):
                self._flows_now(first=first, after=self._pieces - began)
                return
            more = max(1, more // 2)
        if not released:
            yield from self._whole()
        elif by_next == len(released):
            self._say(text("what was released next freed it, {by_next} times of {by_next}", by_next=by_next))
            self._is_held(Verdict.BYTE_LIMITED, Shape.TAIL, self._passed or None, repeated=by_next > 1)
        else:
            self._say(
                text(
                    "the answer came {sizes} bytes at a time",
                    sizes=join(" and ", (f"{octets:,}" for octets in released)),
                )
            )
            size = released[-1] if alike(released) else None
            self._is_held(Verdict.BYTE_LIMITED, Shape.BLOCKS, size, repeated=len(released) > 1)

    def _flows(self) -> Machine[bool]:
        """Do the next two pieces come by themselves?"""
        for _ in range(2):
            if (yield from self._pass(1)) and (yield from self._reach()) is Came.HELD:
                return False
        return True

    def _flows_now(self, *, first: bool, after: int) -> None:
        if not first:
            self._say(text("it came once more was released, and nothing was held from then on"))
            return
        self._say(text("more freed it, and from then on single pieces passed"))
        shape = Shape.FIRST_EVENT if after <= 3 else Shape.PREFIX  # two of them to see that it flows
        self._is_held(Verdict.BYTE_LIMITED, shape, None, repeated=False)

    def _whole(self) -> Machine[None]:
        octets = self._octets
        self._say(text("{octets:,} bytes were released in all, and nothing came out", octets=octets))
        yield from self._do(End(SIDE_TIMEOUT_MS))
        came = yield from self._comes(END_TIMEOUT_MS, octets=octets)
        if came is Came.HELD:
            return
        self._say(text("after the answer's end all of it came"))
        self._is_held(Verdict.WHOLE_MESSAGE, Shape.WHOLE, None, repeated=True)

    def _is_held(self, verdict: Verdict, shape: Shape, size: int | None, *, repeated: bool) -> None:
        doubt = Doubt.BUFFER_SIZE_UNKNOWN if shape is Shape.WHOLE else Doubt.NOT_REPEATED
        doubts = () if repeated and shape is not Shape.WHOLE else (doubt,)
        self._held_how = self._found(verdict, shape, block_bytes=size, doubts=doubts)

    # What can be said without doing anything.

    @property
    def _pieces(self) -> int:
        return 0 if self.progress is None else self.progress.pieces

    @property
    def _octets(self) -> int:
        """That were released."""
        return 0 if self.progress is None else self.progress.octets

    def _hold_ms(self) -> float:
        """How much later than a round trip the last released piece came, by the origin's own clock."""
        reply, progress = self._reply, self.progress
        if reply is None or progress is None:
            return 0.0
        left, at_ms = progress.octets, self._now_ms
        for at_ms, octets in self._stream.reads:  # noqa: B007 (the one that completed it)
            left -= octets
            if left <= 0:
                break
        return at_ms - reply.arrived_ms + reply.now_ms - progress.gone_ms

    def _check_alive(self) -> None:
        stream = self._stream
        if stream.ended_ms is not None or stream.status not in (None, 200):
            raise OverError(Finding(Verdict.INCONCLUSIVE, Method.LOCK_STEP))


def all_at_once(progress: Progress | None, events: int) -> str:
    """How the app sent all of it together, after some work; empty where it did not, or that cannot be seen.

    What an app made while a piece of it was held back is not known: what comes then may have been waiting. So
    the pieces say it that followed one that was not held; the second always does.

    Args:
        progress: what the origin said of the answer when it was over.
        events: that the answer formed.
    """
    if (
        progress is None
        or not progress.times
        or max(events, progress.pieces) < 2
        or progress.times[0][1] < WAIT_MS
    ):
        return ""
    waited = text("after {waited_ms:.0f} ms of nothing", waited_ms=progress.times[0][1])
    if progress.pieces == 1:
        return text("the app sent all {events:,} events in one piece, {waited}", events=events, waited=waited)
    gaps = [
        after[1] - before[1]
        for before, after in pairwise(progress.times)
        if before[2] - before[1] < AT_ONCE_MS
    ]
    if not gaps or gaps[0] >= AT_ONCE_MS or sum(gaps) > max(BURST_MS, AT_ONCE_MS * len(gaps) / 4):
        return ""
    return text(
        "the app sent all {pieces:,} pieces one right after the other, {waited}",
        pieces=progress.pieces,
        waited=waited,
    )


def as_it_came(progress: Progress | None) -> str:
    """What is said of the app where no hop holds the answer, and it looks held all the same."""
    if progress is None or not progress.coding:
        return text("no hop holds it: the app itself sent the answer as it came")
    return text(
        "no hop holds it: the app itself sent the answer as it came, which it compresses ({coding})",
        coding=progress.coding,
    )


def waited(progress: Progress | None) -> tuple[str, ...]:
    """What is said of an answer that took longer because it was held; nothing where that is little."""
    waited_ms = sum(gone - sent for _, sent, gone in progress.times) if progress is not None else 0.0
    if waited_ms < WAITED_MS:
        return ()
    return (
        text(
            "the answer took longer for this proof: its pieces waited {waited_ms:.0f} ms to be asked for",
            waited_ms=waited_ms,
        ),
    )


def kept_its_loop(progress: Progress | None) -> tuple[str, ...]:
    """What is said of an app that kept its event loop to itself for most of its work; nothing of others."""
    if progress is None or not progress.times or progress.blocked_ms < BLOCKED_MS:
        return ()
    worked_ms = progress.times[0][1] + sum(after[1] - before[2] for before, after in pairwise(progress.times))
    if progress.blocked_ms < worked_ms / 2:
        return ()
    return (
        text(
            "{kept} for {blocked_ms:.0f} ms: all others had to wait",
            kept=KEPT_ITS_LOOP,
            blocked_ms=progress.blocked_ms,
        ),
    )


def _pieces(count: int) -> str:
    return text("a piece") if count == 1 else text("{count} pieces", count=count)
