"""Answers that outlive the request for them: written once, read by as many responses as come back for them.

Streams that may be resumed are kept, answers asked for by polling, and streams that their client has named,
so that it can ask how far they are. In memory here; `service.shared` writes a copy for other instances.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import secrets
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, aclosing, contextmanager
from typing import Protocol

from service import problems
from service.events import Began, Event, error
from service.problems import Problem
from service.streams import OpenStreams

log = logging.getLogger("streamproof")

NAME = re.compile("[0-9a-f]{32}")

# What a kept event takes beside its text: two strings' heads, a tuple and its place in a list.
EVENT_OVERHEAD_BYTES = 160
# All kept answers together: an instance of the smallest class has 384 MB for everything.
ROOM_BYTES = 64 * 1024 * 1024


class Kept(Protocol):
    """An answer that is kept, wherever it is written."""

    @property
    def name(self) -> str:
        """ANSWER: 128 bits at random as 32 hexadecimal digits. Who knows it may read the answer."""

    @property
    def started_ms(self) -> float:
        """When it was first asked for, in epoch milliseconds."""

    def reading(self) -> AbstractContextManager[None]:
        """While somebody reads, an answer is not abandoned."""

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
            take_room: told the size of each event; raises the Problem that the answer then ends with.
        """
        self.name = name
        self.began = began
        self.started_ms = began.epoch_ms
        self.ended_s: float | None = None
        self.size = 0
        self._events: list[Event] = []
        self._grace_s = grace_s
        self._take_room = take_room
        self._readers = 0
        self._alone_s = 0.0
        # A future for each reader that waits: an asyncio.Event would cost twice as much for each event.
        self._waiting: list[asyncio.Future[None]] = []
        #: Set once nothing is owed to anybody: its end was read, or whoever wanted it has left.
        self.over = asyncio.Event()
        self._writing: asyncio.Task[None] | None = None
        self._stopped_by: Problem | None = None

    @property
    def ended(self) -> bool:
        return self.ended_s is not None

    @property
    def length(self) -> int:
        """How many events there are."""
        return len(self._events)

    def end(self) -> str:
        """How it ended, for the log."""
        name, data = self._events[-1]
        return "done" if name == "done" else str(json.loads(data)["type"]).rpartition(":")[2]

    async def write(self, events: AsyncGenerator[Event]) -> None:
        """Takes the events down until they end, or somebody ends them. There is always an end."""
        self._writing = asyncio.create_task(self._take_down(events))
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

    async def _take_down(self, events: AsyncGenerator[Event]) -> None:
        async with aclosing(events):
            async for event in events:
                size = len(event.data) + EVENT_OVERHEAD_BYTES
                self._take_room(size)
                self.size += size
                self._append(event)

    def _append(self, event: Event) -> None:
        self._events.append(event)
        if event.name != "token":
            self.ended_s = time.monotonic()
        waiting, self._waiting = self._waiting, []
        for reader in waiting:
            if not reader.done():
                reader.set_result(None)

    def interrupt(self, problem: Problem) -> None:
        """Ends it with the problem; where it has ended, nobody is waited for any more."""
        if self.ended:
            self.over.set()
        elif self._stopped_by is None:
            self._stopped_by = problem
            if self._writing is not None:
                self._writing.cancel()

    def tick(self, seconds: float) -> None:
        """That much time has passed in which this process ran.

        Counted so, because a clock goes on while the platform freezes an instance between requests: nobody
        has left then.
        """
        self._alone_s = 0.0 if self._readers else self._alone_s + seconds
        if self._alone_s >= self._grace_s:
            self.interrupt(problems.abandoned(self._grace_s))

    @contextmanager
    def reading(self) -> Iterator[None]:
        self._readers += 1
        try:
            yield
        finally:
            self._readers -= 1
            self._alone_s = 0.0

    async def after(self, seq: int, wait_s: float | None) -> list[Event]:
        if seq >= len(self._events):
            raise problems.answer_gone()
        if len(self._events) == seq + 1 and not self.ended:
            news = asyncio.get_running_loop().create_future()
            self._waiting.append(news)
            try:
                if wait_s is None:
                    await news
                else:
                    async with asyncio.timeout(wait_s):
                        await news
            finally:
                if news.cancelled():
                    self._waiting.remove(news)
        if self.ended:
            self.over.set()
        return self._events[seq + 1 :]


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


class Answers:
    """The answers that this process keeps, up to a number and a size of them.

    Args:
        streams: what counts those that are being written.
        most: how many.
        keep_s: seconds for which one is kept after its end.
        grace_s: seconds without a reader after which one is abandoned.
        deadline_s: seconds after which one ends with an error.
        room_bytes: for all of them.
    """

    # In how many steps a grace is counted.
    _STEPS = 15

    def __init__(
        self,
        streams: OpenStreams,
        *,
        most: int,
        keep_s: float,
        grace_s: float,
        deadline_s: float,
        room_bytes: int = ROOM_BYTES,
    ) -> None:
        self._streams = streams
        self._most = most
        self._keep_s = keep_s
        self._grace_s = grace_s
        self._deadline_s = deadline_s
        self._room_bytes = room_bytes
        self._answers: dict[str, KeptAnswer] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._ticking = False
        self.size = 0

    def __len__(self) -> int:
        return len(self._answers)

    async def start(self, events: AsyncGenerator[Event], began: Began, *, name: str | None) -> KeptAnswer:
        """Has an answer written down from here on.

        Args:
            events: of it.
            began: when it was asked for.
            name: ANSWER, where its client chose one.

        Raises:
            Problem: the name is in use; there are too many; the process is stopping.
        """
        if name in self._answers:
            raise problems.answer_in_use()
        self._forget()
        if len(self._answers) >= self._most and not self._drop_one():
            raise problems.too_many_answers(self._most)
        answer = KeptAnswer(
            name or secrets.token_hex(16), began, grace_s=self._grace_s, take_room=self._take_room
        )
        with ExitStack() as held:
            held.enter_context(self._streams.hold(answer))
            task = asyncio.create_task(self._live(answer, events, held.pop_all()))
        # A task that nobody holds may be collected in its middle.
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._answers[answer.name] = answer
        self._tick_on()
        return answer

    async def find(self, name: str) -> KeptAnswer | None:
        """The answer of that name, if this process keeps it."""
        self._forget()
        return self._answers.get(name)

    async def _live(self, answer: KeptAnswer, events: AsyncGenerator[Event], held: ExitStack) -> None:
        deadline = asyncio.get_running_loop().call_later(
            self._deadline_s - answer.began.elapsed_ms() / 1000,
            answer.interrupt,
            problems.answer_deadline(self._deadline_s),
        )
        with held:
            try:
                await answer.write(events)
            finally:
                deadline.cancel()
            log.info(
                "answer end=%s events=%d ms=%.0f", answer.end(), answer.length, answer.began.elapsed_ms()
            )
            # It counts as open until its end was read: a process that must stop waits that long for a client
            # that asks in pieces, as it does for one that is being streamed to.
            await answer.over.wait()

    def _take_room(self, size: int) -> None:
        while self.size + size > self._room_bytes:
            if not self._drop_one():
                raise problems.no_room()
        self.size += size

    def _forget(self) -> None:
        """Drop those that have been kept long enough."""
        until = time.monotonic() - self._keep_s
        for answer in [a for a in self._answers.values() if a.ended_s is not None and a.ended_s <= until]:
            self._drop(answer)

    def _drop_one(self) -> bool:
        """Drop the one that ended first; whether there was one."""
        ended = [(a.ended_s, a.name) for a in self._answers.values() if a.ended_s is not None]
        if not ended:
            return False
        self._drop(self._answers[min(ended)[1]])
        return True

    def _drop(self, answer: KeptAnswer) -> None:
        del self._answers[answer.name]
        self.size -= answer.size
        answer.over.set()

    def _tick_on(self) -> None:
        if self._tasks and not self._ticking:
            self._ticking = True
            asyncio.get_running_loop().call_later(self._grace_s / self._STEPS, self._tick)

    def _tick(self) -> None:
        self._ticking = False
        for answer in tuple(self._answers.values()):
            answer.tick(self._grace_s / self._STEPS)
        self._tick_on()
