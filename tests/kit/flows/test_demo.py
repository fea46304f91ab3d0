from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path

import pytest

from kit.config import load_config
from kit.errors import Code, KitError
from kit.flows.demo import demo
from kit.report.watch import LaneKey, Silent
from kit.targets import load_targets
from tests.system.leftovers import processes_in


class Murder(Silent):
    """Kills the lane's service in the middle of its answer."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def asked(self, key: LaneKey) -> None:
        for pid, command in processes_in(self.folder).items():
            # The worker may be gone by itself, because its parent is.
            if "gunicorn" in command:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def test_a_service_that_dies_while_it_is_measured_is_told_as_such_and_not_as_a_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    config = load_config({}, {}, tmp_path)
    work = demo(
        load_targets(),
        ["run"],
        config,
        tmp_path / "out",
        prompt="Why?",
        arms=["on"],
        watcher=Murder(tmp_path),
    )
    with pytest.raises(KitError) as caught:
        asyncio.run(work)
    assert caught.value.code is Code.SERVICE_DIED
    assert "run" in caught.value.message
    assert processes_in(tmp_path) == {}
