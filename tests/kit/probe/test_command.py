"""A command's output comes as it is written, and nothing of the command is left."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest

from kit.probe.command import Command
from tests.fixtures.processes import eventually, is_gone

WITHIN_S = 60.0
# Says that it runs, leaves a child in its group, and is deaf to SIGTERM.
STUBBORN = (
    "import os, signal, sys, time\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "child = os.fork()\n"
    "if child: print(os.getpid(), child, flush=True)\n"
    "time.sleep(1000)\n"
)


class Watched:
    """A command and what it has told."""

    def __init__(self) -> None:
        self.printed = b""
        self.news = asyncio.Event()
        self.over = asyncio.Event()
        self.command = Command(self._output, self.over.set)

    def _output(self, data: bytes) -> None:
        self.printed = (self.printed + data)[-4096:]
        self.news.set()

    async def start(self, *argv: str, terminal: bool = False) -> None:
        await self.command.start(argv, os.environ, terminal=terminal)

    async def says(self, text: bytes) -> None:
        while text not in self.printed:
            self.news.clear()
            await self.news.wait()


def watch(story: Callable[[Watched], Awaitable[None]]) -> Watched:
    async def run() -> Watched:
        watched = Watched()
        async with asyncio.timeout(WITHIN_S):
            try:
                await story(watched)
            finally:
                await watched.command.stop()
        return watched

    return asyncio.run(run())


def python(script: str) -> tuple[str, ...]:
    return sys.executable, "-c", script


def all_gone(processes: list[int]) -> None:
    for process in processes:
        eventually(partial(is_gone, process))


@pytest.mark.parametrize("terminal", [False, True])
def test_what_it_prints_comes_unchanged_while_it_runs(terminal: bool) -> None:
    async def story(watched: Watched) -> None:
        script = "import sys, time; sys.stdout.write('one\\ntwo'); sys.stdout.flush(); time.sleep(1000)"
        await watched.start(*python(script), terminal=terminal)
        await watched.says(b"one\ntwo")  # a terminal that made \r\n of it would change its size
        assert watched.command.status is None

    watch(story)


@pytest.mark.parametrize(("terminal", "said"), [(False, b"False"), (True, b"True")])
def test_its_output_is_a_terminal_only_where_it_was_asked_for(terminal: bool, said: bytes) -> None:
    async def story(watched: Watched) -> None:
        await watched.start(
            *python("import sys; print(sys.stdin.read(), sys.stdout.isatty())"), terminal=terminal
        )
        await watched.over.wait()

    assert watch(story).printed.strip() == said  # and its input is empty


@pytest.mark.parametrize("terminal", [False, True])
def test_all_that_it_printed_is_told_before_its_end(terminal: bool) -> None:
    async def story(watched: Watched) -> None:
        await watched.start(
            *python("import sys; sys.stdout.write('x' * 300_000 + 'end'); sys.exit(3)"), terminal=terminal
        )
        await watched.over.wait()
        assert watched.printed.endswith(b"xend")
        assert watched.command.status == 3

    watch(story)


def test_the_end_of_its_errors_is_kept_and_no_more() -> None:
    async def story(watched: Watched) -> None:
        await watched.start(*python("import sys; sys.stderr.write('x' * 500_000 + 'the end'); sys.exit(1)"))
        await watched.over.wait()

    errors = watch(story).command.errors
    assert errors.endswith("the end")
    assert len(errors) <= 8192


def test_a_command_that_cannot_be_executed_ends_with_a_sentence(tmp_path: Path) -> None:
    nonsense = tmp_path / "nonsense"
    nonsense.write_bytes(b"\x00\x01\x02")
    nonsense.chmod(0o755)

    async def story(watched: Watched) -> None:
        await watched.start(str(nonsense))
        await watched.over.wait()

    watched = watch(story)
    assert watched.command.status == 127
    assert "Exec format error" in watched.command.errors


def test_one_that_is_deaf_is_killed_with_its_children() -> None:
    processes: list[int] = []

    async def story(watched: Watched) -> None:
        await watched.start(*python(STUBBORN))
        await watched.says(b"\n")
        processes.extend(map(int, watched.printed.split()))

    watch(story)
    all_gone(processes)


def test_what_it_leaves_behind_ends_with_it_and_keeps_nobody_waiting() -> None:
    """A child that holds the output open would else keep its end from us."""
    processes: list[int] = []

    async def story(watched: Watched) -> None:
        await watched.start(*python(STUBBORN.replace("time.sleep(1000)", "child or time.sleep(1000)")))
        await watched.over.wait()
        processes.extend(map(int, watched.printed.split()))

    watch(story)
    all_gone(processes)


def test_once_it_has_ended_its_group_is_not_signalled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its number may be another's by then."""
    signalled: list[int] = []
    killpg = os.killpg

    def noted(group: int, number: int) -> None:
        signalled.append(group)
        killpg(group, number)

    monkeypatch.setattr(os, "killpg", noted)

    async def story(watched: Watched) -> None:
        await watched.start("/bin/true")
        await watched.over.wait()
        signalled.clear()

    watch(story)
    assert signalled == []


def test_a_flood_can_be_stopped() -> None:
    async def story(watched: Watched) -> None:
        await watched.start(*python("import sys\nwhile True: sys.stdout.write('x' * 65536)"))
        await watched.says(b"xx")

    watch(story)


def test_cancelled_it_is_killed_and_nothing_waits() -> None:
    processes: list[int] = []

    async def run() -> None:
        watched = Watched()
        await watched.start(*python(STUBBORN))
        await watched.says(b"\n")
        processes.extend(map(int, watched.printed.split()))
        stopping = asyncio.create_task(watched.command.stop())
        await asyncio.sleep(0)
        stopping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stopping

    asyncio.run(asyncio.wait_for(run(), WITHIN_S))
    all_gone(processes)


def test_it_dies_with_the_kit() -> None:
    """Even where the kit is killed, and no clause of it runs."""
    script = (
        "import asyncio, sys\n"
        "from kit.probe.command import Command\n"
        "async def run():\n"
        "    command = Command(lambda data: print(data.decode(), end='', flush=True), lambda: None)\n"
        "    await command.start(sys.argv[1:], {}, terminal=False)\n"
        "    await asyncio.sleep(1000)\n"
        "asyncio.run(run())\n"
    )

    with subprocess.Popen([*python(script), *python(STUBBORN)], stdout=subprocess.PIPE) as kit:
        assert kit.stdout is not None
        processes = [int(word) for word in kit.stdout.readline().split()]
        kit.kill()
    assert processes
    all_gone(processes)
