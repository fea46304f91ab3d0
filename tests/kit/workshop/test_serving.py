"""The page's server as the command sees it: it serves, or its reason not to is raised."""

from __future__ import annotations

import asyncio

import pytest
import uvicorn
from starlette.responses import PlainTextResponse

from kit.probe.client import Ask, Client
from kit.workshop.serving import listen, serving

APP = PlainTextResponse("here")


async def test_the_app_is_served_while_the_block_lasts_and_the_port_is_free_after() -> None:
    with listen("127.0.0.1", 0) as listening:
        host, port = listening.getsockname()[:2]
        async with serving(APP, listening), Client() as client:
            _, body, _, _ = await client.fetch(Ask("GET", f"http://{host}:{port}"), within_ms=60_000)
            assert body == b"here"
    listen(host, port).close()


def test_a_server_that_cannot_begin_says_why_and_the_block_is_not_entered() -> None:
    async def run() -> None:
        listening = listen("127.0.0.1", 0)
        listening.close()
        async with serving(APP, listening):
            raise AssertionError("entered")

    with pytest.raises(OSError, match="file descriptor"):
        asyncio.run(run())


@pytest.mark.parametrize("why", ["a bug", None])
def test_a_server_that_dies_later_is_not_waited_for(why: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    dies = asyncio.Event()

    async def main_loop(_: uvicorn.Server) -> None:
        await dies.wait()
        if why is not None:
            raise ZeroDivisionError(why)

    monkeypatch.setattr(uvicorn.Server, "main_loop", main_loop)

    async def run() -> None:
        with listen("127.0.0.1", 0) as listening:
            async with serving(APP, listening) as died:
                dies.set()
                async with asyncio.timeout(60):
                    await died()

    with pytest.raises(ZeroDivisionError if why else RuntimeError, match=why or "ended by itself"):
        asyncio.run(run())
