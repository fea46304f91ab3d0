"""A machine that is busy with something else: processes that do nothing but spin."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# They end with the process that started them, even if that was killed.
_SPIN = """
import os
parent = os.getppid()
while os.getppid() == parent:
    for _ in range(10**6):
        pass
"""


@contextmanager
def busy(loops: int) -> Iterator[None]:
    """So many of them, until the block is left."""
    # In a session of its own, each: Ctrl-C is for us, who then end them.
    spinning = [subprocess.Popen([sys.executable, "-c", _SPIN], start_new_session=True) for _ in range(loops)]
    try:
        yield
    finally:
        for process in spinning:
            process.kill()
            process.wait()
