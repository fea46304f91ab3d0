"""`python -m bench [NAME…]`: every benchmark, or those named, one after the other.

Each is a module with a `measure()` that yields figures. They are ratios against a peer in the same run, so
that the machine cancels out. Nothing fails on time: a figure over its goal is shown as that.
"""

from __future__ import annotations

import signal
import sys
import traceback
from importlib import import_module

BENCHMARKS = (
    "cli_help",
    "first_byte",
    "streaming_cpu",
    "many",
    "front",
    "load",
    "streams",
    "images",
    "polling",
    "doctor",
    "demo",
    "deploy",
)


def main(names: list[str]) -> None:
    """Run the named benchmarks (all without a name) and print their figures as they come."""
    if unknown := [name for name in names if name not in BENCHMARKS]:
        sys.exit(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    # Also on a signal from outside: what a benchmark has started, it ends in a `finally`.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))
    broken = []
    for name in names or BENCHMARKS:
        print(f"… {name}", file=sys.stderr, flush=True)
        try:
            for figure in import_module(f"bench.{name}").measure():
                print(figure, flush=True)
        except Exception:  # one that breaks must not take the others' figures with it
            traceback.print_exc()
            broken.append(name)
    if broken:
        sys.exit(f"could not be measured: {', '.join(broken)}")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)
