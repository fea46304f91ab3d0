"""An answer that this process could not watch is asked for once more, within what may be asked."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from kit.flows.doctor import DoctorSpec, doctor
from kit.probe.client import Ask
from kit.proof.diagnosis import Diagnosis
from kit.proof.doubts import Doubt
from kit.proof.verdict import Verdict
from tests.fixtures.wire import Wire, events, wire

pytestmark = pytest.mark.alone

GAP_S = 0.12
STAMPED = [(GAP_S, b"data: %s\n\n" % json.dumps({"t_ms": 1000 * GAP_S * n}).encode()) for n in range(1, 21)]


async def asleep_while_it_comes(server: Wire, *, most: int) -> Diagnosis:
    """The examination by a process that sleeps from the first request for the answer to that one's end."""
    examining = asyncio.create_task(
        doctor(DoctorSpec("doctor", Ask("GET", f"{server.url}/chat"), max_requests=most))
    )
    while not any(one.path == "/chat" for one in server.asked):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    time.sleep(GAP_S * 25)  # noqa: ASYNC251 (what is to be seen)
    return await examining


@pytest.mark.parametrize(("most", "verdict"), [(6, Verdict.INCREMENTAL), (1, Verdict.INCONCLUSIVE)])
async def test_an_answer_that_came_while_this_process_slept_is_asked_for_once_more(
    most: int, verdict: Verdict
) -> None:
    with wire(events(*STAMPED)) as server:
        found = await asleep_while_it_comes(server, most=most)
    assert found.verdict is verdict
    assert (Doubt.BUSY_MACHINE in found.doubts) is (most == 1)
    assert found.requests == min(most, 2)
