"""Runs a trial of a client (`kit.proof.client_trial`) on real processes, a real stream and the real clock."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from typing import Final

from kit.probe.client import now_ms
from kit.probe.proof_runner import Runner
from kit.probe.reference_server import Ending, KnownGood
from kit.process import Process, Tail
from kit.proof.actions import Action, End, Feed, Open, Pair
from kit.proof.client_examination import Run, Setup
from kit.proof.client_marks import MarkDecoder
from kit.proof.client_stress import Stress, stress
from kit.proof.client_trial import trial
from kit.proof.received import Received

URL: Final = "{url}"
_ERROR_BYTES: Final = 8 * 1024
_GRACE_S: Final = 1.0  # between SIGTERM and SIGKILL
_LINGER_MS: Final = 2_000.0  # for a command to end by itself once the stream has, or to ask once more
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
    driver = _Driver(argv, env, setup, timeout_s)
    async with driver.server:
        return await driver.run_to_its_end()


class _Driver(Runner):
    """A client that prints, and a stream to it, in place of an origin and a path."""

    _reads_on = True

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], setup: Setup, timeout_s: float) -> None:
        super().__init__()
        nonce = secrets.token_hex(2)
        self._argv, self._env, self._setup, self._timeout_s = argv, env, setup, timeout_s
        self._stream = self._received = Received(MarkDecoder(nonce, each=setup.stress is not None))
        self._process: Process | None = None
        self._errors = Tail(_ERROR_BYTES)
        ending = "plain" if setup.stress is None else _ENDINGS.get(setup.stress, "plain")
        self.server = KnownGood(setup.media, setup.framing, nonce, self._asked, setup.answered, ending)

    async def run_to_its_end(self) -> tuple[Run, str]:
        """The run, and the end of standard error; the process has ended by then, whatever happened."""
        setup, server = self._setup, self.server
        machine = (
            trial(sizes=setup.sizes)
            if setup.stress is None
            else stress(setup.stress, setup.places, setup.seconds)
        )
        try:
            found = await self.run(machine)
            if self._stream.status is not None and setup.stress in (None, *_ENDINGS):
                await self._until(lambda: self._status is not None, _LINGER_MS)
            run = Run(found, server.requests, self._status, server.refused, server.http10)
            return run, str(self._errors)
        finally:
            if self._process is not None:
                await self._process.stop()

    def _start(self) -> Process:
        url, setup = self.server.url, self._setup
        words = [word.replace(URL, url) for word in self._argv]
        if setup.no_buffer:
            words.insert(1, "-N")
        env = {**self._env, "STREAMPROOF_URL": url}
        if setup.unbuffered is not None:
            env["PYTHONUNBUFFERED"] = "1" if setup.unbuffered else ""
        for name in ("no_proxy", "NO_PROXY"):  # what lies between is not the client
            env[name] = ",".join(filter(None, (self._env.get(name), "127.0.0.1")))
        return Process(
            words,
            env,
            grace_s=_GRACE_S,
            stdout=self._printed,
            stderr=self._errors,
            terminal=setup.terminal,
        )

    @property
    def _status(self) -> int | None:
        return self._process.status if self._process is not None else None

    @property
    def _over(self) -> bool:
        return self._stream.ended_ms is not None

    async def _do(self, action: Action) -> None:
        match action:
            case Open():
                self.server.write(action.bytes)
                self._process = self._start()
                self._process.ended.add_done_callback(self._ended)
                await self._until(
                    lambda: self._stream.status is not None or self._over, self._timeout_s * 1000
                )
            case Feed():
                self.server.write(action.bytes)
            case Pair():
                await self.server.write_pair(action.place)
            case End():
                self.server.end()

    def _asked(self) -> None:
        if self._stream.status is None:
            self._stream.head(now_ms(), 200, {})
        elif self._setup.stress is not None and not self._over:  # it has left the stream that is judged
            self._stream.end(now_ms(), clean=False)
        self._news.set()

    def _printed(self, data: bytes) -> None:
        self._stream.body(now_ms(), data)
        self._news.set()

    def _ended(self, status: asyncio.Future[int]) -> None:
        if not self._over:
            self._stream.end(now_ms(), clean=status.result() == 0)
        self._news.set()
