"""One lane as the page reports it: what it says without end is refused, and the lane has its error."""

from __future__ import annotations

import pytest

from kit.probe.client import Ask, Client
from kit.probe.spec import LaneSpec
from kit.workshop.browser_report import BrowserReport, Ended, Head
from kit.workshop.lane_run import LaneRun
from tests.fixtures.origin import Origin

SSE = {"content-type": "text/event-stream"}
EVENT = b"data: 1\n\n"


@pytest.mark.parametrize(
    ("piece", "said"),
    [
        (EVENT * 50_000, "more than 100,000 events"),
        (b"data: " + b"x" * 900_000 + b"\n\n", "or 64 MiB"),
        (b"x" * 900_000, "an event without an end"),
    ],
    ids=["events", "octets", "one event"],
)
def test_an_answer_without_end_is_refused_and_what_came_of_it_is_not_kept(piece: bytes, said: str) -> None:
    lane = LaneRun(LaneSpec("mine", Ask("GET", "http://mine.example/?key=secret")), "relay/x/0")
    head: Head | None = Head(at=1.0, status=200, headers=SSE)
    for _ in range(100):
        lane.answered(BrowserReport(now_ms=2.0, head=head, more=True), [(2.0, piece)])
        head = None
        if lane.lane is not None:
            break
    assert lane.data is not None
    assert (error := lane.data["error"]) is not None
    assert error["code"] == "too-large"
    assert said in error["message"]
    assert "secret" not in error["message"]
    assert lane.data["timeline"] == []


def test_an_answer_in_many_reports_is_judged_once_the_last_is_in() -> None:
    lane = LaneRun(LaneSpec("mine", Ask("GET", "http://mine.example/")), "relay/x/0")
    lane.answered(
        BrowserReport(now_ms=2.0, head=Head(at=1.0, status=200, headers=SSE), more=True),
        [(1.0, EVENT), (2.0, EVENT)],
    )
    assert lane.lane is None
    lane.answered(BrowserReport(now_ms=3.0, asked_ms=0.5, ended=Ended(at=3.0, clean=True)), [(3.0, EVENT)])
    assert lane.data is not None
    assert len(lane.data["timeline"]) == 3


async def test_a_proofs_token_is_the_servers_to_show_and_the_browser_gets_none(origin: Origin) -> None:
    url = origin(lab=0, proof_token="open-sesame-open", cors_origins="*")
    lane = LaneRun(LaneSpec("mine", Ask("GET", url), proof_token="open-sesame-open"), "relay/x/0")

    async with Client() as client:
        await lane.find(client, "http://127.0.0.1:8765")
    assert lane.relayed
    assert "sesame" not in str([lane.request, lane.pings])
    ping = lane.passed_on("proof/ping", "GET", "")
    assert ping is not None
    assert ("streamproof-token", "open-sesame-open") in ping.headers
