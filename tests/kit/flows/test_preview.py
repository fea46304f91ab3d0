"""A pull request's version stands beside what serves, is measured, never promoted, and can be removed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.cloud.record import Record
from kit.config import Config
from kit.errors import Code, KitError
from kit.events import silent
from kit.flows.deploy_target import Job
from kit.flows.destroy import destroy
from kit.flows.preview import Previewing, checked, places, refuse, spare, survey
from kit.outcome import Gate, Outcome, Result
from kit.platforms.gcloud.runner import Gcloud
from kit.platforms.service import TOKEN_SHA256, Release, Service
from kit.proof.lane import Arm, Lane, LaneState
from kit.proof.verdict import Verdict
from kit.targets import Target, get
from tests.fixtures.deployments import NOW, PROJECT, REGION, deployed, place_of, service_of, version
from tests.fixtures.lanes import lane_of
from tests.kit.flows.hosts import FakeGcloud, MemoryHost

NAME = "pr-12"
CONFIG = Config(project=PROJECT, region=REGION)


@pytest.mark.parametrize("name", ["pr-12", "a", "feature-x1"])
def test_a_label_of_a_hosts_name_can_be_a_previews(name: str) -> None:
    assert checked(name) == name


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("PR-12", "pr-12"),
        ("12", "pr-12"),
        ("feature/New_Chat", "feature-new-chat"),
        ("a--b", "a-b"),
        ("a---b", "a-b"),
        ("x-dot-y", "x-y"),
        ("", "pr"),
        ("-", "pr"),
        ("pr-", "pr"),
        ("пр", "pr"),
    ],
)
def test_what_cannot_be_is_refused_with_a_name_that_can(name: str, near: str) -> None:
    with pytest.raises(KitError) as error:
        checked(name)
    assert (error.value.exit, f": {near}, say." in f":{error.value.hint.rpartition(':')[2]}") == (2, True)


@given(st.text(max_size=20) | st.from_regex(r"[a-z/_-]{1,20}|[a-c]+-dot-[a-c]+", fullmatch=True))
def test_a_name_that_is_proposed_is_taken(name: str) -> None:
    try:
        checked(name)
    except KitError as error:
        near = error.hint.rpartition(": ")[2].removesuffix(", say.")
        assert checked(near) == near


class Stage:
    """A service that serves, its record, and the verdict that the next measurement gives."""

    def __init__(self, folder: Path, name: str = "run") -> None:
        self.target = get(name)
        self.host = MemoryHost(place_of(name))
        self.host.service = service_of(name, version())
        self.folder = folder
        self.record = Record.load(folder)
        self.gcloud = FakeGcloud("")
        self.verdict = Verdict.INCREMENTAL
        self.measured: list[str] = []
        self.environment: dict[str, str] = {}
        self.count = 0

    def release(self, creates: bool) -> Release:
        self.count += 1
        return Release(
            place=self.host.place,
            version=f"sp-{NAME}-{self.count:04}",
            folder=self.folder,
            digest="p1",
            environment=self.environment,
            settings={},
            creates=creates,
            preview=NAME,
        )

    async def measure(
        self, target: Target, url: str, service: Service, version: str, proof_token: str | None
    ) -> Sequence[Lane]:
        self.measured.append(url)
        arms: tuple[Arm, Arm] = ("on", "off")
        return [lane_of(target.name, header=arm, verdict=self.verdict) for arm in arms]

    def run(self) -> Outcome:
        job = Job(self.target, self.host, self.host.look, self.release, lambda release: None)
        gcloud = cast(Gcloud, self.gcloud)
        return asyncio.run(Previewing(job, self.record, gcloud, silent, self.measure, lambda: NOW).run())

    def close(self) -> Any:
        plans = asyncio.run(survey(NAME, [self.host], self.record))
        (result,) = asyncio.run(destroy(plans, cast(Gcloud, self.gcloud), self.record, silent))
        return result

    @property
    def shares(self) -> dict[str, float]:
        assert self.host.service is not None
        return {one.name: one.traffic for one in self.host.service.versions if one.traffic}


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_it_is_measured_at_its_own_url_and_put_on_record_and_what_serves_serves_on(stage: Stage) -> None:
    outcome = stage.run()
    assert (outcome.result, outcome.gate, outcome.state) == (Result.PREVIEWED, Gate.PASSED, LaneState.OK)
    assert outcome.what == "Streamed, as documented. Without traffic, at https://sp-pr-12-0001.example.org"
    assert outcome.next == "kit preview pr-12 run --close"
    assert stage.host.said == ["deploy sp-pr-12-0001"]
    assert stage.measured == ["https://sp-pr-12-0001.example.org"]
    assert stage.shares == {"sp-now": 1.0}
    ((name, known),) = Record.load(stage.folder).previews()
    assert (name, known.version, known.state, known.verdict_on) == (
        NAME, "sp-pr-12-0001", "held-back", "incremental",
    )  # fmt: skip
    assert Record.load(stage.folder).of("run") is None


@pytest.mark.parametrize(
    ("verdict", "gate", "state"),
    [
        (Verdict.WHOLE_MESSAGE, Gate.WORSE, LaneState.NOT_AS_EXPECTED),
        (Verdict.INCONCLUSIVE, Gate.INCONCLUSIVE, LaneState.INCONCLUSIVE),
    ],
)
def test_what_fails_the_gate_is_there_to_be_looked_at_and_the_status_says_so(
    stage: Stage, verdict: Verdict, gate: Gate, state: LaneState
) -> None:
    stage.verdict = verdict
    outcome = stage.run()
    assert (outcome.result, outcome.gate, outcome.state) == (Result.PREVIEWED, gate, state)
    assert stage.host.said == ["deploy sp-pr-12-0001"]


def test_the_same_name_again_replaces_it_once_the_new_one_is_there(stage: Stage) -> None:
    stage.run()
    stage.run()
    assert stage.host.said[1:] == ["deploy sp-pr-12-0002", "removals sp-pr-12-0001"]
    assert [one.words for one in stage.gcloud.commands] == [("delete", "sp-pr-12-0001")]
    ((_, known),) = stage.record.previews()
    assert known.version == "sp-pr-12-0002"


def test_a_deployment_that_fails_leaves_the_earlier_one_and_the_way_to_remove_both(stage: Stage) -> None:
    stage.run()
    stage.host.fail["deploy"] = KitError(Code.BUILD_FAILED, "The build failed.", "See the log.")
    outcome = stage.run()
    assert (outcome.result, outcome.next) == (Result.FAILED, "kit preview pr-12 run --close")
    assert stage.gcloud.commands == []
    assert [(name, one.state) for name, one in stage.record.previews()] == [(NAME, "unfinished")]
    assert stage.close().removed == ("sp-pr-12-0001",)


@pytest.mark.parametrize("there", [None, service_of("run", version(traffic=0.0))])
def test_where_nothing_serves_there_is_none_for_it_would(stage: Stage, there: Service | None) -> None:
    stage.host.service = there
    outcome = stage.run()
    assert outcome.result is Result.FAILED
    assert outcome.error is not None
    assert outcome.error.hint == "Deploy it: `kit deploy run`."
    assert stage.host.said == []


def test_a_token_that_callers_must_show_is_not_left_out_of_a_preview(stage: Stage) -> None:
    stage.host.service = service_of("run", version(token_sha256="h"))
    outcome = stage.run()
    assert (outcome.result, stage.host.said) == (Result.FAILED, [])
    assert outcome.error is not None
    assert "KIT_TOKEN" in outcome.error.hint
    stage.environment = {TOKEN_SHA256: "h"}
    assert stage.run().result is Result.PREVIEWED


def test_closing_removes_it_alone_and_may_be_repeated_from_any_folder(stage: Stage, tmp_path: Path) -> None:
    stage.run()
    stage.record = Record.load(tmp_path / "elsewhere")
    result = stage.close()
    assert (result.removed, result.missing, result.error) == (("sp-pr-12-0001",), False, None)
    assert stage.host.service is not None
    stage.host.service = replace(stage.host.service, versions=stage.host.service.versions[1:])
    again = stage.close()
    assert (again.removed, again.missing, again.error) == ((), False, None)


def test_closing_forgets_it(stage: Stage) -> None:
    stage.run()
    stage.close()
    assert Record.load(stage.folder).previews() == ()


def test_what_is_on_record_and_whose_service_is_not_seen_stays_on_record(stage: Stage) -> None:
    stage.run()
    stage.host.service = None
    result = stage.close()
    assert (result.missing, len(stage.record.previews())) == (True, 1)
    stage.record.drop_preview(NAME, "run")
    assert stage.close().missing is False


def test_one_that_was_promoted_past_the_kit_is_not_taken_from_its_callers(stage: Stage) -> None:
    stage.run()
    asyncio.run(stage.host.promote("sp-pr-12-0001", lambda line: None))
    result = stage.close()
    assert result.removed == ()
    assert "serves: its traffic was moved by another hand" in result.error.message
    assert "removals sp-pr-12-0001" not in stage.host.said


def test_a_project_without_the_platform_has_no_preview_there(stage: Stage) -> None:
    stage.host.fail["look"] = KitError(Code.API_OFF, "The API is off.", "")
    result = stage.close()
    assert (result.error, result.missing) == (None, False)


def test_gke_has_none_and_says_what_does_instead() -> None:
    with pytest.raises(KitError, match=r"There is no preview of gke\. On GKE") as error:
        refuse([get("run"), get("gke")])
    assert "`kit deploy gke --set gke.service=NAME`" in error.value.hint
    refuse([get(name) for name in ("run", "standard", "flex")])


def test_it_keeps_as_few_instances_running_as_its_platform_allows() -> None:
    config = Config(targets={"run": {"min_instances": 3, "memory": "1Gi"}})
    spared = spare(config, [get(name) for name in ("run", "standard", "flex")])
    assert {name: one["min_instances"] for name, one in spared.targets.items()} == {
        "run": 0, "standard": 0, "flex": 1,
    }  # fmt: skip
    assert spared.targets["run"]["memory"] == "1Gi"


def test_it_is_looked_for_where_it_is_on_record_else_where_its_targets_would_be(tmp_path: Path) -> None:
    record, targets = Record.load(tmp_path), [get("run"), get("gke")]
    assert places(NAME, targets, CONFIG, record, named=False) == [place_of("run")]
    record.put_preview(NAME, deployed("run", project="another"))
    (found,) = places(NAME, targets, CONFIG, record, named=False)
    assert found.project == "another"
    with pytest.raises(KitError, match="No region to look for run in"):
        places("pr-13", [get("run")], Config(project=PROJECT), record, named=True)
