"""Looks at a real service: what each change puts on the wire, to whom, and what is left open afterwards."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from secrets import token_bytes, token_hex
from urllib.request import urlopen

import pytest
import trustme

from kit.probe.client import Ask
from kit.probe.experiments import AnswerExperiments, Origin, ProofExperiments, origin_of
from kit.probe.lane import LaneProbe
from kit.probe.origin import LENGTH, Found, new_stream
from kit.probe.spec import LaneSpec
from kit.proof import answer
from kit.proof.actions import Reply
from kit.proof.conditions import MEDIA_TYPES, Change, Conditions
from kit.proof.doubts import BROKEN, Doubt
from kit.proof.experiments import Experiment, as_asked
from kit.proof.lane import Lane
from kit.proof.looks import Looks, Watched
from kit.proof.quick_check import Observation, State
from kit.proof.verdict import Shape
from tests.fixtures.origin import Origin as Service
from tests.fixtures.proxies import Caddy, Nginx
from tests.fixtures.sites import GZIP, NEW, OLD
from tests.fixtures.tools import Tool
from tests.fixtures.wire import Asked, Ends, Wire, events, passing, wire
from tests.kit.probe.test_client_http2 import authority, behind_tls  # noqa: F401

pytestmark = pytest.mark.alone

AT = Conditions("POST", MEDIA_TYPES["ndjson"], "off", coding="gzip")
SECRETS = (("authorization", "Bearer s3cret"), ("Cookie", "id=s3cret"), ("X-Api-Key", "s3cret"))


@pytest.fixture
def service(origin: Service) -> str:
    return origin(tokens_per_s=200)


@pytest.fixture
def way(service: str) -> Iterator[Wire]:
    """A way to the service on which everything is seen."""
    with wire(passing(service)) as seen:
        yield seen


def observe(
    experiments: ProofExperiments | AnswerExperiments, *wanted: Conditions, whole: bool = False
) -> list[Observation]:
    async def run() -> list[Observation]:
        return [await experiments.observe(Experiment(at, "a look", whole)) for at in wanted]

    return asyncio.run(run())


def looks_at(
    url: str, *, secure: bool = False, direct: str | None = None, instance: str = ""
) -> ProofExperiments:
    directly = None if direct is None else Origin(f"{direct}/proof", ())
    pings = [Reply(0.0, ms, 0.0, instance, known=False, emitted=0) for ms in (1.0, 2.0, 3.0)]
    return ProofExperiments(Origin(f"{url}/proof", ()), pings, secure=secure, direct=directly, timeout_s=20)


def instance_of(service: str) -> str:
    return str(json.load(urlopen(f"{service}/proof/ping?n=1"))["instance"])


def opened(way: Wire) -> list[Asked]:
    return [one for one in way.asked if one.path == "/proof/stream"]


def on_the_wire(way: Wire) -> dict[str, str | None]:
    (stream,) = opened(way)
    return {
        "method": stream.method,
        "type": stream.query["type"],
        "accel": stream.query["accel"],
        "incremental": stream.query.get("incremental", "on"),
        "total": stream.query.get("total"),
        "coding": stream.headers["accept-encoding"],
        "answered type": stream.answered["content-type"].partition(";")[0],
        "answered accel": stream.answered.get("x-accel-buffering"),
        "answered incremental": stream.answered.get("incremental"),
        "answered length": stream.answered.get("content-length"),
    }


AS_IT_IS = {
    "method": "POST",
    "type": "ndjson",
    "accel": "off",
    "incremental": "on",
    "total": None,
    "coding": "gzip",
    "answered type": "application/x-ndjson",
    "answered accel": None,
    "answered incremental": "?1",
    "answered length": None,
}


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        (None, {}),
        (Change.IDENTITY, {"coding": "identity"}),
        (Change.HEADER, {"accel": "on", "answered accel": "no"}),
        (Change.EVENT_STREAM, {"type": "sse", "answered type": "text/event-stream"}),
        (Change.METHOD, {"method": "GET"}),
        (Change.INCREMENTAL, {"incremental": "off", "answered incremental": None}),
        (Change.LENGTH, {"total": str(LENGTH), "answered length": str(LENGTH)}),
    ],
)
def test_each_change_changes_that_on_the_wire_and_nothing_else(
    way: Wire, change: Change | None, differs: dict[str, str | None]
) -> None:
    (seen,) = observe(looks_at(way.url), AT if change is None else change.applied(AT))
    assert seen.state is State.STREAMS, seen
    assert on_the_wire(way) == {**AS_IT_IS, **differs}


def test_directly_is_asked_at_the_other_address_alone(way: Wire, service: str) -> None:
    with wire(passing(service)) as other:
        experiments = looks_at(way.url, direct=other.url)
        assert Change.DIRECT in experiments.can
        observe(experiments, Change.DIRECT.applied(AT))
        assert (len(opened(other)), way.asked) == (1, [])
    assert Change.DIRECT not in looks_at(way.url).can


@pytest.mark.parametrize("whole", [False, True])
def test_afterwards_no_connection_is_left(way: Wire, service: str, whole: bool) -> None:
    seen = observe(looks_at(way.url, instance=instance_of(service)), AT, whole=whole)
    assert seen[0].streams
    assert way.connections
    assert way.closed()


def test_several_are_looked_at_side_by_side(way: Wire) -> None:
    wanted = [as_asked(change.applied(AT)) for change in (Change.IDENTITY, Change.HEADER, Change.METHOD)]

    async def all_at_once() -> list[Observation]:
        experiments = looks_at(way.url)
        return await asyncio.gather(*(experiments.observe(one) for one in wanted))

    seen = asyncio.run(all_at_once())
    assert [one.state for one in seen] == [State.STREAMS] * 3
    assert {(one.method, one.query["accel"], one.headers["accept-encoding"]) for one in opened(way)} == {
        ("POST", "off", "identity"),
        ("POST", "on", "gzip"),
        ("GET", "off", "gzip"),
    }


def test_through_nginx_a_look_sees_what_frees_it(origin: Service, nginx: Nginx) -> None:
    service = origin(http="h11", tokens_per_s=200)
    unchunked = nginx(service, location=OLD)
    assert [one.state for one in observe(looks_at(unchunked), AT, Change.HEADER.applied(AT))] == [
        State.HELD,
        State.STREAMS,
    ]
    (whole,) = observe(looks_at(unchunked, instance=instance_of(service)), AT, whole=True)
    assert (whole.state, whole.shape, whole.block_bytes) == (State.HELD, Shape.BLOCKS, 4096)


def test_through_nginx_that_compresses_leaving_it_out_frees_it(service: str, nginx: Nginx) -> None:
    experiments = looks_at(nginx(service, location=NEW, http=GZIP))
    at = Conditions(header="off", coding="gzip")
    assert [one.state for one in observe(experiments, at, Change.IDENTITY.applied(at))] == [
        State.HELD,
        State.STREAMS,
    ]


def test_a_hop_that_refuses_is_seen_to(service: str, caddy: Caddy) -> None:
    experiments = looks_at(caddy(service, directives="response_buffers 64KiB"))
    refused, held = observe(experiments, AT, Change.INCREMENTAL.applied(AT))
    assert (refused.state, held.state) == (State.REFUSED, State.HELD)


def test_where_nobody_answers_it_is_undecided(way: Wire) -> None:
    way.end()
    (seen,) = observe(looks_at(way.url), AT)
    assert seen.state is State.UNDECIDED
    assert "No server answers" in seen.said


@pytest.mark.parametrize("http2", [False, True])
def test_the_http_version_is_the_one_that_is_asked_for(
    tool: Tool,
    authority: trustme.CA,  # noqa: F811
    way: Wire,
    tmp_path: Path,
    http2: bool,
) -> None:
    with ExitStack() as stack:
        # Caddy tells the service by which version it was asked.
        proxied = f"reverse_proxy {way.url} {{\nheader_up X-Asked-By {{http.request.proto}}\n}}"
        url = stack.enter_context(behind_tls(tool("caddy"), authority, tmp_path, proxied))
        experiments = looks_at(url, secure=True)
        assert Change.HTTP_VERSION in experiments.can
        at = Conditions(http2=not http2)
        (seen,) = observe(experiments, Change.HTTP_VERSION.applied(at))
        assert seen.streams, seen
        assert {one.headers["x-asked-by"] for one in opened(way)} == {"HTTP/2.0" if http2 else "HTTP/1.1"}
    assert Change.HTTP_VERSION not in looks_at(way.url).can


def test_what_identifies_the_user_goes_to_no_other_origin(way: Wire, service: str) -> None:
    spec = LaneSpec("x", Ask("GET", f"{way.url}/search?ai_prompt=Why", (*SECRETS, ("x-mine", "1"))))
    assert origin_of(spec, Found(f"{way.url}/proof")).headers == (*SECRETS, ("x-mine", "1"))
    with wire(passing(service)) as other:
        assert origin_of(spec, Found(f"{other.url}/proof")).headers == (("x-mine", "1"),)
        experiments = AnswerExperiments(
            spec, secure=False, most=2, direct_url=f"{other.url}/search?ai_prompt=Why"
        )
        observe(experiments, Change.DIRECT.applied(AT), AT)
        assert [one.headers.get("x-mine") for one in (*other.asked, *way.asked)] == ["1", "1"]
        assert b"s3cret" not in b"".join(bytes(one.read) for one in other.connections)
        assert b"s3cret" in way.connections[0].read


def test_an_answer_is_asked_for_no_more_often_than_is_allowed() -> None:
    with wire(events((0.0, b"data: 1\n\n"))) as server:
        experiments = AnswerExperiments(LaneSpec("x", Ask("GET", server.url)), secure=False, most=2)
        seen = observe(experiments, AT, Change.IDENTITY.applied(AT), AT)
        assert (len(server.asked), experiments.asked, experiments.left) == (2, 2, 0)
        assert (seen[2].state, seen[2].proven) == (State.UNDECIDED, False)
        assert [one.headers["accept-encoding"] for one in server.asked] == ["gzip", "identity"]
        assert server.closed()


def test_an_answer_proves_nothing_whatever_it_looks_like() -> None:
    slow = [(0.15, b"data: %d\n\n" % number) for number in range(12)]
    lump = [(1.2, b"data: 0\n\n"), *((0.0, b"data: %d\n\n" % number) for number in range(1, 12))]
    for pieces, state in ((slow, State.STREAMS), (lump, State.HELD), (slow[:1], State.UNDECIDED)):
        with wire(events(*pieces)) as server:
            experiments = AnswerExperiments(LaneSpec("x", Ask("GET", server.url)), secure=False, most=1)
            (seen,) = observe(experiments, AT)
            assert (seen.state, seen.proven) == (state, False)


def watched_at(url: str, *headers: tuple[str, str]) -> Lane:
    async def run() -> Lane:
        async with LaneProbe(LaneSpec("x", Ask("GET", url, headers))) as probe:
            await probe.find()
            await probe.answer()
            return await probe.prove()

    return asyncio.run(run())


def looked(lane: Lane) -> Watched:
    return answer.watched(lane.timeline)


def test_an_answer_that_an_nginx_holds_in_blocks_is_clumped_however_long_it_is(nginx: Nginx) -> None:
    tokens = [(0.02, b"data: %s\n\n" % token_hex(55).encode()) for _ in range(180)]
    with wire(events(*tokens)) as server:
        assert looked(watched_at(server.url)).looks is Looks.STREAMED
        found = looked(watched_at(nginx(server.url, location=OLD)))
    assert (found.looks, found.held) == (Looks.CLUMPED, True)
    assert found.clump_octets == pytest.approx(4096, abs=130)
    assert found.silence_ms == pytest.approx(34 * 20, rel=0.3)


def test_an_answer_that_an_nginx_compresses_is_clumped_and_uncompressed_it_streams(nginx: Nginx) -> None:
    tokens = [(0.02, b"data: %s\n\n" % b64encode(token_bytes(600))) for _ in range(150)]
    with wire(events(*tokens)) as server:
        url = nginx(server.url, location=NEW, http=GZIP)
        assert looked(watched_at(url)).looks is Looks.STREAMED
        assert looked(watched_at(url, ("accept-encoding", "gzip"))).looks is Looks.CLUMPED


@pytest.mark.parametrize(
    ("piece", "media"),
    [
        (b'data: {"t_ms": 3}\n', "text/event-stream"),
        (b"word ", "text/event-stream"),
        (b"3\n\n", "text/event-stream"),
        (b'{"seq": 1}', "application/x-ndjson"),
    ],
)
def test_bytes_that_come_in_time_and_form_no_event_are_a_finding_of_their_own(
    piece: bytes, media: str
) -> None:
    with wire(events(*[(0.1, piece)] * 12, media=media)) as server:
        lane = watched_at(server.url)
    assert looked(lane).looks is Looks.STREAMED
    assert Doubt.NO_EVENTS in lane.doubts
    assert "bytes that form no events" in lane.evidence[-1]


def test_a_cut_answer_and_one_whose_end_cannot_be_seen_are_said_to_be_that() -> None:
    tokens = [(0.1, b"data: a\n\n")] * 8
    fates: list[tuple[Ends, Doubt | None]] = [
        ("cut", Doubt.STREAM_CUT),
        ("close", Doubt.END_UNKNOWN),
        ("whole", None),
    ]
    for ends, doubt in fates:
        with wire(events(*tokens, ends=ends)) as server:
            lane = watched_at(server.url)
        assert (set(lane.doubts) & set(BROKEN)) == ({doubt} if doubt else set())
        assert lane.timeline.complete is (ends == "whole")
    with wire(events(*tokens, (0.0, b"data: [DONE]\n\n"), ends="close")) as server:
        assert set(watched_at(server.url).doubts).isdisjoint(BROKEN)


def test_looks_that_a_limit_refuses_are_made_again_one_at_a_time(service: str) -> None:
    async def run() -> list[Observation]:
        host, _, port = service.removeprefix("http://").partition(":")
        taken = []
        for _ in range(15):  # of the 16 streams that an origin gives
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(f"GET /proof/stream?id={new_stream()} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
            taken.append(writer)
        experiments = looks_at(service)
        wanted = [
            Conditions(media=media, coding=coding)
            for media in MEDIA_TYPES.values()
            for coding in ("gzip", "identity")
        ]
        try:
            return await asyncio.gather(*(experiments.observe(Experiment(at, "a look")) for at in wanted))
        finally:
            for writer in taken:
                writer.close()

    seen = asyncio.run(run())
    assert [one.state for one in seen] == [State.STREAMS] * 6, seen
