"""The demo again and again, idle and with every core kept busy: its duration, and whether its verdicts stand.

BENCH_DEMOS sets how often (3 of each unless given; 20 is what the claim in docs/detection.md rests on).
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from statistics import median

from bench.busy import busy
from bench.figure import Figure

GOAL_S = 25.0


def measure() -> Iterator[Figure]:
    """Idle, then busy; a run whose verdicts are not the promised ones counts as wrong."""
    times = int(os.environ.get("BENCH_DEMOS", "3"))
    for name, load in (("idle", 0), ("every core busy", os.cpu_count() or 1)):
        with busy(load):
            took, wrong = zip(*(_demo() for _ in range(times)), strict=True)
        detail = f"{times} runs, {min(took):.1f} to {max(took):.1f} s"
        yield Figure(f"kit demo, {name}", median(took), "s", GOAL_S, detail)
        yield Figure(f"demos of {times} with another verdict, {name}", sum(wrong), "", 0)


def _demo() -> tuple[float, bool]:
    """(seconds, whether it did not exit 0)."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "kit", "demo", "--out", folder],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        took = time.perf_counter() - began
    if done.returncode != 0:
        print(done.stdout, done.stderr, sep="\n", file=sys.stderr)
    return took, done.returncode != 0
