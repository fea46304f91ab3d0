"""`kit lab`: what is said wrongly is told in a sentence, before anything is rendered or started."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit.cli.conftest import Invoke


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "no target 'nowhere'"),
        (["--port", "run"], "--port run is not of that form"),
        (["--port", "run="], "--port run= is not of that form"),
        (["--port", "run=0"], "'0' is not a port"),
        (["--port", "run=65536"], "'65536' is not a port"),
        (["--port", "run=http"], "'http' is not a port"),
        (["--port", "run=1", "--port", "run=2"], "names the same twice"),
        (["--port", "nowhere=8001"], "no target 'nowhere'"),
        (["--front", "run"], "--front run is not of that form"),
        (["--front", "run=nowhere"], "no target 'nowhere'"),
        (["standard", "--front", "run=standard"], "run is given a port or a front"),
        (["standard", "--port", "run=8001"], "run is given a port or a front"),
    ],
)
def test_a_wrong_argument_is_told_in_a_sentence_and_nothing_is_rendered(
    invoke: Invoke, tmp_path: Path, arguments: list[str], said: str
) -> None:
    told = invoke("lab", *arguments)
    assert told.status == 2
    assert told.out == ""
    assert said in told.err
    assert len(told.err.splitlines()) == 2  # what, and the remedy
    assert list(tmp_path.iterdir()) == []


def test_for_a_program_the_same_is_json(invoke: Invoke) -> None:
    told = invoke("lab", "nowhere", "--json")
    assert told.status == 2
    assert told.error["code"] == "unknown-target"
    assert "standard" in told.error["hint"]
