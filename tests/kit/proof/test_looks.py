from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kit.proof.looks import SMALLEST_BUFFER, Kind, Looks, Piece, Watched, kind_of, watch

# (event's octets, pace in ms, events): from a machine's log to a slow model.
PACES = st.tuples(st.integers(20, 3_000), st.floats(1, 5_000), st.integers(2, 120))


def paced(octets: int, pace_ms: float, count: int, first_ms: float = 300.0) -> list[Piece]:
    return [Piece(first_ms + pace_ms * place, octets) for place in range(count)]


def blocks(sent: list[Piece], size: int, within_ms: float = 0.0, *, stamped: bool = False) -> list[Piece]:
    """What a hop makes of it that releases `size` octets at a time, and the rest at the end."""
    came: list[Piece] = []
    ends, total = [], 0
    for piece in sent:
        total += piece.octets
        ends.append(total)
    for piece, end in zip(sent, ends, strict=True):
        full = -(-end // size) * size  # the event's last octet leaves with this block
        at = next((one.at_ms for one, until in zip(sent, ends, strict=True) if until >= full), sent[-1].at_ms)
        came.append(replace(piece, at_ms=at, stamp_ms=piece.at_ms if stamped else None))
    return [
        replace(piece, at_ms=piece.at_ms + within_ms * (place % 7) / 7) for place, piece in enumerate(came)
    ]


def in_order(pieces: list[Piece], late: list[float]) -> list[Piece]:
    """Each so much later, and none before the one that was sent before it."""
    came, at = [], 0.0
    for piece, more in zip(pieces, late, strict=True):
        at = max(at, piece.at_ms + more)
        came.append(replace(piece, at_ms=at))
    return came


def stalled(pieces: list[Piece], stalls: list[tuple[float, float]]) -> list[Piece]:
    """What a reader sees that did not run at these times (start, length)."""
    came = pieces
    for start, length in stalls:
        came = [
            replace(piece, at_ms=start + length) if start <= piece.at_ms < start + length else piece
            for piece in came
        ]
    return sorted(came, key=lambda piece: piece.at_ms)


def looks(pieces: list[Piece], kind: Kind = "events") -> Looks | None:
    return watch(pieces, pieces, kind).looks


@given(PACES, st.data())
def test_an_evenly_paced_stream_is_never_called_clumped_whatever_chance_and_a_busy_machine_do_to_it(
    pace: tuple[int, float, int], data: st.DataObject
) -> None:
    sent = paced(*pace)
    late = data.draw(st.lists(st.floats(0, 80), min_size=len(sent), max_size=len(sent)))
    moments = st.tuples(st.floats(0, sent[-1].at_ms), st.floats(0, 10_000))
    stalls = data.draw(st.lists(moments, max_size=2))
    assert looks(stalled(in_order(sent, late), stalls)) is not Looks.CLUMPED


@given(PACES)
def test_an_even_pace_that_nothing_disturbs_is_streamed_if_it_lasts(pace: tuple[int, float, int]) -> None:
    sent = paced(*pace)
    lasts = sent[-1].at_ms - sent[0].at_ms >= 500 and len(sent) >= 3
    assert not lasts or looks(sent) is Looks.STREAMED


@given(PACES, st.integers(SMALLEST_BUFFER, 70_000), st.floats(0, 1), st.booleans())
@example((81, 8.0, 78), 1_024, 0.0, False)
def test_what_is_released_in_blocks_is_never_called_streamed(
    pace: tuple[int, float, int], size: int, within: float, stamped: bool
) -> None:
    octets, pace_ms, _ = pace
    size = max(size, 2 * octets)
    came = blocks(paced(*pace), size, within * min(20.0, pace_ms / 10), stamped=stamped)
    assert looks(came) is not Looks.STREAMED


@given(st.integers(20, 300), st.floats(20, 200), st.integers(5, 30), st.integers(5, 12), st.booleans())
def test_five_blocks_or_more_that_a_reader_can_see_are_clumps(
    octets: int, pace_ms: float, events: int, count: int, stamped: bool
) -> None:
    events = max(events, int(250 / pace_ms) + 1)
    found = looks(blocks(paced(octets, pace_ms, events * count), octets * events, stamped=stamped))
    assert found is Looks.CLUMPED


def test_an_answer_that_a_compressor_holds_16_kib_at_a_time_is_clumped_with_its_figures() -> None:
    sent = paced(820, 30.0, 240)
    found = watch(blocks(sent, 16_384), [], "events")
    assert (found.looks, found.clumps, found.clump_events) == (Looks.CLUMPED, 12, 20)
    assert found.clump_octets == pytest.approx(16_384, rel=0.1)
    assert found.silence_ms == pytest.approx(600, rel=0.1)
    assert found.held


def test_bursts_that_the_service_itself_stamped_as_sent_at_once_are_no_clumps_of_the_way() -> None:
    burst = [Piece(500.0 * (place // 10), 100, 500.0 * (place // 10) + 3) for place in range(100)]
    assert looks(burst) is Looks.STREAMED
    assert looks([replace(piece, stamp_ms=None) for piece in burst]) is Looks.CLUMPED


@pytest.mark.parametrize(
    ("came", "kind", "expected", "held"),
    [
        ([], "events", Looks.NOT_A_STREAM, False),
        ([2_400.0] * 40, "events", Looks.ONE_LUMP, True),
        ([2_400.0 + 0.5 * k for k in range(40)], "events", Looks.ONE_LUMP, True),
        ([3.0] * 200, "events", Looks.ONE_LUMP, False),  # a fast server
        ([200.0, *[2_400.0 + k for k in range(20)]], "events", Looks.ONE_LUMP, True),  # it began in time
        ([200.0, *[2_400.0 + k for k in range(5)]], "events", None, False),  # a short answer
        ([200.0, *[900.0 + k for k in range(20)]], "events", None, False),
        ([200.0, *[2_400.0 + 20 * k for k in range(20)]], "events", None, False),
        ([2_400.0], "events", Looks.NOT_A_STREAM, False),
        ([2_400.0], "text", Looks.ONE_LUMP, True),
        ([4.0], "text", Looks.NOT_A_STREAM, False),
        ([4.0, 5.0], "page", Looks.NOT_A_STREAM, False),
        ([3_000.0], "page", Looks.ONE_LUMP, True),
        ([3_000.0, 3_001.0], "document", Looks.NOT_A_STREAM, False),
        ([30_000.0 + 50 * k for k in range(40)], "events", Looks.STREAMED, False),
        ([300.0 + 150 * k for k in range(20)], "page", Looks.STREAMED, False),
        ([300.0 + 10 * k for k in range(20)], "events", None, False),
    ],
)
def test_a_lump_a_page_a_document_and_one_event_are_told_apart(
    came: list[float], kind: Kind, expected: Looks | None, held: bool
) -> None:
    pieces = [Piece(at, 60) for at in came]
    found = watch(pieces, pieces, kind)
    assert (found.looks, found.held) == (expected, held)


def test_bytes_that_form_no_event_are_judged_by_their_reads() -> None:
    found = watch([], paced(5, 150.0, 20), "events")
    assert (found.looks, found.events, found.octets) == (Looks.STREAMED, 0, 100)
    lump = watch([], [Piece(3_000.0, 600)], "events")
    assert (lump.looks, lump.held) == (Looks.ONE_LUMP, True)


def test_text_without_events_that_comes_in_whole_buffers_is_clumped_and_in_small_reads_streamed() -> None:
    assert looks(paced(4_096, 700.0, 8), "text") is Looks.CLUMPED
    assert looks(paced(40, 700.0, 8), "text") is Looks.STREAMED
    assert looks(paced(5_000, 700.0, 8), "text") is None  # written so, or collected


@pytest.mark.parametrize(
    ("content_type", "kind"),
    [
        ("text/event-stream; charset=utf-8", "events"),
        ("application/x-ndjson", "events"),
        ("TEXT/HTML", "page"),
        ("application/json", "document"),
        ("application/problem+json", "document"),
        ("text/plain", "text"),
        ("", "text"),
    ],
)
def test_what_an_answer_is_is_read_from_its_media_type(content_type: str, kind: Kind) -> None:
    assert kind_of(content_type) == kind


# A model's, each piece of which is in a read: 3 s of it.
TALK = paced(580, 21.0, 140)


@pytest.mark.parametrize(
    ("came", "flows"),
    [
        (TALK, True),
        (stalled(TALK, [(1_000.0, 350.0)]), True),
        (stalled(TALK, [(700.0, 210.0), (2_000.0, 210.0)]), True),
        (stalled(TALK, [(700.0, 210.0), (1_500.0, 210.0), (2_500.0, 210.0)]), False),
        (stalled(TALK, [(1_000.0, 600.0)]), False),
        (blocks(TALK, 16_384), False),
        ([*TALK[:10], *(replace(piece, at_ms=TALK[-1].at_ms) for piece in TALK[10:])], False),
        (TALK[:8], False),
    ],
    ids=["as sent", "one stall", "two", "three", "a long one", "16 KiB blocks", "a lump", "too few"],
)
def test_what_comes_in_many_parts_flows_but_for_a_stall_or_two(came: list[Piece], flows: bool) -> None:
    assert watch(came, came, "page").flows is flows


def bounds(pieces: list[Piece]) -> tuple[bool, int, float | None]:
    found: Watched = watch(pieces, pieces, "events")
    return found.not_whole, found.largest_octets, found.longest_ms


@given(PACES, st.integers(1, 70_000))
def test_no_block_that_was_released_is_larger_than_what_is_said_to_be_the_largest(
    pace: tuple[int, float, int], size: int
) -> None:
    came = blocks(paced(*pace), size)
    _, largest, longest = bounds(came)
    held = [piece.at_ms - sent.at_ms for piece, sent in zip(came, paced(*pace), strict=True)]
    if len({piece.at_ms for piece in came}) > 1:
        later = [late for late, piece in zip(held, came, strict=True) if piece.at_ms > came[0].at_ms]
        assert max(later) <= (longest or 0.0) + 31
    assert largest >= min(size, sum(piece.octets for piece in came)) - 2 * pace[0]


def test_what_follows_without_a_proof_is_said_with_its_bounds_and_nothing_of_a_lump() -> None:
    sent = paced(59, 60.0, 40)
    assert watch(sent, sent, "events").fact == (
        "The answer is not buffered whole: since its beginning nothing over 60 ms or 59 bytes was collected."
    )
    for pieces in ([Piece(2_400.0, 59)] * 40, [Piece(2_400.0, 59)], []):
        assert watch(pieces, pieces, "events").fact is None


@pytest.mark.parametrize(
    ("kind", "came", "headline", "step"),
    [
        ("events", [2_400.0] * 40, "looks held: it came in one lump", None),
        ("events", [9.0] + [2_400.0] * 40, "looks held: after a first event it came in one lump", None),
        ("events", [2_400.0] + [2_401.0] * 40, "looks held: it came in one lump", None),
        ("page", [4.0, 5.0], "a web page is no stream", "--from-curl"),
        ("document", [900.0], "a JSON document is no stream", '"stream": true'),
        ("events", [900.0], "one event is no stream", "a longer answer"),
        ("events", [], "no event arrived", "Nothing came but comments"),
    ],
)
def test_a_lump_a_page_a_document_and_one_event_have_headlines_and_next_steps_of_their_own(
    kind: Kind, came: list[float], headline: str, step: str | None
) -> None:
    pieces = [Piece(at, 60) for at in came]
    found = watch(pieces, pieces, kind)
    assert found.but.endswith(headline)
    assert (found.next_step is None) if step is None else (step in (found.next_step or ""))


def test_a_large_answer_that_takes_its_time_on_a_slow_link_is_not_said_to_be_no_lump() -> None:
    on_the_link = paced(16_384, 20.0, 100, first_ms=3_000.0)
    assert not bounds(on_the_link)[0]
    assert bounds(paced(200, 50.0, 40))[0]
