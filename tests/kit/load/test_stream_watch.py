from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.load.stream_watch import StreamWatch, stamp_of
from kit.load.tally import Tally
from kit.proof.events import MAX_EVENT_BYTES, Event, EventTooLargeError


def event(seq: int, t_ms: float | None = None) -> bytes:
    stamp = "" if t_ms is None else f', "t_ms": {t_ms}'
    return f'data: {{"seq": {seq}{stamp}}}\n\n'.encode()


def begun(tally: Tally, asked_ms: float = 0.0) -> StreamWatch:
    watch = StreamWatch(tally, asked_ms)
    watch.head("text/event-stream")
    return watch


def test_the_first_event_and_the_worst_silence_are_counted() -> None:
    tally = Tally()
    watch = begun(tally, 100.0)
    for at_ms, seq in ((150.0, 0), (160.0, 1), (460.0, 2), (470.0, 3)):
        watch.body(at_ms, event(seq))
    watch.end(480.0, "ended")
    assert (tally.first.most_ms, tally.gap.most_ms, tally.lasted.most_ms) == (50.0, 300.0, 380.0)
    assert (tally.started, tally.ended, tally.open, tally.events) == (1, 1, 0, 4)


def test_an_event_is_late_by_what_it_took_longer_than_the_quickest_of_its_stream() -> None:
    tally = Tally()
    watch = begun(tally)
    # By a server's clock that is an hour ahead; held together, and released when the third was written.
    for seq in range(3):
        watch.body(1_200.0, event(seq, 3_600_000 + 100 * seq))
    watch.end(1_300.0, "left")
    assert watch.late_ms == pytest.approx(200.0)
    assert (tally.stamped, tally.late.count) == (3, 3)


@given(st.lists(st.floats(0, 10_000), min_size=2, max_size=16))
def test_lateness_of_a_short_stream_does_not_depend_on_which_event_was_the_quickest(
    late: list[float],
) -> None:
    tally = Tally()
    watch = begun(tally)
    for seq, ms in enumerate(late):
        watch.body(20_000.0 * seq + ms, event(seq, 20_000.0 * seq))
    watch.end(1e9, "ended")
    assert tally.late.count == len(late)
    assert tally.late.most_ms == pytest.approx(max(late) - min(late), abs=1e-3)


def test_what_is_left_open_has_been_silent_until_then() -> None:
    tally = Tally()
    watch = begun(tally)
    watch.body(10.0, event(0))
    watch.body(20.0, event(1))
    watch.end(5_020.0, "left")
    assert (tally.gap.most_ms, tally.left, tally.cut) == (5_000.0, 1, 0)


def test_a_first_event_that_had_not_come_counts_by_the_wait_and_one_that_cannot_as_never() -> None:
    waiting, refused = Tally(), Tally()
    begun(waiting).end(4_000.0, "left")
    StreamWatch(refused, 0.0).end(3.0, "refused", "status 503")
    assert (waiting.first.most_ms, refused.first.most_ms) == (4_000.0, inf)
    assert dict(refused.reasons) == {"status 503": 1}


def test_an_answer_that_ends_within_an_event_was_cut() -> None:
    tally = Tally()
    watch = begun(tally)
    watch.body(1.0, event(0) + b'data: {"seq"')
    watch.end(2.0, "ended")
    assert (tally.ended, tally.cut, dict(tally.reasons)) == (0, 1, {"ended within an event": 1})


def test_what_is_over_stays_as_it_was() -> None:
    tally = Tally()
    watch = begun(tally)
    watch.end(1.0, "left")
    watch.end(2.0, "cut", "the connection broke")
    watch.body(3.0, event(0))
    assert (tally.left, tally.cut, tally.events, watch.over) == (1, 0, 0, "left")


@given(st.lists(st.binary(max_size=200), max_size=20), st.sampled_from(["text/event-stream", "", "a/b"]))
def test_rubbish_is_counted_and_is_no_error(reads: list[bytes], content_type: str) -> None:
    tally = Tally()
    watch = StreamWatch(tally, 0.0)
    watch.head(content_type)
    for at_ms, data in enumerate(reads):
        watch.body(float(at_ms), data)
    watch.end(float(len(reads)), "ended")
    assert tally.octets == sum(map(len, reads))
    assert tally.open == 0


def test_an_event_without_an_end_does_not_fill_the_memory() -> None:
    watch = begun(Tally())
    watch.body(1.0, b"data: ")
    with pytest.raises(EventTooLargeError):
        watch.body(2.0, b"x" * MAX_EVENT_BYTES)


@pytest.mark.parametrize(
    ("data", "stamp"),
    [
        ('{"t_ms": 12.5}', 12.5),
        ('{"seq": 1, "ms": 1700000000000}', 1_700_000_000_000.0),
        ('{"t_ms": true}', None),
        ('{"t_ms": 1e999}', None),
        ('{"inner": {"ms": 3}}', None),
        ('["ms"]', None),
        ('"ms"', None),
        ('{"ms":', None),
        ("[DONE]", None),
    ],
)
def test_only_a_number_by_these_names_is_a_stamp(data: str, stamp: float | None) -> None:
    assert stamp_of(Event("message", data, "", len(data))) == stamp
