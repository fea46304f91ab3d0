"""What each service does with a streamed answer, said in a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given

from kit.proof.lane import Lane, LaneError
from kit.proof.verdict import Verdict
from kit.report.view import ComparisonView, view
from tests.kit.report.documents import VIEWS
from tests.kit.report.measured import AS_PROMISED, POLLED, RETRIED, TARGETS

STANDARD_OFF, STANDARD_ON, FLEX_OFF, FLEX_ON, RUN_OFF, RUN_ON = AS_PROMISED.lanes


def _of(*lanes: Lane) -> Sequence[str]:
    return view(replace(AS_PROMISED, lanes=lanes), TARGETS).answer


def test_each_service_is_named_with_what_it_does_and_which_header_frees_it() -> None:
    assert view(AS_PROMISED, TARGETS).answer == (
        "App Engine Standard delivers the answer in one lump.",
        "App Engine Flexible streams the answer only with X-Accel-Buffering: no.",
        "Cloud Run streams the answer.",
    )


def test_services_that_do_the_same_share_a_sentence() -> None:
    lanes = [replace(RUN_ON, target=name, as_is=True) for name in ("a", "b", "c")]
    assert _of(*lanes) == ("a, b and c stream the answer.",)
    assert _of(*lanes[:2]) == ("a and b stream the answer.",)


UNSURE = replace(RUN_ON, verdict=Verdict.INCONCLUSIVE)
GONE = replace(UNSURE, error=LaneError("unreachable", "No answer.", "Look."))


@pytest.mark.parametrize(
    ("lanes", "expected"),
    [
        ((), ["Nothing was measured."]),
        (
            (replace(FLEX_OFF, as_is=True),),
            ["App Engine Flexible holds the answer back: buffered in blocks of 64 KiB."],
        ),
        ((UNSURE,), ["Whether Cloud Run (header sent) streams the answer could not be decided."]),
        (
            (RUN_OFF, GONE),
            [
                "Cloud Run (header not sent) streams the answer.",
                "Cloud Run (header sent) could not be measured.",
            ],
        ),
        (
            (RUN_ON, replace(STANDARD_OFF, target="run")),
            ["Cloud Run streams the answer only with X-Accel-Buffering: no."],
        ),
        ((POLLED,), ["App Engine Standard (by polling) delivers each piece as it is written."]),
        ((RETRIED,), ["Cloud Run (header sent) streams the answer."]),
        (
            (replace(UNSURE, verdict=Verdict.REFUSED, as_is=True),),
            ["Cloud Run refuses to stream the answer."],
        ),
    ],
)
def test_what_one_arm_alone_does_is_said_of_that_arm(lanes: Sequence[Lane], expected: Sequence[str]) -> None:
    assert list(_of(*lanes)) == list(expected)


@given(VIEWS)
def test_every_lane_is_spoken_of(seen: ComparisonView) -> None:
    said = " ".join(seen.answer)
    assert all(lane.title in said for lane in seen.lanes)
