from __future__ import annotations

import json
from dataclasses import replace
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.proof.actions import Progress
from kit.proof.answer import (
    as_released,
    came_late,
    combine,
    first_hold_ms,
    in_lock_step,
    judge,
    of_stream,
    refusal,
    timeline,
    watched,
)
from kit.proof.answer import judged as judged_answer
from kit.proof.clock import Clock
from kit.proof.doubts import Doubt
from kit.proof.events import ChunkDecoder, LineDecoder
from kit.proof.looks import Looks, Piece, watch
from kit.proof.received import Received
from kit.proof.sse import SSEDecoder
from kit.proof.timeline import Arrival, Timeline
from kit.proof.verdict import Finding, Method, Shape, Verdict

SENT = [300 + 33.0 * k for k in range(60)]


def line(arrived: list[float], *, complete: bool = True) -> Timeline:
    arrivals = tuple(Arrival(k, None, at, 100) for k, at in enumerate(arrived))
    return Timeline(arrivals, 1.0, arrived[-1] if arrived else 0.0, complete)


def judged(arrived: list[float], stamps: list[float | None] | None = None, jitter_ms: float = 0.0) -> Finding:
    return judge(line(arrived), SENT if stamps is None else stamps, jitter_ms=jitter_ms)


def proof(verdict: Verdict, shape: Shape | None = None, block_bytes: int | None = None) -> Finding:
    return Finding(verdict, Method.LOCK_STEP, shape, block_bytes, 0.0, 15.0, evidence=("seen",))


STREAMED = judged([at + 5 for at in SENT])
HELD = judged([2300.0 + k * 0.1 for k in range(60)])


def test_arrivals_that_keep_the_stamps_pace_are_streamed() -> None:
    assert (STREAMED.verdict, STREAMED.method, STREAMED.doubts) == (Verdict.INCREMENTAL, Method.STAMPS, ())


def test_arrivals_in_one_lot_at_the_end_are_held_and_what_held_them_is_not_known() -> None:
    assert (HELD.verdict, HELD.doubts) == (Verdict.WHOLE_MESSAGE, (Doubt.BUFFER_SIZE_UNKNOWN,))


def test_an_answer_that_came_whole_sooner_than_it_was_written_is_a_stored_copy() -> None:
    found = judged([5.0] * 60)
    assert (found.verdict, found.doubts) == (Verdict.INCONCLUSIVE, (Doubt.REPLAYED,))
    proved = combine(proof(Verdict.INCREMENTAL), found, line([5.0] * 60), event_bytes=1000)
    assert Doubt.REPLAYED in proved.doubts
    assert Doubt.ANSWER_DISAGREES_WITH_PROOF not in proved.doubts


@pytest.mark.parametrize(("after_ms", "stored"), [(5.0, True), (2_000.0, False)])
def test_what_a_cache_calls_its_own_is_believed_of_an_answer_that_came_at_once(
    after_ms: float, *, stored: bool
) -> None:
    received = Received(SSEDecoder())
    received.head(after_ms, 200, {"content-type": "text/event-stream", "x-cache": "HIT"})
    received.body(after_ms, b"data: a\n\n" * 20)
    received.end(after_ms, clean=True)
    by = of_stream(received, None, speaks_proof=False)
    _, found = judged_answer(received, asked_ms=0.0, now_ms=after_ms, clock=None, by=by)
    assert (Doubt.REPLAYED in found.doubts) is stored
    assert ("x-cache: HIT" in found.evidence[-1]) is stored


def test_arrivals_in_two_lots_are_held_by_size() -> None:
    assert judged([1500.0] * 35 + [2300.0] * 25).verdict is Verdict.BYTE_LIMITED


def test_many_blocks_are_not_called_streamed() -> None:
    slow = [300 + 200.0 * k for k in range(60)]
    blocks = [slow[min(59, k // 20 * 20 + 19)] for k in range(60)]
    assert judge(line(blocks), slow, jitter_ms=0.0).verdict is Verdict.BYTE_LIMITED


@given(st.lists(st.floats(0, 60), min_size=60, max_size=60), st.floats(-1e6, 1e6))
def test_jitter_and_a_strange_clock_make_no_held_stream(jitter: list[float], clock: float) -> None:
    arrived = [at + late for at, late in zip(SENT, jitter, strict=True)]
    assert judge(line(arrived), [at + clock for at in SENT], jitter_ms=5.0).verdict is Verdict.INCREMENTAL


def test_a_short_answer_is_not_judged() -> None:
    found = judged([10.0, 20.0, 30.0], [1.0, 2.0, 3.0])
    assert (found.verdict, found.doubts) == (Verdict.INCONCLUSIVE, (Doubt.TOO_SHORT,))


def test_an_answer_that_jitters_more_than_it_lasts_is_not_judged() -> None:
    assert judged([at + 5 for at in SENT], jitter_ms=200.0).doubts == (Doubt.TOO_SHORT,)


def test_an_app_that_bunches_its_own_events_is_named_and_not_the_path() -> None:
    found = judged([3000.0, 3001.0, 3002.0], [2990.0, 2990.5, 2991.0])
    assert (found.verdict, found.doubts) == (Verdict.INCONCLUSIVE, (Doubt.APP_BUNCHED,))


@pytest.mark.parametrize("arrived", [[], [5.0], [5.0] * 60, [float(k * 100) for k in range(60)]])
def test_arrivals_alone_never_give_a_verdict(arrived: list[float]) -> None:
    found = judged(arrived, [None] * len(arrived))
    assert (found.verdict, found.method) == (Verdict.INCONCLUSIVE, Method.PASSIVE)
    assert Doubt.ARRIVALS_ALONE in found.doubts


def test_a_cut_answer_bears_its_doubt() -> None:
    assert Doubt.STREAM_CUT in judge(line(SENT, complete=False), SENT, jitter_ms=0).doubts


@pytest.mark.parametrize(
    ("verdict", "answer", "contradicts"),
    [
        (Verdict.INCREMENTAL, HELD, True),
        (Verdict.WHOLE_MESSAGE, STREAMED, True),
        (Verdict.INCREMENTAL, STREAMED, False),
        (Verdict.WHOLE_MESSAGE, HELD, False),
        (Verdict.BYTE_LIMITED, HELD, False),
        (Verdict.BYTE_LIMITED, STREAMED, False),
    ],
)
def test_an_answer_that_contradicts_the_proof_makes_it_inconclusive(
    verdict: Verdict, answer: Finding, contradicts: bool
) -> None:
    found = combine(proof(verdict), answer, line(SENT), event_bytes=1000)
    assert (found.verdict is Verdict.INCONCLUSIVE) == contradicts
    assert (Doubt.ANSWER_DISAGREES_WITH_PROOF in found.doubts) == contradicts
    assert "seen" in found.evidence


@pytest.mark.parametrize(
    ("shape", "block", "came", "contradicts"),
    [
        (Shape.WHOLE, None, SENT, True),
        (Shape.BLOCKS, 64_000, SENT, True),
        (Shape.PREFIX, 64_000, SENT, True),
        (Shape.BLOCKS, 64, SENT, False),
        (Shape.PREFIX, 64, SENT, False),
        (Shape.FIRST_EVENT, None, SENT, False),
        (Shape.WHOLE, None, [2300.0] * 60, False),
    ],
)
def test_an_unstamped_answer_that_comes_through_what_would_have_held_it_contradicts_the_proof(
    shape: Shape, block: int | None, came: list[float], contradicts: bool
) -> None:
    verdict = Verdict.WHOLE_MESSAGE if shape is Shape.WHOLE else Verdict.BYTE_LIMITED
    found = combine(
        proof(verdict, shape, block), judged(came, [None] * len(came)), line(came), event_bytes=1000
    )
    assert (found.verdict is Verdict.INCONCLUSIVE) == contradicts
    assert (Doubt.ANSWER_DISAGREES_WITH_PROOF in found.doubts) == contradicts


@pytest.mark.parametrize(
    ("event_bytes", "verdict"), [(1000, Verdict.INCREMENTAL), (4091, Verdict.BYTE_LIMITED)]
)
def test_a_tail_above_the_events_judged_is_a_doubt_and_no_verdict(event_bytes: int, verdict: Verdict) -> None:
    found = combine(
        proof(Verdict.BYTE_LIMITED, Shape.TAIL, 4090), STREAMED, line(SENT), event_bytes=event_bytes
    )
    assert found.verdict is verdict
    assert (Doubt.LARGE_EVENTS_HELD in found.doubts) == (verdict is Verdict.INCREMENTAL)
    assert (found.shape is None) == (verdict is Verdict.INCREMENTAL)


def test_a_proof_is_not_believed_of_an_unstamped_answer_that_came_in_one_lot() -> None:
    lump = judged([2300.0] * 60, [None] * 60)
    found = combine(proof(Verdict.INCREMENTAL), lump, line([2300.0] * 60), event_bytes=1000)
    assert (found.verdict, found.doubts) == (
        Verdict.INCONCLUSIVE,
        (Doubt.ANSWER_NOT_CHECKED, Doubt.ANSWER_IN_CLUMPS),
    )
    spread = judged(SENT, [None] * 60)
    assert (
        combine(proof(Verdict.INCREMENTAL), spread, line(SENT), event_bytes=1000).verdict
        is Verdict.INCREMENTAL
    )


def test_an_answer_that_clumps_is_not_called_streamed_beside_a_proof_that_streams() -> None:
    clumps = [700.0 * (1 + place // 20) for place in range(200)]
    for stamps in ([None] * 200, [30.0 * place for place in range(200)]):
        pieces = [Piece(at, 800, stamp) for at, stamp in zip(clumps, stamps, strict=True)]
        came = replace(line(clumps), watched=watch(pieces, (), "events"))
        found = judge(came, stamps, jitter_ms=0.0)
        assert found.verdict is not Verdict.INCREMENTAL
        found = combine(proof(Verdict.INCREMENTAL), found, came, event_bytes=1000)
        assert found.verdict is Verdict.INCONCLUSIVE
        assert {Doubt.ANSWER_IN_CLUMPS, Doubt.ANSWER_DISAGREES_WITH_PROOF} & set(found.doubts)


@pytest.mark.parametrize(
    ("apart_ms", "verdict"), [(90.0, Verdict.INCREMENTAL), (240.0, Verdict.INCONCLUSIVE)]
)
def test_an_answer_that_jitters_and_never_stands_still_is_believed_where_a_proof_passed(
    apart_ms: float, verdict: Verdict
) -> None:
    # Several came together each time, as on a machine that is short of time.
    arrived = [300.0 + apart_ms * (place // 3) for place in range(60)]
    pieces = [Piece(at, 600) for at in arrived]
    came = replace(line(arrived), watched=watch(pieces, pieces, "page"))
    assert came.watched is not None
    assert came.watched.looks is None
    found = combine(
        proof(Verdict.INCREMENTAL), judge(came, [None] * 60, jitter_ms=0.0), came, event_bytes=1_000
    )
    assert found.verdict is verdict
    assert Doubt.ANSWER_NOT_CHECKED in found.doubts


def test_a_refused_answer_is_refused_whatever_the_proof_says() -> None:
    received = Received(SSEDecoder())
    received.head(1.0, 501, {"proxy-status": "hop; error=incremental_refused"})
    assert (
        combine(proof(Verdict.INCREMENTAL), refusal(received), line([]), event_bytes=1).verdict
        is Verdict.REFUSED
    )


def answered(body: bytes, headers: dict[str, str], decoder: SSEDecoder | LineDecoder) -> Received:
    received = Received(decoder)
    received.head(1010.0, 200, headers)
    received.body(1020.0, body)
    received.end(1030.0, clean=True)
    return received


def test_send_times_are_mapped_to_the_clients_clock() -> None:
    body = b'event: token\ndata: {"seq":0,"text":"a","t_ms":4.0}\n\nevent: done\ndata: {}\n\n'
    received = answered(body, {"streamproof-started-ms": "5006.0"}, SSEDecoder())
    found, stamps = timeline(received, asked_ms=1000.0, now_ms=1030.0, offset_ms=4000.0)
    assert stamps == (4.0, None)
    assert found.arrivals[0] == Arrival(0, 10.0, 20.0, 52)
    assert (found.ttfb_ms, found.first_event_ms, found.duration_ms, found.complete) == (
        10.0,
        20.0,
        30.0,
        True,
    )
    assert first_hold_ms(found) == 10.0


def test_nothing_is_shown_to_arrive_before_it_was_sent() -> None:
    body = b'data: {"seq":0,"t_ms":4.0}\n\ndata: {"seq":1,"t_ms":6.0}\n\n'
    received = answered(body, {"streamproof-started-ms": "5040.0"}, SSEDecoder())
    found, _ = timeline(received, asked_ms=1000.0, now_ms=1030.0, offset_ms=4000.0)
    assert [arrival.sent_ms for arrival in found.arrivals] == [18.0, 20.0]


def test_without_a_common_clock_there_are_stamps_but_no_send_times() -> None:
    body = b'{"seq":0,"event":"token","data":{"seq":0,"t_ms":4.0}}\n{"event":"done","data":{}}\n'
    received = answered(body, {"streamproof-started-ms": "5006.0"}, LineDecoder())
    found, stamps = timeline(received, asked_ms=1000.0, now_ms=1030.0, offset_ms=None)
    assert stamps == (4.0, None)
    assert found.arrivals[0].sent_ms is None
    assert found.complete


def test_our_services_stream_without_done_or_error_was_cut() -> None:
    body = b'event: token\ndata: {"seq":0,"t_ms":4.0}\n\n'
    ours = answered(body, {"streamproof-started-ms": "5006.0"}, SSEDecoder())
    other = answered(body, {}, SSEDecoder())
    assert not timeline(ours, asked_ms=0, now_ms=0, offset_ms=None)[0].complete
    assert timeline(other, asked_ms=0, now_ms=0, offset_ms=None)[0].complete


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.sampled_from(["t_ms", "seq", "data", "event"]), x),
    )
)
def test_whatever_an_event_holds_there_is_a_timeline(payload: object) -> None:
    received = answered(
        f"data: {json.dumps(payload)}\n\n".encode(), {"streamproof-started-ms": "nan"}, SSEDecoder()
    )
    found, stamps = timeline(received, asked_ms=0, now_ms=0, offset_ms=1.0)
    judge(found, stamps, jitter_ms=0)
    assert replace(found, arrivals=()).ttfb_ms == 1010.0


def test_a_lump_that_the_jitter_leaves_undecided_is_no_streamed_answer_beside_a_proof_that_passed() -> None:
    came = line([2_600.0 + k * 0.1 for k in range(60)])
    found = judge(came, SENT, jitter_ms=200.0)
    assert (found.verdict, found.doubts[0]) == (Verdict.INCONCLUSIVE, Doubt.ANSWER_IN_CLUMPS)
    beside = combine(proof(Verdict.INCREMENTAL), found, came, event_bytes=1_000)
    assert (beside.verdict, beside.doubts[0]) == (Verdict.INCONCLUSIVE, Doubt.ANSWER_IN_CLUMPS)
    streamed = judge(line([at + 5 for at in SENT]), SENT, jitter_ms=200.0)
    assert streamed.doubts == (Doubt.TOO_SHORT,)


def test_an_answer_that_was_read_by_a_sleeping_process_is_not_called_held() -> None:
    received = Received(SSEDecoder())
    received.late_ms = 2_000.0
    came = line([2_500.0] * 20)
    stamps: list[float | None] = [100.0 * seq for seq in range(20)]
    found = of_stream(received, None, speaks_proof=True)(came, stamps)
    assert (found.verdict, found.doubts) == (Verdict.INCONCLUSIVE, (Doubt.BUSY_MACHINE,))
    beside = combine(proof(Verdict.INCREMENTAL), found, came, event_bytes=1_000)
    assert beside.verdict is Verdict.INCONCLUSIVE, "a proof's stream is no look at the answer"
    spread = line([100.0 * seq + 5 for seq in range(20)])
    assert (
        combine(proof(Verdict.INCREMENTAL), found, spread, event_bytes=1_000).verdict is Verdict.INCREMENTAL
    )


@given(slept=st.floats(0, 900), at=st.floats(1_900, 10_000))
def test_a_short_sleep_does_not_excuse_a_lump(slept: float, at: float) -> None:
    received = Received(SSEDecoder())
    received.late_ms = slept
    stamps: list[float | None] = [100.0 * seq for seq in range(20)]
    found = of_stream(received, None, speaks_proof=True)(line([at] * 20), stamps)
    assert found.verdict is Verdict.WHOLE_MESSAGE


@given(
    sent=st.lists(st.floats(5, 300), min_size=12, max_size=60),
    asleep_at=st.floats(0, 3_000),
    slept=st.floats(0, 10_000),
)
def test_no_sleep_makes_a_streamed_answer_held(sent: list[float], asleep_at: float, slept: float) -> None:
    stamps = list(accumulate(sent))
    awake = asleep_at + slept
    came = [awake if asleep_at < at + 1 < awake else at + 1 for at in stamps]
    received = Received(SSEDecoder())
    received.late_ms = slept
    found = of_stream(received, None, speaks_proof=True)(line(came), list(stamps))
    assert found.verdict in (Verdict.INCREMENTAL, Verdict.INCONCLUSIVE)


def test_stamped_events_that_come_in_short_clumps_are_no_stream_though_none_is_very_late() -> None:
    body = Received(SSEDecoder())
    body.head(1_000.0, 200, {"content-type": "text/event-stream"})
    for place in range(200):
        body.body(1_300.0 + 300.0 * (place // 10), b'data: {"t_ms": %d}\n\n' % (30 * place))
    body.end(8_000.0, clean=True)
    by = of_stream(body, None, speaks_proof=False)
    came, found = judged_answer(body, asked_ms=1_000.0, now_ms=8_000.0, clock=None, by=by)
    assert watched(came).looks is Looks.CLUMPED
    assert (found.verdict, found.doubts[0]) == (Verdict.INCONCLUSIVE, Doubt.ANSWER_IN_CLUMPS)
    assert combine(proof(Verdict.INCREMENTAL), found, came, event_bytes=1_000).verdict is Verdict.INCONCLUSIVE


# An answer of which the pieces were released one by one

PASSED = Finding(Verdict.INCREMENTAL, Method.LOCK_STEP, hold_ms=1.0, evidence=("its pieces passed",))
ARRIVED = Finding(
    Verdict.INCONCLUSIVE,
    Method.PASSIVE,
    doubts=(Doubt.ARRIVALS_ALONE, Doubt.STREAM_CUT),
    evidence=("arrived",),
)


def held_answer(shape: Shape, *doubts: Doubt) -> Finding:
    verdict = Verdict.WHOLE_MESSAGE if shape is Shape.WHOLE else Verdict.BYTE_LIMITED
    return Finding(verdict, Method.LOCK_STEP, shape, doubts=doubts, evidence=("its pieces did not come",))


def test_an_answers_own_pieces_say_more_than_its_arrivals_and_its_fate_stays() -> None:
    found = in_lock_step(ARRIVED, PASSED, ("a loop",), "")
    assert (found.verdict, found.method, found.doubts) == (
        Verdict.INCREMENTAL,
        Method.LOCK_STEP,
        (Doubt.STREAM_CUT,),
    )
    assert found.evidence == ("its pieces passed", "a loop", "arrived")


def test_what_an_app_sent_all_at_once_is_not_called_streamed_and_what_a_hop_holds_is_still_held() -> None:
    found = in_lock_step(ARRIVED, PASSED, (), "the app did")
    assert (found.verdict, found.doubts[0]) == (Verdict.INCONCLUSIVE, Doubt.APP_BUNCHED)
    found = in_lock_step(ARRIVED, held_answer(Shape.WHOLE), (), "the app did")
    assert found.verdict is Verdict.WHOLE_MESSAGE
    found = in_lock_step(ARRIVED, None, ("it could not be held",), "the app did")
    assert (found.method, found.doubts[0]) == (Method.PASSIVE, Doubt.APP_BUNCHED)
    assert found.evidence == ("it could not be held", "arrived", "the app did")


LUMP = in_lock_step(ARRIVED, PASSED, (), "it was sent so")
BLOCKS, TAIL = (proof(Verdict.BYTE_LIMITED, shape, 4096) for shape in (Shape.BLOCKS, Shape.TAIL))
WHOLE, PASSES = proof(Verdict.WHOLE_MESSAGE, Shape.WHOLE), proof(Verdict.INCREMENTAL)
SHORT = held_answer(Shape.WHOLE, Doubt.BUFFER_SIZE_UNKNOWN)
ONCE = held_answer(Shape.FIRST_EVENT, Doubt.NOT_REPEATED)


@pytest.mark.parametrize(
    ("beside", "pieces", "event_bytes", "verdict", "shape", "doubts"),
    [
        (BLOCKS, PASSED, 1_000, Verdict.INCREMENTAL, None, ()),
        (TAIL, PASSED, 1_000, Verdict.INCREMENTAL, None, (Doubt.LARGE_EVENTS_HELD,)),
        (TAIL, PASSED, 70_000, Verdict.BYTE_LIMITED, Shape.TAIL, ()),
        (BLOCKS, SHORT, 1_000, Verdict.BYTE_LIMITED, Shape.BLOCKS, ()),
        # A stream from below a middleware tells it from the app, which the answer could not.
        (WHOLE, LUMP, 1_000, Verdict.WHOLE_MESSAGE, Shape.WHOLE, (Doubt.STREAM_CUT,)),
        (PASSES, LUMP, 1_000, Verdict.INCONCLUSIVE, None, (Doubt.APP_BUNCHED, Doubt.STREAM_CUT)),
        # An answer is held though a stream beside it passes, unless that was seen once.
        (PASSES, held_answer(Shape.WHOLE), 1_000, Verdict.WHOLE_MESSAGE, Shape.WHOLE, ()),
        (PASSES, ONCE, 1_000, Verdict.INCONCLUSIVE, None, (Doubt.NOT_REPEATED,)),
    ],
)
def test_beside_an_answers_own_pieces_a_proof_says_only_how_it_is_held(
    beside: Finding,
    pieces: Finding,
    event_bytes: int,
    verdict: Verdict,
    shape: Shape | None,
    doubts: tuple[Doubt, ...],
) -> None:
    found = combine(beside, pieces, line([1.0]), event_bytes=event_bytes)
    assert (found.verdict, found.shape, found.doubts) == (verdict, shape, doubts)
    assert found.block_bytes == (4096 if shape in (Shape.BLOCKS, Shape.TAIL) else None)


def test_beside_an_answers_own_pieces_a_proof_adds_its_evidence() -> None:
    blocks = combine(BLOCKS, SHORT, line([1.0]), event_bytes=1_000)
    assert blocks.evidence == ("its pieces did not come", "the proof's own stream: seen")
    whole = combine(WHOLE, LUMP, line([1.0]), event_bytes=1_000)
    assert whole.evidence[-1].endswith("a middleware holds it")


CLOCK = Clock(offset_ms=5_000.0, rtt_ms=2.0, slowest_ms=2.0, jitter_ms=0.0)
PROGRESS = Progress(
    pieces=3,
    octets=300,
    sent=3,
    waits="end",
    free="",
    ended=False,
    coding="",
    gone_ms=6_240.0,
    blocked_ms=0.0,
    times=((150, 10.0, 10.0), (250, 100.0, 120.0), (300, 130.0, 230.0)),
)


def test_an_event_was_sent_when_the_piece_that_completed_it_was_let_go() -> None:
    line_ = as_released(line([20.0, 130.0, 240.0]), PROGRESS, CLOCK, asked_ms=1_000.0)
    assert [arrival.sent_ms for arrival in line_.arrivals] == [20.0, 130.0, 240.0]


@pytest.mark.parametrize(
    "progress",
    [
        None,
        replace(PROGRESS, octets=310),  # comments were among it
        replace(PROGRESS, coding="gzip"),
        replace(PROGRESS, pieces=1_200),
        replace(PROGRESS, pieces=0, times=()),
    ],
)
def test_where_an_events_piece_is_not_known_its_time_is_not_either(progress: Progress | None) -> None:
    bare = line([20.0, 130.0, 240.0])
    assert as_released(bare, progress, CLOCK, asked_ms=1_000.0) == bare


def test_events_that_come_later_than_they_were_let_go_are_seen_to() -> None:
    def came(late_ms: float) -> Timeline:
        arrivals = [Arrival(k, 60.0 * k, 60.0 * k + (late_ms if k > 3 else 0.0), 100) for k in range(40)]
        return Timeline(tuple(arrivals), 1.0, 3_000.0, True)

    assert came_late(came(100.0), CLOCK, slept_ms=0.0) == ""
    assert "800 ms later" in came_late(came(800.0), CLOCK, slept_ms=0.0)
    assert came_late(came(800.0), CLOCK, slept_ms=700.0) == ""
    assert came_late(line([1.0, 2.0]), None, slept_ms=0.0) == ""


@pytest.mark.parametrize(
    ("body", "looks"),
    [
        (b'{"a": 1}\n{"b": 2}\n', Looks.ONE_LUMP),
        (b'{"a": 1}\n', Looks.NOT_A_STREAM),
        (b'{\n"a": 1\n}\n', Looks.NOT_A_STREAM),
        (b'[{"a": 1},\n{"b": 2}]', Looks.NOT_A_STREAM),
    ],
)
def test_json_in_lines_is_no_document_whatever_its_media_type_says(body: bytes, looks: Looks) -> None:
    received = Received(ChunkDecoder())
    received.head(2_000.0, 200, {"content-type": "application/json"})
    received.body(2_000.0, body)
    received.end(2_001.0, clean=True)
    came, _ = timeline(received, asked_ms=0.0, now_ms=2_001.0, offset_ms=None)
    assert came.watched is not None
    assert came.watched.looks is looks
