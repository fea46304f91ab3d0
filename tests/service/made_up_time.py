"""An event loop whose time is made up: it goes on only when all wait, and then at once to what is due next.

For what happens in one process and touches no socket: however busy the machine, the order is the same.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Coroutine
from typing import Any

import pytest

# What each look at what is ready takes: who only yields does not stop the clock.
_TICK_S = 1e-6


class _Clock(selectors.DefaultSelector):
    """The loop's selector, and the clock that it moves on by waiting."""

    passed_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "all wait for ever"
            self.passed_s += max(timeout, _TICK_S)
        return ready


def run_in_made_up_time(test: Coroutine[Any, Any, None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Run it; `time.time` and `time.monotonic` are the loop's meanwhile.

    Both begin at the real time, since a module may have bound the real functions when it was loaded.
    """
    clock, epoch_s, monotonic_s = _Clock(), time.time(), time.monotonic()
    with monkeypatch.context() as patched:
        patched.setattr(time, "time", lambda: epoch_s + clock.passed_s)
        patched.setattr(time, "monotonic", lambda: monotonic_s + clock.passed_s)
        with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(clock)) as runner:
            runner.run(test)
