"""The loopback Google as a whole; each of its APIs has a file of its own."""

from __future__ import annotations

import subprocess
import sys


def test_it_shares_nothing_with_the_kits_own_cloud_code() -> None:
    """What shares a parser with the kit would agree with its mistakes."""
    look = "import sys; from kit.rehearsal import environment, hosting, plane; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert "kit.rehearsal.plane" in loaded
    forbidden = ("kit.cloud", "kit.platforms", "kit.flows", "kit.cli", "kit.report", "kit.probe")
    assert [name for name in loaded if name.startswith(forbidden)] == []
