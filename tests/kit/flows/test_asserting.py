from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from starlette.types import ASGIApp

from kit.errors import KitError
from kit.flows.asserting import Request, failure, measure_app, measure_url
from kit.proof.doubts import Doubt
from kit.proof.lane import Lane, LaneError
from kit.proof.timeline import Timeline
from kit.proof.verdict import Method, Verdict
from tests.fixtures.origin import Origin
from tests.fixtures.user_apps import Holder, bare, read_first, streaming, zipped

QUICK = "/search?ai_prompt=Why&max_output_tokens=40"
GZIP = (("accept-encoding", "gzip"),)


@pytest.mark.parametrize(
    ("app", "request_", "verdict"),
    [
        (streaming(), Request("/chat?said=hello"), Verdict.INCREMENTAL),
        (streaming(), Request("/chat", json={"said": "hello"}), Verdict.INCREMENTAL),
        (zipped(), Request("/chat", headers=GZIP), Verdict.INCREMENTAL),
        (read_first(), Request("/chat"), Verdict.WHOLE_MESSAGE),
        (Holder(streaming()), Request("/chat"), Verdict.WHOLE_MESSAGE),
    ],
    ids=["streams", "streams-to-a-post", "zipped", "read-by-a-middleware", "held-by-a-wrapper"],
)
def test_an_app_is_proved_through_its_own_middleware(
    app: ASGIApp, request_: Request, verdict: Verdict
) -> None:
    lane = measure_app(app, request_)
    assert (lane.verdict, lane.method, lane.error) == (verdict, Method.LOCK_STEP, None)
    said = failure(lane, in_process=True)
    assert (said is None) is (verdict is Verdict.INCREMENTAL)
    assert said is None or "/chat does not stream" in said


def test_an_app_that_collects_before_it_yields_is_named_as_what_does_not_stream() -> None:
    lane = measure_app(streaming(), Request("/collected"))
    assert (lane.verdict, lane.error) == (Verdict.INCONCLUSIVE, None)
    said = failure(lane, in_process=True)
    assert said is not None
    headline, why, *_ = said.splitlines()
    assert headline.endswith("/collected does not stream.")
    assert why.startswith("The app itself sends it all at once")
    assert "the app sent all 20 pieces one right after the other" in " ".join(said.split())
    assert failure(lane, in_process=True, may_be_inconclusive=True) is None


def test_an_app_without_a_framework_is_proved_as_well_and_by_its_name() -> None:
    for app in (bare, "tests.fixtures.user_apps:bare"):
        lane = measure_app(app, Request())
        assert (lane.verdict, lane.method) == (Verdict.INCREMENTAL, Method.LOCK_STEP)


def test_a_wsgi_app_is_refused() -> None:
    with pytest.raises(KitError, match="ASGI apps only"):
        measure_app(lambda environ, start_response: [], Request())  # type: ignore[arg-type, misc]


def test_an_answer_that_is_none_could_not_be_measured(origin: Origin) -> None:
    for lane in (
        measure_app(streaming(), Request("/nowhere")),
        measure_url(origin(), Request("/nowhere")),
        measure_url("http://127.0.0.1:1", Request()),
    ):
        said = failure(lane, in_process=False, may_be_inconclusive=True)
        assert said is not None
        assert "could not be measured" in said


def test_a_url_is_measured_as_kit_probe_does(origin: Origin) -> None:
    assert measure_url(f"{origin()}{QUICK}", Request()).verdict is Verdict.INCREMENTAL
    lane = measure_url(f"{origin()}/", Request("/search", json={"ai_prompt": "Why", "max_output_tokens": 40}))
    assert (lane.verdict, lane.url) == (Verdict.INCREMENTAL, f"{origin()}/search")
    with pytest.raises(KitError, match="is no address"):
        measure_url("nonsense", Request())


def test_it_works_within_a_running_loop() -> None:
    async def within() -> Lane:
        return measure_app(streaming(), Request("/chat"))

    assert asyncio.run(within()).verdict is Verdict.INCREMENTAL


def test_what_is_undecided_is_measured_again_when_that_is_wanted(
    monkeypatch: pytest.MonkeyPatch, origin: Origin
) -> None:
    monkeypatch.setattr("kit.flows.retrying.FIRST_PAUSE_S", 0.0)
    lane = measure_url(origin(), Request("/health", retries=1))
    assert len(lane.attempts) == 2


def test_the_request_is_as_it_was_given() -> None:
    assert Request(data="x").ask("http://a").method == "POST"
    assert Request(data=b"x", method="put").ask("http://a").method == "PUT"
    assert Request(json=[]).ask("http://a").headers == (("content-type", "application/json"),)
    mine = (("Content-Type", "application/vnd.mine+json"),)
    assert Request(json={}, headers=mine).ask("http://a").headers == mine
    assert Request().ask("http://a").body is None


LANE = Lane(
    "app", "http://127.0.0.1:1/x?key=secret", "on", Verdict.INCREMENTAL, Verdict.INCREMENTAL, None, None, 0.0,
    15.0, Method.LOCK_STEP, (), (), Timeline((), None, 0.0, True),
)  # fmt: skip
UNSURE = replace(LANE, verdict=Verdict.INCONCLUSIVE, doubts=(Doubt.TOO_SHORT,))


def test_no_verdict_is_a_failure_unless_it_may_be_and_an_error_always_is() -> None:
    assert failure(LANE, in_process=True) is None
    assert failure(UNSURE, in_process=True, may_be_inconclusive=True) is None
    said = failure(UNSURE, in_process=False) or ""
    assert said.startswith("Whether http://127.0.0.1:1/x?… streams could not be decided.")
    assert Doubt.TOO_SHORT.remedy in " ".join(said.split())
    broken = replace(UNSURE, error=LaneError("timed-out", "It did not answer.", "Wait longer."))
    assert "Wait longer." in (failure(broken, in_process=True, may_be_inconclusive=True) or "")


def test_a_pace_is_advised_only_where_it_would_help() -> None:
    differs = replace(UNSURE, doubts=(Doubt.ANSWER_DISAGREES_WITH_PROOF,))
    assert "a little at a time" in (failure(UNSURE, in_process=True) or "")
    assert "a little at a time" not in (failure(differs, in_process=True) or "")
    assert "a little at a time" not in (failure(UNSURE, in_process=False) or "")
