"""From when until when a request is open for its platform, which freezes an instance that has none."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kit.lab.idle import OpenRequests
from kit.lab.sockets import hold_port
from kit.targets import FrontSpec, Hold
from tests.fixtures.processes import eventually
from tests.kit.lab import raw
from tests.kit.lab.raw import CHUNKED, LAST, Instance, chunk, front_before, get, status
from tests.kit.lab.specs import front

PASS = front("none")


def behind(spec: FrontSpec, instance: Instance) -> Any:
    return raw.behind(spec, OpenRequests(instance))


async def is_frozen(instance: Instance) -> None:
    """Return once it is: an exchange ends a moment after the client has heard all of it."""
    await asyncio.to_thread(eventually, lambda: instance.frozen)


@pytest.mark.parametrize("hold", ["none", "whole"])
async def test_a_request_is_open_to_the_end_of_its_answer_and_its_connection_no_longer(hold: Hold) -> None:
    instance = Instance()
    async with behind(front(hold), instance) as (service, connect):
        client = await connect()
        for _ in range(2):
            await client.say(get())
            answering = await service.taken()
            assert not instance.frozen
            await answering.head()
            await answering.say(CHUNKED + chunk(b"a"))
            if hold == "none":
                await client.head()
                assert await client.chunk() == b"a"
            assert not instance.frozen
            await answering.say(LAST)
            await is_frozen(instance)  # though the client keeps its connection
            if hold == "none":
                assert await client.chunk() == b""
            else:
                await client.head()
                assert await client.hear(1) == b"a"


async def test_of_several_the_last_to_end_counts() -> None:
    instance = Instance()
    async with behind(PASS, instance) as (service, connect):
        answering = []
        for _ in range(3):
            await (await connect()).say(get())
            answering.append(await service.taken())
        for wire in answering:
            assert not instance.frozen
            await wire.head()
            await wire.say(b"HTTP/1.1 204 No Content\r\n\r\n")
            await wire.left()  # the front closes it only once the exchange is over
        await is_frozen(instance)


async def test_where_a_leave_is_not_passed_on_the_answer_stays_open() -> None:
    instance = Instance()
    spec = front("none", client_leaves="unknown")
    async with raw.asked(spec, is_open=OpenRequests(instance)) as (client, answering, another):
        await answering.say(CHUNKED + chunk(b"a"))
        client.reset()
        for _ in range(10):  # the front has its time to notice
            await another()
            await answering.say(chunk(b"x" * 100_000))
        assert not instance.frozen
        await answering.say(LAST)
        await is_frozen(instance)


async def test_where_a_leave_is_passed_on_the_answer_is_over() -> None:
    instance = Instance()
    spec = front("none", client_leaves="passed")
    async with raw.asked(spec, is_open=OpenRequests(instance)) as (client, _, _):
        client.close()
        await is_frozen(instance)


async def test_at_the_deadline_it_is_over_for_the_service_too() -> None:
    instance = Instance()
    async with behind(front("none", deadline_s=0.2), instance) as (service, connect):
        client = await connect()
        await client.say(get())
        await service.taken()
        assert status(await client.head()) == 504
        assert instance.frozen


@pytest.mark.parametrize(
    "refused", [b"hello\r\n\r\n", b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n"]
)
async def test_what_the_front_refuses_itself_never_wakes_the_service(refused: bytes) -> None:
    instance = Instance()
    async with behind(PASS, instance) as (_, connect):
        client = await connect()
        await client.say(refused)
        assert status(await client.head()) in {400, 405}
        assert instance.calls == 0


async def test_a_service_that_cannot_be_reached_has_no_request_open_afterwards() -> None:
    instance = Instance()
    held, port = hold_port()
    with held:
        async with front_before(port, PASS, OpenRequests(instance)) as connect:
            client = await connect()
            await client.say(get())
            assert status(await client.head()) == 502
            await is_frozen(instance)


async def test_a_front_that_closes_leaves_no_request_open() -> None:
    instance = Instance()
    async with behind(PASS, instance) as (service, connect):
        await (await connect()).say(get())
        await service.taken()
        assert not instance.frozen
    assert instance.frozen
