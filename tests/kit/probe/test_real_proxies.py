"""The probe held against real proxies: each configuration's verdict, shape and size are known beforehand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from kit.probe.client import Ask
from kit.probe.lane import LaneProbe
from kit.probe.spec import LaneSpec
from kit.proof.doubts import Doubt
from kit.proof.lane import Arm, Lane
from kit.proof.verdict import Method, Shape, Verdict
from tests.fixtures.origin import Origin
from tests.fixtures.proxies import Caddy, Envoy, Nginx

pytestmark = pytest.mark.alone

OLD = "proxy_http_version 1.0;"
NEW = 'proxy_http_version 1.1; proxy_set_header Connection "";'
BUFFERS_64K = "proxy_buffer_size 64k; proxy_buffers 8 64k; proxy_busy_buffers_size 128k;"
GZIP = "gzip on; gzip_min_length 1; gzip_types text/event-stream; gzip_proxied any;"

Measure = Callable[..., Lane]


@pytest.fixture
def measure() -> Measure:
    def lane(url: str, header: Arm = "off", event_bytes: int | None = None, *, gzip: bool = False) -> Lane:
        coding = (("accept-encoding", "gzip"),) if gzip else ()
        spec = LaneSpec(
            "x",
            Ask("GET", url, coding),
            header=header,
            prompt="Why?",
            max_output_tokens=40,
            event_bytes=event_bytes,
        )

        async def run() -> Lane:
            async with LaneProbe(spec) as probe:
                await probe.find()
                await probe.answer()
                return await probe.prove()

        return asyncio.run(run())

    return lane


@pytest.fixture
def service(origin: Origin) -> str:
    return origin(tokens_per_s=30)


@pytest.fixture
def unchunked(origin: Origin) -> str:
    """The same, but not in chunks to a hop that asks in HTTP/1.0."""
    return origin(http="h11", tokens_per_s=30)


def seen(lane: Lane) -> tuple[Verdict, Shape | None]:
    assert lane.error is None, lane.error
    assert lane.method is Method.LOCK_STEP, lane.evidence
    return lane.verdict, lane.shape


INCREMENTAL = (Verdict.INCREMENTAL, None)
BLOCKS = (Verdict.BYTE_LIMITED, Shape.BLOCKS)
TAIL = (Verdict.BYTE_LIMITED, Shape.TAIL)
PREFIX = (Verdict.BYTE_LIMITED, Shape.PREFIX)
WHOLE = (Verdict.WHOLE_MESSAGE, Shape.WHOLE)


def test_no_proxy(measure: Measure, service: str) -> None:
    lane = measure(service)
    assert seen(lane) == INCREMENTAL
    assert not lane.doubts


def test_nginx_with_an_http_1_0_upstream_holds_blocks_of_a_page(
    measure: Measure, unchunked: str, nginx: Nginx
) -> None:
    lane = measure(nginx(unchunked, location=OLD))
    assert seen(lane) == BLOCKS
    assert lane.block_bytes == 4096


def test_nginx_with_64k_buffers_holds_64k_blocks(measure: Measure, unchunked: str, nginx: Nginx) -> None:
    lane = measure(nginx(unchunked, location=OLD + BUFFERS_64K))
    assert seen(lane) == BLOCKS
    assert lane.block_bytes == 65536


def test_nginx_with_an_http_1_1_upstream_lets_tokens_flow_and_says_what_it_holds(
    measure: Measure, service: str, nginx: Nginx
) -> None:
    lane = measure(nginx(service, location=NEW))
    assert seen(lane) == INCREMENTAL
    assert Doubt.LARGE_EVENTS_HELD in lane.doubts


def test_nginx_with_an_http_1_1_upstream_holds_the_tail_of_a_large_event(
    measure: Measure, service: str, nginx: Nginx
) -> None:
    lane = measure(nginx(service, location=NEW), event_bytes=70_000)
    assert seen(lane) == TAIL
    assert lane.block_bytes is not None
    assert 4064 <= lane.block_bytes < 4096


def test_nginx_with_an_http_1_1_upstream_and_64k_buffers_holds_a_larger_tail(
    measure: Measure, service: str, nginx: Nginx
) -> None:
    lane = measure(nginx(service, location=NEW + BUFFERS_64K), event_bytes=70_000)
    assert seen(lane) == TAIL
    assert lane.block_bytes is not None
    assert 65_500 <= lane.block_bytes < 65_536


@pytest.mark.parametrize("version", [OLD, NEW])
def test_nginx_without_buffering_streams(measure: Measure, service: str, nginx: Nginx, version: str) -> None:
    lane = measure(nginx(service, location=f"{version} proxy_buffering off;"))
    assert seen(lane) == INCREMENTAL
    assert not lane.doubts


@pytest.mark.parametrize("version", [OLD, NEW])
def test_nginx_honours_the_header(measure: Measure, service: str, nginx: Nginx, version: str) -> None:
    lane = measure(nginx(service, location=version), header="on")
    assert seen(lane) == INCREMENTAL
    assert not lane.doubts


def test_nginx_told_to_ignore_the_header_holds_all_the_same(
    measure: Measure, unchunked: str, nginx: Nginx
) -> None:
    lane = measure(nginx(unchunked, location=f"{OLD} proxy_ignore_headers X-Accel-Buffering;"), header="on")
    assert seen(lane) == BLOCKS
    assert lane.block_bytes == 4096


def test_two_nginx_the_outer_one_never_sees_the_header(measure: Measure, service: str, nginx: Nginx) -> None:
    inner = nginx(service, location=OLD)
    assert seen(measure(nginx(inner, location=OLD), header="on")) == BLOCKS


def test_nginx_gzip_holds_compressed_blocks(measure: Measure, service: str, nginx: Nginx) -> None:
    url = nginx(service, location=NEW, http=GZIP)
    lane = measure(url, gzip=True)
    assert lane.verdict is Verdict.BYTE_LIMITED
    assert seen(measure(url, gzip=False)) == INCREMENTAL


def test_nginx_gzip_flushes_when_the_header_is_sent(measure: Measure, service: str, nginx: Nginx) -> None:
    assert seen(measure(nginx(service, location=NEW, http=GZIP), header="on", gzip=True)) == INCREMENTAL


def test_caddy_streams(measure: Measure, service: str, caddy: Caddy) -> None:
    assert seen(measure(caddy(service))) == INCREMENTAL


def test_caddy_with_response_buffers_holds_a_prefix(measure: Measure, origin: Origin, caddy: Caddy) -> None:
    service = origin("tests.fixtures.apps:without_incremental", tokens_per_s=30)
    lane = measure(caddy(service, directives="response_buffers 64KiB"))
    assert seen(lane) == PREFIX
    assert lane.block_bytes == 65536


def test_caddy_refuses_to_buffer_what_asks_to_be_incremental(
    measure: Measure, service: str, caddy: Caddy
) -> None:
    lane = measure(caddy(service, directives="response_buffers 64KiB"))
    assert lane.verdict is Verdict.REFUSED


def test_nginx_lets_chunks_pass_even_where_it_asks_in_http_1_0(
    measure: Measure, service: str, nginx: Nginx
) -> None:
    assert seen(measure(nginx(service, location=OLD))) == INCREMENTAL


def test_a_middleware_that_reads_the_body_of_search_alone_is_a_contradiction(
    measure: Measure, origin: Origin
) -> None:
    lane = measure(origin("tests.fixtures.apps:body_reader", tokens_per_s=30))
    assert lane.verdict is Verdict.INCONCLUSIVE
    assert Doubt.ANSWER_DISAGREES_WITH_PROOF in lane.doubts


def test_envoy_streams(measure: Measure, service: str, envoy: Envoy) -> None:
    assert seen(measure(envoy(service))) == INCREMENTAL


def test_envoy_with_a_filter_that_reads_the_body_holds_all(
    measure: Measure, service: str, envoy: Envoy
) -> None:
    assert seen(measure(envoy(service, lua="function envoy_on_response(h) h:body() end"))) == WHOLE
