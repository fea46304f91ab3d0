"""The text that the page reads in an answer's events, of services of many kinds."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import Page

from kit.proof.received import decoder_of

SSE, NDJSON, TEXT = "text/event-stream; charset=utf-8", "application/x-ndjson", "text/plain"

# What the page makes of a body that is read in these pieces: each event's text.
READ = """async ([type, pieces]) => {
    const { AnswerText } = await import('/page/answer_text.js');
    const reader = new AnswerText(type);
    return pieces.flatMap(piece => reader.feed(new Uint8Array(piece)));
}"""


def read(page: Page, type_: str, *pieces: bytes) -> list[str | None]:
    texts: list[str | None] = page.evaluate(READ, [type_, [list(piece) for piece in pieces]])
    return texts


def sse(*data: Any, event: str = "") -> bytes:
    named = f"event: {event}\n" if event else ""
    lines = (one if isinstance(one, str) else json.dumps(one, ensure_ascii=False) for one in data)
    return "".join(f"{named}data: {line}\n\n" for line in lines).encode()


def openai(**delta: str) -> dict[str, Any]:
    return {"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": None}], "usage": None}


def google(*parts: str) -> dict[str, Any]:
    content = {"role": "model", "parts": [{"text": part} for part in parts]}
    return {"candidates": [{"content": content}], "usageMetadata": {"totalTokenCount": 9}}


ANTHROPIC = b"".join(
    sse({"type": name, **more}, event=name)
    for name, more in (
        ("message_start", {"message": {"id": "m", "content": [], "model": "x"}}),
        ("content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}}),
        ("ping", {}),
        ("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": "a "}}),
        ("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": "b"}}),
        ("content_block_stop", {"index": 0}),
        ("message_delta", {"delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}}),
        ("message_stop", {}),
    )
)
RESPONSES = b"".join(
    sse({"type": name, **more}, event=name)
    for name, more in (
        ("response.created", {"response": {"id": "r", "output": []}}),
        ("response.output_text.delta", {"delta": "a "}),
        ("response.output_text.delta", {"delta": "b"}),
        ("response.output_text.done", {"text": "a b"}),
        ("response.completed", {"response": {"output": [{"content": [{"text": "a b"}]}]}}),
    )
)


@pytest.mark.parametrize(
    ("type_", "body", "texts"),
    [
        pytest.param(
            SSE,
            sse({"seq": 0, "text": "水 ", "t_ms": 3}, event="token") + sse({"usage": {}}, event="done"),
            ["水 ", None],
            id="the-kit",
        ),
        pytest.param(
            SSE,
            sse(openai(role="assistant", content=""), openai(content="水 "), openai(content="b"), "[DONE]"),
            ["", "水 ", "b", None],
            id="openai",
        ),
        pytest.param(SSE, sse(google("a", "b"), google(" c")), ["ab", " c"], id="google"),
        pytest.param(SSE, ANTHROPIC, ["", "", "", "a ", "b", "", "", ""], id="anthropic"),
        pytest.param(SSE, RESPONSES, ["", "a ", "b", "", ""], id="openai-responses"),
        pytest.param(SSE, sse({"delta": "a "}, {"delta": "b"}), ["a ", "b"], id="delta"),
        pytest.param(SSE, sse('"a "', '"b"'), ["a ", "b"], id="strings"),
        pytest.param(
            SSE,
            sse("It", "works", ",", "and", "2", "2"),
            ["It", " works", ",", " and", " 2", " 2"],
            id="words",
        ),
        pytest.param(SSE, sse("Hel", " lo", "wo", "rld"), ["Hel", " lo", "wo", "rld"], id="own-spaces"),
        pytest.param(SSE, sse("水", "流", event="piece"), ["水", "流"], id="chinese"),
        pytest.param(SSE, sse("beat", event="ping") + sse("a"), ["", "a"], id="pulse"),
        # Where no text is known the data stands as it came, until a text is found.
        pytest.param(
            SSE,
            sse('{"piece": "a"}', "[1]", "null", '{"text": 1}', '{"piece": "b"}'),
            ['{"piece": "a"}\n', "[1]\n", "null\n", "", ""],
            id="raw",
        ),
        pytest.param(SSE, b"data: " + b"[" * 9_000 + b"]" * 9_000 + b"\n\n", None, id="deep"),
        pytest.param(
            NDJSON,
            b'{"event":"token","data":{"text":"a "}}\r\n{"message":{"content":"b"}}\n'
            b'{"event":"done","data":{}}\n{',
            ["a ", "b", None],
            id="ndjson",
        ),
        pytest.param(NDJSON, b"plain text\nmore\n", ["plain text\n", "more\n"], id="lines"),
        pytest.param(TEXT, "水\n[DONE]".encode(), ["水\n[DONE]"], id="text"),
    ],
)
def test_the_text_of_each_event(
    page_modules: Page, type_: str, body: bytes, texts: list[str | None] | None
) -> None:
    found = read(page_modules, type_, body)
    assert len(found) == 1 if texts is None else found == texts


PLAIN = st.sampled_from(["a", "Wort", "水", "[DONE]", "{", '{"text": "b"}', '{"x": [1]}', '"c"', "12", ""])
BODIES = st.lists(st.tuples(st.sampled_from(["", "event: done\n", "event: ping\n", ": x\n\n"]), PLAIN)).map(
    lambda events: "".join(f"{head}data: {data}\n\n" for head, data in events).encode()
)
LINES = st.lists(PLAIN).map(lambda lines: "".join(f"{line}\r\n" for line in lines).encode())


@given(
    kind=st.one_of(st.tuples(st.just(SSE), BODIES), st.tuples(st.just(NDJSON), LINES)),
    cuts=st.lists(st.integers(0, 200), max_size=4),
)
def test_it_is_the_same_wherever_the_body_is_split_and_each_event_of_the_kits_has_one(
    page_modules: Page, kind: tuple[str, bytes], cuts: list[int]
) -> None:
    type_, body = kind
    ends = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    whole = read(page_modules, type_, body)
    assert read(page_modules, type_, *(body[a:b] for a, b in pairwise(ends))) == whole
    assert len(whole) == len(decoder_of(type_).feed(body))
    assert "[DONE]" not in "".join(text or "" for text in whole)


@given(words=st.lists(st.text("abcdefg1234567890é", min_size=1, max_size=8), max_size=9))
def test_words_sent_one_an_event_do_not_run_together(page_modules: Page, words: list[str]) -> None:
    texts = read(page_modules, SSE, sse(*words))
    assert "".join(text or "" for text in texts).split() == words
