from __future__ import annotations

import pytest

from tests.fixtures.origin import Origin
from tests.kit.cli.conftest import Invoke


def test_a_targets_name_brings_its_promise_and_another_name_none(invoke: Invoke, origin: Origin) -> None:
    url = origin(tokens_per_s=60)
    told = invoke("compare", f"run={url}", f"mine={url}", "--arm", "on", "--json")
    assert told.status == 0
    lanes = {lane["target"]: lane for lane in told.data["lanes"]}
    assert (lanes["run"]["expected"], lanes["run"]["as_expected"]) == ("incremental", True)
    assert (lanes["mine"]["expected"], lanes["mine"]["as_expected"]) == (None, None)
    assert told.data["environment"] == "url"


def test_a_lane_that_fails_leaves_the_others_their_verdicts(invoke: Invoke, origin: Origin) -> None:
    told = invoke("compare", f"run={origin()}", "gone=http://127.0.0.1:1", "--arm", "on", "--json")
    assert told.status == 1
    lanes = {lane["target"]: lane for lane in told.data["lanes"]}
    assert lanes["gone"]["error"]["code"] == "unreachable"
    assert lanes["run"]["verdict"] == "incremental"


def test_a_promise_not_kept_exits_3(invoke: Invoke, origin: Origin) -> None:
    told = invoke("compare", f"standard={origin()}", "--arm", "on")
    assert told.status == 3
    assert "standard on" in told.out


@pytest.mark.parametrize(
    "lanes", [["a"], ["a="], ["=http://b"], ["a=http://b", "a=http://c"], ["a=nonsense"]]
)
def test_a_lane_that_is_none_is_one_sentence(invoke: Invoke, lanes: list[str]) -> None:
    told = invoke("compare", *lanes)
    assert (told.status, told.out) == (2, "")
    assert told.err.startswith("error: ")
