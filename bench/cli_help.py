"""How long a person waits for `kit --help`, beside a Typer app with one command."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator

from bench.figure import Figure, ratio

ROUNDS = 15


def measure() -> Iterator[Figure]:
    """Both in turn, the first round thrown away: it fills the disk's cache."""
    ours, peers = [], []
    for turn in range(ROUNDS + 1):
        our = _run_ms("-m", "kit", "--help")
        peer = _run_ms("-m", "bench.bare_typer", "--help")
        if turn:
            ours.append(our)
            peers.append(peer)
    yield ratio("kit --help, against a bare Typer app (both without rich)", ours, peers, goal=1.6, unit="ms")


def _run_ms(*arguments: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
    return (time.perf_counter() - began) * 1000
