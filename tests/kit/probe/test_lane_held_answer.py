"""A wrapped app's own answer in lock-step, under a real uvicorn and behind a real nginx."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from kit.probe.client import Ask
from kit.probe.spec import LaneSpec
from kit.proof.doubts import Doubt
from kit.proof.held_answer import KEPT_ITS_LOOP
from kit.proof.lane import Lane
from kit.proof.verdict import Method, Shape, Verdict
from tests.fixtures.foreign import SECRET
from tests.fixtures.origin import Origin
from tests.fixtures.probing import probed
from tests.fixtures.proxies import Nginx
from tests.fixtures.sites import GZIP, NEW, OLD
from tests.fixtures.wire import passing, wire

WRAPPED = "tests.fixtures.foreign:wrapped"
QUICK = "/chat?n=12&gap=0.02"


def measured(url: str, *headers: tuple[str, str], **spec: Any) -> Lane:
    return asyncio.run(probed(LaneSpec("x", Ask("GET", url, headers), **{"proof_token": SECRET} | spec)))


def seen(lane: Lane) -> tuple[Verdict, Shape | None, Method]:
    assert lane.error is None, lane.error
    return lane.verdict, lane.shape, lane.method


STREAMED = (Verdict.INCREMENTAL, None, Method.LOCK_STEP)


def test_an_answer_that_streams_is_the_proof_of_it_and_costs_no_other_stream(origin: Origin) -> None:
    with wire(passing(origin(WRAPPED))) as way:
        lane = measured(f"{way.url}{QUICK}")
        asked = [one.path for one in way.asked]
    assert seen(lane) == STREAMED
    assert set(lane.doubts) <= {Doubt.BUSY_MACHINE}  # which is the machine's, not the stream's
    assert len(lane.timeline.arrivals) == 12
    assert asked.count("/chat") == 1
    assert "/proof/stream" not in asked
    assert asked.count("/proof/pass") <= 13
    assert asked.count("/proof/end") == 1


def test_an_nginx_is_seen_to_hold_the_answer_and_to_free_it(origin: Origin, nginx: Nginx) -> None:
    url = nginx(origin(WRAPPED, http="h11"), location=OLD)
    held = measured(f"{url}{QUICK}")
    assert seen(held) == (Verdict.BYTE_LIMITED, Shape.BLOCKS, Method.LOCK_STEP)
    assert held.block_bytes == 4096
    assert Doubt.BUFFER_SIZE_UNKNOWN not in held.doubts
    freed = measured(f"{url}{QUICK}&accel=no")
    assert seen(freed) == STREAMED
    assert (held.header, freed.header) == ("off", "on"), "nginx hides it, and the origin says it"


def test_an_answer_that_a_hop_compresses_is_counted_before_it_was(origin: Origin, nginx: Nginx) -> None:
    url = nginx(origin(WRAPPED), location=NEW + GZIP)
    assert seen(measured(f"{url}{QUICK}&accel=no", ("accept-encoding", "gzip"))) == STREAMED
    assert seen(measured(f"{url}{QUICK}")) == STREAMED


@pytest.mark.parametrize("how", ["collect", "one", "length"])
def test_an_app_that_collects_is_named_and_no_hop_is(origin: Origin, how: str) -> None:
    lane = measured(f"{origin(WRAPPED)}/chat?n=22&gap=0.05&how={how}")
    assert lane.error is None
    assert lane.verdict is Verdict.INCONCLUSIVE
    assert Doubt.APP_BUNCHED in lane.doubts
    # On a busy machine two writes may lie apart; that it came in a lump and no hop held it says it then.
    assert any(re.search(r"the app (itself )?sent", said) for said in lane.evidence), lane.evidence


def test_what_compresses_inside_the_app_is_the_apps_own(origin: Origin) -> None:
    url = f"{origin('tests.fixtures.foreign:wrapped_compressed')}/chat?n=22&gap=0.05"
    lane = measured(url, ("accept-encoding", "gzip"))
    assert (lane.verdict, lane.method) == (Verdict.INCONCLUSIVE, Method.LOCK_STEP)
    assert Doubt.APP_BUNCHED in lane.doubts
    assert any("compresses (gzip)" in said for said in lane.evidence), lane.evidence


@pytest.mark.alone
def test_an_app_that_blocks_its_loop_is_named_and_not_called_streamed(origin: Origin) -> None:
    flows = measured(f"{origin(WRAPPED)}/chat?n=30&gap=0.06&how=block")
    assert seen(flows) == STREAMED
    held = measured(f"{origin('tests.fixtures.foreign:deferring')}/chat?n=30&gap=0.06&how=block")
    assert (held.verdict, held.doubts[0]) == (Verdict.INCONCLUSIVE, Doubt.APP_BUNCHED)
    for lane in (flows, held):
        assert any(said.startswith(KEPT_ITS_LOOP) for said in lane.evidence), lane.evidence


def test_a_wrong_secret_gets_the_answer_freely_and_its_times(origin: Origin) -> None:
    lane = measured(f"{origin(WRAPPED)}{QUICK}", proof_token="not-the-secret-of-it")
    assert (lane.verdict, lane.method, lane.error) == (Verdict.INCONCLUSIVE, Method.PASSIVE, None)
    assert Doubt.PROOF_TOKEN in lane.doubts
    assert len(lane.timeline.arrivals) == 12


def test_an_answer_that_we_leave_is_judged_by_what_came_and_let_go(origin: Origin) -> None:
    url = origin(WRAPPED)
    lane = measured(f"{url}/chat?n=1000&gap=0.05", timeout_s=1.0)
    assert seen(lane) == STREAMED
    assert Doubt.STILL_RUNNING in lane.doubts
    assert seen(measured(f"{url}{QUICK}")) == STREAMED
