"""Cases of proxy_space.py behind real proxies, a few at a time, and how what is said of them came out.

test_doctor_matrix.py asserts on it, `make soak` counts it.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from kit.errors import KitError
from kit.flows.doctor import DoctorSpec, doctor
from kit.probe.lane import LEAST_EVENT_BYTES
from kit.probe.spec import LaneSpec
from kit.proof.answer import SLEPT_MS
from kit.proof.diagnosis import Diagnosis
from kit.proof.doubts import Doubt
from kit.proof.lane import Lane
from kit.proof.verdict import Shape, Verdict
from tests.fixtures.origin import Origin as Start
from tests.fixtures.probing import probed
from tests.fixtures.proxies import Fleet
from tests.fixtures.stood_still import StoodStill
from tests.system.proxy_space import Case, Origin, chains, singles

SINGLES, CHAINS = 42, 14
AT_ONCE = 5
# One process serves so many cases, one after another.
EACH = 5
# A model's, and an answer of two seconds.
PACE = {"tokens_per_s": 12}


class Outcome(StrEnum):
    """How what was said of a case compares with the truth, worst first.

    Unsure is what is inconclusive and says why; wrong is all else that is not right and not certain.
    """

    FALSE = "falsely certain"
    WRONG = "wrong"
    UNSURE = "unsure"
    RIGHT = "right"


class Said(NamedTuple):
    """What was said of a case: how it came out, in a few words, and what was done and seen for it."""

    outcome: Outcome
    words: str
    evidence: Sequence[str]


@dataclass(frozen=True, slots=True)
class Answer:
    """One case, what was said of it, and how long that took."""

    case: Case
    said: Said
    took_s: float

    @property
    def outcome(self) -> Outcome:
        return self.said.outcome

    def __str__(self) -> str:
        truth = " + ".join(sorted(self.case.truth)) or "streams"
        line = f"{self.outcome:15} {truth:28} {self.said.words:28} {self.took_s:4.1f} s  {self.case}"
        evidence = () if self.outcome is Outcome.RIGHT else self.said.evidence
        return "\n".join([line, *(f"    {each}" for each in evidence)])


Examine = Callable[[Case, str], Awaitable[Said]]


def drawn(seed: str) -> list[Case]:
    """The seed's cases, some of which are chains of two."""
    dice = random.Random(seed)
    return [*singles(dice, SINGLES), *chains(dice, CHAINS)]


def answers(
    cases: Sequence[Case], examine: Examine, *, origin: Start, fleet: Fleet, folder: Path
) -> list[Answer]:
    """Start them all, and examine each."""
    # Several processes of each origin: one gives 16 streams at a time, which is enough for one examination.
    before: Counter[Origin] = Counter()
    places = []
    for case in cases:
        places.append((case.origin, before[case.origin] // EACH))
        before[case.origin] += 1
    started = {
        (each, copy): origin(each.app, each.http, log=folder / f"{place}.log", **PACE)
        for place, (each, copy) in enumerate(dict.fromkeys(places))
    }
    urls = fleet([case.site(started[place]) for case, place in zip(cases, places, strict=True)])

    async def run() -> list[Answer]:
        turn = asyncio.Semaphore(AT_ONCE)
        alone = {place: asyncio.Lock() for place in places}

        async def one(case: Case, place: tuple[Origin, int], url: str) -> Answer:
            async with alone[place], turn:
                began = time.monotonic()
                said = await said_of(case, url, examine, stood_still)
                return Answer(case, said, time.monotonic() - began)

        return await asyncio.gather(*map(one, cases, places, urls))

    with StoodStill() as stood_still:
        return asyncio.run(run())


async def said_of(case: Case, url: str, examine: Examine, stood_still: StoodStill) -> Said:
    """What is said of the case; asked again where it is unsure because the machine did not run."""
    began_s = time.monotonic()
    said = await examine(case, url)
    if said.outcome is Outcome.UNSURE and stood_still.ms_since(began_s) >= SLEPT_MS:
        said = await examine(case, url)
    return said


async def by_doctor(case: Case, url: str) -> Said:
    """Which cause the doctor names."""
    asker = case.asker
    spec = DoctorSpec(
        "doctor",
        case.ask(url),
        header=asker.arm if case.origin.built == "service" else "as-is",
        http2=asker.http2,
        proof_token=case.origin.token,
    )
    try:
        found = await doctor(spec)
    except KitError as error:
        return Said(Outcome.WRONG, f"error: {error.code}", [str(error)])
    named = ", ".join(f"{each.cause} {each.certainty}" for each in found.causes)
    rows = [f"{row.experiment.says}: {row.observation.state}, {row.observation.said}" for row in found.rows]
    evidence = [*rows, f"doubts: {', '.join(found.doubts)}", *found.lane.evidence]
    return Said(_of_causes(case.seen, found), named or _without_cause(found), evidence)


def _of_causes(truth: frozenset[str], found: Diagnosis) -> Outcome:
    certain = {str(named.cause) for named in found.causes if named.certainty == "certain"}
    first = str(found.causes[0].cause) if found.causes else _without_cause(found)
    if not found.causes and found.verdict is Verdict.INCREMENTAL:
        certain = {first}
    if not certain <= truth:
        return Outcome.FALSE
    if first in truth:
        return Outcome.RIGHT
    return Outcome.UNSURE if found.verdict is Verdict.INCONCLUSIVE and found.doubts else Outcome.WRONG


def _without_cause(found: Diagnosis) -> str:
    """Its verdict; "streams", or "tail" where it warns of the end of large events."""
    if found.verdict is not Verdict.INCREMENTAL:
        return str(found.verdict)
    return "tail" if Doubt.LARGE_EVENTS_HELD in found.doubts else "streams"


async def by_probe(case: Case, url: str) -> Said:
    """What kind of hold the probe's verdict names."""
    asker = case.asker
    spec = LaneSpec(
        "x",
        case.ask(url),
        header=asker.arm if case.origin.built == "service" else "as-is",
        # Larger than the answer's, or its own pieces are all that is asked for.
        event_bytes=None if case.origin.token is None else LEAST_EVENT_BYTES + 1,
        proof_token=case.origin.token,
        http2=asker.http2,
    )
    lane = await probed(spec)
    words = f"{lane.verdict} {lane.shape or ''} {lane.block_bytes or ''} {', '.join(lane.doubts)}"
    return Said(_of_verdict(case.seen, lane), words, lane.evidence)


def _of_verdict(truth: frozenset[str], lane: Lane) -> Outcome:
    warned = lane.verdict is Verdict.INCREMENTAL and Doubt.LARGE_EVENTS_HELD in lane.doubts
    verdict, shape = (Verdict.BYTE_LIMITED, Shape.TAIL) if warned else (lane.verdict, lane.shape)
    if lane.error is None and as_the_truth_says(truth, verdict, shape):
        return Outcome.RIGHT
    if lane.error is not None or lane.verdict is Verdict.INCONCLUSIVE:
        return Outcome.UNSURE if lane.doubts and lane.error is None else Outcome.WRONG
    return Outcome.FALSE


_SHAPES = {"timer": Shape.TIMER, "tail": Shape.TAIL, "prefix-buffer": Shape.PREFIX}


def as_the_truth_says(truth: frozenset[str], verdict: Verdict, shape: Shape | None) -> bool:
    """Whether a stream was seen to be held as it is; where several hold, the strongest is what is seen."""
    truth -= {"http-version"}
    if not truth or ("streams" in truth and verdict is Verdict.INCREMENTAL):
        return verdict is Verdict.INCREMENTAL
    if truth & {"whole-message", "media-type", "method"}:
        return shape is Shape.WHOLE
    if "refuses" in truth:
        return verdict is Verdict.REFUSED
    if "timer" in truth and len(truth) > 1:
        return verdict is not Verdict.INCREMENTAL  # a large event's pieces wait, each for itself
    if truth & {"blocks", "nginx-buffers", "compressor", "nginx-gzip"}:
        return shape is Shape.BLOCKS
    return shape in {_SHAPES[label] for label in truth - {"streams"}}
