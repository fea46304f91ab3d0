"""What is left of a process group goes, and nobody else's."""

from __future__ import annotations

import os
import subprocess
import sys

from kit.groups import kill_group
from tests.fixtures.processes import eventually, is_gone

SLEEP = (sys.executable, "-c", "import time; time.sleep(600)")
# A leader that ends at once and leaves a child behind, whose number it prints.
LEAVES = "import subprocess, sys; print(subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL).pid)"


def test_what_the_leader_left_behind_is_ended_after_it() -> None:
    leader = subprocess.Popen(
        [sys.executable, "-c", LEAVES, *SLEEP], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    left = int(leader.communicate()[0])
    assert not is_gone(left)
    kill_group(leader.pid, reaped=True)
    eventually(lambda: is_gone(left))
    kill_group(leader.pid, reaped=True)


def test_the_leader_itself_is_ended_while_it_lives() -> None:
    leader = subprocess.Popen(SLEEP, start_new_session=True)
    kill_group(leader.pid, reaped=False)
    assert leader.wait() == -9


def test_a_number_that_another_process_has_by_now_is_left_alone() -> None:
    another = subprocess.Popen(SLEEP, start_new_session=True)
    try:
        kill_group(another.pid, reaped=True)
        assert another.poll() is None
    finally:
        another.kill()
        assert another.wait() == -9


def test_a_group_in_the_session_of_another_process_is_ended_and_no_group_of_another_session() -> None:
    held = [sys.executable, "-c", f"import os; os.setpgid(0, 0); print(os.getpid(), flush=True); {SLEEP[2]}"]
    holder = subprocess.Popen(
        [sys.executable, "-c", "import subprocess, sys; subprocess.run(sys.argv[1:])", *held],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert holder.stdout is not None
    group = int(holder.stdout.readline())
    for session, reaped in ((os.getpid(), False), (holder.pid, True)):
        kill_group(group, session=session, reaped=reaped)
        assert not is_gone(group)
    kill_group(group, session=holder.pid, reaped=False)
    assert holder.wait() == 0
    eventually(lambda: is_gone(group))
    holder.stdout.close()
