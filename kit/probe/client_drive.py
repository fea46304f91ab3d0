"""Runs a trial of a client (`kit.proof.client_trial`) on real processes, a real stream and the real clock."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final

from kit.probe.client import now_ms
from kit.probe.lateness import Sleep, drained
from kit.probe.reference_server import Ending, KnownGood
from kit.process import Process, Tail
from kit.proof.actions import Action, Await, End, Feed, Observed, Open
from kit.proof.client_examination import Run, Setup
from kit.proof.client_marks import MarkDecoder
from kit.proof.client_stress import Pair, Stress, Stressing, stress
from kit.proof.client_trial import Trial, trial
from kit.proof.received import Received

URL: Final = "{url}"
_ERROR_BYTES: Final = 8 * 1024
_GRACE_S: Final = 1.0  # between SIGTERM and SIGKILL
_LINGER_S: Final = 2.0  # for a command to end by itself once the stream has, or to ask once more
_ENDINGS: Final[Mapping[Stress, Ending]] = {Stress.ENDED: "retry", Stress.CLOSED: "last-event"}


async def run_once(
    argv: Sequence[str], env: Mapping[str, str], setup: Setup, *, timeout_s: float
) -> tuple[Run, str]:
    """One run of the command, and the end of what it wrote to standard error.

    Args:
        argv: `{url}` in it becomes the stream's URL; the first word is an absolute path.
        env: its environment, to which the setup's is added.
        setup: how to run it and what to send it.
        timeout_s: how long it may take to ask.
    """
    driver = _Driver(setup)
    async with driver.server as server:
        words = [word.replace(URL, server.url) for word in argv]
        if setup.no_buffer:
            words.insert(1, "-N")
        variables = {**env, "STREAMPROOF_URL": server.url}
        if setup.unbuffered is not None:
            variables["PYTHONUNBUFFERED"] = "1" if setup.unbuffered else ""
        for name in ("no_proxy", "NO_PROXY"):  # what lies between is not the client
            variables[name] = ",".join(filter(None, (env.get(name), "127.0.0.1")))
        try:
            return await driver.run(words, variables, timeout_s)
        finally:
            if driver.process is not None:
                await driver.process.stop()


class _Driver:
    def __init__(self, setup: Setup) -> None:
        nonce = secrets.token_hex(2)
        self._setup = setup
        self._received = Received(MarkDecoder(nonce, each=setup.stress is not None))
        self._news = asyncio.Event()
        self._sleep = Sleep()
        self.process: Process | None = None
        self._errors = Tail(_ERROR_BYTES)
        ending = "plain" if setup.stress is None else _ENDINGS.get(setup.stress, "plain")
        self.server = KnownGood(setup.media, setup.framing, nonce, self._asked, setup.answered, ending)

    async def run(self, argv: Sequence[str], env: Mapping[str, str], timeout_s: float) -> tuple[Run, str]:
        received, setup = self._received, self._setup
        machine: Stressing = (
            trial(sizes=setup.sizes)
            if setup.stress is None
            else stress(setup.stress, setup.places, setup.seconds)
        )
        self._sleep.start()
        try:
            action = next(machine)
            while True:
                if isinstance(action, Open):
                    self.server.write(action.bytes)
                    self.process = Process(
                        argv,
                        env,
                        grace_s=_GRACE_S,
                        stdout=self._printed,
                        stderr=self._errors,
                        terminal=setup.terminal,
                    )
                    self.process.ended.add_done_callback(self._ended)
                    await self._until(lambda: received.status is not None or self._over, timeout_s)
                else:
                    await self._act(action)
                await drained(self._news)
                action = machine.send(Observed(now_ms(), None, received, self._sleep.taken_ms()))
        except StopIteration as stop:
            found: Trial = stop.value
        finally:
            self._sleep.stop()
        if received.status is not None and setup.stress in (None, *_ENDINGS):
            await self._until(lambda: self._status is not None, _LINGER_S)
        server = self.server
        run = Run(found, server.requests, self._status, server.refused, server.http10)
        return run, str(self._errors)

    @property
    def _status(self) -> int | None:
        return self.process.status if self.process is not None else None

    @property
    def _over(self) -> bool:
        return self._received.ended_ms is not None

    async def _act(self, action: Action | Pair) -> None:
        received = self._received
        match action:
            case Feed():
                self.server.write(action.bytes)
            case Pair():
                await self.server.write_pair(action.place)
            case End():
                self.server.end()
            case Await():
                events, octets = action.events, action.octets
                await self._until(
                    lambda: received.events >= events or received.octets >= octets or self._over,
                    action.within_ms / 1000,
                )

    async def _until(self, condition: Callable[[], bool], within_s: float) -> None:
        """Return when it holds, or the time is over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while not condition():
                    self._news.clear()
                    await self._news.wait()

    def _asked(self) -> None:
        if self._received.status is None:
            self._received.head(now_ms(), 200, {})
        elif self._setup.stress is not None and not self._over:  # it has left the stream that is looked at
            self._received.end(now_ms(), clean=False)
        self._news.set()

    def _printed(self, data: bytes) -> None:
        self._received.body(now_ms(), data)
        self._news.set()

    def _ended(self, status: asyncio.Future[int]) -> None:
        if not self._over:
            self._received.end(now_ms(), clean=status.result() == 0)
        self._news.set()
