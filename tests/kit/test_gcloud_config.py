"""gcloud's own settings are found where gcloud would find them, and nothing there can stop the kit."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from kit.gcloud_config import gcloud_property
from tests.fixtures.tools import Tool


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "configurations").mkdir()
    (tmp_path / "configurations" / "config_default").write_text("[core]\nproject = from-default\n")
    (tmp_path / "configurations" / "config_work").write_text(
        "[core]\nproject = from-work\naccount = 100%%@example.org\n\n[run]\nregion = europe-west1\n"
    )
    return tmp_path


def project(folder: Path, **more: str) -> str | None:
    return gcloud_property({"CLOUDSDK_CONFIG": str(folder), **more}, "core", "project")


def test_the_active_configuration_has_the_say(folder: Path) -> None:
    (folder / "active_config").write_text("work")
    assert project(folder) == "from-work"


def test_without_a_choice_it_is_the_one_called_default(folder: Path) -> None:
    assert project(folder) == "from-default"


def test_the_environment_chooses_before_the_file(folder: Path) -> None:
    (folder / "active_config").write_text("default")
    assert project(folder, CLOUDSDK_ACTIVE_CONFIG_NAME="work") == "from-work"


def test_a_property_in_the_environment_comes_first(folder: Path) -> None:
    assert project(folder, CLOUDSDK_CORE_PROJECT="from-env") == "from-env"


def test_a_region_is_found_too(folder: Path) -> None:
    (folder / "active_config").write_text("work")
    assert gcloud_property({"CLOUDSDK_CONFIG": str(folder)}, "run", "region") == "europe-west1"


def test_the_files_lie_in_the_home_folder_unless_said_otherwise(folder: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / ".config").mkdir(parents=True)
    folder.joinpath("configurations").rename(home / ".config" / "moved")
    (home / ".config" / "gcloud").mkdir()
    (home / ".config" / "moved").rename(home / ".config" / "gcloud" / "configurations")
    assert gcloud_property({"HOME": str(home)}, "core", "project") == "from-default"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"project = x",
        b"[core",
        b"\xff\xfe",
        b"[core]\nproject =\n",
        b"[core]\n[core]\n",
        b"[core]\nproject = 100%",
    ],
)
def test_a_file_that_makes_no_sense_says_nothing(folder: Path, content: bytes) -> None:
    (folder / "configurations" / "config_default").write_bytes(content)
    assert project(folder) is None


@pytest.mark.parametrize("name", ["NONE", "../x", "gone"])
def test_a_configuration_that_is_none_says_nothing(folder: Path, name: str) -> None:
    assert project(folder, CLOUDSDK_ACTIVE_CONFIG_NAME=name) is None


def test_without_any_folder_nothing_is_said() -> None:
    assert gcloud_property({}, "core", "project") is None


def test_the_real_gcloud_sees_the_same(folder: Path, tool: Tool) -> None:
    (folder / "active_config").write_text("work")
    ran = subprocess.run(
        [tool("gcloud"), "config", "get", "core/project"],
        env={**os.environ, "CLOUDSDK_CONFIG": str(folder), "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "1"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert ran.stdout.strip() == project(folder) == "from-work"
