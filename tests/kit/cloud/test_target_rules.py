"""What each target's name, place and price say before anything is created."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kit.cloud.preflight import judge
from kit.errors import Code, KitError
from kit.platforms.findings import Finding, Lane
from kit.platforms.platform import Service, Version
from tests.kit.cloud.seen import FLEX, LANES, RUN, STANDARD, seen, wishes


def at(lane: Lane, **changes: str | None) -> Lane:
    return replace(lane, place=replace(lane.place, **changes))  # type: ignore[arg-type]


def stops(*lanes: Lane, project: str = "demo-project") -> list[Finding]:
    found = judge(lanes, wishes(project=project), seen())
    return [finding for finding in found if finding.level == "stop"]


@pytest.mark.parametrize(("length", "fits"), [(30, True), (31, False)])
def test_an_app_engine_name_must_fit_with_version_and_project_into_one_label(length: int, fits: bool) -> None:
    found = stops(at(FLEX, service="s" * length))  # 11 + 5 + 30 + 5 + 12 = 63
    assert (found == []) is fits
    assert all("30 characters at most" in finding.remedy for finding in found)


@pytest.mark.parametrize(("length", "fits"), [(35, True), (36, False)])
def test_a_cloud_run_name_must_fit_with_its_tag(length: int, fits: bool) -> None:
    assert (stops(at(RUN, service="s" * length)) == []) is fits


def test_the_default_service_takes_no_room_in_the_name() -> None:
    assert stops(at(STANDARD, project="p" * 30)) == []


def test_cloud_run_needs_a_region() -> None:
    (found,) = stops(at(RUN, region=None))
    assert "--region" in found.remedy


def somebody_elses(lane: Lane) -> Service:
    version = Version("v1", None, None, 1.0, True, None, None)
    return Service(lane.place, url=None, public=True, versions=(version,))


@pytest.mark.parametrize("lane", LANES, ids=lambda lane: lane.place.target)
def test_what_somebody_else_made_is_not_overwritten_unasked(lane: Lane) -> None:
    there = seen(looks={lane.place.target: somebody_elses(lane)})
    (found,) = [finding for finding in judge(LANES, wishes(), there) if finding.level != "note"]
    assert found.level == "stop"
    assert lane.place.service in found.text
    assert "v1" in found.text
    assert "--take-over" in found.remedy


def test_what_may_be_taken_over_is_said() -> None:
    there = seen(looks={"run": somebody_elses(RUN)})
    (found,) = [f for f in judge(LANES, wishes(take_over=True), there) if f.level != "note"]
    assert found.level == "warn"


def test_the_kits_own_service_is_deployed_again_without_a_word() -> None:
    theirs = somebody_elses(RUN)
    ours = replace(theirs, versions=(replace(theirs.versions[0], target="run"),))
    assert [f for f in judge(LANES, wishes(), seen(looks={"run": ours})) if f.level != "note"] == []


def test_the_first_service_of_an_app_becomes_default() -> None:
    no_app = KitError(Code.NOT_READY_TO_DEPLOY, "no app", "…")
    for nothing in (seen(app_versions=[]), seen(app=no_app, app_versions=no_app)):
        notes = [finding.text for finding in judge(LANES, wishes(), nothing)]
        assert any("standard becomes it, before the others" in text for text in notes)
    assert not any("becomes it" in finding.text for finding in judge(LANES, wishes(), seen()))


def test_a_service_that_is_new_is_announced_to_serve_before_it_is_measured() -> None:
    found = judge(LANES, wishes(), seen(looks={"flex": None, "run": None}))
    assert any(one.text.startswith("flex and run are new: a service's first version") for one in found)
    unseen = judge(LANES, wishes(), seen(looks={"run": KitError(Code.CLOUD_UNAVAILABLE, "503", "…")}))
    assert not any("is new" in one.text or "are new" in one.text for one in unseen)


def test_a_flex_target_s_price_is_said_and_how_to_end_it() -> None:
    (found,) = [f for f in judge([FLEX], wishes(), seen(looks={})) if f.text.startswith("flex")]
    assert found.level == "note"
    assert "never scales to zero" in found.text
    assert "kit destroy flex" in found.remedy


def test_what_scales_to_zero_is_said_unless_instances_are_kept() -> None:
    idle = judge([RUN], wishes(), seen())
    kept = judge([replace(RUN, min_instances=2)], wishes(), seen())
    assert any("scales to zero" in finding.text for finding in idle)
    assert any("2 instances of it always run" in finding.text for finding in kept)
