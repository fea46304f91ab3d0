"""An app of the user's own on Google's cloud: proved at the gate and later, by who has its secret."""

from __future__ import annotations

import json
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.fixtures.tools import Tool
from tests.system.cloud import Cloud, Ran

pytestmark = pytest.mark.long

EXAMPLE = Path(__file__).parents[2] / "examples/own-app"
POSTED = """

@app.post("/asked")
async def asked(body: dict[str, str]) -> StreamingResponse:
    return StreamingResponse(
        words(body["question"]), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"}
    )
"""
SETTINGS = """
[app]
module = "mine.main:app"
name = "own-app"
probe_path = "/asked"
probe_body = {question = "Why?"}
"""


class Deployed(NamedTuple):
    """The app in the cloud; `ran` is what the deployment said."""

    cloud: Cloud
    ran: Ran


@pytest.fixture(scope="module")
def deployed(tool: Tool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    tool("gcloud")
    with Cloud(tmp_path_factory.mktemp("own-app")) as cloud:
        shutil.copytree(EXAMPLE, cloud.work, dirs_exist_ok=True, ignore=shutil.ignore_patterns("build"))
        main = cloud.work / "mine/main.py"
        main.write_text(main.read_text() + POSTED)
        cloud.settings(SETTINGS)
        yield Deployed(cloud, cloud.deploy("flex"))


def test_it_is_proved_before_it_serves_and_compared_later_and_the_secret_is_in_nothing_that_is_shown(
    deployed: Deployed,
) -> None:
    cloud, ran = deployed
    flex = ran.outcomes["flex"]
    assert (ran.status, flex["result"], flex["gate"]) == (0, "promoted", "passed"), ran
    secret = cloud.record["flex"]["proof_token"]
    compared = cloud.kit("compare", "--deployed", "--arm", "on", "--json")
    assert compared.status == 0, compared
    (lane,) = compared.data["lanes"]
    assert (lane["verdict"], lane["method"]) == ("incremental", "lock-step")
    assert len(lane["timeline"]) == 30
    assert not [said for said in cloud.said if secret in said]
    uploaded = cloud.upload("flex").files.values()
    assert not [content for content in uploaded if secret.encode() in content]
    files = [path for path in (*cloud.work.rglob("*"), *cloud.gcloud_logs) if path.is_file()]
    having = [path.name for path in files if secret.encode() in path.read_bytes()]
    assert having == ["deployments.json"]

    # From another folder, which has no record of it, another app does not take its place.
    (cloud.work / ".kit").rename(cloud.work / ".kit-of-the-first")
    another = SETTINGS.replace("own-app", "another")
    cloud.settings(f'{another}[targets.flex]\nservice = "own-app-flex"\n')
    changes = cloud.changes
    stopped = cloud.deploy("flex")
    assert (stopped.status, stopped.error["code"], cloud.changes) == (1, "not-ready-to-deploy", changes)
    assert f"{flex['version']} is made from the app own-app-" in stopped.error["message"]
    assert cloud.kit("status", "--refresh", "flex", "--json").data["targets"] == []
    shutil.rmtree(cloud.work / ".kit", ignore_errors=True)
    (cloud.work / ".kit-of-the-first").rename(cloud.work / ".kit")
    cloud.settings(SETTINGS)

    # Without the secret the proof says only that it wants one.
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{flex['url']}/proof/ping")
    assert json.load(refused.value)["error"] == "proof-token"


def test_a_pull_request_is_previewed_and_closed_without_a_record_and_what_serves_serves_on(
    deployed: Deployed,
) -> None:
    cloud, ran = deployed
    serving = ran.outcomes["flex"]["version"]
    services = cloud.plane.app_engine.services
    ((name, service),) = ((name, one) for name, one in services.items() if serving in one.versions)
    record, aside = cloud.work / ".kit", cloud.work / "aside"
    record.rename(aside)  # a CI begins each time in an empty folder

    previewed = cloud.kit("preview", "pr-12", "flex", "--yes", "--json", "--markdown", "said.md")
    assert previewed.status == 0, previewed.out
    flex = previewed.outcomes["flex"]
    assert (flex["result"], flex["gate"], flex["version"][:-4]) == ("previewed", "passed", "sp-pr-12-")
    assert service.split == {serving: 1.0}
    assert "### ✓ Preview pr-12\n" in (cloud.work / "said.md").read_text()
    status = cloud.kit("status", "--json").data["targets"]
    roles = {one["name"]: (one["role"], one["preview"]) for one in status[0]["versions"]}
    assert roles == {flex["version"]: ("preview", "pr-12"), serving: ("serving", None)}

    shutil.rmtree(record)
    for removed in ([f"1 version ({flex['version']}) of the service {name}"], None):
        closed = cloud.kit("preview", "pr-12", "--close", "--yes", "--json")
        assert closed.status == 0, closed
        assert [one["removed"] for one in closed.data["targets"]] == ([] if removed is None else [removed])
    assert (list(service.versions), service.split) == ([serving], {serving: 1.0})
    shutil.rmtree(record, ignore_errors=True)
    aside.rename(record)
