"""What App Engine is asked, how often, and what is left alone."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from kit.errors import Code, KitError
from kit.platforms.app_engine.host import AppEngineHost
from kit.platforms.gcloud.runner import Gcloud
from tests.kit.platforms.recorder import Recorder, recorded
from tests.kit.platforms.releases import FLEX, answer, release

STOPPED, SERVING = "sp-toxixbzx", "sp-toxixr4c"


def with_(**answers: Any) -> tuple[AppEngineHost, Recorder]:
    """A Flex service with a version that serves and one that is stopped; `_` in a name stands for a space."""
    given = {name.replace("_", " "): reply for name, reply in answers.items()}
    recorder = Recorder({**given, **recorded(), **given})
    return AppEngineHost(FLEX, cast(Gcloud, recorder)), recorder


def test_each_version_is_asked_for_its_variables_once() -> None:
    host, gcloud = with_()

    async def story() -> None:
        for _ in range(3):
            found = await host.look()
            assert found is not None
            assert [version.target for version in found.versions] == ["flex", "flex"]

    asyncio.run(story())
    assert (gcloud.asked("app versions list"), gcloud.asked("app versions describe")) == (3, 2)


def test_what_was_just_listed_of_the_whole_app_is_not_asked_again() -> None:
    host, gcloud = with_()
    elsewhere = {"id": "v1", "service": "default", "traffic_split": 1.0, "version": {"id": "v1"}}
    found = asyncio.run(host.look([elsewhere, *answer("app-versions-list")]))
    assert found is not None
    assert {version.name for version in found.versions} == {SERVING, STOPPED}
    assert gcloud.asked("app versions list") == 0
    assert asyncio.run(host.look([elsewhere])) is None


def test_a_version_deleted_since_the_list_was_made_counts_as_nobodys() -> None:
    gone = KitError(Code.NOT_FOUND_IN_CLOUD, "It is gone.", "")
    host, _ = with_(**{f"app versions describe {STOPPED}": gone})
    found = asyncio.run(host.look())
    assert found is not None
    assert {version.name: version.target for version in found.versions} == {SERVING: "flex", STOPPED: None}


def test_no_such_service_is_no_error_and_any_other_trouble_is() -> None:
    host, _ = with_(app_versions_list=KitError(Code.NOT_FOUND_IN_CLOUD, "Service [sp-flex] not found.", ""))
    assert asyncio.run(host.look()) is None
    host, _ = with_(app_versions_list=KitError(Code.PERMISSION_DENIED, "No.", ""))
    with pytest.raises(KitError) as caught:
        asyncio.run(host.look())
    assert caught.value.code is Code.PERMISSION_DENIED


def test_a_version_that_runs_is_stopped_and_one_that_does_not_is_started() -> None:
    host, gcloud = with_()

    async def story() -> None:
        await host.stop(STOPPED, print)
        await host.start(SERVING, print)
        assert gcloud.changes == []
        await host.stop(SERVING, print)
        await host.start(STOPPED, print)

    asyncio.run(story())
    assert gcloud.changes == [
        f"gcloud app versions stop {SERVING} --service=sp-flex",
        f"gcloud app versions start {STOPPED} --service=sp-flex",
    ]


def test_a_standard_version_that_scales_by_itself_is_not_stopped_and_what_ends_its_cost_is_said() -> None:
    listed = answer("app-versions-list")
    for one in listed:
        kept = {name: value for name, value in one["version"].items() if not name.endswith("Scaling")}
        scheduler = {"standardSchedulerSettings": {"minInstances": 1}}
        one["version"] = {**kept, "env": "standard", "automaticScaling": scheduler}
    host, gcloud = with_(app_versions_list=listed)
    lines: list[str] = []
    asyncio.run(host.stop(SERVING, lines.append))
    assert gcloud.changes == []
    assert lines == [
        f"{SERVING} keeps its instances, and their cost: App Engine stops no Standard version that scales by "
        f"itself. This removes it: gcloud app versions delete {SERVING} --service=sp-flex "
        "--project=demo-project --quiet"
    ]


def test_a_version_started_a_moment_ago_can_be_stopped() -> None:
    host, gcloud = with_()

    async def story() -> None:
        await host.look()
        await host.start(STOPPED, print)
        await host.stop(STOPPED, print)

    asyncio.run(story())
    assert gcloud.asked("app versions list") == 1, "what this run did needs no look"
    assert gcloud.changes[-1] == f"gcloud app versions stop {STOPPED} --service=sp-flex"


def test_the_version_deployed_is_told_with_its_own_url_and_marker() -> None:
    described = {**answer("app-versions-describe")[SERVING], "id": "sp-toxit8wo"}
    one = {"id": described["id"], "service": "sp-flex", "traffic_split": 1.0, "version": described}
    host, gcloud = with_(app_versions_list=[one])
    found, made = asyncio.run(host.deploy(release(FLEX, creates=True), print))
    assert (made.name, made.target, made.traffic) == ("sp-toxit8wo", "flex", 1.0)
    assert made.url == described["versionUrl"]
    assert found.serving == made
    assert gcloud.asked("app versions describe") == 0, "its variables are this release's own"
    assert gcloud.changes == ["gcloud app deploy build/releases/flex --version=sp-toxit8wo --no-promote"]


def test_a_version_that_gcloud_does_not_list_after_its_deployment_is_told_of() -> None:
    host, _ = with_()
    with pytest.raises(KitError, match="sp-toxit8wo was deployed to the service sp-flex, but it") as caught:
        asyncio.run(host.deploy(release(FLEX), print))
    assert caught.value.code is Code.NOT_FOUND_IN_CLOUD


def test_images_that_nobody_may_list_are_told_of_and_all_else_can_go() -> None:
    host, _ = with_(artifacts=KitError(Code.PERMISSION_DENIED, "This account may not.", ""))
    first, images, archives = asyncio.run(host.removals())
    assert first.command is not None
    assert archives.command is not None
    assert images.command is None
    assert images.what == "images, if any: they could not be looked for. This account may not."


def test_an_api_that_was_never_on_left_nothing() -> None:
    off = KitError(Code.API_OFF, "Artifact Registry is off.", "")
    host, _ = with_(artifacts=off, storage=off)
    assert len(asyncio.run(host.removals())) == 1


def test_for_single_versions_neither_images_nor_archives_go() -> None:
    host, gcloud = with_()
    (only,) = asyncio.run(host.removals(versions=(STOPPED,)))
    assert only.what == f"1 version ({STOPPED}) of the service sp-flex"
    assert gcloud.asked("storage") == 0


def test_where_another_app_has_versions_too_neither_its_versions_nor_what_was_built_for_them_go() -> None:
    described = answer("app-versions-describe")[STOPPED]
    theirs = {**described, "envVariables": {**described["envVariables"], "STREAMPROOF_APP": "shop-1a2b3c4d"}}
    host, _ = with_(**{f"app versions describe {STOPPED}": theirs})
    removals = asyncio.run(host.removals())
    assert removals
    assert not [one for one in removals if STOPPED in one.what and one.command is not None]
    assert not [one for one in removals if "image" in one.what or "archive" in one.what]
