"""How a target stands is the cloud's word, with the record's beside it."""

from __future__ import annotations

import asyncio

import pytest

from kit.cloud.record import Deployment
from kit.cloud.status import DeploymentStatus, is_overdue, look, overdue, status
from kit.errors import Code, KitError
from kit.platforms.platform import Host
from kit.platforms.service import Place
from kit.times import stamp
from tests.fixtures.deployments import NOW, deployed, place_of, service_of, version
from tests.kit.flows.hosts import MemoryHost


def status_of(host: MemoryHost, **changes: object) -> DeploymentStatus:
    return asyncio.run(look(host.place, deployed(host.place.target, **changes), host))


def flex() -> MemoryHost:
    host = MemoryHost(place_of("flex"), always=True)
    host.service = service_of("flex", version("sp-now"), version("sp-before", 0.0, running=False))
    return host


def test_one_that_cannot_be_asked_leaves_the_others_their_answers() -> None:
    broken = KitError(Code.CLOUD_UNAVAILABLE, "503.", "Later.")

    def host_of(place: Place) -> Host:
        host = MemoryHost(place)
        host.service = service_of(place.target)
        if place.target == "run":
            host.fail["look"] = broken
        return host

    run, standard = asyncio.run(status([deployed("run"), deployed("standard")], host_of))
    assert (run.error, run.service, run.gone) == (broken, None, False)
    assert standard.service is not None
    assert standard.error is None


def test_nobody_is_asked_where_nobody_is_to_be() -> None:
    (run,) = asyncio.run(status([deployed("run")], None))
    assert (run.asked, run.gone, run.costs) == (False, False, None)
    assert run.url == deployed("run").url


def test_a_flex_version_that_serves_costs_money_until_the_service_is_removed() -> None:
    told = status_of(flex())
    assert (told.costs, told.stops_the_costs) == ("always", ("kit destroy flex",))


def test_a_flex_version_without_traffic_costs_money_until_it_is_stopped_and_nobody_elses_is_touched() -> None:
    host = flex()
    host.service = service_of(
        "flex",
        version("sp-new", 0.0),
        version("sp-held", 0.0),
        version("theirs", 0.0, target=None),
        version("sp-now", running=False),
    )
    assert status_of(host).stops_the_costs == (
        "gcloud app versions stop sp-new sp-held --service=sp-flex --project=my-project-42 --quiet",
    )


def test_where_both_run_both_lines_are_told() -> None:
    host = flex()
    host.service = service_of("flex", version("sp-held", 0.0), version())
    assert [line.split()[0] for line in status_of(host).stops_the_costs] == ["gcloud", "kit"]


def test_a_cloud_run_service_that_keeps_instances_is_removed_by_the_kit() -> None:
    host = MemoryHost(place_of("run"), always=True)
    host.service = service_of("run", version("a", 0.0, min_instances=1), version("b", 1.0))
    assert status_of(host).stops_the_costs == ("kit destroy run",)


def test_what_costs_but_is_not_the_kits_is_not_the_kits_to_stop() -> None:
    host = flex()
    host.service = service_of("flex", version("theirs", target=None))
    told = status_of(host)
    assert (told.costs, told.stops_the_costs) == ("always", ())


def test_a_service_that_is_gone_has_no_url() -> None:
    told = status_of(MemoryHost(place_of("run")))
    assert (told.gone, told.url) == (True, None)


def test_the_clouds_word_comes_before_the_records() -> None:
    host = MemoryHost(place_of("run"))
    host.service = service_of("run", public=True, url="https://new.example.org")
    told = status_of(host)
    assert (told.url, told.public) == ("https://new.example.org", True)
    host.service = service_of("run", public=None)
    assert status_of(host).public is False, "which is what the record says"


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
    other = version("sp-other", traffic, **changes)
    host = MemoryHost(place_of("run"))
    host.service = service_of("run", version(), other)
    told = status_of(host)
    assert host.service is not None
    assert [told.role(one) for one in host.service.versions] == ["serving", role]


def test_a_version_that_the_record_says_was_held_back_is() -> None:
    host = MemoryHost(place_of("run"))
    host.service = service_of("run", version(), version("sp-other", 0.0, created_at="2026-01-01T00:00:00Z"))
    told = status_of(host, version="sp-other", state="held-back")
    assert told.role(host.service.versions[1]) == "held-back"


# Overdue


def until(seconds_ago: float, target: str = "run") -> Deployment:
    return deployed(target, expires_at=stamp(NOW - seconds_ago))


def test_nothing_is_said_before_the_time_or_without_one() -> None:
    assert overdue([deployed("run"), until(-1)], NOW) is None
    assert overdue([], NOW) is None
    assert not is_overdue(deployed("run", expires_at="tomorrow"), NOW)


def test_one_is_named_with_the_time_and_the_line_that_removes_it() -> None:
    line = overdue([until(0), until(-60, "flex")], NOW) or ""
    assert line.startswith("run was to be removed at ")
    assert line.endswith("(0 s ago): kit destroy run")


def test_several_are_one_line() -> None:
    line = overdue([until(60), until(25 * 60, "flex"), until(5, "standard")], NOW) or ""
    assert line.startswith("flex, run and standard were to be removed at ")
    assert line.endswith("(25 min ago): kit destroy flex run standard")
    assert "\n" not in line
