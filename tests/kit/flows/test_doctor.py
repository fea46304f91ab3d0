"""The doctor at real proxies whose configuration is known, and at answers that only can be watched."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from kit.errors import Code, KitError
from kit.flows.doctor import DoctorSpec, doctor
from kit.probe.client import Ask
from kit.proof.causes import Cause
from kit.proof.contract import Clause, ContractSpec
from kit.proof.diagnosis import Diagnosis
from kit.proof.doubts import Doubt
from kit.proof.lane import LaneState, state
from kit.proof.quick_check import State
from kit.proof.verdict import Verdict
from kit.report.diagnosis import diagnosis_text, headline
from tests.fixtures.foreign import SECRET
from tests.fixtures.origin import Origin
from tests.fixtures.proxies import Envoy, Nginx
from tests.fixtures.sites import BUFFERS_64K, GZIP, NEW, OLD, CaddySite, EnvoySite, NginxSite
from tests.fixtures.together import measured_by, through
from tests.fixtures.wire import Connection, passing, wire

pytestmark = pytest.mark.alone

Examine = Callable[..., Diagnosis]


@pytest.fixture
def examine() -> Examine:
    def run(url: str, method: str = "GET", body: bytes | None = None, **wanted: Any) -> Diagnosis:
        spec = DoctorSpec("doctor", Ask(method, url, body=body), prompt="Why?", **wanted)
        return asyncio.run(doctor(spec))

    return run


@pytest.fixture
def service(origin: Origin) -> str:
    return origin(tokens_per_s=30)


async def measure(url: str, path: str = "", **wanted: Any) -> Diagnosis:
    return await doctor(DoctorSpec("doctor", Ask("GET", url + path), prompt="Why?", **wanted))


found = measured_by(measure, apart=True)

KEPT_ALIVE = ContractSpec((Clause.KEPT_ALIVE,), for_s=10.0)


def streaming(origin: Origin) -> str:
    return origin(tokens_per_s=30)


def unchunked(origin: Origin) -> str:
    return origin(http="h11", tokens_per_s=30)


READS_BODY = "function envoy_on_response(h) h:body() end"
READS_BODY_OF_POST = """
    function envoy_on_request(h)
      h:streamInfo():dynamicMetadata():set("doctor", "method", h:headers():get(":method"))
    end
    function envoy_on_response(h)
      if h:streamInfo():dynamicMetadata():get("doctor")["method"] == "POST" then h:body() end
    end
"""


def named(diagnosis: Diagnosis) -> list[tuple[Cause, str]]:
    return [(one.cause, one.certainty) for one in diagnosis.causes]


@through(streaming)
def test_a_service_that_streams_has_no_cause(found: Diagnosis) -> None:
    assert (found.verdict, named(found)) == (Verdict.INCREMENTAL, [])
    assert found.requests == 1
    assert found.first_verdict_ms is not None


@through(lambda origin: NginxSite(unchunked(origin), OLD + BUFFERS_64K), header="off")
def test_nginx_buffers_are_freed_by_the_header(found: Diagnosis) -> None:
    assert named(found) == [(Cause.NGINX_BUFFERS, "certain")]
    assert (found.verdict, found.lane.block_bytes) == (Verdict.BYTE_LIMITED, 65536)


@through(
    lambda origin: NginxSite(
        NginxSite(origin(http="h11", tokens_per_s=100), OLD), "proxy_read_timeout 4s; proxy_buffering off;"
    ),
    header="off",
    contract=KEPT_ALIVE,
)
def test_what_holds_the_stream_and_the_silence_that_ends_its_heartbeats_are_one_cause(
    found: Diagnosis,
) -> None:
    (cause,) = found.causes  # some experiments met that limit, so it may be likely only
    assert cause.cause is Cause.NGINX_BUFFERS
    assert "heartbeats do not" in cause.because
    assert "    X-Accel-Buffering: no" in cause.remedy
    assert "proxy_read_timeout" in cause.remedy
    (alive,) = found.lane.clauses
    assert any("comments are held" in line for line in alive.evidence)


@through(lambda origin: NginxSite(streaming(origin), "proxy_read_timeout 3s;"), contract=KEPT_ALIVE)
def test_a_limit_on_silence_is_a_cause_that_holds_nothing(found: Diagnosis) -> None:
    assert (found.verdict, named(found)) == (Verdict.INCREMENTAL, [(Cause.IDLE_LIMIT, "certain")])
    assert not found.causes[0].holds


@through(lambda origin: NginxSite(unchunked(origin), OLD))
def test_where_the_header_is_what_frees_it_that_is_said(found: Diagnosis) -> None:
    assert (found.verdict, named(found)) == (Verdict.INCREMENTAL, [])
    assert any("Without X-Accel-Buffering: no it would be held" in limit for limit in found.limits)


@through(lambda origin: NginxSite(streaming(origin), NEW + GZIP), header="off")
def test_nginx_gzip_is_told_from_buffers(found: Diagnosis) -> None:
    assert named(found) == [(Cause.NGINX_GZIP, "certain")]


@through(lambda origin: NginxSite(unchunked(origin), f"{OLD} proxy_ignore_headers X-Accel-Buffering;"))
def test_nginx_that_ignores_the_header_is_blocks(found: Diagnosis) -> None:
    assert named(found) == [(Cause.BLOCKS, "certain")]


@through(lambda origin: EnvoySite(streaming(origin), READS_BODY, http_1_0=False))
def test_a_filter_that_reads_the_body_is_a_whole_message_hop(found: Diagnosis) -> None:
    assert named(found) == [(Cause.WHOLE_MESSAGE, "certain")]
    assert found.verdict is Verdict.WHOLE_MESSAGE


@through(lambda origin: EnvoySite(streaming(origin), READS_BODY, http_1_0=False), direct_url=streaming)
def test_asked_directly_it_streams_and_the_hop_is_proven_to_hold(found: Diagnosis) -> None:
    directly = [row for row in found.rows if row.experiment.conditions.direct]
    assert [row.observation.state for row in directly] == [State.STREAMS]
    assert "a hop between" in found.causes[0].where


def test_what_identifies_the_user_never_reaches_the_address_that_is_asked_directly(
    service: str, envoy: Envoy
) -> None:
    secrets = (("authorization", "Bearer s3cret"), ("cookie", "id=s3cret"), ("x-api-key", "s3cret"))
    url = envoy(service, lua=READS_BODY)
    with wire(passing(service)) as other:
        spec = DoctorSpec("doctor", Ask("GET", url, secrets), prompt="Why?", direct_url=other.url)
        found = asyncio.run(doctor(spec))
        assert "a hop between" in found.causes[0].where
        read = b"".join(bytes(one.read) for one in other.connections)
    assert b"/proof/stream" in read
    assert b"s3cret" not in read


def test_a_direct_address_that_wants_a_token_is_said_to(service: str) -> None:
    def closed(one: Connection) -> None:
        while one.request():
            one.send(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n")

    with wire(closed) as other:
        ask = Ask("GET", service, (("authorization", "Bearer x"),))
        spec = DoctorSpec("doctor", ask, prompt="Why?", direct_url=other.url)
        found = asyncio.run(doctor(spec))
    assert any("what identifies you is sent to no other origin" in limit for limit in found.limits)


@through(lambda origin: CaddySite(streaming(origin), "response_buffers 64KiB"))
def test_caddy_with_response_buffers_refuses(found: Diagnosis) -> None:
    assert named(found) == [(Cause.REFUSES, "certain")]


@through(
    lambda origin: CaddySite(
        origin("tests.fixtures.apps:without_incremental", tokens_per_s=30), "response_buffers 64KiB"
    )
)
def test_caddy_with_response_buffers_holds_a_prefix_of_what_does_not_ask_to_be_incremental(
    found: Diagnosis,
) -> None:
    assert named(found) == [(Cause.PREFIX_BUFFER, "certain")]


@through(lambda origin: origin("tests.fixtures.foreign:compressed"), path="/chat?cc=no-cache")
def test_a_compressor_that_honours_no_transform_is_named_with_its_line(found: Diagnosis) -> None:
    assert named(found) == [(Cause.COMPRESSOR, "certain")]
    assert "Cache-Control: no-cache, no-transform" in found.causes[0].remedy


@through(lambda origin: origin("tests.fixtures.foreign:compressed"), path="/chat?cc=no-cache,%20no-transform")
def test_that_line_is_honoured(found: Diagnosis) -> None:
    assert found.verdict is Verdict.INCREMENTAL


@through(
    lambda origin: NginxSite(origin("tests.fixtures.foreign:app"), location=NEW, http="gzip on;"),
    path="/chat?type=text/html",
)
def test_nginx_that_compresses_pages_only_is_found_by_an_answer_that_is_one(found: Diagnosis) -> None:
    assert named(found) == [(Cause.NGINX_GZIP, "certain")]


@through(lambda origin: origin("tests.fixtures.apps:body_reader", tokens_per_s=30))
def test_a_middleware_around_the_answer_alone_is_told_from_the_way(found: Diagnosis) -> None:
    assert named(found) == [(Cause.ANSWER_PATH, "likely")]
    assert headline(found) == "the way here streams, and the answer comes in one lump all the same"


@through(
    lambda origin: origin("tests.fixtures.foreign:wrapped"),
    path="/chat?n=22&gap=0.05&how=collect",
    proof_token=SECRET,
)
def test_a_wrapped_app_that_collects_its_answer_is_known_to(found: Diagnosis) -> None:
    assert named(found) == [(Cause.APP, "certain")]


@through(
    lambda origin: origin("tests.fixtures.foreign:deferring"),
    path="/chat?n=30&gap=0.06&how=block",
    proof_token=SECRET,
)
def test_a_wrapped_app_that_blocks_its_loop_is_known_to(found: Diagnosis) -> None:
    assert (Cause.BLOCKED, "certain") in named(found)


@through(
    lambda origin: origin("tests.fixtures.foreign:wrapped"),
    path="/chat?n=30&gap=0.06&how=block",
    proof_token=SECRET,
)
def test_a_wrapped_app_that_blocks_its_loop_is_known_to_also_where_its_answer_streams(
    found: Diagnosis,
) -> None:
    assert (found.verdict, named(found)) == (Verdict.INCREMENTAL, [(Cause.BLOCKED, "certain")])
    assert headline(found) == "streamed"


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(
            "streamed, but the answer was cut",
            marks=through(lambda origin: origin("tests.fixtures.apps:cutter", tokens_per_s=30)),
            id="cut",
        ),
        pytest.param(
            "inconclusive, but the answer cannot be decoded",
            marks=through(lambda origin: origin("tests.fixtures.apps:miscalled", tokens_per_s=30)),
            id="undecodable",
        ),
    ],
)
def test_an_answer_that_is_cut_or_cannot_be_read_is_the_headline_though_the_way_streams(
    found: Diagnosis, said: str
) -> None:
    assert headline(found) == said
    assert state(found.lane) is LaneState.INCONCLUSIVE
    assert diagnosis_text(found).startswith(f"✗ {said}\n")


def test_a_service_that_blocks_its_loop_is_named_whether_its_answer_comes_or_not(
    examine: Examine, origin: Origin
) -> None:
    (one,) = examine(origin("tests.fixtures.foreign:app") + "/blocking").causes
    assert (one.cause, one.certainty) == (Cause.BLOCKED, "likely")
    assert "a small request beside the answer took" in one.because


@through(lambda origin: origin("tests.fixtures.foreign:one_path_collected"), path="/chat", max_requests=1)
def test_a_rule_for_one_path_and_the_service_are_both_possible(found: Diagnosis) -> None:
    assert named(found) == [(Cause.APP, "possible"), (Cause.ANSWER_PATH, "possible")]


@through(
    lambda origin: origin("tests.fixtures.foreign:one_path_collected"),
    path="/chat",
    direct_url=lambda origin: origin("tests.fixtures.foreign:app") + "/chat",
)
def test_asked_directly_the_rule_for_one_path_is_likely(found: Diagnosis) -> None:
    (one,) = found.causes
    assert (one.cause, one.certainty) == (Cause.ANSWER_PATH, "likely")
    assert "a hop between" in one.where


@through(lambda origin: origin("tests.fixtures.foreign:proof_collected"), path="/chat")
def test_a_rule_for_the_proofs_path_is_not_proven_of_an_answer_that_streams(found: Diagnosis) -> None:
    assert found.verdict is Verdict.INCONCLUSIVE
    assert Doubt.ANSWER_DISAGREES_WITH_PROOF in found.doubts
    assert [one.certainty for one in found.causes] == ["possible"]


def test_how_a_stream_is_held_is_looked_for_before_anything_is_changed(
    examine: Examine, origin: Origin, nginx: Nginx
) -> None:
    with wire(passing(nginx(unchunked(origin), location=OLD + BUFFERS_64K))) as way:
        found = examine(way.url, header="off")
        opened = [one.query for one in way.asked if one.path == "/proof/stream"]
    assert named(found) == [(Cause.NGINX_BUFFERS, "certain")]
    # The quick check, the whole proof beside it, and that under the kindest conditions.
    assert [one["accel"] for one in opened[:3]] == ["off", "off", "on"]
    # Each change, the two that decide twice, all at once with and without Incremental.
    assert len(opened) == 13


@through(lambda origin: EnvoySite(streaming(origin), READS_BODY_OF_POST, http_1_0=False))
def test_a_rule_for_one_method_is_named(found: Diagnosis) -> None:
    assert named(found) == [(Cause.METHOD, "certain")]


def test_nobody_there_is_an_error(examine: Examine) -> None:
    with pytest.raises(KitError) as caught:
        examine("http://127.0.0.1:9/")
    assert caught.value.code is Code.UNREACHABLE


def test_an_answer_that_was_asked_for_wrongly_is_an_error_and_no_verdict_on_the_way(
    examine: Examine, service: str
) -> None:
    with pytest.raises(KitError) as caught:
        examine(f"{service}/search", "POST", b"{}")
    assert caught.value.code is Code.HTTP_STATUS
    assert "415" in caught.value.message
