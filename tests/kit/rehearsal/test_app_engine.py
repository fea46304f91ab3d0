"""The real gcloud deploys to the loopback App Engine, and finds there what Google would show it."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from kit.bundle import MANIFEST, Bundle, write
from kit.config import Config
from kit.rehearsal.faults import busy, quota, too_many_versions
from kit.rehearsal.plane import Plane
from kit.rehearsal.uploads import Kind, Unhosted, Upload
from kit.rehearsal.wire import ApiError
from kit.render import render
from kit.targets import load_targets
from tests.fixtures.rehearsal import Gcloud

SERVER_SIDE = {"CLOUDSDK_APP_TRIGGER_BUILD_SERVER_SIDE": "1"}
QUIET = ("--quiet", "--format=json")


class Hosted(Unhosted):
    """Remembers the calls that it gets."""

    def __init__(self) -> None:
        super().__init__("demo-project")
        self.served: list[Upload] = []
        self.routed: list[dict[str, float]] = []
        self.stopped: list[str] = []

    def serve(self, upload: Upload) -> str:
        self.served.append(upload)
        return f"http://127.0.0.1:9/{upload.version}/{len(self.served)}"

    def route(self, kind: Kind, service: str, shares: Any, *, tag: str | None = None) -> str:
        self.routed.append(dict(shares))
        return "http://127.0.0.1:9/"

    def stop(self, kind: Kind, service: str, version: str) -> None:
        self.stopped.append(version)


def rendered(target: str, folder: Path, service: str = "default") -> tuple[Bundle, Path]:
    """A bundle and its folder, of which gcloud gets a copy with one variable more in its app.yaml."""
    targets = load_targets()
    bundle = render(targets[target], Config(targets={target: {"service": service}}))
    release = folder / "release"
    shutil.copytree(write(bundle, folder / "build"), release)
    with (release / "app.yaml").open("a") as app_yaml:
        app_yaml.write('  OF_THE_RELEASE: "yes"\n')
    return bundle, release


def check(upload: Upload, bundle: Bundle, release: Path) -> None:
    """Byte for byte the bundle, less what is for gcloud alone, and with the release's own app.yaml."""
    expected = {name: content for name, content in bundle.files.items() if name != ".gcloudignore"}
    expected["app.yaml"] = (release / "app.yaml").read_bytes()
    assert MANIFEST not in upload.files
    assert dict(upload.files) == expected
    assert upload.environment["OF_THE_RELEASE"] == "yes"
    assert upload.environment["STREAMPROOF_TARGET"] == bundle.target.name


def test_standard_uploads_the_bundle_and_its_first_version_serves(
    plane: Plane, gcloud: Gcloud, tmp_path: Path
) -> None:
    plane.hosting = hosted = Hosted()
    bundle, release = rendered("standard", tmp_path)
    for stray in (".env", ".git/config", ".venv/bin/python"):
        (release / stray).parent.mkdir(parents=True, exist_ok=True)
        (release / stray).write_text("a secret")
    ran = gcloud("app", "deploy", release, "--version=sp-one", "--no-promote", *QUIET)
    assert ran.returncode == 0, ran.stderr
    (upload,) = hosted.served
    check(upload, bundle, release)
    assert (upload.kind, upload.service, upload.version) == ("standard", "default", "sp-one")
    assert upload.command == "gunicorn -c gunicorn.conf.py service.main:app"
    assert hosted.routed == [{"sp-one": 1.0}]
    named = plane.names()
    assert named[:3] == ["storage.objects.get", "appengine.apps.get", "appengine.apps.services.list"]
    assert named.count("appengine.apps.services.versions.create") == 1

    # What is there already is not uploaded again, and the second version gets no traffic.
    uploads = len(plane.names("/upload/"))
    ran = gcloud("app", "deploy", release, "--version=sp-two", "--no-promote", *QUIET)
    assert ran.returncode == 0, ran.stderr
    assert len(plane.names("/upload/")) == uploads
    assert plane.app_engine.services["default"].split == {"sp-one": 1.0}

    ran = gcloud("app", "versions", "describe", "sp-two", "--service=default", "--format=json")
    described = json.loads(ran.stdout)
    assert described["versionUrl"] == "http://127.0.0.1:9/sp-two/2"
    assert described["envVariables"]["OF_THE_RELEASE"] == "yes"


@pytest.mark.parametrize("env", [{}, SERVER_SIDE], ids=["client-side", "server-side"])
def test_flex_uploads_the_bundle_whoever_builds_it(
    plane: Plane, gcloud: Gcloud, tmp_path: Path, env: dict[str, str]
) -> None:
    plane.hosting = hosted = Hosted()
    plane.app_engine.add_version("default", "theirs")
    bundle, release = rendered("flex", tmp_path, "sp-flex")
    ran = gcloud("app", "deploy", release, "--version=sp-one", "--no-promote", *QUIET, env=env)
    assert ran.returncode == 0, ran.stderr
    assert "REMOTE BUILD OUTPUT" in ran.stderr
    (upload,) = hosted.served
    check(upload, bundle, release)
    assert (upload.kind, upload.service, upload.version) == ("flex", "sp-flex", "sp-one")
    assert upload.command is None
    assert bool(plane.names("cloudbuild.projects.builds.create")) == (not env)
    assert plane.app_engine.services["sp-flex"].split == {"sp-one": 1.0}


@pytest.mark.thorough
def test_googles_own_file_can_choose_the_server_side_build(
    plane: Plane, gcloud: Gcloud, tmp_path: Path
) -> None:
    plane.app_engine.publish_experiments(100)
    plane.app_engine.add_version("default", "theirs")
    plane.builds.failing["flex"] = "no space left on device"
    _, release = rendered("flex", tmp_path, "sp-flex")
    ran = gcloud("app", "deploy", release, "--version=sp-one", "--no-promote", *QUIET)
    assert not plane.names("cloudbuild.projects.builds.create")
    assert ran.returncode == 1
    assert "no space left on device" in ran.stderr
    assert "sp-flex" not in plane.app_engine.services


@pytest.mark.thorough
def test_an_app_yaml_of_the_folder_wins_over_the_appyaml_flag(
    plane: Plane, gcloud: Gcloud, tmp_path: Path
) -> None:
    """Another app.yaml takes another folder: the flag is ignored without a word."""
    plane.hosting = hosted = Hosted()
    _, release = rendered("standard", tmp_path)
    folder = tmp_path / "build" / "standard"
    flag = f"--appyaml={release / 'app.yaml'}"
    ran = gcloud("app", "deploy", folder, flag, "--version=sp-one", *QUIET)
    assert ran.returncode == 0, ran.stderr
    assert "OF_THE_RELEASE" not in hosted.served[0].environment
    (folder / "app.yaml").unlink()
    ran = gcloud("app", "deploy", folder, flag, "--version=sp-two", *QUIET)
    assert ran.returncode == 0, ran.stderr
    assert hosted.served[1].environment["OF_THE_RELEASE"] == "yes"
    assert hosted.served[1].files["app.yaml"] == (release / "app.yaml").read_bytes()


@pytest.mark.thorough
@pytest.mark.parametrize("kind", ["standard", "flex"])
def test_a_build_that_fails_ends_gcloud_with_its_log(
    plane: Plane, gcloud: Gcloud, tmp_path: Path, kind: Kind
) -> None:
    plane.app_engine.add_version("default", "theirs")
    plane.builds.failing[kind] = "ERROR: No matching distribution found for streamproof-nowhere"
    _, release = rendered(kind, tmp_path, "sp-new")
    ran = gcloud("app", "deploy", release, "--version=sp-one", "--no-promote", *QUIET)
    assert ran.returncode == 1
    assert ran.stdout == ""
    assert "No matching distribution found" in ran.stderr
    assert "sp-new" not in plane.app_engine.services


@pytest.mark.thorough
def test_what_stands_in_a_deploys_way_is_said_as_google_says_it(
    plane: Plane, gcloud: Gcloud, tmp_path: Path
) -> None:
    _, release = rendered("standard", tmp_path, "sp-first")
    deploy = ("app", "deploy", release, "--version=sp-one", "--no-promote", *QUIET)
    create = "appengine.apps.services.versions.create"
    assert "must be the 'default' service" in gcloud(*deploy).stderr
    plane.app_engine.add_version("default", "theirs")
    for error, said in (
        (busy(), "an operation is already in progress"),
        (quota(), "Quota exceeded"),
        (too_many_versions(), "may not have more than '210' versions"),
    ):
        plane.faults.add(create, error)
        ran = gcloud(*deploy)
        assert (ran.returncode, said in ran.stderr) == (1, True), ran.stderr
    plane.project.enabled.discard("appengine.googleapis.com")
    assert "SERVICE_DISABLED" in gcloud(*deploy).stderr
    plane.project.enabled.add("appengine.googleapis.com")
    plane.project.billing = False
    assert "illing" in gcloud(*deploy).stderr
    assert "sp-first" not in plane.app_engine.services


def test_a_version_that_does_not_start_is_the_operations_error(
    plane: Plane, gcloud: Gcloud, tmp_path: Path
) -> None:
    class Broken(Hosted):
        def serve(self, upload: Upload) -> str:
            raise ApiError("FAILED_PRECONDITION", "Your app did not become healthy in time.")

    plane.hosting = Broken()
    _, release = rendered("standard", tmp_path)
    ran = gcloud("app", "deploy", release, "--version=sp-one", *QUIET)
    assert ran.returncode == 1
    assert "did not become healthy" in ran.stderr
    assert plane.app_engine.services == {}


@pytest.mark.thorough
def test_a_build_takes_its_time(plane: Plane, gcloud: Gcloud, tmp_path: Path) -> None:
    plane.builds.seconds["standard"] = 1.5
    _, release = rendered("standard", tmp_path)
    began = time.monotonic()
    ran = gcloud("app", "deploy", release, "--version=sp-one", *QUIET)
    assert ran.returncode == 0, ran.stderr
    assert time.monotonic() - began >= 1.5
    assert plane.names("appengine.apps.operations.get")


def test_traffic_and_versions_move_as_gcloud_says(plane: Plane, gcloud: Gcloud) -> None:
    plane.hosting = hosted = Hosted()
    for version in ("sp-one", "sp-two"):
        made = plane.app_engine.add_version("sp-flex", version, env="flex", manualScaling={"instances": 1})
        made.upload = Upload("flex", "sp-flex", version, {}, {}, None)
    plane.app_engine.add_version("default", "theirs")
    held = plane.app_engine.services["sp-flex"]

    def run(*words: str) -> Any:
        ran = gcloud("app", *words, *QUIET)
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout)

    assert run("services", "set-traffic", "sp-flex", "--splits=sp-two=1") == []
    assert held.split == {"sp-two": 1.0}
    assert hosted.routed == [{"sp-two": 1.0}]

    run("versions", "stop", "sp-one", "--service=sp-flex")
    assert hosted.stopped == ["sp-one"]
    listed = run("versions", "list", "--service=sp-flex")
    assert {each["id"]: each["version"]["servingStatus"] for each in listed} == {
        "sp-one": "STOPPED",
        "sp-two": "SERVING",
    }
    assert {each["id"]: each["traffic_split"] for each in listed} == {"sp-one": 0.0, "sp-two": 1.0}

    run("versions", "start", "sp-one", "--service=sp-flex")
    assert held.versions["sp-one"].resource["servingStatus"] == "SERVING"
    assert [upload.version for upload in hosted.served] == ["sp-one"]

    run("versions", "delete", "sp-one", "--service=sp-flex")
    assert list(held.versions) == ["sp-two"]
    described = run("services", "describe", "sp-flex")
    assert described["split"]["allocations"] == {"sp-two": 1.0}

    run("services", "delete", "sp-flex")
    assert [each["id"] for each in run("services", "list")] == ["default"]
    assert hosted.stopped == ["sp-one", "sp-one", "sp-two"]


def test_default_can_be_neither_deleted_nor_stopped_where_it_scales_by_itself(
    plane: Plane, gcloud: Gcloud
) -> None:
    plane.app_engine.add_version("default", "sp-one")
    ran = gcloud("app", "services", "delete", "default", *QUIET)
    assert (ran.returncode, "may not be deleted" in ran.stderr) == (1, True)
    ran = gcloud("app", "versions", "stop", "sp-one", "--service=default", *QUIET)
    assert (ran.returncode, "does not exist" in ran.stderr) == (1, True)
    ran = gcloud("app", "versions", "delete", "sp-one", "--service=default", *QUIET)
    assert (ran.returncode, "may not be deleted" in ran.stderr) == (1, True)


def test_an_app_is_created_once(plane: Plane, gcloud: Gcloud) -> None:
    plane.app_engine.app = None
    ran = gcloud("app", "describe", "--format=json")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "does not contain an App Engine application" in ran.stderr
    assert gcloud("app", "create", "--region=europe-west", *QUIET).returncode == 0
    described = json.loads(gcloud("app", "describe", "--format=json").stdout)
    assert described["locationId"] == "europe-west"
    ran = gcloud("app", "create", "--region=us-central", *QUIET)
    assert (ran.returncode, "already" in ran.stderr) == (1, True)
