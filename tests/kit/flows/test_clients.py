"""One URL measured for browsers and for plain clients, through a real nginx that compresses."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from kit.flows.clients import plainly
from kit.flows.compare import compare
from kit.probe.client import Ask
from kit.probe.spec import LaneSpec
from kit.proof.conditions import Conditions
from kit.proof.doubts import Doubt
from kit.proof.lane import Lane, LaneState, state
from kit.proof.looks import Looks
from kit.proof.quick_check import Observation, State
from kit.proof.verdict import Method, Verdict
from tests.fixtures.foreign import SECRET
from tests.fixtures.origin import Origin
from tests.fixtures.sites import NginxSite
from tests.fixtures.together import measured_by, through
from tests.fixtures.wire import events, wire

pytestmark = pytest.mark.alone

OLD = "proxy_http_version 1.0;"
GZIP = "proxy_http_version 1.1; gzip on; gzip_min_length 1; gzip_types text/event-stream; gzip_proxied any;"
TALK = b'{"max_tokens": 160}'


async def measure(
    url: str,
    path: str = "/chat",
    body: bytes | None = None,
    coding: str | None = None,
    token: str | None = None,
) -> Lane:
    headers = () if coding is None else (("accept-encoding", coding),)
    ask = Ask("GET" if body is None else "POST", url + path, headers, body)
    spec = LaneSpec("probe", ask, expected=Verdict.INCREMENTAL, proof_token=token)
    return (await compare([spec], "url")).lanes[0]


lane = measured_by(measure)


def app(origin: Origin) -> str:
    return origin("tests.fixtures.foreign:app")


def wrapped(origin: Origin) -> str:
    return origin("tests.fixtures.foreign:wrapped", "h11")


@through(lambda origin: NginxSite(app(origin), GZIP))
def test_what_nginx_compresses_is_held_for_browsers_and_fails_a_ci_that_asks_as_the_workshop_says(
    lane: Lane,
) -> None:
    assert (lane.verdict, lane.only_for, lane.asked_as) == (Verdict.BYTE_LIMITED, "browser", "both")
    assert lane.timeline.watched is not None
    assert lane.timeline.watched.looks is Looks.ONE_LUMP
    assert state(lane) is LaneState.NOT_AS_EXPECTED


@through(lambda origin: NginxSite(app(origin), GZIP), path="/chat?n=150&gap=0.03&noise=450")
def test_a_long_answer_that_comes_in_clumps_is_held_for_browsers_too(lane: Lane) -> None:
    assert (lane.verdict, lane.only_for) == (Verdict.BYTE_LIMITED, "browser")
    assert lane.timeline.watched is not None
    assert lane.timeline.watched.looks is Looks.CLUMPED
    assert state(lane) is LaneState.NOT_AS_EXPECTED


@through(lambda origin: NginxSite(app(origin), GZIP), path="/chat?accel=no")
def test_with_the_header_both_get_it_as_it_is_written(lane: Lane) -> None:
    assert (lane.verdict, lane.only_for, lane.asked_as) == (Verdict.INCREMENTAL, None, "both")
    assert state(lane) is LaneState.OK


@through(lambda origin: NginxSite(wrapped(origin), GZIP), token=SECRET)
def test_a_wrapped_apps_own_answer_is_held_for_browsers_alike(lane: Lane) -> None:
    assert (lane.verdict, lane.only_for, lane.asked_as) == (Verdict.BYTE_LIMITED, "browser", "both")


@through(lambda origin: NginxSite(wrapped(origin), OLD), path="/chat?accel=no", token=SECRET)
def test_a_header_that_a_hop_hides_makes_no_difference_between_clients(lane: Lane) -> None:
    assert (lane.verdict, lane.only_for, lane.asked_as) == (Verdict.INCREMENTAL, None, "both")


@through(lambda origin: NginxSite(app(origin), GZIP), coding="identity")
def test_an_accept_encoding_that_is_given_is_all_that_is_judged(lane: Lane) -> None:
    assert (lane.verdict, lane.only_for, lane.asked_as) == (Verdict.INCREMENTAL, None, "given")


@through(lambda origin: origin("tests.fixtures.foreign:compressed"), coding="gzip;q=0")
def test_an_answer_in_a_coding_that_was_not_accepted_is_no_green_tick(lane: Lane) -> None:
    assert lane.fate == "is in a coding that was not accepted"
    assert state(lane) is not LaneState.OK


@through(lambda origin: origin("tests.fixtures.foreign:undone"))
def test_what_only_a_plain_client_waits_for_fails_a_ci_as_well(lane: Lane) -> None:
    assert (lane.verdict, lane.only_for, lane.asked_as) == (Verdict.WHOLE_MESSAGE, "plain", "both")
    assert state(lane) is LaneState.NOT_AS_EXPECTED


@through(lambda origin: origin("tests.fixtures.foreign:scattered"))
def test_where_several_instances_answer_both_are_proved_by_a_pause(lane: Lane) -> None:
    assert (lane.verdict, lane.method, lane.asked_as) == (Verdict.INCREMENTAL, Method.PAUSE, "both")
    assert Doubt.PLAIN_CLIENT_UNDECIDED not in lane.doubts


@through(lambda origin: NginxSite(origin("tests.fixtures.foreign:app", "h11"), OLD))
def test_what_is_held_uncompressed_is_held_for_all_and_not_asked_for_again(lane: Lane) -> None:
    assert (lane.verdict, lane.only_for, lane.asked_as) == (Verdict.BYTE_LIMITED, None, "browser")


@through(
    lambda origin: NginxSite(NginxSite(origin("tests.fixtures.generators:app", "h11"), OLD), OLD),
    path="/v1/chat/completions",
    body=TALK,
)
def test_an_openai_shaped_answer_in_blocks_of_4_kib_never_looks_streamed(lane: Lane) -> None:
    assert lane.timeline.watched is not None
    assert lane.timeline.watched.looks is Looks.CLUMPED
    assert (lane.verdict, state(lane)) == (Verdict.INCONCLUSIVE, LaneState.INCONCLUSIVE)


BROWSER = Conditions(header="off", coding="gzip")
STREAMS, HELD = Observation(State.STREAMS, ""), Observation(State.HELD, "")


@pytest.mark.parametrize(
    ("streams", "holds", "state"),
    [
        (True, lambda at: False, State.STREAMS),
        (False, lambda at: True, State.HELD),
        (False, lambda at: at.coding == "gzip", State.STREAMS),
        (True, lambda at: at.coding == "", State.HELD),
        # A hop hides the header, and holds what does not bear it.
        (True, lambda at: at.header == "off", State.STREAMS),
        # Something treats the proof's streams otherwise than the answer.
        (True, lambda at: True, State.UNDECIDED),
        (False, lambda at: False, State.UNDECIDED),
    ],
)
def test_a_difference_is_believed_only_where_a_browsers_stream_shows_none(
    streams: bool, holds: Callable[[Conditions], bool], state: State
) -> None:
    async def looked(at: Conditions, whole: bool) -> Observation:
        return HELD if holds(at) else STREAMS

    assert asyncio.run(plainly(BROWSER, ("off", "on"), streams, looked)).state is state


def test_a_hold_that_a_whole_proof_does_not_see_again_is_undecided() -> None:
    async def looked(at: Conditions, whole: bool) -> Observation:
        return HELD if not at.coding and not whole else STREAMS

    assert asyncio.run(plainly(BROWSER, ("off",), True, looked)).state is State.UNDECIDED


def test_without_a_proof_the_answer_is_asked_for_once_as_a_browser_asks() -> None:
    with wire(events(*[(0.1, b"data: a\n\n")] * 8)) as server:
        lane = asyncio.run(measure(server.url))
        asked = [one for one in server.asked if one.path == "/chat"]
    assert [one.headers.get("accept-encoding") for one in asked] == ["gzip, deflate, br, zstd"]
    assert (lane.asked_as, lane.verdict) == ("browser", Verdict.INCONCLUSIVE)
    assert Doubt.NO_PROOF in lane.doubts
