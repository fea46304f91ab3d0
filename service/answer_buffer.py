"""Answers that outlive the request for them: written once, read by as many responses as come back for them.

Streams that may be resumed are kept, answers asked for by polling, and streams that their client has named,
so that it can ask how far they are. `service.answer_registry` has all of this process,
`service.answer_copies` copies them.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AbstractContextManager, aclosing, contextmanager
from typing import Protocol

from service import problems
from service.events import Began, Event, error
from service.problems import Problem

log = logging.getLogger("streamproof")

NAME = re.compile("[0-9a-f]{32}")

# What a kept event takes beside its text: a string's head and its place in a list.
EVENT_OVERHEAD_BYTES = 64


class Kept(Protocol):
    """An answer that is kept, wherever it is written."""

    @property
    def name(self) -> str:
        """ANSWER: 128 bits at random as 32 hexadecimal digits. Who knows it may read the answer."""

    @property
    def started_ms(self) -> float:
        """When it was first asked for, in epoch milliseconds."""

    @property
    def readers(self) -> int | None:
        """How many requests read it now; None where another instance writes it."""

    def reading(self) -> AbstractContextManager[None]:
        """Counts a reader: an answer that is being read is not abandoned."""

    async def after(self, seq: int, wait_s: float | None) -> list[Event]:
        """The events after number `seq`, as soon as there is one; none when the answer ended with `seq`.

        Raises:
            TimeoutError: there was none within `wait_s` seconds (None: for ever).
            Problem: they cannot be read, or the answer has not come as far as `seq`.
        """


class KeptAnswer:
    """An answer that is written in this process."""

    def __init__(self, name: str, began: Began, *, grace_s: float, take_room: Callable[[int], None]) -> None:
        """An answer without an event yet.

        Args:
            name: ANSWER.
            began: when it was asked for.
            grace_s: seconds without a reader after which it is abandoned.
            take_room: called with the size of each event; raises the Problem that the answer then ends with.
        """
        self.name = name
        self.began = began
        self.started_ms = began.epoch_ms
        self.ended_s: float | None = None
        self.size = 0
        # Texts alone: the garbage collector, whose pauses grow with what it has to look at, knows no strings.
        self._texts: list[str] = []
        self._end = ""  # the last event's name, once it is there; all before it are tokens
        self._grace_s = grace_s
        self._take_room = take_room
        self.readers = 0
        self._alone_s = 0.0
        # A future for each reader that waits: an asyncio.Event would cost twice as much for each event.
        self._waiting: list[asyncio.Future[None]] = []
        #: Set once no reader is left to wait for: its end was read, or its client has left.
        self.over = asyncio.Event()
        self._writing: asyncio.Task[None] | None = None
        self._stopped_by: Problem | None = None

    @property
    def ended(self) -> bool:
        return self.ended_s is not None

    @property
    def length(self) -> int:
        """How many events there are."""
        return len(self._texts)

    def end(self) -> str:
        """How it ended, for the log."""
        return "done" if self._end == "done" else str(json.loads(self._texts[-1])["type"]).rpartition(":")[2]

    async def write(self, events: AsyncGenerator[Event]) -> None:
        """Stores the events until they end or `interrupt` ends them. There is always an end."""
        self._writing = asyncio.create_task(self._store(events))
        if self._stopped_by is not None:
            self._writing.cancel()
        try:
            await self._writing
        except asyncio.CancelledError:
            if self._stopped_by is None:
                raise
            self._append(error(self._stopped_by))
        except Problem as problem:
            self._append(error(problem))

    async def _store(self, events: AsyncGenerator[Event]) -> None:
        async with aclosing(events):
            async for event in events:
                size = len(event.data) + EVENT_OVERHEAD_BYTES
                self._take_room(size)
                self.size += size
                self._append(event)

    def _append(self, event: Event) -> None:
        self._texts.append(event.data)
        if event.name != "token":
            self._end = event.name
            self.ended_s = time.monotonic()
        waiting, self._waiting = self._waiting, []
        for reader in waiting:
            if not reader.done():
                reader.set_result(None)

    def interrupt(self, problem: Problem) -> None:
        """Ends it with the problem; if it has ended already, stops waiting for its readers."""
        if self.ended:
            self.over.set()
        elif self._stopped_by is None:
            self._stopped_by = problem
            if self._writing is not None:
                self._writing.cancel()

    @property
    def alone(self) -> bool:
        """Whether it has no reader in this process."""
        return self.readers == 0

    def tick(self, seconds: float, *, asked: bool = False) -> None:
        """Adds time in which this process ran; `asked`: another instance was asked for the answer.

        Not read from a clock: a clock goes on while the platform freezes an instance between requests, and
        no client has left then.
        """
        self._alone_s = self._alone_s + seconds if self.alone and not asked else 0.0
        if self._alone_s >= self._grace_s:
            self.interrupt(problems.abandoned(self._grace_s))

    @contextmanager
    def reading(self) -> Iterator[None]:
        self.readers += 1
        try:
            yield
        finally:
            self.readers -= 1
            self._alone_s = 0.0

    async def after(self, seq: int, wait_s: float | None) -> list[Event]:
        if seq >= len(self._texts):
            raise problems.answer_gone()
        await self.grown(seq + 1, wait_s)
        if self.ended:
            self.over.set()
        return self.written(seq + 1)

    def written(self, first: int) -> list[Event]:
        """The events from number `first` on."""
        events = [Event("token", text) for text in self._texts[first:]]
        if self.ended and events:
            events[-1] = Event(self._end, events[-1].data)
        return events

    async def grown(self, length: int, wait_s: float | None) -> None:
        """Waits until there are more events than that, or the answer has ended.

        Raises:
            TimeoutError: neither within `wait_s` seconds (None: for ever).
        """
        if len(self._texts) == length and not self.ended:
            news = asyncio.get_running_loop().create_future()
            self._waiting.append(news)
            try:
                if wait_s is None:
                    await news
                else:
                    async with asyncio.timeout(wait_s):
                        await news
            finally:
                if news in self._waiting:  # timed out; else `_append` has emptied the list
                    self._waiting.remove(news)


async def read(kept: Kept, seq: int) -> AsyncGenerator[Event]:
    """The answer's events after number `seq`, until its end. Closing it leaves the answer as it is.

    Raises:
        Problem: that the answer ended with.
    """
    with kept.reading():
        while events := await kept.after(seq, None):
            for event in events:
                if event.name == "error":
                    raise Problem.of(json.loads(event.data))
                yield event
                seq += 1
