"""App Engine's lines as people would paste them, and gcloud's answers as the kit reads them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kit.platforms.app_engine import commands as app_engine
from kit.platforms.command import Command
from kit.platforms.service import Place, Service, Version
from tests.kit.platforms.releases import FLEX, STANDARD, answer, release

DESCRIBED = answer("app-versions-describe")
VARIABLES = {name: app_engine.parse_variables(described) for name, described in DESCRIBED.items()}
FIRST, SECOND = "sp-toxixbzx", "sp-toxixr4c"


def test_a_release_takes_no_traffic() -> None:
    assert app_engine.deploy(release(FLEX)).line == (
        "gcloud app deploy build/releases/flex --version=sp-toxit8wo --no-promote "
        "--project=demo-project --quiet"
    )


@pytest.mark.parametrize(
    ("command", "line"),
    [
        (app_engine.describe_app(FLEX), "app describe --project=demo-project --quiet --format=json"),
        (
            app_engine.list_versions(FLEX),
            "app versions list --service=sp-flex --project=demo-project --quiet --format=json",
        ),
        (
            app_engine.describe_version(FLEX, FIRST),
            "app versions describe sp-toxixbzx --service=sp-flex --project=demo-project --quiet "
            "--format=json",
        ),
        (
            app_engine.set_traffic(FLEX, FIRST),
            "app services set-traffic sp-flex --splits=sp-toxixbzx=1 --project=demo-project --quiet",
        ),
        (
            app_engine.start_version(FLEX, FIRST),
            "app versions start sp-toxixbzx --service=sp-flex --project=demo-project --quiet",
        ),
        (
            app_engine.stop_version(FLEX, FIRST),
            "app versions stop sp-toxixbzx --service=sp-flex --project=demo-project --quiet",
        ),
        (
            app_engine.delete_versions(FLEX, FIRST, SECOND),
            "app versions delete sp-toxixbzx sp-toxixr4c --service=sp-flex --project=demo-project --quiet",
        ),
        (
            app_engine.delete_service(FLEX),
            "app services delete sp-flex --project=demo-project --quiet",
        ),
    ],
    ids=lambda value: "" if isinstance(value, Command) else " ".join(str(value).split()[:3]),
)
def test_each_line_can_be_pasted(command: Command, line: str) -> None:
    assert command.line == f"gcloud {line}"
    assert command.changes is ("--format=json" not in line)


def test_the_versions_of_a_service_are_read_newest_first() -> None:
    first, second = app_engine.parse_versions(answer("app-versions-list"), FLEX, VARIABLES)
    assert first == Version(
        name=SECOND,
        url="https://sp-toxixr4c-dot-sp-flex-dot-demo-project.appspot.test",
        created_at="2026-11-23T00:34:45.166Z",
        traffic=1.0,
        running=True,
        target="flex",
        digest="30bd4cfeb826b98478c83a79de8b3aa0ac72cc3c",
        min_instances=1,
    )
    assert (second.name, second.running, second.traffic) == (FIRST, False, 0.0)


def test_a_version_is_ours_by_its_name_and_its_marker_together() -> None:
    described = DESCRIBED[FIRST]
    assert app_engine.parse_version(described).target == "flex"
    assert app_engine.parse_version({**described, "id": "v1"}).target is None
    assert app_engine.parse_version({**described, "envVariables": {}}).target is None
    assert app_engine.parse_version({**described, "envVariables": None}).digest is None


def test_a_version_whose_variables_nobody_read_counts_as_somebody_elses() -> None:
    versions = app_engine.parse_versions(answer("app-versions-list"), FLEX, {})
    assert [version.target for version in versions] == [None, None]


def test_only_versions_named_like_ours_are_asked_for_their_variables() -> None:
    listed = answer("app-versions-list")
    assert sorted(name for name, _ in app_engine.marked(listed, FLEX)) == [FIRST, SECOND]
    assert app_engine.marked(listed, STANDARD) == ()
    theirs = [{**listed[0], "id": "v1"}]
    assert app_engine.marked(theirs, FLEX) == ()


@pytest.mark.parametrize(
    ("scaling", "least", "stops"),
    [
        ({"env": "flexible", "manualScaling": {"instances": 3}}, 3, True),
        ({"env": "flexible", "automaticScaling": {"minTotalInstances": 1}}, 1, True),
        ({"env": "flexible", "automaticScaling": {}}, 2, True),
        ({"env": "standard", "automaticScaling": {}}, 0, False),
        (
            {"env": "standard", "automaticScaling": {"standardSchedulerSettings": {"minInstances": 1}}},
            1,
            False,
        ),
        ({"env": "standard", "basicScaling": {"maxInstances": 4}}, 0, True),
        ({"env": "standard", "manualScaling": {"instances": 2}}, 2, True),
    ],
)
def test_what_runs_unasked_and_whether_it_can_be_stopped_is_known_from_the_scaling(
    scaling: dict[str, object], least: int, stops: bool
) -> None:
    version = app_engine.parse_version({"id": "v1", **scaling})
    assert (version.min_instances, version.stops) == (least, stops)


def version(name: str, traffic: float = 0.0, target: str | None = "flex", **more: object) -> Version:
    made = Version(name, f"https://{name}.test", "2026-11-22T10:00:00Z", traffic, True, target, None, 1)
    return replace(made, **more)  # type: ignore[arg-type]


def plan(place: Place, *versions: Version, only: tuple[str, ...] | None = None) -> list[str]:
    """The lines of what is to be removed; in words where nothing can be done."""
    steps = app_engine.removals(Service(place, None, True, versions), only)
    return [
        step.what
        if step.command is None
        else step.command.line.removesuffix(f" --project={place.project} --quiet")
        for step in steps
    ]


def test_a_service_that_is_all_ours_goes_as_a_whole() -> None:
    assert plan(FLEX, version("sp-2", 1.0), version("sp-1")) == ["gcloud app services delete sp-flex"]


def test_of_the_default_service_all_goes_but_what_serves_and_that_is_stopped() -> None:
    place = replace(FLEX, service="default")
    assert plan(place, version("sp-2", 1.0), version("sp-1")) == [
        "gcloud app versions delete sp-1 --service=default",
        "gcloud app versions stop sp-2 --service=default",
    ]


def test_what_cannot_be_removed_is_said_with_its_reason_and_its_cost() -> None:
    asked = version("sp-1", 1.0, "standard", min_instances=0)
    assert plan(STANDARD, asked) == [
        "sp-1: App Engine's service `default` cannot be deleted. It costs money only while it is asked"
    ]
    kept = version("sp-1", 1.0, "standard", stops=False)
    assert plan(STANDARD, kept) == [
        "sp-1: App Engine's service `default` cannot be deleted. Its instances go on costing: App Engine "
        "stops no Standard version that scales by itself"
    ]
    stopped = version("sp-1", 1.0, "flex", running=False)
    assert plan(replace(FLEX, service="default"), stopped) == [
        "sp-1: App Engine's service `default` cannot be deleted. It is stopped and costs nothing"
    ]


def test_what_was_there_before_the_kit_serves_again_and_stays() -> None:
    assert plan(FLEX, version("sp-1", 1.0), version("v7", target=None), version("v6", target=None)) == [
        "gcloud app services set-traffic sp-flex --splits=v7=1",
        "gcloud app versions delete sp-1 --service=sp-flex",
    ]


def test_traffic_goes_to_no_version_that_is_stopped() -> None:
    steps = plan(FLEX, version("sp-1", 1.0), version("v7", target=None, running=False))
    assert steps == ["gcloud app versions stop sp-1 --service=sp-flex"]


def test_what_the_kit_did_not_make_is_left_alone() -> None:
    assert plan(FLEX, version("v7", 1.0, None), version("sp-9", target="standard")) == []


def test_single_versions_go_without_their_service() -> None:
    versions = (version("sp-3", 1.0), version("sp-2"), version("sp-1"))
    assert plan(FLEX, *versions, only=("sp-2",)) == ["gcloud app versions delete sp-2 --service=sp-flex"]
    assert plan(FLEX, *versions, only=("sp-3",)) == [
        "gcloud app services set-traffic sp-flex --splits=sp-2=1",
        "gcloud app versions delete sp-3 --service=sp-flex",
    ]


def test_a_flex_version_costs_always_until_it_is_stopped() -> None:
    running, stopped = version("sp-2", 1.0), version("sp-1", running=False)
    assert Service(FLEX, None, True, (running, stopped)).costs == "always"
    assert Service(FLEX, None, True, (stopped,)).costs == "nothing"
    assert Service(FLEX, None, True, (replace(running, min_instances=0), stopped)).costs == "requests"


def test_the_apps_bucket_and_registry_are_read() -> None:
    app = app_engine.parse_app(answer("app-describe"))
    assert (app.bucket, app.registry) == ("staging.demo-project.appspot.com", "us.gcr.io")


def test_the_hash_of_the_token_that_a_version_wants_is_read_from_its_variables() -> None:
    described = DESCRIBED[FIRST]
    assert app_engine.parse_version(described).token_sha256 is None
    variables = {**described["envVariables"], "STREAMPROOF_TOKEN_SHA256": "ab" * 32}
    assert app_engine.parse_version({**described, "envVariables": variables}).token_sha256 == "ab" * 32


def test_a_preview_is_known_by_its_variable_where_the_version_is_the_kits() -> None:
    described = {**DESCRIBED[FIRST], "envVariables": {**VARIABLES[FIRST], "STREAMPROOF_PREVIEW": "pr-12"}}
    assert app_engine.parse_version(described).preview == "pr-12"
    assert app_engine.parse_version({**described, "id": "theirs"}).preview is None


def test_flex_images_are_looked_for_in_the_repository_that_took_the_place_of_gcr_io() -> None:
    assert app_engine.repository(FLEX, "us.gcr.io") == "us-docker.pkg.dev/demo-project/us.gcr.io"
    assert app_engine.repository(FLEX, "eu.gcr.io") == "europe-docker.pkg.dev/demo-project/eu.gcr.io"
    assert app_engine.repository(FLEX, "registry.example.com") is None


def test_of_the_apps_images_only_those_of_the_kits_versions_of_this_service_are_its_own() -> None:
    repository = "us-docker.pkg.dev/demo-project/us.gcr.io"
    assert app_engine.is_image(FLEX, f"{repository}/appengine/sp-flex.sp-toxixbzx")
    for theirs in ("appengine/sp-flex.v1", "appengine/other.sp-toxixbzx", "mine/sp-flex.sp-toxixbzx"):
        assert not app_engine.is_image(FLEX, f"{repository}/{theirs}")


def test_flex_archives_are_told_by_service_and_version() -> None:
    assert app_engine.archives(FLEX, "staging.demo-project.appspot.com", "us.gcr.io") == (
        "gs://staging.demo-project.appspot.com/us.gcr.io/demo-project/appengine/sp-flex.sp-**"
    )
