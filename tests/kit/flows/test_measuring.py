"""A version that was just deployed is measured at its own URL, with and without the header."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from kit.app import App
from kit.config import Config
from kit.events import Event, Step
from kit.flows.gate import judge
from kit.flows.measuring import Measuring
from kit.outcome import Gate
from kit.platforms.service import Service
from kit.proof.doubts import Doubt
from kit.proof.lane import Lane
from kit.proof.verdict import Method, Verdict
from kit.report.view import lane_view
from kit.targets import get
from tests.fixtures.deployments import service_of
from tests.fixtures.origin import Origin
from tests.fixtures.wire import passing, wire
from tests.kit.flows.hosts import TOKEN, FakeGcloud

VERSION = "0123456789abcdef"


def measured(
    target: str,
    url: str,
    service: Service,
    *,
    token: str | None = None,
    version: str = VERSION,
    timeout_s: float = 30,
    config: Config | None = None,
) -> tuple[Sequence[Lane], FakeGcloud, list[Event]]:
    gcloud, events = FakeGcloud(TOKEN), list[Event]()
    measure = Measuring(
        gcloud, config or Config(), events.append, token=token, prompt="Why?", timeout_s=timeout_s
    )
    return asyncio.run(measure(get(target), url, service, version)), gcloud, events


def test_both_arms_are_measured_at_the_versions_own_url_by_lock_step(origin: Origin) -> None:
    url = origin(tokens_per_s=1_000, first_token_ms=0, bundle=VERSION)
    lanes, gcloud, _ = measured("run", url, service_of("run", public=True, url="https://other.example.org"))
    assert [(lane.header, lane.verdict, lane.method) for lane in lanes] == [
        ("on", Verdict.INCREMENTAL, Method.LOCK_STEP),
        ("off", Verdict.INCREMENTAL, Method.LOCK_STEP),
    ]
    assert {lane.url for lane in lanes} == {url}
    assert gcloud.commands == []


def test_a_users_app_is_asked_for_one_answer_and_judged_as_it_is(origin: Origin, tmp_path: Path) -> None:
    app = App("mine.main:app", tmp_path, tmp_path / "requirements.txt", "/chat?cc=no-cache")
    with wire(passing(origin("tests.fixtures.foreign:app"))) as way:
        lanes, _, _ = measured("run", way.url, service_of("run", public=True), config=Config(app=app))
        answers = [one for one in way.asked if one.path == "/chat" and "accept-encoding" in one.headers]
    assert [(lane.header, lane.as_is, lane.expected, lane.verdict) for lane in lanes] == [
        ("off", True, Verdict.INCREMENTAL, Verdict.INCREMENTAL)
    ]
    assert len(answers) == 1  # beside the request that waited until it was ready
    assert judge([lane_view(lane) for lane in lanes], get("run")).gate is Gate.PASSED


def test_a_service_that_wants_a_token_is_shown_it_and_another_one_is_refused(origin: Origin) -> None:
    wants = hashlib.sha256(b"open-sesame").hexdigest()
    url = origin(tokens_per_s=1_000, first_token_ms=0, bundle=VERSION, token_sha256=wants)
    lanes, _, _ = measured("flex", url, service_of("flex", public=True), token="open-sesame")
    assert [lane.error for lane in lanes] == [None, None]
    lanes, _, _ = measured("flex", url, service_of("flex", public=True), token="another", timeout_s=3)
    assert all(lane.error is not None and "401" in lane.error.message for lane in lanes)


def test_a_private_service_is_asked_with_an_identity_for_the_services_own_url(origin: Origin) -> None:
    url = origin(tokens_per_s=1_000, first_token_ms=0, bundle=VERSION)
    service = service_of("run", public=False, url="https://named.example.org")
    lanes, gcloud, _ = measured("run", url, service)
    assert all(lane.error is None for lane in lanes)
    assert "--audiences=https://named.example.org" in gcloud.commands[0].words


@pytest.mark.parametrize("bundle", [{"bundle": VERSION}, {}])
def test_a_version_that_never_answers_is_waited_for_and_not_judged_by_another(
    origin: Origin, bundle: dict[str, Any]
) -> None:
    url = origin(tokens_per_s=1_000, first_token_ms=0, **bundle)
    lanes, _, events = measured("flex", url, service_of("flex", public=True), version="sp-new", timeout_s=1)
    assert [(lane.header, lane.verdict, lane.doubts[0]) for lane in lanes] == [
        ("on", Verdict.INCONCLUSIVE, Doubt.OTHER_VERSION),
        ("off", Verdict.INCONCLUSIVE, Doubt.OTHER_VERSION),
    ]
    assert judge([lane_view(lane) for lane in lanes], get("flex")).gate is Gate.INCONCLUSIVE
    answers = bundle.get("bundle", "a version that does not say which")
    assert [event.text for event in events if isinstance(event, Step)] == [
        f"waiting for sp-new: {answers} still answers",
        f"measuring {url}",
    ]
