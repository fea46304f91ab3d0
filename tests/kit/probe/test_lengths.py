"""A request in two lengths: the known forms, and both lengths measured through real proxies."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.probe.client import Ask
from kit.probe.lane import LaneProbe
from kit.probe.lengths import LONG, SHORT, TwoLengths, two_lengths
from kit.probe.spec import LaneSpec
from kit.proof.doubts import Doubt
from kit.proof.lengths import Compared, compare
from kit.proof.quick_check import State
from kit.proof.timeline import Timeline
from tests.fixtures.origin import Origin
from tests.fixtures.sites import EnvoySite, NginxSite
from tests.fixtures.together import measured_by, through

CHAT = "http://127.0.0.1/v1/chat/completions"
GEMINI = "https://generativelanguage.googleapis.com/v1beta/models/gemini:streamGenerateContent"
MESSAGES = {"model": "m", "messages": [{"role": "user", "content": "Why?"}], "stream": True}
CONTENTS = {"contents": [{"parts": [{"text": "Why?"}]}]}


def post(url: str, body: Any, *headers: tuple[str, str]) -> Ask:
    return Ask("POST", url, (("content-type", "application/json"), *headers), json.dumps(body).encode())


def both(ask: Ask) -> tuple[TwoLengths, Any, Any]:
    made = two_lengths(ask)
    assert made is not None
    return made, json.loads(made.short.body or b"{}"), json.loads(made.long.body or b"{}")


@pytest.mark.parametrize(
    ("url", "body", "names"),
    [
        (CHAT, MESSAGES, ["max_tokens"]),
        ("https://api.openai.com/v1/chat/completions", MESSAGES, ["max_completion_tokens"]),
        (
            "https://x.openai.azure.com/openai/deployments/a/chat/completions",
            MESSAGES,
            ["max_completion_tokens"],
        ),
        ("https://api.openai.com/v1/completions", {"prompt": "a", "stream": True}, ["max_tokens"]),
        ("https://api.openai.com/v1/responses", {"input": "a", "stream": True}, ["max_output_tokens"]),
        (CHAT, {**MESSAGES, "max_completion_tokens": 900}, ["max_completion_tokens"]),
        (CHAT, {**MESSAGES, "max_tokens": 900}, ["max_tokens"]),
        (CHAT, {**MESSAGES, "max_tokens": None}, ["max_tokens"]),
        (
            CHAT,
            {**MESSAGES, "max_tokens": 900, "max_completion_tokens": 800},
            ["max_tokens", "max_completion_tokens"],
        ),
    ],
)
def test_openais_form_is_asked_for_in_two_lengths(url: str, body: dict[str, Any], names: list[str]) -> None:
    made, short, long = both(post(url, body))
    assert short == {**body, **dict.fromkeys(names, SHORT)}
    assert long == {**body, **dict.fromkeys(names, LONG)}
    assert (made.short.url, made.short.method) == (url, "POST")
    assert made.most_tokens == SHORT + LONG


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        ("", "?alt=sse"),
        ("?key=s%2Fk&x", "?key=s%2Fk&x&alt=sse"),
        ("?alt=sse&key=k", "?alt=sse&key=k"),
        ("?$alt=json", "?$alt=json"),
    ],
)
def test_geminis_form_is_asked_for_as_events(query: str, asked: str) -> None:
    made, short, long = both(post(GEMINI + query, {**CONTENTS, "generationConfig": {"temperature": 0}}))
    assert made.short.url == made.long.url == GEMINI + asked
    assert short == {**CONTENTS, "generationConfig": {"temperature": 0, "maxOutputTokens": SHORT}}
    assert long == {**CONTENTS, "generationConfig": {"temperature": 0, "maxOutputTokens": LONG}}


def test_geminis_form_in_its_other_spelling() -> None:
    _, short, _ = both(post(GEMINI, {**CONTENTS, "generation_config": {"max_output_tokens": 900}}))
    assert short["generation_config"] == {"max_output_tokens": SHORT}
    assert "generationConfig" not in short


@pytest.mark.parametrize(
    ("ask", "short"),
    [
        (
            Ask("GET", "http://h/search?ai_prompt=a%20b"),
            "http://h/search?ai_prompt=a%20b&max_output_tokens=16",
        ),
        (
            Ask("GET", "http://h/x/search?max_output_tokens=900&ai_prompt=a", body=b""),
            "http://h/x/search?ai_prompt=a&max_output_tokens=16",
        ),
    ],
)
def test_the_kits_own_search_by_its_query(ask: Ask, short: str) -> None:
    made = two_lengths(ask)
    assert made is not None
    assert (made.short.url, made.short.body) == (short, ask.body)


def test_the_kits_own_search_by_its_body() -> None:
    made, short, long = both(post("http://h/search?accel=off", {"ai_prompt": "a", "max_output_tokens": 200}))
    assert (short, long) == (
        {"ai_prompt": "a", "max_output_tokens": SHORT},
        {"ai_prompt": "a", "max_output_tokens": 200},
    )
    assert made.long.url == "http://h/search?accel=off"
    made, short, _ = both(post("http://h/search?max_output_tokens=9", {"ai_prompt": "a"}))
    assert short == {"ai_prompt": "a"}  # each parameter at most once
    assert made.short.url == "http://h/search?max_output_tokens=2"


def test_the_requests_own_limit_is_not_exceeded_and_alternatives_are_counted() -> None:
    made, short, long = both(post(CHAT, {**MESSAGES, "max_tokens": 40, "n": 3}))
    assert (short["max_tokens"], long["max_tokens"], made.most_tokens) == (10, 40, 150)
    made, _, _ = both(post(GEMINI, {**CONTENTS, "generationConfig": {"candidateCount": 2}}))
    assert made.most_tokens == 2 * (SHORT + LONG)
    made, _, _ = both(post("http://h/v1/completions", {"prompt": "a", "stream": True, "best_of": 4}))
    assert made.most_tokens == 4 * (SHORT + LONG)
    one = two_lengths(post(CHAT, {**MESSAGES, "max_tokens": 1}))
    assert one is not None
    assert (one.short_tokens, one.long_tokens) == (1, 1)


def test_headers_are_kept_but_for_the_length() -> None:
    made = two_lengths(post(CHAT, MESSAGES, ("authorization", "Bearer s"), ("Content-Length", "3")))
    assert made is not None
    assert made.short.headers == (("content-type", "application/json"), ("authorization", "Bearer s"))


@pytest.mark.parametrize(
    "ask",
    [
        Ask("GET", "http://h/"),
        Ask("GET", "http://h/search?q=a"),
        Ask("POST", "http://h/search?ai_prompt=a", body=b"no json"),
        post(CHAT, {**MESSAGES, "stream": False}),
        post(CHAT, {"messages": []}),
        post(CHAT, {"stream": True}),
        post(CHAT, [MESSAGES]),
        post(GEMINI.replace("stream", ""), CONTENTS),
        post(GEMINI, {**CONTENTS, "generationConfig": [1]}),
        Ask("POST", CHAT, body=b'{"messages": [], "stream": true, "temperature": NaN}'),
        Ask("POST", CHAT, body=b"[" * 100_000),
        Ask("POST", CHAT, body=b"\xff\xfe"),
    ],
)
def test_other_requests_are_not_taken_for_one(ask: Ask) -> None:
    assert two_lengths(ask) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    ["messages", "input", "prompt", "contents", "stream", "max_tokens", "max_output_tokens", "n",
     "generationConfig", "ai_prompt", "best_of"]
)  # fmt: skip


@given(
    st.sampled_from([CHAT, GEMINI, "http://h/search?ai_prompt=a"]),
    st.dictionaries(NAMES, JSON | st.just(True)),
)
def test_whatever_the_body_says_nothing_but_its_limit_is_changed(url: str, body: dict[str, Any]) -> None:
    ask = post(url, body)
    made = two_lengths(ask)
    if made is None:
        return
    assert 1 <= made.short_tokens <= made.long_tokens <= LONG
    assert made.most_tokens >= made.short_tokens + made.long_tokens
    for one in (made.short, made.long):
        asked = json.loads(one.body or b"")
        changed = {name for name in {*asked, *body} if asked.get(name) != body.get(name)}
        assert changed <= {"max_completion_tokens", "max_output_tokens", "max_tokens", "generationConfig"}


# Both lengths, measured: a generator that writes a word each 10 ms, through what passes and what holds.

OLD = "proxy_http_version 1.0;"
BUFFERS_64K = "proxy_buffer_size 64k; proxy_buffers 8 64k; proxy_busy_buffers_size 128k;"
WHOLE = "function envoy_on_response(handle) handle:body() end"


async def measured(url: str, form: str) -> Compared:
    """Both lengths, one after the other, by the kit's own client."""
    if form == "gemini":
        ask = post(f"{url}/v1beta/models/g:streamGenerateContent", CONTENTS)
    else:
        ask = post(f"{url}/v1/chat/completions", MESSAGES)
    made = two_lengths(ask, long=256)
    assert made is not None

    async def run(one: Ask) -> Timeline:
        async with LaneProbe(LaneSpec("x", one, as_it_is=True)) as probe:
            await probe.answer()
            assert probe.reachable
            return probe.line

    return compare(await run(made.short), await run(made.long))


found = measured_by(measured)


def passing(origin: Origin) -> NginxSite:
    return NginxSite(origin("tests.fixtures.generators:app"), "proxy_buffering off;")


def collecting(origin: Origin) -> EnvoySite:
    return EnvoySite(origin("tests.fixtures.generators:app"), WHOLE, http_1_0=False)


def unchunked(origin: Origin) -> str:
    return origin("tests.fixtures.generators:app", http="h11")


@pytest.mark.alone
@pytest.mark.parametrize(
    "form", [pytest.param(form, marks=through(passing, form=form)) for form in ("openai", "gemini")]
)
def test_what_passes_is_not_called_held(form: str, found: Compared) -> None:
    assert (found.state, found.doubts) == (State.STREAMS, (Doubt.LENGTHS_ALONE,)), found.evidence
    assert found.slope is not None
    assert abs(found.slope) < 0.2


@pytest.mark.alone
@pytest.mark.parametrize(
    "form", [pytest.param(form, marks=through(collecting, form=form)) for form in ("openai", "gemini")]
)
def test_what_a_hop_collects_is_suspected_to_be_held(form: str, found: Compared) -> None:
    assert (found.state, found.doubts) == (State.HELD, (Doubt.LENGTHS_ALONE,)), found.evidence
    assert found.slope == pytest.approx(1.0, abs=0.1)


@pytest.mark.alone
@through(lambda origin: NginxSite(unchunked(origin), OLD + BUFFERS_64K), form="openai")
def test_blocks_larger_than_the_answer_look_held_whole(found: Compared) -> None:
    assert found.state is State.HELD


@pytest.mark.alone
@through(lambda origin: NginxSite(unchunked(origin), OLD), form="openai")
def test_blocks_smaller_than_the_answer_are_not_held_whole_and_their_size_is_seen(found: Compared) -> None:
    assert found.state is State.STREAMS, found.evidence
    assert "whether it is held in blocks, this does not tell" in found.evidence[-1]


@pytest.mark.alone
@through(lambda origin: origin("tests.fixtures.generators:lump"), form="openai")
def test_a_service_that_writes_only_at_its_end_looks_the_same(found: Compared) -> None:
    assert found.state is State.HELD
    assert "or by a service that writes nothing before it has finished" in found.evidence[-1]
