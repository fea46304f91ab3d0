"""What could not be seen: what stops, what is only said, and what is not told twice."""

from __future__ import annotations

import pytest

from kit.cloud.preflight import judge
from kit.errors import Code, KitError
from kit.platforms.findings import Finding, Seen
from tests.kit.cloud.seen import LANES, seen, wishes

DENIED = KitError(Code.PERMISSION_DENIED, "This account lacks it.\n  | more", "Ask an owner.")
READS = ("project", "billing", "apis", "app", "app_versions", "policy")


def grave(there: Seen) -> list[Finding]:
    return [finding for finding in judge(LANES, wishes(), there) if finding.level != "note"]


@pytest.mark.parametrize("name", ["version", "project", "billing", "apis", "policy"])
def test_what_only_leaves_a_question_open_is_said_and_does_not_stop(name: str) -> None:
    (found,) = grave(seen(**{name: DENIED}))
    assert found.level == "warn"
    assert found.text.startswith("It could not be seen ")
    assert "\n" not in found.text


@pytest.mark.parametrize("name", ["app", "app_versions"])
def test_what_every_deployment_needs_to_see_stops(name: str) -> None:
    (found,) = grave(seen(**{name: DENIED}))
    assert (found.level, found.text) == ("stop", DENIED.message)


def test_a_target_that_cannot_be_looked_at_stops() -> None:
    (found,) = grave(seen(looks={"run": DENIED}))
    assert found.level == "stop"


@pytest.mark.parametrize("code", [Code.NOT_SIGNED_IN, Code.UNREACHABLE, Code.GCLOUD_MISSING])
def test_a_trouble_with_all_reads_is_told_once(code: Code) -> None:
    error = KitError(code, "Nothing goes.", "Mend it.")
    (found,) = grave(seen(**dict.fromkeys(READS, error), looks=dict.fromkeys(("standard", "run"), error)))
    assert (found.level, found.text, found.remedy) == ("stop", "Nothing goes.", "Mend it.")


def test_a_project_in_which_nothing_answers_is_told_once() -> None:
    error = KitError(Code.NO_PROJECT, "There is no project demo-project.", "gcloud projects list")
    nothing = seen(**{**dict.fromkeys(READS, DENIED), "project": error}, looks={"run": DENIED})
    (found,) = grave(nothing)
    assert (found.level, found.text) == ("stop", error.message)


def test_an_api_that_is_asked_about_anyway_is_not_told_again() -> None:
    off = KitError(Code.API_OFF, "The API run.googleapis.com is off.", "…")
    there = seen(looks={"run": off}, apis=[{"config": {"name": "storage.googleapis.com"}}])
    assert [finding.level for finding in grave(there)] == ["ask"]
    assert [finding.level for finding in grave(seen(billing=off))] == ["warn"]
