"""How late this process itself is: what its event loop slept through, and what lies unread meanwhile."""

from __future__ import annotations

import asyncio
from heapq import nlargest

from kit.probe.client import now_ms

_TICK_MS = 10.0
_QUIET_TURNS = 10
# A read is handed on within a few turns of the loop, and this process may sleep in each.
_IN_A_ROW = 3


async def drained(news: asyncio.Event) -> None:
    """Have all read that the kernel has for this process.

    Each turn of the event loop reads what is there, and a read is handed on within a few turns.

    Args:
        news: set by whatever is read.
    """
    quiet = 0
    while quiet < _QUIET_TURNS:
        news.clear()
        await asyncio.sleep(0)
        quiet = 0 if news.is_set() else quiet + 1


class Sleep:
    """For how long this process's event loop did not run when it was due: a timer that times itself."""

    def __init__(self) -> None:
        self._due_ms = 0.0
        self._slept_ms = 0.0
        self._longest_ms: list[float] = []
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self._due_ms = now_ms() + _TICK_MS
        self._timer = asyncio.get_running_loop().call_later(_TICK_MS / 1000, self._tick)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def taken_ms(self) -> float:
        """The milliseconds since this was asked last."""
        self._slept_ms += self._overdue_ms()
        if self._overdue_ms():
            self._due_ms = now_ms()
        slept, self._slept_ms = self._slept_ms, 0.0
        return slept

    def longest_ms(self) -> float:
        """By how much a read may be late: many short sleeps with reads between them do not add up."""
        return sum(nlargest(_IN_A_ROW, (*self._longest_ms, self._overdue_ms())))

    def _tick(self) -> None:
        overdue_ms = self._overdue_ms()
        self._slept_ms += overdue_ms
        self._longest_ms = nlargest(_IN_A_ROW, (*self._longest_ms, overdue_ms))
        self.start()

    def _overdue_ms(self) -> float:
        late = now_ms() - self._due_ms
        return late if late > _TICK_MS / 2 else 0.0
