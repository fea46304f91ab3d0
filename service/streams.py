"""The streams open in this process: how many at once, and how it ends when the process must.

Open are answers that are being written, each mostly by the response that streams it, and the responses that
read a kept one.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Protocol

from service import problems
from service.problems import Problem

# How long an interrupted answer may take to send its last event: a client that does not read gets no more.
LAST_WORD_S = 0.5

# A kept answer may be streamed and, meanwhile, asked for by polling; one more for a client that came back
# before its old connection was known to be gone.
READS_PER_ANSWER = 3


class Stream(Protocol):
    def interrupt(self, problem: Problem) -> None:
        """Ends the answer with an `error` event that carries the problem."""


class OpenStreams:
    """Answers being written, up to `limit`, and responses that read kept ones, up to three times that."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        #: Once true, no new answer begins and /ready says no.
        self.stopping = False
        self._streams: set[Stream] = set()
        self._reads = 0
        self._when_empty: Callable[[], None] | None = None

    def __len__(self) -> int:
        return len(self._streams)

    @contextmanager
    def hold(self, stream: Stream, *, reads: bool = False) -> Iterator[None]:
        """Counts the stream as open.

        Args:
            stream: interrupted when the process must end.
            reads: whether it only reads a kept answer, which it may also while the process is stopping.

        Raises:
            Problem: there are too many, or the process is stopping.
        """
        if reads:
            if self._reads >= READS_PER_ANSWER * self.limit:
                raise problems.too_many_reads(READS_PER_ANSWER * self.limit)
        elif self.stopping:
            raise problems.shutting_down()
        elif len(self._streams) - self._reads >= self.limit:
            raise problems.too_many_streams(self.limit)
        self._streams.add(stream)
        self._reads += reads
        try:
            yield
        finally:
            self._reads -= reads
            self._streams.remove(stream)
            if not self._streams and self._when_empty is not None:
                self._when_empty()

    def stop(self, grace_s: float, then: Callable[[], None]) -> None:
        """Lets running answers go on for `grace_s` seconds, then ends what is left; calls `then` once."""
        self.stopping = True
        if not self._streams:
            then()
            return
        loop = asyncio.get_running_loop()
        end = loop.call_later(grace_s, self.interrupt_all)
        give_up = loop.call_later(grace_s + 2 * LAST_WORD_S, lambda: empty())

        def empty() -> None:
            self._when_empty = None
            end.cancel()
            give_up.cancel()
            then()

        self._when_empty = empty

    def interrupt_all(self) -> None:
        for stream in tuple(self._streams):
            stream.interrupt(problems.shutting_down())


class ServerSignals:
    """Stands in front of the server's signal handlers, because the server would stop too early or too late.

    uvicorn stops listening as soon as it gets SIGTERM, then waits for its connections without a limit;
    under gunicorn what is still open when graceful_timeout ends is killed in mid-stream, without its
    `finally`; and lifespan's shutdown comes only after the streams. So SIGTERM comes here first: running
    answers get their grace while the process still answers (/ready: 503), and only then is it handed over.

    SIGINT (Ctrl-C) and SIGQUIT (gunicorn's quick shutdown, which uvicorn-worker ignores) end the
    answers at once.
    """

    def __init__(self, streams: OpenStreams, grace_s: float) -> None:
        self._streams = streams
        self._grace_s = grace_s
        self._server: dict[int, Callable[[int, FrameType | None], object]] = {}

    def install(self) -> None:
        """To be called in lifespan startup: the server's handlers are in place by then."""
        if threading.current_thread() is not threading.main_thread():
            return  # a server inside a test or another program: signals are not its business
        loop = asyncio.get_running_loop()
        for number, act in {
            signal.SIGTERM: self._terminate,
            signal.SIGINT: self._quit,
            signal.SIGQUIT: self._quit,
        }.items():
            before = signal.getsignal(number)
            if callable(before):
                self._server[number] = before
                signal.signal(number, _in_loop(loop, act))

    def _terminate(self, number: int) -> None:
        if not self._streams.stopping:
            self._streams.stop(self._grace_s, then=lambda: self._hand_over(number))

    def _quit(self, number: int) -> None:
        self._streams.stopping = True
        self._streams.interrupt_all()
        # uvicorn-worker's own handler for SIGQUIT stops nothing: its SIGTERM handler does.
        self._hand_over(signal.SIGTERM if number == signal.SIGQUIT else number)

    def _hand_over(self, number: int) -> None:
        if number in self._server:
            self._server[number](number, None)


def _in_loop(
    loop: asyncio.AbstractEventLoop, act: Callable[[int], None]
) -> Callable[[int, FrameType | None], None]:
    # A signal handler may run in the middle of anything, so it only tells the loop.
    def handler(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(act, number)

    return handler
