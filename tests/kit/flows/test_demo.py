from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path

import pytest

from kit.config import load_config
from kit.errors import Code, KitError
from kit.events import Asked, Event
from kit.flows.demo import demo
from kit.targets import load_targets
from tests.system.leftovers import processes_in


@pytest.mark.parametrize(("what", "command"), [("service", "gunicorn"), ("front", "kit.lab.front")])
def test_what_dies_while_it_is_measured_is_told_as_such_and_not_as_a_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, command: str
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def kill(event: Event) -> None:
        """Kill the lane's service, or its front, in the middle of its answer."""
        if isinstance(event, Asked):
            for pid, line in processes_in(tmp_path).items():
                # The worker may be gone by itself, because its parent is.
                if command in line and "supervisor.py" not in line:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)

    config = load_config({}, {}, tmp_path)
    work = demo(
        load_targets(),
        ["run"],
        config,
        tmp_path / "out",
        prompt="Why?",
        arms=["on"],
        watch=kill,
    )
    with pytest.raises(KitError) as caught:
        asyncio.run(work)
    assert caught.value.code is Code.SERVICE_DIED
    assert caught.value.message.startswith(f"The {what} of run ended by SIGKILL.")
    assert processes_in(tmp_path) == {}
