"""`kit demo` as a person runs it: the whole story, its twin that must fail, and Ctrl-C in the middle."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.command import VALIDATOR, ended, start
from tests.system.leftovers import processes_in

# By target and arm: the verdict, the blocks' size, and the method. `make soak` holds to it too.
SHOWN = {
    ("standard", "on"): ("whole-message", None, "lock-step"),
    ("standard", "off"): ("whole-message", None, "lock-step"),
    ("flex", "on"): ("incremental", None, "lock-step"),
    ("flex", "off"): ("byte-limited", 65536, "lock-step"),
    ("run", "on"): ("incremental", None, "lock-step"),
    ("run", "off"): ("incremental", None, "lock-step"),
    ("gke", "on"): ("incremental", None, "lock-step"),
    ("gke", "off"): ("incremental", None, "lock-step"),
}

Demo = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    """Start `kit demo` in an empty folder, in a session of its own; none of its processes may outlive it."""
    yield partial(start, tmp_path, "demo")
    assert processes_in(tmp_path) == {}
    assert list((tmp_path / "tmp").iterdir()) == []


def by_lane(data: Any) -> dict[tuple[str, str], Any]:
    return {(lane["target"], lane["header"]): lane for lane in data["lanes"]}


@pytest.mark.alone
@pytest.mark.heavy
def test_every_verdict_is_what_the_documentation_promises(demo: Demo, tmp_path: Path) -> None:
    status, out, err = ended(demo("--json"))
    assert status == 0, err
    document = json.loads(out)
    VALIDATOR.validate(document)
    data = document["data"]
    assert (data["as_expected"], data["environment"]) == (True, "lab")
    measured = {
        key: (lane["verdict"], lane["block_bytes"], lane["method"]) for key, lane in by_lane(data).items()
    }
    assert measured == SHOWN
    assert all(lane["doubts"] == [] and len(lane["timeline"]) == 61 for lane in data["lanes"])
    clauses = {key: lane["clauses"] for key, lane in by_lane(data).items() if lane["clauses"]}
    assert {key: [one["clause"] for one in found] for key, found in clauses.items()} == {
        (target, "on"): ["cancelled", "many"] for target in ("standard", "flex", "run", "gke")
    }
    for (target, _), (left, many) in clauses.items():
        # Of no front a source says what becomes of a client that leaves: the service alone is asked.
        assert (left["sure"], left["figures"]) == ("unknown", [])
        assert re.fullmatch(
            "the service itself: stops after [0-9,]+ ms; no source says what its front does", left["says"]
        )
        streams = SHOWN[target, "on"][0] == "incremental"
        assert many["sure"] == ("proved" if streams else "unknown")
    assert json.loads((tmp_path / "build/report.json").read_text()) | {"exit_code": 0} == document
    page = (tmp_path / "build/report.html").read_text()
    assert "emulated from documentation" in page
    assert "8 of 8 as documented" in (tmp_path / "build/report.md").read_text()
    assert 'tests="16" failures="0" errors="0"' in (tmp_path / "build/report.xml").read_text()


def test_by_polling_the_answer_is_alive_behind_the_front_that_holds_every_stream(demo: Demo) -> None:
    status, out, err = ended(demo("standard", "--arm", "on", "--polling", "--json"))
    assert status == 0, err
    held, polled = json.loads(out)["data"]["lanes"]
    assert [(lane["delivery"], lane["verdict"]) for lane in (held, polled)] == [
        ("stream", "whole-message"),
        ("polling", "incremental"),
    ]
    assert len(held["timeline"]) == len(polled["timeline"]) == 61
    # The stream's first event comes when the answer has ended; of the pieces most have come by then.
    assert polled["timeline"][30]["arrived_ms"] < held["first_event_ms"]


@pytest.mark.parametrize(
    ("fronts", "wrong"),
    [
        (
            {"standard": "run", "flex": "run", "run": "standard"},
            {("standard", "on"), ("standard", "off"), ("flex", "off"), ("run", "on"), ("run", "off")},
        ),
        ({"flex": "standard"}, {("flex", "on"), ("flex", "off")}),
    ],
)
def test_its_twin_with_other_fronts_exits_3_and_names_the_lanes(
    demo: Demo, fronts: dict[str, str], wrong: set[tuple[str, str]]
) -> None:
    status, out, err = ended(demo(*(f"--swap-front={name}={other}" for name, other in fronts.items())))
    assert status == 3, err
    for target, arm in SHOWN:
        assert (f"\n  {target} {arm}: " in out) == ((target, arm) in wrong)


@pytest.mark.alone
@pytest.mark.heavy
def test_with_several_workers_the_proof_falls_back_to_pause_and_says_so(demo: Demo) -> None:
    status, out, err = ended(demo("run", "standard", "--arm", "on", "--json", KIT_WORKERS="3"))
    assert status == 0, err
    measured = {
        name: (lane["verdict"], lane["method"])
        for (name, _), lane in by_lane(json.loads(out)["data"]).items()
    }
    assert measured == {"run": ("incremental", "pause"), "standard": ("whole-message", "pause")}
    assert all("other-instance" in lane["doubts"] for lane in json.loads(out)["data"]["lanes"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", ["Starting each bundle", "The same question", "The proof"])
def test_interrupted_at_any_moment_it_leaves_nothing_behind(
    demo: Demo, tmp_path: Path, number: signal.Signals, moment: str
) -> None:
    process = demo()
    assert process.stderr is not None
    while moment not in (line := process.stderr.readline()):
        assert line, "it ended before that moment"
    process.send_signal(number)
    status, _, err = ended(process)
    assert status == 130, err
    assert "Traceback" not in err
    assert not (tmp_path / "build/report.html").exists()


def test_what_cannot_be_shown_is_one_sentence(demo: Demo) -> None:
    status, out, err = ended(demo("nowhere"))
    assert (status, out) == (2, "")
    assert "There is no target 'nowhere'" in err
    assert "Traceback" not in err


def test_a_report_that_cannot_be_written_is_one_sentence(demo: Demo, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    status, out, err = ended(demo("--out", "file"))
    assert (status, out) == (1, "")
    assert "Traceback" not in err
    assert (tmp_path / "file").read_text() == "in the way"
