"""Twenty streams through a rollout on each target: the row says what the platforms' rehearsal did to them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kit.rehearsal.uploads import Kind
from tests.fixtures.kubernetes import may_listen_on_port_80
from tests.fixtures.tools import Tool
from tests.system.cloud import Cloud, Ran, another, front_of

pytestmark = pytest.mark.thorough

MANY = ("--streams", "20")


def rollout(ran: Ran, kind: Kind) -> tuple[str, str, str]:
    """What the row says, how sure that is, and the last of its evidence."""
    assert ran.status == 0, ran
    found = ran.outcomes[kind]["rollout"]
    return found["says"], found["sure"], found["evidence"][-1]


@pytest.mark.parametrize(
    ("kind", "stops"), [("standard", False), ("flex", True), ("run", False), ("gke", True)]
)
def test_the_row_says_what_became_of_each_stream(cloud: Cloud, tool: Tool, kind: Kind, stops: bool) -> None:
    where: tuple[str, ...] = ()
    if kind == "gke":
        for name in ("kubectl", "gke-gcloud-auth-plugin"):
            tool(name)
        may_listen_on_port_80()
        cloud.plane.container.add("theirs")
        where = ("--gke", "theirs")
    first = cloud.deploy(kind, *where)
    assert first.outcomes[kind]["rollout"] is None, "nothing served before"

    # With the grace that the platform documents, and the app's own last seconds within it.
    cloud.settings(another(2))
    cloud.platforms.put_front(kind, replace(front_of(kind), shutdown_grace_s=0.5))
    says, sure, last = rollout(cloud.deploy(kind, *where, *MANY), kind)
    assert (says, sure) == ("20 of 20 streams finished", "proved")
    assert last.endswith("had been told to stop.") is stops, last

    # Killed half a second after SIGTERM, where it is stopped at all.
    back = cloud.kit("rollback", kind, *MANY, "--yes", "--json")
    assert back.status == 0, back
    found = back.data["rollout"]
    if stops:
        assert found["says"].startswith("20 of 20 cut without a word after "), found
        assert found["evidence"][-1].endswith("its connection broke off."), found
    else:
        assert found["says"] == "20 of 20 streams finished", found
    assert found["sure"] == "proved"


def test_with_its_proof_closed_the_services_own_answers_are_watched(cloud: Cloud) -> None:
    def closed(**more: str) -> None:
        """Have what was made last run on as an hour after its deployment."""
        upload = cloud.upload("flex")
        environment = {**upload.environment, "STREAMPROOF_PROOF_UNTIL": "1", **more}
        cloud.platforms.serve(replace(upload, environment=environment))

    assert cloud.deploy("flex").status == 0
    closed()
    cloud.settings(another(2))
    says, _, _ = rollout(cloud.deploy("flex", *MANY), "flex")
    assert says == "20 of 20 streams finished", "within their version's grace"

    closed(STREAMPROOF_SHUTDOWN_GRACE_S="1")
    cloud.settings(another(3))
    says, sure, last = rollout(cloud.deploy("flex", *MANY), "flex")
    assert (says, sure) == ("20 of 20 told to reconnect, and answered anew", "proved")
    assert last.endswith("shutting-down.")
