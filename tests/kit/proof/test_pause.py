from __future__ import annotations

import pytest

from kit.proof.doubts import Doubt
from kit.proof.events import Event
from kit.proof.pause import judge, part
from kit.proof.verdict import Finding, Verdict
from tests.kit.proof.conftest import event

BULK = 70


def arrivals(first: float, bulk: list[float], rest: float) -> list[tuple[float, Event]]:
    def arrival(at: float, name: str) -> tuple[float, Event]:
        data = event(0, 200, name).decode().removeprefix("data: ").strip()
        return at, Event("message", data, "", 200)

    return [
        arrival(first, "first"),
        *(arrival(at, "bulk") for at in bulk),
        *(arrival(rest, "rest") for _ in range(3)),
    ]


@pytest.mark.parametrize(
    ("seen", "verdict", "doubts"),
    [
        (arrivals(0, [5.0] * BULK, 1005), Verdict.INCREMENTAL, ()),
        (arrivals(0, [5.0 * k for k in range(BULK)], 1345), Verdict.INCREMENTAL, ()),
        (arrivals(1000, [1001.0] * BULK, 1002), Verdict.WHOLE_MESSAGE, ()),
        (arrivals(0, [5.0] * 64 + [1005.0] * 6, 1005), Verdict.BYTE_LIMITED, (Doubt.BUFFER_SIZE_UNKNOWN,)),
        (arrivals(0, [20.0 * k for k in range(BULK)], 1400), Verdict.INCONCLUSIVE, (Doubt.SLOW_LINK,)),
    ],
)
def test_where_the_silence_shows_is_the_verdict(
    seen: list[tuple[float, Event]], verdict: Verdict, doubts: tuple[Doubt, ...]
) -> None:
    found: Finding = judge(seen, clean=True)
    assert (found.verdict, found.doubts) == (verdict, doubts)


def test_a_stream_that_did_not_come_to_its_end_is_inconclusive() -> None:
    whole = arrivals(0, [5.0] * BULK, 1005)
    assert judge(whole, clean=False).doubts == (Doubt.STREAM_CUT,)
    assert judge(whole[:-3], clean=True).doubts == (Doubt.STREAM_CUT,)
    assert judge([], clean=True).doubts == (Doubt.STREAM_CUT,)


@pytest.mark.parametrize("data", ["", "[]", "3", '{"part": 3}', "{"])
def test_an_event_that_does_not_say_its_part_has_none(data: str) -> None:
    assert part(Event("message", data, "", 1)) is None
