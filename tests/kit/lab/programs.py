"""Small programs that stand for a service, and how to see whether a process is still there."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

GIVE_UP_S = 100.0

# Writes its own number and a child's into the file `pids`, then waits. SIGTERM: as `on_term` says.
FAMILY = """
import os, pathlib, signal, subprocess, sys, time
{on_term}
child = subprocess.Popen([sys.executable, "-I", "-S", "-c", {child!r}])
print("family is up", flush=True)
pathlib.Path("pids.part").write_text(f"{{os.getpid()}} {{child.pid}}")
os.rename("pids.part", "pids")
while True:
    time.sleep(60)
"""
OBEYS = ""
DEAF = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"
# A child that does not care for signals: only SIGKILL to the group ends it.
CHILD = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"


def family(folder: Path, on_term: str = OBEYS) -> list[str]:
    """Write the program into the folder's `bundle` and return its command."""
    (folder / "bundle").mkdir(parents=True)
    (folder / "bundle" / "family.py").write_text(FAMILY.format(on_term=on_term, child=CHILD))
    return ["python", "family.py"]


def pids(folder: Path) -> list[int]:
    """The numbers of the program that runs there and of its child, once it is up."""
    file = folder / "bundle" / "pids"
    wait_until(file.exists)
    return [int(number) for number in file.read_text().split()]


def wait_until(holds: Callable[[], bool]) -> None:
    """Wait for a state; fails when it does not come."""
    give_up = time.monotonic() + GIVE_UP_S
    while not holds():
        assert time.monotonic() < give_up, "it did not come to that"
        time.sleep(0.01)


def alive(pid: int) -> bool:
    """Whether that process runs; one that has ended and waits for its parent to notice does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return not Path("/proc/self").exists()


def frozen(pid: int) -> bool:
    """Whether that process stands still, all its threads: nothing in it advances then (Linux)."""
    threads = Path(f"/proc/{pid}/task").glob("*/stat")
    try:
        return {stat.read_text().rpartition(")")[2].split()[0] for stat in threads} == {"T"}
    except OSError:
        return False  # one has just ended


def gone(numbers: Iterable[int]) -> bool:
    return not any(alive(number) for number in numbers)
