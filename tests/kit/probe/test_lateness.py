"""How late this process was: many short sleeps hold no answer back for long, one long sleep does."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from kit.probe import lateness
from kit.probe.lateness import Sleep


def slept(gaps_ms: Sequence[float], monkeypatch: pytest.MonkeyPatch) -> Sleep:
    """A sleep's timer whose ticks came so long after one another; 10 is in time."""
    now = [0.0]
    monkeypatch.setattr(lateness, "now_ms", lambda: now[0])

    async def run() -> Sleep:
        sleep = Sleep()
        sleep.start()
        for gap in gaps_ms:
            now[0] += gap
            sleep.stop()
            sleep._tick()
        sleep.stop()
        return sleep

    return asyncio.run(run())


def test_in_time_is_not_late(monkeypatch: pytest.MonkeyPatch) -> None:
    sleep = slept([10] * 20, monkeypatch)
    assert (sleep.longest_ms(), sleep.taken_ms()) == (0, 0)


def test_many_short_sleeps_hold_a_read_back_for_three_of_them_at_most(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sleep = slept([50] * 60, monkeypatch)
    assert sleep.longest_ms() == 3 * 40
    assert sleep.taken_ms() == 60 * 40


def test_one_long_sleep_counts_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    sleep = slept([10, 10, 2010, 10], monkeypatch)
    assert sleep.longest_ms() == 2000
