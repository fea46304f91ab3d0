from __future__ import annotations

import time
from pathlib import Path

from kit.cloud.record import Record
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
