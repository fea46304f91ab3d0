"""What /search takes, in which types it answers, and how it refuses."""

from __future__ import annotations

import json
import re
import time
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.app import create_app
from service.generate import Finish, Request
from service.settings import Settings
from tests.service.asking import GIVE_UP_S, ask, ask_json, connected, freed, problem, text_of
from tests.service.conftest import Answering, Serve
from tests.service.gate import Gate
from tests.service.ways import saying

SSE, NDJSON, TEXT = "text/event-stream", "application/x-ndjson", "text/plain"
WHY = "Why does my stream arrive in one lump?"


@pytest.mark.parametrize(
    ("name", "value"), [("top_p", "0.5"), ("top_p", True), ("seed", False), ("answer", True), ("top_k", [1])]
)
def test_in_json_a_number_is_a_number(quick: str, name: str, value: object) -> None:
    detail = problem(ask_json(quick, {"ai_prompt": WHY, name: value}), 422, "bad-parameter")
    assert detail["parameter"] == name
    assert ask_json(quick, {"ai_prompt": WHY, "top_p": 0.5, "top_k": None}).events()[-1].type == "done"
    assert ask(quick, ai_prompt=WHY, top_p="0.5").events()[-1].type == "done"


# The three types


def test_an_answer_is_tokens_and_a_done_numbered_from_zero_under_one_random_id(quick: str) -> None:
    events = ask(quick, ai_prompt=WHY).events()
    assert [event.type for event in events] == ["token"] * (len(events) - 1) + ["done"]
    answer = events[0].id.partition(".")[0]
    assert re.fullmatch(r"[0-9a-f]{32}", answer)
    assert [event.id for event in events] == [f"{answer}.{seq}" for seq in range(len(events))]
    tokens = [event.data for event in events[:-1]]
    assert [list(token) for token in tokens] == [["seq", "text", "t_ms"]] * len(tokens)
    assert [token["seq"] for token in tokens] == list(range(len(tokens)))


def test_an_answer_names_its_version_where_known(
    serve: Serve, quick: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ask(quick, ai_prompt=WHY).headers["Streamproof-Version"] is None
    monkeypatch.setenv("K_REVISION", "streamproof-sp-1")
    base = serve(create_app(Settings(lab=True)))
    asked = (
        ask(base, ai_prompt=WHY),
        ask_json(base, {"ai_prompt": WHY}),
        ask_json(base, {"ai_prompt": WHY}, Prefer="respond-async"),
        ask(base, "/proof/ping"),
    )
    assert [answer.status for answer in asked] == [200, 200, 202, 200]
    assert {answer.headers["Streamproof-Version"] for answer in asked} == {"streamproof-sp-1"}


def test_two_answers_have_different_ids(quick: str) -> None:
    ids = {ask(quick, ai_prompt=WHY).event().id for _ in range(3)}
    assert len(ids) == 3


def test_the_time_of_a_token_never_goes_back_and_grows_while_it_is_written(answering: Answering) -> None:
    async def script(request: Request) -> AsyncGenerator[str | Finish]:
        for _ in range(3):
            began = time.monotonic()
            while time.monotonic() - began < 0.003:
                pass
            yield "x"
        yield Finish("stop", 1, 3)

    events = ask(answering(script), ai_prompt=WHY).events()
    times = [event.data["t_ms"] for event in events[:-1]]
    assert 0 <= times[0] < times[1] < times[2] < GIVE_UP_S * 1000


def test_done_has_the_usage_and_why_it_finished(quick: str) -> None:
    *tokens, done = ask(quick, ai_prompt="one two three").events()
    assert done.data == {"usage": {"prompt_tokens": 3, "output_tokens": len(tokens)}, "finish_reason": "stop"}


def test_ndjson_tells_the_same_events_a_line_each(quick: str) -> None:
    events = ask(quick, ai_prompt=WHY, seed=3).events()
    answer = ask(quick, ai_prompt=WHY, seed=3, headers={"Accept": NDJSON})
    assert answer.headers["Content-Type"] == NDJSON
    lines = [json.loads(line) for line in answer.read().splitlines()]
    assert [line["seq"] for line in lines] == list(range(len(events)))
    assert [line["event"] for line in lines] == [event.type for event in events]
    assert [line["data"].get("text") for line in lines] == [event.data.get("text") for event in events]
    assert lines[-1]["data"] == events[-1].data


def test_plain_text_is_the_bare_text_with_a_line_for_each_sentence(quick: str) -> None:
    events = ask(quick, ai_prompt=WHY, seed=3).events()
    answer = ask(quick, ai_prompt=WHY, seed=3, headers={"Accept": TEXT})
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    text = answer.read().decode()
    assert text == text_of(events)
    assert all(line[-1] in ".?!" for line in text.splitlines() if line)
    assert text.endswith("\n")


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        (None, SSE),
        ("", SSE),
        ("*/*", SSE),
        ("text/*", SSE),
        ("text/html,application/xhtml+xml,*/*;q=0.8", SSE),
        (NDJSON, NDJSON),
        ("application/*", NDJSON),
        ("Application/X-NDJSON; charset=utf-8", NDJSON),
        (TEXT, TEXT),
        (f"{SSE};q=0.5, {TEXT}", TEXT),
        (f"{SSE};q=0, */*", NDJSON),
        (f"{TEXT};q=0.9, {NDJSON};q=1.0", NDJSON),
        (f"{NDJSON}, {SSE}", SSE),
    ],
)
def test_accept_chooses_the_type(accept: str | None, media: str, quick: str) -> None:
    answer = ask(quick, ai_prompt=WHY, headers={} if accept is None else {"Accept": accept})
    assert answer.status == 200
    assert (answer.headers["Content-Type"] or "").partition(";")[0] == media
    assert answer.read()


@pytest.mark.parametrize(
    "accept", ["application/json", f"{SSE};q=0", "image/png, text/html", "*/*;q=nonsense"]
)
def test_a_type_that_is_not_there_is_refused_with_406(accept: str, quick: str) -> None:
    body = problem(ask(quick, ai_prompt=WHY, headers={"Accept": accept}), 406, "not-acceptable")
    assert all(media in str(body["detail"]) for media in (SSE, NDJSON, TEXT))


# The headers


def test_every_header_that_keeps_a_stream_flowing_is_sent_by_default(quick: str) -> None:
    headers = ask(quick, ai_prompt=WHY).headers
    assert headers["Cache-Control"] == "no-cache, no-transform"
    assert headers["X-Accel-Buffering"] == "no"
    assert headers["Incremental"] == "?1"
    assert headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert headers["Content-Length"] is None
    assert headers["Content-Encoding"] is None


@pytest.mark.parametrize("accept", [SSE, NDJSON, TEXT])
def test_accel_off_leaves_out_that_one_header_only(accept: str, quick: str) -> None:
    on = set(ask(quick, ai_prompt=WHY, accel="on", headers={"Accept": accept}).headers)
    off = set(ask(quick, ai_prompt=WHY, accel="off", headers={"Accept": accept}).headers)
    assert {name.lower() for name in on - off} == {"x-accel-buffering"}
    assert off < on


def test_the_start_is_in_the_worlds_time(quick: str) -> None:
    before = time.time() * 1000
    answer = ask(quick, ai_prompt=WHY)
    assert before - 1 <= float(answer.headers["Streamproof-Started-Ms"]) <= time.time() * 1000 + 1


# What it takes


def test_get_post_with_a_query_and_post_with_json_give_the_same_answer(quick: str) -> None:
    texts = {
        text_of(ask(quick, ai_prompt=WHY, seed=5, max_output_tokens=40).events()),
        text_of(ask(quick, method="POST", ai_prompt=WHY, seed=5, max_output_tokens=40).events()),
        text_of(ask_json(quick, {"ai_prompt": WHY, "seed": 5, "max_output_tokens": 40}).events()),
    }
    assert len(texts) == 1
    assert WHY in texts.pop()


def test_query_and_body_may_share_the_parameters_between_them(quick: str) -> None:
    answer = ask(
        quick,
        method="POST",
        body=json.dumps({"ai_prompt": WHY}).encode(),
        headers={"Content-Type": "application/json; charset=utf-8"},
        accel="off",
        max_output_tokens=2,
    )
    assert answer.headers["X-Accel-Buffering"] is None
    assert len(answer.events()) == 3


def test_sixty_tokens_are_sixty_events_and_a_done_that_says_length(quick: str) -> None:
    *tokens, done = ask(quick, ai_prompt=WHY, max_output_tokens=60).events()
    assert len(tokens) == 60
    assert {event.type for event in tokens} == {"token"}
    assert (done.type, done.data["finish_reason"]) == ("done", "length")
    assert done.data["usage"]["output_tokens"] == 60


def test_the_generator_gets_what_was_asked_and_the_documented_defaults(answering: Answering) -> None:
    seen: list[Request] = []

    async def script(request: Request) -> AsyncGenerator[str | Finish]:
        seen.append(request)
        yield Finish("stop", 1, 0)

    base = answering(script)
    ask(base, ai_prompt=WHY).read()
    ask(base, ai_prompt=WHY, max_output_tokens=7, temperature=1.5, top_p=0.5, top_k=9, seed=-4).read()
    assert seen == [
        Request(WHY, max_output_tokens=1024, temperature=0.2, top_p=0.8, top_k=40, seed=None),
        Request(WHY, max_output_tokens=7, temperature=1.5, top_p=0.5, top_k=9, seed=-4),
    ]


# What it refuses


@pytest.mark.parametrize("query", [{}, {"ai_prompt": ""}, {"ai_prompt": " \n\t"}])
def test_an_empty_prompt_is_refused(query: dict[str, Any], quick: str) -> None:
    assert problem(ask(quick, **query), 422, "empty-prompt")["parameter"] == "ai_prompt"
    assert problem(ask_json(quick, query), 422, "empty-prompt")["parameter"] == "ai_prompt"


def test_a_prompt_up_to_the_limit_is_answered_and_one_character_more_refused(quick: str) -> None:
    most = {"ai_prompt": "流" * 8000, "max_output_tokens": 1}
    assert ask_json(quick, most).events()[-1].type == "done"
    body = problem(ask_json(quick, {"ai_prompt": "流" * 8001}), 413, "prompt-too-long")
    assert "8000" in str(body["detail"])
    assert "8001" in str(body["detail"])


def test_an_unknown_parameter_is_refused_by_name_with_those_there_are(quick: str) -> None:
    for answer in (
        ask(quick, ai_prompt=WHY, max_tokens=5),
        ask_json(quick, {"ai_prompt": WHY, "max_tokens": 5}),
    ):
        body = problem(answer, 422, "unknown-parameter")
        assert body["parameter"] == "max_tokens"
        assert "max_output_tokens" in str(body["detail"])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_output_tokens", "0"),
        ("max_output_tokens", "65537"),
        ("max_output_tokens", "many"),
        ("max_output_tokens", "1.5"),
        ("temperature", "-0.1"),
        ("temperature", "2.1"),
        ("temperature", "nan"),
        ("top_p", "1.1"),
        ("top_p", "nan"),
        ("top_k", "0"),
        ("top_k", "1001"),
        ("seed", "x"),
        ("seed", str(2**63)),
        ("accel", "yes"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_by_its_name(name: str, value: str, quick: str) -> None:
    asked: dict[str, Any] = {"ai_prompt": WHY, name: value}
    assert problem(ask(quick, **asked), 422, "bad-parameter")["parameter"] == name


def test_a_parameter_given_twice_is_refused_wherever_it_stands(quick: str) -> None:
    twice = ask(quick, "/search?ai_prompt=why&seed=1&seed=2")
    assert problem(twice, 422, "bad-parameter")["parameter"] == "seed"
    both = ask(
        quick,
        method="POST",
        body=b'{"ai_prompt": "a"}',
        headers={"Content-Type": "application/json"},
        ai_prompt="b",
    )
    assert problem(both, 422, "bad-parameter")["parameter"] == "ai_prompt"


@pytest.mark.parametrize(
    "body", [b"{", b"[1]", b'"text"', b"\xff\xfe{", b"[" * 50_000, b"1" * 5_000, b"null"], ids=range(7)
)
def test_a_body_that_is_no_json_object_is_refused(body: bytes, quick: str) -> None:
    headers = {"Content-Type": "application/json"}
    problem(ask(quick, method="POST", body=body, headers=headers), 400, "bad-body")


@pytest.mark.parametrize("media", ["application/x-www-form-urlencoded", "text/plain", ""])
def test_a_body_in_another_type_is_refused_with_415(media: str, quick: str) -> None:
    answer = ask(quick, method="POST", body=b"ai_prompt=a", headers={"Content-Type": media})
    problem(answer, 415, "unsupported-media-type")


def test_an_oversized_body_is_refused_before_it_is_all_there(quick: str) -> None:
    with connected(quick) as wire:
        wire.sendall(
            b"POST /search HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 1000000000\r\n\r\n" + b" " * 120_000
        )
        assert wire.recv(65_536).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_other_methods_are_refused_with_those_there_are(method: str, quick: str) -> None:
    answer = ask(quick, method=method, ai_prompt=WHY)
    assert {"GET", "POST"} >= set(re.findall(r"[A-Z]+", answer.headers["Allow"] or "")) != set()
    assert answer.status == 405
    assert answer.headers["Content-Type"] == "application/problem+json"


@given(
    st.dictionaries(
        st.text(max_size=8)
        | st.sampled_from(["ai_prompt", "seed", "temperature", "accel", "max_output_tokens"]),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just([{}]),
        max_size=4,
    )
)
def test_whatever_is_sent_gets_an_answer_or_a_problem_of_its_own(
    quick: str, fields: dict[str, object]
) -> None:
    answer = ask_json(quick, fields)
    if answer.status == 200:
        assert answer.events()[-1].type == "done"
    else:
        assert answer.status in (400, 413, 422)
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json()["status"] == answer.status


@pytest.mark.parametrize(
    "fields", [{"\ud800": 1, "ai_prompt": "a"}, {"ai_prompt": "\ud800"}, {"accel": "\ud800"}]
)
def test_half_a_character_is_refused_like_any_bad_body(fields: dict[str, object], quick: str) -> None:
    problem(ask_json(quick, fields), 400, "bad-body")


def test_one_stream_too_many_learns_when_to_come_again(answering: Answering) -> None:
    over = Gate()

    async def script(request: Request) -> AsyncGenerator[str | Finish]:
        yield "a"
        if request.prompt == "hold":
            await over.passed()
        yield Finish("stop", 1, 1)

    base = answering(script, max_streams=2)
    held = [ask(base, ai_prompt="hold") for _ in range(2)]
    assert [answer.event().type for answer in held] == ["token", "token"]
    refused = ask(base, ai_prompt=WHY)
    assert refused.headers["Retry-After"] == "2"
    assert problem(refused, 503, "too-many-streams")["retry_after_s"] == 2
    over.open()
    assert [answer.events()[-1].type for answer in held] == ["done", "done"]
    assert freed(503, base, ai_prompt=WHY).events()[-1].type == "done"


# What it logs


def test_the_log_has_a_line_an_answer_and_never_the_prompt(
    answering: Answering, log_lines: list[str]
) -> None:
    secret = "swordfish"

    async def script(request: Request) -> AsyncGenerator[str | Finish]:
        yield "a"
        if request.seed == 1:
            raise RuntimeError(f"could not answer {request.prompt}")
        yield Finish("stop", 1, 1)

    base = answering(script, max_prompt_chars=20)
    ask(base, ai_prompt=secret).read()
    ask_json(base, {"ai_prompt": secret, "seed": 1}).read()
    ask(base, ai_prompt=secret * 9).read()
    ask_json(base, {"ai_prompt": secret, "colour": secret}).read()
    ask(base, ai_prompt=secret, accel=secret).read()
    ask(base, f"/nothing?ai_prompt={secret}").read()
    ask(base, method="PUT", ai_prompt=secret).read()
    log = "\n".join(log_lines)
    assert secret not in log
    lines = [line for line in log_lines if " /search prompt_chars=" in line]
    assert [re.sub(r" ms=\d+$", "", line) for line in lines] == [
        "GET /search prompt_chars=9 status=200 end=done events=2",
        "POST /search prompt_chars=9 status=200 end=internal events=2",
        "GET /search prompt_chars=81 status=413 end=prompt-too-long events=0",
        "POST /search prompt_chars=9 status=422 end=unknown-parameter events=0",
        "GET /search prompt_chars=9 status=422 end=bad-parameter events=0",
    ]
    assert "RuntimeError" in log


def test_leaving_in_the_middle_of_a_body_is_no_failure(answering: Answering, log_lines: list[str]) -> None:
    base = answering(saying())
    with connected(base) as wire:
        wire.sendall(
            b"POST /search HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 100\r\nExpect: 100-continue\r\n\r\n"
        )
        assert wire.recv(1024).startswith(b"HTTP/1.1 100 ")  # it is reading the body now
        wire.sendall(b'{"ai_')
    give_up = time.monotonic() + GIVE_UP_S
    while not re.search("client-left|Traceback", log := "\n".join(log_lines)):
        assert time.monotonic() < give_up
        time.sleep(0.005)
    assert "POST /search prompt_chars=0 status=400 end=client-left events=0" in log
    assert "Traceback" not in log
