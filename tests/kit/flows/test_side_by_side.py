"""Works side by side end each by itself."""

from __future__ import annotations

import asyncio

import pytest

from kit.flows.side_by_side import side_by_side


def test_each_gives_its_own_in_order() -> None:
    async def after(turns: int) -> int:
        for _ in range(turns):
            await asyncio.sleep(0)
        return turns

    assert asyncio.run(side_by_side([after(3), after(1)])) == (3, 1)


def test_a_bug_in_one_is_raised_as_it_is_once_the_others_have_ended() -> None:
    ended: list[str] = []

    async def breaks() -> None:
        raise RuntimeError("a bug")

    async def ends(name: str) -> None:
        for _ in range(5):
            await asyncio.sleep(0)
        ended.append(name)

    with pytest.raises(RuntimeError, match="a bug") as caught:
        asyncio.run(side_by_side([ends("a"), breaks(), ends("b")]))
    assert ended == ["a", "b"]
    assert "breaks" in [entry.name for entry in caught.traceback]


def test_cancelled_it_cancels_them_all() -> None:
    cancelled: list[str] = []

    async def waits(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.append(name)

    async def story() -> None:
        task = asyncio.create_task(side_by_side([waits("a"), waits("b")]))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(story())
    assert cancelled == ["a", "b"]
