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
    """Kills the lane's service, or its front, in the middle of its answer."""

    def __init__(self, folder: Path, victim: str) -> None:
        self.folder = folder
        self.victim = victim

    def asked(self, key: LaneKey) -> None:
        for pid, command in processes_in(self.folder).items():
            # The worker may be gone by itself, because its parent is.
            if self.victim in command and "supervisor.py" not in command:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize(("what", "command"), [("service", "gunicorn"), ("front", "kit.lab.front")])
def test_what_dies_while_it_is_measured_is_told_as_such_and_not_as_a_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, command: str
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
        watcher=Murder(tmp_path, command),
    )
    with pytest.raises(KitError) as caught:
        asyncio.run(work)
    assert caught.value.code is Code.SERVICE_DIED
    assert caught.value.message.startswith(f"The {what} of run ended by SIGKILL.")
    assert processes_in(tmp_path) == {}
