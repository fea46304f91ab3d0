"""`kit rehearse`: what it needs; what it does is in tests/system/test_rehearse.py."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.kit.cli.conftest import Invoke


def test_without_gcloud_one_sentence_says_what_is_missing(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    ended = invoke("rehearse", "--json")
    assert (ended.status, ended.error["code"]) == (1, "gcloud-missing")
    assert "https://cloud.google.com/sdk/docs/install" in ended.error["hint"]


def test_without_the_package_for_its_certificates_it_says_how_to_install_it(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gcloud").touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "trustme", None)
    ended = invoke("rehearse")
    assert (ended.status, ended.out) == (1, "")
    assert ended.err.splitlines() == [
        "error: A rehearsal needs trustme, which is not installed beside the kit.",
        "  Install it: pip install 'streamproof[rehearse]'",
    ]
