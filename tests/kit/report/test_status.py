"""What a person reads about what is deployed: where, what serves, and what it costs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kit.errors import Code, KitError
from kit.language import speak
from kit.platforms.deployment import DeploymentStatus
from kit.platforms.service import Version
from kit.report.status import status_text
from kit.report.style import Style
from kit.targets import load_targets
from tests.fixtures.chinese import english_left
from tests.fixtures.deployments import deployed, place_of, service_of, version

# A quarter past nine, two hours and a quarter after the version in tests/fixtures/deployments.py was made.
NOW = 1_800_004_500.0


def text(*statuses: DeploymentStatus, colour: bool = False) -> str:
    return status_text(statuses, load_targets(), Style(colour=colour), NOW)


def there(target: str, *versions: Version, **changes: object) -> DeploymentStatus:
    return DeploymentStatus(
        place_of(target),
        deployed(target, **changes),
        asked=True,
        service=service_of(target, *versions),
    )


def test_a_target_that_serves_is_told_with_place_url_share_age_verdict_and_cost() -> None:
    assert text(there("run", version())).splitlines() == [
        "run  Cloud Run · my-project-42 · europe-west1 · streamproof · private",
        "  https://streamproof.example.org",
        "  serving    sp-now  100 %     2 h old",
        "  measured when deployed: streamed with the header",
        "  costs only while it is asked",
    ]


@pytest.mark.parametrize(("size", "words"), [(65_536, "blocks of 64 KiB"), (None, "blocks")])
def test_what_was_measured_is_said_as_the_gate_says_it(size: int | None, words: str) -> None:
    shown = text(there("flex", version(), verdict_off="byte-limited", blocks_off=size))
    assert f"  measured when deployed: streamed with the header, buffered in {words} without the" in shown


def test_money_that_is_spent_all_the_time_is_told_with_the_line_that_stops_it() -> None:
    shown = text(there("flex", version()))
    assert "costs money all the time, asked or not: sp-now runs" in shown
    assert "this removes the service: kit destroy flex" in shown


def test_a_version_that_only_costs_can_be_stopped_without_harm() -> None:
    held = version("sp-held", 0.0, created_at="2027-01-15T08:00:00Z")
    shown = text(there("flex", held, version(running=False)))
    assert "sp-held runs\n    this stops what has no traffic: gcloud app versions stop sp-held" in shown
    assert "kit destroy" not in shown


def test_a_version_that_was_held_back_is_told_with_the_url_to_look_at_it() -> None:
    held = version("sp-held", 0.0, created_at="2027-01-15T09:00:00Z", url="https://held.example.org")
    shown = text(there("run", held, version()))
    row = next(line for line in shown.splitlines() if "sp-held" in line)
    assert row.split("  ")[1:3] == ["held back", "sp-held"]
    assert row.endswith("15 min old  https://held.example.org")


def test_previews_are_shown_with_their_names_and_urls_and_not_once_nothing_leads_there() -> None:
    new = version("sp-pr-1-abcd", 0.0, preview="pr-1", url="https://pr-1.example.org")
    closed = version("sp-pr-2-abcd", 0.0, preview="pr-2")
    shown = text(there("run", new, closed, version()))
    row = next(line for line in shown.splitlines() if "sp-pr-1-abcd" in line)
    assert row.split() == ["preview", "sp-pr-1-abcd", "2", "h", "old", "pr-1", "https://pr-1.example.org"]
    assert "pr-2" not in shown


def test_old_versions_and_other_peoples_are_counted_after_a_few() -> None:
    old = [version(f"sp-old{n}", 0.0, created_at="2026-01-01T00:00:00Z") for n in range(5)]
    shown = text(there("run", version(), *old, version("theirs", 0.0, target=None)))
    assert "sp-old2" in shown
    assert "sp-old3" not in shown
    assert "and 2 earlier" in shown
    assert "and 1 that the kit did not make" in shown


def test_what_another_app_has_there_is_not_shown_as_ours() -> None:
    served = version("sp-theirs", app="shop-1a2b3c4d")
    shown = text(there("run", served, version("sp-more", 0.0, app="shop-1a2b3c4d"), version("sp-old", 0.0)))
    row = next(line for line in shown.splitlines() if "sp-theirs" in line)
    assert row.split("  ")[1] == "another app's"
    assert "and 1 of another app" in shown


def test_anothers_version_that_serves_is_shown() -> None:
    assert "not the kit's  theirs" in text(there("run", version("theirs", target=None)))


def test_what_is_gone_says_so_and_nothing_else() -> None:
    shown = text(DeploymentStatus(place_of("flex"), deployed("flex"), asked=True))
    assert "gone: the cloud has no such service" in shown
    assert "https://" not in shown
    assert "measured" not in shown


def test_what_may_still_be_made_is_not_called_gone() -> None:
    begun = replace(deployed("flex"), version=None, state="failed")
    shown = text(DeploymentStatus(place_of("flex"), begun, asked=True))
    assert "not there: its deployment did not finish" in shown
    assert "kit destroy flex" in shown
    assert "gone" not in shown


def test_what_could_not_be_asked_says_why_and_what_is_on_record() -> None:
    error = KitError(Code.NOT_SIGNED_IN, "gcloud has no account.", "gcloud auth login")
    shown = text(DeploymentStatus(place_of("flex"), deployed("flex"), asked=True, error=error))
    assert "could not be asked: gcloud has no account.\n    gcloud auth login" in shown
    assert "on record: serving, sp-now, deployed 2 h ago" in shown
    assert "what it costs now is not known" in shown


@pytest.mark.parametrize(
    ("expires_at", "words"),
    [
        ("2027-01-15T09:00:00Z", "15 min ago): kit destroy run"),
        ("2027-01-15T09:30:00Z", "(in 15 min): kit destroy run"),
    ],
)
def test_when_it_is_to_be_removed_and_how(expires_at: str, words: str) -> None:
    assert words in text(there("run", version(), expires_at=expires_at))


def test_nothing_that_a_cloud_or_a_file_says_moves_the_cursor() -> None:
    evil = version("sp-\x1b[2J", url="https://\x07", created_at="\x1b]0;")
    shown = text(there("run", evil, verdict_on="\x1b[1m"))
    assert "\x1b" not in shown
    assert "\x07" not in shown


def test_colour_changes_no_word() -> None:
    one = there("flex", version(), expires_at="2027-01-15T09:00:00Z")
    coloured = text(one, colour=True)
    assert "\x1b[31m" in coloured
    plain = coloured
    for code in ("31", "1", "0", "32", "2", "33"):
        plain = plain.replace(f"\x1b[{code}m", "")
    assert plain == text(one)


def test_in_chinese_no_english_is_left() -> None:
    speak("zh")
    try:
        said = text(
            there("standard", version("a", traffic=1.0), version("b"), expires_at="2027-01-15T08:00:00Z"),
            there("flex", verdict_on="incremental", verdict_off="byte-limited"),
            DeploymentStatus(place_of("run"), None, asked=True),
        )
    finally:
        speak("en")
    assert "正在服务" in said
    left = {"default", "europe-west", "streamproof", "App", "Engine", "standard", "flex", "run", "gke"}
    assert english_left(said, *left) == []
