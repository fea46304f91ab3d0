from __future__ import annotations

import asyncio
import socket

import h11

from kit.lab.peer import Peer


def test_what_is_written_leaves_at_once_also_on_a_listener_made_elsewhere() -> None:
    async def run() -> int:
        nodelay_set: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            Peer(h11.Connection(h11.SERVER), reader, writer)
            accepted = writer.get_extra_info("socket")
            nodelay_set.set_result(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        with socket.create_server(("127.0.0.1", 0)) as listener:
            async with await asyncio.start_server(accept, sock=listener):
                _, writer = await asyncio.open_connection(*listener.getsockname())
                nodelay = await nodelay_set
                writer.close()
        return nodelay

    assert asyncio.run(run()) != 0
