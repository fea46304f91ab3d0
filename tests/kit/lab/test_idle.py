"""When an instance is frozen: never before its first request has ended, then whenever none is open."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.lab.idle import RUNS, OpenRequests, open_requests
from kit.targets import load_targets
from tests.kit.lab.raw import Instance
from tests.kit.lab.specs import front


@given(st.lists(st.booleans(), max_size=40))
def test_it_is_frozen_when_none_is_open_and_one_has_been(begins: list[bool]) -> None:
    instance = Instance()
    requests = OpenRequests(instance)
    running = ended = 0
    for begin in begins:
        if begin:
            requests.__enter__()
            running += 1
        elif running:
            requests.__exit__(None, None, None)
            running, ended = running - 1, ended + 1
        assert instance.frozen == (not running and ended > 0)


def test_a_request_beside_an_open_one_tells_it_nothing() -> None:
    instance = Instance()
    requests = OpenRequests(instance)
    with requests:
        calls = instance.calls
        with requests, requests:
            pass
        assert instance.calls == calls


def test_a_request_that_fails_has_ended_too() -> None:
    instance = Instance()
    with pytest.raises(ConnectionError), OpenRequests(instance):
        raise ConnectionError
    assert instance.frozen


@pytest.mark.parametrize("idle", ["runs", "unknown"])
def test_where_the_platform_is_not_known_to_freeze_nothing_is_frozen(idle: str) -> None:
    assert open_requests(front(idle=idle), Instance()) is RUNS


def test_only_cloud_run_is_known_to_freeze() -> None:
    assert {name: target.front.idle for name, target in load_targets().items()} == {
        "standard": "unknown",
        "flex": "runs",
        "run": "frozen",
        "gke": "runs",
    }
