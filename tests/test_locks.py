"""The pinned lists agree with each other and with what the project needs (`make lock` refreshes them)."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[1]
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
LOCKS = (
    "deploy/requirements.txt",
    "deploy/requirements-google.txt",
    "locks/runtime.txt",
    "locks/dev.txt",
    "locks/tools.txt",
    "locks/appinfo.txt",
)


def pinned(lock: str) -> dict[str, str]:
    """Package to version, as the lock has it."""
    return dict(re.findall(r"^([\w.-]+)==([^\s;\\]+)", (CHECKOUT / lock).read_text(), re.MULTILINE))


def names(requirements: list[str]) -> set[str]:
    """The packages asked for, by their normalised names."""
    found = (re.match(r"[\w.-]+", requirement) for requirement in requirements)
    return {re.sub(r"[-_.]+", "-", match[0]).lower() for match in found if match}


@pytest.mark.parametrize(
    ("needed", "lock"),
    [
        (PROJECT["project"]["dependencies"], "locks/runtime.txt"),
        (PROJECT["project"]["dependencies"] + PROJECT["dependency-groups"]["dev"], "locks/dev.txt"),
        (PROJECT["dependency-groups"]["tools"], "locks/tools.txt"),
        ((CHECKOUT / "deploy" / "requirements.in").read_text().splitlines(), "deploy/requirements.txt"),
        (PROJECT["project"]["optional-dependencies"]["google"], "deploy/requirements-google.txt"),
    ],
    ids=["runtime", "dev", "tools", "service", "google"],
)
def test_whatever_is_needed_is_pinned(needed: list[str], lock: str) -> None:
    assert names(needed) - pinned(lock).keys() == set()


def test_the_lab_runs_the_versions_that_are_deployed() -> None:
    deployed, here = pinned("deploy/requirements.txt"), pinned("locks/runtime.txt")
    assert {name: here.get(name) for name in deployed} == deployed


def test_googles_clients_change_no_version_of_what_is_deployed_without_it() -> None:
    without, with_it = pinned("deploy/requirements.txt"), pinned("deploy/requirements-google.txt")
    assert {name: with_it.get(name) for name in without} == without


def test_the_tests_ask_google_with_the_versions_that_are_deployed() -> None:
    deployed, tests = pinned("deploy/requirements-google.txt"), pinned("locks/dev.txt")
    assert {name: tests.get(name) for name in deployed} == deployed


def test_only_a_bundle_that_asks_google_carries_its_clients() -> None:
    assert {"google-cloud-aiplatform", "google-cloud-firestore"} <= pinned(
        "deploy/requirements-google.txt"
    ).keys()
    for lock in ("deploy/requirements.txt", "locks/runtime.txt"):
        assert not [name for name in pinned(lock) if name.startswith(("google", "grpc"))]


def test_the_tests_run_the_versions_that_a_user_gets() -> None:
    user, tests = pinned("locks/runtime.txt"), pinned("locks/dev.txt")
    assert {name: tests.get(name) for name in user} == user


@pytest.mark.parametrize("lock", LOCKS)
def test_no_list_names_a_host_or_a_place_on_a_machine(lock: str) -> None:
    assert not re.search(r"://|(^|\s)/|--index|--find-links", (CHECKOUT / lock).read_text())
