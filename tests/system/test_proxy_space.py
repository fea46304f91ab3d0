"""What is taken for the truth about real proxies (proxy_space.py), held against them."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from math import inf

import pytest

from kit.probe.client import Client
from kit.probe.proof_runner import Driver, ProofRequest
from kit.proof.actions import Await, End, Feed, Machine, Open, Ping
from kit.proof.conditions import CACHE_CONTROL, Conditions
from kit.proof.received import Received
from kit.proof.verdict import Finding, Method, Shape, Verdict
from tests.fixtures.foreign import SECRET
from tests.fixtures.origin import Origin as Start
from tests.fixtures.proxies import Fleet
from tests.fixtures.sites import NginxSite
from tests.system import matrix
from tests.system.matrix import as_the_truth_says, drawn
from tests.system.proxy_space import (
    QUIET,
    SINGLES,
    Asker,
    Case,
    NginxHop,
    Origin,
    chains,
    compressed,
    singles,
)

AT_ONCE = 12
SEED = 6
CHAINS = 26
PATIENCE_MS, SIDE_MS = 2_000.0, 12_000.0
OVERTAKEN, TIMED, SOON_MS, QUICK_MS, LATE_MS, MOST_FED = 3, 4, 20.0, 50.0, 100.0, 40
SMALL, LARGE, MOST = 200, 70_001, 1 << 20


def comes(stream: Received, count: int) -> Machine[float]:
    """How many pings overtake the event of this number, three standing for more; infinite if it is held."""
    yield Await(SOON_MS, events=count)
    for trips in range(OVERTAKEN):
        if stream.events >= count:
            return trips
        yield Ping(SIDE_MS)
    yield Await(PATIENCE_MS, events=count)
    for _ in range(OVERTAKEN):
        if stream.events >= count:
            return OVERTAKEN
        yield Ping(SIDE_MS)
    return OVERTAKEN if stream.events >= count else inf


def plainly() -> Machine[Finding]:
    """The least that tells the ways to hold apart, with none of what the kit's own proof does besides.

    By order alone, as the proof decides: a busy machine delays pings and events alike.
    """

    def found(verdict: Verdict, shape: Shape | None = None) -> Machine[Finding]:
        yield End(SIDE_MS)
        return Finding(verdict, Method.LOCK_STEP, shape)

    yield Ping(SIDE_MS)
    yield Open(SMALL)
    stream = (yield Await(PATIENCE_MS, events=1)).stream
    assert stream is not None
    held = (yield from comes(stream, 1)) == inf
    if stream.status == 501:
        return (yield from found(Verdict.REFUSED))
    assert stream.status in (200, None)
    if held:
        # More than any buffer holds, twice: compressed it is three quarters.
        for _ in range(2):
            yield Feed(MOST, SIDE_MS)
        held = (yield from comes(stream, 1)) == inf
        if stream.status == 501:
            return (yield from found(Verdict.REFUSED))
        if held:
            return (yield from found(Verdict.WHOLE_MESSAGE, Shape.WHOLE))
        passed = True
        for count in (4, 5):  # one of them may just fill a block
            yield Feed(SMALL, SIDE_MS)
            passed = (yield from comes(stream, count)) < inf and passed
        return (yield from found(Verdict.BYTE_LIMITED, Shape.PREFIX if passed else Shape.BLOCKS))
    late: list[bool] = []
    overtaken, count = 0.0, 1
    while len(late) <= TIMED:
        size = SMALL if len(late) < TIMED else LARGE
        # Each piece of a large event would wait, and no length of that shows more.
        if size == LARGE and sum(late) > TIMED / 2:
            return (yield from found(Verdict.TIME_LIMITED, Shape.TIMER))
        # Until three pings fit into the shortest timer: a machine that is short of time has moments too.
        took_ms = inf if overtaken else 0.0
        while took_ms > QUICK_MS:
            reply = (yield Ping(SIDE_MS)).reply
            took_ms = reply.took_ms if reply is not None else inf
        fed_ms, count = (yield Feed(size, SIDE_MS)).now_ms, count + 1
        overtaken = yield from comes(stream, count)
        if overtaken == inf:
            return (yield from found(Verdict.BYTE_LIMITED, Shape.TAIL if size == LARGE else Shape.BLOCKS))
        # What came late, and pings came as late beside it, says nothing.
        slow = overtaken < OVERTAKEN and (yield Await(0.0)).now_ms - fed_ms > LATE_MS
        if not slow or size == LARGE or count > MOST_FED:
            late.append(overtaken == OVERTAKEN)
    if sum(late) > len(late) / 2:
        return (yield from found(Verdict.TIME_LIMITED, Shape.TIMER))
    return (yield from found(Verdict.INCREMENTAL))


async def measured(case: Case, url: str, turn: asyncio.Semaphore) -> Finding:
    asker, origin = case.asker, case.origin
    at = Conditions(
        asker.method,
        origin.content_type(asker.media),
        asker.arm,
        incremental="on" if origin.incremental else "off",
        coding=asker.coding,
        accept=dict(case.ask(url).headers)["accept"],
        cache=origin.cache,
    )
    request = ProofRequest(f"{url}/proof", at, (("Streamproof-Token", SECRET),))
    async with turn, Client(http2=asker.http2) as streams, Client(http2=asker.http2) as side:
        return await Driver(streams, side, request).run(plainly())


@pytest.mark.alone
@pytest.mark.long
@pytest.mark.usefixtures("trusted")
def test_each_hop_does_what_is_taken_for_the_truth(fleet: Fleet, origin: Start) -> None:
    dice = random.Random(SEED)
    cases = [*singles(dice, len(SINGLES)), *chains(dice, CHAINS), *compressed()]
    urls = fleet([case.site(origin(case.origin.app, case.origin.http)) for case in cases])

    async def run() -> list[Finding]:
        turn = asyncio.Semaphore(AT_ONCE)
        asked = zip(cases, urls, strict=True)
        return await asyncio.gather(*(measured(case, url, turn) for case, url in asked))

    found = zip(cases, asyncio.run(run()), strict=True)
    wrong = [
        f"{case}: {' + '.join(sorted(case.truth)) or 'streams'}, but {seen.verdict} {seen.shape or ''}"
        for case, seen in found
        if not as_the_truth_says(case.truth, seen.verdict, seen.shape)
    ]
    assert not wrong, "\n".join(wrong)


def test_only_where_nginx_hides_a_header_may_larger_events_be_said_to_be_held_that_are_not() -> None:
    users = Origin(incremental=False, cache="no-cache", built="mounted")
    for hop, origin, seen in (
        (NginxHop(), users, {"streams", "tail"}),
        (NginxHop(), QUIET, {"streams"}),
        (NginxHop(tells=True), users, {"streams"}),
        (NginxHop(buffering=False), users, {"streams"}),
        (NginxHop(ignores=True), users, {"tail"}),
    ):
        assert Case(origin, (hop,), Asker(arm="on")).seen == seen


def test_only_the_outermost_hop_is_asked_over_tls_also_of_two_that_are_alike() -> None:
    hop = NginxHop()
    outer = Case(Origin(), (hop, hop), Asker(tls=True)).site("http://127.0.0.1:1")
    assert outer.tls
    assert isinstance(outer.upstream, NginxSite)
    assert not outer.upstream.tls


def test_a_draw_is_the_same_for_a_seed_and_another_for_another() -> None:
    assert drawn("1") == drawn("1")
    assert drawn("1") != drawn("2")
    assert len(drawn("1")) == matrix.SINGLES + matrix.CHAINS


def test_a_draw_has_answers_as_users_have_them_and_codings_that_only_browsers_take() -> None:
    for seed in range(20):
        cases = drawn(str(seed))
        assert len(cases) <= 64
        for built in ("service", "mounted", "wrapped"):
            assert sum(case.origin.built == built for case in cases) >= 6
        assert sum(case.asker.long for case in cases) >= 5
        assert {case.asker.media for case in cases} == {"sse", "ndjson", "text", "html", "json"}
        assert {case.asker.accepts for case in cases} == {"", "gzip", "br", "zstd", "browser"}
        assert {case.origin.cache for case in cases} == {"", "no-cache", CACHE_CONTROL}


def test_a_draw_of_forty_has_each_way_to_hold_and_streams_too() -> None:
    for seed in range(20):
        truths = Counter(label for case in singles(random.Random(seed), 40) for label in case.truth or {""})
        assert len(set(truths) - {"http-version"}) == 12, truths
        assert truths[""] >= 6, truths
