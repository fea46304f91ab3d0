"""The lab as its users see it: URLs that answer while it lasts, and nothing left when it ends."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kit.errors import Code, KitError
from kit.lab import front as front_module
from kit.lab.lab import Lab
from kit.lab.sockets import HOST, listen
from tests.fixtures.loop import GIVE_UP_S
from tests.fixtures.processes import eventually, frozen, gone
from tests.kit.lab.bundles import TICKING, lane
from tests.kit.lab.raw import Wire, get
from tests.kit.lab.specs import front


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where labs put their folders; nothing of them may be left."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


async def connect(url: str) -> Wire:
    host, _, port = url.removeprefix("http://").partition(":")
    return Wire(*await asyncio.open_connection(host, int(port)))


async def about(url: str) -> dict[str, Any]:
    """What the service says about itself."""
    client = await connect(url)
    await client.say(get("/about", "Connection: close"))
    await client.head()
    document: dict[str, Any] = json.loads(await client.rest())
    client.close()
    return document


async def test_a_service_has_the_variables_of_its_lane_before_those_of_its_bundle(tmp_path: Path) -> None:
    given = replace(lane(tmp_path, "run"), env={"OWN": "mine", "KEY": "s3cret"})
    assert "s3cret" not in repr(given)
    async with Lab([given]) as lab:
        env = (await about(lab.urls["run"]))["env"]
    assert (env["OWN"], env["KEY"]) == ("mine", "s3cret")


async def test_every_lane_answers_at_its_url_through_its_own_front(tmp_path: Path) -> None:
    lanes = [lane(tmp_path, "held", "whole"), lane(tmp_path, "flowing", "none")]
    async with Lab(lanes) as lab:
        assert list(lab.urls) == ["held", "flowing"]
        held, flowing = [await connect(url) for url in lab.urls.values()]
        for client in (held, flowing):
            await client.say(get())
        await flowing.head()
        assert await flowing.chunk() == b"one"
        assert held.silent()
        for url in lab.urls.values():
            await (await connect(url)).say(get("/go-on"))
        assert await flowing.chunk() == b"two"
        assert b"Content-Length: 6" in await held.head()
        assert await held.hear(6) == b"onetwo"


async def test_a_lane_may_get_another_front_than_its_own(tmp_path: Path) -> None:
    async with Lab([lane(tmp_path, "standard", "whole", front=front("none"))]) as lab:
        client = await connect(lab.urls["standard"])
        await client.say(get())
        await client.head()
        assert await client.chunk() == b"one"


async def test_a_service_finds_its_platform_and_nothing_of_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    monkeypatch.setenv("KIT_SECRET", "1")
    lanes = [lane(tmp_path, "one"), lane(tmp_path, "two")]
    async with Lab(lanes) as lab:
        one, two = [await about(url) for url in lab.urls.values()]
    env = one["env"]
    assert env["OWN"] == "one"
    assert env["STREAMPROOF_LAB"] == "1"
    assert env["STREAMPROOF_BIND"] == HOST
    assert env["PATH"].split(os.pathsep)[0] == str(Path(sys.executable).parent)
    assert not {"PYTHONPATH", "KIT_SECRET", "VIRTUAL_ENV"} & set(env)
    assert env["HOME"] != two["env"]["HOME"]
    assert env["PORT"] != two["env"]["PORT"]


async def test_a_service_runs_from_a_copy_so_that_nothing_it_does_changes_the_bundle(tmp_path: Path) -> None:
    one = lane(tmp_path)
    (one.bundle / "helper.py").write_text("")
    (one.bundle / "serve.py").write_text("import helper\n" + (one.bundle / "serve.py").read_text())
    before = sorted(one.bundle.rglob("*"))
    async with Lab([one]) as lab:
        assert Path((await about(lab.urls["run"]))["cwd"]) != one.bundle
    assert sorted(one.bundle.rglob("*")) == before


async def test_ports_and_processes_are_free_after_it_even_with_streams_open(tmp_path: Path) -> None:
    said: list[str] = []
    async with Lab([lane(tmp_path, "held", "whole"), lane(tmp_path, "run")], say=said.append) as lab:
        numbers = [(await about(url))["pid"] for url in lab.urls.values()]
        streams = [await connect(url) for url in lab.urls.values()]
        for stream in streams:
            await stream.say(get())
    for stream in streams:
        await stream.left()
    await asyncio.to_thread(eventually, lambda: gone(numbers))
    for url in lab.urls.values():
        with pytest.raises(ConnectionRefusedError):
            await connect(url)
    assert sorted(said) == ["held: ready", "run: ready"]


async def test_the_same_holds_when_the_block_is_left_by_an_error_or_a_cancellation(tmp_path: Path) -> None:
    numbers: list[int] = []

    async def inside(name: str, error: BaseException) -> None:
        async with Lab([lane(tmp_path, name)]) as lab:
            numbers.append((await about(lab.urls[name]))["pid"])
            raise error

    for name, error in {"a": ValueError("x"), "b": asyncio.CancelledError()}.items():
        with pytest.raises(type(error)):
            await inside(name, error)
    await asyncio.to_thread(eventually, lambda: gone(numbers))


async def test_a_cancellation_while_it_starts_leaves_nothing(tmp_path: Path) -> None:
    starting = asyncio.create_task(Lab([lane(tmp_path, arguments="never-ready")]).__aenter__())
    numbers: list[int] = []

    def is_up() -> bool:
        for log in (tmp_path / "temporary").glob("*/run/log"):
            numbers.extend(int(line.split()[1]) for line in log.read_text().splitlines())
        return bool(numbers)

    await asyncio.to_thread(eventually, is_up)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    await asyncio.to_thread(eventually, lambda: gone(numbers))


# Ports


async def test_a_given_port_is_used(tmp_path: Path) -> None:
    with listen(0) as free:
        port = free.getsockname()[1]
    async with Lab([lane(tmp_path, port=port)]) as lab:
        assert lab.urls == {"run": f"http://127.0.0.1:{port}"}


async def test_a_port_in_use_has_a_remedy_before_anything_starts(tmp_path: Path) -> None:
    with listen(0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(KitError) as caught:
            async with Lab([lane(tmp_path, "free"), lane(tmp_path, "run", port=port)]):
                pytest.fail("it started")
    assert caught.value.code is Code.PORT_IN_USE
    assert str(port) in caught.value.message
    assert "--port run=PORT" in caught.value.hint


# Services that fail


async def test_a_service_that_dies_at_its_start_shows_the_end_of_its_log(tmp_path: Path) -> None:
    broken = lane(tmp_path, "broken", program="import sys; sys.exit('no module named streamproof')")
    with pytest.raises(KitError) as caught:
        async with Lab([lane(tmp_path, "fine"), broken]):
            pytest.fail("it started")
    assert caught.value.code is Code.SERVICE_DIED
    assert "broken" in caught.value.message
    assert "  | no module named streamproof" in caught.value.message


async def test_a_service_that_dies_later_ends_the_waiting(tmp_path: Path) -> None:
    async with Lab([lane(tmp_path, "fine"), lane(tmp_path, "mortal")]) as lab:
        waiting = asyncio.create_task(lab.wait_for_death())
        client = await connect(lab.urls["mortal"])
        await client.say(get("/die"))
        assert b" 502 " in await client.head()
        with pytest.raises(KitError, match=r"mortal ended with status 7[^~]*dying as asked") as caught:
            await waiting
    assert caught.value.code is Code.SERVICE_DIED


# Fronts


def kill(lab: Lab, what: str, name: str) -> None:
    [process] = [each for each in (*lab._fronts, *lab._services) if (each.what, each.name) == (what, name)]
    assert process.group is not None
    os.kill(process.group, signal.SIGKILL)


async def test_a_kit_that_is_busy_delays_no_stream(tmp_path: Path) -> None:
    async with Lab([lane(tmp_path)]) as lab:
        host, _, port = lab.urls["run"].removeprefix("http://").partition(":")
        # This holds up the event loop: what lives in it could not answer.
        with socket.create_connection((host, int(port)), timeout=GIVE_UP_S) as client:
            client.sendall(get("/about", "Connection: close"))
            assert client.recv(12) == b"HTTP/1.1 200"


async def test_a_front_that_dies_ends_the_waiting(tmp_path: Path) -> None:
    async with Lab([lane(tmp_path, "fine"), lane(tmp_path, "mortal")]) as lab:
        waiting = asyncio.create_task(lab.wait_for_death())
        kill(lab, "front", "mortal")
        with pytest.raises(KitError, match=r"The front of mortal ended by SIGKILL\.") as caught:
            await waiting
        with pytest.raises(ConnectionRefusedError):
            await connect(lab.urls["mortal"])
        assert (await about(lab.urls["fine"]))["env"]["OWN"] == "fine"
    assert caught.value.code is Code.SERVICE_DIED


async def test_a_front_that_cannot_start_shows_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(front_module, "asdict", lambda spec: {"nonsense": 1})
    with pytest.raises(KitError, match=r"(?s)The front of run ended with status 1\..*'nonsense'") as caught:
        async with Lab([lane(tmp_path)]):
            pytest.fail("it started")
    assert caught.value.code is Code.SERVICE_DIED


@pytest.mark.parametrize("what", ["front", "service"])
async def test_work_that_ends_because_something_died_says_so(tmp_path: Path, what: str) -> None:
    async with Lab([lane(tmp_path)]) as lab:

        async def work() -> str:
            client = await connect(lab.urls["run"])
            await client.say(get())
            await client.head()
            kill(lab, what, "run")
            await client.left()
            return "buffered"

        with pytest.raises(KitError, match=f"The {what} of run ended by SIGKILL"):
            await lab.unless_it_dies(work())


async def test_work_ends_as_it_would_where_nothing_dies(tmp_path: Path) -> None:
    async with Lab([lane(tmp_path, front=front(idle="frozen"))]) as lab:

        async def work(error: Exception | None = None) -> str:
            if error is not None:
                raise error
            return "streamed"

        assert await lab.unless_it_dies(work()) == "streamed"
        with pytest.raises(ZeroDivisionError):
            await lab.unless_it_dies(work(ZeroDivisionError()))
        working = asyncio.ensure_future(asyncio.Event().wait())
        waiting = asyncio.create_task(lab.unless_it_dies(working))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait({waiting})
        assert waiting.cancelled()
        assert working.cancelled()


# Idle instances


class Ticks:
    """A lane that runs TICKING: asked at `url` once, then watched from outside."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.pid: int = document["pid"]
        self._file = Path(document["ticks"])

    def now(self) -> int:
        """How often its background task has run."""
        return self._file.stat().st_size

    async def advance(self) -> None:
        """Return once that has run twenty times more."""
        goal = self.now() + 20
        await asyncio.to_thread(eventually, lambda: self.now() >= goal)

    async def freeze(self) -> None:
        """Return once its process stands still."""
        await asyncio.to_thread(eventually, lambda: frozen(self.pid))


async def test_a_frozen_instances_background_task_waits_for_the_next_request(tmp_path: Path) -> None:
    lanes = [lane(tmp_path, "cold", program=TICKING, front=front(idle="frozen"))]
    lanes += [lane(tmp_path, name, program=TICKING, front=front(idle=name)) for name in ("runs", "unknown")]
    async with Lab(lanes) as lab:
        cold, *others = [Ticks(await about(lab.services[name])) for name in lab.urls]
        await cold.advance()  # at its start it has CPU, and is asked directly
        for url in lab.urls.values():
            await about(url)
        await cold.freeze()
        before = cold.now()
        for other in others:
            await other.advance()
        assert cold.now() == before

        streaming = await connect(lab.urls["cold"])
        await streaming.say(get())
        await streaming.head()
        assert await streaming.chunk() == b"one"
        await cold.advance()
        await about(lab.urls["cold"])  # a second request that ends leaves the first one open
        await cold.advance()

        await (await connect(lab.urls["cold"])).say(get("/go-on"))
        assert await streaming.chunk() == b"two"
        await cold.freeze()  # though both clients have kept their connections
        before = cold.now()
        for other in others:
            await other.advance()
        assert cold.now() == before
    await asyncio.to_thread(eventually, lambda: gone([cold.pid]))
