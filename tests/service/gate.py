"""How a test holds what runs in the server's event loop, and lets it go on."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future


class Gate:
    """Shut until a test opens it; any number of coroutines, in whatever loop, may wait before it."""

    def __init__(self) -> None:
        self._open: Future[None] = Future()

    def open(self) -> None:
        if not self._open.done():
            self._open.set_result(None)

    async def passed(self) -> None:
        # Shielded: one that is cancelled while it waits does not shut the gate for good.
        await asyncio.shield(asyncio.wrap_future(self._open))
