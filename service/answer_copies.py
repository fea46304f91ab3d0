"""A copy of each kept answer in a store that all instances of the service read.

The instance that writes an answer copies it as it grows, and says every few seconds that it lives. Another
one reads the copy. Where the writer has been silent for too long it was killed, or the platform has frozen
it: the reader then ends the answer with an error. Both add events by number, and no number can be added
twice, so that one of the two wins: a writer that comes back to life finds that its answer has ended.

Nothing here goes on writing what another instance began: what a model writes the second time is another text.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from service import problems
from service.answer_buffer import KeptAnswer
from service.events import Event, error
from service.problems import Problem

log = logging.getLogger("streamproof")

# Between two additions to a copy: each is a write that is paid for.
FLUSH_S = 0.2
# Between two signs of life; a writer without one for LEASE_S is taken for dead.
BEAT_S = 3.0
LEASE_S = 15.0
# Between two looks at a copy that has not grown: each is a read that is paid for.
LOOK_S = 0.3
# Of one addition. Firestore's documents have 1 MiB at most.
MOST_EVENTS = 500
MOST_CHARS = 200_000


@dataclass(frozen=True, slots=True)
class Head:
    """What is on record of a copy beside its events; `alive_s` and `asked_s` are epoch seconds.

    Attributes:
        started_ms: when the answer was first asked for, in epoch milliseconds.
        alive_s: when its writer last gave a sign of life.
        asked_s: when an instance that does not write it was last asked for it.
    """

    started_ms: float
    alive_s: float
    asked_s: float


class Store(Protocol):
    """Where copies are. Every method may raise a Problem: the store cannot be reached."""

    async def prepare(self) -> None:
        """Does what takes long and is needed once."""

    async def create(self, name: str, started_ms: float) -> None:
        """A copy without an event yet. Raises the Problem `answer_in_use` where there is one of that name."""

    async def head(self, name: str) -> Head | None:
        """What is on record; None where nothing is, or it has been kept long enough."""

    async def alive(self, name: str) -> None:
        """Its writer lives."""

    async def asked(self, name: str) -> None:
        """Another instance was asked for it."""

    async def append(self, name: str, first: int, events: Sequence[Event]) -> bool:
        """Adds events, the first of which has that number, all or none; False where it has been taken."""

    async def after(self, name: str, seq: int) -> list[Event]:
        """The events after that number, or the first of them."""

    async def last(self, name: str) -> tuple[int, Event] | None:
        """The last event and its number."""

    async def close(self) -> None:
        """Closes its connections."""


async def copy(answer: KeptAnswer, store: Store) -> None:
    """Copies an answer as it grows, until its end is there or another instance has ended it."""
    copied, beat = 0, time.monotonic()
    fault: Problem | None = None
    while True:
        try:
            await _news(answer, copied, beat + BEAT_S - time.monotonic())
            while copied < answer.length:
                batch = _batch(answer.written(copied))
                if not await store.append(answer.name, copied, batch):
                    answer.interrupt(problems.taken_over())
                    return
                copied += len(batch)
                beat = time.monotonic()  # what was added is a sign of life as well
            if answer.ended:
                return
            if time.monotonic() - beat >= BEAT_S:
                await store.alive(answer.name)
                beat = time.monotonic()
            if answer.alone:
                head = await store.head(answer.name)
                if head is not None and time.time() - head.asked_s < BEAT_S * 2:
                    answer.tick(0, asked=True)
            fault = None
        except Problem as problem:
            if fault is None:
                log.warning("an answer's copy fell behind: %s", problem.detail)
            fault = problem
            if answer.ended and time.monotonic() - beat > LEASE_S:
                return  # others have taken its writer for dead by now
            await asyncio.sleep(FLUSH_S)


async def _news(answer: KeptAnswer, copied: int, wait_s: float) -> None:
    """Waits for an event more, then for what comes right after it; at most until the next sign of life."""
    try:
        await answer.grown(copied, max(wait_s, 0))
    except TimeoutError:
        return
    if not answer.ended:
        await asyncio.sleep(FLUSH_S)


def _batch(events: Sequence[Event]) -> list[Event]:
    batch: list[Event] = []
    chars = 0
    for event in events[:MOST_EVENTS]:
        chars += len(event.data)
        if batch and chars > MOST_CHARS:
            break
        batch.append(event)
    return batch


class CopiedAnswer:
    """An answer that another instance writes, or wrote: a `service.answer_buffer.Kept`."""

    readers = None

    def __init__(self, name: str, head: Head, store: Store, now_s: Callable[[], float] = time.time) -> None:
        self.name = name
        self.started_ms = head.started_ms
        self._head = head
        self._store = store
        self._now_s = now_s

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Nothing to count here: `after` tells the writer through `asked`."""
        yield

    async def after(self, seq: int, wait_s: float | None) -> list[Event]:
        until = None if wait_s is None else time.monotonic() + wait_s
        # Also where there are events at once: a slow reader is a reader.
        await self._tell_writer(self._head)
        while True:
            # From the one on that the reader has, to see whether that was the end.
            events = await self._store.after(self.name, seq - 1 if seq >= 0 else -1)
            if seq >= 0 and events:
                had = events.pop(0)
                if had == error(problems.writer_gone()):
                    # Or it had another event of that number, which was never copied: better sent twice.
                    return [had]
                if had.name != "token":
                    return []
            if events:
                return events
            end = await self._look_after(seq)
            if end is not None:
                return [end]
            if until is not None and time.monotonic() >= until:
                raise TimeoutError
            await asyncio.sleep(LOOK_S if until is None else min(LOOK_S, until - time.monotonic()))

    async def _look_after(self, seq: int) -> Event | None:
        """Tells the writer that the answer is being read; returns the end if the reader would miss it."""
        head = await self._store.head(self.name)
        if head is None:
            raise problems.answer_gone()
        await self._tell_writer(head)
        if self._now_s() - head.alive_s <= LEASE_S:
            return None
        last, event = await self._store.last(self.name) or (-1, None)
        if event is None or event.name == "token":
            event = error(problems.writer_gone())
            if not await self._store.append(self.name, last + 1, [event]):
                return None  # another instance was quicker
            log.warning("the instance that wrote an answer is gone: ended it after %d events", last + 1)
            last += 1
        # A reader may have had more from the writer than was copied: then the end has a number that it has
        # passed, and is sent under the next.
        return event if last <= seq or last == seq + 1 else None

    async def _tell_writer(self, head: Head) -> None:
        """Records that the answer is being read, if its writer lives; at most once a look."""
        lives = self._now_s() - head.alive_s <= LEASE_S
        if lives and self._now_s() - head.asked_s >= BEAT_S / 2:
            await self._store.asked(self.name)
