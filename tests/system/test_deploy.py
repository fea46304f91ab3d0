"""`kit deploy --all` into a project in use: what goes up, what comes of it, what is left behind."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from kit.rehearsal.uploads import Kind
from tests.fixtures.tools import Tool
from tests.system.cloud import QUICK, REGION, Cloud, Ran, whose

pytestmark = pytest.mark.long

TARGETS: tuple[Kind, ...] = ("standard", "flex", "run")
SERVICES = {"standard": "sp-standard", "flex": "sp-flex", "run": "streamproof"}
SECRET = "5ecret-that-must-stay-here"
# What people have lying about, in the folder from which they deploy and in what is deployed.
LITTER = (".env", "secret.pem", ".git/config", ".venv/pyvenv.cfg", "__pycache__/main.cpython-313.pyc")


class Deployed(NamedTuple):
    """A deployment of everything, to be looked at and left as it is; `changes` is what it took."""

    cloud: Cloud
    ran: Ran
    changes: list[str]


@pytest.fixture(scope="module")
def deployed(tool: Tool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    tool("gcloud")
    with Cloud(tmp_path_factory.mktemp("in-use")) as cloud:
        for name in LITTER:
            for folder in ("", "build/run", "build/standard", "build/releases/flex"):
                file = cloud.work / folder / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(SECRET)
        ran = cloud.deploy("--all")
        yield Deployed(cloud, ran, cloud.changes)


def test_it_ends_with_three_urls_at_which_each_target_answers(deployed: Deployed) -> None:
    cloud, ran, _ = deployed
    assert ran.status == 0, ran
    assert {name: one["result"] for name, one in ran.outcomes.items()} == dict.fromkeys(TARGETS, "promoted")
    assert ran.data["destroy"] == "kit destroy standard flex run"
    for name, one in ran.outcomes.items():
        who = whose(one["url"], cloud.caller(one["url"]))
        assert isinstance(who, dict)
        assert (who["target"], who["version"]) == (name, one["version"])


def test_the_comparison_finds_in_each_arm_what_the_platform_documents(deployed: Deployed) -> None:
    comparison = deployed.ran.data["comparison"]
    lanes = [
        (lane["target"], lane["header"], lane["verdict"], lane["doubts"]) for lane in comparison["lanes"]
    ]
    assert (comparison["environment"], comparison["as_expected"]) == ("cloud", True), lanes
    found = {(lane["target"], lane["header"]): lane for lane in comparison["lanes"]}
    assert {key: lane["verdict"] for key, lane in found.items()} == {
        ("standard", "on"): "whole-message",
        ("standard", "off"): "whole-message",
        ("flex", "on"): "incremental",
        ("flex", "off"): "byte-limited",
        ("run", "on"): "incremental",
        ("run", "off"): "incremental",
    }
    assert found["flex", "off"]["block_bytes"] == 65536
    assert {lane["method"] for lane in found.values()} == {"lock-step"}
    assert {lane["url"] for lane in found.values()} == {one["url"] for one in deployed.ran.outcomes.values()}


@pytest.mark.parametrize("kind", TARGETS)
def test_what_is_uploaded_is_what_kit_render_writes_and_nothing_more(
    deployed: Deployed, kind: Kind, tmp_path: Path
) -> None:
    cloud = deployed.cloud
    (tmp_path / "kit.toml").write_text(QUICK)
    rendered = cloud.kit("render", kind, "--out", str(tmp_path), "--json")
    assert rendered.status == 0, rendered
    folder = tmp_path / kind
    files = {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }
    upload = cloud.upload(kind)
    of_the_kit = {".gcloudignore", ".streamproof-manifest.json"}
    assert set(upload.files) == set(files) - of_the_kit
    different = {name for name, content in upload.files.items() if content != files[name]}
    assert different <= {"app.yaml"}
    assert not [name for name, content in upload.files.items() if SECRET.encode() in content]


@pytest.mark.parametrize("kind", ["standard", "flex"])
def test_a_releases_app_yaml_differs_in_its_own_variables_alone(deployed: Deployed, kind: Kind) -> None:
    work = deployed.cloud.work / "build"
    rendered, released = (
        yaml.safe_load((folder / kind / "app.yaml").read_text()) for folder in (work, work / "releases")
    )
    own = released["env_variables"].keys() - rendered["env_variables"].keys()
    assert own == {"STREAMPROOF_PROOF_UNTIL", "STREAMPROOF_BUNDLE", "STREAMPROOF_APP"}
    for name in own:
        del released["env_variables"][name]
    assert released == rendered


def test_each_version_is_made_once_and_nothing_else_is_changed(deployed: Deployed) -> None:
    changes = deployed.changes
    made = [name for name in changes if name.startswith(("appengine.", "run."))]
    assert sorted(made) == [
        "appengine.apps.services.versions.create",
        "appengine.apps.services.versions.create",
        "run.namespaces.services.create",
        "run.projects.locations.builds.submit",
    ]
    assert made.index("run.projects.locations.builds.submit") < made.index("run.namespaces.services.create")
    assert not [name for name in changes if name.lower().endswith(("setiampolicy", ".delete"))]


def test_what_serves_bears_the_kits_marks_and_what_was_there_before_is_untouched(deployed: Deployed) -> None:
    cloud, ran, _ = deployed
    services = cloud.plane.app_engine.services
    assert (list(services["default"].versions), services["default"].split) == (["v1"], {"v1": 1.0})
    for name in ("standard", "flex"):
        service, version = services[SERVICES[name]], ran.outcomes[name]["version"]
        assert version.startswith("sp-")
        assert service.split == {version: 1.0}
        variables = service.versions[version].resource["envVariables"]
        assert variables["STREAMPROOF_TARGET"] == name
        assert variables["STREAMPROOF_BUNDLE"] == cloud.record[name]["digest"]
    run = cloud.plane.cloud_run.service("streamproof")
    version = ran.outcomes["run"]["version"]
    assert run.shares == {version: 1.0}
    assert not run.public
    labels = run.resource()["metadata"]["labels"]
    assert labels["streamproof-target"] == "run"
    assert labels["streamproof-bundle"] == cloud.record["run"]["digest"]


def test_the_record_says_what_was_found(deployed: Deployed) -> None:
    record, outcomes = deployed.cloud.record, deployed.ran.outcomes
    assert {name: (one["state"], one["url"], one["version"]) for name, one in record.items()} == {
        name: ("serving", one["url"], one["version"]) for name, one in outcomes.items()
    }
    assert record["flex"]["verdict_on"] == "incremental"
    assert record["flex"]["verdict_off"] == "byte-limited"


def test_each_line_that_changes_something_is_echoed_and_could_be_pasted(deployed: Deployed) -> None:
    echoed = [line.removeprefix("$ ") for line in deployed.ran.err.splitlines() if line.startswith("$ ")]
    verbs = sorted(" ".join(shlex.split(line)[:3]) for line in echoed)
    assert verbs == ["gcloud app deploy", "gcloud app deploy", "gcloud run deploy"]
    assert all({"--project=demo-project", "--quiet"} <= set(shlex.split(line)) for line in echoed)


def test_the_whole_of_what_gcloud_said_is_in_the_logs(deployed: Deployed) -> None:
    logs = deployed.cloud.work / "build" / "logs"
    for name in TARGETS:
        text = (logs / f"deploy-{name}.log").read_text()
        assert "# status 0" in text
        assert deployed.ran.outcomes[name]["version"].removeprefix("streamproof-") in text


def test_no_token_is_in_a_file_a_log_or_a_line(deployed: Deployed) -> None:
    cloud = deployed.cloud
    tokens = {*cloud.plane.project.access, *cloud.plane.project.identity}
    assert cloud.plane.project.identity, "the private service was asked without an identity token"
    places = [path for path in cloud.work.rglob("*") if path.is_file()]
    assert any(path.name == "deployments.json" for path in places)
    texts = [path.read_text(errors="replace") for path in (*places, *cloud.gcloud_logs)]
    for text in (*texts, *cloud.said):
        assert not [token for token in tokens if token in text]


def test_status_tells_what_serves_and_what_costs_money_all_the_time(deployed: Deployed) -> None:
    ran = deployed.cloud.kit("status", "--json")
    assert ran.status == 0, ran
    targets = {one["target"]: one for one in ran.data["targets"]}
    assert {name: one["costs"] for name, one in targets.items()} == {
        "standard": "requests",
        "flex": "always",
        "run": "requests",
    }
    assert {name: one["url"] for name, one in targets.items()} == {
        name: one["url"] for name, one in deployed.ran.outcomes.items()
    }
    assert targets["flex"]["stops_the_costs"] == ["kit destroy flex"]


def test_a_dry_run_touches_nothing_and_a_line_of_it_does_what_the_kit_would_do(deployed: Deployed) -> None:
    cloud, ran, _ = deployed
    calls, files = cloud.changes, _files(cloud.work)
    dry = cloud.kit("deploy", "--all", "--dry-run")
    assert dry.status == 0, dry
    assert (cloud.changes, _files(cloud.work)) == (calls, files)
    lines = [shlex.split(line) for line in dry.out.splitlines()]
    assert [line[:3] for line in lines] == [
        ["gcloud", "app", "deploy"],
        ["gcloud", "app", "deploy"],
        ["gcloud", "run", "deploy"],
    ]
    assert all("--no-promote" in line for line in lines[:2])
    assert {"--no-traffic", "--source=build/run", f"--region={REGION}"} <= set(lines[2])

    # A version of this test's own, as it were by hand. It has no traffic, as all that the kit makes.
    pasted = cloud.run("/bin/sh", "-c", dry.out.splitlines()[0])
    assert pasted.status == 0, pasted
    (version,) = [word.removeprefix("--version=") for word in lines[0] if word.startswith("--version=")]
    service = cloud.plane.app_engine.services["sp-standard"]
    assert version in service.versions
    assert service.split == {ran.outcomes["standard"]["version"]: 1.0}


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
