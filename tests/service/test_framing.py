"""Whatever a generator writes reaches the reader as it was, in each of the three media types."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kit.proof.events import Event, LineDecoder
from kit.proof.sse import SSEDecoder
from service.framing import Framing, Ndjson, Sse, Text

ANSWER = "0123456789abcdef" * 2
DONE = {"usage": {"prompt_tokens": 3, "output_tokens": 2}, "finish_reason": "stop"}

# All that has an encoding: a lone surrogate has none, and no generator can have read one.
texts = st.text(st.characters(exclude_categories=["Cs"]))
# What line-based parsers stumble over, in every order.
hostile = st.lists(
    st.sampled_from(
        ["\n", "\r", "\r\n", "\n\n", "data: x", "event: done", ":", '"', "\\", "\0", "\u2028", "🌊"]
    )
).map("".join)
seqs = st.integers(0, 10**9)


def parsed(octets: bytes, split: int = 0) -> list[Event]:
    decoder = SSEDecoder()
    return decoder.feed(octets[:split]) + decoder.feed(octets[split:])


def test_an_sse_token_is_these_octets_exactly() -> None:
    data = '{"seq":7,"text":"Watch 流\\n","t_ms":'.encode() + stamp(12.0) + b"}"
    assert Sse(ANSWER).token(7, "Watch 流\n", 12.0) == (
        f"id: {ANSWER}.7\nevent: token\ndata: ".encode() + data + b"\n\n"
    )


def test_sse_done_and_error_are_these_octets_exactly() -> None:
    done = f'id: {ANSWER}.8\nevent: done\ndata: {{"finish_reason":"stop"}}\n\n'
    assert Sse(ANSWER).done(8, {"finish_reason": "stop"}) == done.encode()
    error = f'id: {ANSWER}.0\nevent: error\ndata: {{"status":503,"detail":"…"}}\n\n'
    assert Sse(ANSWER).error(0, {"status": 503, "detail": "…"}) == error.encode()


def test_an_ndjson_event_is_one_line() -> None:
    assert Ndjson().done(2, {"finish_reason": "stop"}) == (
        b'{"seq":2,"event":"done","data":{"finish_reason":"stop"}}\n'
    )
    assert Ndjson().error(2, {"status": 500}) == b'{"seq":2,"event":"error","data":{"status":500}}\n'


def stamp(t_ms: float) -> bytes:
    """How the framing writes a time: whole or in tenths is its own business."""
    line = Ndjson().token(0, "", t_ms)
    return line[line.index(b'"t_ms":') + 7 : -3]


@given(st.floats(0, 1e9))
def test_a_time_is_written_to_the_millisecond(t_ms: float) -> None:
    assert abs(json.loads(stamp(t_ms)) - t_ms) <= 1


@given(texts | hostile, seqs, st.integers(0, 400))
@example("a\u2028b\u2029c\u0085d", 0, 60)
def test_any_text_comes_out_of_sse_as_it_went_in_wherever_a_read_ends(
    text: str, seq: int, split: int
) -> None:
    octets = Sse(ANSWER).token(seq, text, 5.0)
    [event] = parsed(octets, split)
    data = json.loads(event.data)
    assert (event.type, event.id, event.octets) == ("token", f"{ANSWER}.{seq}", len(octets))
    assert (list(data), data["text"], data["seq"]) == (["seq", "text", "t_ms"], text, seq)


@given(texts | hostile, seqs)
def test_any_text_comes_out_of_ndjson_as_it_went_in(text: str, seq: int) -> None:
    [line] = LineDecoder().feed(Ndjson().token(seq, text, 5.0))
    event = json.loads(line.data)
    assert (event["seq"], event["event"]) == (seq, "token")
    assert (list(event["data"]), event["data"]["text"], event["data"]["seq"]) == (
        ["seq", "text", "t_ms"],
        text,
        seq,
    )


@given(st.lists(texts | hostile))
def test_plain_text_is_the_text_and_nothing_else(pieces: list[str]) -> None:
    framing = Text()
    octets = b"".join(framing.token(seq, piece, 1.0) for seq, piece in enumerate(pieces))
    assert octets + framing.done(len(pieces), DONE) == "".join(pieces).encode()


@given(st.lists(texts | hostile, min_size=1), st.lists(st.booleans()))
def test_heartbeats_between_events_change_nothing_for_the_reader(
    pieces: list[str], beats: list[bool]
) -> None:
    framing = Sse(ANSWER)
    octets = b""
    for seq, piece in enumerate(pieces):
        octets += framing.heartbeat * sum(beats[seq : seq + 1])
        octets += framing.token(seq, piece, 1.0)
    octets += framing.heartbeat + framing.done(len(pieces), DONE)
    events = parsed(octets)
    assert [event.type for event in events] == ["token"] * len(pieces) + ["done"]
    assert [json.loads(event.data)["text"] for event in events[:-1]] == pieces
    assert json.loads(events[-1].data) == DONE


@given(texts | hostile)
def test_an_error_says_why_in_each_type(detail: str) -> None:
    problem: dict[str, Any] = {"type": "urn:x", "title": "No.", "status": 503, "detail": detail}
    [event] = parsed(Sse(ANSWER).error(4, problem))
    assert (event.type, json.loads(event.data)) == ("error", problem)
    line = json.loads(Ndjson().error(4, problem))
    assert line == {"seq": 4, "event": "error", "data": problem}
    assert f"\n[streamproof: the answer ends here: {detail}]\n".encode() == Text().error(4, problem)


@pytest.mark.parametrize("framing", [Sse(ANSWER), Ndjson()], ids=["sse", "ndjson"])
def test_a_heartbeat_ends_with_a_line_so_that_no_reader_holds_it_as_a_beginning(framing: Framing) -> None:
    assert framing.heartbeat.endswith(b"\n")
    assert parsed(framing.heartbeat) == []
