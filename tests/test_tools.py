"""A tool that is missing is a skip that says how to install it, and a failure where it was demanded."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[1]
NEEDS_GCLOUD = "def test_needs_gcloud(tool):\n    tool('gcloud')\n"


def run_without_gcloud(folder: Path, required: str) -> subprocess.CompletedProcess[str]:
    """Run pytest, with our plugin alone, on a test that needs gcloud on a machine with an empty PATH."""
    (folder / "test_one.py").write_text(NEEDS_GCLOUD)
    argv = [sys.executable, "-m", "pytest", "-p", "tests.fixtures.tools", "-p", "no:cacheprovider"]
    return subprocess.run(
        [*argv, "--rootdir", str(folder), str(folder / "test_one.py")],
        cwd=CHECKOUT,
        env={
            **os.environ,
            "PATH": str(folder),
            "STREAMPROOF_REQUIRE": required,
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        },
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_missing_tool_is_told_at_the_end_of_the_run(tmp_path: Path) -> None:
    ran = run_without_gcloud(tmp_path, required="")
    assert ran.returncode == 0
    ending = ran.stdout.partition("not exercised")[2]
    assert "1 test: gcloud is not installed: install the Google Cloud CLI" in ending
    assert "1 skipped" in ending.splitlines()[-1]


@pytest.mark.parametrize("required", ["gcloud", "nginx, gcloud"])
def test_a_missing_tool_that_is_demanded_fails(tmp_path: Path, required: str) -> None:
    ran = run_without_gcloud(tmp_path, required)
    assert ran.returncode == 1
    assert "gcloud is not installed" in ran.stdout


def test_a_misspelt_demand_is_refused(tmp_path: Path) -> None:
    ran = run_without_gcloud(tmp_path, required="gclod")
    assert ran.returncode == 4
    assert "STREAMPROOF_REQUIRE names gclod" in ran.stderr
