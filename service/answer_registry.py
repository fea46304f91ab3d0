"""The answers that this process keeps: up to a number and a size of them, each for its time."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncGenerator
from contextlib import ExitStack

from service import problems
from service.answer_buffer import Kept, KeptAnswer
from service.answer_copies import CopiedAnswer, Store, copy
from service.events import Began, Event
from service.streams import OpenStreams

log = logging.getLogger("streamproof")


class Answers:
    """The answers that this process keeps, up to a number and a size of them.

    Args:
        streams: what counts those that are being written.
        most: how many.
        keep_s: seconds for which one is kept after its end.
        grace_s: seconds without a reader after which one is abandoned.
        deadline_s: seconds after which one ends with an error.
        store: where a copy of each goes that other instances find; None for none.
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
        room_bytes: int,
        store: Store | None = None,
    ) -> None:
        self._streams = streams
        self._most = most
        self._keep_s = keep_s
        self._grace_s = grace_s
        self._deadline_s = deadline_s
        self._store = store
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
            Problem: the name is in use; there are too many; the process is stopping; the store cannot be
                reached.
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
            self._answers[answer.name] = answer
            if self._store is not None:
                try:
                    await self._store.create(answer.name, began.epoch_ms)
                except BaseException:
                    del self._answers[answer.name]
                    raise
            task = asyncio.create_task(self._live(answer, events, held.pop_all()))
        # asyncio keeps weak references only: a task without another reference may be collected while it runs.
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._tick_on()
        return answer

    async def find(self, name: str) -> Kept | None:
        """The answer of that name: this process's own, or the copy of another's.

        Raises:
            Problem: the store cannot be reached.
        """
        self._forget()
        if (answer := self._answers.get(name)) is not None or self._store is None:
            return answer
        head = await self._store.head(name)
        return None if head is None else CopiedAnswer(name, head, self._store)

    async def _live(self, answer: KeptAnswer, events: AsyncGenerator[Event], held: ExitStack) -> None:
        deadline = asyncio.get_running_loop().call_later(
            self._deadline_s - answer.began.elapsed_ms() / 1000,
            answer.interrupt,
            problems.answer_deadline(self._deadline_s),
        )
        with held:
            copying = asyncio.create_task(copy(answer, self._store)) if self._store else None
            try:
                await answer.write(events)
            finally:
                deadline.cancel()
            log.info(
                "answer end=%s events=%d ms=%.0f", answer.end(), answer.length, answer.began.elapsed_ms()
            )
            if copying is not None:
                await copying
                return
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
