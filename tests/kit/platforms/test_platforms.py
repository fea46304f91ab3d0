"""Each platform through the real gcloud, against the tests' control plane: from nothing and back to it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from kit.cloud.release import release, write_release
from kit.config import Config
from kit.errors import Code, KitError
from kit.platforms import load
from kit.platforms.gcloud.runner import Gcloud
from kit.platforms.platform import Host
from kit.platforms.service import Place, Service, Version
from kit.rehearsal.knative import Service as Theirs
from kit.rehearsal.plane import Plane
from kit.rehearsal.wire import ApiError
from kit.render import render, write
from kit.targets import load_targets
from tests.kit.platforms.releases import FLEX, RUN, STANDARD

NOW = 1_800_000_000.0


class Session:
    """One place in the cloud, and what is said on the way."""

    def __init__(self, place: Place, env: dict[str, str], folder: Path) -> None:
        self.place = place
        self.lines: list[str] = []
        self.echoed: list[str] = []
        self.gcloud = Gcloud({**os.environ, **env}, folder / "logs", self.echoed.append)
        self.host: Host = load(place.platform).at(place, self.gcloud)
        self._root = folder / "build"
        self._made = 0

    async def deploy(self, *, creates: bool) -> Version:
        """One more release of the target's bundle."""
        target = load_targets()[self.place.target]
        config = Config(project=self.place.project, region="europe-west1")
        bundle = render(target, config)
        write(bundle, self._root)
        self._made += 1
        made = release(
            self.place,
            bundle,
            config,
            now_s=NOW + self._made,
            creates=creates,
            token_sha256=None,
            root=self._root,
            salt="aa",
        )
        write_release(made, bundle, config)
        _, version = await self.host.deploy(made, self.lines.append)
        return version

    async def remove(self) -> tuple[str, ...]:
        """All that can be removed; what stays, in words."""
        removals = await self.host.removals()
        for removal in removals:
            if removal.command is not None:
                await self.gcloud.run(removal.command, log="destroy")
        return tuple(removal.what for removal in removals if removal.command is None)


@pytest.fixture
def session(plane: Plane, gcloud_env: dict[str, str], tmp_path: Path) -> Callable[[Place], Session]:
    return lambda place: Session(place, gcloud_env, tmp_path)


def by_hand(plane: Plane) -> Theirs:
    """Another's service on Cloud Run, under the name that the kit's would have."""
    template = {"metadata": {}, "spec": {"containers": [{"image": "europe-docker.pkg.dev/p/r/theirs"}]}}
    theirs = plane.cloud_run.services["europe-west1", "streamproof"] = Theirs(
        "streamproof", "europe-west1", "1"
    )
    theirs.url = "https://streamproof.test"
    theirs.settle(theirs.apply({"metadata": {}, "spec": {"template": template}}, "made by hand"))
    return theirs


def shares(service: Service | None) -> list[tuple[str, float, bool]]:
    assert service is not None
    return [(version.name, version.traffic, version.running) for version in service.versions]


@pytest.mark.thorough
def test_standard_is_deployed_as_default_which_stays_and_says_so(
    session: Callable[[Place], Session], plane: Plane
) -> None:
    there = session(STANDARD)

    async def story() -> None:
        assert await there.host.look() is None
        first = await there.deploy(creates=True)
        assert (first.traffic, first.target) == (1.0, "standard")
        second = await there.deploy(creates=False)
        assert second.url == plane.app_engine.services["default"].versions[second.name].resource["versionUrl"]
        await there.host.promote(second.name, there.lines.append)
        await there.host.stop(first.name, there.lines.append)
        found = await there.host.look()
        assert found is not None
        assert shares(found) == [(second.name, 1.0, True), (first.name, 0.0, True)]
        assert found.ours
        assert found.url == second.url
        assert found.costs == "requests"
        (stays,) = await there.remove()
        assert stays.startswith(f"{second.name}: App Engine's service `default` cannot be deleted.")
        assert list(plane.app_engine.services["default"].versions) == [second.name]

    asyncio.run(story())
    assert not any(" versions stop " in line for line in there.echoed), (
        "nothing to stop, so nothing was tried"
    )


@pytest.mark.thorough
def test_flex_costs_until_it_is_stopped_and_leaves_nothing(
    session: Callable[[Place], Session], plane: Plane
) -> None:
    plane.app_engine.add_version("default", "v1")
    there = session(FLEX)

    async def story() -> None:
        first = await there.deploy(creates=True)
        second = await there.deploy(creates=False)
        found = await there.host.look()
        assert shares(found) == [(second.name, 0.0, True), (first.name, 1.0, True)]
        await there.host.promote(second.name, there.lines.append)
        await there.host.stop(first.name, there.lines.append)
        found = await there.host.look()
        assert found is not None
        assert shares(found) == [(second.name, 1.0, True), (first.name, 0.0, False)]
        assert found.costs == "always"
        await there.host.start(first.name, there.lines.append)
        assert (
            plane.app_engine.services["sp-flex"].versions[first.name].resource["servingStatus"] == "SERVING"
        )
        assert await there.remove() == ()
        assert await there.host.look() is None
        assert await there.host.removals() == ()

    asyncio.run(story())
    assert list(plane.app_engine.services) == ["default"], "another's service is untouched"
    assert "Building and pushing image for service [sp-flex]" in there.lines


@pytest.mark.thorough
def test_cloud_run_goes_public_only_when_opened_and_leaves_nothing(
    session: Callable[[Place], Session], plane: Plane
) -> None:
    there = session(RUN)

    async def story() -> None:
        assert await there.host.look() is None
        first = await there.deploy(creates=True)
        assert (first.traffic, first.target) == (1.0, "run")
        second = await there.deploy(creates=False)
        assert second.url is not None
        assert second.url != first.url
        found = await there.host.look()
        assert found is not None
        assert found.public is False
        assert shares(found) == [(second.name, 0.0, True), (first.name, 1.0, True)]
        await there.host.promote(second.name, there.lines.append)
        await there.host.stop(first.name, there.lines.append)
        await there.host.open(there.lines.append)
        found = await there.host.look()
        assert found is not None
        assert found.public is True
        assert found.serving == replace(second, traffic=1.0)
        assert found.costs == "requests"
        assert await there.remove() == ()
        assert await there.host.look() is None
        assert await there.host.removals() == ()

    asyncio.run(story())
    assert not any(plane.artifacts.images.values())


@pytest.mark.thorough
def test_what_somebody_else_had_on_cloud_run_serves_again_when_ours_is_gone(
    session: Callable[[Place], Session], plane: Plane
) -> None:
    theirs = by_hand(plane)
    (before,) = theirs.revisions
    there = session(RUN)

    async def story() -> None:
        first = await there.deploy(creates=False)
        await there.host.promote(first.name, there.lines.append)
        second = await there.deploy(creates=False)
        (stays,) = await there.remove()
        assert stays.startswith(f"{second.name}: the newest revision of a service cannot be deleted.")
        assert list(theirs.revisions) == [before, second.name]

    asyncio.run(story())
    assert theirs.shares == {before: 1.0}
    assert not theirs.tag_urls, "no caller reaches what stays"
    assert any(plane.artifacts.images.values()), "an image may be theirs"


FOREIGN = ApiError("NOT_FOUND", "The proxy host proxy.example.com could not be found.")


@pytest.mark.parametrize(
    ("place", "call", "said"),
    [
        (FLEX, "appengine.apps.services.list", FOREIGN.message),
        (FLEX, "appengine.apps.services.versions.list", "the service sp-flex and none of its versions"),
        (FLEX, "appengine.apps.services.versions.get", FOREIGN.message),
        (RUN, "run.projects.locations.services.getIamPolicy", FOREIGN.message),
        (RUN, "run.namespaces.revisions.list", FOREIGN.message),
    ],
)
def test_a_look_that_was_answered_with_a_foreign_not_found_is_an_error(
    session: Callable[[Place], Session], plane: Plane, place: Place, call: str, said: str
) -> None:
    plane.app_engine.add_version("default", "v1")
    plane.app_engine.add_version("sp-flex", "sp-abc12345")
    by_hand(plane)
    plane.faults.add(call, FOREIGN, times=None)
    with pytest.raises(KitError, match=said) as caught:
        asyncio.run(session(place).host.look())
    assert caught.value.code is Code.GCLOUD_FAILED


@pytest.mark.parametrize("name", ["a_farm", "gcloud", "service", "../run", ""])
def test_what_is_no_platform_is_named_beside_those_that_are(name: str) -> None:
    with pytest.raises(KitError) as caught:
        load(name)
    assert caught.value.code is Code.BAD_TARGET
    assert repr(name) in caught.value.message
    assert "app_engine or cloud_run or gke" in caught.value.hint
