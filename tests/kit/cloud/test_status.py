"""The cloud is asked how each target stands, and what is overdue is named."""

from __future__ import annotations

import asyncio

from kit.cloud.status import overdue, status
from kit.errors import Code, KitError
from kit.platforms.deployment import Deployment
from kit.platforms.platform import Host
from kit.platforms.service import Place
from kit.times import stamp
from tests.fixtures.deployments import NOW, deployed, service_of
from tests.kit.flows.hosts import MemoryHost


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


def test_no_cloud_is_asked_where_none_is_to_be() -> None:
    (run,) = asyncio.run(status([deployed("run")], None))
    assert (run.asked, run.gone, run.costs) == (False, False, None)
    assert run.url == deployed("run").url


def until(seconds_ago: float, target: str = "run") -> Deployment:
    return deployed(target, expires_at=stamp(NOW - seconds_ago))


def test_nothing_is_said_before_the_time_or_without_one() -> None:
    assert overdue([deployed("run"), until(-1)], NOW) is None
    assert overdue([], NOW) is None


def test_one_is_named_with_the_time_and_the_line_that_removes_it() -> None:
    line = overdue([until(0), until(-60, "flex")], NOW) or ""
    assert line.startswith("run was to be removed at ")
    assert line.endswith("(0 s ago): kit destroy run")


def test_several_are_one_line() -> None:
    line = overdue([until(60), until(25 * 60, "flex"), until(5, "standard")], NOW) or ""
    assert line.startswith("flex, run and standard were to be removed at ")
    assert line.endswith("(25 min ago): kit destroy flex run standard")
    assert "\n" not in line
