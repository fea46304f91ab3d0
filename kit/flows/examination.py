"""What examining a URL is, however it is done: what was asked for, what has been seen, and what is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from kit.probe.client import Ask
from kit.probe.faults import shown
from kit.probe.lane import LaneProbe, Proved, measured
from kit.proof.causes import Named
from kit.proof.conditions import Conditions
from kit.proof.diagnosis import Diagnosis, verdict_of
from kit.proof.doubts import Doubt
from kit.proof.experiments import Row
from kit.proof.glance import Seen, State
from kit.proof.hops import hops
from kit.proof.lane import Arm
from kit.proof.verdict import Finding, Method, Verdict

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class DoctorSpec:
    """What to examine, and what may be done for it.

    Attributes:
        ask: the request whose answer does not stream. Where it does not say what it accepts, that is what
            browsers do.
        arm: whether the answers bear `X-Accel-Buffering: no`; None for what can be told from here. A service
            of the kit's is asked so.
        prompt: for our service.
        http2: offer HTTP/2 over TLS, as browsers do.
        event_bytes: events up to this size are judged.
        proof_url: the proof's prefix, where it is neither beside the URL nor at the origin.
        proof_token: the proof's own token, for an origin that asks for it.
        direct_url: the same service past the hop; None where nobody said.
        timeout_s: for the whole answer, and for the first sign of life.
        max_requests: how often the URL itself may be asked for an answer.
        repeat_ok: whether a request that is not a GET may be repeated.
        expected: the verdict that was promised, if one was.
        as_it_is: whether the request is sent as it is, also to an origin that speaks the proof.
        long_s: how long to watch a silent and a talking stream live, in seconds; None not to.
        known_direct: what the same service was seen to do when it was asked directly; None where it was not.
    """

    ask: Ask
    arm: Arm | None = None
    prompt: str = ""
    http2: bool = True
    event_bytes: int = 1_000
    proof_url: str | None = None
    proof_token: str | None = field(default=None, repr=False)
    direct_url: str | None = None
    timeout_s: float = 60.0
    max_requests: int = 6
    repeat_ok: bool = False
    expected: Verdict | None = None
    as_it_is: bool = False
    long_s: float | None = None
    known_direct: Seen | None = None


class Examination:
    """One URL's, from its first answer to the diagnosis.

    Attributes:
        spec: what to examine, and what may be done for it.
        probe: the answer's lane; its origin was looked for.
        say: told what is done, as it is done.
        announce: told what will be asked of the URL itself, before it is: somebody may pay for it.
        secure: whether it is asked over TLS.
        rows: what was looked at so far.
        limits: what could not be seen, and what else there is to know.
        first_ms: see `Diagnosis.first_verdict_ms`.
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

    def conditions(self) -> Conditions:
        """Under what the answer was asked for and sent."""
        return self.probe.conditions

    def told(
        self,
        seen: Seen,
        named: tuple[Named, ...],
        finding: Finding | None,
        method: Method,
        *,
        by_answer: Finding | None = None,
        asked: int = 0,
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
            asked: how often the URL was asked beyond that one.
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
                # Held, and nobody saw how: the release of a block, say, that came only once.
                doubts=seen.doubts or ((Doubt.NOT_REPEATED,) if _unseen(seen) else ()),
                evidence=(seen.said,),
            )
        error = probe.error if proof is None else None
        answer = by_answer or probe.by_answer
        under = at or self.conditions()
        proved = None if proof is None else Proved(proof, under, unlike)
        if unlike:
            named = tuple(replace(one, certainty="likely") for one in named)
        unhad = (Doubt.NO_ANSWER,) if error is None and probe.error is not None else ()
        lane = measured(
            probe.spec, probe.line, answer, proved, under, found=probe.found, error=error, doubts=unhad
        )
        return Diagnosis(
            shown(self.spec.ask.url),
            lane,
            named,
            tuple(self.rows),
            hops(probe.received.headers, host=urlsplit(probe.spec.ask.url).hostname),
            tuple(self.limits),
            1 + asked,
            self.first_ms,
        )


def _unseen(seen: Seen) -> bool:
    return seen.state is State.HELD and seen.shape is None
