from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from kit.proof.causes import Cause, NamedCause
from kit.proof.doubts import Doubt
from kit.proof.fates import at_deadline, by_the_clock, fates, late_head, starved
from kit.proof.fingerprints import hops
from kit.proof.looks import Piece, watch
from kit.proof.timeline import Arrival, End, Timeline

EVENTS = [500.0 * number for number in range(1, 21)]


def line(
    arrived: Sequence[float] = EVENTS,
    *,
    ended: float = 10_400.0,
    end: End = End.CUT,
    stamps: Sequence[float] | None = None,
) -> Timeline:
    arrivals = tuple(Arrival(place, None, at, 40) for place, at in enumerate(arrived))
    pieces = [Piece(at, 40, None if stamps is None else stamps[place]) for place, at in enumerate(arrived)]
    return Timeline(arrivals, 5.0, ended, end is End.WHOLE, end, watch(pieces, (), "events"))


def one(named: tuple[NamedCause, ...]) -> NamedCause:
    (only,) = named
    assert not only.holds
    return only


def test_an_answer_that_came_whole_has_no_fate_of_its_own() -> None:
    assert fates(line(end=End.WHOLE), (), "", {}) == ()


def test_a_cut_is_certain_and_asked_again_it_tells_a_limit_from_an_accident() -> None:
    cut = (Doubt.STREAM_CUT,)
    found = one(fates(line(), cut, "", {}))
    assert (found.cause, found.certainty) == (Cause.ANSWER_CUT, "certain")
    assert "cut after 10.4 s and 20 events" in found.because
    assert found.apart
    assert "gunicorn --timeout" in found.remedy
    limit = one(fates(line(), cut, "", {}, again=line(ended=10_900.0)))
    assert "as by a limit on time" in limit.because
    whole = one(fates(line(), cut, "", {}, again=line(ended=12_500.0, end=End.WHOLE)))
    assert "to its end" in whole.because
    other = one(fates(line(), cut, "", {}, again=line(EVENTS[:4], ended=2_100.0)))
    assert "no limit on the whole" in other.because


def test_asked_directly_it_tells_the_service_from_a_hop() -> None:
    where = "asked directly"
    service = one(fates(line(), (Doubt.STREAM_CUT,), "", {}, again=line(), where=where))
    assert "the service itself" in service.where
    whole = line(ended=12_500.0, end=End.WHOLE)
    hop = one(fates(line(), (Doubt.STREAM_CUT,), "", {}, again=whole, where=where))
    assert "a hop between" in hop.where


def test_a_cut_after_the_same_silence_twice_is_a_limit_on_silence() -> None:
    silent = line(EVENTS[:2], ended=61_000.0)
    found = one(fates(silent, (Doubt.STREAM_CUT,), "", {}, again=silent))
    assert (found.cause, found.certainty) == (Cause.IDLE_LIMIT, "likely")
    assert "nginx, its proxy_read_timeout" in found.remedy


VIA_GOOGLE = hops({"via": "1.1 google", "server": "uvicorn"})
FLOWING = [100.0 * number for number in range(1, 300)]  # for 29.9 s
CUT = (Doubt.STREAM_CUT,)


def flowed(ended: float = 30_040.0, end: End = End.CUT) -> Timeline:
    return line([at for at in FLOWING if at < ended], ended=ended, end=end)


def test_what_flowed_until_a_known_deadline_may_have_met_it_and_is_never_called_proven() -> None:
    found = one(fates(flowed(), CUT, "", {}))
    assert (found.cause, found.certainty) == (Cause.TIME_LIMIT, "possible")
    assert "cut after 30.0 s and 299 events, the last 0.1 s in silence" in found.because
    assert "it flowed to its end, as by no limit on silence" in found.because
    assert "from an accident: ask again" in found.apart
    assert "--direct URL" in found.apart
    assert "No heartbeat helps." in found.remedy
    assert "GCPBackendPolicy" in found.remedy
    assert "gunicorn --timeout 0" in found.remedy
    again = one(fates(flowed(), CUT, "", {}, again=flowed(30_900.0)))
    assert (again.cause, again.certainty) == (Cause.TIME_LIMIT, "likely")
    assert "accident" not in again.apart
    assert "the service's own limit" in again.apart


def test_the_headers_raise_the_line_of_whom_they_hint_at() -> None:
    hinted = one(fates(flowed(29_100.0), CUT, "", {}, VIA_GOOGLE))
    assert (hinted.cause, hinted.certainty) == (Cause.TIME_LIMIT, "likely")
    assert "a Google Cloud load balancer (GKE's Gateway and Ingress too), its backend's" in hinted.because
    assert "at which the headers hint" in hinted.because
    assert hinted.remedy.index("GCPBackendPolicy\n") < hinted.remedy.index("Amazon API Gateway")


def test_asked_directly_a_deadline_is_the_hops_or_the_services() -> None:
    whole = flowed(end=End.WHOLE)
    hop = one(
        fates(flowed(), CUT, "", {}, again=replace(whole, duration_ms=45_000.0), where="asked directly")
    )
    assert (hop.cause, hop.certainty, hop.apart) == (Cause.TIME_LIMIT, "likely", "")
    assert "a hop between" in hop.where
    service = one(fates(flowed(), CUT, "", {}, VIA_GOOGLE, again=flowed(), where="asked directly"))
    assert (service.cause, service.certainty) == (Cause.TIME_LIMIT, "likely")
    assert "hint" not in service.because  # at what was not asked
    assert "the service itself" in service.where


@pytest.mark.parametrize(
    "again",
    [
        flowed(12_000.0),  # sooner
        line(FLOWING, ended=41_000.0, end=End.CUT),  # later
        flowed(end=End.WHOLE),
    ],
)
def test_what_ends_otherwise_the_next_time_met_no_deadline(again: Timeline) -> None:
    found = one(fates(flowed(), CUT, "", {}, again=again))
    assert (found.cause, found.certainty) == (Cause.ANSWER_CUT, "certain")


def test_what_fell_silent_first_or_was_not_surely_cut_is_no_likely_deadline() -> None:
    silent = line(EVENTS, ended=30_000.0)
    assert one(fates(silent, CUT, "", {})).cause is Cause.ANSWER_CUT
    doubted = one(fates(flowed(end=End.UNKNOWN), (Doubt.END_UNKNOWN,), "", {}, again=flowed(end=End.UNKNOWN)))
    assert (doubted.cause, doubted.certainty) == (Cause.TIME_LIMIT, "possible")


@pytest.mark.parametrize(
    ("ended", "own_s", "is_it"),
    [
        (30_040.0, None, True),
        (30_040.0, 300.0, True),  # whatever the platform should do: the policy may be missing
        (8_000.0, 8.0, True),
        (9_900.0, 8.0, True),
        (10_100.0, 8.0, False),
        (6_900.0, 8.0, False),
        (8_000.0, None, False),
    ],
)
def test_a_platforms_own_deadline_is_known_as_well(ended: float, own_s: float | None, *, is_it: bool) -> None:
    assert at_deadline(flowed(ended), own_s) is is_it
    assert not at_deadline(flowed(ended, End.WHOLE), own_s)
    assert not at_deadline(flowed(ended, End.UNKNOWN), own_s)
    assert not at_deadline(line(EVENTS[:2], ended=ended), own_s)  # silent
    assert not at_deadline(line((), ended=ended), own_s)


def test_an_end_that_may_be_a_cut_is_possible_only() -> None:
    found = one(fates(line(end=End.UNKNOWN), (Doubt.END_UNKNOWN,), "", {}, again=line(end=End.UNKNOWN)))
    assert (found.cause, found.certainty) == (Cause.ANSWER_CUT, "possible")
    assert "as by a limit" not in found.because


@pytest.mark.parametrize(
    ("end", "doubt", "said"),
    [
        (End.CUT, Doubt.STREAM_CUT, "its connection ended before that"),
        (End.LEFT, Doubt.STILL_RUNNING, "it stayed open and silent"),
        (End.UNKNOWN, Doubt.END_UNKNOWN, "there it ended within an event"),
    ],
)
def test_a_length_that_is_not_true_is_told_from_a_cut(end: End, doubt: Doubt, said: str) -> None:
    found = one(fates(line(end=end), (doubt,), "", {"content-length": "5000"}))
    assert (found.cause, found.certainty) == (Cause.FALSE_HEADER, "likely")
    assert found.because == f"it says Content-Length: 5000, and {said}"


def test_a_coding_that_is_not_true_a_stored_copy_and_what_forms_no_events_are_named() -> None:
    empty = line((), end=End.CUT)
    coded = one(fates(empty, (Doubt.UNDECODABLE,), "it is no gzip", {"content-encoding": "gzip"}))
    assert (coded.cause, coded.because) == (Cause.FALSE_HEADER, "it is no gzip")
    stored = one(fates(line(end=End.WHOLE), (Doubt.REPLAYED,), "x-cache: HIT", {}))
    assert (stored.cause, stored.because) == (Cause.REPLAYED, "x-cache: HIT")
    assert "Cache-Control: no-store" in stored.remedy
    ndjson = {"content-type": "application/x-ndjson"}
    formless = one(fates(line(end=End.WHOLE), (Doubt.NO_EVENTS,), "", ndjson))
    assert formless.cause is Cause.NO_EVENTS
    assert "a line of its own" in formless.remedy
    assert "data:" not in formless.remedy


def test_bursts_that_pass_as_they_were_sent_are_named_and_single_events_are_not() -> None:
    bursts = [1_500.0 * (1 + place // 10) for place in range(60)]
    found = one(fates(line(bursts, end=End.WHOLE, stamps=bursts), (), "", {}))
    assert found.cause is Cause.BURSTS
    assert "6 times about 10 events came at once" in found.because
    assert fates(line(end=End.WHOLE, stamps=EVENTS), (), "", {}) == ()


@pytest.mark.parametrize(
    ("pulses", "usual", "blocked"),
    [
        ([(300.0, 3_010.0)], 4.0, True),  # back when the answer was over
        ([(300.0, 1_700.0), (1_900.0, 3_010.0)], 4.0, True),
        ([(300.0, 305.0), (900.0, 904.0), (2_100.0, 2_105.0)], 4.0, False),
        ([(300.0, 1_400.0), (2_600.0, 2_605.0)], 4.0, False),  # one stall
        ([(300.0, 1_301.0), (1_900.0, 2_901.0)], 1_001.0, False),  # a hop that holds every answer so
        ([(3_100.0, 9_000.0)], 4.0, False),  # after the answer
        ([], 4.0, False),
    ],
)
def test_a_service_that_answers_nothing_else_meanwhile_is_known_by_its_pings(
    pulses: list[tuple[float, float]], usual: float, *, blocked: bool
) -> None:
    assert bool(starved(pulses, usual_ms=usual, ended_ms=3_000.0)) is blocked
    assert not starved(pulses, usual_ms=usual, ended_ms=3_000.0, slept_ms=2_000.0)


def test_a_head_that_comes_only_with_the_first_event_is_said_unless_all_came_in_one_lump() -> None:
    late = replace(line([3_000.0 + at for at in EVENTS], end=End.WHOLE), ttfb_ms=3_490.0)
    assert "For 3.5 s nothing came, not even the head" in (late_head(late) or "")
    assert late_head(replace(late, ttfb_ms=5.0)) is None
    lump = replace(line([3_000.0] * 20, end=End.WHOLE), ttfb_ms=3_000.0)
    assert late_head(lump) is None


@pytest.mark.parametrize(
    ("pings_ms", "apart_ms", "clocked"),
    [
        ([900.0, 1_002.0, 1_001.0], 1_000.0, True),
        ([4.0, 5.0, 1_001.0], 1_000.0, False),
        ([200.0] * 5, 1_000.0, False),
        ([], 1_000.0, False),
        ([900.0], 80.0, False),  # no clumps
    ],
)
def test_where_small_requests_wait_as_long_as_clumps_are_apart_a_clock_may_do_both(
    pings_ms: list[float], apart_ms: float, *, clocked: bool
) -> None:
    each = 1 if apart_ms < 500 else 12
    pieces = [Piece(apart_ms * clump, 16) for clump in range(1, 7) for _ in range(each)]
    assert bool(by_the_clock(watch(pieces, pieces, "events"), pings_ms)) is clocked
