"""Advice on lanes side by side."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kit.proof.lane import Lane
from kit.report.advice import advised
from tests.kit.report.measured import AS_PROMISED, TARGETS

STANDARD_OFF, STANDARD_ON, FLEX_OFF, FLEX_ON, *_ = AS_PROMISED.lanes
SEND = "Send `X-Accel-Buffering: no` and measure again (--accel-header on)."


def _foreign(lane: Lane) -> Lane:
    return replace(lane, target="nginx", expected=None)


@pytest.mark.parametrize(
    ("lanes", "expected"),
    [
        ((FLEX_OFF,), [SEND]),
        ((FLEX_OFF, FLEX_ON), ["Send `X-Accel-Buffering: no`: with it the answer streams.", None]),
        (
            (FLEX_OFF, STANDARD_ON),
            [
                None,
                "`X-Accel-Buffering: no` does not free it: probe the service directly, then hop by hop, to "
                "find who holds it.",
            ],
        ),
    ],
)
def test_no_lane_is_advised_what_the_one_beside_it_shows_to_be_useless(
    lanes: tuple[Lane, ...], expected: list[str | None]
) -> None:
    assert advised([_foreign(lane) for lane in lanes], {}) == expected


def test_that_nothing_frees_it_is_said_twice_and_the_header_is_not_sent_where_it_did_not_help() -> None:
    both = advised([STANDARD_OFF, STANDARD_ON], TARGETS)
    assert both == [TARGETS["standard"].advice] * 2
    held = replace(STANDARD_ON, target="flex", expected=FLEX_ON.expected)
    off, on = advised([FLEX_OFF, held], TARGETS)
    assert off is None
    assert (on or "").startswith("It should stream here")
