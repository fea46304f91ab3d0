from __future__ import annotations

import hashlib
import time
from pathlib import Path

import pytest

from kit.app import App
from kit.cli.records import serving_token
from kit.cloud.record import Record
from kit.config import Config
from kit.times import stamp
from tests.fixtures.deployments import deployed
from tests.kit.cli.conftest import Invoke


def remember(folder: Path, *targets: str, seconds_ago: float = 1500) -> None:
    for target in targets:
        Record.load(folder).put(deployed(target, expires_at=stamp(time.time() - seconds_ago)))


def test_any_command_reminds_of_it_on_stderr_and_does_its_work(invoke: Invoke, tmp_path: Path) -> None:
    remember(tmp_path, "run", "flex")
    ended = invoke("targets", "--json")
    assert ended.status == 0
    assert ended.err.startswith("warning: flex and run were to be removed at ")
    assert ended.err.endswith("(25 min ago): kit destroy flex run\n")
    assert ended.data["targets"]


def test_before_its_time_nobody_is_reminded(invoke: Invoke, tmp_path: Path) -> None:
    remember(tmp_path, "run", seconds_ago=-600)
    assert invoke("targets").err == ""


def test_the_command_that_removes_it_is_not_told_what_it_does(invoke: Invoke, tmp_path: Path) -> None:
    remember(tmp_path, "run")
    assert "was to be removed" not in invoke("destroy", "--help").err


def test_a_record_that_cannot_be_read_fails_no_other_command(invoke: Invoke, tmp_path: Path) -> None:
    remember(tmp_path, "run")
    file = tmp_path / ".kit" / "deployments.json"
    for broken in (file.read_bytes()[:-20], b"\xff", b""):
        file.write_bytes(broken)
        assert (invoke("targets").status, invoke("targets").err) == (0, "")
    file.unlink()
    file.mkdir()
    assert (invoke("targets").status, invoke("targets").err) == (0, "")


def test_in_a_folder_without_a_record_the_variable_alone_says_what_callers_show(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = Record.load(tmp_path)
    monkeypatch.delenv("KIT_TOKEN", raising=False)
    assert serving_token(Config(), ["run"], record) == (None, None)
    monkeypatch.setenv("KIT_TOKEN", "secret")
    sha256 = hashlib.sha256(b"secret").hexdigest()
    assert serving_token(Config(), ["run"], record) == ("secret", sha256)
    own = Config(app=App("mine.main:app", tmp_path, tmp_path / "requirements.txt"))
    assert serving_token(own, ["run"], record) == (None, None), "which asks for none"
    record.put(deployed("run", token_sha256=sha256))
    assert serving_token(Config(), ["run"], record) == ("secret", sha256)
