"""Makes the experiments of `kit.proof.experiments` on real sockets.

By proof where the origin speaks its protocol: an experiment costs the service nothing. Else by asking the URL
itself once more and watching what comes.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TypeVar
from urllib.parse import urlsplit, urlunsplit

from kit.errors import KitError
from kit.language import text
from kit.probe.address import Headers, same_origin
from kit.probe.client import Client
from kit.probe.lane import LaneProbe
from kit.probe.measured import PING_MS
from kit.probe.origin import Found, Side
from kit.probe.proof_runner import Driver, ProofRequest
from kit.probe.spec import LaneSpec, beside_conditions, coding
from kit.proof.actions import Machine, Reply
from kit.proof.answer import watched
from kit.proof.conditions import Change, Conditions
from kit.proof.doubts import Doubt
from kit.proof.experiments import Experiment
from kit.proof.lockstep import LockStep
from kit.proof.looks import Looks
from kit.proof.quick_check import LEAST_HOLD_MS, Observation, QuickCheck, Sign, State, of_finding
from kit.proof.verdict import Finding, Method, Shape, Verdict

AT_ONCE = 12  # an origin takes 16 streams, and another prober may be at work
REFUSED_S = (0.0, 0.5, 1.0)  # before an experiment that was refused is made again
LONGEST_TIMER_MS = 5_000.0  # longer is not waited: a cause is wanted in seconds

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a proof is asked for, and what is sent with it."""

    base: str
    headers: Headers


class ProofExperiments:
    """Experiments by proof.

    Args:
        origin: through the hops that are examined.
        pings: the origin's replies to some; at least one.
        secure: whether it is asked over TLS, where HTTP versions are chosen.
        direct: the same service, asked directly; None where that is not known.
        event_bytes: events up to this size are judged.
        timeout_s: for connecting, and for each silence.

    Attributes:
        can: what can be changed here.
        findings: of each whole proof.
        heads: what each stream's response bore that came; names in lower case.
    """

    def __init__(
        self,
        origin: Origin,
        pings: Sequence[Reply],
        *,
        secure: bool,
        direct: Origin | None = None,
        event_bytes: int = 1_000,
        timeout_s: float = 60.0,
    ) -> None:
        self._origin = origin
        self._direct = direct
        self._event_bytes = event_bytes
        self._timeout_s = timeout_s
        self._running = 0
        self._room = asyncio.Condition()
        self._pings = pings
        ordered = sorted(reply.took_ms for reply in pings)
        # Four of five stay within the second; one stall is no measure of the way.
        self._rtt_ms = ordered[len(ordered) // 2]
        self._slowest_ms = ordered[int(0.8 * (len(ordered) - 1))]
        self._most = AT_ONCE
        without = set()
        if not secure:
            without.add(Change.HTTP_VERSION)
        if direct is None:
            without.add(Change.DIRECT)
        self.can = frozenset(Change) - without - {Change.LENGTH, Change.FRESH}
        self.findings: dict[Conditions, Finding] = {}
        self.heads: dict[Conditions, Mapping[str, str]] = {}
        self._begun: dict[Conditions, asyncio.Task[Observation]] = {}

    def begin(self, experiments: Iterable[Experiment]) -> None:
        """Begin whole experiments that will be wanted, unless they are begun; `observe` waits for them."""
        for experiment in experiments:
            if experiment.conditions not in self._begun:
                self._begun[experiment.conditions] = asyncio.create_task(self._patiently(experiment))

    async def forget(self) -> None:
        """End what was begun and was not waited for."""
        begun = [*self._begun.values()]
        self._begun.clear()
        for task in begun:
            task.cancel()
        await asyncio.gather(*begun, return_exceptions=True)

    async def observe(self, experiment: Experiment) -> Observation:
        """What is seen. Never raises a `KitError`: what cannot be seen is undecided.

        From the first that a limit refuses (429, 503) they are made one at a time, and that one again.
        """
        begun = self._begun.pop(experiment.conditions, None) if experiment.whole else None
        return await (begun or self._patiently(experiment))

    async def _patiently(self, experiment: Experiment) -> Observation:
        seen = await self._observed(experiment)
        for wait_s in REFUSED_S:
            if Doubt.PROOF_LIMITED not in seen.doubts:
                break
            self._most = 1
            await asyncio.sleep(wait_s)
            seen = await self._observed(experiment)
        return seen

    async def _observed(self, experiment: Experiment) -> Observation:
        try:
            if experiment.whole:
                self.findings[experiment.conditions] = await self.prove(experiment.conditions)
                return self._seen(self.findings[experiment.conditions])
            return await self.quick_check(experiment.conditions)
        except KitError as error:
            return Observation(State.UNDECIDED, error.message)

    async def quick_check(
        self, conditions: Conditions, on_sign: Callable[[Sign, float], None] = lambda sign, ms: None
    ) -> Observation:
        """Whether it passes. Raises KitError: it could not be asked."""
        machine = QuickCheck(self._rtt_ms, self._slowest_ms, self._event_bytes, on_sign)
        return await self.run(machine.run(), conditions)

    async def prove(self, conditions: Conditions) -> Finding:
        """How it is held. Raises KitError: it could not be asked."""
        return await self.run(LockStep(LONGEST_TIMER_MS, self._pings).run(), conditions)

    async def run(self, machine: Machine[T], conditions: Conditions) -> T:
        """Any machine of the proof's, under these conditions. Raises KitError."""
        request = self.request(conditions)
        # Connections of its own: one that is held must not hold another one up.
        async with (
            self._turn(),
            Client(http2=conditions.http2, timeout_s=self._timeout_s) as streams,
            Client(http2=conditions.http2, timeout_s=self._timeout_s) as side,
        ):
            # Both connect first, so that neither the opening nor a step pays for it.
            await asyncio.gather(
                *(Side(one, request.base, request.headers).ping(PING_MS) for one in (streams, side))
            )
            driver = Driver(streams, side, request)
            try:
                return await driver.run(machine)
            finally:
                if driver.head:
                    self.heads[conditions] = driver.head

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        async with self._room:
            await self._room.wait_for(lambda: self._running < self._most)
            self._running += 1
        try:
            yield
        finally:
            self._running -= 1
            async with self._room:
                self._room.notify_all()

    def request(self, conditions: Conditions) -> ProofRequest:
        """How the proof is asked for under these conditions."""
        origin = self._direct if conditions.direct and self._direct is not None else self._origin
        return ProofRequest(origin.base, conditions, origin.headers)

    def _seen(self, finding: Finding) -> Observation:
        seen = of_finding(finding)
        if seen.shape is Shape.TIMER and (seen.hold_ms or 0.0) < LEAST_HOLD_MS:
            return replace(seen, state=State.STREAMS, shape=None)
        if seen.shape is Shape.TAIL and (seen.block_bytes or 0) >= self._event_bytes:
            return replace(
                seen, state=State.STREAMS, shape=None, doubts=(*seen.doubts, Doubt.LARGE_EVENTS_HELD)
            )
        return seen


class AnswerExperiments:
    """Experiments by asking the URL itself again and watching what comes: they prove little.

    Args:
        spec: what is asked.
        secure: whether it is asked over TLS, where HTTP versions are chosen.
        most: how many more requests may be made.
        direct_url: where the same service is asked directly; None where that is not known.

    Attributes:
        can: what can be changed here.
        left: how many requests may still be made.
        asked: how many were.
    """

    def __init__(self, spec: LaneSpec, *, secure: bool, most: int, direct_url: str | None = None) -> None:
        self._spec = spec
        self.left = most
        self._direct_url = direct_url
        self.asked = 0
        self.can = frozenset(
            {Change.IDENTITY, Change.ACCEPT, Change.FRESH}
            | ({Change.HTTP_VERSION} if secure else set())
            | (set() if direct_url is None else {Change.DIRECT})
        )

    async def observe(self, experiment: Experiment) -> Observation:
        """What is seen. Never raises a `KitError`: what cannot be seen is undecided."""
        if self.left <= 0:
            return Observation(State.UNDECIDED, text("not asked: no more requests are allowed"), proven=False)
        self.left -= 1
        self.asked += 1
        wanted = experiment.conditions
        ask = self._spec.ask
        url = self._direct_url if wanted.direct and self._direct_url is not None else ask.url
        if wanted.fresh:
            parts = urlsplit(url)
            query = "&".join(filter(None, (parts.query, f"_={secrets.token_hex(8)}")))
            url = urlunsplit(parts._replace(query=query))
        headers = (
            *(
                pair
                for pair in same_origin(ask.headers, ask.url, url)
                if pair[0].lower() not in ("accept", "accept-encoding")
            ),
            ("accept", wanted.accept),
            *coding(wanted),
        )
        spec = replace(
            self._spec, ask=replace(ask, url=url, headers=headers), http2=wanted.http2, as_it_is=True
        )
        async with LaneProbe(spec) as probe:
            await probe.answer()
            if probe.error is not None:
                return Observation(State.UNDECIDED, probe.error.message, proven=False)
            return seen_of_answer(probe)


def seen_of_answer(probe: LaneProbe) -> Observation:
    """What an answer alone tells."""
    finding = probe.by_answer
    said = finding.evidence[-1] if finding.evidence else ""
    if finding.method in (Method.STAMPS, Method.LOCK_STEP) or finding.verdict is Verdict.REFUSED:
        return replace(of_finding(finding), proven=False)
    looked = watched(probe.line)
    state = State.HELD if looked.held else State.UNDECIDED
    if looked.looks is Looks.STREAMED:
        state = State.STREAMS
    return Observation(state, said, proven=False, doubts=finding.doubts)


def origin_of(spec: LaneSpec, found: Found) -> Origin:
    """Where the proof of a lane is asked for, with the lane's own credentials where it is the same origin."""
    return Origin(found.base or "", beside_conditions(spec.ask, found))
