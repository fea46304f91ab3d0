"""What stands in the way of a deployment is one sentence with its remedy; the next run goes on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.rehearsal import faults
from tests.fixtures.tools import Tool
from tests.system.cloud import Cloud, Ran
from tests.system.leftovers import processes_in

ARTIFACTS = "artifactregistry.googleapis.com"


@pytest.fixture
def cloud(tool: Tool, tmp_path: Path) -> Iterator[Cloud]:
    tool("gcloud")
    with Cloud(tmp_path) as cloud:
        yield cloud
        assert not processes_in(cloud.work)


def said(ran: Ran) -> tuple[str, str]:
    """The one sentence and its remedy, after which nothing is said any more."""
    assert ran.status == 1, ran
    assert ran.out == ""
    lines = ran.err.splitlines()
    (at,) = [number for number, line in enumerate(lines) if line.startswith("error: ")]
    sentence, remedy = lines[at].removeprefix("error: "), lines[at + 1 :]
    assert sentence.endswith("."), ran
    assert len(remedy) == 1, ran
    assert remedy[0].startswith("  "), ran
    return sentence, remedy[0].strip()


def nothing_was_done(cloud: Cloud) -> bool:
    return cloud.changes == [] and not (cloud.work / ".kit" / "deployments.json").exists()


def test_a_machine_without_gcloud_is_told_where_to_get_it(cloud: Cloud, tmp_path: Path) -> None:
    sentence, remedy = said(cloud.kit("deploy", "run", "--yes", env={"PATH": str(tmp_path)}))
    assert sentence == "gcloud is not on the PATH."
    assert "https://cloud.google.com/sdk/docs/install" in remedy
    assert nothing_was_done(cloud)


APIS = ("run", "cloudbuild", "artifactregistry", "storage")
STUB = """#!/bin/sh
case "$1 $2" in
  version*) echo '{"Google Cloud SDK": "VERSION"}' ;;
  "projects describe") echo '{"projectId": "demo-project", "lifecycleState": "ACTIVE"}' ;;
  "billing projects") echo '{"billingEnabled": BILLING}' ;;
  "services list") echo 'APIS' ;;
  "run services") echo "ERROR: (gcloud.run.services.describe) Cannot find service [$4]" >&2; exit 1 ;;
  "projects get-iam-policy" | "auth list") echo '[]' ;;
  *) echo "ERROR: not to be run: $*" >&2; exit 1 ;;
esac
"""


def stub(folder: Path, version: str = "528.0.0", *, billing: bool = True) -> dict[str, str]:
    """The environment of a gcloud that answers the preflight by itself, where the real one adds nothing."""
    apis = json.dumps([{"config": {"name": f"{name}.googleapis.com"}} for name in APIS])
    text = STUB.replace("VERSION", version).replace("BILLING", json.dumps(billing)).replace("APIS", apis)
    file = folder / "bin" / "gcloud"
    file.parent.mkdir()
    file.write_text(text)
    file.chmod(0o755)
    return {"PATH": f"{file.parent}{os.pathsep}{os.environ['PATH']}"}


def test_a_gcloud_that_is_too_old_is_to_be_updated(cloud: Cloud, tmp_path: Path) -> None:
    sentence, remedy = said(cloud.kit("deploy", "run", "--yes", env=stub(tmp_path, "400.0.0")))
    assert sentence.startswith("gcloud 400.0.0 is too old")
    assert "gcloud components update" in remedy
    assert nothing_was_done(cloud)


def without(cloud: Cloud, *names: str) -> Ran:
    """`kit deploy run` without some variables of the environment."""
    unset = [word for name in names for word in ("-u", name)]
    return cloud.run("env", *unset, sys.executable, "-m", "kit", "deploy", "run", "--yes")


def test_who_is_not_signed_in_is_told_to(cloud: Cloud) -> None:
    sentence, remedy = said(without(cloud, "CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE"))
    assert (sentence, remedy) == ("gcloud is not signed in.", "Sign in: `gcloud auth login`.")
    assert nothing_was_done(cloud)


def test_without_a_project_it_says_how_to_name_one(cloud: Cloud) -> None:
    sentence, remedy = said(without(cloud, "KIT_PROJECT", "CLOUDSDK_CORE_PROJECT"))
    assert sentence == "No project was named."
    assert "--project" in remedy
    assert nothing_was_done(cloud)


def test_a_project_that_is_not_there_or_not_ones_own_is_named(cloud: Cloud) -> None:
    sentence, remedy = said(cloud.kit("deploy", "run", "--yes", "--project", "no-such-project"))
    assert "no-such-project" in sentence
    assert remedy
    assert nothing_was_done(cloud)


def test_without_billing_nothing_is_begun(cloud: Cloud, tmp_path: Path) -> None:
    sentence, remedy = said(cloud.kit("deploy", "run", "--yes", env=stub(tmp_path, billing=False)))
    assert sentence.startswith("Billing is off for the project demo-project")
    assert remedy.endswith("/billing/linkedaccount?project=demo-project")
    assert nothing_was_done(cloud)


@pytest.mark.thorough
def test_an_api_is_switched_on_with_a_yes_only_and_passing_trouble_is_waited_out(cloud: Cloud) -> None:
    cloud.plane.project.enabled.discard(ARTIFACTS)
    ran = cloud.kit("deploy", "run")
    sentence, remedy = said(ran)
    assert "there is no terminal to ask on" in sentence
    assert "--yes" in remedy
    assert f"is off in the project demo-project: {ARTIFACTS}." in ran.err
    assert nothing_was_done(cloud)

    # Then Google is down for a moment, and another user is at work there.
    cloud.plane.faults.add("run.namespaces.services.get", faults.unavailable())
    cloud.plane.faults.add("run.projects.locations.builds.submit", faults.busy())
    ran = cloud.deploy("run")
    assert (ran.status, ran.outcomes["run"]["result"]) == (0, "promoted"), ran
    assert f"$ gcloud services enable {ARTIFACTS} --project=demo-project --quiet" in ran.err
    assert ARTIFACTS in cloud.plane.project.enabled
    assert cloud.changes.count("run.projects.locations.builds.submit") == 2
    assert cloud.changes.count("run.namespaces.services.create") == 1


@pytest.mark.thorough
def test_one_target_that_fails_leaves_the_others_to_finish_and_is_gone_on_with(cloud: Cloud) -> None:
    # A build fails, a quota is used up, and the third goes through.
    cloud.plane.builds.failing["flex"] = "ERROR: No matching distribution found for streamproof-nowhere"
    cloud.plane.faults.add("run.projects.locations.builds.submit", faults.quota("Build requests"))
    ran = cloud.deploy("--all")
    assert ran.status == 1, ran
    outcomes = ran.outcomes
    assert {name: one["result"] for name, one in outcomes.items()} == {
        "standard": "promoted",
        "flex": "failed",
        "run": "failed",
    }
    assert outcomes["standard"]["costs"] == "requests"
    assert ran.data["destroy"] == "kit destroy standard"
    flex, run = outcomes["flex"], outcomes["run"]
    assert (flex["error"]["code"], flex["url"], flex["next"]) == ("build-failed", None, "kit deploy flex")
    assert "No matching distribution found for streamproof-nowhere" in flex["error"]["message"]
    assert "build/logs/deploy-flex.log" in flex["error"]["hint"]
    assert "streamproof-nowhere" in (cloud.work / "build" / "logs" / "deploy-flex.log").read_text()
    assert (run["error"]["code"], run["url"], run["next"]) == ("quota-exceeded", None, "kit deploy run")
    assert "Build requests" in run["error"]["message"]
    assert "/iam-admin/quotas" in run["error"]["hint"]
    # Of both Google keeps what was uploaded, for `kit destroy` to remove.
    states = {name: one["state"] for name, one in cloud.record.items()}
    assert states == {"flex": "failed", "run": "failed", "standard": "serving"}

    # Corrected, and other things go wrong.
    cloud.plane.builds.failing.clear()
    cloud.plane.faults.add("appengine.apps.services.versions.create", faults.too_many_versions())
    cloud.plane.faults.add("run.namespaces.services.create", faults.denied("run.services.create"), times=None)
    ran = cloud.deploy("flex", "run")
    assert ran.status == 1, ran
    flex, run = ran.outcomes["flex"], ran.outcomes["run"]
    assert flex["error"]["code"] == "quota-exceeded"
    assert "210" in flex["error"]["message"]
    assert "gcloud app versions list" in flex["error"]["hint"]
    assert run["error"]["code"] == "permission-denied"
    assert "run.services.create" in run["error"]["message"]
    assert ran.data["destroy"] is None
    assert {name: one["state"] for name, one in cloud.record.items()} == states

    # All is well again, but for the record.
    cloud.plane.faults.clear()
    file = cloud.work / ".kit" / "deployments.json"
    file.write_text(file.read_text()[:-40])
    sentence, remedy = said(cloud.kit("deploy", "run", "--yes"))
    assert sentence == ".kit/deployments.json cannot be read: it is not JSON."
    assert "`kit status --refresh`" in remedy
    ran = cloud.kit("status", "--refresh", "--json")
    assert ran.status == 0, ran
    assert [warning for warning in ran.warnings if "deployments.corrupt-1.json" in warning]
    assert list(cloud.record) == ["standard"]
    ran = cloud.deploy("run")
    assert (ran.status, ran.outcomes["run"]["result"]) == (0, "promoted"), ran
    assert list(cloud.record) == ["run", "standard"]


def test_a_kit_toml_that_is_broken_is_told_by_its_line(cloud: Cloud) -> None:
    cloud.settings("tokens_per_s = 100\nfirst_token_ms = = 3\n")
    sentence, _ = said(cloud.kit("deploy", "run", "--yes"))
    assert "kit.toml" in sentence
    assert "line 2" in sentence
    assert nothing_was_done(cloud)


def test_a_disk_that_is_full_stops_it_before_anything_is_uploaded(cloud: Cloud, tmp_path: Path) -> None:
    (cloud.work / "build").mkdir()
    mount = "mount -t tmpfs -o size=16k tmpfs build"
    apart = ("unshare", "--mount", "sh", "-c")
    try:
        subprocess.run([*apart, mount], cwd=cloud.work, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs the right to mount a file system of its own (root on Linux)")
    deploy = f'{mount} && exec "$0" -m kit deploy run --yes'
    ran = cloud.run(*apart, deploy, sys.executable, env=stub(tmp_path))
    sentence, remedy = said(ran)
    assert "No space left on device" in sentence
    assert remedy
    assert nothing_was_done(cloud)
