from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.kit.cli.conftest import Invoke

_NO_SERVICE = "ERROR: (gcloud.run.services.describe) Cannot find service [streamproof]"


@pytest.fixture
def gcloud(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gcloud that finds nothing."""
    folder = tmp_path_factory.mktemp("bin")
    program = folder / "gcloud"
    program.write_text(f"#!/bin/sh\necho '{_NO_SERVICE}' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


@pytest.mark.usefixtures("gcloud")
def test_a_dry_run_leaves_no_file_behind(invoke: Invoke, tmp_path: Path) -> None:
    told = invoke("deploy", "run", "--dry-run", "--project", "demo-project", "--region", "europe-west1")
    assert told.status == 0, told
    assert told.out.startswith("gcloud run deploy streamproof ")
    assert not list(tmp_path.iterdir())
