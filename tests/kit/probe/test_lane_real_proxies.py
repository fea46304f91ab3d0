"""The probe held against real proxies: each configuration's verdict, shape and size are known beforehand."""

from __future__ import annotations

import pytest

from kit.probe.client import Ask
from kit.probe.spec import LaneSpec
from kit.proof.doubts import Doubt
from kit.proof.lane import Arm, Lane
from kit.proof.verdict import Method, Shape, Verdict
from tests.fixtures.origin import Origin
from tests.fixtures.probing import probed
from tests.fixtures.sites import BUFFERS_64K, GZIP, NEW, OLD, CaddySite, EnvoySite, NginxSite
from tests.fixtures.together import measured_by, through

pytestmark = pytest.mark.alone


async def measure(
    url: str, header: Arm = "off", event_bytes: int | None = None, *, gzip: bool = False
) -> Lane:
    coding = (("accept-encoding", "gzip"),) if gzip else ()
    spec = LaneSpec(
        "x",
        Ask("GET", url, coding),
        header=header,
        prompt="Why?",
        max_output_tokens=40,
        event_bytes=event_bytes,
    )
    return await probed(spec)


lane = measured_by(measure)


def service(origin: Origin) -> str:
    return origin(tokens_per_s=30)


def unchunked(origin: Origin) -> str:
    """The same, but not in chunks to a hop that asks in HTTP/1.0."""
    return origin(http="h11", tokens_per_s=30)


def silent(origin: Origin) -> str:
    """The same, but it does not ask to be forwarded as it comes."""
    return origin("tests.fixtures.apps:without_incremental", tokens_per_s=30)


def seen(lane: Lane) -> tuple[Verdict, Shape | None]:
    assert lane.error is None, lane.error
    assert lane.method is Method.LOCK_STEP, lane.evidence
    return lane.verdict, lane.shape


INCREMENTAL = (Verdict.INCREMENTAL, None)
BLOCKS = (Verdict.BYTE_LIMITED, Shape.BLOCKS)
TAIL = (Verdict.BYTE_LIMITED, Shape.TAIL)
PREFIX = (Verdict.BYTE_LIMITED, Shape.PREFIX)
WHOLE = (Verdict.WHOLE_MESSAGE, Shape.WHOLE)


@through(service)
def test_no_proxy(lane: Lane) -> None:
    assert seen(lane) == INCREMENTAL
    assert not lane.doubts


@through(lambda origin: NginxSite(unchunked(origin), OLD))
def test_nginx_with_an_http_1_0_upstream_holds_blocks_of_a_page(lane: Lane) -> None:
    assert seen(lane) == BLOCKS
    assert lane.block_bytes == 4096


@through(lambda origin: NginxSite(unchunked(origin), OLD + BUFFERS_64K))
def test_nginx_with_64k_buffers_holds_64k_blocks(lane: Lane) -> None:
    assert seen(lane) == BLOCKS
    assert lane.block_bytes == 65536


@through(lambda origin: NginxSite(service(origin), NEW))
def test_nginx_with_an_http_1_1_upstream_lets_tokens_flow_and_says_what_it_holds(lane: Lane) -> None:
    assert seen(lane) == INCREMENTAL
    assert Doubt.LARGE_EVENTS_HELD in lane.doubts


@through(lambda origin: NginxSite(service(origin), NEW), event_bytes=70_000)
def test_nginx_with_an_http_1_1_upstream_holds_the_tail_of_a_large_event(lane: Lane) -> None:
    assert seen(lane) == TAIL
    assert lane.block_bytes is not None
    assert 4064 <= lane.block_bytes < 4096


@through(lambda origin: NginxSite(service(origin), NEW + BUFFERS_64K), event_bytes=70_000)
def test_nginx_with_an_http_1_1_upstream_and_64k_buffers_holds_a_larger_tail(lane: Lane) -> None:
    assert seen(lane) == TAIL
    assert lane.block_bytes is not None
    assert 65_500 <= lane.block_bytes < 65_536


@through(lambda origin: NginxSite(service(origin), f"{OLD} proxy_buffering off;"))
def test_nginx_without_buffering_streams(lane: Lane) -> None:
    assert seen(lane) == INCREMENTAL
    assert not lane.doubts


@through(lambda origin: NginxSite(service(origin), f"{NEW} proxy_buffering off;"))
def test_nginx_without_buffering_streams_from_an_http_1_1_upstream(lane: Lane) -> None:
    assert seen(lane) == INCREMENTAL
    assert not lane.doubts


@through(lambda origin: NginxSite(service(origin), OLD), header="on")
def test_nginx_honours_the_header(lane: Lane) -> None:
    assert seen(lane) == INCREMENTAL
    assert not lane.doubts


@through(lambda origin: NginxSite(service(origin), NEW), header="on")
def test_nginx_honours_the_header_of_an_http_1_1_upstream(lane: Lane) -> None:
    assert seen(lane) == INCREMENTAL
    assert not lane.doubts


@through(
    lambda origin: NginxSite(unchunked(origin), f"{OLD} proxy_ignore_headers X-Accel-Buffering;"), header="on"
)
def test_an_nginx_that_ignores_the_header_holds_all_the_same(lane: Lane) -> None:
    assert seen(lane) == BLOCKS
    assert lane.block_bytes == 4096


@through(lambda origin: NginxSite(NginxSite(service(origin), OLD), OLD), header="on")
def test_two_nginx_the_outer_one_never_sees_the_header(lane: Lane) -> None:
    assert seen(lane) == BLOCKS


@through(lambda origin: NginxSite(service(origin), NEW + GZIP), gzip=True)
def test_nginx_gzip_holds_compressed_blocks(lane: Lane) -> None:
    assert lane.verdict is Verdict.BYTE_LIMITED


@through(lambda origin: NginxSite(service(origin), NEW + GZIP))
def test_nginx_gzip_holds_nothing_that_it_does_not_compress(lane: Lane) -> None:
    assert seen(lane) == INCREMENTAL


@through(lambda origin: NginxSite(service(origin), NEW + GZIP), header="on", gzip=True)
def test_nginx_gzip_flushes_when_the_header_is_sent(lane: Lane) -> None:
    assert seen(lane) == INCREMENTAL


@through(lambda origin: CaddySite(service(origin)))
def test_caddy_streams(lane: Lane) -> None:
    assert seen(lane) == INCREMENTAL


@through(lambda origin: CaddySite(silent(origin), "response_buffers 64KiB"))
def test_caddy_with_response_buffers_holds_a_prefix(lane: Lane) -> None:
    assert seen(lane) == PREFIX
    assert lane.block_bytes == 65536


@through(lambda origin: CaddySite(service(origin), "response_buffers 64KiB"))
def test_caddy_refuses_to_buffer_what_asks_to_be_incremental(lane: Lane) -> None:
    assert lane.verdict is Verdict.REFUSED


@through(lambda origin: NginxSite(service(origin), OLD))
def test_nginx_lets_chunks_pass_even_where_it_asks_in_http_1_0(lane: Lane) -> None:
    assert seen(lane) == INCREMENTAL


@through(lambda origin: origin("tests.fixtures.apps:body_reader", tokens_per_s=30))
def test_a_middleware_that_reads_the_body_of_search_alone_is_a_contradiction(lane: Lane) -> None:
    assert lane.verdict is Verdict.INCONCLUSIVE
    assert Doubt.ANSWER_DISAGREES_WITH_PROOF in lane.doubts


@through(lambda origin: EnvoySite(service(origin), http_1_0=False))
def test_envoy_streams(lane: Lane) -> None:
    assert seen(lane) == INCREMENTAL


@through(
    lambda origin: EnvoySite(service(origin), "function envoy_on_response(h) h:body() end", http_1_0=False)
)
def test_envoy_with_a_filter_that_reads_the_body_holds_all(lane: Lane) -> None:
    assert seen(lane) == WHOLE
