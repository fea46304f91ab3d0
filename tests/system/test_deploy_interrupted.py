"""Deployments that are ended in their middle, or meet another: nothing is left, and the next goes on."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kit.rehearsal.faults import Hang
from tests.fixtures.rehearsal import GIVE_UP_S
from tests.fixtures.tools import Tool
from tests.system.cloud import Cloud, Ran, whose

BEFORE = "sp-before01"
MAKES_VERSION = "appengine.apps.services.versions.create"
MOVES_TRAFFIC = "appengine.apps.services.patch"
STOPS_VERSION = "appengine.apps.services.versions.patch"


@pytest.fixture
def cloud(tool: Tool, tmp_path: Path) -> Iterator[Cloud]:
    """A project in which a version of the kit's own serves as sp-flex, of which this folder knows nothing."""
    tool("gcloud")
    with Cloud(tmp_path) as cloud:
        marks = {"STREAMPROOF_TARGET": "flex", "STREAMPROOF_BUNDLE": "0" * 40}
        cloud.plane.app_engine.add_version("sp-flex", BEFORE, env="flex", envVariables=marks)
        yield cloud


def wait_until(holds: Callable[[], bool]) -> None:
    give_up = time.monotonic() + GIVE_UP_S
    while not holds():
        assert time.monotonic() < give_up, "it did not come to that"
        time.sleep(0.02)


@contextmanager
def held(cloud: Cloud, *words: str, at: str, lost: bool = True) -> Iterator[subprocess.Popen[str]]:
    """A command whose call waits in the middle; released at the end, when it is done late or never."""
    hang: Hang = cloud.plane.faults.hang(at, lost=lost)
    process = cloud.start(*words)
    try:
        wait_until(lambda: hang.reached.is_set() or process.poll() is not None)
        assert hang.reached.is_set(), process.communicate()
        yield process
    finally:
        process.kill()
        hang.release()


def interrupted(cloud: Cloud, number: signal.Signals, *words: str, at: str, lost: bool = True) -> Ran:
    """A command that gets a signal while one of its calls is under way."""
    with held(cloud, *words, at=at, lost=lost) as process:
        return _signalled(cloud, process, number)


def _signalled(cloud: Cloud, process: subprocess.Popen[str], number: signal.Signals) -> Ran:
    process.send_signal(number)
    ran = cloud.ended(process)
    if number == signal.SIGKILL:
        assert ran.status == -signal.SIGKILL
    else:
        assert (ran.status, ran.err.splitlines()[-1]) == (130, "interrupted"), ran
    return ran


def versions(cloud: Cloud) -> dict[str, str]:
    """By name what sp-flex's versions do."""
    made = cloud.plane.app_engine.services["sp-flex"].versions
    return {name: version.resource["servingStatus"] for name, version in list(made.items())}


def split(cloud: Cloud) -> dict[str, float]:
    return cloud.plane.app_engine.services["sp-flex"].split


@pytest.mark.thorough
def test_a_deployment_that_is_ended_at_every_step_comes_to_its_end_with_one_build(cloud: Cloud) -> None:
    deploy = ("deploy", "flex", "--yes", "--no-gate")

    # Before anything: nothing happened. Meanwhile no other run works in this folder.
    with held(cloud, *deploy, at="cloudresourcemanager.projects.get") as first:
        second = cloud.kit("deploy", "flex", "--yes")
        assert second.status == 1, second
        assert f"`kit deploy` (process {first.pid})" in second.err
        _signalled(cloud, first, signal.SIGINT)
    assert not (cloud.work / ".kit" / "deployments.json").exists()
    assert cloud.changes == []

    # In the upload, and in the build: what served goes on serving.
    interrupted(cloud, signal.SIGKILL, *deploy, at="POST storage.googleapis.com/upload/*")
    assert cloud.record["flex"]["state"] == "unfinished"
    ran = interrupted(cloud, signal.SIGTERM, *deploy, at="cloudbuild.projects.builds.create")
    assert "`kit status` shows it, `kit deploy flex` goes on." in ran.err
    assert (cloud.record["flex"]["state"], cloud.record["flex"]["previous"]) == ("unfinished", BEFORE)
    assert versions(cloud) == {BEFORE: "SERVING"}

    # While the version is made, which Google does to its end all the same.
    interrupted(cloud, signal.SIGKILL, *deploy, at=MAKES_VERSION, lost=False)
    wait_until(lambda: len(versions(cloud)) == 2)
    made = next(name for name in versions(cloud) if name != BEFORE)
    assert split(cloud) == {BEFORE: 1.0}
    finished = cloud.changes.count(MAKES_VERSION)

    # While it is measured, which takes its time: the version does not answer. It still has no traffic.
    cloud.platforms.stop("flex", "sp-flex", made)
    measuring = cloud.start("deploy", "flex", "--yes")
    assert measuring.stderr is not None
    for line in measuring.stderr:
        if "measuring" in line:
            break
    _signalled(cloud, measuring, signal.SIGINT)
    cloud.platforms.serve(cloud.upload("flex"))
    assert split(cloud) == {BEFORE: 1.0}

    # While the traffic is moved, which Google does; and while the old version is stopped, which it does not.
    interrupted(cloud, signal.SIGTERM, *deploy, at=MOVES_TRAFFIC, lost=False)
    wait_until(lambda: split(cloud) == {made: 1.0})
    interrupted(cloud, signal.SIGKILL, *deploy, at=STOPS_VERSION)
    assert versions(cloud) == {BEFORE: "SERVING", made: "SERVING"}

    record = cloud.record["flex"]
    ran = cloud.deploy("flex")
    assert (ran.status, ran.outcomes["flex"]["result"]) == (0, "promoted"), ran
    assert ran.outcomes["flex"]["version"] == made, (record, cloud.record["flex"], ran.err)
    assert (split(cloud), versions(cloud)) == ({made: 1.0}, {BEFORE: "STOPPED", made: "SERVING"})
    assert cloud.changes.count(MAKES_VERSION) == finished
    record = cloud.record["flex"]
    assert (record["state"], record["version"], record["previous"]) == ("serving", made, BEFORE)


@pytest.mark.thorough
def test_cloud_run_is_deployed_opened_and_removed_with_interruptions(cloud: Cloud) -> None:
    deploy = ("deploy", "run", "--yes", "--public", "--no-gate")
    interrupted(cloud, signal.SIGKILL, *deploy, at="run.namespaces.services.create", lost=False)
    wait_until(lambda: bool(cloud.plane.cloud_run.services))
    opens = "run.projects.locations.services.setIamPolicy"
    interrupted(cloud, signal.SIGTERM, *deploy, at=opens)
    service = cloud.plane.cloud_run.service("streamproof")
    assert not service.public
    assert cloud.record["run"]["state"] == "unfinished"

    ran = cloud.deploy("run", "--public")
    assert (ran.status, ran.outcomes["run"]["result"]) == (0, "promoted"), ran
    assert service.public
    assert isinstance(whose(ran.outcomes["run"]["url"]), dict)
    assert cloud.changes.count("run.projects.locations.builds.submit") == 1
    assert cloud.changes.count("run.namespaces.services.create") == 1

    # Removed, though not at once. What serves for another user stays.
    destroy = ("destroy", "--all", "--yes")
    interrupted(cloud, signal.SIGTERM, *destroy, at="run.namespaces.services.delete", lost=False)
    wait_until(lambda: not cloud.plane.cloud_run.services)
    assert "run" in cloud.record
    interrupted(cloud, signal.SIGKILL, *destroy, at="artifactregistry.*.delete")
    ran = cloud.kit(*destroy)
    assert ran.status == 0, ran
    assert cloud.record == {}
    again = cloud.kit(*destroy)
    assert (again.status, "Nothing is on record" in again.out) == (0, True), again
    assert split(cloud) == {BEFORE: 1.0}


@pytest.mark.thorough
def test_of_two_folders_that_deploy_into_one_project_the_slower_leaves_the_others_traffic_alone(
    cloud: Cloud, tmp_path: Path
) -> None:
    with held(cloud, "deploy", "flex", "--yes", "--no-gate", at=MAKES_VERSION, lost=False) as slower:
        mine, cloud.work = cloud.work, tmp_path / "theirs"
        cloud.work.mkdir()
        cloud.settings("first_token_ms = 100\ntokens_per_s = 101\n")
        ran = cloud.deploy("flex")
        assert ran.status == 0, ran
        theirs = ran.outcomes["flex"]["version"]
        cloud.work = mine
        cloud.plane.faults.clear()
        ran = cloud.ended(slower)
    assert ran.status == 1, ran
    said = " ".join(ran.out.split())
    assert f"The traffic of sp-flex was sent to {theirs} meanwhile" in said
    assert "`kit promote flex` promotes yours all the same" in said
    assert split(cloud) == {theirs: 1.0}
    assert cloud.record["flex"]["state"] == "failed"
