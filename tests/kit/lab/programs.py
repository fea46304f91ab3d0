"""Small programs that stand for a service."""

from __future__ import annotations

from pathlib import Path

from tests.fixtures.processes import eventually

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
    eventually(file.exists)
    return [int(number) for number in file.read_text().split()]
