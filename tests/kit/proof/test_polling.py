"""Answers that are asked for in pieces, on made-up clocks: the way there takes as long as the way back."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.proof.clock import Clock
from kit.proof.doubts import Doubt
from kit.proof.polling import NotAPieceError, Pieces, judge, readers_of
from kit.proof.timeline import Arrival, Timeline
from kit.proof.verdict import Finding, Method, Shape, Verdict
from service.events import Event
from service.framing import in_line

WRITTEN = [300 + 33.0 * k for k in range(60)]


def polled(way_ms: float, hold_ms: float = 0.0) -> list[float]:
    """When each event arrives at a client that asks again and again; a hop holds every piece so long."""
    arrived: list[float] = []
    there = way_ms
    while len(arrived) < len(WRITTEN):
        answered = max(there, WRITTEN[len(arrived)])
        here = answered + hold_ms + way_ms
        arrived += [here for written in WRITTEN[len(arrived) :] if written <= answered]
        there = here + way_ms
    return arrived


def judged(arrived: Sequence[float], rtt_ms: float | None = 1.0, jitter_ms: float = 0.0) -> Finding:
    """The finding where the clocks are aligned at that round trip, or are not."""
    line = Timeline(
        tuple(
            Arrival(seq, None if rtt_ms is None else written, came, 90)
            for seq, (written, came) in enumerate(zip(WRITTEN, arrived, strict=True))
        ),
        1.0,
        arrived[-1],
        complete=True,
    )
    clock = None if rtt_ms is None else Clock(0.0, rtt_ms, rtt_ms, jitter_ms)
    return judge(line, WRITTEN, pieces=len(set(arrived)), clock=clock)


@given(st.floats(0.1, 240))
def test_pieces_that_nobody_holds_come_within_a_round_trip_and_a_half(way_ms: float) -> None:
    found = judged(polled(way_ms), 2 * way_ms)
    assert (found.verdict, found.method, found.shape, found.doubts) == (
        Verdict.INCREMENTAL,
        Method.STAMPS,
        None,
        (),
    )
    assert found.hold_ms is not None
    assert found.hold_ms <= way_ms
    assert found.hold_floor_ms == max(50.0, 10 * way_ms)


def test_it_says_in_how_many_pieces_and_how_late() -> None:
    found = judged(polled(20), 40)
    assert found.evidence[0] == "the answer came in 50 pieces, each a whole response"
    assert found.evidence[-1] == (
        "an event arrived 38.5 ms after it was written at the median, 59.0 ms at the worst, "
        "where a round trip takes 40.0 ms"
    )


@pytest.mark.parametrize("hold_ms", [60, 200, 400, 700, 1_000])
def test_pieces_that_are_held_each_for_a_while_are_called_so(hold_ms: float) -> None:
    found = judged(polled(0.5, hold_ms))
    assert (found.verdict, found.shape, found.doubts) == (Verdict.TIME_LIMITED, Shape.TIMER, ())
    assert found.hold_ms is not None
    assert hold_ms <= found.hold_ms <= 2 * hold_ms


def test_pieces_that_come_only_at_the_end_are_no_answer_by_polling() -> None:
    found = judged([WRITTEN[-1] + 2] * 60)
    assert (found.verdict, found.shape, found.doubts) == (Verdict.WHOLE_MESSAGE, Shape.WHOLE, ())
    assert found.hold_ms == pytest.approx(WRITTEN[-1] - (WRITTEN[29] + WRITTEN[30]) / 2 + 1)


def test_what_stalled_once_neither_arrived_as_written_nor_is_held_piece_by_piece() -> None:
    stalled = [at if seq < 30 else max(at, 2_230.0) for seq, at in enumerate(polled(0.5))]
    found = judged(stalled)
    assert (found.verdict, found.shape, found.doubts) == (Verdict.INCONCLUSIVE, None, (Doubt.NOT_REPEATED,))
    assert found.hold_ms == pytest.approx(0, abs=1)


def test_an_answer_need_outlast_the_jitter_four_times() -> None:
    assert judged(polled(0.5), jitter_ms=450).verdict is Verdict.INCREMENTAL
    assert judged(polled(0.5), jitter_ms=500).doubts == (Doubt.TOO_SHORT,)


@pytest.mark.parametrize(
    ("hold_ms", "verdict"),
    [(0, Verdict.INCREMENTAL), (300, Verdict.INCREMENTAL), (1_000, Verdict.TIME_LIMITED)],
)
def test_without_a_common_clock_only_what_varies_can_be_seen(hold_ms: float, verdict: Verdict) -> None:
    found = judged(polled(20, hold_ms), None)
    assert (found.verdict, found.hold_ms, found.hold_floor_ms) == (verdict, None, None)


def test_an_answer_too_short_is_not_judged() -> None:
    line = Timeline(tuple(Arrival(k, 5.0 * k, 5.0 * k + 1, 90) for k in range(3)), 1.0, 20.0, complete=True)
    found = judge(line, [0.0, 5.0, 10.0], pieces=3, clock=Clock(0.0, 1.0, 1.0, 0.0))
    assert (found.verdict, found.doubts) == (Verdict.INCONCLUSIVE, (Doubt.TOO_SHORT,))


def test_a_piece_is_read_as_the_service_writes_it() -> None:
    events = [Event("token", '{"seq":0,"text":"流 \\"1\\"\\n","t_ms":12}'), Event("done", '{"usage":{}}')]
    lines = [in_line(seq, event) for seq, event in enumerate(events)]
    pieces = Pieces()
    assert pieces.feed(b'{"events":[],"done":false}') == []
    (first,) = pieces.feed(f'{{"events":[{lines[0]}],"done":false}}'.encode())
    assert (first.type, json.loads(first.data)["t_ms"], first.id) == ("token", 12, "0")
    assert (pieces.after, pieces.done) == (0, False)
    (last,) = pieces.feed(f'{{"events":[{lines[1]}],"done":true}}'.encode())
    assert (last.type, pieces.after, pieces.done, pieces.count) == ("done", 1, True, 3)
    assert [first.octets, last.octets] == [len(line.encode()) for line in lines]


EVENT = '{"seq":0,"event":"token","data":{}}'


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "{}",
        '{"events":[]}',
        '{"events":[],"done":0}',
        '{"events":{"seq":0},"done":true}',
        f'{{"events":[{EVENT},{EVENT}],"done":true}}',
        f'{{"events":[{EVENT.replace("0", "1")}],"done":true}}',
        f'{{"events":[{EVENT.replace("{}", "[]")}],"done":true}}',
        f'{{"events":[{EVENT.replace("token", "")[:-1]}],"done":true}}',
        '{"events":[0],"done":true}',
        '{"events":' * 9_999,
    ],
)
def test_what_is_no_piece_is_told_as_such(body: str) -> None:
    pieces = Pieces()
    with pytest.raises(NotAPieceError):
        pieces.feed(body.encode())
    assert (pieces.after, pieces.done) == (-1, False)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_events = st.fixed_dictionaries(
    {"seq": st.integers(0, 1), "event": _json | st.text(), "data": _json | st.dictionaries(st.text(), _json)}
)
_pieces = st.fixed_dictionaries({"events": _json | st.lists(_events, max_size=2), "done": _json})


@given(st.lists(st.binary() | _pieces.map(lambda piece: json.dumps(piece).encode()), max_size=3))
def test_whatever_comes_is_a_piece_or_is_told_to_be_none(bodies: list[bytes]) -> None:
    pieces = Pieces()
    events = 0
    for body in bodies:
        try:
            events += len(pieces.feed(body))
        except NotAPieceError:
            break
    assert pieces.after == events - 1


@pytest.mark.parametrize(
    ("piece", "readers"),
    [
        (b'{"events":[],"done":false,"readers":1}', (1, False)),
        (b'{"events":[],"done":true,"readers":0}', (0, True)),
        (b'{"events":[],"done":false}', (None, False)),  # an older service's
        (b'{"done":1,"readers":true}', (None, False)),
        (b"[]", (None, False)),
        (b"no JSON", (None, False)),
    ],
)
def test_a_piece_says_how_many_others_read_its_answer(piece: bytes, readers: tuple[int | None, bool]) -> None:
    assert readers_of(piece) == readers
