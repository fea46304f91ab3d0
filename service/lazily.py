"""What takes long to make and is needed once: made in a thread, when it is first wanted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

Made = TypeVar("Made")


class Lazily(Generic[Made]):
    """Made by `make` when somebody first waits for it, once for all; a failure is tried again by the next."""

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
            # Whoever waited may have left: then nobody asks how it ended.
            self._making.add_done_callback(_failed)
        # Shielded: a request that is given up does not end it for the others.
        return await asyncio.shield(self._making)

    async def made(self) -> Made | None:
        """It, if it was ever wanted and came to be."""
        if self._making is None or _failed(self._making):
            return None
        return await self._making


def _failed(task: asyncio.Task[Made]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
