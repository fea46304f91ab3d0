"""A service as a process: whatever happens, nothing of it is left."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kit.errors import Code
from kit.lab import process
from kit.lab.process import ServiceProcess
from tests.kit.lab.programs import DEAF, OBEYS, alive, family, frozen, gone, pids, wait_until
from tests.kit.lab.raw import in_loop

PYTHONS = {"PATH": f"{Path(sys.executable).parent}:{os.defpath}"}


def run(folder: Path, *argv: str, grace_s: float = 20.0) -> ServiceProcess:
    (folder / "bundle").mkdir(exist_ok=True)
    return ServiceProcess("standard", argv, PYTHONS, folder, grace_s=grace_s)


async def up(folder: Path) -> list[int]:
    return await asyncio.to_thread(pids, folder)


async def none_left(numbers: list[int]) -> None:
    """All of them end by themselves; a signal takes its moment to arrive."""
    await asyncio.to_thread(wait_until, lambda: gone(numbers))


async def all_frozen(numbers: list[int]) -> None:
    """They stand still; a signal takes its moment to arrive."""
    assert numbers
    await asyncio.to_thread(wait_until, lambda: all(map(frozen, numbers)))


@in_loop
async def test_a_stopped_service_is_gone_and_its_children_too(tmp_path: Path) -> None:
    service = run(tmp_path, *family(tmp_path, OBEYS))
    numbers = await up(tmp_path)
    await service.stop()
    await none_left(numbers)


@in_loop
async def test_a_service_that_does_not_listen_to_sigterm_is_killed_after_its_grace(tmp_path: Path) -> None:
    service = run(tmp_path, *family(tmp_path, DEAF), grace_s=0.2)
    numbers = await up(tmp_path)
    await service.stop()
    await none_left(numbers)


# Told to end it writes `ending`, waits for `finish`, and says that it has finished.
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
@in_loop
async def test_a_service_has_its_grace_to_finish_what_it_does_even_if_it_was_frozen(
    tmp_path: Path, is_frozen: bool
) -> None:
    service = run(tmp_path, "python", "-c", FINISHES)
    numbers = await up(tmp_path)
    if is_frozen:
        service.words.freeze()
        await all_frozen(numbers)
    stopping = asyncio.create_task(service.stop())
    await asyncio.to_thread(wait_until, (tmp_path / "bundle" / "ending").exists)
    service.words.freeze()  # its last request has ended: now that it is being stopped, that is no reason
    (tmp_path / "bundle" / "finish").touch()
    await stopping
    assert "finished" in service.log_end()


@in_loop
async def test_frozen_it_stands_still_with_its_children_until_it_is_thawed(tmp_path: Path) -> None:
    service = run(tmp_path, *family(tmp_path))
    numbers = await up(tmp_path)
    service.words.freeze()
    await all_frozen(numbers)
    service.words.thaw()
    await asyncio.to_thread(wait_until, lambda: not any(map(frozen, numbers)))
    service.words.freeze()
    service.words.thaw()
    service.words.freeze()
    await all_frozen(numbers)
    await service.kill()
    await none_left(numbers)
    service.words.freeze()  # its last request ends with it


@in_loop
async def test_an_impatient_stop_kills_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_KILL_S", 600)
    service = run(tmp_path, *family(tmp_path, DEAF), grace_s=600)
    numbers = await up(tmp_path)
    stopping = asyncio.create_task(service.stop())
    await asyncio.sleep(0)
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping
    await none_left(numbers)


@in_loop
async def test_while_its_end_is_waited_for_everything_else_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_KILL_S", 600)
    service = run(tmp_path, *family(tmp_path))
    numbers = await up(tmp_path)
    os.kill(service._leash.pid, signal.SIGSTOP)  # it does not answer for now
    killing = asyncio.create_task(service.kill())
    await none_left(numbers)
    assert not killing.done()
    os.kill(service._leash.pid, signal.SIGCONT)
    await killing
    assert service._leash.returncode == 128 + signal.SIGKILL


@in_loop
async def test_a_leash_that_never_answers_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_KILL_S", 0.1)
    service = run(tmp_path, *family(tmp_path))
    numbers = await up(tmp_path)
    os.kill(service._leash.pid, signal.SIGSTOP)
    await service.kill()
    assert service._leash.returncode == -signal.SIGKILL
    await none_left(numbers)


def standing_still(folder: Path) -> Path:
    """The leash as it would be if it were stopped as soon as it had begun the service."""
    began, source = "os.setpgid(pid, pid)", Path(process._LEASH).read_text()
    assert source.count(began) == 1
    leash = folder / "leash.py"
    leash.write_text(source.replace(began, f"{began}; os.kill(os.getpid(), signal.SIGSTOP)"))
    return leash


@in_loop
async def test_a_leash_that_stood_still_before_it_said_a_word_leaves_nothing_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_LEASH", str(standing_still(tmp_path)))
    monkeypatch.setattr(process, "_KILL_S", 0.1)
    service = run(tmp_path, *family(tmp_path))
    numbers = await up(tmp_path)
    await service.kill()
    await none_left(numbers)


@in_loop
async def test_a_service_that_ends_by_itself_is_told_with_its_status_and_the_end_of_its_log(
    tmp_path: Path,
) -> None:
    lines = "print(*range(100), sep='\\n', flush=True); import sys; sys.exit('no such table')"
    service = run(tmp_path, "python", "-c", lines)
    error = await service.died()
    assert error.code is Code.SERVICE_DIED
    assert error.message.startswith("The service of standard ended with status 1.")
    assert error.message.endswith("  | 99\n  | no such table")
    assert "  | 80\n" not in error.message
    assert "--isolated" in error.hint
    await service.stop()


@in_loop
async def test_a_killed_service_is_told_by_the_signals_name_and_its_children_go(
    tmp_path: Path,
) -> None:
    service = run(tmp_path, *family(tmp_path))
    numbers = await up(tmp_path)
    os.kill(numbers[0], signal.SIGKILL)
    assert "ended by SIGKILL. The end of its log:\n  | family is up" in (await service.died()).message
    await none_left(numbers)


@in_loop
async def test_a_command_that_does_not_exist_is_told_by_name(tmp_path: Path) -> None:
    service = run(tmp_path, "no-such-command")
    assert "  | no-such-command: No such file or directory" in (await service.died()).message


@pytest.mark.parametrize("is_frozen", [False, True])
@in_loop
async def test_even_if_its_leash_is_killed_a_service_does_not_stay(tmp_path: Path, is_frozen: bool) -> None:
    service = run(tmp_path, *family(tmp_path))
    numbers = await up(tmp_path)
    if is_frozen:
        service.words.freeze()
        await all_frozen(numbers)
    os.kill(service._leash.pid, signal.SIGKILL)
    assert "SIGKILL, and its leash with it" in (await service.died()).message
    await none_left(numbers)


@in_loop
async def test_a_group_that_has_got_the_number_of_a_service_meanwhile_is_left_alone(tmp_path: Path) -> None:
    bystander = await asyncio.create_subprocess_exec("sleep", "600", start_new_session=True)
    try:
        service = run(tmp_path, *family(tmp_path))
        numbers = await up(tmp_path)
        service._group = bystander.pid
        await service.kill()
        await none_left(numbers)
        assert alive(bystander.pid)
    finally:
        bystander.kill()
        await bystander.wait()


@pytest.mark.parametrize("is_frozen", [False, True])
def test_when_the_kit_is_killed_its_service_goes_with_it_and_so_does_its_folder(
    tmp_path: Path, is_frozen: bool
) -> None:
    command = family(tmp_path / "lane", DEAF)
    kit = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import asyncio, pathlib, sys\n"
            "from kit.lab.process import ServiceProcess\n"
            "async def main():\n"
            "    folder = pathlib.Path(sys.argv[1])\n"
            "    env = {'PATH': sys.argv[2]}\n"
            "    service = ServiceProcess('standard', sys.argv[4:], env, folder, grace_s=0.2)\n"
            "    while not (folder / 'bundle' / 'pids').exists():\n"
            "        await asyncio.sleep(0.01)\n"
            "    if sys.argv[3] == 'True':\n"
            "        service.words.freeze()\n"
            "    await asyncio.sleep(600)\n"
            "asyncio.run(main())",
            tmp_path / "lane",
            PYTHONS["PATH"],
            str(is_frozen),
            *command,
        ]
    )
    try:
        numbers = pids(tmp_path / "lane")
        assert all(alive(number) for number in numbers)
        wait_until(lambda: not is_frozen or all(map(frozen, numbers)))
    finally:
        kit.kill()
        kit.wait()
    wait_until(lambda: gone(numbers))
    wait_until(lambda: not (tmp_path / "lane").exists())


@in_loop
async def test_an_interrupt_at_the_terminal_does_not_reach_the_service(tmp_path: Path) -> None:
    """Ctrl-C goes to the terminal's process group: the kit decides what its services are told."""
    service = run(tmp_path, *family(tmp_path))
    numbers = await up(tmp_path)
    ours = os.getpgid(0)
    assert {os.getpgid(number) for number in numbers} == {numbers[0]}
    assert ours not in {numbers[0], os.getpgid(service._leash.pid)}
    assert os.getsid(numbers[0]) != os.getsid(0)
    await service.stop()


@in_loop
async def test_a_service_gets_the_given_environment_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "1")
    service = run(tmp_path, "python", "-c", "import os; print(sorted(set(os.environ) - {'LC_CTYPE'}))")
    await service.died()
    assert service.log_end().endswith("  | ['PATH']")
