"""A front as a process: what it serves, what it loads, and what a bug in it comes to."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from kit.errors import Code, KitError
from kit.lab.front import start_front
from kit.lab.process import ServiceProcess
from kit.lab.sockets import listen
from kit.targets import FrontSpec, load_targets
from tests.kit.lab import raw
from tests.kit.lab.raw import CHUNKED, LAST, Connect, Service, Wire, chunk, fields, get, status
from tests.kit.lab.specs import front


@asynccontextmanager
async def behind(spec: FrontSpec, folder: Path) -> AsyncIterator[tuple[Service, Connect, ServiceProcess]]:
    """A service, a front of its own process before it, and how a client connects."""
    async with raw.service() as service:
        listener = listen(0)
        address = listener.getsockname()
        process = start_front("run", spec, listener, service.port, folder / "front")
        clients: list[Wire] = []

        async def connect() -> Wire:
            clients.append(Wire(*await asyncio.open_connection(*address)))
            return clients[-1]

        try:
            yield service, connect, process
        finally:
            for client in clients:
                client.reset()
            await process.stop()


@pytest.mark.parametrize("spec", [target.front for target in load_targets().values()])
async def test_it_serves_what_its_spec_says(tmp_path: Path, spec: FrontSpec) -> None:
    async with behind(spec, tmp_path) as (service, connect, _):
        client = await connect()
        await client.say(get("/", "X-Forwarded-For: 192.0.2.1"))
        answering = await service.taken()
        added = {name.lower() for name in spec.request_headers_added}
        assert added <= set(fields(await answering.head()))
        await answering.say(CHUNKED + chunk(b"one") + LAST)
        head = await client.head()
        assert status(head) == 200
        said = {name.lower(): value for name, value in spec.response_headers_added.items()}
        assert said
        assert said.keys() <= fields(head).keys()
        assert all(fields(head)[name] == value for name, value in said.items() if "{" not in value)
        assert ("content-length" in fields(head)) == (spec.hold == "whole")


async def test_a_bug_ends_it_with_its_traceback_and_is_no_cut_stream(tmp_path: Path) -> None:
    async with behind(front("blocks", block_bytes="many"), tmp_path) as (service, connect, process):
        client = await connect()
        await client.say(get())
        answering = await service.taken()
        await answering.head()
        await answering.say(CHUNKED + chunk(b"one"))
        error = await process.died()
        assert error.code is Code.SERVICE_DIED
        assert error.message.startswith("The front of run ended with status 1.")
        assert "\n  | TypeError: " in error.message
        assert "report it" in error.hint


async def test_a_header_that_it_cannot_fill_in_stops_it_before_it_starts(tmp_path: Path) -> None:
    with listen(0) as listener, pytest.raises(KitError) as caught:
        start_front("run", front(response_headers_added={"X": "{nonsense}"}), listener, 1, tmp_path)
    assert caught.value.code is Code.BAD_TARGET


def test_it_loads_nothing_of_the_command_line_the_service_or_the_probe() -> None:
    look = "import kit.lab.front, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert not loaded & {"typer", "fastapi", "starlette", "pydantic", "uvicorn", "httpx", "yaml", "jinja2"}
    assert not {
        name for name in done.stdout.split() if name.startswith(("kit.cli", "kit.probe", "kit.report"))
    }
