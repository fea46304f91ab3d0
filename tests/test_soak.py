"""`make soak` counts what comes out, and leaves nothing behind when it is interrupted."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from bench.soak import _good, _lane
from tests.fixtures.processes import eventually, is_gone
from tests.system.matrix import Outcome

CHECKOUT = Path(__file__).parents[1]


def lane(verdict: str, *doubts: str, error: str | None = None, blocks: int | None = None) -> dict[str, Any]:
    document = {"target": "flex", "header": "off", "method": "lock-step"}
    return {**document, "verdict": verdict, "block_bytes": blocks, "doubts": list(doubts), "error": error}


@pytest.mark.parametrize(
    ("document", "outcome"),
    [
        (lane("byte-limited", blocks=65536), Outcome.RIGHT),
        (lane("byte-limited", blocks=4096), Outcome.FALSE),
        (lane("incremental", "not-repeated"), Outcome.FALSE),
        (lane("inconclusive", "not-repeated"), Outcome.UNSURE),
        (lane("inconclusive"), Outcome.WRONG),
        (lane("inconclusive", "not-repeated", error="timed-out"), Outcome.WRONG),
    ],
)
def test_a_lane_counts_as_unsure_only_where_it_says_why(document: dict[str, Any], outcome: Outcome) -> None:
    assert _lane(document).outcome is outcome


@pytest.mark.parametrize(
    ("right", "unsure", "wrong", "false", "good"),
    [
        (98, 2, 0, 0, True),
        (97, 3, 0, 0, False),
        (99, 0, 1, 0, False),
        (99, 0, 0, 1, False),
        (0, 0, 0, 0, True),
    ],
)
def test_it_is_good_where_98_of_100_are_right_and_the_rest_unsure(
    right: int, unsure: int, wrong: int, false: int, good: bool
) -> None:
    counts = {Outcome.RIGHT: right, Outcome.UNSURE: unsure, Outcome.WRONG: wrong, Outcome.FALSE: false}
    assert _good(Counter(counts)) == good


def started_by(pid: int) -> set[int]:
    """The processes that it has started, and those that they have."""
    try:
        children = set(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
    except OSError:  # it ended meanwhile
        return set()
    return children.union(*map(started_by, children))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_prints_its_counts_and_leaves_no_process(number: signal.Signals) -> None:
    argv = [sys.executable, "-m", "bench.soak", "demo", "--minutes", "60", "--busy", "2"]
    soak = subprocess.Popen(argv, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        eventually(lambda: len(started_by(soak.pid)) > 4)  # two that spin, the demo, and what it has started
        started = started_by(soak.pid)
        soak.send_signal(number)
        out, err = soak.communicate(timeout=120)
    finally:
        soak.kill()
        soak.wait()
    assert (soak.returncode, out) == (
        130,
        "demo           0 times: 0 falsely certain, 0 wrong, 0 unsure, 0 right\n",
    ), err
    assert all(map(is_gone, started))
