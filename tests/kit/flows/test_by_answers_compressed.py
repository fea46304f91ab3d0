"""Answers without a proof that their own framework compresses: the cause, and the line for that framework."""

from __future__ import annotations

import asyncio

import pytest

from kit.flows.doctor import DoctorSpec, doctor
from kit.probe.client import Ask
from kit.proof.causes import Cause
from kit.proof.quick_check import State
from kit.proof.verdict import Method, Verdict
from kit.report.diagnosis import diagnosis_text
from kit.report.view import lane_view
from tests.fixtures.gunicorn import Gunicorn

pytestmark = pytest.mark.alone

FRAMEWORKS = {
    "Flask-Compress: set COMPRESS_STREAMS to False": ("tests.fixtures.compressing:wsgi", "gthread"),
    "aiohttp: no enable_compression() on this response": (
        "tests.fixtures.compressing:server",
        "aiohttp.GunicornWebWorker",
    ),
}


@pytest.mark.parametrize("line", FRAMEWORKS)
def test_a_frameworks_own_compressor_is_found_with_its_line(line: str, gunicorn: Gunicorn) -> None:
    url = gunicorn(*FRAMEWORKS[line])
    found = asyncio.run(doctor(DoctorSpec("doctor", Ask("GET", f"{url}/chat"))))
    assert (found.verdict, found.lane.method) == (Verdict.WHOLE_MESSAGE, Method.STAMPS)
    assert [row.observation.state for row in found.rows] == [State.HELD, State.STREAMS, State.HELD]
    assert [(one.cause, one.certainty) for one in found.causes] == [(Cause.COMPRESSION, "likely")]
    assert found.causes[0].because == "freed by leaving compression out"
    assert line in " ".join(diagnosis_text(found).split())
    not_tried = "Whether `X-Accel-Buffering: no` frees it, or leaving compression out, was not tried"
    assert (lane_view(found.lane).advice or "").startswith(not_tried)
