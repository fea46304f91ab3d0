"""One lane measured: the answer (what a person would see) and the proof, each once, into one `Lane`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from kit.errors import Code, KitError
from kit.probe.client import now_ms
from kit.probe.drive import Driver, ProofRequest
from kit.probe.faults import bad_status, shown
from kit.probe.measured import Measured, Told, put_together
from kit.probe.origin import Found
from kit.probe.spec import LaneSpec, without_body
from kit.proof import answer
from kit.proof.conditions import MediaType
from kit.proof.doubts import Doubt
from kit.proof.events import ChunkDecoder, Decoder, EventTooLargeError, LineDecoder
from kit.proof.lane import Lane
from kit.proof.lockstep import LockStep
from kit.proof.received import Received
from kit.proof.sse import SSEDecoder
from kit.proof.steps import PINGS
from kit.proof.timeline import Timeline
from kit.proof.verdict import Finding

LEAST_EVENT_BYTES = 1_000


class LaneProbe(Measured):
    """A lane whose answer is streamed.

    Attributes:
        media: the proof's media type nearest to the answer's, once its head is in.
        http_version: of the answer: "HTTP/1.1", "HTTP/2".
    """

    def __init__(self, spec: LaneSpec) -> None:
        super().__init__(spec)
        self.media: MediaType = "sse"
        self.http_version = ""

    @property
    def provable(self) -> bool:
        """Whether a proof can still be had."""
        return self._error is None and self._found.base is not None

    async def find(self) -> None:
        """Is the proof to be had here, and how far apart are the clocks?"""
        await super().find()
        for _ in range(PINGS):
            await self._ping()

    async def prove(self, stepped: Callable[[str], None] = lambda _: None) -> Lane:
        """See `Measured`."""
        proof: Finding | None = None
        if self._error is None and self._found.base is not None:
            try:
                proof = await self._prove(self._found.base, stepped)
            except KitError as error:
                self._error = error
        return measured(self.spec, self.line, self._by_answer, proof, found=self._found, error=self._error)

    async def _prove(self, base: str, stepped: Callable[[str], None]) -> Finding:
        spec = self.spec
        machine, told = LockStep(pings=self._replies), 0

        def tell() -> None:
            nonlocal told
            for line in machine.evidence[told:]:
                stepped(line)
            told = len(machine.evidence)

        headers = without_body(spec.ask, base)
        request = ProofRequest(base, self._ask.method, self.media, spec.header, headers)
        return await Driver(self._streams, self._side, request, tell).run(machine.run())

    async def _read(self, received: Received, asked: float, arrived: Told) -> None:
        async with self._streams.stream(self._ask) as response:
            received.head(response.head_ms, response.status, response.headers, response.http_version)
            self.http_version = response.http_version
            if answer.is_refusal(received, speaks_proof=self._found.base is not None):
                return
            if response.status != 200:
                raise bad_status(self._ask.url, self._ask.method, response.status)
            decoder, self.media = decoder_of(response.headers.get("content-type", ""))
            received.use(decoder)
            clean = False
            try:
                async for at, data in response.reads():
                    self._note(received, at, data, asked, arrived)
                clean = True
            except EventTooLargeError:
                raise KitError(
                    Code.TOO_LARGE,
                    f"{shown(self._ask.url)} sent an event without an end.",
                    "Look at the server: an event ends with a blank line.",
                ) from None
            finally:
                received.end(now_ms(), clean=clean)

    def _judge(self, received: Received) -> answer.Judge:
        return answer.of_stream(received, self.clock, speaks_proof=self._found.base is not None)


def measured(
    spec: LaneSpec,
    line: Timeline,
    by_answer: Finding,
    proof: Finding | None,
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
        found: where a proof was looked for.
        error: why the lane could not be measured; None for a lane that could.
        doubts: what else is to be told of how it was measured.
    """
    judged = spec.event_bytes or max(LEAST_EVENT_BYTES, answer.largest_event(line))
    finding = answer.combine(proof, by_answer, line, event_bytes=judged)
    unproved = (_why_unproved(found),) if proof is None and error is None else ()
    finding = replace(finding, doubts=(*finding.doubts, *doubts, *unproved))
    return put_together(spec, line, finding, error)


def _why_unproved(found: Found) -> Doubt:
    if found.expired:
        return Doubt.PROOF_EXPIRED
    return Doubt.PROOF_REFUSED if found.refused else Doubt.NO_PROOF


def decoder_of(content_type: str) -> tuple[Decoder, MediaType]:
    """What an event is in this media type, and the proof's nearest type."""
    match content_type.partition(";")[0].strip().lower():
        case "text/event-stream":
            return SSEDecoder(), "sse"
        case "application/x-ndjson" | "application/jsonl" | "application/jsonlines":
            return LineDecoder(), "ndjson"
    return ChunkDecoder(), "text"
