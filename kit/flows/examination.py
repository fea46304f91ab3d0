"""State that both ways of examining a URL share, and what they make of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from kit.errors import Code
from kit.language import bare, text
from kit.probe.address import same_origin
from kit.probe.client import Ask
from kit.probe.experiments import AnswerExperiments
from kit.probe.http_errors import reported, shown
from kit.probe.lane import LaneProbe, Proved, measured
from kit.probe.origin import LIMITED, LIMITED_S
from kit.probe.pulse import Pulse
from kit.probe.spec import LaneSpec
from kit.proof.answer import watched
from kit.proof.causes import Cause, Certainty, NamedCause
from kit.proof.conditions import Change, Conditions
from kit.proof.contract import ClauseFinding
from kit.proof.diagnosis import Diagnosis, verdict_of
from kit.proof.doubts import Doubt
from kit.proof.experiments import BlockingFactor, Experiment, Row, Traced
from kit.proof.fates import fates, late_head, starved
from kit.proof.fingerprints import hops
from kit.proof.held_answer import KEPT_ITS_LOOP
from kit.proof.quick_check import Observation, State
from kit.proof.timeline import End, Timeline
from kit.proof.verdict import Finding, Method, Verdict

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class DoctorSpec(LaneSpec):
    """What to examine, and what may be done for it.

    Its request is the one whose answer does not stream. Where that does not say what it accepts, it is what
    browsers do; with TLS they are offered HTTP/2.

    Attributes:
        direct_url: the same service past the hop; None where that is not known.
        max_requests: how often the URL itself may be asked for an answer.
        repeat_ok: whether a request that is not a GET may be repeated.
        known_direct: what the same service was seen to do when it was asked directly; None where it was not.
        known_stream: what a stream of the proof's did there; None where none was sent, or not all passed.
        known_cancelled: what was found there of a client that leaves; None where that was not asked.
    """

    event_bytes: int = 1_000
    http2: bool = True
    direct_url: str | None = None
    max_requests: int = 6
    repeat_ok: bool = False
    known_direct: Observation | None = None
    known_stream: Observation | None = None
    known_cancelled: ClauseFinding | None = None


# What a wrong Content-Encoding, and a broken connection, are called.
_CAME_WRONG = (Code.BAD_ENCODING, Code.BODY_CUT)
SOON_MS = 500.0  # what came later and at once may be a server's own work, which varies
# What is changed when the URL itself is asked again, the likeliest first; the last only if nothing frees it.
_AGAIN = (Change.FRESH, Change.DIRECT, Change.IDENTITY, Change.HTTP_VERSION, Change.ACCEPT)
_ASKED = {Change.IDENTITY, Change.HTTP_VERSION}
_CODINGS = ("gzip", "x-gzip", "deflate", "br", "zstd")


class Examination:
    """One URL's, from its first answer to the diagnosis.

    Attributes:
        spec: what to examine, and what may be done for it.
        probe: the answer's lane; its origin was looked for.
        say: called with what is done, as it is done.
        announce: called with what will be asked of the URL itself, before it is: it may cost money.
        secure: whether it is asked over TLS.
        rows: what was looked at so far.
        limits: what could not be seen, and what else there is to know.
        first_ms: see `Diagnosis.first_verdict_ms`.
        asked: how often the URL was asked for an answer after the first.
        starved: what small requests beside the answer say, if the service did nothing else meanwhile.
    """

    def __init__(self, spec: DoctorSpec, probe: LaneProbe, say: Say, announce: Say | None = None) -> None:
        self.spec = spec
        self.probe = probe
        self.say = say
        self.announce = announce or say
        self.secure = urlsplit(spec.ask.url).scheme == "https"
        self.rows: list[Row] = []
        self.limits: list[str] = []
        self.first_ms: float | None = None
        self.asked = 0
        self.starved = ""
        self._again: Timeline | None = None
        self._where = ""

    @property
    def left(self) -> int:
        """How often the URL may still be asked for an answer."""
        may = self.probe.asked.method == "GET" or self.spec.repeat_ok
        return max(0, self.spec.max_requests - 1 - self.asked) if may else 0

    @property
    def at_once(self) -> bool:
        """Whether the answer was there so soon, all of it, that it may be a stored copy."""
        looked = watched(self.probe.line)
        soon = looked.at_once and (looked.wait_ms or 0.0) < SOON_MS
        return soon and looked.kind in ("events", "text")

    @property
    def undecodable(self) -> bool:
        """Whether it is not what its Content-Encoding says."""
        return self.came_wrong and self.probe.error is not None and self.probe.error.code is Code.BAD_ENCODING

    @property
    def came_wrong(self) -> bool:
        """Whether an answer came, and cannot be read to its end."""
        error, received = self.probe.error, self.probe.received
        coding = received.headers.get("content-encoding", "").strip().lower()
        unread = error is not None and error.code is Code.BAD_ENCODING and coding not in _CODINGS
        return error is not None and error.code in _CAME_WRONG and received.status == 200 and not unread

    async def answer(self, base: str) -> None:
        """Ask for the answer, and beside it for signs of life below this prefix."""
        pulse, probe = Pulse(base, self.spec.timeout_s), self.probe
        await pulse.beside(probe.answer())
        for wait_s in (LIMITED_S, 3 * LIMITED_S):
            if probe.received.status not in LIMITED or probe.received.refused:
                break
            self.say(
                text(
                    "a limit refused that ({status}): asking again after {wait_s:.0f} s",
                    status=probe.received.status,
                    wait_s=wait_s,
                )
            )
            await asyncio.sleep(wait_s)
            probe.forget()
            await probe.answer()
        by, slept_ms = probe.by_answer, probe.received.late_ms
        if self.left and by.verdict is Verdict.INCONCLUSIVE and Doubt.BUSY_MACHINE in by.doubts:
            self.say(text("this process did not run while that came, so it says nothing: asking once more"))
            self.asked += 1
            probe.forget()
            await probe.answer()
        if len(pulse.pulses) > 1:
            sent, back = pulse.pulses[0]
            self.starved = starved(
                pulse.pulses[1:],
                # The quickest of all that were sent without an answer beside them: one alone may have met a
                # busy moment.
                usual_ms=min([back - sent, *(ping.took_ms for ping in probe.pings)]),
                ended_ms=pulse.ended_ms,
                slept_ms=slept_ms,
            )

    async def look_at_its_end(self) -> None:
        """Where it was cut, or may have been: does that come again, or asked directly?"""
        doubts = {Doubt.STREAM_CUT, Doubt.END_UNKNOWN}
        if self.left == 0 or self.undecodable or doubts.isdisjoint(self.probe.by_answer.doubts):
            return
        ask, direct = self.probe.asked, self.spec.direct_url
        if direct is not None:
            ask = replace(ask, url=direct, headers=same_origin(ask.headers, ask.url, direct))
            self._where = text("asked directly")
        self.say(text("it was cut, or may have been: asking once more, to see when that answer ends"))
        line, wrong = await self.line_of(ask)
        self._again = line if not wrong or line.end is End.CUT else None

    async def line_of(self, ask: Ask) -> tuple[Timeline, str]:
        """One more answer's timeline, and what went wrong with it."""
        self.asked += 1
        async with LaneProbe(replace(self.probe.spec, ask=ask, as_it_is=True)) as probe:
            await probe.answer()
            return probe.line, "" if probe.error is None else probe.error.message

    def asked_once(self) -> str:
        """Why nothing was compared, and what would be."""
        method = self.probe.asked.method
        why = text(
            "--max-requests allows one request, so it was not sent again. With a larger --max-requests it is"
        )
        if not (method == "GET" or self.spec.repeat_ok):
            why = text(
                "A {method} may cost or change something, so it was not sent again. With --allow-repeat it "
                "is",
                method=method,
            )
        return text(
            "{why}: to the service directly (--direct URL), without compression, over "
            "the other HTTP version, for a short and a long answer of a text generator.",
            why=why,
        )

    async def ask_again(self, at: Conditions, seen: Observation, *, most: int) -> Traced:
        """The URL itself, each change once, one after another: an answer may cost, its server be small."""
        asking = replace(self.probe.spec, ask=self.probe.asked, as_it_is=True)
        experiments = AnswerExperiments(
            asking, secure=self.secure, most=most, direct_url=self.spec.direct_url
        )
        at_once = self.at_once
        saw: dict[Change, Observation] = {}
        for one in _AGAIN:
            wanted = Experiment(one.applied(at), one.words(at))
            needless = at_once is not (one is Change.FRESH) or (
                one is Change.ACCEPT and any(saw[it].streams for it in _ASKED & saw.keys())
            )
            if one not in experiments.can or wanted.conditions == at or experiments.left <= 0 or needless:
                continue
            self.say(wanted.says)
            saw[one] = await experiments.observe(wanted)
            self.rows.append(Row(wanted, saw[one]))
        direct = saw.pop(Change.DIRECT, self.spec.known_direct)
        # What was there at once, and with another query takes its time, was there before.
        frees = frozenset(
            one for one, it in saw.items() if it.streams or (one is Change.FRESH and it.state is State.HELD)
        )
        fails = frozenset(one for one, it in saw.items() if it.state is State.HELD) - frees
        held = seen.state is State.HELD or at_once
        if held and frees - {Change.FRESH} and experiments.left > 0:
            again = Experiment(at, text("once more as asked first"))
            self.say(again.says)
            once_more = await experiments.observe(again)
            self.rows.append(Row(again, once_more))
            if once_more.streams:  # an accident of the first: a cold start, one replica of several
                seen, frees, held = once_more, frozenset(), False
                self.limits.append(
                    text(
                        "Asked once more as it was first, it streamed: it is not held every time, so nothing "
                        "that was changed is known to free it. One of several servers or a cold start does "
                        "that."
                    )
                )
        self.asked += experiments.asked
        factors = (BlockingFactor(frees, fails),) if frees and held else ()
        return Traced(seen, factors, direct=direct, rows=tuple(self.rows))

    def conditions(self) -> Conditions:
        """Under what the answer was asked for and sent."""
        return self.probe.conditions

    def diagnosis(
        self,
        seen: Observation,
        named: tuple[NamedCause, ...],
        finding: Finding | None,
        method: Method,
        *,
        by_answer: Finding | None = None,
        at: Conditions | None = None,
        unlike: tuple[str, ...] = (),
    ) -> Diagnosis:
        """The diagnosis.

        Args:
            seen: the stream as it is asked for.
            named: who holds it.
            finding: the proof's; made from what was seen where there is none of a whole stream.
            method: how it was reached.
            by_answer: what the answers say; None for what the one that was asked for says.
            at: the answer's conditions; None for what can be seen of them.
            unlike: the headers in which the proof's response differed from the answer's.
        """
        probe = self.probe
        proof = finding
        if proof is None and method in (Method.LOCK_STEP, Method.PAUSE):
            proof = Finding(
                verdict_of(seen),
                method,
                seen.shape,
                seen.block_bytes,
                seen.hold_ms,
                # Held, and not seen how: the release of a block, say, that came only once.
                doubts=seen.doubts or ((Doubt.NOT_REPEATED,) if _unseen(seen) else ()),
                evidence=(seen.said,),
            )
        error = probe.error if proof is None and not self.came_wrong else None
        answer = by_answer or probe.by_answer
        if self.undecodable:  # where it broke off says nothing
            answer = replace(
                answer, doubts=tuple(one for one in answer.doubts if one is not Doubt.STREAM_CUT)
            )
        under = at or self.conditions()
        proved = None if proof is None else Proved(proof, under, unlike)
        if unlike:
            named = tuple(replace(one, certainty="likely") for one in named)
        unhad: tuple[Doubt, ...] = ()
        if error is None and probe.error is not None:
            unhad = (
                (Doubt.UNDECODABLE,) if self.undecodable else () if self.came_wrong else (Doubt.NO_ANSWER,)
            )
        if self._again is not None and self._again.end is End.CUT and Doubt.END_UNKNOWN in answer.doubts:
            unhad += (Doubt.STREAM_CUT,)
        if any(one.cause is Cause.REPLAYED for one in named):
            unhad += (Doubt.REPLAYED,)
        lane = probe.with_exchange(
            measured(
                probe.spec, probe.line, answer, proved, under, found=probe.found, error=error, doubts=unhad
            )
        )
        if seen.state is State.HELD and Doubt.ANSWER_DISAGREES_WITH_PROOF in lane.doubts:
            named = tuple(replace(one, certainty="possible") for one in named)
        evidence = answer.evidence[-1] if answer.evidence else ""
        if self.undecodable and probe.error is not None:
            evidence = bare(probe.error.message)
        hinted = hops(probe.received.headers, host=urlsplit(probe.spec.ask.url).hostname)
        came: tuple[NamedCause, ...] = ()
        if probe.received.status == 200 and (probe.error is None or self.came_wrong):
            head = probe.received.headers
            came = fates(
                probe.line, lane.doubts, evidence, head, hinted, again=self._again, where=self._where
            )
            if (late := late_head(probe.line)) is not None:
                self.limits.append(late)
            if wrong := reported(probe.asked, [event for _, event in probe.received.arrivals]):
                self.limits.append(text('The answer itself reports an error: "{wrong}"', wrong=wrong))
        # What was found by asking again is not said a second time.
        named += tuple(one for one in came if one.cause not in {it.cause for it in named})
        kept = next((seen for seen in probe.by_answer.evidence if seen.startswith(KEPT_ITS_LOOP)), "")
        if (kept or self.starved) and Cause.BLOCKED not in {one.cause for one in named}:
            sure: Certainty = "certain" if kept else "likely"
            named += (NamedCause(Cause.BLOCKED, sure, kept or self.starved, holds=False),)
        return Diagnosis(
            shown(self.spec.ask.url),
            lane,
            named,
            tuple(self.rows),
            hinted,
            (*([f"redirected to {probe.redirected}"] if probe.redirected else []), *self.limits),
            1 + self.asked,
            self.first_ms,
        )


def _unseen(seen: Observation) -> bool:
    return seen.state is State.HELD and seen.shape is None
