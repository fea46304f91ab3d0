"""A process's use of the machine, from the kernel's own account of it (Linux only)."""

from __future__ import annotations

import os
import time
from pathlib import Path

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def need_proc() -> None:
    """Raises RuntimeError, a sentence for a person, where there is no such account."""
    if not Path("/proc/self/stat").exists():
        raise RuntimeError("what another process takes is read from Linux's /proc")


def cpu_s(pid: int) -> float:
    """User and system time of a process so far, in seconds (proc_pid_stat(5), fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * _TICK_S


def resident_kib(pid: int) -> float:
    """The resident set of a process, in KiB (proc_pid_statm(5), field 2)."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024


class Others:
    """How many cores went to other processes than these, from now on: was the machine busy?"""

    def __init__(self, *pids: int) -> None:
        self._pids = pids
        self._began = time.monotonic(), self._theirs_s()

    def cores(self) -> float:
        began, theirs_s = self._began
        return (self._theirs_s() - theirs_s) / (time.monotonic() - began)

    def _theirs_s(self) -> float:
        user, nice, system, _idle, _wait, irq, softirq, stolen = (
            int(ticks) for ticks in Path("/proc/stat").read_text().split(maxsplit=9)[1:9]
        )
        busy_s = (user + nice + system + irq + softirq + stolen) * _TICK_S
        return busy_s - sum(cpu_s(pid) for pid in self._pids)
