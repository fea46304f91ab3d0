"""Whoever deployed for a while is reminded once it is over, in one line with the remedy."""

from __future__ import annotations

from dataclasses import replace

from kit.cloud.record import Deployment
from kit.cloud.status import is_overdue, overdue
from kit.times import stamp

NOW = 1_800_000_000.0
RUN = Deployment(
    target="run",
    platform="cloud_run",
    project="my-project-42",
    region="europe-west1",
    service="streamproof",
    url="https://streamproof-x-ew.a.run.app",
    version="streamproof-sp-tr8k2a0x",
    version_url=None,
    digest=None,
    state="serving",
    public=False,
    created_at=None,
    deployed_at=None,
)


def until(seconds_ago: float, target: str = "run") -> Deployment:
    return replace(RUN, target=target, expires_at=stamp(NOW - seconds_ago))


def test_nothing_is_said_before_the_time_or_without_one() -> None:
    assert overdue([RUN, until(-1)], NOW) is None
    assert overdue([], NOW) is None
    assert not is_overdue(replace(RUN, expires_at="tomorrow"), NOW)


def test_one_is_named_with_the_time_and_the_line_that_removes_it() -> None:
    line = overdue([until(0), until(-60, "flex")], NOW) or ""
    assert line.startswith("run was to be removed at ")
    assert line.endswith("(0 s ago): kit destroy run")


def test_several_are_one_line() -> None:
    line = overdue([until(60), until(25 * 60, "flex"), until(5, "standard")], NOW) or ""
    assert line.startswith("flex, run and standard were to be removed at ")
    assert line.endswith("(25 min ago): kit destroy flex run standard")
    assert "\n" not in line
