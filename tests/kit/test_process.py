"""A child process: what it is given, what comes of it, and that nothing of it is ever left."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from kit import process
from kit.process import Control, Process, Tail, kill_group, run
from tests.fixtures.processes import eventually, frozen, gone, is_gone
from tests.kit.lab.programs import CHILD, DEAF, OBEYS, family, pids

PYTHONS = {"PATH": f"{Path(sys.executable).parent}:{os.defpath}"}
SLEEP = ("sleep", "600")


class Printed:
    """What came on an output, and how to wait for some of it."""

    def __init__(self) -> None:
        self.data = b""
        self.news = asyncio.Event()

    def __call__(self, data: bytes) -> None:
        self.data = (self.data + data)[-4096:]
        self.news.set()

    async def holds(self, text: bytes) -> None:
        while text not in self.data:
            self.news.clear()
            await self.news.wait()


def start(folder: Path, *argv: str, grace_s: float = 600.0, **options: Any) -> Process:
    options.setdefault("stdout", Printed())
    return Process(argv, PYTHONS, grace_s=grace_s, cwd=folder, **options)


async def start_family(folder: Path, on_term: str = OBEYS, **options: Any) -> tuple[Process, list[int]]:
    """A process with children, and the numbers of all of them, once they are up."""
    child = start(folder / "bundle", *family(folder, on_term), **options)
    return child, await up(folder)


def python(script: str) -> tuple[str, ...]:
    return "python", "-c", script


async def up(folder: Path) -> list[int]:
    return await asyncio.to_thread(pids, folder)


async def none_left(numbers: list[int]) -> None:
    """All of them end by themselves; a signal takes its moment to arrive."""
    await asyncio.to_thread(eventually, lambda: gone(numbers))


async def all_frozen(numbers: list[int]) -> None:
    """They stand still; a signal takes its moment to arrive."""
    assert numbers
    await asyncio.to_thread(eventually, lambda: all(map(frozen, numbers)))


def supervisor(child: Process) -> int:
    return child._supervisor.pid


# What it is given, and what it gives


async def test_it_gets_the_given_environment_and_nothing_else_and_no_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "1")
    printed = Printed()
    script = "import os, sys; print(sorted(set(os.environ) - {'LC_CTYPE'}), repr(sys.stdin.read()))"
    child = start(tmp_path, *python(script), stdout=printed)
    assert await child.ended == 0
    assert printed.data == b"['PATH'] ''\n"


@pytest.mark.parametrize("terminal", [False, True])
async def test_what_it_prints_comes_unchanged_while_it_runs(tmp_path: Path, terminal: bool) -> None:
    printed = Printed()
    script = "import sys, time; sys.stdout.write('one\\ntwo'); sys.stdout.flush(); time.sleep(1000)"
    child = start(tmp_path, *python(script), stdout=printed, terminal=terminal)
    await printed.holds(b"one\ntwo")  # a terminal that made \r\n of it would change its size
    assert child.status is None
    await child.kill()


@pytest.mark.parametrize("terminal", [False, True])
async def test_all_that_it_printed_comes_before_its_end(tmp_path: Path, terminal: bool) -> None:
    printed = Printed()
    script = "import sys; sys.stdout.write('x' * 300_000 + str(sys.stdout.isatty())); sys.exit(3)"
    child = start(tmp_path, *python(script), stdout=printed, terminal=terminal)
    assert await child.ended == 3
    assert printed.data.endswith(f"x{terminal}".encode())
    assert child.status == 3


async def test_a_command_that_cannot_be_executed_ends_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "nonsense").write_bytes(b"\x00\x01\x02")
    (tmp_path / "nonsense").chmod(0o755)
    for word, why in (("no-such-command", "No such file"), (f"{tmp_path}/nonsense", "Exec format error")):
        errors = Printed()
        assert await start(tmp_path, word, stderr=errors).ended == 127
        assert errors.data.startswith(f"{word}: {why}".encode())


def test_a_tail_keeps_the_end_and_no_more() -> None:
    tail = Tail(4)
    for data in (b"ab", b"cdef", b"g", b"\xff"):
        tail(data)
    assert str(tail) == "efg\ufffd"


async def test_run_gives_the_status_and_128_more_than_a_signal(tmp_path: Path) -> None:
    for script, status in (("raise SystemExit(7)", 7), ("import os; os.kill(os.getpid(), 9)", 137)):
        assert await run(python(script), PYTHONS, grace_s=600, stdout=Printed()) == status


# How it ends


@pytest.mark.parametrize(("on_term", "grace_s"), [(OBEYS, 600.0), (DEAF, 0.2)])
@pytest.mark.parametrize("term", ["leader", "group"])
async def test_a_stopped_one_is_gone_and_its_children_too_with_or_without_their_consent(
    tmp_path: Path, on_term: str, grace_s: float, term: str
) -> None:
    child, numbers = await start_family(tmp_path, on_term, grace_s=grace_s, term=term)
    await child.stop()
    await none_left(numbers)
    assert child.status == 128 + (signal.SIGTERM if on_term == OBEYS else signal.SIGKILL)


# A leader that does not end before its child has. The child obeys SIGTERM.
# The child says that it is up: one that was only forked would still have the shell's trap.
SHELL = "trap : TERM; sh -c 'echo up; exec sleep 600' & wait; wait; exit 5"


async def test_a_whole_group_can_get_the_sigterm(tmp_path: Path) -> None:
    """A shell script's command would else go on until it is killed."""
    printed = Printed()
    child = start(tmp_path, "sh", "-c", SHELL, stdout=printed)
    await printed.holds(b"up")
    await child.stop()
    assert child.status == 5


# Asked to end it writes `ending`, waits for `finish`, and says that it has finished.
FINISHES = """
import os, pathlib, signal, sys, time

def end(*_):
    pathlib.Path("ending").touch()
    while not os.path.exists("finish"):
        time.sleep(0.01)
    print("finished")
    sys.exit()

signal.signal(signal.SIGTERM, end)
pathlib.Path("pids.part").write_text(str(os.getpid()))
os.rename("pids.part", "pids")
while True:
    time.sleep(60)
"""


@pytest.mark.parametrize("is_frozen", [False, True])
async def test_it_has_its_grace_to_finish_what_it_does_even_if_it_was_frozen(
    tmp_path: Path, is_frozen: bool
) -> None:
    printed, bundle = Printed(), tmp_path / "bundle"
    bundle.mkdir()
    child = start(bundle, *python(FINISHES), stdout=printed, term="leader")
    numbers = await up(tmp_path)
    if is_frozen:
        child.control.freeze()
        await all_frozen(numbers)
    stopping = asyncio.create_task(child.stop())
    await asyncio.to_thread(eventually, (bundle / "ending").exists)
    child.control.freeze()  # its last request has ended: now that it is being stopped, that is no reason
    (bundle / "finish").touch()
    await stopping
    assert printed.data == b"finished\n"


async def test_frozen_it_stands_still_with_its_children_until_it_is_thawed(tmp_path: Path) -> None:
    child, numbers = await start_family(tmp_path)
    child.control.freeze()
    await all_frozen(numbers)
    child.control.thaw()
    await asyncio.to_thread(eventually, lambda: not any(map(frozen, numbers)))
    another = Control(child.control.socket.dup())
    another.freeze()
    child.control.thaw()
    another.freeze()
    another.socket.close()
    await all_frozen(numbers)
    await child.kill()
    await none_left(numbers)
    child.control.freeze()  # its last request ends with it


async def test_a_supervisor_that_does_not_read_blocks_no_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_KILL_S", 0.1)
    child, numbers = await start_family(tmp_path)
    os.kill(supervisor(child), signal.SIGSTOP)
    child.control.socket.setblocking(False)
    with suppress(BlockingIOError):
        while True:
            child.control.socket.send(b"c")
    await child.kill()
    await none_left(numbers)


@pytest.mark.parametrize("times", [1, 2])
async def test_a_cancelled_stop_kills_at_once(
    tmp_path: Path, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_KILL_S", 600)
    child, numbers = await start_family(tmp_path, DEAF)
    stopping = asyncio.create_task(child.stop())
    for _ in range(times):
        await asyncio.sleep(0)
        stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping
    await none_left(numbers)
    await child.kill()


@pytest.mark.parametrize("times", [1, 2])
async def test_a_cancelled_run_is_stopped_and_killed_if_it_is_cancelled_again(
    tmp_path: Path, times: int
) -> None:
    argv, bundle = family(tmp_path, DEAF), tmp_path / "bundle"
    grace_s = 0.2 if times == 1 else 600
    running = asyncio.create_task(run(argv, PYTHONS, grace_s=grace_s, stdout=Printed(), cwd=bundle))
    numbers = await up(tmp_path)
    for _ in range(times):
        running.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await running
    await none_left(numbers)


async def test_while_its_end_is_waited_for_everything_else_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_KILL_S", 600)
    child, numbers = await start_family(tmp_path)
    os.kill(supervisor(child), signal.SIGSTOP)  # it does not answer for now
    killing = asyncio.create_task(child.kill())
    await none_left(numbers)
    assert not killing.done()
    os.kill(supervisor(child), signal.SIGCONT)
    await killing
    assert child.status == 128 + signal.SIGKILL
    assert not child.supervisor_killed


async def test_a_supervisor_that_never_answers_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_KILL_S", 0.1)
    child, numbers = await start_family(tmp_path)
    os.kill(supervisor(child), signal.SIGSTOP)
    await child.kill()
    assert child.supervisor_killed
    await none_left(numbers)


def standing_still(folder: Path) -> Path:
    """The supervisor as it would be if it were stopped as soon as it had begun its child."""
    began, source = "os.setpgid(pid, pid)", Path(process._SUPERVISOR).read_text()
    assert source.count(began) == 1
    script = folder / "supervisor.py"
    script.write_text(source.replace(began, f"{began}; os.kill(os.getpid(), signal.SIGSTOP)"))
    return script


async def test_a_supervisor_that_stood_still_from_the_start_leaves_nothing_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_SUPERVISOR", standing_still(tmp_path))
    monkeypatch.setattr(process, "_KILL_S", 0.1)
    child, numbers = await start_family(tmp_path)
    await child.kill()
    await none_left(numbers)


@pytest.mark.parametrize("is_frozen", [False, True])
async def test_even_if_its_supervisor_is_killed_it_does_not_stay(tmp_path: Path, is_frozen: bool) -> None:
    child, numbers = await start_family(tmp_path)
    if is_frozen:
        child.control.freeze()
        await all_frozen(numbers)
    os.kill(supervisor(child), signal.SIGKILL)
    assert await child.ended == 128 + signal.SIGKILL
    assert child.supervisor_killed
    await none_left(numbers)


async def test_what_it_leaves_behind_ends_with_it_and_keeps_nothing_waiting(tmp_path: Path) -> None:
    """A child that holds the output open would else delay its end."""
    printed = Printed()
    script = f"import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', {CHILD!r}]).pid)"
    child = start(tmp_path, *python(script), stdout=printed)
    assert await child.ended == 0
    await none_left([int(printed.data)])


async def test_what_left_its_group_and_holds_its_output_delays_its_end_by_no_more_than_a_moment(
    tmp_path: Path,
) -> None:
    printed = Printed()
    script = "import subprocess; print(subprocess.Popen(['sleep', '600'], start_new_session=True).pid)"
    child = start(tmp_path, *python(script), stdout=printed)
    assert await child.ended == 0
    os.kill(int(printed.data), signal.SIGKILL)


async def test_once_it_has_ended_its_group_is_not_signalled_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its number may be another's by then."""
    child = start(tmp_path, "true")
    assert await child.ended == 0
    signalled: list[int] = []
    monkeypatch.setattr(os, "killpg", lambda group, number: signalled.append(group))
    await child.stop()
    await child.kill()
    assert signalled == []


async def test_a_group_that_has_got_its_number_meanwhile_is_left_alone(tmp_path: Path) -> None:
    bystander = await asyncio.create_subprocess_exec(*SLEEP, start_new_session=True)
    try:
        child, numbers = await start_family(tmp_path)
        child.group = bystander.pid
        await child.kill()
        await none_left(numbers)
        assert not is_gone(bystander.pid)
    finally:
        bystander.kill()
        await bystander.wait()


async def test_a_flood_can_be_stopped(tmp_path: Path) -> None:
    printed = Printed()
    child = start(tmp_path, *python("import sys\nwhile True: sys.stdout.write('x' * 65536)"), stdout=printed)
    await printed.holds(b"xx")
    await child.stop()


async def test_an_interrupt_at_the_terminal_does_not_reach_it(tmp_path: Path) -> None:
    """Ctrl-C goes to the terminal's process group: the kit decides what its children get."""
    child, numbers = await start_family(tmp_path)
    assert {os.getpgid(number) for number in numbers} == {numbers[0]} == {child.group}
    assert os.getpgid(0) not in {child.group, os.getpgid(supervisor(child))}
    assert os.getsid(numbers[0]) != os.getsid(0)
    await child.stop()


# With the kit

KIT = """
import asyncio, pathlib, sys
from kit.process import Process

async def main():
    folder = pathlib.Path(sys.argv[1])
    child = Process(
        sys.argv[4:], {"PATH": sys.argv[2]}, grace_s=0.2, stdout=lambda data: None, cwd=folder / "bundle",
        owns=folder,
    )
    while not (folder / "bundle" / "pids").exists():
        await asyncio.sleep(0.01)
    if sys.argv[3] == "True":
        child.control.freeze()
    await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.mark.parametrize("is_frozen", [False, True])
def test_when_the_kit_is_killed_it_goes_too_and_so_does_its_folder(tmp_path: Path, is_frozen: bool) -> None:
    lane = tmp_path / "lane"
    argv: Sequence[str | Path] = (lane, PYTHONS["PATH"], str(is_frozen), *family(lane, DEAF))
    kit = subprocess.Popen([sys.executable, "-c", KIT, *argv])
    try:
        numbers = pids(lane)
        assert not any(map(is_gone, numbers))
        eventually(lambda: not is_frozen or all(map(frozen, numbers)))
    finally:
        kit.kill()
        kit.wait()
    eventually(lambda: gone(numbers))
    eventually(lambda: not lane.exists())


# Groups


def test_what_a_leader_left_behind_is_ended_after_it() -> None:
    leaves = "import subprocess, sys; print(subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL).pid)"
    leader = subprocess.Popen(
        [sys.executable, "-c", leaves, *SLEEP], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    left = int(leader.communicate()[0])
    assert not is_gone(left)
    for _ in range(2):
        kill_group(leader.pid, leader.pid, reaped=True)
        eventually(partial(gone, [left]))


def test_a_group_in_the_session_of_another_process_is_ended_and_no_group_of_another_session() -> None:
    held = [
        sys.executable,
        "-c",
        "import os, time; os.setpgid(0, 0); print(os.getpid(), flush=True); time.sleep(600)",
    ]
    holder = subprocess.Popen(
        [sys.executable, "-c", "import subprocess, sys; subprocess.run(sys.argv[1:])", *held],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert holder.stdout is not None
    group = int(holder.stdout.readline())
    for session, reaped in ((os.getpid(), False), (holder.pid, True)):
        kill_group(group, session, reaped=reaped)
        assert not is_gone(group)
    kill_group(group, holder.pid, reaped=False)
    assert holder.wait() == 0
    eventually(partial(gone, [group]))
    holder.stdout.close()
