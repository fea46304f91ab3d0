"""One lane measured: the answer (what a person would see) and the proof, each once, into one `Lane`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from kit.errors import Code, KitError
from kit.probe.address import same_origin
from kit.probe.client import Ask, Client, now_ms
from kit.probe.drive import Driver, ProofRequest
from kit.probe.faults import shown
from kit.probe.origin import Found, MediaType, Side, discover
from kit.proof import answer
from kit.proof.doubts import Doubt
from kit.proof.events import ChunkDecoder, Decoder, EventTooLargeError, LineDecoder
from kit.proof.lane import Arm, Lane, LaneError
from kit.proof.lockstep import LockStep
from kit.proof.received import Received
from kit.proof.sse import SSEDecoder
from kit.proof.timeline import Arrival, Timeline
from kit.proof.verdict import Finding, Method, Verdict

LEAST_EVENT_BYTES = 1_000
PINGS = 3
MOST_EVENTS = 100_000


@dataclass(frozen=True, slots=True)
class LaneSpec:
    """What to measure, and how.

    Attributes:
        target: the lane's name.
        ask: the request whose answer is measured. A bare origin that speaks the proof is taken for our
            service, and its /search is asked for `prompt`.
        header: the arm; off asks our service to leave `X-Accel-Buffering` out.
        prompt: for our service.
        max_output_tokens: for our service; how long its answer is.
        expected: the promised verdict, if one was promised.
        event_bytes: events up to this size are judged; None for the largest of the answer.
        proof_url: the proof's prefix, where it is neither beside the URL nor at the origin.
        http2: offer HTTP/2.
        timeout_s: for the whole answer, and for the first sign of life.
        as_it_is: whether the request is sent as it is in either arm, also to an origin that speaks the proof.
    """

    target: str
    ask: Ask
    header: Arm = "on"
    prompt: str = ""
    max_output_tokens: int = 60
    expected: Verdict | None = None
    event_bytes: int | None = None
    proof_url: str | None = None
    http2: bool = False
    timeout_s: float = 60.0
    as_it_is: bool = False


class LaneProbe:
    """The two halves of one lane's measurement, so that several lanes can take each half side by side.

    `find`, `answer` and `prove` are called in this order; what goes wrong in one is kept for the lane.
    """

    def __init__(self, spec: LaneSpec) -> None:
        self.spec = spec
        self._stack = AsyncExitStack()
        self._found = Found(None)
        self._ask = spec.ask
        self._offset_ms: float | None = None
        self._jitter_ms = 0.0
        self._line = Timeline((), None, 0.0, False)
        self._media: MediaType = "sse"
        self._by_answer = Finding(Verdict.INCONCLUSIVE, Method.PASSIVE)
        self._error: KitError | None = None

    async def __aenter__(self) -> Self:
        spec = self.spec
        self._streams = await self._stack.enter_async_context(
            Client(http2=spec.http2, timeout_s=spec.timeout_s)
        )
        self._side = await self._stack.enter_async_context(Client(http2=spec.http2, timeout_s=spec.timeout_s))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def reachable(self) -> bool:
        """Whether nothing has gone wrong so far."""
        return self._error is None

    @property
    def provable(self) -> bool:
        """Whether a proof can still be had."""
        return self._error is None and self._found.base is not None

    async def find(self) -> None:
        """Is the proof to be had here, and how far apart are the clocks?"""
        spec = self.spec
        try:
            self._found = await discover(
                self._side,
                spec.ask.url,
                spec.ask.headers,
                within_ms=spec.timeout_s * 1000,
                proof_url=spec.proof_url,
            )
            self._ask = _as_our_service(spec, self._found)
            if self._found.base is not None:
                await self._align(self._found.base)
        except KitError as error:
            self._error = error

    async def answer(self, arrived: Callable[[Arrival], None] = lambda _: None) -> None:
        """Ask for the answer and watch it arrive; each event is told to `arrived` as it does."""
        received = Received(ChunkDecoder())
        asked = now_ms()
        try:
            async with asyncio.timeout(self.spec.timeout_s):
                await self._read_answer(received, asked, arrived)
        except TimeoutError:
            if not received.arrivals:
                self._error = self._silent(received.status is not None)
        except KitError as error:
            if not (error.code is Code.BODY_CUT and received.arrivals):
                self._error = error
        self._line, stamps = answer.timeline(
            received, asked_ms=asked, now_ms=now_ms(), offset_ms=self._offset_ms
        )
        self._by_answer = (
            answer.refusal(received)
            if self._refused(received)
            else answer.judge(self._line, stamps, jitter_ms=self._jitter_ms)
        )
        if any(stamp is not None for stamp in stamps) and self._offset_ms is None:
            doubts = (*self._by_answer.doubts, Doubt.CLOCKS_NOT_ALIGNED)
            self._by_answer = replace(self._by_answer, doubts=doubts)

    async def prove(self, stepped: Callable[[str], None] = lambda _: None) -> Lane:
        """Prove it, where that is possible, and say what came out; never raises a `KitError`.

        Each new line of evidence is told to `stepped`.
        """
        proof: Finding | None = None
        if self._error is None and self._found.base is not None:
            try:
                proof = await self._prove(self._found.base, stepped)
            except KitError as error:
                self._error = error
        return self._lane(proof)

    async def _prove(self, base: str, stepped: Callable[[str], None]) -> Finding:
        spec = self.spec
        machine, told = LockStep(), 0

        def tell() -> None:
            nonlocal told
            for line in machine.evidence[told:]:
                stepped(line)
            told = len(machine.evidence)

        headers = tuple(
            (name, value)
            for name, value in same_origin(spec.ask.headers, spec.ask.url, base)
            if name.lower() not in ("content-type", "content-length", "accept")
        )
        request = ProofRequest(base, self._ask.method, self._media, spec.header, headers)
        return await Driver(self._streams, self._side, request, tell).run(machine.run())

    async def _align(self, base: str) -> None:
        side = Side(self._side, base, same_origin(self.spec.ask.headers, self.spec.ask.url, base))
        replies = [reply for _ in range(PINGS) if (reply := await side.ping(5_000.0)) is not None]
        if len(replies) < PINGS:
            return
        best = min(replies, key=lambda reply: reply.took_ms)
        self._offset_ms = best.now_ms - (best.sent_ms + best.arrived_ms) / 2
        self._jitter_ms = max(reply.took_ms for reply in replies) - best.took_ms

    async def _read_answer(
        self, received: Received, asked: float, arrived: Callable[[Arrival], None]
    ) -> None:
        async with self._streams.stream(self._ask) as response:
            received.head(response.head_ms, response.status, response.headers)
            if self._refused(received):
                return
            if response.status != 200:
                raise _bad_status(self._ask, response.status)
            decoder, self._media = _decoder(response.headers.get("content-type", ""))
            received.use(decoder)
            clean = False
            try:
                async for at, data in response.reads():
                    for event in received.body(at, data):
                        arrived(Arrival(received.events - 1, None, at - asked, event.octets))
                    if received.events > MOST_EVENTS:
                        raise KitError(
                            Code.TOO_LARGE,
                            f"{shown(self._ask.url)} sent more than {MOST_EVENTS:,} events and went on.",
                            "Ask for a shorter answer: a stream of a few seconds is enough to judge it.",
                        )
                clean = True
            except EventTooLargeError:
                raise KitError(
                    Code.TOO_LARGE,
                    f"{shown(self._ask.url)} sent an event without an end.",
                    "Look at the server: an event ends with a blank line.",
                ) from None
            finally:
                received.end(now_ms(), clean=clean)

    def _refused(self, received: Received) -> bool:
        return received.refused or (received.status == 501 and self._found.base is not None)

    def _silent(self, head_came: bool) -> KitError:
        within = f"within {self.spec.timeout_s:g} s"
        return KitError(
            Code.NO_STREAM if head_came else Code.TIMED_OUT,
            f"{shown(self._ask.url)} "
            + (f"answered but sent no event {within}." if head_came else f"did not answer {within}."),
            "Give it longer with --timeout SECONDS, or look at whether the server is stuck.",
        )

    def _lane(self, proof: Finding | None) -> Lane:
        spec = self.spec
        judged = spec.event_bytes or max(LEAST_EVENT_BYTES, answer.largest_event(self._line))
        finding = answer.combine(proof, self._by_answer, self._line, event_bytes=judged)
        doubts = list(finding.doubts)
        if proof is None and self._error is None:
            doubts.append(_why_unproved(self._found))
        hold = finding.hold_ms
        if hold is None:
            hold = answer.first_hold_ms(self._line)
        error = self._error
        return Lane(
            target=spec.target,
            url=without_credentials(spec.ask.url),
            header=spec.header,
            expected=spec.expected,
            verdict=Verdict.INCONCLUSIVE if error else finding.verdict,
            shape=None if error else finding.shape,
            block_bytes=None if error else finding.block_bytes,
            hold_ms=None if error else hold,
            hold_floor_ms=finding.hold_floor_ms,
            method=finding.method,
            doubts=tuple(dict.fromkeys(doubts)),
            evidence=finding.evidence,
            timeline=self._line,
            error=None if error is None else LaneError(str(error.code), error.message, error.hint),
        )


def without_credentials(url: str) -> str:
    """The address without a user's name and password."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _as_our_service(spec: LaneSpec, found: Found) -> Ask:
    """What to ask: our service's /search for a bare origin that is ours, else what the user gave."""
    ask, parts = spec.ask, urlsplit(spec.ask.url)
    if spec.as_it_is or (found.base is None and not found.expired and not found.ours):
        return ask
    if parts.path in ("", "/") and not parts.query and ask.body is None:
        body = {"ai_prompt": spec.prompt, "max_output_tokens": spec.max_output_tokens}
        ask = Ask(
            "POST",
            urlunsplit((parts.scheme, parts.netloc, "/search", "", "")),
            (*ask.headers, ("content-type", "application/json")),
            json.dumps(body).encode(),
        )
    if spec.header == "off":
        parts = urlsplit(ask.url)
        query = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] != "accel"]
        ask = replace(ask, url=urlunsplit(parts._replace(query=urlencode([*query, ("accel", "off")]))))
    return ask


def _why_unproved(found: Found) -> Doubt:
    if found.expired:
        return Doubt.PROOF_EXPIRED
    return Doubt.PROOF_REFUSED if found.refused else Doubt.NO_PROOF


def _decoder(content_type: str) -> tuple[Decoder, MediaType]:
    """What an event is in this media type, and the proof's nearest type."""
    match content_type.partition(";")[0].strip().lower():
        case "text/event-stream":
            return SSEDecoder(), "sse"
        case "application/x-ndjson" | "application/jsonl" | "application/jsonlines":
            return LineDecoder(), "ndjson"
    return ChunkDecoder(), "text"


def _bad_status(ask: Ask, status: int) -> KitError:
    hints = {
        401: "Give a token: --bearer-env NAME names the variable that holds it; for `kit compare --deployed` "
        "it is KIT_TOKEN.",
        403: "Give a token that may call it: --bearer-env NAME names the variable that holds it.",
        404: "Check the path.",
        405: "Try the other method: --method POST or GET.",
        406: "Say what it may answer with: --header 'Accept: …'.",
        415: "Say what the data is: --header 'Content-Type: application/json'.",
        422: "Give the parameters it wants: --data '{…}' --header 'Content-Type: application/json'.",
        429: "It is asked too often; wait and try again.",
        501: "Try the other method (--method POST or GET); or a hop will not forward it incrementally.",
        503: "It is overloaded or starting; wait and try again.",
    }
    return KitError(
        Code.HTTP_STATUS,
        f"{shown(ask.url)} answered {ask.method} with {status}.",
        hints.get(status, "Look at the server's log."),
    )
