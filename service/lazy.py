"""A value that is slow to make: made once, in a thread, on first use."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

Made = TypeVar("Made")


class Lazy(Generic[Made]):
    """Calls `make` on first use and keeps the result; after a failure the next use calls it again."""

    def __init__(self, make: Callable[[], Made]) -> None:
        self._make = make
        self._making: asyncio.Task[Made] | None = None

    async def get(self) -> Made:
        """It, as soon as it is there.

        Raises:
            Exception: whatever `make` does.
        """
        if self._making is None or _failed(self._making):
            self._making = asyncio.create_task(asyncio.to_thread(self._make))
            # Every waiter may have left: read the exception, or asyncio logs it as never retrieved.
            self._making.add_done_callback(_failed)
        # Shielded: a request that is given up does not end it for the others.
        return await asyncio.shield(self._making)

    async def made(self) -> Made | None:
        """The value, or None if it was never made."""
        if self._making is None or _failed(self._making):
            return None
        return await self._making


def _failed(task: asyncio.Task[Made]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
