"""Previews on Cloud Run and App Engine Standard with the real gcloud: made, replaced, closed twice."""

from __future__ import annotations

import urllib.error
from pathlib import Path

import pytest

from tests.fixtures.tools import Tool
from tests.system.cloud import Cloud, whose


@pytest.mark.thorough
def test_two_previews_stand_beside_what_serves_until_each_is_closed(tool: Tool, tmp_path: Path) -> None:
    tool("gcloud")
    with Cloud(tmp_path) as cloud:
        deployed = {}
        for target in ("standard", "run"):
            deployed[target] = cloud.deploy(target, "--no-gate").outcomes[target]["version"]
        app = cloud.plane.app_engine.services["sp-standard"]
        service = cloud.plane.cloud_run.service("streamproof")

        def serves_on() -> bool:
            return (app.split, service.shares) == (
                {deployed["standard"]: 1.0},
                {deployed["run"]: 1.0},
            )

        first = cloud.kit("preview", "pr-1", "standard", "run", "--yes", "--json")
        assert (first.status, serves_on()) == (0, True), first
        for name, one in first.outcomes.items():
            found = whose(one["version_url"], cloud.caller(one["url"]))
            assert isinstance(found, dict)
            assert (found["target"], found["version"]) == (name, one["version"])

        # The same name again takes the tag, and with it the URL; the revision before is gone.
        again = cloud.kit("preview", "pr-1", "run", "--yes", "--json")
        assert (again.status, serves_on()) == (0, True), again
        before, now = first.outcomes["run"], again.outcomes["run"]
        assert now["version_url"] == before["version_url"]
        assert set(service.revisions) == {deployed["run"], now["version"]}
        found = whose(now["version_url"], cloud.caller(now["url"]))
        assert isinstance(found, dict)
        assert found["version"] == now["version"]

        # Nothing of it is promoted, also if it is the only version that waits.
        promoted = cloud.kit("promote", "run", "--yes", "--json")
        assert (promoted.status, promoted.error["code"]) == (1, "nothing-deployed")
        closed = cloud.kit("preview", "pr-1", "--close", "--yes", "--json")
        assert (closed.status, serves_on(), list(app.versions)) == (0, True, [deployed["standard"]]), closed
        assert {one["target"]: one["stays"] != [] for one in closed.data["targets"]} == {
            "standard": False,
            "run": True,  # the newest revision, to which nothing leads any more
        }
        with pytest.raises(urllib.error.URLError):
            whose(now["version_url"], cloud.caller(now["url"]))
        repeated = cloud.kit("preview", "pr-1", "--close", "--yes", "--json")
        assert (repeated.status, repeated.data) == (0, {"targets": []})
