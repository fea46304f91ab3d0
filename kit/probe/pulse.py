"""Small requests beside an answer, to see whether its service does anything else meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from kit.errors import KitError
from kit.probe.client import Ask, Client, now_ms
from kit.probe.origin import ping_path

FIRST_S = 0.3  # after the answer was asked for; each further pause is twice as long
WITHIN_MS = 30_000.0
AFTER_S = 1.0  # for the one that is on its way when the answer has ended


class Pulse:
    """Asks for `proof/ping` below a prefix, whether or not a proof is there: any answer is a sign of life.

    Args:
        base: the prefix.
        timeout_s: for connecting, and for each silence.

    Attributes:
        pulses: when each was sent and was back, by `now_ms`; the first before the answer.
        ended_ms: when the answer had ended.
    """

    def __init__(self, base: str, timeout_s: float) -> None:
        self._base = base
        self._timeout_s = timeout_s
        self._over = asyncio.Event()
        self.pulses: list[tuple[float, float]] = []
        self.ended_ms = 0.0

    async def beside(self, answer: Awaitable[None]) -> None:
        """Await an answer, and ask beside it."""
        async with Client(timeout_s=self._timeout_s) as client:
            await self._once(client)
            beats = asyncio.create_task(self._beats(client))
            try:
                await answer
                self.ended_ms = now_ms()
                self._over.set()
                await asyncio.wait([beats], timeout=AFTER_S)
            finally:
                beats.cancel()
                await asyncio.gather(beats, return_exceptions=True)

    async def _beats(self, client: Client) -> None:
        pause = FIRST_S
        while not self._over.is_set():
            try:
                await asyncio.wait_for(self._over.wait(), pause)
            except TimeoutError:
                await self._once(client)
                pause *= 2

    async def _once(self, client: Client) -> None:
        sent = now_ms()
        try:
            await client.fetch(Ask("GET", f"{self._base}/{ping_path()}"), within_ms=WITHIN_MS, begins=b"{")
        except KitError:
            return
        self.pulses.append((sent, now_ms()))
