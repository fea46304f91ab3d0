"""Sessions of the page's server: runs, each of several lanes, and proofs of browsers' own paths."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Generic, TypeVar

from kit.errors import KitError
from kit.probe.client import Client
from kit.probe.proof_runner import ProofRequest
from kit.probe.spec import LaneSpec
from kit.proof.doubts import Doubt
from kit.proof.verdict import Finding, Method, Verdict
from kit.times import stamp
from kit.workshop.browser_report import BrowserReport
from kit.workshop.lane_run import LaneRun
from kit.workshop.proof import BrowserProof, Step

MOST_RUNS = 32
MOST_AGE_S = 1_800.0

T = TypeVar("T")


class Run:
    """Lanes asked the same question at once."""

    def __init__(self, name: str, specs: Sequence[LaneSpec], *, path_held: bool, polls: bool) -> None:
        self.name = name
        self.measured_at = stamp(time.time())
        self.lanes = [
            LaneRun(spec, f"relay/{name}/{place}", path_held=path_held, polls=polls)
            for place, spec in enumerate(specs)
        ]

    async def find(self, client: Client, page: str | None) -> None:
        """Find every lane, side by side."""
        await asyncio.gather(*(lane.find(client, page) for lane in self.lanes))


class OwnPath:
    """The proof of the browser's own way to the page's server, which comes before any other."""

    def __init__(self, base: str) -> None:
        self._proof = BrowserProof(ProofRequest(base))
        self.finding: Finding | None = None

    @property
    def held(self) -> bool:
        """Whether something on it is known to hold streams."""
        return self.finding is not None and self.finding.verdict not in (
            Verdict.INCREMENTAL,
            Verdict.INCONCLUSIVE,
        )

    def step(self, report: BrowserReport | None, reads: list[tuple[float, bytes]]) -> Step | None:
        """The next step; None when there is none, and `finding` says what came out."""
        if self.finding is not None:
            return None
        try:
            outcome = self._proof.step(report, reads)
        except KitError as error:
            outcome = Finding(Verdict.INCONCLUSIVE, Method.LOCK_STEP, evidence=(error.message,))
        if isinstance(outcome, Finding):
            self.finding = outcome
            if report is not None and report.hidden:
                self.finding = replace(outcome, doubts=(*outcome.doubts, Doubt.TAB_HIDDEN))
            return None
        return outcome


class BoundedCache(Generic[T]):
    """The latest of something, by a name that cannot be guessed; the oldest are dropped."""

    def __init__(self, most: int = MOST_RUNS, most_age_s: float = MOST_AGE_S) -> None:
        self._most = most
        self._most_age_s = most_age_s
        self._kept: dict[str, tuple[float, T]] = {}

    @staticmethod
    def name() -> str:
        """A new name."""
        return secrets.token_hex(8)

    def keep(self, name: str, what: T) -> None:
        """Keep it."""
        now = time.monotonic()
        young = [(key, kept) for key, kept in self._kept.items() if now - kept[0] < self._most_age_s]
        self._kept = dict(young[1 - self._most :] if self._most > 1 else [])
        self._kept[name] = (now, what)

    def get(self, name: str) -> T | None:
        """It, or None where it is not kept (any more)."""
        kept = self._kept.get(name)
        return None if kept is None else kept[1]
