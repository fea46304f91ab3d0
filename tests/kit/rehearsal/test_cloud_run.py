"""Cloud Run, as the real gcloud finds it: what it uploads runs, and Google's rules hold."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kit.bundle import MANIFEST
from kit.config import Config
from kit.rehearsal.archives import from_zip
from kit.rehearsal.faults import quota, unavailable
from kit.rehearsal.hosting import Hosting
from kit.rehearsal.plane import Plane
from kit.rehearsal.wire import ApiError
from kit.render import render, write
from kit.targets import get as target
from tests.fixtures.rehearsal import Gcloud, Ran

REGION = "--region=europe-west1"
IMAGES = "europe-west1-docker.pkg.dev/demo-project/cloud-run-source-deploy"
ARCHIVES = "gs://run-sources-demo-project-europe-west1/services/web/**"
TOKEN = "an-identity-token"


@pytest.fixture
def hosted(plane: Plane) -> Iterator[Plane]:
    """The plane, with what is uploaded running."""
    plane.hosting = Hosting(plane.project.id)
    yield plane
    plane.hosting.close()


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """Cloud Run's bundle, as rendered."""
    return write(render(target("run"), Config()), tmp_path / "build")


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """The smallest source that there is to build."""
    folder = tmp_path / "small"
    folder.mkdir()
    (folder / "Dockerfile").write_text('FROM scratch\nCMD ["python", "-c", "print(1 / 0)"]\n')
    return folder


def deploy(gcloud: Gcloud, source: Path, tag: str, *more: str, new: bool = True) -> Ran:
    first = ("--no-allow-unauthenticated",) if new else ("--no-traffic",)
    return gcloud(
        "run", "deploy", "web", f"--source={source}", f"--tag={tag}", f"--revision-suffix={tag}",
        *first, *more, REGION, "--project=demo-project", "--quiet",
    )  # fmt: skip


def run(gcloud: Gcloud, *words: str) -> Any:
    """A command that must succeed, and what it prints as JSON."""
    ran = gcloud(*words, "--project=demo-project", "--quiet", "--format=json")
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout or "null")


def refused(ran: Ran, why: str) -> None:
    assert ran.returncode == 1
    assert why in ran.stderr


def get(url: str, token: str | None = TOKEN) -> tuple[int, Any]:
    headers = {"X-Serverless-Authorization": f"Bearer {token}"} if token else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=30) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, None


def version_at(url: str) -> str:
    status, document = get(f"{url}/whoami")
    assert status == 200
    return str(document["version"])


def test_a_service_is_made_tried_moved_opened_and_deleted(
    hosted: Plane, gcloud: Gcloud, bundle: Path
) -> None:
    settings = (
        "--set-env-vars=OWN=1,STREAMPROOF_PROOF_UNTIL=99999999999", "--labels=streamproof-target=run",
        "--cpu=1", "--memory=512Mi", "--concurrency=80", "--timeout=300", "--min-instances=0",
        "--max-instances=1", "--service-account=demo-project@appspot.gserviceaccount.com",
    )  # fmt: skip
    assert deploy(gcloud, bundle, "one", *settings).returncode == 0
    service = hosted.cloud_run.service("web")
    hosted.project.identity[TOKEN] = service.url

    # What was uploaded is what was rendered, and nothing else; what says so stays here itself.
    (archive,) = hosted.storage.buckets["run-sources-demo-project-europe-west1"].objects.values()
    files = {path.relative_to(bundle).as_posix(): path for path in bundle.rglob("*") if path.is_file()}
    stays = {MANIFEST, ".gcloudignore"}
    rendered = {name: path.read_bytes() for name, path in files.items() if name not in stays}
    assert from_zip(archive.data) == rendered

    # It serves, privately, in the environment that was asked for.
    assert get(f"{service.url}/whoami", None)[0] == 403
    assert get(f"{service.url}/whoami", "another-accounts")[0] == 401
    assert version_at(service.url) == "web-one"
    assert get(f"{service.url}/proof/ping?n=1")[0] == 200

    # The second takes no traffic, and is reached at its tag's URL.
    assert deploy(gcloud, bundle, "two", new=False).returncode == 0
    described = run(gcloud, "run", "services", "describe", "web", REGION)
    tags = {each["tag"]: each["url"] for each in described["status"]["traffic"] if "tag" in each}
    assert version_at(described["status"]["url"]) == "web-one"
    assert (version_at(tags["one"]), version_at(tags["two"])) == ("web-one", "web-two")
    assert get(f"{tags['two']}/whoami", None)[0] == 403
    hosted.project.identity["for-the-tag"] = tags["two"]  # the audience is the service, whatever the tag
    assert get(f"{tags['two']}/whoami", "for-the-tag")[0] == 401
    revisions = run(gcloud, "run", "revisions", "list", "--service=web", REGION)
    assert [each["metadata"]["name"] for each in revisions] == ["web-two", "web-one"]
    assert revisions[1]["metadata"]["labels"]["streamproof-target"] == "run"

    # Traffic moves on command; what neither serves nor has a tag can be deleted, unless it is the latest.
    run(gcloud, "run", "services", "update-traffic", "web", "--to-revisions=web-two=100", REGION)
    assert version_at(service.url) == "web-two"
    refused(gcloud("run", "revisions", "delete", "web-one", REGION, "--quiet"), "able to receive traffic")
    run(gcloud, "run", "services", "update-traffic", "web", "--remove-tags=one", REGION)
    run(gcloud, "run", "revisions", "delete", "web-one", REGION)
    assert list(service.revisions) == ["web-two"]

    # Everybody may call it once everybody is an invoker.
    everybody = ("--member=allUsers", "--role=roles/run.invoker")
    run(gcloud, "run", "services", "add-iam-policy-binding", "web", *everybody, REGION)
    assert get(f"{service.url}/whoami", None)[0] == get(f"{tags['two']}/whoami", None)[0] == 200
    (binding,) = run(gcloud, "run", "services", "get-iam-policy", "web", REGION)["bindings"]
    assert binding["members"] == ["allUsers"]

    # Deleted, it answers no request.
    run(gcloud, "run", "services", "delete", "web", REGION)
    for url in (service.url, tags["two"]):
        with pytest.raises(urllib.error.URLError):
            get(url)
    assert not hosted.hosting.written()


@pytest.mark.thorough
def test_what_a_deleted_service_leaves_can_be_removed(plane: Plane, gcloud: Gcloud, small: Path) -> None:
    assert deploy(gcloud, small, "one").returncode == 0
    run(gcloud, "run", "services", "delete", "web", REGION)
    assert run(gcloud, "run", "services", "list", REGION) == []
    (image,) = run(gcloud, "artifacts", "docker", "images", "list", f"{IMAGES}/web", "--include-tags")
    assert image["tags"] == ["latest"]
    run(gcloud, "artifacts", "docker", "images", "delete", f"{IMAGES}/web", "--delete-tags")
    assert plane.artifacts.images == {}
    assert gcloud("storage", "rm", ARCHIVES).returncode == 0
    assert not plane.storage.buckets["run-sources-demo-project-europe-west1"].objects


def test_a_new_service_cannot_be_without_traffic(plane: Plane, gcloud: Gcloud, small: Path) -> None:
    refused(deploy(gcloud, small, "one", new=False), "--no-traffic not supported when creating")
    assert plane.cloud_run.services == {}


def test_a_build_that_fails_creates_nothing(plane: Plane, gcloud: Gcloud, small: Path) -> None:
    plane.builds.failing["run"] = "Step 2/2: no such file"
    refused(deploy(gcloud, small, "one"), "Build failed")
    (build,) = plane.builds.all.values()
    assert build.resource["status"] == "FAILURE"
    assert plane.cloud_run.services == {}


def test_a_container_that_does_not_start_is_told_and_keeps_the_service(
    hosted: Plane, gcloud: Gcloud, small: Path
) -> None:
    refused(deploy(gcloud, small, "one"), "The user-provided container failed to start and listen")
    assert hosted.cloud_run.service("web").shares == {}


def test_the_quota_is_told_at_once_and_503_is_tried_again(plane: Plane, gcloud: Gcloud, small: Path) -> None:
    plane.faults.add("run.namespaces.services.create", quota("Services per region"))
    refused(deploy(gcloud, small, "one"), "Quota exceeded")
    plane.faults.add("run.namespaces.services.create", unavailable())
    assert deploy(gcloud, small, "two").returncode == 0
    assert list(plane.cloud_run.service("web").revisions) == ["web-two"]
    assert len(plane.names("run.namespaces.services.create")) == 3


def test_an_account_that_is_not_there_is_refused(plane: Plane, gcloud: Gcloud, small: Path) -> None:
    refused(deploy(gcloud, small, "one", "--service-account=nobody@example.com"), "iam.serviceaccounts.actAs")


def test_an_api_that_is_off_is_told_where_nothing_may_be_asked(plane: Plane, gcloud: Gcloud) -> None:
    plane.project.enabled.discard("run.googleapis.com")
    refused(gcloud("run", "services", "list", REGION, "--project=demo-project"), "run.googleapis.com")


def test_a_client_that_read_something_older_is_told_of_the_conflict(
    plane: Plane, gcloud: Gcloud, small: Path
) -> None:
    assert deploy(gcloud, small, "one").returncode == 0
    conflict = ApiError("ABORTED", "Conflict for resource 'web': version '1' was specified")
    plane.faults.add("run.namespaces.services.replaceService", conflict)
    moved = gcloud("run", "services", "update-traffic", "web", "--to-latest", REGION, "--quiet")
    refused(moved, "Conflict for resource 'web'")
