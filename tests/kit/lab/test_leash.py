"""The leash by itself; what it does for a service is in test_process.py."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit.lab.programs import wait_until

# Runs the leash with a `killpg` that says whether the group's leader, a child of the leash, is unreaped.
WATCHED = """
import os, signal, sys
from kit.lab import leash

signalling = os.killpg

def killpg(group, number):
    try:
        os.waitid(os.P_PID, group, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        print(signal.Signals(number).name, "to its own group", file=sys.stderr)
    except ChildProcessError:
        print(signal.Signals(number).name, "to a number that may be another's", file=sys.stderr)
    signalling(group, number)

os.killpg = killpg
sys.exit(leash.main(sys.argv[1], 60, sys.argv[2], [sys.executable, "-c", sys.argv[3]]))
"""
ENDS = "print('up'); raise SystemExit(7)"
WAITS = "import signal; print('up', flush=True); signal.pause()"


@pytest.mark.parametrize(
    ("program", "words", "status"),
    [(ENDS, "", 7), (WAITS, "s", 143), (WAITS, "k", 137), (WAITS, "fck", 137)],
)
def test_a_group_is_only_signalled_while_its_number_cannot_be_anothers(
    tmp_path: Path, program: str, words: str, status: int
) -> None:
    log = tmp_path / "log"
    leash = subprocess.Popen(
        [sys.executable, "-c", WATCHED, tmp_path, log, program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert leash.stdin is not None
    assert leash.stdout is not None
    assert leash.stderr is not None
    try:
        assert int(leash.stdout.readline()) > 0
        wait_until(lambda: log.exists() and log.read_text() == "up\n")
        leash.stdin.write(words)
        leash.stdin.flush()
        assert leash.wait(100) == status
    finally:
        leash.kill()
        leash.wait()
    said = leash.stderr.read().splitlines()
    assert said[-1] == "SIGKILL to its own group"
    assert all(line.endswith("to its own group") for line in said)
    for stream in (leash.stdin, leash.stdout, leash.stderr):
        stream.close()
