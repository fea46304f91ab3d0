"""Streams kept open on a version while its traffic moves, on real connections; `kit.proof.rollout` judges."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from types import TracebackType
from typing import Literal, Self, TypeAlias
from urllib.parse import urlencode

from kit.errors import Code, KitError
from kit.probe.address import Headers
from kit.probe.client import Ask, Client, now_ms
from kit.probe.proof_runner import Driver, ProofRequest
from kit.proof.contract import ClauseFinding
from kit.proof.events import EventTooLargeError
from kit.proof.received import Received
from kit.proof.rollout import (
    LOOK_MS,
    Fate,
    KeptStream,
    Move,
    Slot,
    answered,
    fed,
    last_id,
    retry_after_s,
    through,
    unwatched,
)
from kit.proof.sse import SSEDecoder

# An answer of the kit's own service: longer than traffic takes to move, shorter than a version has to stop.
ANSWER_S = 20
_A_SECOND = 2  # of its tokens
_OPEN_WITHIN_S = 15.0
_SILENT_MS = 1_000.0  # after which an answer of which nothing came is under way all the same
# Watched after the move, at least: a hop that drops streams then does so at once.
FEW_S = 3.0
_RETRY_S = 5.0
_TIMEOUT_S = 600.0  # of our own: what ends a stream must not be us

Live: TypeAlias = Callable[[Slot], Awaitable[KeptStream]]
Mark: TypeAlias = Literal["began", "moved", "stopping", "stopped"]


class Kept:
    """What is known of the streams that are kept through a deploy; here none is, and `finding` is known."""

    def __init__(self, finding: ClauseFinding | None = None) -> None:
        self._finding = finding

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave no stream open."""

    def at(self, mark: Mark, url: str | None = None) -> None:
        """Say that the traffic begins to move, has moved, and the same of stopping the version before.

        `url`: of the version that it has moved to.
        """

    async def finding(self, say: Callable[[str], None] = lambda text: None) -> ClauseFinding | None:
        """What became of them, after their end or the bound on watching; None where nothing moved.

        `say` is called with what is waited for, if anything is.
        """
        return self._finding


class KeptStreams(Kept):
    """Streams on one version, each opened again where it ends before the traffic moves.

    Args:
        live: opens one, and returns when it is over or its slot is to be left.
        streams: how many.
        opened: which they are, as a sentence that begins with how many.
        moves_s: how late traffic may move.
        grace_s: how long a version has to stop.
        least_s: seconds to watch after the move at least, as far as they are not over.
        stays: whether the address at which they are open leads to whichever version serves.
    """

    def __init__(
        self,
        live: Live,
        streams: int,
        opened: str,
        *,
        moves_s: float = 0.0,
        grace_s: float = 0.0,
        least_s: float = FEW_S,
        stays: bool = True,
    ) -> None:
        super().__init__()
        self._live = live
        self._opened = opened
        self._moves_s, self._grace_s, self._least_s = moves_s, grace_s, least_s
        self._stays = stays
        self._slots = [Slot() for _ in range(streams)]
        self._tasks: list[asyncio.Task[KeptStream]] = []
        self._move: Move | None = None
        self._last_ms = 0.0
        self._accidents = 0

    async def __aenter__(self) -> Self:
        """Open them, as many as can be."""
        self._tasks = [asyncio.create_task(self._keep(at)) for at in range(len(self._slots))]
        with suppress(TimeoutError):
            async with asyncio.timeout(_OPEN_WITHIN_S):
                while coming := [task for task, slot in self._each() if not (slot.opened or task.done())]:
                    await asyncio.wait(coming, timeout=LOOK_MS / 1000)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def at(self, mark: Mark, url: str | None = None) -> None:
        """See `Kept`."""
        self._last_ms = now_ms()
        if mark == "began":
            self._move = Move(self._last_ms)
        elif self._move is not None:
            self._move = replace(self._move, **{f"{mark}_ms": self._last_ms})
        if mark == "moved":
            for task, slot in self._each():
                slot.again = "" if self._stays or url is None else url
                if not slot.opened:  # what opens now opens on another version
                    task.cancel()

    async def finding(self, say: Callable[[str], None] = lambda text: None) -> ClauseFinding | None:
        """See `Kept`."""
        if self._move is None:
            return None
        stops_s = self._grace_s if self._move.stopping_ms is not None else 0.0
        left_s = self._moves_s + stops_s + self._least_s - (now_ms() - self._last_ms) / 1000
        going = [task for task in self._tasks if not task.done()]
        if going and left_s > 0:
            say(f"watching what becomes of {len(going)} open streams, for {left_s:.0f} s at most")
            await asyncio.wait(going, timeout=left_s)
        for slot in self._slots:
            slot.leave = True
        await asyncio.wait(self._tasks)
        over = [(task.result(), slot) for task, slot in self._each() if not task.cancelled()]
        never = [life.how for life, slot in over if not slot.opened]
        if lives := [life for life, slot in over if slot.opened]:
            opened = f"{len(lives)} {self._opened}"
            return through(lives, self._move, opened, accidents=self._accidents, unopened=never)
        return unwatched(
            f"no stream could be opened: {'; '.join(sorted(set(never))) or 'no side request reached one'}"
        )

    def _each(self) -> list[tuple[asyncio.Task[KeptStream], Slot]]:
        return list(zip(self._tasks, self._slots, strict=True))

    async def _keep(self, at: int) -> KeptStream:
        while True:
            slot = self._slots[at]
            try:
                life = await self._live(slot)
            except KitError as error:
                life = KeptStream(Fate.CUT, now_ms(), error.message)
            if self._move is not None or slot.leave or not slot.opened:
                return life
            self._accidents += life.fate is Fate.CUT
            self._slots[at] = Slot()
            await asyncio.sleep(LOOK_MS / 1000)  # a service that ends each at once is not asked all the time


def proof_streams(stack: AsyncExitStack, request: ProofRequest) -> Live:
    """Streams of the proof's own, each on a connection of its own. `stack` closes them all."""
    side = Client(timeout_s=_TIMEOUT_S)
    stack.push_async_exit(side)

    async def live(slot: Slot) -> KeptStream:
        async with Client(timeout_s=_TIMEOUT_S) as streams:
            return await Driver(streams, side, request).run(fed(slot))

    return live


def answers(url: str, headers: Headers, *, answer_s: int = ANSWER_S) -> Live:
    """Answers of the kit's own service at a URL, whose generator costs nothing."""
    tokens = _A_SECOND * answer_s
    query = urlencode({"ai_prompt": "streams", "max_output_tokens": tokens, "tokens_per_s": _A_SECOND})

    def ask(where: str, *more: tuple[str, str]) -> Ask:
        shown = (*headers, ("accept", "text/event-stream"), *more)
        return Ask("GET", f"{where.rstrip('/')}/search?{query}", shown)

    async def live(slot: Slot) -> KeptStream:
        async with Client(timeout_s=_TIMEOUT_S) as client:
            first = await _read(client, ask(url), slot)
            over_ms = now_ms() if first.ended_ms is None else first.ended_ms
            after_s, then, resumed = retry_after_s(first), None, False
            if after_s is not None:
                await asyncio.sleep(min(after_s, _RETRY_S))
                where = slot.again or url
                with suppress(KitError):  # what cannot be reached gives no answer
                    then = await _read(client, ask(where, ("last-event-id", last_id(first))), slot)
                    resumed = then.status == 200
                    if not resumed:  # there is nothing to go on with
                        then = await _read(client, ask(where), slot, events=1)
            fate, how = answered(first, then, resumed=resumed)
            return KeptStream(fate, over_ms, how)

    return live


async def _read(client: Client, ask: Ask, slot: Slot, *, events: float = float("inf")) -> Received:
    """An answer, as far as it is read: to its end, to so many events, or until the slot is left."""
    received = Received(SSEDecoder())
    reading = asyncio.create_task(_into(received, client, ask, events))
    began_ms = now_ms()
    try:
        while not reading.done() and not slot.leave:
            await asyncio.wait({reading}, timeout=LOOK_MS / 1000)
            slot.opened = (
                slot.opened
                or received.status == 200
                or (received.ended_ms is None and now_ms() - began_ms > _SILENT_MS)
            )
    finally:
        reading.cancel()
        await asyncio.wait({reading})
    if not reading.cancelled():
        reading.result()
    return received


async def _into(received: Received, client: Client, ask: Ask, events: float) -> None:
    try:
        async with client.stream(ask) as response:
            received.head(response.head_ms, response.status, response.headers)
            async for at, data in response.reads():
                received.body(at, data)
                if received.events >= events:
                    return
            received.end(now_ms(), clean=True)
    except (KitError, EventTooLargeError) as error:
        if received.status is None and isinstance(error, KitError) and error.code is not Code.BODY_CUT:
            raise
        received.end(now_ms(), clean=False)
