"""The process as it serves: collected seldom, and allowed the connections that its settings promise."""

from __future__ import annotations

import subprocess
import sys

import pytest

SHOW = """
import gc, logging, resource
logging.basicConfig(level=logging.INFO, format="%(message)s")
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
from service.tuning import settle
settle({streams})
print(gc.get_threshold(), gc.get_freeze_count() > 1000, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


def shown(soft: int, hard: int, streams: int) -> tuple[str, str]:
    """(stdout, stderr) of a process of its own: limits once lowered stay so."""
    pytest.importorskip("resource")
    code = SHOW.format(soft=soft, hard=hard, streams=streams)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip(), done.stderr.strip()


def test_it_takes_what_the_system_allows_and_collects_seldom() -> None:
    assert shown(256, 2048, 1000) == ("(50000, 20, 50) True 2048", "")


def test_too_few_connections_for_its_streams_are_named() -> None:
    out, errors = shown(256, 1024, 1000)
    assert out.endswith("1024")
    assert "STREAMPROOF_MAX_STREAMS=1000" in errors
    assert "ulimit -n" in errors
    assert "to 1256" in errors
