"""One URL examined: does its answer stream, and if not, who holds it and what frees it?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from kit.errors import KitError
from kit.probe.client import Ask, Client
from kit.probe.faults import shown
from kit.probe.lane import LaneProbe, measured
from kit.probe.looking import (
    AnswerLooks,
    Looks,
    Origin,
    ProofLooks,
    origin_of,
    seen_of_answer,
    take,
)
from kit.probe.origin import discover
from kit.probe.spec import LaneSpec
from kit.proof import causes
from kit.proof.causes import Cause, Named
from kit.proof.conditions import Change, Conditions
from kit.proof.diagnosis import Diagnosis, verdict_of
from kit.proof.doubts import Doubt
from kit.proof.experiments import Hurdle, Look, Row, Traced, as_asked, trace
from kit.proof.glance import Seen, State
from kit.proof.lane import Arm
from kit.proof.verdict import Finding, Method, Verdict

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class DoctorSpec:
    """What to examine, and what may be done for it.

    Attributes:
        ask: the request whose answer does not stream. Where it does not say otherwise, gzip is accepted, as
            browsers do.
        arm: for a service that speaks the proof: whether its answers bear `X-Accel-Buffering: no`.
        prompt: for our service.
        http2: offer HTTP/2 over TLS, as browsers do.
        event_bytes: events up to this size are judged.
        proof_url: the proof's prefix, where it is neither beside the URL nor at the origin.
        direct_url: the same service past the hop; None where nobody said.
        timeout_s: for the whole answer, and for the first sign of life.
        max_requests: how often the URL itself may be asked for an answer.
        repeat_ok: whether a request that is not a GET may be repeated.
        expected: the verdict that was promised, if one was.
        as_it_is: whether the request is sent as it is, also to an origin that speaks the proof.
        known_direct: what the same service was seen to do when it was asked directly; None where it was not.
    """

    ask: Ask
    arm: Arm = "on"
    prompt: str = ""
    http2: bool = True
    event_bytes: int = 1_000
    proof_url: str | None = None
    direct_url: str | None = None
    timeout_s: float = 60.0
    max_requests: int = 6
    repeat_ok: bool = False
    expected: Verdict | None = None
    as_it_is: bool = False
    known_direct: Seen | None = None


async def doctor(spec: DoctorSpec, say: Say = lambda text: None) -> Diagnosis:
    """Examine one URL.

    Args:
        spec: what, and what may be done for it.
        say: told what is done, as it is done.

    Raises:
        KitError: it cannot be asked at all, or the service's direct address cannot.
    """
    lane = LaneSpec(
        "doctor",
        _as_a_browser(spec.ask),
        header=spec.arm,
        prompt=spec.prompt,
        expected=spec.expected,
        as_it_is=spec.as_it_is,
        event_bytes=spec.event_bytes,
        proof_url=spec.proof_url,
        http2=spec.http2,
        timeout_s=spec.timeout_s,
    )
    async with LaneProbe(lane) as probe:
        await probe.find()
        if probe.error is not None:
            raise probe.error
        examination = _Examination(spec, probe, say)
        if probe.found.base is not None and probe.round_trips:
            return await examination.by_proof(probe.found.base)
        return await examination.by_answers()


class _Examination:
    def __init__(self, spec: DoctorSpec, probe: LaneProbe, say: Say) -> None:
        self._spec = spec
        self._probe = probe
        self._say = say
        self._secure = urlsplit(spec.ask.url).scheme == "https"
        self._rows: list[Row] = []
        self._limits: list[str] = []
        self._first_ms: float | None = None

    # By proof.

    async def by_proof(self, base: str) -> Diagnosis:
        probe = self._probe
        looks = ProofLooks(
            origin_of(probe.spec, base),
            probe.round_trips,
            secure=self._secure,
            direct=await self._direct(),
            event_bytes=self._spec.event_bytes,
            timeout_s=self._spec.timeout_s,
        )
        self._say(f"asking {shown(self._spec.ask.url)} once for its answer, and the proof beside it")
        at = self._conditions()
        seen, _ = await asyncio.gather(self._glance(looks, at), probe.answer())
        answered = self._conditions()
        # The answer itself says of what type it is; and some servers answer one request at a time.
        same = answered == replace(at, incremental=answered.incremental) and seen.state is State.HELD
        if (answered != at and not same) or seen.state is State.UNDECIDED:
            seen = await self._glance(looks, answered)
        at = answered
        if seen.state in (State.HELD, State.REFUSED):
            self._say("it is held: changing one thing after another, to see what frees it")
            traced = await self._trace(looks, at, seen)
            return self._told(traced.base, causes.causes(traced), None, Method.LOCK_STEP)
        if seen.state is State.UNDECIDED:
            return await self._by_a_whole_proof(looks, at)
        return await self._streams(looks, at)

    async def _glance(self, looks: ProofLooks, at: Conditions) -> Seen:
        def told(ms: float) -> None:
            if self._first_ms is None:
                self._first_ms = ms
                self._say(f"two events have passed, one by one: it streams (after {ms:.0f} ms)")

        look = as_asked(at)
        try:
            seen = await looks.glance(at, told)
        except KitError as error:
            seen = Seen(State.UNDECIDED, error.message)
        self._rows.append(Row(look, seen))
        return seen

    async def _streams(self, looks: ProofLooks, at: Conditions) -> Diagnosis:
        """The way passes a stream: what of larger events, of the header's part in it, of the answer?"""
        wanted = [Look(at, "as asked, with larger events", whole=True)]
        without = replace(at, header="off")
        if at.header == "on":
            wanted.append(Look(without, "without X-Accel-Buffering: no"))
        by_length = Change.LENGTH.applied(at)
        held = self._answer_is_held()
        if held and "content-length" in self._probe.received.headers:
            wanted.append(Look(by_length, Change.LENGTH.words(at)))
        seen = dict(zip((look.conditions for look in wanted), await take(looks, wanted), strict=True))
        self._rows += [Row(look, seen[look.conditions]) for look in wanted]
        if seen[at].state is State.HELD:
            traced = await self._trace(looks, at, seen[at])
            return self._told(traced.base, causes.causes(traced), None, Method.LOCK_STEP)
        named: tuple[Named, ...] = ()
        if held:
            named = (self._of_answer(seen.get(by_length)),)
        if without in seen and seen[without].state is State.HELD:
            self._limits.append(
                "Without X-Accel-Buffering: no it would be held here: keep that header on every answer that "
                "streams."
            )
        return self._told(seen[at], named, looks.finding, Method.LOCK_STEP)

    async def _by_a_whole_proof(self, looks: ProofLooks, at: Conditions) -> Diagnosis:
        """Lock-step is not possible here, so conditions cannot be compared: one verdict, by a pause."""
        seen = await looks.look(Look(at, "as asked, by a pause in the stream", whole=True))
        self._rows.append(Row(Look(at, "as asked, by a pause in the stream", whole=True), seen))
        named: tuple[Named, ...] = ()
        if seen.state is State.HELD:
            named = causes.causes(Traced(seen, rest=replace(seen, proven=False)))
            self._limits.append(
                "No experiment could be made: the side requests do not reach the stream's instance. Run one "
                "instance and one worker while you measure."
            )
        return self._told(seen, named, looks.finding, Method.PAUSE)

    def _conditions(self) -> Conditions:
        """How the answer is asked for; what only the answer can tell is as usual until it is there."""
        probe = self._probe
        head = probe.received.headers
        marked = "incremental" in head or probe.received.refused or probe.received.status in (None, 501)
        coding = next((v for n, v in probe.spec.ask.headers if n.lower() == "accept-encoding"), "")
        return Conditions(
            method=probe.asked.method if probe.asked.method in ("GET", "POST") else "POST",
            media=probe.media,
            header=self._spec.arm,
            incremental="on" if marked else "off",
            gzip="gzip" in coding.lower(),
            http2=probe.http_version == "HTTP/2" if head else self._secure and self._spec.http2,
        )

    async def _direct(self) -> Origin | None:
        if self._spec.direct_url is None:
            return None
        spec = replace(self._probe.spec, ask=replace(self._spec.ask, url=self._spec.direct_url))
        async with Client(timeout_s=self._spec.timeout_s) as client:
            found = await discover(
                client, spec.ask.url, spec.ask.headers, within_ms=self._spec.timeout_s * 1000, proof_url=None
            )
        if found.base is None:
            self._limits.append(
                f"{shown(spec.ask.url)} does not speak the proof's protocol, so the two ways could not be "
                "compared: mount service/proof.py there too."
            )
            return None
        return origin_of(spec, found.base)

    # By asking again.

    async def by_answers(self) -> Diagnosis:
        probe, spec = self._probe, self._spec
        self._say(f"{shown(spec.ask.url)}: asking once for its answer; it speaks no proof, so it is watched")
        await probe.answer()
        if probe.error is not None:
            raise probe.error
        at, seen = self._conditions(), seen_of_answer(probe)
        self._rows.append(Row(as_asked(at), seen))
        safe = probe.asked.method in ("GET", "HEAD")
        most = spec.max_requests - 1 if safe or spec.repeat_ok else 0
        asking = replace(probe.spec, ask=probe.asked)
        looks = AnswerLooks(asking, secure=self._secure, most=most, direct_url=spec.direct_url)
        if seen.streams:
            return self._told(seen, (), None, probe.by_answer.method)
        if most <= 0:
            self._limits.append(
                f"A {probe.asked.method} may cost or change something, so it was not repeated; with "
                "--repeat-ok it is asked again without compression and over the other HTTP version."
            )
            return self._told(seen, self._suspects(seen, spec.known_direct), None, probe.by_answer.method)
        self._say(f"asking at most {most} times more, each time with one thing changed")
        traced = await self._ask_again(looks, at, seen)
        named = causes.causes(traced) if traced.hurdles else self._suspects(seen, traced.direct)
        return self._told(seen, named, None, probe.by_answer.method, asked=looks.asked)

    async def _ask_again(self, looks: AnswerLooks, at: Conditions, seen: Seen) -> Traced:
        """Each change once, one after another: an answer may cost, and its server may be small."""
        saw: dict[Change, Seen] = {}
        for one in sorted(looks.can):
            wanted = Look(one.applied(at), one.words(at))
            if wanted.conditions != at:
                self._say(wanted.says)
                saw[one] = await looks.look(wanted)
                self._rows.append(Row(wanted, saw[one]))
        direct = saw.pop(Change.DIRECT, self._spec.known_direct)
        frees = frozenset(one for one, it in saw.items() if it.streams)
        fails = frozenset(one for one, it in saw.items() if it.state is State.HELD)
        hurdles = (Hurdle(frees, fails),) if frees and seen.state is State.HELD else ()
        return Traced(seen, hurdles, direct=direct, rows=tuple(self._rows))

    def _suspects(self, seen: Seen, direct: Seen | None = None) -> tuple[Named, ...]:
        """What an answer in one lump may come from, where nothing but its arrival is known."""
        if seen.state is not State.HELD:
            return ()
        because = seen.said
        if direct is not None and direct.streams:
            where = "asked directly, the answer came bit by bit: it is a hop between there and here"
            return (Named(Cause.WHOLE_MESSAGE, "likely", because, where=where),)
        if direct is not None and direct.state is State.HELD:
            where = "asked directly, the answer came in one lump as well"
            return (Named(Cause.APP, "likely", because, where=where),)
        apart = "which of the two: ask the service directly as well (--direct URL), or mount service/proof.py"
        return (
            Named(Cause.WHOLE_MESSAGE, "possible", because, apart),
            Named(Cause.APP, "possible", because, apart),
        )

    # Both.

    async def _trace(self, looks: Looks, at: Conditions, seen: Seen) -> Traced:
        machine = trace(at, seen, looks.can)
        try:
            wanted = next(machine)
            while True:
                for look in wanted:
                    self._say(look.says)
                wanted = machine.send(await take(looks, wanted))
        except StopIteration as stop:
            traced: Traced = stop.value
        self._rows += traced.rows
        return traced if traced.direct is not None else replace(traced, direct=self._spec.known_direct)

    def _answer_is_held(self) -> bool:
        answer = self._probe.by_answer
        if answer.method is Method.STAMPS:
            bunched = Doubt.APP_BUNCHED in answer.doubts
            return bunched or answer.verdict in (Verdict.WHOLE_MESSAGE, Verdict.BYTE_LIMITED)
        return seen_of_answer(self._probe).state is State.HELD

    def _of_answer(self, by_length: Seen | None) -> Named:
        """The way passes a stream, and the answer came in one lump all the same."""
        answer = self._probe.by_answer
        said = answer.evidence[-1] if answer.evidence else "the answer came at once"
        if by_length is not None and by_length.state is State.HELD:
            return Named(
                Cause.CHUNK_FRAMING,
                "certain",
                "a stream with a Content-Length is held, one in chunks is not",
            )
        if Doubt.APP_BUNCHED in answer.doubts:
            return Named(Cause.APP, "certain", said)
        if answer.method is Method.STAMPS:
            return Named(Cause.ANSWER_PATH, "certain", f"a stream beside it passes; the answer: {said}")
        return Named(
            Cause.APP,
            "likely",
            f"a stream beside it passes; the answer: {seen_of_answer(self._probe).said}",
            "more: send the time in each event (t_ms), or ask the service directly (--direct URL)",
        )

    def _told(
        self,
        seen: Seen,
        named: tuple[Named, ...],
        finding: Finding | None,
        method: Method,
        *,
        asked: int = 0,
    ) -> Diagnosis:
        probe = self._probe
        proof = finding
        if proof is None and method in (Method.LOCK_STEP, Method.PAUSE):
            proof = Finding(
                verdict_of(seen),
                method,
                seen.shape,
                seen.block_bytes,
                seen.hold_ms,
                doubts=seen.doubts,
                evidence=(seen.said,),
            )
        error = probe.error if proof is None else None
        lane = measured(probe.spec, probe.line, probe.by_answer, proof, found=probe.found, error=error)
        return Diagnosis(
            shown(self._spec.ask.url),
            lane,
            named,
            tuple(self._rows),
            tuple(self._limits),
            1 + asked,
            self._first_ms,
        )


def _as_a_browser(ask: Ask) -> Ask:
    if any(name.lower() == "accept-encoding" for name, _ in ask.headers):
        return ask
    return replace(ask, headers=(*ask.headers, ("accept-encoding", "gzip")))
