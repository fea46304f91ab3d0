"""What `kit doctor` names as the cause, held against real proxies and chains of two of them.

The cases are drawn by a seed that is the digest of the decision table: they are not known before it is
frozen, and each change of it is judged by others. STREAMPROOF_SEED draws those of another seed.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from kit.errors import KitError
from kit.flows.doctor import DoctorSpec, doctor
from kit.proof import causes, experiments
from kit.proof.diagnosis import Diagnosis
from kit.proof.doubts import Doubt
from kit.proof.verdict import Verdict
from tests.fixtures.origin import Origin as Start
from tests.fixtures.proxies import Fleet
from tests.system.proxy_space import Case, Origin, chains, singles

SINGLES, CHAINS = 42, 14
AT_ONCE = 4
# One process serves so many cases, one after another.
EACH = 5
RIGHT = 0.98
# A model's, and an answer of two seconds.
PACE = {"tokens_per_s": 12}


def seed_of_the_table() -> str:
    """The decision table's digest."""
    digest = hashlib.sha256()
    for module in (causes, experiments):
        assert module.__file__ is not None
        digest.update(Path(module.__file__).read_bytes())
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Answer:
    """What the doctor said of a case, or that it could not say anything."""

    case: Case
    said: Diagnosis | KitError
    took_s: float

    @property
    def cause(self) -> str:
        """The first cause in a word; "streams", or "tail" where it warns of the end of large events."""
        if isinstance(self.said, KitError):
            return f"error: {self.said.code}"
        if self.said.causes:
            return str(self.said.causes[0].cause)
        if self.said.verdict is not Verdict.INCREMENTAL:
            return str(self.said.verdict)
        return "tail" if Doubt.LARGE_EVENTS_HELD in self.said.doubts else "streams"

    @property
    def answer(self) -> str:
        """All that is named, each with how sure it is."""
        named = () if isinstance(self.said, KitError) else self.said.causes
        return ", ".join(f"{each.cause} {each.certainty}" for each in named) or self.cause

    @property
    def right(self) -> bool:
        return self.cause in (self.case.truth or {"streams"})

    @property
    def surely_wrong(self) -> bool:
        """Whether anything is said to be certain, and is not so."""
        if isinstance(self.said, KitError):
            return False
        certain = {str(named.cause) for named in self.said.causes if named.certainty == "certain"}
        if not self.said.causes and self.said.verdict is Verdict.INCREMENTAL:
            certain = {self.cause}
        return not certain <= (self.case.truth or {"streams"})

    @property
    def evidence(self) -> str:
        """What was done and seen, to read where it came out wrong."""
        if isinstance(self.said, KitError):
            return f"    {self.said}"
        rows = [f"    {row.look.says}: {row.seen.state}, {row.seen.said}" for row in self.said.rows]
        doubts = f"    doubts: {', '.join(self.said.doubts)}"
        return "\n".join([*rows, doubts, *(f"    {line}" for line in self.said.lane.evidence)])

    def __str__(self) -> str:
        mark = "FALSE" if self.surely_wrong else "ok" if self.right else "wrong"
        truth = " + ".join(sorted(self.case.truth)) or "streams"
        line = f"{mark:5} {truth:28} {self.answer:28} {self.took_s:4.1f} s  {self.case}"
        return f"{line}\n{self.evidence}" if mark != "ok" else line


@pytest.mark.alone
@pytest.mark.usefixtures("trusted")
def test_the_cause_named_is_right_and_never_wrong_with_certainty(
    fleet: Fleet, origin: Start, tmp_path: Path
) -> None:
    seed = os.environ.get("STREAMPROOF_SEED") or seed_of_the_table()
    dice = random.Random(seed)
    cases = [*singles(dice, SINGLES), *chains(dice, CHAINS)]
    # Several processes of each origin: one gives 16 streams at a time, which is enough for one examination.
    before: Counter[Origin] = Counter()
    places = []
    for case in cases:
        places.append((case.origin, before[case.origin] // EACH))
        before[case.origin] += 1
    started = {
        (each, copy): origin(each.app, each.http, log=tmp_path / f"{place}.log", **PACE)
        for place, (each, copy) in enumerate(dict.fromkeys(places))
    }
    urls = fleet([case.site(started[place]) for case, place in zip(cases, places, strict=True)])

    async def run() -> list[Answer]:
        turn = asyncio.Semaphore(AT_ONCE)
        alone = {place: asyncio.Lock() for place in places}

        async def one(case: Case, place: tuple[Origin, int], url: str) -> Answer:
            asker = case.asker
            spec = DoctorSpec(asker.ask(url), arm=asker.arm, http2=asker.http2, prompt="Why?")
            async with alone[place], turn:
                began = time.monotonic()
                try:
                    said: Diagnosis | KitError = await doctor(spec)
                except KitError as error:
                    said = error
                return Answer(case, said, time.monotonic() - began)

        return await asyncio.gather(*map(one, cases, places, urls))

    answers = asyncio.run(run())
    table = "\n".join(map(str, sorted(answers, key=lambda answer: answer.right)))
    right = sum(answer.right for answer in answers)
    slowest = max(answer.took_s for answer in answers)
    print(f"seed {seed}: {right} of {len(answers)} right, the slowest in {slowest:.0f} s")
    assert not any(answer.surely_wrong for answer in answers), f"seed {seed}\n{table}"
    assert right >= RIGHT * len(answers), f"{right} of {len(answers)}, seed {seed}\n{table}"
