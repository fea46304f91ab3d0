"""A relay that delays what passes it, each way by half a round trip. It keeps order and drops nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from kit.lab.sockets import HOST


@asynccontextmanager
async def relay(port: int, rtt_s: float) -> AsyncIterator[int]:
    """Stand before a port of this machine, for as long as the block lasts: the relay's own port.

    A new connection is taken at once, which on a real way costs a round trip more.
    """
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        inner_reader, inner_writer = await asyncio.open_connection(HOST, port)
        with suppress(OSError, asyncio.CancelledError):  # Python 3.11's streams complain of a cancelled one
            await asyncio.gather(
                _delayed(reader, inner_writer, rtt_s / 2), _delayed(inner_reader, writer, rtt_s / 2)
            )

    server = await asyncio.start_server(serve, HOST, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _delayed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way_s: float) -> None:
    loop = asyncio.get_running_loop()
    pieces: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def take() -> None:
        while data := await reader.read(65_536):
            pieces.put_nowait((loop.time() + way_s, data))
        pieces.put_nowait((loop.time() + way_s, b""))

    taking = asyncio.create_task(take())
    try:
        while True:
            due, data = await pieces.get()
            await asyncio.sleep(max(0.0, due - loop.time()))
            if not data:
                break
            writer.write(data)
            await writer.drain()
    finally:
        taking.cancel()
        writer.close()
