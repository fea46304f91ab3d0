"""Who is let through to /search and the proof, and what the others get."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers
from starlette.requests import Request

from service.access import Access
from service.app import create_app
from service.problems import Problem
from service.settings import Settings
from tests.service.asking import Answer, ask, ask_json, problem
from tests.service.conftest import serving

TOKEN = "q5zUJ3C0wT5m-8xkVb_A1rGq0Yd7nEhLsoP2iKfM9Zc"
DIGEST = hashlib.sha256(TOKEN.encode()).hexdigest()
QUICK: dict[str, Any] = {"first_token_ms": 0, "tokens_per_s": 1_000_000}


@pytest.fixture(scope="module")
def guarded() -> Iterator[str]:
    """A service that wants a token."""
    with serving(
        create_app(Settings(lab=True, token_sha256=DIGEST, bundle="0123456789abcdef", **QUICK))
    ) as url:
        yield url


@pytest.fixture(scope="module")
def post_only() -> Iterator[str]:
    """A service that answers no GET /search."""
    with serving(create_app(Settings(get_search=False, **QUICK))) as url:
        yield url


def problem_of(answer: Answer, status: int, kind: str) -> str:
    """What a problem says."""
    return "{title} {detail}".format_map(problem(answer, status, kind))


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_with_the_token_get_and_post_are_answered(guarded: str, scheme: str) -> None:
    theirs = {"Authorization": f"{scheme} {TOKEN}"}
    assert ask(guarded, ai_prompt="Why?", headers=theirs).events()[-1].type == "done"
    assert ask_json(guarded, {"ai_prompt": "Why?"}, **theirs).events()[-1].type == "done"


def test_without_a_token_the_answer_says_what_to_send(guarded: str) -> None:
    for answer in (ask(guarded, ai_prompt="Why?"), ask_json(guarded, {"ai_prompt": "Why?"})):
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert "Authorization: Bearer TOKEN" in problem_of(answer, 401, "token-missing")


@pytest.mark.parametrize("header", [f"Basic {TOKEN}", TOKEN, "Bearer", "Bearer ", ""])
def test_what_is_no_token_counts_as_none(guarded: str, header: str) -> None:
    problem_of(ask(guarded, ai_prompt="Why?", headers={"Authorization": header}), 401, "token-missing")


@pytest.mark.parametrize("token", [TOKEN[:-1], TOKEN + "x", TOKEN.lower(), DIGEST, "\u00fc"])
def test_another_token_is_refused(guarded: str, token: str) -> None:
    answer = ask(guarded, ai_prompt="Why?", headers={"Authorization": f"Bearer {token}"})
    assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    said = problem_of(answer, 401, "token-wrong")
    assert token not in said


def test_without_a_token_nothing_is_said_of_the_request(guarded: str) -> None:
    problem_of(ask(guarded, headers={"Accept": "image/png"}, colour="red"), 401, "token-missing")


@pytest.mark.parametrize("path", ["/", "/page/page.js", "/health", "/ready", "/whoami", "/_ah/warmup"])
def test_everything_else_is_open(guarded: str, path: str) -> None:
    assert ask(guarded, path).status == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "ping"),
        ("GET", "stream?mode=pause&"),
        ("POST", "stream?"),
        ("POST", "feed?"),
        ("POST", "end?"),
    ],
)
def test_the_proof_is_for_those_who_have_the_token(guarded: str, method: str, path: str) -> None:
    where = f"/proof/{path}" + ("" if path == "ping" else f"id={secrets.token_hex(16)}")
    answer = ask(guarded, where, method=method)
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    problem_of(answer, 401, "token-missing")
    problem_of(ask(guarded, where, method=method, headers={"Authorization": "Bearer x"}), 401, "token-wrong")
    with ask(guarded, where, method=method, headers={"Authorization": f"Bearer {TOKEN}"}) as answer:
        assert answer.status == 200


def test_whoami_tells_deployments_apart(guarded: str, post_only: str) -> None:
    assert ask(guarded, "/whoami").json()["bundle"] == "0123456789ab"
    assert ask(post_only, "/whoami").json()["bundle"] is None


def test_where_get_is_off_the_answer_names_post(post_only: str) -> None:
    answer = ask(post_only, ai_prompt="Why?")
    assert answer.headers["Allow"] == "POST"
    assert "by POST" in problem_of(answer, 405, "post-only")
    assert ask_json(post_only, {"ai_prompt": "Why?"}).events()[-1].type == "done"
    assert ask(post_only, method="POST", ai_prompt="Why?").events()[-1].type == "done"


def test_a_service_without_get_does_not_describe_it() -> None:
    described = create_app(Settings(get_search=False)).openapi()
    assert set(described["paths"]["/search"]) == {"post"}


def test_no_log_line_holds_a_token(guarded: str, log_lines: list[str]) -> None:
    wrong = "swordfish"
    for token in (TOKEN, wrong):
        ask(guarded, ai_prompt="Why?", headers={"Authorization": f"Bearer {token}"}).read()
    text = "\n".join(log_lines)
    assert "end=token-wrong" in text
    assert wrong not in text
    assert TOKEN not in text


@given(st.lists(st.binary(max_size=60).map(lambda octets: octets.translate(None, b"\r\n\0")), max_size=3))
def test_no_header_gets_through_that_does_not_bear_the_token(values: list[bytes]) -> None:
    scope = {"type": "http", "method": "POST", "headers": [(b"authorization", value) for value in values]}
    with pytest.raises(Problem) as refused:
        asyncio.run(Access(Settings(token_sha256=DIGEST)).admit(Request(scope).headers))
    assert refused.value.status == 401


def test_two_tokens_are_none_even_if_one_is_right() -> None:
    access, header = Access(Settings(token_sha256=DIGEST.upper())), f"Bearer {TOKEN}".encode()

    async def admitted(times: int) -> None:
        await access.admit(Headers(raw=[(b"authorization", header)] * times))

    asyncio.run(admitted(1))
    with pytest.raises(Problem, match="Authorization"):
        asyncio.run(admitted(2))
