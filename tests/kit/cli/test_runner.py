from __future__ import annotations

import asyncio
import os
import signal

import pytest

from kit.cli.runner import Console, run, warn
from kit.events import Stage


def test_what_it_returns_is_returned() -> None:
    async def work() -> int:
        return 7

    assert run(work()) == 7


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_polite_signal_ends_it_as_ctrl_c_does_with_its_clauses_run(number: signal.Signals) -> None:
    cleaned = []

    async def work() -> None:
        try:
            os.kill(os.getpid(), number)
            await asyncio.Event().wait()
        finally:
            cleaned.append(True)

    with pytest.raises(KeyboardInterrupt):
        run(work())
    assert cleaned == [True]


def test_a_line_of_gcloud_is_shown_in_its_place_within_a_picture_and_beside_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    console = Console(as_json=True)
    console.echo("gcloud before")
    with console.steps("Looking."):
        console.echo("gcloud within")
    console.echo("gcloud after")
    assert capsys.readouterr().err.splitlines() == [
        "$ gcloud before",
        "Looking.",
        "$ gcloud within",
        "$ gcloud after",
    ]


def test_quiet_shows_no_progress_and_still_warns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Console, "quiet", True)
    console = Console(as_json=False)
    with console.steps("Looking.") as watch:
        watch(Stage("Going on."))
        console.echo("gcloud run deploy")
    console.echo("gcloud app deploy")
    warn("it costs money")
    assert capsys.readouterr().err == "warning: it costs money\n"
