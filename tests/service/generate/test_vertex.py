"""A model on Vertex AI, asked over a real socket of a server that speaks the real protocol."""

from __future__ import annotations

import asyncio
import gc
import logging
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

import grpc
import pytest
import trustme
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import DefaultCredentialsError, RefreshError
from google.cloud.aiplatform_v1.types import Candidate, GenerateContentResponse, HarmCategory, SafetySetting
from google.oauth2.credentials import Credentials
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from service.app import create_app
from service.generate import Finish, Generator, Request, create_generator
from service.generate.vertex_model import host_of, path_of
from service.problems import Problem
from service.settings import HarmCategory as OurCategory
from service.settings import Settings, SettingsError, Threshold
from tests.fixtures.vertex import PROJECT, Call, Usage, Vertex, chunk, in_thread, settings, vertex
from tests.fixtures.wire import passing, wire
from tests.service.asking import GIVE_UP_S, ask, text_of
from tests.service.conftest import Serve
from tests.service.gate import Gate

ASKED = Request("Why?", max_output_tokens=100, temperature=0.2, top_p=0.8, top_k=40, seed=None)
SEEN_WITHIN_S = 0.1
TRIES = 5
CODE = grpc.StatusCode

Chunks = AsyncIterator[GenerateContentResponse | bytes]


def words(kind: Any) -> list[str]:
    """An enumeration's words, without the one for none."""
    return [one.name for one in kind if one.value]


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, GIVE_UP_S))


@asynccontextmanager
async def asking(upstream: Vertex, **more: Any) -> AsyncIterator[Generator]:
    """The generator that asks this server."""
    generator = create_generator(settings(upstream.url, **more))
    try:
        yield generator
    finally:
        await generator.close()


async def all_of(generator: Generator, request: Request = ASKED) -> list[str | Finish]:
    return [piece async for piece in generator.generate(request)]


def writing(*chunks: GenerateContentResponse | bytes, hangs: bool = False) -> Callable[[Call], Chunks]:
    """A model that writes these chunks, and then ends or says nothing more."""

    async def script(call: Call) -> Chunks:
        for one in chunks:
            yield one
        if hangs:
            await asyncio.Event().wait()

    return script


def answered(*chunks: GenerateContentResponse | bytes, **more: Any) -> list[str | Finish]:
    """All that the generator makes of these chunks."""
    pieces: list[str | Finish] = []

    async def test() -> None:
        async with vertex(writing(*chunks)) as upstream, asking(upstream, **more) as generator:
            async for piece in generator.generate(ASKED):
                pieces.append(piece)

    run(test())
    return pieces


def failing(code: grpc.StatusCode, *details: Any, after: int = 0, message: str = "") -> Problem:
    """What an error after so many chunks becomes."""
    pieces = []

    async def script(call: Call) -> Chunks:
        for number in range(after):
            yield chunk(f"{number} ")
        await call.fail(code, message, *details)

    async def test() -> None:
        async with vertex(script) as upstream, asking(upstream) as generator:
            async for piece in generator.generate(ASKED):
                pieces.append(piece)

    with pytest.raises(Problem) as caught:
        run(test())
    assert pieces == [f"{number} " for number in range(after)]
    return caught.value


# ---- What is asked, and what comes


def test_pieces_come_as_the_model_writes_them_then_its_own_word_for_the_end_and_what_it_costs() -> None:
    assert answered(chunk("One "), chunk("two "), chunk("three.", "STOP", tokens=(7, 3, 2))) == [
        "One ",
        "two ",
        "three.",
        Finish("STOP", prompt_tokens=7, output_tokens=5),  # thoughts are billed as output
    ]


async def test_the_model_is_asked_for_what_the_request_and_the_settings_say() -> None:
    safety = {"HARASSMENT": "BLOCK_ONLY_HIGH", "JAILBREAK": "OFF"}
    async with (
        vertex(writing(chunk("", "STOP"))) as upstream,
        asking(upstream, safety=safety, deadline_s=500) as generator,
    ):
        await all_of(generator, replace(ASKED, seed=-7, max_output_tokens=5))
        call = upstream.calls[0]
    path = f"projects/{PROJECT}/locations/europe-west1/publishers/google/models/some-model"
    assert call.request.model == path
    assert call.metadata["x-goog-request-params"] == f"model={path}"
    assert [(one.role, [part.text for part in one.parts]) for one in call.request.contents] == [
        ("user", ["Why?"])
    ]
    config = call.request.generation_config
    assert (config.max_output_tokens, config.top_k, config.seed) == (5, 40, -7)
    assert [config.temperature, config.top_p] == pytest.approx([0.2, 0.8])
    assert {one.category.name: one.threshold.name for one in call.request.safety_settings} == {
        f"HARM_CATEGORY_{category}": threshold for category, threshold in safety.items()
    }


async def test_a_seed_that_the_api_cannot_take_is_refused_before_anything_is_asked() -> None:
    async with vertex(writing(chunk("", "STOP"))) as upstream, asking(upstream) as generator:
        with pytest.raises(Problem) as caught:
            await all_of(generator, replace(ASKED, seed=2**31))
        assert (caught.value.status, caught.value.parameter) == (422, "seed")
        assert upstream.calls == []


@examples(max_examples=25, deadline=None)
@given(st.lists(st.text(max_size=8), max_size=12))
def test_text_in_any_script_arrives_as_it_was_wherever_it_is_cut(parts: list[str]) -> None:
    *pieces, end = answered(*(chunk(part) for part in parts), chunk("", "STOP"))
    assert pieces == [part for part in parts if part]
    assert isinstance(end, Finish)


def test_a_family_and_a_flag_cut_in_the_middle_are_whole_again() -> None:
    text = "👩‍👩‍👧‍👦 🇨🇭 é 流"
    *pieces, _ = answered(*map(chunk, text), chunk("", "STOP"))
    assert "".join(map(str, pieces)) == text


def test_thoughts_are_not_taken_for_the_answer() -> None:
    assert answered(chunk("Hm. ", thought=True), chunk("Yes.", "STOP")) == ["Yes.", Finish("STOP", 0, 0)]


def test_octets_that_are_no_text_end_the_answer_in_an_error() -> None:
    broken = GenerateContentResponse.serialize(chunk("abc")).replace(b"abc", b"a\xffc")
    with pytest.raises(Problem) as caught:
        answered(chunk("One "), broken)
    assert (caught.value.kind, caught.value.status) == ("model-failed", 502)


# ---- How it ends


@pytest.mark.parametrize("reason", words(Candidate.FinishReason))
def test_the_reason_of_the_end_reaches_the_client_as_it_is(reason: str) -> None:
    assert answered(chunk("Well, "), chunk("", reason))[-1] == Finish(reason, 0, 0)


def test_a_reason_newer_than_the_package_is_a_number() -> None:
    new = chunk("Well.")
    GenerateContentResponse.pb(new).candidates[0].finish_reason = 99
    assert answered(new)[-1] == Finish("99", 0, 0)


def test_a_prompt_that_is_blocked_is_an_end_without_text_and_says_why() -> None:
    blocked = GenerateContentResponse(
        prompt_feedback={"block_reason": "PROHIBITED_CONTENT"}, usage_metadata=Usage(prompt_token_count=4)
    )
    assert answered(blocked) == [Finish("PROHIBITED_CONTENT", 4, 0)]


def test_a_candidate_without_content_is_no_piece() -> None:
    empty = GenerateContentResponse(candidates=[Candidate()])
    assert answered(empty, GenerateContentResponse(), chunk("x"), chunk("", "STOP"))[0] == "x"


def test_what_is_counted_after_the_end_counts() -> None:
    late = GenerateContentResponse(usage_metadata=Usage(prompt_token_count=1, candidates_token_count=2))
    assert answered(chunk("x", "MAX_TOKENS"), late)[-1] == Finish("MAX_TOKENS", 1, 2)


@pytest.mark.parametrize("chunks", [[], [chunk("One ")]])
def test_a_stream_that_ends_cleanly_without_a_reason_is_not_taken_for_done(chunks: list[Any]) -> None:
    with pytest.raises(Problem) as caught:
        answered(*chunks)
    assert caught.value.kind == "model-failed"
    assert "without saying why" in caught.value.detail


# ---- Errors


@pytest.mark.parametrize("after", [0, 3])
@pytest.mark.parametrize(
    ("code", "kind", "status"),
    [
        (CODE.NOT_FOUND, "model-not-found", 404),
        (CODE.PERMISSION_DENIED, "model-forbidden", 403),
        (CODE.UNAUTHENTICATED, "model-credentials", 500),
        (CODE.RESOURCE_EXHAUSTED, "model-busy", 429),
        (CODE.UNAVAILABLE, "model-unavailable", 503),
        (CODE.DEADLINE_EXCEEDED, "model-deadline", 504),
        (CODE.INVALID_ARGUMENT, "model-refused", 400),
        (CODE.FAILED_PRECONDITION, "model-refused", 400),
        (CODE.INTERNAL, "model-failed", 502),
        (CODE.UNKNOWN, "model-failed", 502),
        (CODE.CANCELLED, "model-failed", 502),
        (CODE.ABORTED, "model-failed", 502),
    ],
)
def test_each_error_is_a_problem_before_and_amid_the_text(
    code: grpc.StatusCode, kind: str, status: int, after: int
) -> None:
    problem = failing(code, after=after)
    assert (problem.kind, problem.status) == (kind, status)
    assert (problem.retry_after_s is not None) == (status in (429, 502, 503))


def test_a_missing_permission_names_the_role_to_grant() -> None:
    assert "roles/aiplatform.user" in failing(CODE.PERMISSION_DENIED).detail


def test_an_api_that_is_switched_off_differs_from_a_missing_role() -> None:
    why = ErrorInfo(reason="SERVICE_DISABLED", domain="googleapis.com")
    assert "gcloud services enable aiplatform.googleapis.com" in failing(CODE.PERMISSION_DENIED, why).detail


def test_a_model_that_is_not_there_is_named_with_the_settings_to_change() -> None:
    detail = failing(CODE.NOT_FOUND).detail
    for word in ("some-model", "europe-west1", "STREAMPROOF_MODEL", "STREAMPROOF_LOCATION"):
        assert word in detail


@pytest.mark.parametrize("code", [CODE.RESOURCE_EXHAUSTED, CODE.UNAVAILABLE])
def test_retry_after_is_what_google_says_rounded_up(code: grpc.StatusCode) -> None:
    assert failing(code, RetryInfo(retry_delay=Duration(seconds=41, nanos=1))).retry_after_s == 42


def test_a_wrong_request_is_explained_in_googles_words() -> None:
    assert "top_k must be below 41" in failing(CODE.INVALID_ARGUMENT, message="top_k must be below 41").detail


@pytest.mark.parametrize("code", [code for code in CODE if code is not CODE.OK])
def test_no_message_of_googles_is_logged(code: grpc.StatusCode, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        failing(code, message="the prompt was: swordfish")
    assert code.name in caplog.text
    assert "swordfish" not in caplog.text


async def test_a_connection_that_breaks_off_is_an_error_and_no_end() -> None:
    async with vertex(writing(chunk("One "), hangs=True)) as upstream:
        with wire(passing(upstream.url)) as between:
            generator = create_generator(settings(between.url))
            pieces = generator.generate(ASKED)
            assert await anext(pieces) == "One "
        with pytest.raises(Problem) as caught:
            await anext(pieces)
        assert caught.value.kind in ("model-unavailable", "model-failed")
        assert caught.value.retry_after_s is not None
        await generator.close()


async def test_a_missing_server_is_an_error_that_says_to_try_again() -> None:
    async with vertex(writing(chunk(""))) as upstream, asking(upstream) as generator:
        await upstream.stop()
        with pytest.raises(Problem) as caught:
            await all_of(generator)
        assert caught.value.status == 503


async def test_what_is_still_asked_when_the_service_closes_ends_in_an_error() -> None:
    async with vertex(writing(chunk("One "), hangs=True)) as upstream, asking(upstream) as generator:
        pieces = generator.generate(ASKED)
        assert await anext(pieces) == "One "
        waiting = asyncio.ensure_future(anext(pieces))
        await asyncio.sleep(0)
        await generator.close()
        with pytest.raises(Problem):
            await waiting


# ---- Clients that leave


@pytest.mark.alone
@pytest.mark.parametrize("how", ["closed", "cancelled"])
@pytest.mark.parametrize("read", [0, 1])
async def test_the_model_stops_at_once_when_its_reader_leaves(how: str, read: int) -> None:
    async def script(call: Call) -> Chunks:
        for number in range(read):
            yield chunk(f"{number}")
        await asyncio.Event().wait()

    async with vertex(script) as upstream, asking(upstream) as generator:
        took: list[float] = []
        # The server answers in this loop too: the best of a few tries is not another program's time.
        for _ in range(TRIES):
            enough = asyncio.Event()

            async def listen(enough: asyncio.Event = enough) -> None:
                async with aclosing(generator.generate(ASKED)) as pieces:
                    for _ in range(read):
                        await anext(pieces)
                    enough.set()
                    if how == "cancelled" or not read:
                        await anext(pieces)

            listening = asyncio.create_task(listen())
            call = await upstream.called(len(took) + 1)
            await enough.wait()
            left = time.monotonic()
            if how == "cancelled" or not read:
                listening.cancel()
            await call.cancelled.wait()
            took.append(time.monotonic() - left)
            await asyncio.wait({listening})
        assert min(took) < SEEN_WITHIN_S


@pytest.mark.alone
def test_a_client_that_leaves_stops_the_model_within_100_ms(serve: Serve) -> None:
    with in_thread(writing(chunk("One "), hangs=True)) as upstream:
        base = serve(create_app(settings(upstream.url)))
        took: list[float] = []
        for number in range(TRIES):
            answer = ask(base, ai_prompt="Why?")
            assert answer.event().data["text"] == "One "
            left = time.monotonic()
            answer.leave()
            assert upstream.calls[number].stopped.result(GIVE_UP_S) == "cancelled"
            took.append(time.monotonic() - left)
        assert min(took) < SEEN_WITHIN_S


# ---- Long, slow, many


def test_a_million_tokens_are_read_no_faster_than_they_are_wanted_and_none_is_kept() -> None:
    # Fifty tokens a chunk, 20 MB in all: keeping them would show.
    count, text = 20_000, "a token of 20 octets" * 50
    leads: list[int] = []
    resident: list[int] = []

    async def script(call: Call) -> Chunks:
        wire = GenerateContentResponse.serialize(chunk(text))
        for _ in range(count):
            yield wire
        yield chunk("", "STOP")

    async def test() -> None:
        async with vertex(script) as upstream, asking(upstream) as generator:
            read = 0
            async for piece in generator.generate(ASKED):
                read += piece == text
                if read % 2000 == 1000:
                    call = upstream.calls[0]
                    sent = -1
                    while sent < call.sent:  # until it waits for us
                        sent = call.sent
                        await asyncio.sleep(0.02)
                    leads.append(sent - read)
                    gc.collect()
                    resident.append(_resident())
            assert read == count

    run(test())
    assert max(leads) < 500  # half a megabyte under way
    # The first is from before it settled: what another test left behind may be given back meanwhile.
    assert max(resident[1:]) - resident[1] < 8 * 2**20


def _resident() -> int:
    """This process's resident memory, in octets."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


async def test_two_hundred_answers_are_written_at_once_though_a_connection_takes_only_a_hundred() -> None:
    here = asyncio.Barrier(200)

    async def script(call: Call) -> Chunks:
        yield chunk("One ")
        await here.wait()  # no answer goes on before all have begun
        yield chunk("two.", "STOP")

    async with vertex(script, max_concurrent_streams=100) as upstream, asking(upstream) as generator:
        answers = await asyncio.gather(*(all_of(generator) for _ in range(200)))
        assert answers == [["One ", "two.", Finish("STOP", 0, 0)]] * 200
        # One after another they need no further connection.
        peers = {call.peer for call in upstream.calls}
        assert len(peers) == 2
        again = asyncio.create_task(all_of(generator))
        assert (await upstream.called(201)).peer in peers
        again.cancel()
        await asyncio.wait({again})


def test_a_token_an_hour_is_waited_for_and_the_client_hears_a_heartbeat_meanwhile(serve: Serve) -> None:
    # An hour at the default heartbeat of 15 s is this many of them; here they come faster.
    an_hour, gate = 240, Gate()

    async def script(call: Call) -> Chunks:
        yield chunk("One ")
        await gate.passed()
        yield chunk("two.", "STOP")

    with in_thread(script) as upstream:
        base = serve(create_app(settings(upstream.url, heartbeat_s=0.005)))
        answer = ask(base, ai_prompt="Why?")
        octets = b""
        for read in answer.octets():
            octets += read
            if octets.count(b"\n:") >= an_hour:
                break
        assert upstream.calls[0].time_s is None  # nothing here would end it
        gate.open()
        assert b"two." in b"".join(answer.octets())


async def test_the_model_gets_the_answers_deadline() -> None:
    async def script(call: Call) -> Chunks:
        assert call.time_s is not None
        assert 0 < call.time_s <= 291  # gRPC writes whole seconds on the wire, rounded up
        yield chunk("x", "STOP")

    async with vertex(script) as upstream, asking(upstream) as generator:
        assert (await all_of(generator, replace(ASKED, timeout_s=290)))[0] == "x"


# ---- Behind /search


def test_an_error_before_the_text_is_a_real_status_with_retry_after(serve: Serve) -> None:
    async def script(call: Call) -> Chunks:
        await call.fail(CODE.RESOURCE_EXHAUSTED, "", RetryInfo(retry_delay=Duration(seconds=30)))
        yield chunk("")

    with in_thread(script) as upstream:
        answer = ask(serve(create_app(settings(upstream.url))), ai_prompt="Why?")
        assert (answer.status, answer.headers["Retry-After"]) == (429, "30")
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json()["type"] == "urn:streamproof:problem:model-busy"


def test_an_error_amid_the_text_is_an_event(serve: Serve) -> None:
    async def script(call: Call) -> Chunks:
        yield chunk("One ")
        await call.fail(CODE.UNAVAILABLE)

    with in_thread(script) as upstream:
        *tokens, last = ask(serve(create_app(settings(upstream.url))), ai_prompt="Why?").events()
    assert text_of(tokens) == "One "
    assert (last.type, last.data["status"]) == ("error", 503)


def test_a_deadline_ends_in_an_event_and_stops_the_model(serve: Serve) -> None:
    with in_thread(writing(chunk("One "), hangs=True)) as upstream:
        answer = ask(serve(create_app(settings(upstream.url, deadline_s=0.5))), ai_prompt="Why?")
        assert [event.type for event in answer.events()] == ["token", "error"]
        assert upstream.calls[0].stopped.result(GIVE_UP_S) == "cancelled"


def test_done_carries_the_reason_and_the_tokens(serve: Serve) -> None:
    with in_thread(writing(chunk("One "), chunk("", "SAFETY", tokens=(3, 1, 0)))) as upstream:
        *_, done = ask(serve(create_app(settings(upstream.url))), ai_prompt="Why?").events()
    assert done.data == {"finish_reason": "SAFETY", "usage": {"prompt_tokens": 3, "output_tokens": 1}}


# ---- Starting


def test_nothing_of_google_is_imported_by_the_service_until_it_is_needed() -> None:
    code = """
import sys
from service.app import create_app
from service.settings import Settings
create_app(Settings())
create_app(Settings(generator="vertex", model="some-model", location="global"))
print(*[name for name in sys.modules if name.split(".")[0] in ("google", "grpc", "proto")])
"""
    started = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # The bare namespace is what looking for the package leaves.
    assert set(started.stdout.split()) <= {"google", "google.cloud"}


def test_the_port_answers_while_the_client_is_imported_and_no_request_is_needed_to_begin(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(config: Settings) -> Any:
        begun.set()
        assert go_on.wait(GIVE_UP_S)
        from service.generate.vertex_model import VertexModel

        return VertexModel(config)

    monkeypatch.setattr("service.generate.vertex._open", slow)
    with in_thread(writing(chunk("One.", "STOP"))) as upstream:
        base = serve(create_app(settings(upstream.url)))
        assert begun.wait(GIVE_UP_S)
        assert ask(base, "/health").status == 200
        assert ask(base, "/whoami").json()["generator"] == "vertex"
        go_on.set()
        assert ask(base, "/_ah/warmup").status == 200
        assert ask(base, ai_prompt="Why?").events()[-1].type == "done"


async def test_without_credentials_each_answer_says_so_until_there_are_some(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    found: list[Any] = []

    def default(**_: Any) -> Any:
        if not found:
            raise DefaultCredentialsError("the path of a key")  # type: ignore[no-untyped-call]
        return found.pop(), PROJECT

    monkeypatch.setattr("google.auth.default", default)

    generator = create_generator(Settings(generator="vertex", model="some-model", location="global"))
    for _ in range(2):
        with pytest.raises(Problem) as caught:
            await all_of(generator)
        assert caught.value.status == 500
        assert "gcloud auth application-default login" in caught.value.detail
    found.append(AnonymousCredentials())  # type: ignore[no-untyped-call]
    await generator.prepare()
    await generator.close()
    assert "DefaultCredentialsError" in caplog.text
    assert "the path of a key" not in caplog.text


class _Failing(Credentials):
    """Credentials that cannot be renewed any more."""

    def refresh(self, request: Any) -> None:
        raise RefreshError("the name of an account")  # type: ignore[no-untyped-call]


async def test_the_credentials_go_with_each_request_over_tls_and_what_is_wrong_with_them_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "roots.pem")
    monkeypatch.setenv("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", str(tmp_path / "roots.pem"))
    own = authority.issue_cert("localhost")
    pair = (own.private_key_pem.bytes(), b"".join(one.bytes() for one in own.cert_chain_pems))
    expired = datetime(2020, 1, 1)  # as google-auth has it
    held = [Credentials("a-token"), _Failing("old", expiry=expired)]  # type: ignore[no-untyped-call]
    monkeypatch.setattr("google.auth.default", lambda **_: (held.pop(0), PROJECT))

    async with vertex(writing(chunk("One.", "STOP")), tls=grpc.ssl_server_credentials([pair])) as upstream:
        there = settings(f"localhost:{upstream.port}")
        good, bad = create_generator(there), create_generator(there)
        assert (await all_of(good))[0] == "One."
        assert upstream.calls[0].metadata["authorization"] == "Bearer a-token"
        with pytest.raises(Problem) as caught:
            await all_of(bad)
        assert caught.value.kind == "model-credentials"
        assert "the name of an account" not in caught.value.detail
        for generator in (good, bad):
            await generator.close()


def test_credentials_without_a_project_need_one_to_be_set() -> None:
    with pytest.raises(Problem, match="STREAMPROOF_VERTEX_PROJECT"):
        path_of("some-model", None, "global")


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("m-1.5", "projects/p/locations/l/publishers/google/models/m-1.5"),
        ("publishers/other/models/m", "projects/p/locations/l/publishers/other/models/m"),
        ("projects/7/locations/x/endpoints/9", "projects/7/locations/x/endpoints/9"),
    ],
)
def test_a_model_is_named_as_briefly_as_it_can_be(model: str, path: str) -> None:
    assert path_of(model, "p", "l") == path


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("global", "aiplatform.googleapis.com"),
        ("eu", "aiplatform.eu.rep.googleapis.com"),
        ("europe-west1", "europe-west1-aiplatform.googleapis.com"),
    ],
)
def test_each_location_has_its_own_host(location: str, host: str) -> None:
    assert host_of(location) == host


@pytest.mark.parametrize(
    ("given", "missing"), [({"location": "global"}, "MODEL"), ({"model": "m"}, "LOCATION")]
)
def test_a_setting_that_is_missing_is_named_at_start(given: dict[str, Any], missing: str) -> None:
    with pytest.raises(SettingsError, match=f"STREAMPROOF_{missing} must be set"):
        create_app(Settings(generator="vertex", **given))


def test_a_package_that_is_missing_is_named_at_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.generate.vertex.installed", lambda _: False)
    with pytest.raises(SettingsError, match="google-cloud-aiplatform must be installed"):
        create_app(Settings(generator="vertex", model="m", location="global"))


def test_what_may_be_blocked_and_when_are_the_apis_own_words() -> None:
    assert [f"HARM_CATEGORY_{one}" for one in get_args(OurCategory)] == words(HarmCategory)
    assert list(get_args(Threshold)) == words(SafetySetting.HarmBlockThreshold)
