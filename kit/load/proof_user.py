"""One user more, beside Locust's: each second it checks in lock-step whether the path passes single events.

It asks from the kit's own process, which has little else to do: a generator that is late would be late with
its proofs too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from kit.errors import KitError
from kit.load.result import Proof
from kit.probe.client import Client, now_ms
from kit.probe.experiments import Origin, ProofExperiments
from kit.probe.measured import PING_MS
from kit.probe.origin import Side
from kit.proof.conditions import Conditions
from kit.proof.quick_check import Observation, State

_EVERY_MS = 1_000.0


class ProofUser:
    """Checks until it is cancelled.

    Args:
        origin: where the proof is asked for.
        at: under which conditions: those of the load's own streams.
        timeout_s: for connecting, and for each silence.
        open_now: how many streams are open.

    Attributes:
        proofs: what was seen, in order.
    """

    def __init__(self, origin: Origin, at: Conditions, timeout_s: float, open_now: Callable[[], int]) -> None:
        self._origin = origin
        self._at = at
        self._timeout_s = timeout_s
        self._open_now = open_now
        self.proofs: list[Proof] = []

    async def check_each_second(self, begun: asyncio.Event) -> None:
        """On a schedule, once the load has begun; a second in which the last check still runs is left out."""
        await begun.wait()
        began = due = now_ms()
        while True:
            self.proofs.append(await self._check((now_ms() - began) / 1000))
            due += (1 + max(0.0, now_ms() - due) // _EVERY_MS) * _EVERY_MS
            await asyncio.sleep((due - now_ms()) / 1000)

    async def _check(self, at_s: float) -> Proof:
        before = self._open_now()
        seen = await self._seen()
        # While streams are being opened the number grows; what is said of fewer could be wrong.
        return Proof(at_s, max(before, self._open_now()), seen.state, seen.said)

    async def _seen(self) -> Observation:
        async with Client(timeout_s=self._timeout_s) as client:
            ping = await Side(client, self._origin.base, self._origin.headers).ping(PING_MS)
        if ping is None:
            return Observation(State.UNDECIDED, "the side connection was not answered in time")
        experiments = ProofExperiments(self._origin, [ping], secure=False, timeout_s=self._timeout_s)
        try:
            return await experiments.quick_check(self._at)
        except KitError as error:
            return Observation(State.UNDECIDED, error.message)
