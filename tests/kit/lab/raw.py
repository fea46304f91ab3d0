"""Both ends of a front by hand: service and client say exactly the bytes a test wants, when it wants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, asynccontextmanager, suppress

from kit.lab.idle import RUNS
from kit.lab.proxy import Front
from kit.lab.sockets import HOST, listen
from kit.targets import FrontSpec


def asleep(seconds: float) -> None:
    """Make the loop's clock say that this process has slept so long: nothing was read, no timer ran."""
    loop = asyncio.get_running_loop()
    now = loop.time
    loop.time = lambda: now() + seconds  # type: ignore[method-assign]


class Wire:
    """One end of a TCP connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def say(self, data: bytes) -> None:
        """Send these bytes; returns once they are in the kernel's hands or beyond."""
        self.writer.write(data)
        await self.writer.drain()

    async def hear(self, count: int) -> bytes:
        """Exactly so many bytes."""
        return await self.reader.readexactly(count)

    async def head(self) -> bytes:
        """A message's head, its blank line included."""
        return await self.reader.readuntil(b"\r\n\r\n")

    async def chunk(self) -> bytes:
        """One chunk's data; empty for the last one."""
        size = int(await self.reader.readline(), 16)
        data = await self.hear(size)
        assert await self.hear(2) == b"\r\n"
        return data

    async def chunk_sizes(self) -> list[int]:
        """The sizes of all chunks until the last one."""
        sizes = []
        while chunk := await self.chunk():
            sizes.append(len(chunk))
        return sizes

    async def rest(self) -> bytes:
        """Everything until the other side closes. Raises ConnectionResetError when it resets."""
        return await self.reader.read()

    async def left(self) -> None:
        """Return once the other side has closed, properly or not."""
        with suppress(ConnectionError):
            await self.reader.read()

    def silent(self) -> bool:
        """Whether nothing has arrived that was not heard yet."""
        return not self.reader._buffer  # type: ignore[attr-defined]

    def close(self) -> None:
        self.writer.close()

    def half_close(self) -> None:
        """Say that nothing more will be said."""
        self.writer.write_eof()

    def reset(self) -> None:
        self.writer.transport.abort()


class Service:
    """A service that does nothing by itself: a test takes the connections that the front makes."""

    def __init__(self, port: int, arrived: asyncio.Queue[Wire]) -> None:
        self.port = port
        self._arrived = arrived

    async def taken(self) -> Wire:
        """The next connection."""
        return await self._arrived.get()

    def none_came(self) -> bool:
        return self._arrived.empty()


@asynccontextmanager
async def service() -> AsyncIterator[Service]:
    """A listening service."""
    arrived: asyncio.Queue[Wire] = asyncio.Queue()
    wires: list[Wire] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wires.append(Wire(reader, writer))
        arrived.put_nowait(wires[-1])

    server = await asyncio.start_server(accept, HOST, 0)
    try:
        yield Service(server.sockets[0].getsockname()[1], arrived)
    finally:
        server.close()
        for wire in wires:
            wire.reset()


class Instance:
    """An instance that counts its calls, and does nothing."""

    def __init__(self) -> None:
        self.frozen = False
        self.calls = 0

    def freeze(self) -> None:
        self.frozen = True
        self.calls += 1

    def thaw(self) -> None:
        self.frozen = False
        self.calls += 1


Connect = Callable[[], Awaitable[Wire]]


@asynccontextmanager
async def front_before(
    port: int, spec: FrontSpec, is_open: AbstractContextManager[None] = RUNS
) -> AsyncIterator[Connect]:
    """A front before that port; yields how a client connects to it."""
    listener = listen(0)
    address = listener.getsockname()
    front = Front(spec, port, is_open)
    front.start(listener)
    clients: list[Wire] = []

    async def connect() -> Wire:
        clients.append(Wire(*await asyncio.open_connection(*address)))
        return clients[-1]

    try:
        yield connect
    finally:
        for client in clients:
            client.reset()
        await front.close()


@asynccontextmanager
async def behind(
    spec: FrontSpec, is_open: AbstractContextManager[None] = RUNS
) -> AsyncIterator[tuple[Service, Connect]]:
    """A service, a front before it, and how a client connects."""
    async with service() as origin, front_before(origin.port, spec, is_open) as connect:
        yield origin, connect


def get(path: str = "/", *headers: str, method: str = "GET") -> bytes:
    """A request without a body."""
    lines = [f"{method} {path} HTTP/1.1", "Host: front.example", *headers, "", ""]
    return "\r\n".join(lines).encode()


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
LAST = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    """These bytes as a chunk."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def status(head: bytes) -> int:
    """A response head's status."""
    return int(head.split(b" ", 2)[1])


def fields(head: bytes) -> dict[str, str]:
    """A head's headers, names in lower case; a name that occurs twice fails."""
    lines = [line.partition(": ") for line in head.decode().split("\r\n")[1:] if line]
    found = {name.lower(): value for name, _, value in lines}
    assert len(found) == len(lines)
    return found


async def whole_exchange(client: Wire, service: Service) -> None:
    """A request and its small answer, start to end. What was on its way before it has had its time."""
    await client.say(get())
    answering = await service.taken()
    await answering.head()
    await answering.say(b"HTTP/1.1 204 No Content\r\n\r\n")
    answering.close()
    await client.head()


@asynccontextmanager
async def asked(
    spec: FrontSpec, request: bytes = get(), *, is_open: AbstractContextManager[None] = RUNS
) -> AsyncIterator[tuple[Wire, Wire, Callable[[], Awaitable[None]]]]:
    """A client, the service that has read the head of its request, and an exchange of others beside it.

    Once `another` has gone there and back, what was on its way before it has had its time.
    """
    async with behind(spec, is_open) as (origin, connect):
        client = await connect()
        await client.say(request)
        answering = await origin.taken()
        await answering.head()

        async def another() -> None:
            await whole_exchange(await connect(), origin)

        yield client, answering, another


@asynccontextmanager
async def stalled(spec: FrontSpec) -> AsyncIterator[tuple[asyncio.Task[None], int]]:
    """A service that talked to a client that does not read, until it stood still, and for how many chunks."""
    async with behind(spec) as (origin, connect):
        slow = await connect()
        slow.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await slow.say(get())
        answering = await origin.taken()
        await answering.head()
        said = 0

        async def talk() -> None:
            nonlocal said
            await answering.say(CHUNKED)
            while True:
                await answering.say(chunk(b"x" * 100_000))
                said += 1

        talking = asyncio.create_task(talk())
        before = -1
        while said != before:
            before = said
            for _ in range(5):
                await whole_exchange(await connect(), origin)
        yield talking, said
        talking.cancel()
