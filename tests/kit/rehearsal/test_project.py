"""The real gcloud reads the loopback project, changes it, and gets its tokens there."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from pathlib import Path
from typing import Any

from kit.rehearsal.environment import service_account_environment
from kit.rehearsal.faults import denied, unavailable
from kit.rehearsal.plane import Plane
from tests.fixtures.gcloud import forked_gcloud
from tests.fixtures.rehearsal import Gcloud

QUIET = ("--quiet", "--format=json")


def test_the_project_tells_what_it_is_and_who_pays(plane: Plane, gcloud: Gcloud) -> None:
    def read(*words: str) -> Any:
        return json.loads(gcloud(*words, *QUIET).stdout)

    assert read("projects", "describe", "demo-project")["projectNumber"] == plane.project.number
    assert read("billing", "projects", "describe", "demo-project")["billingEnabled"] is True
    plane.project.billing = False
    assert read("billing", "projects", "describe", "demo-project")["billingEnabled"] is False
    plane.project.policy["roles/editor"] = ["serviceAccount:demo-project@appspot.gserviceaccount.com"]
    bindings = read("projects", "get-iam-policy", "demo-project")["bindings"]
    assert {"roles/owner", "roles/editor", "roles/artifactregistry.reader"} == {
        binding["role"] for binding in bindings
    }


def test_apis_are_listed_and_enabled(plane: Plane, gcloud: Gcloud) -> None:
    plane.project.enabled -= {"run.googleapis.com", "cloudbuild.googleapis.com"}
    assert "run.googleapis.com" not in gcloud("services", "list", "--enabled", *QUIET).stdout
    ran = gcloud("services", "enable", "run.googleapis.com", "cloudbuild.googleapis.com", *QUIET)
    assert ran.returncode == 0, ran.stderr
    listed = json.loads(gcloud("services", "list", "--enabled", *QUIET).stdout)
    assert {"run.googleapis.com", "cloudbuild.googleapis.com"} <= {api["config"]["name"] for api in listed}


def test_a_service_account_is_made_once(plane: Plane, gcloud: Gcloud) -> None:
    email = "streamproof@demo-project.iam.gserviceaccount.com"
    assert gcloud("iam", "service-accounts", "describe", email, *QUIET).returncode == 1
    create = ("iam", "service-accounts", "create", "streamproof", "--display-name=Streamproof", *QUIET)
    assert gcloud(*create).returncode == 0
    assert json.loads(gcloud("iam", "service-accounts", "describe", email, *QUIET).stdout)["email"] == email
    assert "already exists" in gcloud(*create).stderr


def test_another_project_and_another_token_are_turned_away(plane: Plane, gcloud: Gcloud) -> None:
    ran = gcloud("projects", "describe", "another-accounts", *QUIET)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "does not have permission" in ran.stderr
    ran = gcloud("app", "describe", *QUIET, env={"CLOUDSDK_AUTH_ACCESS_TOKEN": "expired"})
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "UNAUTHENTICATED" in ran.stderr


def test_a_service_account_gets_identity_tokens_for_one_audience(plane: Plane, tmp_path: Path) -> None:
    env = {**os.environ, **service_account_environment(plane, tmp_path)}
    words = ["auth", "print-identity-token", "--audiences=https://sp.example"]
    ran = subprocess.run([forked_gcloud(), *words], env=env, capture_output=True, text=True, check=True)
    assert plane.project.identity[ran.stdout.strip()] == "https://sp.example"


def test_503_once_is_retried_and_a_refusal_is_not(plane: Plane, gcloud: Gcloud) -> None:
    get = "cloudresourcemanager.projects.get"
    plane.faults.add(get, unavailable())
    assert gcloud("projects", "describe", "demo-project", *QUIET).returncode == 0
    assert plane.names(get) == [get, get]
    plane.faults.add(get, denied("resourcemanager.projects.get"), times=None)
    ran = gcloud("projects", "describe", "demo-project", *QUIET)
    assert ran.returncode == 1
    assert plane.names(get) == [get, get, get]


def test_a_call_can_be_held_until_it_is_let_go(plane: Plane, gcloud: Gcloud) -> None:
    hang = plane.faults.hang("cloudresourcemanager.projects.get")
    ran: list[int] = []
    thread = threading.Thread(
        target=lambda: ran.append(gcloud("projects", "describe", "demo-project", *QUIET).returncode)
    )
    thread.start()
    assert hang.reached.wait(120)
    assert ran == []
    hang.release()
    thread.join()
    assert ran == [0]


def test_a_command_that_the_plane_does_not_know_fails_and_is_named(plane: Plane, gcloud: Gcloud) -> None:
    ran = gcloud("pubsub", "topics", "list", *QUIET)
    assert ran.returncode == 1
    (what,) = plane.unknown
    assert "pubsub.googleapis.com" in what
    plane.unknown.clear()  # it was meant to: the fixture would fail the test


def test_staged_archives_are_listed_and_removed(plane: Plane, gcloud: Gcloud) -> None:
    bucket = "staging.demo-project.appspot.com"
    for name in ("us.gcr.io/demo-project/appengine/s.sp-one:latest", "theirs"):
        plane.storage.put(bucket, name, b"x")
    ours = f"gs://{bucket}/us.gcr.io/demo-project/appengine/s.sp-**"
    listed = gcloud("storage", "ls", ours, "--json", "--quiet")
    assert [item["url"].partition("#")[0] for item in json.loads(listed.stdout)] == [
        f"gs://{bucket}/us.gcr.io/demo-project/appengine/s.sp-one:latest"
    ]
    ran = gcloud("storage", "rm", ours, "--quiet")
    assert ran.returncode == 0, ran.stderr
    assert list(plane.storage.buckets[bucket].objects) == ["theirs"]
