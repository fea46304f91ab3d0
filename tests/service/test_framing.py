"""Whatever a generator writes reaches the reader as it was, in each of the three media types."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kit.proof.events import Event, LineDecoder
from kit.proof.sse import SSEDecoder
from service.events import Event as Written
from service.events import error, in_json
from service.events import token as as_event
from service.framing import Framing, Ndjson, Sse, Text
from service.problems import Problem

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


def token(text: str, seq: int = 0) -> Written:
    return Written("token", in_json({"seq": seq, "text": text, "t_ms": 5}))


def done() -> Written:
    return Written("done", in_json(DONE))


def test_an_sse_event_is_these_octets_exactly() -> None:
    assert Sse(ANSWER).frame(7, token("Watch 流\n", 7)) == (
        f'id: {ANSWER}.7\nevent: token\ndata: {{"seq":7,"text":"Watch 流\\n","t_ms":5}}\n\n'.encode()
    )
    said = '{"finish_reason":"stop"}'
    assert Sse(ANSWER).frame(8, Written("done", said)) == (
        f"id: {ANSWER}.8\nevent: done\ndata: {said}\n\n".encode()
    )


def test_an_error_after_which_asking_again_may_help_tells_an_event_source_when() -> None:
    said = '{"status":503,"retry_after_s":2}'
    assert Sse(ANSWER).frame(0, Written("error", said)) == (
        f"id: {ANSWER}.0\nretry: 2000\nevent: error\ndata: {said}\n\n".encode()
    )


def test_an_error_of_the_response_alone_has_no_number_so_that_nothing_is_skipped_by_who_comes_back() -> None:
    said = Written("error", '{"status":504}')
    before = Sse(ANSWER).frame(3, token("x", 3))
    assert [event.id for event in parsed(before + Sse(ANSWER).frame(None, said))] == [f"{ANSWER}.3"] * 2
    assert json.loads(Ndjson().frame(None, said))["seq"] is None


def test_an_ndjson_event_is_one_line() -> None:
    assert Ndjson().frame(2, Written("done", '{"finish_reason":"stop"}')) == (
        b'{"seq":2,"event":"done","data":{"finish_reason":"stop"}}\n'
    )


@given(texts | hostile, seqs, seqs)
def test_a_token_from_its_parts_is_the_same_as_one_kept(text: str, seq: int, t_ms: int) -> None:
    for framing in (Sse(ANSWER), Ndjson(), Text()):
        assert framing.token(seq, text, t_ms) == framing.frame(seq, as_event(seq, text, t_ms))
    assert as_event(seq, text, t_ms).data == in_json({"seq": seq, "text": text, "t_ms": t_ms})


@given(texts | hostile, seqs, st.integers(0, 400))
@example("a\u2028b\u2029c\u0085d", 0, 60)
def test_any_text_comes_out_of_sse_however_reads_are_split(text: str, seq: int, split: int) -> None:
    octets = Sse(ANSWER).frame(seq, token(text, seq))
    [event] = parsed(octets, split)
    data = json.loads(event.data)
    assert (event.type, event.id, event.octets) == ("token", f"{ANSWER}.{seq}", len(octets))
    assert (list(data), data["text"], data["seq"]) == (["seq", "text", "t_ms"], text, seq)


@given(texts | hostile, seqs)
def test_any_text_comes_out_of_ndjson_as_it_went_in(text: str, seq: int) -> None:
    [line] = LineDecoder().feed(Ndjson().frame(seq, token(text, seq)))
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
    octets = b"".join(framing.frame(seq, token(piece, seq)) for seq, piece in enumerate(pieces))
    assert octets + framing.frame(len(pieces), done()) == "".join(pieces).encode()


@given(st.lists(texts | hostile, min_size=1), st.lists(st.booleans()))
def test_heartbeats_between_events_change_nothing_read(pieces: list[str], beats: list[bool]) -> None:
    framing = Sse(ANSWER)
    octets = b""
    for seq, piece in enumerate(pieces):
        octets += framing.heartbeat * sum(beats[seq : seq + 1])
        octets += framing.frame(seq, token(piece, seq))
    octets += framing.heartbeat + framing.frame(len(pieces), done())
    events = parsed(octets)
    assert [event.type for event in events] == ["token"] * len(pieces) + ["done"]
    assert [json.loads(event.data)["text"] for event in events[:-1]] == pieces
    assert json.loads(events[-1].data) == DONE


@given(texts | hostile)
def test_an_error_says_why_in_each_type(detail: str) -> None:
    problem = Problem("x", 503, "No.", detail)
    [event] = parsed(Sse(ANSWER).frame(4, error(problem)))
    assert (event.type, json.loads(event.data)) == ("error", problem.body())
    line = json.loads(Ndjson().frame(4, error(problem)))
    assert line == {"seq": 4, "event": "error", "data": problem.body()}
    assert f"\n[streamproof: the answer ends here: {detail}]\n".encode() == Text().frame(4, error(problem))


@pytest.mark.parametrize("framing", [Sse(ANSWER), Ndjson()], ids=["sse", "ndjson"])
def test_a_heartbeat_ends_with_a_line_so_that_no_reader_holds_it_as_a_beginning(framing: Framing) -> None:
    assert framing.heartbeat.endswith(b"\n")
    assert parsed(framing.heartbeat) == []
