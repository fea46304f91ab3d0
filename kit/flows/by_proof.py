"""A URL whose service speaks the proof's protocol: experiments cost it nothing and prove what they show."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from kit.errors import KitError
from kit.flows.examination import Examination
from kit.language import text
from kit.probe.address import same_origin
from kit.probe.client import Client
from kit.probe.experiments import Origin, ProofExperiments, origin_of, seen_of_answer
from kit.probe.http_errors import shown
from kit.probe.origin import discover
from kit.proof import causes
from kit.proof.answer import watched
from kit.proof.causes import Cause, NamedCause
from kit.proof.conditions import Change, Conditions
from kit.proof.diagnosis import Diagnosis
from kit.proof.doubts import Doubt
from kit.proof.experiments import Experiment, Row, Traced, as_asked, to_the_end, trace
from kit.proof.fates import by_the_clock
from kit.proof.held_answer import KEPT_ITS_LOOP
from kit.proof.looks import Looks
from kit.proof.quick_check import Observation, Sign, State
from kit.proof.verdict import HELD, Finding, Method


class ByProof(Examination):
    """Examines by proof; the answer itself is asked for once, and held against it.

    Attributes:
        direct: where the same service's proof is asked past the hop; None where that is not known.
    """

    direct: Origin | None = None
    _answered = False
    _wanted: tuple[Experiment, ...] = ()

    async def examine(self, base: str) -> Diagnosis:
        """The diagnosis.

        Args:
            base: the proof's prefix.

        Raises:
            KitError: the answer was refused for what was asked (4xx): another answer is meant.
        """
        probe = self.probe
        self.direct = await self._direct()
        experiments = ProofExperiments(
            origin_of(probe.spec, probe.found),
            probe.pings,
            secure=self.secure,
            direct=self.direct,
            event_bytes=self.spec.event_bytes,
            timeout_s=self.spec.timeout_s,
        )
        try:
            return await self._by(experiments, base)
        finally:
            await experiments.forget()

    async def _by(self, experiments: ProofExperiments, base: str) -> Diagnosis:
        probe = self.probe
        self.announce(
            text(
                "asking {url} once for its answer ({method}); all else is asked of its proof",
                url=shown(self.spec.ask.url),
                method=probe.asked.method,
            )
        )
        at = self.conditions()
        seen, _ = await asyncio.gather(self._quick_check(experiments, at), self._answer(experiments, base))
        if probe.error is not None and not self.came_wrong:
            if probe.received.status is not None and 400 <= probe.received.status < 500:
                raise probe.error
            # What holds a stream may be what makes it fail, so the way is examined all the same.
            self.limits.append(
                text("The answer itself could not be had: {message}", message=probe.error.message)
            )
        answered = self.conditions()
        # The answer itself says what it bears; and some servers answer one request at a time.
        if answered != at or seen.state is State.UNDECIDED:
            self.first_ms = None  # of a stream that was not the answer's kind
            await experiments.forget()
            seen = await self._quick_check(experiments, answered)
        return await self._of(experiments, answered, seen)

    async def _answer(self, experiments: ProofExperiments, base: str) -> None:
        await self.answer(base)
        await self.look_at_its_end()
        self._answered = True
        if self._wanted and self._wanted[0].conditions == self.conditions():
            experiments.begin(self._wanted)

    def _begin(self, experiments: ProofExperiments, wanted: tuple[Experiment, ...]) -> None:
        """Begin these once the answer is over: their larger events would be in its way on a slow link."""
        self._wanted = wanted
        if self._answered:
            experiments.begin(wanted)

    async def _of(self, experiments: ProofExperiments, at: Conditions, seen: Observation) -> Diagnosis:
        if seen.state in (State.HELD, State.REFUSED):
            self.say(text("it is held: changing one thing after another, to see what frees it"))
            traced = await self._trace(experiments, at, seen)
            bearing = replace(at, header="on")
            if self._bears_the_header(traced) and not self._unlike(experiments, bearing):
                return await self._streams(experiments, bearing)
            if traced.rest is not None and "user-agent" not in {
                name.lower() for name, _ in self.probe.asked.headers
            }:
                self.limits.append(
                    text(
                        "The User-Agent was not changed: what lets browsers alone pass, or holds for them "
                        "alone, shows with -H 'User-Agent: Mozilla/5.0'."
                    )
                )
            if traced.rest is not None and traced.direct is None:
                self.limits.append(
                    text(
                        "What lies behind something that holds whatever is tried cannot be seen from here; "
                        "--direct URL looks from the other side."
                    )
                )
            elif traced.factors:
                self.limits.append(
                    text("Two hops that hold for the same reason look like one: free it, and examine again.")
                )
            may_bear = self._may_bear_the_header(traced)
            return self._proven(experiments, at, traced.base, causes.causes(traced, may_bear_header=may_bear))
        if seen.state is State.UNDECIDED:
            return await self._by_a_whole_proof(experiments, at)
        return await self._streams(experiments, at)

    def _may_bear_the_header(self, traced: Traced) -> bool:
        """Whether an nginx may hide that header: the answer is not seen to be held, or for another reason."""
        if self.probe.header_is_known or (len(traced.factors) == 1 and self._answer_is_held()):
            return False
        if any(Change.HEADER in factor.frees for factor in traced.factors):
            self.limits.append(
                text(
                    "Whether the answer bears X-Accel-Buffering: no already cannot be seen from here: an "
                    "nginx takes it out."
                )
            )
        return True

    def _bears_the_header(self, traced: Traced) -> bool:
        """Whether the answer must bear a header that nginx hides: it streams, which else it would not."""
        if self.probe.header_is_known:
            return False
        freed = bool(traced.factors) and all(Change.HEADER in factor.frees for factor in traced.factors)
        return freed and seen_of_answer(self.probe).streams

    async def _quick_check(self, experiments: ProofExperiments, at: Conditions) -> Observation:
        in_full = to_the_end(at, experiments.can, refused=False)

        def on_sign(sign: Sign, ms: float) -> None:
            match sign:
                case Sign.SERVED:  # whatever becomes of it, this is wanted
                    self._begin(experiments, in_full[:1])
                case Sign.HELD:
                    self._begin(experiments, in_full)
                case Sign.PASSES if self.first_ms is None:
                    self.first_ms = ms
                    self.say(
                        text("two events have passed, one by one: it streams (after {ms:.0f} ms)", ms=ms)
                    )

        experiment = as_asked(at)
        try:
            seen = await experiments.quick_check(at, on_sign)
        except KitError as error:
            seen = Observation(State.UNDECIDED, error.message)
        self.rows.append(Row(experiment, seen))
        return seen

    async def _streams(self, experiments: ProofExperiments, at: Conditions) -> Diagnosis:
        """The way passes a stream: what of larger events, of the header's part in it, of the answer?"""
        wanted = [Experiment(at, text("as asked, with larger events"), whole=True)]
        without = replace(at, header="off")
        if at.header == "on":
            wanted.append(Experiment(without, "without X-Accel-Buffering: no"))
        by_length = Change.LENGTH.applied(at)
        held = self._answer_is_held()
        if held and "content-length" in self.probe.received.headers:
            wanted.append(Experiment(by_length, Change.LENGTH.words(at)))
        saw = await asyncio.gather(*(experiments.observe(experiment) for experiment in wanted))
        seen = dict(zip((experiment.conditions for experiment in wanted), saw, strict=True))
        self.rows += [Row(experiment, seen[experiment.conditions]) for experiment in wanted]
        if seen[at].state is State.HELD:
            traced = await self._trace(experiments, at, seen[at])
            return self._proven(experiments, at, traced.base, causes.causes(traced))
        named: tuple[NamedCause, ...] = ()
        if held:
            named = await self._of_answer(at, seen.get(by_length))
        elif self.at_once and self.left:
            named = causes.causes(await self.ask_again(at, seen_of_answer(self.probe), most=1))
        if without in seen and seen[without].state is State.HELD:
            self.limits.append(
                text(
                    "Without X-Accel-Buffering: no it would be held here: keep that header on every "
                    "answer that streams."
                )
            )
        return self._proven(experiments, at, seen[at], named, experiments.findings.get(at))

    async def _by_a_whole_proof(self, experiments: ProofExperiments, at: Conditions) -> Diagnosis:
        """Lock-step is not possible here, so conditions cannot be compared: one verdict, by a pause."""
        await experiments.forget()
        seen = await experiments.observe(
            Experiment(at, text("as asked, by a pause in the stream"), whole=True)
        )
        self.rows.append(Row(Experiment(at, text("as asked, by a pause in the stream"), whole=True), seen))
        named: tuple[NamedCause, ...] = ()
        if seen.state is State.HELD:
            named = causes.causes(Traced(seen, rest=replace(seen, proven=False)))
            self.limits.append(
                text(
                    "No experiment could be made: the side requests do not reach the stream's instance. "
                    "Run one instance and one worker while you measure."
                )
            )
        return self._proven(experiments, at, seen, named, experiments.findings.get(at), Method.PAUSE)

    def _proven(
        self,
        experiments: ProofExperiments,
        at: Conditions,
        seen: Observation,
        named: tuple[NamedCause, ...],
        finding: Finding | None = None,
        method: Method = Method.LOCK_STEP,
    ) -> Diagnosis:
        return self.diagnosis(seen, named, finding, method, at=at, unlike=self._unlike(experiments, at))

    def _unlike(self, experiments: ProofExperiments, at: Conditions) -> tuple[str, ...]:
        """In which headers what came of the proof under these conditions differs from the answer."""
        return self.probe.unlike(experiments.heads.get(at, {}))

    async def _direct(self) -> Origin | None:
        if self.spec.direct_url is None:
            return None
        ask, url = self.spec.ask, self.spec.direct_url
        headers = same_origin(ask.headers, ask.url, url)
        spec = replace(self.probe.spec, ask=replace(ask, url=url, headers=headers))
        async with Client(timeout_s=self.spec.timeout_s) as client:
            found = await discover(
                client, spec.ask.url, spec.ask.headers, within_ms=self.spec.timeout_s * 1000, proof_url=None
            )
        if found.base is None:
            why = text(
                "{url} does not speak the proof's protocol, so the two ways could not be compared: mount "
                "service/proof.py there too."
            )
            if found.why_not in (Doubt.PROOF_REFUSED, Doubt.PROOF_TOKEN):
                why = text(
                    "{url} wants to know who asks, and what identifies you is sent to no other origin than "
                    "the URL's own, so the two ways could not be compared."
                )
            self.limits.append(why.format(url=shown(spec.ask.url)))
            return None
        return origin_of(spec, found)

    async def _trace(self, experiments: ProofExperiments, at: Conditions, seen: Observation) -> Traced:
        experiments.begin(to_the_end(at, experiments.can, refused=seen.state is State.REFUSED))
        machine = trace(at, seen, experiments.can)
        try:
            step = next(machine)
            while True:
                several = text("{count} streams side by side, each with one thing changed", count=len(step))
                self.say(several if len(step) > 1 else step[0].says)
                step = machine.send(await asyncio.gather(*map(experiments.observe, step)))
        except StopIteration as stop:
            traced: Traced = stop.value
        self.rows += traced.rows
        if traced.direct is not None:
            return traced
        return replace(traced, direct=self.spec.known_stream or self.spec.known_direct)

    def _answer_is_held(self) -> bool:
        answer = self.probe.by_answer
        if answer.method in (Method.STAMPS, Method.LOCK_STEP):
            together = {Doubt.APP_BUNCHED, Doubt.ANSWER_IN_CLUMPS} & {*answer.doubts}
            return bool(together) or answer.verdict in HELD
        return seen_of_answer(self.probe).state is State.HELD

    async def _of_answer(self, at: Conditions, by_length: Observation | None) -> tuple[NamedCause, ...]:
        """The way passes a stream, and the answer came in one lump all the same."""
        answer, looked = self.probe.by_answer, watched(self.probe.line)
        said = answer.evidence[-1] if answer.evidence else text("the answer came at once")
        if by_length is not None and by_length.state is State.HELD:
            because = text("a stream with a Content-Length is held, one in chunks is not")
            return (NamedCause(Cause.CHUNK_FRAMING, "certain", because),)
        bunched = Doubt.APP_BUNCHED in answer.doubts
        kept = next((seen for seen in answer.evidence if seen.startswith(KEPT_ITS_LOOP)), None)
        if bunched and kept is not None:
            return (NamedCause(Cause.BLOCKED, "certain", kept),)
        if answer.method is Method.LOCK_STEP and not bunched:
            because = text(
                "the service released it piece by piece, and a stream beside it passes; {said}", said=said
            )
            return (NamedCause(Cause.ANSWER_PATH, "certain", because),)
        if self.starved:
            return (
                NamedCause(
                    Cause.BLOCKED,
                    "likely",
                    text("{starved}; a stream that is sent beside it passes", starved=self.starved),
                ),
            )
        if bunched:
            return (
                NamedCause(Cause.APP, "certain" if answer.method is Method.LOCK_STEP else "likely", said),
            )
        direct = None
        if self.left:
            self.say(
                text(
                    "the way passes a stream, and the answer is held: asking for that with one thing changed"
                )
            )
            traced = await self.ask_again(at, seen_of_answer(self.probe), most=self.left)
            if traced.factors or traced.base.streams:
                return causes.causes(traced)
            direct = traced.direct
        else:
            self.limits.append(self.asked_once())
        because = text("a stream beside it passes; the answer: {said}", said=said)
        service = Cause.BURSTS if looked.looks is Looks.CLUMPED else Cause.APP
        if direct is not None and direct.streams:
            where = text("asked directly, the answer streams: it is a hop between there and here")
            rule = causes.part("path-rule")
            return (NamedCause(Cause.ANSWER_PATH, "likely", because, where=where, to_try=rule),)
        if direct is not None and direct.state is State.HELD:
            where = text("asked directly, the answer is held as well")
            return (NamedCause(service, "likely", because, where=where),)
        if answer.method is Method.STAMPS:
            return (NamedCause(Cause.ANSWER_PATH, "likely", because),)
        apart = text(
            "which of the two: send the time in each event (t_ms), or ask directly as well (--direct URL)"
        )
        hop = Cause.ANSWER_PATH
        if clocked := by_the_clock(looked, [ping.took_ms for ping in self.probe.pings]):
            hop, because = Cause.TIMER, clocked
        return tuple(NamedCause(one, "possible", because, apart) for one in (service, hop))
