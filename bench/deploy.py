"""`kit deploy --all` against its slowest target alone: what deploying side by side costs.

With the real gcloud against the loopback control plane, on which builds take 5, 20, 8 and 8 s, and an App
Engine service `default` and a cluster exist. So it measures the kit, gcloud and this machine, and nothing of
Google's. BENCH_DEPLOYS sets how often (once unless given: five deployments, a minute or so each).
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.figure import Figure, ratio
from tests.fixtures.tools import find

GOAL = 1.25
BUILDS_S = {"standard": 5.0, "flex": 20.0, "run": 8.0, "gke": 8.0}
TOOLS = ("gcloud", "kubectl", "gke-gcloud-auth-plugin")


def measure() -> Iterator[Figure]:
    """One figure; none where a tool is missing."""
    for tool in TOOLS:
        if find(tool) is None:
            print(f"  deploying was not measured: {tool} is not installed", file=sys.stderr)
            return
    alone, together = [], []
    for _ in range(int(os.environ.get("BENCH_DEPLOYS", "1"))):
        took = {name: _deploy(name) for name in BUILDS_S}
        alone.append(max(took.values()))
        together.append(_deploy("--all"))
        each = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in took.items())
        print(f"  alone: {each}; together {together[-1]:.1f} s", file=sys.stderr, flush=True)
    yield ratio("kit deploy --all against its slowest target alone", together, alone, goal=GOAL, unit="s")


def _deploy(what: str) -> float:
    """Seconds of a first deployment into a project of its own."""
    from tests.system.cloud import Cloud

    with tempfile.TemporaryDirectory(prefix="bench-deploy-") as folder, Cloud(Path(folder)) as cloud:
        cloud.plane.builds.seconds.update(BUILDS_S)  # type: ignore[arg-type]
        cloud.plane.container.add("bench")
        began = time.perf_counter()
        ran = cloud.deploy(what, "--gke", "bench")
        took = time.perf_counter() - began
    if ran.status != 0:
        raise RuntimeError(f"kit deploy {what} ended with {ran.status}: {ran.err}")
    return took
