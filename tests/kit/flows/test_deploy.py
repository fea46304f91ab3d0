"""From what the user wants to a plan: where each target goes, who becomes `default`, what is refused."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any, cast

import pytest

from kit.app import App
from kit.cloud.preflight import Preflight
from kit.cloud.record import Record
from kit.config import Config
from kit.errors import Code, KitError
from kit.events import Event, Step
from kit.flows import deploy as flow
from kit.flows.deploy import DeployOptions, PlannedTarget, drafts, refuse_open_model
from kit.identity import identity
from kit.outcome import Outcome, Result
from kit.platforms.deployment import Deployment
from kit.platforms.gcloud.runner import Gcloud
from kit.platforms.service import Place
from kit.proof.lane import Comparison
from kit.proof.rollout import unwatched
from kit.targets import select
from tests.fixtures.deployments import deployed, service_of, version
from tests.fixtures.lanes import lane_of
from tests.kit.flows.hosts import MemoryHost
from tests.kit.flows.test_destroy import LinesOnly
from tests.kit.platforms.recorder import Recorder

PROJECT = "my-project-42"


class Cloud:
    """Every place that was asked for, in memory."""

    def __init__(self) -> None:
        self.hosts: dict[Place, MemoryHost] = {}

    def __call__(self, place: Place) -> MemoryHost:
        return self.hosts.setdefault(place, MemoryHost(place, always=place.target == "flex"))


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()


def made(cloud: Cloud, folder: Path, *names: str, **changes: Any) -> tuple[PlannedTarget, ...]:
    config = Config(**{"project": PROJECT, "region": "europe-west1", **changes})
    return drafts(select(names or ("standard", "flex", "run")), config, Record.load(folder), cloud)


def found(services: tuple[str, ...] | None) -> Preflight:
    """A project in which nothing stands in the way, with these services in its App Engine app."""
    listed = None if services is None else [{"service": name} for name in services]
    return Preflight((), PROJECT, {"app_engine": listed})


def settled(cloud: Cloud, made: tuple[PlannedTarget, ...], services: tuple[str, ...] | None) -> list[str]:
    planned = asyncio.run(flow.settle(made, found(services), cloud))
    return [draft.host.place.service for draft in planned.drafts]


def test_each_target_goes_to_the_service_that_the_configuration_names(cloud: Cloud, tmp_path: Path) -> None:
    places = [draft.host.place for draft in made(cloud, tmp_path, targets={"flex": {"service": "mine"}})]
    assert [(place.target, place.service, place.region) for place in places] == [
        ("standard", "sp-standard", None),
        ("flex", "mine", None),
        ("run", "streamproof", "europe-west1"),
    ]


def test_without_a_project_or_a_region_one_is_asked_for(cloud: Cloud, tmp_path: Path) -> None:
    with pytest.raises(KitError, match="No project was named"):
        made(cloud, tmp_path, project=None)
    with pytest.raises(KitError, match="No region was named for run"):
        made(cloud, tmp_path, region=None)
    assert made(cloud, tmp_path, "standard", "flex", region=None)


def test_what_is_on_record_in_another_project_is_not_forgotten(cloud: Cloud, tmp_path: Path) -> None:
    Record.load(tmp_path).put(deployed("run"))
    with pytest.raises(KitError) as caught:
        made(cloud, tmp_path, "run", project="another-project")
    assert caught.value.code is Code.NOT_READY_TO_DEPLOY
    assert "kit destroy run" in caught.value.hint


def own(name: str) -> App:
    """An app of the user's own; what of it is deployed does not matter here."""
    source = Path(__file__).parents[3] / "examples/own-app"
    return App("mine.main:app", source, source / "requirements.txt", include=("mine/",), name=name)


def test_an_own_app_has_services_and_a_mark_of_its_own(cloud: Cloud, tmp_path: Path) -> None:
    places = [draft.host.place for draft in made(cloud, tmp_path, app=own("shop"))]
    assert [place.service for place in places] == ["shop", "shop-flex", "shop"]
    assert {place.app for place in places} == {identity(own("shop")).mark}


def test_what_is_on_record_keeps_its_service_and_its_mark_when_the_app_is_renamed(
    cloud: Cloud, tmp_path: Path
) -> None:
    Record.load(tmp_path).put(deployed("run", service="before", app="before-1a2b3c4d"))
    place = made(cloud, tmp_path, "run", app=own("shop"))[0].host.place
    assert (place.service, place.app) == ("before", "before-1a2b3c4d")
    before = {"region": "europe-west1", "service": "before", "within": "c1/space", "app": "before-1a2b3c4d"}
    Record.load(tmp_path).put(deployed("gke", **before))
    place = made(cloud, tmp_path, "gke", app=own("shop"))[0].host.place
    assert (place.service, place.within) == ("before", "c1/space")
    named = made(cloud, tmp_path, "run", app=own("shop"), targets={"run": {"service": "other"}})
    assert named[0].host.place.service == "other"


@pytest.mark.parametrize(("app", "known"), [(own("shop"), "streamproof"), (None, "shop-1a2b3c4d")])
def test_the_kits_own_service_and_an_own_app_are_never_the_same(
    app: App | None, known: str, cloud: Cloud, tmp_path: Path
) -> None:
    Record.load(tmp_path).put(deployed("run", app=known))
    (draft,) = made(cloud, tmp_path, "run", app=app)
    assert draft.host.place.app != known
    cloud.hosts[draft.host.place].service = service_of("run", version(app=known), place=draft.host.place)
    config = Config(project=PROJECT, region="europe-west1", app=app)
    planned = asyncio.run(flow.plan([draft], cast("Gcloud", Recorder({})), config, DeployOptions(), cloud))
    error = planned.preflight.error()
    assert error is not None
    assert known in error.message


def test_the_first_app_engine_target_becomes_default_in_an_app_without_services(
    cloud: Cloud, tmp_path: Path
) -> None:
    assert settled(cloud, made(cloud, tmp_path), ()) == ["default", "sp-flex", "streamproof"]
    assert settled(cloud, made(cloud, tmp_path, "flex", "run"), ()) == ["default", "streamproof"]


def test_who_became_default_stays_it_also_when_the_record_is_lost(cloud: Cloud, tmp_path: Path) -> None:
    place = Place("standard", "app_engine", PROJECT, None, "default")
    cloud(place).service = service_of("standard", version(target="standard"))
    assert settled(cloud, made(cloud, tmp_path), ("default",))[0] == "default"
    Record.load(tmp_path).put(deployed("standard", service="default"))
    assert made(cloud, tmp_path)[0].host.place.service == "default"


def test_somebody_elses_default_is_left_alone(cloud: Cloud, tmp_path: Path) -> None:
    place = Place("standard", "app_engine", PROJECT, None, "default")
    cloud(place).service = service_of("standard", version(target=None))
    assert settled(cloud, made(cloud, tmp_path), ("default",))[0] == "sp-standard"
    assert settled(cloud, made(cloud, tmp_path), ("default", "sp-standard"))[0] == "sp-standard"
    assert settled(cloud, made(cloud, tmp_path), None)[0] == "sp-standard"
    cloud(place).service = service_of("standard", version(target="standard", app="shop-1a2b3c4d"))
    assert settled(cloud, made(cloud, tmp_path), ("default",))[0] == "sp-standard", "another app's default"


@pytest.mark.parametrize(
    ("names", "options", "refused"),
    [
        (["standard"], DeployOptions(), True),
        (["run"], DeployOptions(), False),
        (["run"], DeployOptions(public=True), True),
        (["flex"], DeployOptions(token_sha256="ab" * 32), False),
        (["flex", "run"], DeployOptions(public_model=True), False),
    ],
)
def test_a_model_that_costs_money_is_opened_to_everybody_only_when_that_was_said(
    cloud: Cloud, tmp_path: Path, names: list[str], options: DeployOptions, refused: bool
) -> None:
    there = made(cloud, tmp_path, *names)
    refuse_open_model(Config(), options, there)
    accounts = {"STREAMPROOF_GOOGLE_AUDIENCE": "https://a.example"}
    refuse_open_model(Config(generator="vertex", env=accounts), options, there)
    if not refused:
        refuse_open_model(Config(generator="vertex"), options, there)
        return
    with pytest.raises(KitError, match="at your expense"):
        refuse_open_model(Config(generator="vertex"), options, there)


def test_a_token_that_a_users_own_app_would_not_ask_for_is_refused(cloud: Cloud, tmp_path: Path) -> None:
    config = Config(app=App("mine.main:app", tmp_path, tmp_path / "requirements.txt"))
    with pytest.raises(KitError, match=r"mine\.main:app would not ask for it"):
        refuse_open_model(config, DeployOptions(token_sha256="ab" * 32), [])
    refuse_open_model(config, DeployOptions(), [])


@pytest.mark.parametrize(("age_s", "looked"), [(50.0, False), (61.0, True)])
def test_what_the_preflight_saw_a_moment_ago_is_not_looked_at_again(
    cloud: Cloud, tmp_path: Path, age_s: float, looked: bool
) -> None:
    (draft,) = made(cloud, tmp_path, "run")
    place = draft.host.place
    there = service_of("run", version(traffic=1.0, digest="other"), place=place)
    cloud(place).service = there
    seen = Preflight((), PROJECT, looks={place: None}, seen_s=time.monotonic() - age_s)
    config = Config(project=PROJECT, region="europe-west1")
    planned = asyncio.run(flow.settle((draft,), seen, cloud))
    job = flow.job(planned, draft, config, DeployOptions(), tmp_path)
    assert asyncio.run(job.look()) == (there if looked else None)


def test_where_a_target_was_moved_to_is_seen_in_what_the_preflight_listed(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (draft,) = made(cloud, tmp_path, "standard")
    config = Config(project=PROJECT, region="europe-west1")
    found = Preflight((), PROJECT, {"app_engine": ()}, {draft.host.place: None}, time.monotonic())
    planned = asyncio.run(flow.settle((draft,), found, cloud))
    (moved,) = planned.drafts
    assert moved.host.place.service == "default"
    asked: list[object] = []

    async def look(listed: object = None) -> None:
        asked.append(listed)

    monkeypatch.setattr(moved.host, "look", look)
    asyncio.run(flow.job(planned, moved, config, DeployOptions(), tmp_path).look())
    assert asked == [()]


FAILED = KitError(Code.BUILD_FAILED, "The build failed.", "Look.")


def deployed_by(
    cloud: Cloud,
    folder: Path,
    *fails: str,
    services: tuple[str, ...] = (),
    error: Exception = FAILED,
) -> tuple[dict[str, Outcome], list[str]]:
    """Deploy all three, the gate left out; these fail."""
    config, record = Config(project=PROJECT, region="europe-west1"), Record.load(folder)
    there = made(cloud, folder)
    planned = asyncio.run(flow.settle(there, found(services), cloud))
    for draft in planned.drafts:
        if draft.target.name in fails:
            host = draft.host
            assert isinstance(host, MemoryHost)
            host.fail["deploy"] = error
    events: list[Event] = []
    outcomes = asyncio.run(
        flow.deploy(
            planned, config, DeployOptions(gate=False), record, folder / "build", LinesOnly(), events.append
        )
    )
    return {one.target: one for one in outcomes}, [event.text for event in events if isinstance(event, Step)]


def test_one_that_fails_leaves_the_others_to_finish(cloud: Cloud, tmp_path: Path) -> None:
    outcomes, _ = deployed_by(cloud, tmp_path, "flex", services=("default",))
    assert {name: one.result for name, one in outcomes.items()} == {
        "standard": Result.PROMOTED,
        "flex": Result.FAILED,
        "run": Result.PROMOTED,
    }
    assert (tmp_path / "build" / "releases" / "standard" / "app.yaml").is_file()


@pytest.mark.parametrize(("breaks", "services"), [("flex", ("default",)), ("standard", ())])
def test_a_bug_in_one_deployment_is_raised_once_the_others_have_ended(
    cloud: Cloud, tmp_path: Path, breaks: str, services: tuple[str, ...]
) -> None:
    with pytest.raises(RuntimeError, match="a bug"):
        deployed_by(cloud, tmp_path, breaks, services=services, error=RuntimeError("a bug"))
    states = {one.target: one.state for one in Record.load(tmp_path)}
    assert states.pop(breaks) == "unfinished"
    assert states == dict.fromkeys(["run", "standard"] if breaks == "flex" else ["run"], "serving")
    if breaks == "standard":
        flex = next(host for place, host in cloud.hosts.items() if place.target == "flex")
        assert not any(said.startswith("deploy") for said in flex.said), "nothing comes before `default`"


def test_a_full_disk_fails_each_that_meets_it_and_cuts_none_off(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = KitError(Code.CANNOT_WRITE, "No space is left.", "Free some room.")
    put = Record.put

    def full_for_flex(record: Record, deployment: Deployment) -> None:
        if deployment.target == "flex" and deployment.version is not None:
            raise full
        put(record, deployment)

    monkeypatch.setattr(Record, "put", full_for_flex)
    monkeypatch.setattr(Record, "drop", lambda *_: pytest.fail("nothing is forgotten"))
    outcomes, _ = deployed_by(cloud, tmp_path, services=("default",))
    assert {name: one.result for name, one in outcomes.items()} == {
        "standard": Result.PROMOTED,
        "flex": Result.FAILED,
        "run": Result.PROMOTED,
    }
    assert outcomes["flex"].what == "No space is left."
    assert outcomes["flex"].error is full


def test_what_must_come_after_default_is_not_begun_when_that_failed(cloud: Cloud, tmp_path: Path) -> None:
    outcomes, steps = deployed_by(cloud, tmp_path, "standard")
    assert (outcomes["standard"].result, outcomes["flex"].result) == (Result.FAILED, Result.FAILED)
    assert outcomes["run"].result is Result.PROMOTED
    assert "standard" in outcomes["flex"].what
    flex = next(host for place, host in cloud.hosts.items() if place.target == "flex")
    assert not any(said.startswith("deploy") for said in flex.said)
    assert any("waiting for standard" in step for step in steps)


def test_the_last_comparison_has_a_row_for_what_went_through_the_deploy_one_of_each_target() -> None:
    rollout = unwatched("its proof is not open")
    outcomes = [Outcome("run", Result.PROMOTED, "", rollout=rollout), Outcome("flex", Result.PROMOTED, "")]
    lanes = tuple(lane_of(target, header=arm) for target in ("run", "flex") for arm in ("on", "off"))
    before = Comparison("cloud", "2026-11-22T20:58:03Z", "0.1.0", "Why?", lanes)
    after = flow.with_rollouts(before, outcomes)
    assert [lane.clauses for lane in after.lanes] == [(rollout,), (), (), ()]
    assert after.state is before.state
