"""The second deployment and all after it: a new version is measured before it takes the traffic."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.system.cloud import Cloud, another, front_of, whose

OWN_APP = Path(__file__).parents[2] / "examples" / "own-app"


def serves(cloud: Cloud, service: str = "sp-flex") -> str:
    """Which App Engine version has all the traffic."""
    ((version, share),) = cloud.plane.app_engine.services[service].split.items()
    assert share == 1.0
    return version


def stopped(cloud: Cloud, version: str, service: str = "sp-flex") -> bool:
    """Whether an App Engine version is stopped, and its process gone."""
    resource = cloud.plane.app_engine.services[service].versions[version].resource
    is_stopped: bool = resource["servingStatus"] == "STOPPED"
    assert is_stopped is not cloud.platforms.runs(service, version)
    return is_stopped


def answering(cloud: Cloud, service: str = "sp-flex") -> str:
    """Which version answers at an App Engine service's own URL."""
    who = whose(cloud.plane.app_engine.services[service].url)
    assert isinstance(who, dict), who
    return str(who["version"])


@pytest.mark.long
def test_a_flex_service_over_its_life_with_a_version_that_got_worse(cloud: Cloud) -> None:
    first = cloud.deploy("flex")
    assert first.status == 0, first
    one = first.outcomes["flex"]["version"]

    # Nothing changed: nothing is uploaded.
    changes = cloud.changes
    again = cloud.deploy("flex")
    assert (again.status, again.outcomes["flex"]["result"]) == (0, "unchanged"), again
    assert again.outcomes["flex"]["version"] == one
    assert cloud.changes == changes

    # Another bundle: a new version, measured at a URL of its own, then promoted; the old one stopped.
    cloud.settings(another(2))
    ran = cloud.deploy("flex", "--streams", "12")
    assert (ran.status, ran.outcomes["flex"]["result"]) == (0, "promoted"), ran
    # What was open on the old one came to its end, though that was stopped meanwhile.
    rollout = ran.outcomes["flex"]["rollout"]
    assert (rollout["says"], rollout["sure"]) == ("12 of 12 streams finished", "proved"), rollout
    assert rollout["evidence"][-1].endswith("after its version had been told to stop.")
    assert first.outcomes["flex"]["rollout"] is None
    two = ran.outcomes["flex"]["version"]
    assert two != one
    assert ran.outcomes["flex"]["version_url"] != first.outcomes["flex"]["version_url"]
    assert serves(cloud) == two
    assert (stopped(cloud, one), stopped(cloud, two)) == (True, False)
    assert cloud.record["flex"]["previous"] == one

    # Back: the one from before is named, started, and the other one stopped.
    cloud.platforms.put_front("flex", replace(front_of("flex"), shutdown_grace_s=0.5))
    back = cloud.kit("rollback", "flex", "--streams", "0", "--yes")
    assert back.status == 0, back
    assert one in back.out
    assert "Through a deploy" not in back.out
    assert serves(cloud) == one
    assert (stopped(cloud, one), stopped(cloud, two)) == (False, True)
    assert answering(cloud) == one

    # A version that streams worse takes no traffic, costs nothing, and what serves goes on.
    cloud.platforms.put_front("flex", front_of("standard"))
    cloud.settings(another(3))
    refused = cloud.kit("deploy", "flex", "--yes")
    assert refused.status == 3, refused
    assert f"Not promoted; {one} keeps serving." in " ".join(refused.out.split())
    assert re.search(r"^ +· ", refused.out, re.MULTILINE), "nothing is called held back without evidence"
    (three,) = cloud.plane.app_engine.services["sp-flex"].versions.keys() - {one, two}
    assert serves(cloud) == one
    assert (stopped(cloud, one), stopped(cloud, three)) == (False, True)
    assert answering(cloud) == one
    assert cloud.record["flex"]["state"] == "held-back"

    # A user who wants it all the same may say so.
    forward = cloud.kit("promote", "flex", "--yes", "--json")
    assert forward.status == 0, forward
    assert (forward.data["version"], forward.data["was"]) == (three, one)
    # The one before has no time to bring its streams to their end, and is killed.
    assert forward.data["rollout"]["says"].startswith("5 of 5 cut without a word after"), forward
    assert forward.data["rollout"]["sure"] == "proved"
    assert serves(cloud) == three
    assert (stopped(cloud, one), stopped(cloud, three)) == (True, False)
    assert answering(cloud) == three


@pytest.mark.long
def test_while_the_old_version_goes_on_answering_nothing_is_decided_of_the_new_one(cloud: Cloud) -> None:
    one = cloud.deploy("standard").outcomes["standard"]["version"]
    cloud.platforms.stale = one
    cloud.settings(another(2))
    ran = cloud.deploy("standard", "--timeout", "20")
    standard = ran.outcomes["standard"]
    assert (ran.status, standard["result"], standard["gate"]) == (4, "not-promoted", "inconclusive"), ran
    assert [lane["doubts"][0] for lane in standard["lanes"]] == ["other-version"] * 2
    assert all(lane["verdict"] == "inconclusive" for lane in standard["lanes"])
    assert f"waiting for {standard['version']}: {one} still answers" in ran.err
    assert serves(cloud, "sp-standard") == one

    # Once it is the one that answers, it is measured, and not made again.
    two, changes = standard["version"], cloud.changes
    cloud.platforms.route("standard", "sp-standard", {two: 1}, tag=two)
    ran = cloud.deploy("standard")
    assert (ran.status, ran.outcomes["standard"]["result"]) == (0, "promoted"), ran
    assert cloud.changes == [*changes, "appengine.apps.services.patch"]
    assert serves(cloud, "sp-standard") == two

    # What is on record is held against what answers as well.
    cloud.platforms.route("standard", "sp-standard", {one: 1}, tag=two)
    ran = cloud.kit("compare", "--deployed", "--timeout", "20", "--json")
    assert ran.status == 4, ran
    assert [lane["doubts"][0] for lane in ran.data["lanes"]] == ["other-version"] * 2


@pytest.mark.thorough
def test_a_version_of_which_nothing_can_be_said_is_not_promoted(cloud: Cloud) -> None:
    one = cloud.deploy("standard").outcomes["standard"]
    # Without the proof an app is watched only, and arrivals alone prove nothing.
    shutil.copytree(
        OWN_APP, cloud.work / "own", ignore=shutil.ignore_patterns("build", ".kit", "__pycache__")
    )
    text = (OWN_APP / "kit.toml").read_text()
    cloud.settings(f'{text}source = "own"\ninclude = ["mine/"]\nproof = false\n')
    ran = cloud.deploy("standard")
    standard = ran.outcomes["standard"]
    assert (standard["result"], standard["gate"]) == ("not-promoted", "inconclusive"), ran
    assert ran.status == 4
    assert serves(cloud, "sp-standard") == one["version"]


@pytest.mark.thorough
def test_better_than_documented_is_promoted_and_told(cloud: Cloud) -> None:
    cloud.platforms.put_front("standard", front_of("run"))
    ran = cloud.deploy("standard")
    assert ran.status == 0, ran
    standard = ran.outcomes["standard"]
    assert (standard["result"], standard["gate"]) == ("promoted", "better-than-documented")
    warnings: list[Any] = ran.warnings
    assert warnings == ["standard is better-than-documented"]
