"""A store of copies in this process, which is held against the real one by the tests of both."""

from __future__ import annotations

import time
from collections.abc import Sequence

from service import problems
from service.answer_copies import Head
from service.events import Event
from service.problems import Problem


class MemoryStore:
    """A `service.answer_copies.Store` that several instances in one process can share."""

    def __init__(self) -> None:
        self.heads: dict[str, dict[str, float]] = {}
        self.events: dict[str, list[Event]] = {}
        self.appended: list[tuple[int, int]] = []
        self.fault: Problem | None = None

    def _check(self) -> None:
        if self.fault is not None:
            raise self.fault

    async def prepare(self) -> None: ...

    async def close(self) -> None: ...

    async def create(self, name: str, started_ms: float) -> None:
        self._check()
        if name in self.heads:
            raise problems.answer_in_use()
        self.heads[name] = {"started_ms": started_ms, "alive_s": time.time(), "asked_s": 0.0}
        self.events[name] = []

    async def head(self, name: str) -> Head | None:
        self._check()
        return Head(**self.heads[name]) if name in self.heads else None

    async def alive(self, name: str) -> None:
        self._check()
        self.heads[name]["alive_s"] = time.time()

    async def asked(self, name: str) -> None:
        self._check()
        self.heads[name]["asked_s"] = time.time()

    async def append(self, name: str, first: int, events: Sequence[Event]) -> bool:
        self._check()
        if first != len(self.events[name]):
            return False
        self.heads[name]["alive_s"] = time.time()
        self.events[name] += events
        self.appended.append((first, len(events)))
        return True

    async def after(self, name: str, seq: int) -> list[Event]:
        self._check()
        return self.events[name][seq + 1 :] if name in self.events else []

    async def last(self, name: str) -> tuple[int, Event] | None:
        self._check()
        events = self.events[name]
        return (len(events) - 1, events[-1]) if events else None
