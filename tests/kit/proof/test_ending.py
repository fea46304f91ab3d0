from __future__ import annotations

import json

import pytest

from kit.proof.doubts import Doubt
from kit.proof.ending import DOUBTS, ending
from kit.proof.events import ChunkDecoder, Decoder, LineDecoder
from kit.proof.received import Received
from kit.proof.sse import SSEDecoder
from kit.proof.timeline import End

SSE = {"content-type": "text/event-stream", "transfer-encoding": "chunked"}
CLOSED = {"content-type": "text/event-stream", "connection": "close"}
TOKEN = "data: a\n\n"


def received(
    body: str,
    headers: dict[str, str] = SSE,
    *,
    decoder: Decoder | None = None,
    clean: bool = True,
    lasted_ms: float = 2_000.0,
    version: str = "HTTP/1.1",
) -> Received:
    got = Received(decoder or SSEDecoder())
    got.head(1_005.0, 200, headers, version)
    got.body(1_010.0, body.encode())
    got.end(1_000.0 + lasted_ms, clean=clean)
    return got


def chunk(finish: str | None = None) -> str:
    choice = {"delta": {"content": "a"}, "finish_reason": finish}
    return f"data: {json.dumps({'object': 'chat.completion.chunk', 'choices': [choice]})}\n\n"


GEMINI = 'data: {"candidates": [{"content": {}}]}\n\n'
ANTHROPIC = 'data: {"type": "message_start"}\n\n' + TOKEN


@pytest.mark.parametrize(
    ("body", "end"),
    [
        (TOKEN * 3, End.WHOLE),
        (TOKEN * 3 + "data: [DONE]\n\n", End.WHOLE),
        (chunk() * 3, End.UNKNOWN),
        (chunk() * 3 + chunk("stop"), End.WHOLE),
        (chunk() * 3 + chunk("stop") + 'data: {"choices": [], "usage": {}}\n\n', End.WHOLE),
        (GEMINI * 3, End.UNKNOWN),
        (GEMINI + 'data: {"candidates": [{"finishReason": "STOP"}]}\n\n', End.WHOLE),
        (ANTHROPIC, End.UNKNOWN),
        (ANTHROPIC + 'data: {"type": "message_stop"}\n\n', End.WHOLE),
        ("", End.WHOLE),
    ],
)
def test_an_answer_of_a_model_is_whole_if_it_says_so_itself(body: str, end: End) -> None:
    assert ending(received(body), asked_ms=1_000.0) is end


def test_without_its_framings_end_it_is_cut_whatever_it_said() -> None:
    assert ending(received(TOKEN + "data: [DONE]\n\n", clean=False), asked_ms=1_000.0) is End.CUT


@pytest.mark.parametrize(
    ("headers", "version", "body", "end"),
    [
        (CLOSED, "HTTP/1.1", TOKEN, End.UNKNOWN),
        (CLOSED, "HTTP/1.0", TOKEN, End.UNKNOWN),
        (CLOSED, "HTTP/1.0", TOKEN + "event: done\ndata: 1\n\n", End.WHOLE),
        (CLOSED | {"content-length": "9"}, "HTTP/1.0", TOKEN, End.WHOLE),
        (CLOSED, "HTTP/2", TOKEN, End.WHOLE),
        (CLOSED, "", TOKEN, End.WHOLE),
    ],
)
def test_where_the_connections_end_is_the_answers_only_a_mark_of_its_own_tells_that_it_is_whole(
    headers: dict[str, str], version: str, body: str, end: End
) -> None:
    assert ending(received(body, headers, version=version), asked_ms=1_000.0) is end


def test_a_long_stream_of_events_without_a_mark_may_have_been_cut_behind_a_hop_that_ends_it_in_order() -> (
    None
):
    assert ending(received(TOKEN * 20, lasted_ms=10_100), asked_ms=1_000.0) is End.UNMARKED
    assert ending(received(TOKEN * 20, lasted_ms=4_000), asked_ms=1_000.0) is End.WHOLE
    within = received(TOKEN * 3 + "data: half\n", lasted_ms=2_000)
    assert ending(within, asked_ms=1_000.0) is End.UNKNOWN
    text = received("a", {"content-type": "text/plain"}, decoder=ChunkDecoder(), lasted_ms=10_100, version="")
    assert ending(text, asked_ms=1_000.0) is End.WHOLE


@pytest.mark.parametrize(
    ("server", "asked_in", "media", "end"),
    [
        ("nginx/1.22.1", "", "text/event-stream", End.UNKNOWN),
        ("nginx/1.22.1", "", "text/plain", End.UNKNOWN),
        ("nginx/1.22.1", "", "application/json", End.WHOLE),
        ("nginx/1.31.3", "1.0", "text/event-stream", End.UNKNOWN),
        ("cloud", "1.0", "text/event-stream", End.UNKNOWN),
        ("nginx/1.22.1", "1.1", "text/event-stream", End.UNMARKED),
        ("uvicorn", "", "text/event-stream", End.UNMARKED),
        ("uvicorn", "", "text/plain", End.WHOLE),
    ],
)
def test_behind_a_hop_that_asks_by_http_1_0_a_long_answer_without_a_mark_is_not_known_to_be_whole(
    server: str, asked_in: str, media: str, end: End
) -> None:
    headers = {"content-type": media, "transfer-encoding": "chunked", "server": server}
    got = Received(ChunkDecoder())
    got.head(1_005.0, 200, headers, "HTTP/1.1")
    got.origin_http = asked_in
    for at in range(20):
        got.body(1_500.0 + 500 * at, b"a")
    got.end(11_400.0, clean=True)
    assert ending(got, asked_ms=1_000.0) is end


def test_ours_ends_with_done_or_error_or_was_cut() -> None:
    ours = {"streamproof-started-ms": "1", **SSE}
    done = '{"event":"done","data":{}}\n'
    assert ending(received(TOKEN, ours), asked_ms=0) is End.CUT
    assert ending(received(TOKEN + "event: done\ndata: {}\n\n", ours), asked_ms=0) is End.WHOLE
    assert (
        ending(received('{"event":"token"}\n' + done, ours, decoder=LineDecoder()), asked_ms=0) is End.WHOLE
    )
    assert ending(received("text", ours, decoder=ChunkDecoder()), asked_ms=0) is End.WHOLE


def test_what_we_left_is_not_said_to_be_cut() -> None:
    left = received(TOKEN, clean=False)
    left.left = True
    assert ending(left, asked_ms=1_000.0) is End.LEFT
    assert DOUBTS[End.LEFT] == (Doubt.STILL_RUNNING,)
    assert set(DOUBTS) == set(End)
