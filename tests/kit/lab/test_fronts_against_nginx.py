"""The block front held against a real nginx, release by release.

nginx with an HTTP/1.0 upstream and 64k buffers really forwards in 64 KiB blocks. Every release
becomes one chunk on the wire, on both sides, so that sizes are compared and never times. The service waits
for its client before two blocks could melt into one.

One difference is known and stated: nginx's first buffer also holds the head that it received, so its first
block is smaller by just that length. Google documents "64k-blocks" and no more; the front keeps to that.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest

from kit.targets import FrontSpec
from tests.fixtures.proxies import Nginx
from tests.kit.lab.raw import Connect, Service, Wire, front_before, get, service
from tests.kit.lab.specs import front

BLOCK = 65_536
TOTAL = 300_000
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n"
FREED = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-Accel-Buffering: no\r\n\r\n"
BLOCKS = front("blocks")
IN_BLOCKS = (
    "proxy_http_version 1.0; proxy_buffering on;"
    "proxy_buffer_size 64k; proxy_buffers 8 64k; proxy_busy_buffers_size 64k;"
)


@dataclass(frozen=True)
class Response:
    """What a client got: the head, and the size of each release."""

    head: bytes
    sizes: list[int]


def in_front(nginx: Nginx, origin: Service) -> Connect:
    """A real nginx before that service: how a client connects to it."""
    url = nginx(f"http://127.0.0.1:{origin.port}", location=IN_BLOCKS)
    host, _, port = url.removeprefix("http://").partition(":")

    async def connect() -> Wire:
        return Wire(*await asyncio.open_connection(host, int(port)))

    return connect


class Bench:
    """Services behind fronts of ours and behind real ones, for as long as a test lasts."""

    def __init__(self, nginx: Nginx, until_the_end: AsyncExitStack) -> None:
        self._nginx = nginx
        self._stack = until_the_end

    async def real(self, head: bytes = HEAD, *, step: int, held: int = BLOCK) -> Response:
        """One response through nginx."""
        origin = await self._stack.enter_async_context(service())
        return await respond(in_front(self._nginx, origin), origin, head, step, held)

    async def ours(
        self, head: bytes = HEAD, *, step: int, held: int = BLOCK, spec: FrontSpec = BLOCKS
    ) -> Response:
        """One response through a front of the kit's."""
        origin = await self._stack.enter_async_context(service())
        connect = await self._stack.enter_async_context(front_before(origin.port, spec))
        return await respond(connect, origin, head, step, held)


async def respond(connect: Connect, origin: Service, head: bytes, step: int, held: int) -> Response:
    """Send `TOTAL` bytes, `step` a time, and never have `held` or more of them on the way unheard."""
    client = await connect()
    await client.say(get())
    answering = await origin.taken()
    await answering.head()
    await answering.say(head)
    heard: list[int] = []
    more = asyncio.Event()

    async def hear() -> bytes:
        came = await client.head()
        while chunk := await client.chunk():
            heard.append(len(chunk))
            more.set()
        return came

    hearing = asyncio.create_task(hear())
    for sent in range(step, TOTAL + 1, step):
        await answering.say(b"x" * step)
        while sent - sum(heard) >= held:
            more.clear()
            await more.wait()
    answering.close()
    return Response(await hearing, heard)


def as_in_nginx(ours: Response, real: Response, head: bytes = HEAD) -> bool:
    """Whether the releases are the same but for the length of the head in nginx's first buffer."""
    first, *others = real.sizes
    return [first + len(head), *others[:-1]] == ours.sizes[:-1] and sum(ours.sizes) == sum(real.sizes)


@pytest.mark.parametrize("step", [1_000, 4_096, 50_000])
async def test_blocks_are_let_go_as_by_nginx_whatever_the_size_of_the_writes(nginx: Nginx, step: int) -> None:
    async with AsyncExitStack() as stack:
        bench = Bench(nginx, stack)
        ours, real = await bench.ours(step=step), await bench.real(step=step)
    assert ours.sizes == [BLOCK] * 4 + [TOTAL // step * step - 4 * BLOCK]
    assert real.sizes[0] == BLOCK - len(HEAD)
    assert as_in_nginx(ours, real)


async def test_nothing_not_even_the_head_goes_before_the_first_block_is_full(nginx: Nginx) -> None:
    async with service() as origin, front_before(origin.port, BLOCKS) as ours:
        for connect in (ours, in_front(nginx, origin)):
            client = await connect()
            await client.say(get())
            answering = await origin.taken()
            await answering.head()
            await answering.say(HEAD + b"x" * (BLOCK - len(HEAD) - 1))
            # Another exchange that goes there and back shows that this one had its time.
            other = await connect()
            await other.say(get())
            quick = await origin.taken()
            await quick.head()
            await quick.say(HEAD)
            quick.close()
            await other.head()
            assert client.silent()
            await answering.say(b"x" * (len(HEAD) + 1))
            assert (await client.head()).startswith(b"HTTP/1.1 200 ")
            client.reset()
            other.reset()


async def test_the_header_frees_every_write_and_is_consumed_as_by_nginx(nginx: Nginx) -> None:
    async with AsyncExitStack() as stack:
        bench = Bench(nginx, stack)
        ours = await bench.ours(FREED, step=10_000, held=1)
        real = await bench.real(FREED, step=10_000, held=1)
    assert ours.sizes == real.sizes == [10_000] * 30
    assert b"accel" not in ours.head.lower()
    assert b"accel" not in real.head.lower()


async def test_what_was_held_when_the_service_broke_off_goes_before_the_cut_as_in_nginx(nginx: Nginx) -> None:
    async with service() as origin, front_before(origin.port, BLOCKS) as ours:
        for connect in (ours, in_front(nginx, origin)):
            client = await connect()
            await client.say(get())
            answering = await origin.taken()
            await answering.head()
            await answering.say(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" + b"x" * 1500)
            answering.close()
            assert b"Content-Length: 9999" in await client.head()
            assert await client.rest() == b"x" * 1500


async def test_the_comparison_can_fail(nginx: Nginx) -> None:
    """Another front, another block size, or the header on one side only: none of them is like nginx."""
    async with AsyncExitStack() as stack:
        bench = Bench(nginx, stack)
        step = 4_096
        # Freed, each write waits for the one before: else a busy machine lets nginx read several as one.
        real, freed = await bench.real(step=step), await bench.real(FREED, step=step, held=1)
        ours = await bench.ours(step=step)
        assert as_in_nginx(ours, real)
        assert not as_in_nginx(ours, freed, FREED)
        assert not as_in_nginx(await bench.ours(FREED, step=step, held=1), real)
        assert not as_in_nginx(await bench.ours(step=step, held=1, spec=front("none")), real)
        smaller = front("blocks", block_bytes=BLOCK - len(HEAD))
        assert not as_in_nginx(await bench.ours(step=step, spec=smaller), real)
