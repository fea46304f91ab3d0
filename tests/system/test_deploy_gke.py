"""GKE: into a cluster that is there, behind a Gateway, and out of it again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.kubernetes import may_listen_on_port_80
from tests.fixtures.tools import Tool
from tests.system.cloud import Cloud, whose

pytestmark = pytest.mark.long

# The user's own, of another cluster.
KUBECONFIG = "apiVersion: v1\nkind: Config\ncurrent-context: theirs\n"


@pytest.fixture
def cloud(tool: Tool, tmp_path: Path) -> Iterator[Cloud]:
    for name in ("gcloud", "kubectl", "gke-gcloud-auth-plugin"):
        tool(name)
    may_listen_on_port_80()
    with Cloud(tmp_path) as cloud:
        yield cloud


def test_a_version_is_measured_behind_the_gateway_serves_and_goes(cloud: Cloud, tmp_path: Path) -> None:
    cluster = cloud.plane.container.add("theirs")
    config = tmp_path / "signed-in" / "home" / ".kube" / "config"
    config.parent.mkdir(parents=True)
    config.write_text(KUBECONFIG)

    ran = cloud.deploy("gke", "--gke", "theirs")
    assert ran.status == 0, ran
    outcome = ran.outcomes["gke"]
    assert (outcome["result"], outcome["url"]) == ("promoted", f"http://{cloud.plane.gateway_host}")
    measured = cloud.record["gke"]
    assert (measured["verdict_on"], measured["verdict_off"]) == ("incremental", "incremental")
    for url in (outcome["url"], f"{outcome['url']}/{outcome['version']}"):
        who = whose(url)
        assert isinstance(who, dict)
        assert (who["target"], who["version"]) == ("gke", outcome["version"])
    timeouts = [each["timeoutSec"] for each in cloud.plane.compute.resources["backendServices"].values()]
    assert timeouts == [300]

    removed = cloud.kit("destroy", "--all", "--yes")
    assert removed.status == 0, removed
    assert cloud.record == {}
    assert cloud.plane.container.names() == ["theirs"]
    assert cluster.store.keys("streamproof") == []
    assert not any(cloud.plane.compute.resources.values())
    assert not any(cloud.plane.artifacts.images.values())
    assert not cloud.platforms.written()
    assert config.read_text() == KUBECONFIG
    for path in tmp_path.rglob("*"):
        if path.is_file() and "signed-in" not in path.parts:
            assert b"ya29." not in path.read_bytes(), f"a token is in {path}"
