"""Commands in this process: as a person runs them, without paying for a new interpreter each time."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kit.cli.app import run
from kit.cloud.record import Record
from kit.language import speak
from kit.platforms.deployment import Deployment
from kit.platforms.service import Version
from tests.fixtures.command import Ended
from tests.fixtures.deployments import service_of
from tests.kit.flows.hosts import MemoryHost

Invoke = Callable[..., Ended]


@pytest.fixture
def invoke(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Invoke]:
    """`invoke("render", "run")` runs `kit render run` in an empty folder, which is where it stays."""
    monkeypatch.chdir(tmp_path)

    def run_kit(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["kit", *arguments])
        with pytest.raises(SystemExit) as ended:
            run()
        captured = capsys.readouterr()
        return Ended(int(ended.value.code or 0), captured.out, captured.err)

    yield run_kit
    speak("en")


def hosted(monkeypatch: pytest.MonkeyPatch, known: Deployment, *versions: Version) -> MemoryHost:
    """A service on record in this folder, and the only one that there is, with these versions."""
    Record.load(Path()).put(known)
    host = MemoryHost(known.place, always=True)
    host.service = service_of(known.target, *versions)
    monkeypatch.setenv("KIT_STREAMS", "0")  # its addresses are made up
    monkeypatch.setattr("kit.cli.records.hosts", lambda _: {known.place: host}.__getitem__)
    return host
