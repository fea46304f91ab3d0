"""Whether an origin knows that its client left, on real connections (`kit.proof.cancelled` judges it)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

from kit.errors import Code, KitError
from kit.probe.client import Ask, Client, now_ms
from kit.probe.http_errors import shown
from kit.probe.origin import new_stream, ping_path
from kit.probe.polling import MOST_PIECE_BYTES
from kit.probe.proof_runner import AnswerDriver, Driver, ProofRequest, driven, together
from kit.probe.spec import without_body
from kit.proof.actions import Action, By, End, Gone, Open, Ping, Reply
from kit.proof.cancelled import (
    PARTING_MS,
    REPEATED,
    WATCH_MS,
    Departure,
    answer_departs,
    departs,
    judge,
    judge_named,
    named_departs,
)
from kit.proof.contract import ClauseFinding
from kit.proof.doubts import Doubt
from kit.proof.events import ChunkDecoder
from kit.proof.polling import readers_of
from kit.proof.received import Received
from kit.proof.steps import SIDE_TIMEOUT_MS

_TIMEOUT_S = 30.0  # of our own, beyond the time watched
# Of the watch, before what is still watched is repeated beside it: no accident meets both in the same state.
_APART, _MOST_APART_MS = 0.2, 1_000.0


async def cancelled(
    request: ProofRequest, *, watch_s: float = WATCH_MS / 1000, http2: bool = False
) -> ClauseFinding:
    """Leave streams, and see when the origin notices.

    Args:
        request: how the proof's stream is asked for.
        watch_s: for how long in all, in seconds; what the origin notices soon takes less. A longer one than
            five seconds takes up to a second more.
        http2: offer HTTP/2.

    Raises:
        KitError: a stream could not be opened.
    """
    return judge(await departures(request, watch_s=watch_s, http2=http2))


async def departures(
    request: ProofRequest, *, watch_s: float = WATCH_MS / 1000, http2: bool = False
) -> list[Departure]:
    """What became of each stream that was left; the arguments are those of `cancelled`. Raises KitError."""
    until_ms = now_ms() + watch_s * 1000 - PARTING_MS
    http2 = http2 and await _speaks_http2(request)
    usual, other = (By.RST_STREAM, By.FIN) if http2 else (By.FIN, By.RST)
    ways = await together(
        _twice(request, by, early, until_ms, http2=http2)
        for by, early in ((usual, False), (other, False), (usual, True))
    )
    return [one for each in ways for one in each]


async def answer_departures(
    request: ProofRequest, ask: Ask, *, pieces: int, watch_s: float
) -> list[Departure]:
    """What became of the app's own answer when it was left, twice; two answers are asked for.

    Args:
        request: how the proof's side requests are asked.
        ask: what asks for the answer, with the proof's token.
        pieces: how many it had.
        watch_s: for how long in all, in seconds.

    Raises:
        KitError: it could not be asked for.
    """
    left = []
    for _ in range(REPEATED):
        async with Client() as streams, Client() as side:
            machine = answer_departs(pieces=pieces, watch_ms=watch_s * 1000 / REPEATED)
            left.append(await AnswerDriver(streams, side, request, ask).run(machine))
    return left


async def named_answer_left(ask: Ask, *, watch_s: float) -> ClauseFinding:
    """What becomes of the kit's own answers when they are left, without a proof; two are asked for.

    Args:
        ask: what asks for the answer.
        watch_s: for how long in all, in seconds.

    Raises:
        KitError: it could not be asked for, or its service does not say who reads it.
    """
    left = []
    for _ in range(REPEATED):
        async with Client() as streams, Client() as side:
            machine = named_departs(watch_ms=watch_s * 1000 / REPEATED)
            left.append(await _NamedAnswer(streams, side, ask).run(machine))
    return judge_named(left)


class _NamedAnswer(Driver):
    """An answer under a name, beside which requests for its pieces say how many others read it."""

    def __init__(self, streams: Client, side: Client, ask: Ask) -> None:
        super().__init__(streams, side, ProofRequest(""))
        self._ask, self._asks_side = ask, side

    async def _do(self, action: Action) -> Reply | None:
        match action:
            case Ping():
                return await self._others(action.within_ms)
            case End():  # its service ends it
                return None
        return await super()._do(action)

    async def _open(self, action: Open) -> None:
        self.stream_id = new_stream()
        self._received = Received(ChunkDecoder())
        parts = urlsplit(self._ask.url)
        query = urlencode([*parse_qsl(parts.query, keep_blank_values=True), ("answer", self.stream_id)])
        named = replace(self._ask, url=urlunsplit(parts._replace(query=query)))
        self._reader = asyncio.create_task(self._read(named, self._received))

    async def _others(self, within_ms: float) -> Reply | None:
        url = urljoin(self._ask.url, f"search/{self.stream_id}?after=-1&wait=0")
        ask = Ask("GET", url, without_body(self._ask, url))
        try:
            response, body, sent_ms, arrived_ms = await self._asks_side.fetch(
                ask, within_ms=within_ms, begins=b"{", most_bytes=MOST_PIECE_BYTES
            )
        except KitError:
            return None
        if response.status != 200:  # not that instance's
            return Reply(sent_ms, arrived_ms, arrived_ms, "another", known=False, emitted=0)
        readers, done = readers_of(body)
        if readers is None:
            raise KitError(
                Code.NO_POLLING,
                f"{shown(self._ask.url)} does not say how many clients read an answer.",
                "Deploy the kit's service of this version.",
            )
        gone = Gone("ended", arrived_ms) if done else None
        return Reply(sent_ms, arrived_ms, arrived_ms, "", readers > 0, 0, gone=gone)

    async def _part(self) -> None:
        """Its service ends it once it has no reader for a while."""


async def _speaks_http2(request: ProofRequest) -> bool:
    async with Client(http2=True) as client:
        ask = Ask("GET", f"{request.base}/{ping_path()}", request.headers)
        response, *_ = await client.fetch(ask, within_ms=SIDE_TIMEOUT_MS)
    return response.http_version == "HTTP/2"


async def _twice(
    request: ProofRequest, by: By, early: bool, until_ms: float, *, http2: bool
) -> list[Departure]:
    first = asyncio.create_task(_once(request, by, early, until_ms, talks=False, http2=http2))
    try:
        watch_ms = until_ms - now_ms()
        apart_ms = min(_APART * watch_ms, _MOST_APART_MS)
        await asyncio.wait({first}, timeout=apart_ms / 1000)
        # A watch that is asked for is made twice.
        longer_ms = apart_ms if watch_ms > WATCH_MS else 0.0
        second = await _once(request, by, early, until_ms + longer_ms, talks=True, http2=http2)
        return [await first, second]
    finally:
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)


async def _once(
    request: ProofRequest, by: By, early: bool, until_ms: float, *, talks: bool, http2: bool
) -> Departure:
    watch_ms = until_ms - now_ms()

    async def watched() -> Departure:
        machine = departs(by, early=early, watch_ms=watch_ms, talks=talks)
        return await driven(request, machine, http2=http2, timeout_s=watch_ms / 1000 + _TIMEOUT_S)

    left = await watched()
    # A watch in which this process did not run saw nothing.
    return await watched() if Doubt.BUSY_MACHINE in left.doubts else left
