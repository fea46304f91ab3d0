"""Who may call what was deployed: no stranger on Cloud Run by default, holders of the token, or all."""

from __future__ import annotations

import hashlib
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.rehearsal.secret_manager import Secret
from tests.fixtures.tools import Tool
from tests.system.cloud import REGION, Cloud, another, front_of, whose

PROMOTED = "run.namespaces.services.replaceService"
OPENED = "run.projects.locations.services.setIamPolicy"


@pytest.fixture
def cloud(tool: Tool, tmp_path: Path) -> Iterator[Cloud]:
    tool("gcloud")
    with Cloud(tmp_path) as cloud:
        yield cloud


@pytest.mark.thorough
def test_a_cloud_run_service_is_private_until_it_passed_and_somebody_said_public(cloud: Cloud) -> None:
    # A service's first version serves, whatever it is worth; but it is not opened.
    cloud.platforms.put_front("run", front_of("standard"))
    account = f"serviceAccount:{cloud.plane.project.nodes}"
    binding = {"role": "roles/secretmanager.secretAccessor", "members": [account]}
    cloud.plane.secret_manager.secrets["greeting"] = Secret([b"s3cret"], {"bindings": [binding]})
    refused = cloud.deploy("run", "--public", "--set-secrets", "GREETING=greeting:latest")
    assert cloud.upload("run").environment["GREETING"] == "s3cret"
    assert not [said for said in cloud.said if "s3cret" in said]
    run = refused.outcomes["run"]
    assert (refused.status, run["result"], run["gate"]) == (3, "serves-anyway", "worse"), refused
    service = cloud.plane.cloud_run.service("streamproof")
    assert not service.public
    assert (whose(run["url"]), whose(run["version_url"])) == (403, 403)
    compared = cloud.kit("compare", "--deployed", "--arm", "on", "--json")
    assert [lane["verdict"] for lane in compared.data["lanes"]] == ["whole-message"], "it was let in"

    # What passes is opened, after it was promoted.
    cloud.platforms.put_front("run", front_of("run"))
    cloud.settings(another(2))
    opened = cloud.deploy("run", "--public")
    assert (opened.status, opened.outcomes["run"]["gate"]) == (0, "passed"), opened
    assert service.public
    changes = cloud.changes
    promoted = max(number for number, name in enumerate(changes) if name == PROMOTED)
    assert changes.index(OPENED) > promoted
    who = whose(run["url"])
    assert isinstance(who, dict)
    assert who["version"] == opened.outcomes["run"]["version"]

    # A live public service stays public, whatever the later command leaves out.
    cloud.settings(another(3))
    later = cloud.deploy("run")
    assert (later.status, later.outcomes["run"]["result"]) == (0, "promoted"), later
    assert service.public
    assert "--no-allow-unauthenticated" not in later.err
    assert isinstance(whose(run["url"]), dict)


@pytest.mark.thorough
def test_a_token_is_printed_once_and_only_its_hash_is_deployed(cloud: Cloud) -> None:
    ran = cloud.deploy("standard", "--token", "--no-gate")
    assert ran.status == 0, ran
    standard = ran.outcomes["standard"]
    assert (standard["result"], standard["gate"], standard["lanes"]) == ("promoted", None, [])
    (token,) = re.findall(r"The token, shown this once: (\S+)", ran.err)
    assert len(token) == 43, "32 random bytes"
    assert ran.err.count(token) == 1
    assert token not in ran.out
    sha256 = hashlib.sha256(token.encode()).hexdigest()
    assert cloud.upload("standard").environment["STREAMPROOF_TOKEN_SHA256"] == sha256
    url = cloud.plane.app_engine.services["sp-standard"].url
    assert (_search(url, None), _search(url, f"{token[:-1]}."), _search(url, token)) == (401, 401, 200)
    assert (_proof(url, None), _proof(url, token)) == (401, 200)
    # Measured without the token, it is not called a service without a proof.
    probed = cloud.kit("probe", url, "--json")
    assert (probed.status, probed.error["code"]) == (1, "http-status")
    assert "--token-env" in probed.error["hint"]

    # What is deployed wants it: forgetting the option does not take it away.
    cloud.settings(another(2))
    forgotten = cloud.deploy("standard")
    assert (forgotten.status, forgotten.error["code"]) == (1, "not-ready-to-deploy")
    assert "KIT_TOKEN" in forgotten.error["hint"]
    wrong = cloud.deploy("standard", env={"KIT_TOKEN": "another"})
    assert wrong.error["message"].endswith("KIT_TOKEN holds another.")

    kept = cloud.deploy("standard", env={"KIT_TOKEN": token})
    assert (kept.status, kept.outcomes["standard"]["result"]) == (0, "promoted"), kept
    assert cloud.upload("standard").environment["STREAMPROOF_TOKEN_SHA256"] == sha256
    assert (_search(url, None), _search(url, token)) == (401, 200)

    for words in (["status"], ["compare", "--deployed", "--arm", "on"]):
        assert cloud.kit(*words, env={"KIT_TOKEN": token}).status == 0
    said = "".join(cloud.said)
    assert said.count(token) == 1
    files = [path for path in cloud.work.rglob("*") if path.is_file()]
    assert not [path for path in (*files, *cloud.gcloud_logs) if token in path.read_text(errors="replace")]


@pytest.mark.thorough
def test_a_service_that_the_kit_did_not_make_is_not_overwritten_unasked(cloud: Cloud) -> None:
    assert cloud.kit("render", "run").status == 0
    by_hand = cloud.run(
        *("gcloud", "run", "deploy", "streamproof", "--source=build/run", f"--region={REGION}", "--quiet"),
        "--no-allow-unauthenticated",
    )
    assert by_hand.status == 0, by_hand
    service = cloud.plane.cloud_run.service("streamproof")
    (theirs,) = service.revisions
    changes = cloud.changes
    refused = cloud.deploy("run")
    assert (refused.status, refused.error["code"]) == (1, "not-ready-to-deploy"), refused
    assert "--replace-foreign" in refused.error["hint"]
    assert cloud.changes == changes
    assert service.shares == {theirs: 1.0}

    taken = cloud.deploy("run", "--replace-foreign")
    assert taken.status == 0, taken
    assert service.shares == {taken.outcomes["run"]["version"]: 1.0}
    assert theirs in service.revisions


def _search(url: str, token: str | None) -> int:
    """The status with which /search answers."""
    return _status(f"{url}/search", token, b'{"ai_prompt": "hello", "max_output_tokens": 5}')


def _proof(url: str, token: str | None) -> int:
    """The status with which the proof answers."""
    return _status(f"{url}/proof/ping", token)


def _status(url: str, token: str | None, body: bytes | None = None) -> int:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    headers["Content-Type"] = "application/json"
    request = urllib.request.Request(url, body, headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code
