"""Runs a coroutine so that whoever ends the kit politely finds nothing left behind."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run it to its end; SIGTERM and SIGHUP end it as Ctrl-C does, with its `finally` clauses run.

    Raises:
        KeyboardInterrupt: it was interrupted.
    """
    import asyncio
    import signal

    async def main() -> T:
        task = asyncio.ensure_future(work)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, task.cancel)
        return await task

    try:
        return asyncio.run(main())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
