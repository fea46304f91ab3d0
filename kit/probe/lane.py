"""One lane measured: the answer (what a person would see) and the proof, each once, into one `Lane`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import parse_qs, urlsplit

from kit.errors import Code, KitError
from kit.language import join, text
from kit.probe.address import Headers, same_origin
from kit.probe.client import Ask, now_ms
from kit.probe.http_errors import bad_status, shown
from kit.probe.measured import Measured, OnArrival, put_together
from kit.probe.origin import LIMITED_S, SHOWN_IN, Found, Side
from kit.probe.proof_runner import AnswerRunner, Driver, ProofRequest
from kit.probe.spec import LaneSpec, beside_conditions
from kit.proof import answer
from kit.proof.actions import Progress
from kit.proof.answer import Judge
from kit.proof.conditions import USUAL, Conditions, bears_accel, of_answer, unlike
from kit.proof.doubts import Doubt
from kit.proof.events import EventTooLargeError
from kit.proof.exchange import HeaderKnown
from kit.proof.fates import at_deadline
from kit.proof.held_answer import HeldAnswer, all_at_once, as_it_came, kept_its_loop, waited
from kit.proof.lane import Arm, Lane
from kit.proof.lockstep import LockStep
from kit.proof.looks import Looks
from kit.proof.received import Received, decoder_of
from kit.proof.steps import PINGS
from kit.proof.timeline import Timeline
from kit.proof.verdict import HELD, Finding, Method, Shape, Verdict

LEAST_EVENT_BYTES = 1_000


@dataclass(frozen=True, slots=True)
class Proved:
    """What a proof found.

    Attributes:
        finding: that.
        under: the conditions it ran under; it speaks for no others.
        unlike: the headers in which its response differed from the answer's, whatever was asked for.
    """

    finding: Finding
    under: Conditions
    unlike: tuple[str, ...] = ()


class LaneProbe(Measured):
    """A lane whose answer is streamed.

    Attributes:
        http_version: of the answer: "HTTP/1.1", "HTTP/2".
    """

    def __init__(self, spec: LaneSpec) -> None:
        super().__init__(spec)
        self.http_version = ""
        self._held_answer: HeldAnswer | None = None
        self._asked_ms = 0.0

    @property
    def header_is_known(self) -> bool:
        """Whether it was said, or can be seen, that the answer bears `X-Accel-Buffering: no` or not."""
        return self.spec.header != "as-is" or self._is_seen

    @property
    def _is_seen(self) -> bool:
        return self._bears_it or self._is_ours or self._progress is not None

    @property
    def _progress(self) -> Progress | None:
        """What the answer's origin said of it last."""
        return None if self._held_answer is None else self._held_answer.progress

    @property
    def _bears_it(self) -> bool:
        return bears_accel(self.received.headers) or (self._progress is not None and self._progress.accel)

    @property
    def _is_ours(self) -> bool:
        return self._ask.url != self.spec.ask.url or self.is_ours

    @property
    def conditions(self) -> Conditions:
        """Under what the answer was asked for and sent.

        As our service's is, until its head is in or where a hop refused to pass it on.
        """
        received, header = self.received, self.spec.header
        if header == "as-is":
            off = parse_qs(urlsplit(self._ask.url).query).get("accel") == ["off"]
            header = "on" if self._bears_it or (self._is_ours and not off) else "off"
        https = urlsplit(self._ask.url).scheme == "https"
        return of_answer(
            self._ask.method,
            {name.lower(): value for name, value in self._ask.headers},
            received.headers if received.status == 200 else USUAL,
            header=header,
            http2=self.http_version == "HTTP/2" if self.http_version else https and self.spec.http2,
        )

    @property
    def provable(self) -> bool:
        """Whether a proof can still be had."""
        return self._error is None and self._found.base is not None

    async def find(self) -> None:
        """Is the proof to be had here, and how far apart are the clocks?"""
        await super().find()
        for _ in range(PINGS):
            await self._ping()
        if self._found.base is not None and not self._replies:  # a limit on requests may have met them
            await asyncio.sleep(LIMITED_S)
            await self._ping()

    async def prove(self, stepped: Callable[[str], None] = lambda _: None) -> Lane:
        """As `Measured.prove`; where the answer itself was lock-stepped and says all, no proof is run."""
        proof: Proved | None = None
        if self._by_answer.method is Method.LOCK_STEP:
            for line in self._by_answer.evidence:
                stepped(line)
        if self._error is None and self._found.base is not None and not self._says_all:
            try:
                proof = await self._prove(self._found.base, stepped)
            except KitError as error:
                self._error = error
        at = self.conditions if proof is None else proof.under
        return self.with_exchange(
            measured(self.spec, self.line, self._by_answer, proof, at, found=self._found, error=self._error)
        )

    def with_exchange(self, lane: Lane) -> Lane:
        """As `Measured.with_exchange`, and how it is known whether the answer bears the header."""
        spec = self.spec
        known: HeaderKnown = "seen" if self._is_seen else "unknown"
        if spec.header != "as-is":
            known = "seen" if spec.as_it_is else "asked" if self._found.speaks else known
        return replace(super().with_exchange(lane), header_known=known)

    @property
    def _says_all(self) -> bool:
        """Whether its own pieces leave nothing for the proof's streams to say."""
        by = self._by_answer
        if by.method is not Method.LOCK_STEP or self._held_answer is None or self._held_answer.short:
            return False
        return by.verdict is Verdict.INCREMENTAL and (self.spec.event_bytes or 0) <= _shown(self.line)

    async def _prove(self, base: str, stepped: Callable[[str], None]) -> Proved:
        """The proof; where the answer's header cannot be seen, the one of two that agrees with the answer."""
        at = self.conditions
        proved = await self._proof(base, at, stepped)
        if self.header_is_known or not (self._holds(proved.finding) and self.answer_streams):
            return proved
        stepped(
            text("the answer streams and this does not, so a hop may hide its X-Accel-Buffering: no: with it")
        )
        bearing = await self._proof(base, replace(at, header="on"), stepped)
        agrees = bearing.finding.verdict is Verdict.INCREMENTAL and not bearing.unlike
        return bearing if agrees else proved

    @property
    def answer_streams(self) -> bool:
        """Whether the answer, by itself, looks as if it streams."""
        by = self._by_answer
        if by.method in (Method.STAMPS, Method.LOCK_STEP):
            return by.verdict is Verdict.INCREMENTAL
        return answer.watched(self.line).looks is Looks.STREAMED

    def _holds(self, finding: Finding) -> bool:
        size = finding.block_bytes or 0
        large = finding.shape is Shape.TAIL and size >= judged_bytes(self.spec, self.line)
        return not large and finding.verdict in HELD

    async def _proof(self, base: str, at: Conditions, stepped: Callable[[str], None]) -> Proved:
        machine, reported = LockStep(pings=self._replies), 0

        def tell() -> None:
            nonlocal reported
            for line in machine.evidence[reported:]:
                stepped(line)
            reported = len(machine.evidence)

        driver = Driver(self._streams, self._side, self._request(base, at), tell)
        finding = await driver.run(machine.run())
        return Proved(finding, at, self.unlike(driver.head))

    def request(self, header: Arm) -> ProofRequest | None:
        """How a stream of the proof's is asked for as the answer was; None where no proof can be had.

        `header`: whether the answer was found to bear `X-Accel-Buffering: no`.
        """
        base = self._found.base
        return None if base is None else self._request(base, replace(self.conditions, header=header))

    def _request(self, base: str, at: Conditions) -> ProofRequest:
        return ProofRequest(base, at, beside_conditions(self.spec.ask, self._found))

    def unlike(self, head: Mapping[str, str]) -> tuple[str, ...]:
        """In which headers a proof's response differs from the answer's; none where either is not there."""
        there = bool(head) and self.received.status == 200
        return unlike(self.received.headers, head) if there else ()

    async def answer(self, arrived: OnArrival = lambda _: None) -> None:
        """As `Measured.answer`; an answer that came in pieces one at a time is judged by them at once."""
        await super().answer(arrived)
        if self._held_answer is not None and self._by_answer.verdict is not Verdict.REFUSED:
            self._judge_pieces(self._held_answer)
        if self.redirected:
            by = self._by_answer
            self._by_answer = replace(
                by, evidence=(text("redirected to {url}", url=self.redirected), *by.evidence)
            )

    def _judge_pieces(self, held: HeldAnswer) -> None:
        """What the answer's pieces say, and what of it was its app's own doing."""
        found, progress, by = held.finding, held.progress, self._by_answer
        self.line = answer.as_released(self.line, progress, self.clock, asked_ms=self._asked_ms)
        kept, late, slept_ms = kept_its_loop(progress), "", self.received.late_ms
        sent = all_at_once(progress, self.received.events)
        if not sent and found is not None and found.verdict is Verdict.INCREMENTAL:
            looks_held = answer.watched(self.line).held
            late = answer.came_late(self.line, self.clock, slept_ms=slept_ms)
            if looks_held and slept_ms >= answer.SLEPT_MS:  # which may be all of that
                doubts = (*found.doubts, Doubt.BUSY_MACHINE)
                found = replace(found, verdict=Verdict.INCONCLUSIVE, doubts=doubts)
            elif looks_held:
                sent = as_it_came(progress)
            elif kept:
                sent = late
        # Its pieces came one by one, and late where several were released: they do not say how it comes.
        found = None if late and not sent else found
        seen = (*(() if found else held.evidence), *waited(progress), *kept)
        seen = (*seen, late) if late and late != sent else seen
        by = replace(by, doubts=(Doubt.END_UNKNOWN, *by.doubts)) if held.lost else by
        self._by_answer = answer.in_lock_step(by, found, seen, sent)

    @property
    def _shows(self) -> Headers:
        """What lets the answer be put in lock-step; empty where that is not possible."""
        base, token = self._found.base, self.spec.proof_token
        if base is None or token is None or not any(reply.wraps for reply in self._replies):
            return ()
        return same_origin(((SHOWN_IN, token),), base, self._ask.url)

    @property
    def is_ours(self) -> bool:
        """Whether the answer came from the kit's own service."""
        return "streamproof-started-ms" in self.received.headers

    @property
    def in_lock_step(self) -> tuple[Ask, int] | None:
        """What asks for the answer in lock-step, but for its id, and how many pieces it had.

        None where it was not in lock-step to its end.
        """
        held, progress = self._held_answer, self._progress
        if held is None or progress is None or not (held.is_complete or progress.ended):
            return None
        return replace(self._ask, headers=(*self._ask.headers, *self._shows)), progress.sent

    async def _read(self, received: Received, asked: float, arrived: OnArrival) -> None:
        self._asked_ms = asked
        base, shows = self._found.base, self._shows
        if base is None or not shows:
            await self._read_once(self._ask, received, asked, arrived)
            return
        runner = AnswerRunner(Side(self._side, base, beside_conditions(self.spec.ask, self._found)))
        held = self._held_answer = HeldAnswer(self._replies)
        ask = replace(self._ask, headers=(*self._ask.headers, runner.asks, *shows))
        stepping = asyncio.create_task(runner.run(held.run()))
        try:
            await self._read_once(ask, received, asked, arrived, runner)
            await stepping
            if not held.is_complete:
                held.progress = await runner.progress() or held.progress
            if received.clean:
                held.came(runner.octets)
        finally:
            stepping.cancel()
            await asyncio.wait({stepping})

    async def _read_once(
        self,
        ask: Ask,
        received: Received,
        asked: float,
        arrived: OnArrival,
        runner: AnswerRunner | None = None,
    ) -> None:
        async with self._streams.stream(ask) as response:
            received.head(response.head_ms, response.status, response.headers, response.http_version)
            self.http_version = response.http_version
            self.redirected = "" if response.url == ask.url else shown(response.url)
            if runner is not None:
                runner.head(response)
            if answer.is_refusal(received, speaks_proof=self._found.base is not None):
                return
            if response.status != 200:
                at_last = replace(ask, url=response.url)
                raise bad_status(at_last, response.status, response.headers, await response.beginning())
            received.use(decoder_of(response.headers.get("content-type", "")))
            clean = False
            try:
                async for at, data in response.reads():
                    self._note(received, at, data, asked, arrived)
                    if runner is not None:
                        runner.body(at, len(data), response.coded_octets)
                clean = True
            except EventTooLargeError:
                raise KitError(
                    Code.TOO_LARGE,
                    text("{url} sent an event without an end.", url=shown(self._ask.url)),
                    text("Look at the server: an event ends with a blank line."),
                ) from None
            finally:
                received.end(now_ms(), clean=clean)
                if runner is not None:
                    runner.ended(clean=clean)

    def _judge(self, received: Received) -> Judge:
        return answer.of_stream(received, self.clock, speaks_proof=self._found.base is not None)


def measured(
    spec: LaneSpec,
    line: Timeline,
    by_answer: Finding,
    proof: Proved | None,
    at: Conditions,
    *,
    found: Found,
    error: KitError | None,
    doubts: Sequence[Doubt] = (),
) -> Lane:
    """What was measured of a lane that streams, put together.

    Args:
        spec: what was to be measured.
        line: its answer's timeline.
        by_answer: what the answer alone says.
        proof: None where none could be had.
        at: the answer's conditions.
        found: where a proof was looked for.
        error: why the lane could not be measured; None for a lane that could.
        doubts: what else there is to say of how it was measured.

    Raises:
        ValueError: the proof ran under other conditions than the answer's.
    """
    if proof is not None and proof.under != at:
        raise ValueError(f"a proof under {proof.under} says nothing of an answer under {at}")
    believed = None if proof is None or proof.unlike else proof.finding
    finding = answer.combine(believed, by_answer, line, event_bytes=judged_bytes(spec, line))
    if by_answer.method is Method.LOCK_STEP:
        pass  # whatever the proof's streams bear
    elif proof is not None and proof.unlike:
        said = text(
            "the proof's stream differs from the answer in {differs}", differs=join(", ", proof.unlike)
        )
        doubts = (*doubts, Doubt.PROOF_UNLIKE_ANSWER)
        finding = replace(finding, evidence=(*finding.evidence, said))
    elif proof is None and error is None:
        doubts = (*doubts, found.why_not)
    if Doubt.STREAM_CUT in finding.doubts and at_deadline(line, spec.deadline_s):
        doubts = (*doubts, Doubt.CUT_AT_DEADLINE)
    finding = replace(finding, doubts=(*finding.doubts, *doubts))
    lane = put_together(spec, line, finding, error)
    return replace(lane, header=at.header, as_is=spec.header == "as-is")


def judged_bytes(spec: LaneSpec, line: Timeline) -> int:
    """Events up to this size are judged."""
    return spec.event_bytes or _shown(line)


def _shown(line: Timeline) -> int:
    return max(LEAST_EVENT_BYTES, answer.largest_event(line))
