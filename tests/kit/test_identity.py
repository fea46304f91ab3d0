"""An app's name and mark: the same in every checkout of one repository, and two apps' never the same."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.app import App
from kit.config import Config
from kit.identity import Identity, identity
from kit.settings import fitted
from kit.targets import load_targets
from tests.fixtures.tools import Tool

Checkout = Callable[..., Identity]


def app(source: Path, module: str = "mine.main:app", name: str | None = None) -> App:
    return App(module, source, source / "requirements.txt", name=name)


@pytest.fixture
def checkout(tool: Tool, tmp_path: Path) -> Checkout:
    """An app's identity in a git repository: its folder, where it came from, the app's folder in it."""
    git = tool("git")

    def made(name: str, address: str | None, inside: str = ".") -> Identity:
        folder = tmp_path / name
        (folder / inside).mkdir(parents=True)
        subprocess.run([git, "init", "-q", folder], check=True)
        if address is not None:
            subprocess.run([git, "-C", folder, "remote", "add", "origin", address], check=True)
        return identity(app(folder / inside))

    return made


def test_the_kits_own_service_is_streamproof() -> None:
    assert identity(None) == Identity("streamproof", "streamproof")
    assert Config().identity.mark == "streamproof"


def test_every_checkout_of_a_repository_is_the_same_app(checkout: Checkout) -> None:
    addresses = (
        "https://github.com/Acme/Shop.git",
        "https://x-access-token:s3cret@github.com/acme/shop",
        "git@github.com:acme/shop.git",
        "ssh://git@github.com/acme/shop/",
    )
    found = {checkout(str(n), one, "chat").mark for n, one in enumerate(addresses)}
    assert len(found) == 1
    assert checkout("workspace", addresses[1], "chat").name == "shop-chat"
    assert "s3cret" not in found.pop()


def test_folders_of_one_name_in_two_repositories_are_two_apps(checkout: Checkout) -> None:
    here = checkout("a", "https://github.com/acme/shop", "backend")
    other = checkout("b", "https://github.com/acme/till", "backend")
    assert (here.name, other.name) == ("shop-backend", "till-backend")
    assert here.mark != other.mark


def test_without_an_address_the_path_tells_and_the_module_as_well(checkout: Checkout, tmp_path: Path) -> None:
    known = checkout("one/Shop API", None)
    assert known.name == "shop-api"
    assert known.mark != checkout("two/Shop API", None).mark
    assert known.mark != identity(app(tmp_path / "one/Shop API", "other:app")).mark
    assert identity(app(Path("/"))).name == "app"


def test_a_name_that_is_given_is_the_same_on_every_machine() -> None:
    here, there = (identity(app(Path(folder), name="shop-chat")) for folder in ("/a", "/b"))
    assert here == there
    assert here.name == "shop-chat"
    assert identity(app(Path("/"), name="streamproof")).mark != "streamproof"


@pytest.mark.parametrize(
    ("folder", "name"),
    [("default", "app-default"), ("ah-x", "app-ah-x"), ("42", "app-42"), ("a-dot-b", "a-b"), ("中文", "app")],
)
def test_a_name_that_a_platform_would_not_take_is_made_one(folder: str, name: str) -> None:
    assert identity(app(Path("/nowhere") / folder)).name == name


@given(st.text(max_size=80) | st.from_regex(r"(ah-)?[0-9a-z]+(-dot-[a-z]*)*", fullmatch=True))
def test_whatever_an_app_is_called_each_target_gets_names_that_it_takes(called: str) -> None:
    found = identity(app(Path("/"), name=called))
    assert re.fullmatch(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?", found.mark)
    for target in load_targets().values():
        names = target.defaults_for(found.name)
        assert all(target.settings[key].allows(value) for key, value in names.items())


def test_a_name_that_is_cut_still_differs() -> None:
    first, second = (fitted(f"the-same-beginning-{end}", 15) for end in ("one", "two"))
    assert first != second
    assert len(first) == len(second) == 15


def test_services_of_an_own_app_bear_its_name_and_the_kits_own_keep_theirs() -> None:
    mine = Config(app=app(Path("/nowhere/shop"), name="shop"), targets={"flex": {"service": "other"}})
    targets = load_targets()
    assert {name: mine.of(one)["service"] for name, one in targets.items()} == {
        "standard": "shop",
        "flex": "other",
        "run": "shop",
        "gke": "shop",
    }
    assert Config().of(targets["run"])["service"] == "streamproof"
