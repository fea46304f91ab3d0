"""Everything that stands in the way, read at once with the real gcloud and reported at once."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from kit.cloud.preflight import Preflight, check, findings_text
from kit.config import Config
from kit.errors import Code, KitError
from kit.platforms.findings import Finding
from kit.platforms.gcloud.runner import Gcloud
from kit.platforms.platform import Host
from kit.platforms.service import Place, Service
from kit.rehearsal.plane import Plane
from kit.targets import Target, get

CONFIG = Config(project="demo-project", project_source="--project")
PLACES = (
    Place("standard", "app_engine", "demo-project", None, "default"),
    Place("flex", "app_engine", "demo-project", None, "sp-flex"),
    Place("run", "cloud_run", "demo-project", "europe-west1", "streamproof"),
)
Check = Callable[..., Preflight]


class Empty:
    """A host where nothing is deployed."""

    def __init__(self, place: Place) -> None:
        self.place = place

    async def look(self, listed: object = None) -> Service | None:
        return None


@pytest.fixture
def look(plane: Plane, gcloud_env: dict[str, str], tmp_path: Path) -> Check:
    """The preflight of all three targets, against the loopback Google; keywords go into the environment."""

    def run(**env: str) -> Preflight:
        gcloud = Gcloud({**os.environ, **gcloud_env, **env}, tmp_path / "logs", pytest.fail)
        return asyncio.run(check(gcloud, CONFIG, places()))

    return run


def places() -> list[tuple[Target, Host]]:
    return [(get(place.target), Empty(place)) for place in PLACES]  # type: ignore[misc]


def test_a_ready_project_is_read_without_changing_anything(plane: Plane, look: Check) -> None:
    found = look()
    assert (found.stops, found.questions, found.error()) == ((), (), None)
    assert (found.project, found.listed) == ("demo-project", {"app_engine": [], "cloud_run": None})
    reads = {"get", "list", "getIamPolicy", "getBillingInfo"}
    assert {name.rpartition(".")[2] for name in plane.names()} <= reads


def test_all_that_is_wrong_is_found_at_once(plane: Plane, look: Check) -> None:
    plane.project.enabled -= {"run.googleapis.com", "cloudbuild.googleapis.com"}
    plane.project.billing = False
    plane.project.policy["roles/editor"] = ["serviceAccount:demo-project@appspot.gserviceaccount.com"]
    found = look()
    assert [finding.level for finding in found.findings][:3] == ["stop", "ask", "warn"]
    (question,) = found.questions
    assert question.command is not None
    assert question.command.words[2:4] == ("run.googleapis.com", "cloudbuild.googleapis.com")
    error = found.error()
    assert error is not None
    assert error.code is Code.NOT_READY_TO_DEPLOY
    assert "linkedaccount" in error.hint


def test_a_token_that_google_does_not_take_is_one_finding(look: Check) -> None:
    (stop,) = look(CLOUDSDK_AUTH_ACCESS_TOKEN="expired").stops
    assert "gcloud auth login" in stop.remedy


def test_without_gcloud_nothing_is_asked(tmp_path: Path) -> None:
    gcloud = Gcloud({"PATH": str(tmp_path)}, tmp_path / "logs", pytest.fail)
    (stop,) = asyncio.run(check(gcloud, CONFIG, places())).stops
    assert "https://cloud.google.com/sdk/docs/install" in stop.remedy


def test_without_a_project_nothing_is_asked(tmp_path: Path) -> None:
    gcloud = Gcloud({}, tmp_path / "logs", pytest.fail)
    (stop,) = asyncio.run(check(gcloud, Config(), places())).findings
    assert "--project" in stop.remedy


def test_findings_are_told_the_gravest_first_each_with_its_remedy() -> None:
    found = findings_text(
        Preflight(
            (Finding("note", "N."), Finding("stop", "S.", "Do it."), Finding("ask", "A?")), "demo-project"
        )
    )
    assert found == "stop: S.\n  Do it.\nask: A?\nnote: N."


def test_an_error_of_a_host_that_is_no_user_s_is_not_swallowed(tmp_path: Path) -> None:
    class Broken(Empty):
        async def look(self, listed: object = None) -> Service | None:
            raise ZeroDivisionError

    (tmp_path / "gcloud").write_text("#!/bin/sh\necho '{}'\n")
    (tmp_path / "gcloud").chmod(0o755)
    gcloud = Gcloud({"PATH": f"{tmp_path}:/bin:/usr/bin"}, tmp_path / "logs", pytest.fail)
    with pytest.raises(ZeroDivisionError):
        asyncio.run(check(gcloud, CONFIG, [(get("run"), Broken(PLACES[2]))]))  # type: ignore[list-item]


def test_when_one_read_cannot_reach_google_nobody_waits_for_the_others(tmp_path: Path) -> None:
    class Endless(Empty):
        async def look(self, listed: object = None) -> Service | None:
            await asyncio.Event().wait()
            return None

    class Offline(Empty):
        async def look(self, listed: object = None) -> Service | None:
            raise KitError(Code.UNREACHABLE, "Google could not be reached.", "Look at the network.")

    (tmp_path / "gcloud").write_text("#!/bin/sh\necho '{}'\n")
    (tmp_path / "gcloud").chmod(0o755)
    gcloud = Gcloud({"PATH": f"{tmp_path}:/bin:/usr/bin"}, tmp_path / "logs", pytest.fail)
    there = [(get("standard"), Endless(PLACES[0])), (get("run"), Offline(PLACES[2]))]
    found = asyncio.run(check(gcloud, CONFIG, there))  # type: ignore[arg-type]
    assert "Google could not be reached." in [finding.text for finding in found.stops]
