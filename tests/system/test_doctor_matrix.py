"""What `kit doctor` names as the cause, held against real proxies and chains of two of them.

The seeds draw the cases. STREAMPROOF_SEED draws those of another seed, as `make soak` does.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fixtures.origin import Origin
from tests.fixtures.proxies import Fleet
from tests.system.matrix import Examine, Outcome, answers, by_doctor, by_probe, drawn

pytestmark = [pytest.mark.alone, pytest.mark.heavy, pytest.mark.long, pytest.mark.usefixtures("trusted")]

SEEDS = ("1",)
GIVEN = os.environ.get("STREAMPROOF_SEED")
seeds = pytest.mark.parametrize("seed", [GIVEN] if GIVEN else SEEDS)


@pytest.fixture
def judge(
    origin: Origin, fleet: Fleet, tmp_path: Path, record_property: Callable[[str, object], None]
) -> Callable[[str, Examine], None]:
    """Fails where any of the seed's cases is not named right; `make soak` reads each one's outcome."""

    def run(seed: str, examine: Examine) -> None:
        said = answers(drawn(seed), examine, origin=origin, fleet=fleet, folder=tmp_path)
        record_property("answers", json.dumps([[each.outcome, str(each)] for each in said]))
        missed = [each for each in said if each.outcome is not Outcome.RIGHT]
        print(f"seed {seed}, the slowest in {max(each.took_s for each in said):.0f} s", *said, sep="\n")
        assert not missed, "\n".join([f"{len(missed)} of {len(said)}, seed {seed}", *map(str, missed)])

    return run


@seeds
def test_the_cause_named_is_right_and_never_wrong_with_certainty(
    seed: str, judge: Callable[[str, Examine], None]
) -> None:
    judge(seed, by_doctor)


@pytest.mark.thorough
@seeds
def test_the_probes_verdict_is_right(seed: str, judge: Callable[[str, Examine], None]) -> None:
    judge(seed, by_probe)
