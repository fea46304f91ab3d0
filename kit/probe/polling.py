"""One lane whose answer is asked for in pieces, where nothing streams (`Prefer: respond-async`, RFC 7240).

Each piece is asked for as soon as the one before is in, and the service keeps the request open until there is
an event more: a long poll. There is no proof of it; what it shows is the answer's own timeline.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

from kit.errors import Code, KitError
from kit.language import text
from kit.probe.address import checked
from kit.probe.client import Ask, now_ms
from kit.probe.http_errors import bad_status, shown
from kit.probe.measured import Measured, OnArrival, put_together
from kit.probe.spec import LaneSpec, without_body
from kit.proof.answer import Judge
from kit.proof.lane import Lane
from kit.proof.polling import NotAPieceError, Pieces, judge
from kit.proof.received import Received

# Below the patience of every front that is known, and of the service's own limit of 30 s.
WAIT_S = 20
# A piece is what was written in a round trip; one of a long answer that was not fetched may be large.
MOST_PIECE_BYTES = 4 * 1024 * 1024
# A service that does not wait is not asked more often than this.
APART_MS = 100.0
PINGED_EACH_S = 0.2


class PollingProbe(Measured):
    """A lane whose answer is asked for in pieces."""

    def __init__(self, spec: LaneSpec) -> None:
        super().__init__(spec)
        self._pieces = Pieces()

    async def prove(self, stepped: Callable[[str], None] = lambda _: None) -> Lane:
        """The lane as the answer showed it: an answer in pieces has nothing more to prove."""
        return self.with_exchange(put_together(self.spec, self.line, self._by_answer, self._error))

    async def _read(self, received: Received, asked: float, arrived: OnArrival) -> None:
        received.use(self._pieces)
        pinging = asyncio.create_task(self._ping_on())
        try:
            place = await self._begin(received)
            while not self._pieces.done:
                sent, at, piece = await self._piece(place)
                before = received.events
                try:
                    self._note(received, at, piece, asked, arrived)
                except NotAPieceError:
                    what = text("gave something else than the piece that was asked for")
                    raise _none_here(self._ask.url, what) from None
                if received.events == before and not self._pieces.done:
                    await asyncio.sleep(max(0.0, sent + APART_MS - now_ms()) / 1000)
        finally:
            received.end(now_ms(), clean=self._pieces.done)
            pinging.cancel()
            await asyncio.gather(pinging, return_exceptions=True)

    async def _ping_on(self) -> None:
        """How long a round trip takes while the answer is on its way: its pieces take as long."""
        while self._found.base is not None:
            await self._ping()
            await asyncio.sleep(PINGED_EACH_S)

    async def _begin(self, received: Received) -> str:
        """Ask the question; where its answer's pieces are to be had."""
        url = self._ask.url
        ask = replace(self._ask, headers=(*self._ask.headers, ("prefer", "respond-async")))
        async with self._streams.stream(ask) as response:
            received.head(response.head_ms, response.status, response.headers)
            if not 200 <= response.status < 300:
                raise bad_status(ask, response.status, response.headers, await response.beginning())
            place = response.headers.get("location")
            if response.status != 202 or place is None:
                raise _none_here(url, text("answered as if it had not been asked to"))
            async for _ in response.reads():
                pass  # so that the connection can be used again
        try:
            place = urljoin(response.url, place)
            checked(place)
        except (ValueError, KitError):
            raise _none_here(url, text("named a place that is no address")) from None
        return place

    async def _piece(self, place: str) -> tuple[float, float, bytes]:
        """The next piece: (when it was asked for, when it was whole, itself)."""
        parts = urlsplit(place)
        query = [*parse_qsl(parts.query), ("after", str(self._pieces.after)), ("wait", str(WAIT_S))]
        url = urlunsplit(parts._replace(query=urlencode(query)))
        ask = Ask("GET", url, without_body(self.spec.ask, url))
        response, body, sent, at = await self._streams.fetch(
            ask, within_ms=self.spec.timeout_s * 1000, begins=b"{", most_bytes=MOST_PIECE_BYTES
        )
        if response.status in (404, 410):
            raise KitError(
                Code.HTTP_STATUS,
                text(
                    "{url} knows nothing of the answer that was asked for ({status}).",
                    url=shown(self._ask.url),
                    status=response.status,
                ),
                text(
                    "The request for a piece may have reached another instance or worker than the "
                    "question: run one of each, or give them a store that they share."
                ),
            )
        if response.status != 200:
            raise bad_status(replace(ask, url=self._ask.url), response.status, response.headers, body)
        return sent, at, body

    def _judge(self, received: Received) -> Judge:
        return partial(judge, pieces=self._pieces.count, clock=self.clock)


def _none_here(url: str, what: str) -> KitError:
    return KitError(
        Code.NO_POLLING,
        text(
            "{url} does not offer polling: asked for its answer in pieces, it {what}.",
            url=shown(url),
            what=what,
        ),
        text(
            "Leave --polling out, or deploy a service that does: the kit's answers `Prefer: "
            "respond-async` with 202 and a Location."
        ),
    )
