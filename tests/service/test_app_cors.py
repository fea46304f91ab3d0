"""Which pages of other origins may call the service, what they may send, and what they may read."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from service.app import create_app
from service.problems import Problem
from service.proof import STREAMS
from service.settings import Settings
from tests.service.asking import Answer, ask, ask_json
from tests.service.conftest import Answering, serving
from tests.service.ways import saying

PAGE = "http://127.0.0.1:8765"
TOKEN = "a-token"
THEIRS = {"Origin": PAGE, "Authorization": f"Bearer {TOKEN}"}
QUICK: dict[str, Any] = {"first_token_ms": 0, "tokens_per_s": 1_000_000, "lab": True}
EXPOSED = {"Location", "Preference-Applied", "Retry-After", "Server-Timing", "Streamproof-Started-Ms"}


@pytest.fixture(scope="module")
def named() -> Iterator[str]:
    """A service that the page may call, with a token."""
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    with serving(create_app(Settings(cors_origins=(PAGE,), token_sha256=digest, **QUICK))) as url:
        yield url


def readable(answer: Answer) -> bool:
    """Whether a browser gives the page the answer, and all headers of it that the page needs."""
    assert answer.headers["Access-Control-Allow-Credentials"] is None
    exposed = set((answer.headers["Access-Control-Expose-Headers"] or "").split(", "))
    return answer.headers["Access-Control-Allow-Origin"] == PAGE and exposed == EXPOSED


def test_no_page_may_unless_its_origin_is_named(quick: str) -> None:
    answer = ask(quick, "/whoami", headers={"Origin": PAGE})
    assert answer.headers["Access-Control-Allow-Origin"] is None
    assert ask(quick, method="OPTIONS", headers=_preflight("POST", "content-type")).status == 405


def test_an_origin_that_is_not_named_may_not(named: str) -> None:
    for origin in ("https://b.example", "null", f"{PAGE}0", PAGE.upper()):
        answer = ask(named, "/whoami", headers={"Origin": origin})
        assert answer.headers["Access-Control-Allow-Origin"] is None
        preflight = ask(named, method="OPTIONS", headers={**_preflight("POST", ""), "Origin": origin})
        assert preflight.headers["Access-Control-Allow-Origin"] is None


def test_a_page_that_is_named_may_ask_for_an_answer(named: str) -> None:
    answer = ask_json(named, {"ai_prompt": "Why?", "max_output_tokens": 1}, **THEIRS)
    assert readable(answer)
    assert answer.events()[-1].type == "done"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "ping?n=1", 200),
        ("POST", "feed?id={id}", 200),
        ("POST", "end?id={id}", 200),
        ("GET", "stream?id=x", 400),
        ("GET", "stream?id={id}&mode=free&total=200", 200),
    ],
)
def test_the_proof_may_be_asked_by_it_too(named: str, method: str, path: str, status: int) -> None:
    where = f"/proof/{path}".format(id=secrets.token_hex(16))
    answer = ask(named, where, method=method, headers=THEIRS)
    assert (answer.status, readable(answer)) == (status, True)
    answer.read()


def _preflight(method: str, headers: str) -> dict[str, str]:
    return {
        "Origin": PAGE,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": headers,
    }


@pytest.mark.parametrize(
    "path", ["/search", f"/search/{'0' * 32}", "/proof/ping", "/proof/stream", "/whoami"]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_preflight_lists_what_may_be_sent(named: str, path: str, method: str) -> None:
    # Without a token: a browser sends none with it.
    wanted = "authorization,content-type,last-event-id,prefer"
    answer = ask(named, path, method="OPTIONS", headers=_preflight(method, wanted))
    assert answer.status == 200
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE
    assert method in answer.headers["Access-Control-Allow-Methods"]
    allowed = answer.headers["Access-Control-Allow-Headers"].lower().split(", ")
    assert set(wanted.split(",")) <= set(allowed)
    assert answer.headers["Access-Control-Allow-Credentials"] is None


def test_what_is_not_needed_may_not_be_sent(named: str) -> None:
    for method, header in (("DELETE", "content-type"), ("POST", "x-serverless-authorization")):
        assert ask(named, method="OPTIONS", headers=_preflight(method, header)).status == 400


def _streams(base: str) -> list[Answer]:
    return [
        ask(base, "/proof/stream", headers=THEIRS, id=secrets.token_hex(16), n=number)
        for number in range(STREAMS)
    ]


@pytest.mark.parametrize(
    ("status", "refused"),
    [
        (401, lambda base: ask(base, ai_prompt="Why?", headers={"Origin": PAGE})),
        (401, lambda base: ask(base, "/proof/ping", headers={"Origin": PAGE})),
        (404, lambda base: ask(base, "/nothing", headers=THEIRS)),
        (405, lambda base: ask(base, "/whoami", method="POST", headers=THEIRS)),
        (406, lambda base: ask(base, ai_prompt="Why?", headers={**THEIRS, "Accept": "image/png"})),
        (415, lambda base: ask(base, method="POST", body=b"x", headers=THEIRS)),
        (422, lambda base: ask(base, headers=THEIRS)),
    ],
)
def test_a_refusal_can_be_read_as_well(named: str, status: int, refused: Callable[[str], Answer]) -> None:
    answer = refused(named)
    assert (answer.status, readable(answer)) == (status, True)
    assert answer.json()["status"] == status


def test_one_of_the_proof_too(named: str) -> None:
    open_ones = _streams(named)
    try:
        answer = ask(named, "/proof/stream", headers=THEIRS, id=secrets.token_hex(16))
        assert (answer.status, readable(answer)) == (429, True)
    finally:
        for one in open_ones:
            one.leave()


@pytest.mark.parametrize(
    "failure",
    [
        Problem("model-busy", 429, "a", "b", retry_after_s=9),
        Problem("shutting-down", 503, "a", "b", retry_after_s=9),
        ValueError("a bug"),
    ],
    ids=["429", "503", "500"],
)
def test_one_that_a_generator_is_the_reason_of_too(answering: Answering, failure: Exception) -> None:
    answer = ask(answering(saying(failure), cors_origins=(PAGE,)), ai_prompt="Why?", headers={"Origin": PAGE})
    assert (answer.status, readable(answer)) == (getattr(failure, "status", 500), True)
    assert answer.headers["Retry-After"] == ("9" if isinstance(failure, Problem) else None)


def test_even_an_unforeseen_failure_can_be_read(
    answering: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.search.AnswerStream", None)
    answer = ask(answering(saying(), cors_origins=(PAGE,)), ai_prompt="Why?", headers={"Origin": PAGE})
    assert (answer.status, readable(answer)) == (500, True)


def test_all_origins_may_be_named_at_once_and_still_no_cookies_are_taken() -> None:
    with serving(create_app(Settings(cors_origins=("*",), **QUICK))) as base:
        answer = ask(base, "/whoami", headers={"Origin": "https://b.example", "Cookie": "a=b"})
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Access-Control-Allow-Credentials"] is None
