"""How a target stands is the cloud's word, with the record's beside it."""

from __future__ import annotations

import pytest

from kit.platforms.deployment import DeploymentStatus, is_overdue
from kit.platforms.service import Service, Version
from tests.fixtures.deployments import NOW, deployed, place_of, service_of, version


def stands(target: str, service: Service | None, **changes: object) -> DeploymentStatus:
    return DeploymentStatus(place_of(target), deployed(target, **changes), asked=True, service=service)


def flex(*versions: Version) -> DeploymentStatus:
    return stands("flex", service_of("flex", *versions))


def test_a_flex_version_that_serves_costs_money_until_the_service_is_removed() -> None:
    status = flex(version(), version("sp-before", 0.0, running=False))
    assert (status.costs, status.stops_the_costs) == ("always", ("kit destroy flex",))


def test_a_flex_version_without_traffic_costs_money_until_it_is_stopped_and_no_other_is_touched() -> None:
    new, held = version("sp-new", 0.0), version("sp-held", 0.0)
    status = flex(new, held, version("theirs", 0.0, target=None), version(running=False))
    assert status.stops_the_costs == (
        "gcloud app versions stop sp-new sp-held --service=sp-flex --project=my-project-42 --quiet",
    )


def test_a_version_that_cannot_be_stopped_is_removed_by_the_kit() -> None:
    status = flex(version("sp-held", 0.0), version("sp-kept", 0.0, stops=False), version(running=False))
    assert [line.split()[0] for line in status.stops_the_costs] == ["gcloud", "kit"]
    assert "sp-kept" not in status.stops_the_costs[0]


def test_where_both_run_both_lines_are_there() -> None:
    status = flex(version("sp-held", 0.0), version())
    assert [line.split()[0] for line in status.stops_the_costs] == ["gcloud", "kit"]


def test_a_cloud_run_service_that_keeps_instances_is_removed_by_the_kit() -> None:
    service = service_of("run", version("a", 0.0, min_instances=1), version("b", 1.0))
    assert stands("run", service).stops_the_costs == ("kit destroy run",)


def test_what_costs_but_is_not_the_kits_is_not_the_kits_to_stop() -> None:
    status = flex(version("theirs", target=None))
    assert (status.costs, status.stops_the_costs) == ("always", ())


def test_a_service_that_is_gone_has_no_url() -> None:
    status = stands("run", None)
    assert (status.gone, status.url) == (True, None)


def test_the_clouds_word_comes_before_the_records() -> None:
    status = stands("run", service_of("run", public=True, url="https://new.example.org"))
    assert (status.url, status.public) == ("https://new.example.org", True)
    assert stands("run", service_of("run", public=None)).public is False, "which is what the record says"


@pytest.mark.parametrize(
    ("changes", "traffic", "role"),
    [
        ({"created_at": "2027-01-15T08:00:00Z"}, 0.0, "held-back"),
        ({"created_at": "2027-01-15T06:00:00Z"}, 0.0, "earlier"),
        ({"created_at": "2027-01-15T07:00:00.5Z"}, 0.0, "held-back"),
        ({"created_at": None}, 0.0, "earlier"),
        ({"created_at": "2027-01-15T06:00:00Z"}, 0.1, "serving"),
        ({"target": None}, 0.0, "not-ours"),
    ],
)
def test_what_each_version_is_there_for(changes: dict[str, object], traffic: float, role: str) -> None:
    service = service_of("run", version(), version("sp-other", traffic, **changes))
    status = stands("run", service)
    assert [status.role(one) for one in service.versions] == ["serving", role]


def test_a_version_that_the_record_says_was_held_back_is() -> None:
    held = version("sp-other", 0.0, created_at="2026-01-01T00:00:00Z")
    status = stands("run", service_of("run", version(), held), version="sp-other", state="held-back")
    assert status.role(held) == "held-back"


def test_what_expires_at_no_time_is_not_overdue() -> None:
    assert not is_overdue(deployed("run", expires_at="tomorrow"), NOW)
