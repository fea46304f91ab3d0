"""The supervisor by itself; what it does for a child is in test_process.py."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from tests.fixtures.loop import GIVE_UP_S

# Runs the supervisor with a `killpg` that says whether the group's leader, its child, is unreaped.
WATCHED = """
import os, signal, sys
from kit import supervisor

signalling = os.killpg

def killpg(group, number):
    try:
        os.waitid(os.P_PID, group, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        print(signal.Signals(number).name, "to its own group", file=sys.stderr)
    except ChildProcessError:
        print(signal.Signals(number).name, "to a number that may be another's", file=sys.stderr)
    signalling(group, number)

os.killpg = killpg
sys.exit(supervisor.main(60, sys.argv[1], "", "", [sys.executable, "-c", sys.argv[2]]))
"""
ENDS = "print('up', flush=True); raise SystemExit(7)"
WAITS = "import signal; print('up', flush=True); signal.pause()"


@pytest.mark.parametrize("term", ["leader", "group"])
@pytest.mark.parametrize(
    ("program", "words", "status"),
    [(ENDS, b"", 7), (WAITS, b"s", 143), (WAITS, b"k", 137), (WAITS, b"fck", 137)],
)
def test_a_group_is_only_signalled_while_its_number_cannot_be_anothers(
    program: str, words: bytes, status: int, term: str
) -> None:
    control, theirs = socket.socketpair()
    with control, theirs:
        supervisor = subprocess.Popen(
            [sys.executable, "-c", WATCHED, term, program],
            stdin=theirs.fileno(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert supervisor.stdout is not None
        try:
            assert supervisor.stdout.readline() == "up\n"
            assert int(control.recv(64)) > 0
            control.send(words)
            said = supervisor.communicate(timeout=GIVE_UP_S)[1].splitlines()
        finally:
            supervisor.kill()
            supervisor.wait()
    assert supervisor.returncode == status
    assert said[-1] == "SIGKILL to its own group"
    assert all(line.endswith("to its own group") for line in said)
