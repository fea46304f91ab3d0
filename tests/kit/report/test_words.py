from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from kit.proof.doubts import Doubt
from kit.proof.lane import Comparison, Lane, LaneState, state
from kit.proof.looks import Piece, watch
from kit.proof.verdict import Shape, Verdict
from kit.report.github import github
from kit.report.html import html
from kit.report.junit import junit
from kit.report.markdown import markdown
from kit.report.single import probe_text
from kit.report.table import table
from kit.report.words import (
    advice,
    attempts_words,
    conclusion,
    duration,
    environment_name,
    environment_words,
    expected_words,
    grounds,
    handed_out,
    hold_words,
    linked,
    place,
    remark,
    tally,
    verdict_words,
)
from kit.targets import Target


@pytest.fixture
def whole(comparison: Comparison) -> Lane:
    """Standard, header not sent."""
    return comparison.lanes[0]


@pytest.fixture
def streamed(comparison: Comparison) -> Lane:
    """Cloud Run, header sent."""
    return comparison.lanes[5]


@pytest.mark.parametrize(
    ("ms", "said"),
    [(None, "–"), (0, "0.0 ms"), (9.94, "9.9 ms"), (9.96, "10 ms"), (999.4, "999 ms"), (999.6, "1.0 s")],
)
def test_times_are_said_with_the_digits_that_matter(ms: float | None, said: str) -> None:
    assert duration(ms) == said


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:secret@host:8443/search?q=1", "https://***@host:8443/search?q=1"),
        ("https://host/a@b", "https://host/a@b"),
        ("http://[::1", "http://[::1"),
    ],
)
def test_a_password_in_a_url_is_in_no_report(url: str, shown: str) -> None:
    assert place(url) == shown


def test_a_hold_below_the_floor_is_said_as_below_the_floor(streamed: Lane) -> None:
    assert hold_words(streamed) == "< 15 ms"
    assert hold_words(replace(streamed, hold_ms=208.0)) == "208 ms"


def test_a_whole_message_is_held_to_the_end(whole: Lane) -> None:
    assert hold_words(whole) == "to the end"


def test_a_lane_that_failed_has_no_verdict_and_no_hold(troubled: Comparison) -> None:
    failed = troubled.lanes[5]
    assert verdict_words(failed) == "could not be measured"
    assert hold_words(failed) == "–"
    assert advice(failed, None) == "Read the end of its log in build/run.log."


def test_the_promise_names_the_documented_size(comparison: Comparison, targets: Mapping[str, Target]) -> None:
    flex_off = comparison.lanes[2]
    assert expected_words(flex_off, targets["flex"]) == "buffered in blocks of 64 KiB"
    assert expected_words(flex_off, None) == "buffered by size"


def test_a_held_lane_gets_its_targets_advice(whole: Lane, targets: Mapping[str, Target]) -> None:
    assert advice(whole, targets["standard"]) == targets["standard"].advice


def test_a_lane_that_streams_needs_no_advice(streamed: Lane, targets: Mapping[str, Target]) -> None:
    assert advice(streamed, targets["run"]) is None


def test_a_lane_that_should_stream_is_not_told_to_send_what_it_sent(
    troubled: Comparison, targets: Mapping[str, Target]
) -> None:
    said = advice(troubled.lanes[3], targets["flex"])
    assert said is not None
    assert said != targets["flex"].advice
    assert "hop by hop" in said


def test_an_unknown_server_that_holds_is_told_what_to_try_next(whole: Lane) -> None:
    unknown = replace(whole, expected=None)
    assert "--accel-header on" in (advice(unknown, None) or "")
    assert "does not free it" in (advice(replace(unknown, header="on"), None) or "")


def test_a_server_that_was_asked_nothing_is_not_told_that_the_header_did_not_help(whole: Lane) -> None:
    for arm in ("on", "off"):
        said = advice(replace(whole, expected=None, header=arm, doubts=(Doubt.NO_PROOF,)), None) or ""
        assert "does not free it" not in said
        assert "--accel-header" not in said
        assert "X-Accel-Buffering: no" in said


def test_an_answer_smaller_than_a_block_is_explained(comparison: Comparison) -> None:
    said = remark(comparison.lanes[2])
    assert said is not None
    assert "smaller than one block" in said
    assert remark(replace(comparison.lanes[2], block_bytes=4096, shape=Shape.BLOCKS)) is None


def test_the_conclusion_counts_the_promises_that_were_kept(
    comparison: Comparison, targets: Mapping[str, Target]
) -> None:
    assert conclusion(comparison, targets) == "6 of 6 lanes as their platform's documentation promises"


def test_the_conclusion_names_the_lanes_that_are_not_as_promised(
    troubled: Comparison, targets: Mapping[str, Target]
) -> None:
    said = conclusion(troubled, targets)
    assert said.startswith("3 of 6 lanes as their platform's documentation promises; not so: ")
    assert "flex on (buffered whole, promised streamed)" in said
    assert "run off (inconclusive, promised streamed)" in said
    assert "run on (could not be measured, promised streamed)" in said


def test_an_answer_in_pieces_is_neither_streamed_nor_buffered(polled: Lane) -> None:
    assert (verdict_words(polled), expected_words(polled, None)) == ("arrived as written",) * 2
    assert verdict_words(replace(polled, verdict=Verdict.TIME_LIMITED, hold_ms=600.0)) == "pieces held"
    assert verdict_words(replace(polled, verdict=Verdict.WHOLE_MESSAGE)) == "all at the end"
    assert verdict_words(replace(polled, verdict=Verdict.INCONCLUSIVE)) == "inconclusive"


def test_pieces_that_are_held_are_not_told_of_a_header(polled: Lane, targets: Mapping[str, Target]) -> None:
    assert advice(polled, targets["standard"]) is None
    for verdict in (Verdict.TIME_LIMITED, Verdict.WHOLE_MESSAGE):
        said = advice(replace(polled, verdict=verdict), targets["standard"]) or ""
        assert "hop by hop" in said
        assert "X-Accel-Buffering" not in said


def test_that_pieces_pass_is_not_called_the_platforms_documentation(
    comparison: Comparison, polled: Lane, targets: Mapping[str, Target]
) -> None:
    held = replace(polled, verdict=Verdict.WHOLE_MESSAGE)
    said = conclusion(replace(comparison, lanes=(*comparison.lanes, held)), targets)
    assert said == (
        "6 of 7 lanes as expected; not so: standard polling (all at the end, promised arrived as written)"
    )


def test_an_expectation_of_ones_own_is_not_called_documentation(whole: Lane, comparison: Comparison) -> None:
    mine = replace(comparison, environment="url", lanes=(replace(whole, target="mine"),))
    assert conclusion(mine, {}) == "1 of 1 lane as expected"


def test_without_expectations_the_conclusion_says_what_was_found(comparison: Comparison) -> None:
    lanes = tuple(replace(lane, expected=None) for lane in comparison.lanes)
    assert tally(replace(comparison, lanes=lanes), {}) == (
        "6 lanes measured: 2 buffered whole, 1 buffered in blocks of 64 KiB, 3 streamed"
    )


def test_streaming_against_expectation_is_not_passed_over(streamed: Lane) -> None:
    said = advice(replace(streamed, expected=Verdict.WHOLE_MESSAGE), None)
    assert "against expectation" in (said or "")


def test_what_is_deployed_is_told_apart_from_its_rehearsal(
    comparison: Comparison, deployed: Comparison
) -> None:
    assert environment_words(deployed).startswith("Measured on deployed services")
    assert environment_name(deployed) == "cloud"
    rehearsed = replace(comparison, environment="cloud")
    assert environment_words(rehearsed).startswith("A rehearsal: measured on this machine")
    assert environment_name(rehearsed) == "rehearsal"


def test_one_lane_on_this_machine_is_enough_to_make_it_a_rehearsal(deployed: Comparison) -> None:
    first, *rest = deployed.lanes
    mixed = replace(deployed, lanes=(replace(first, url="http://localhost:8080/"), *rest))
    assert environment_name(mixed) == "rehearsal"
    broken = replace(deployed, lanes=(replace(first, url="http://[::1"), *rest))
    assert environment_name(broken) == "cloud"


def test_the_lab_and_a_url_on_this_machine_are_no_rehearsals(comparison: Comparison) -> None:
    assert environment_name(comparison) == "lab"
    assert environment_words(replace(comparison, environment="url")).startswith("Measured at the URLs given")


def test_a_report_that_is_handed_out_has_no_query_and_no_password() -> None:
    assert handed_out("https://a:b@example.org/search?key=secret") == "https://***@example.org/search?…"
    assert handed_out("http://127.0.0.1:8080/search") == "http://127.0.0.1:8080/search"


def test_a_promise_rests_on_what_the_platform_says_of_its_arm(
    comparison: Comparison, polled: Lane, targets: Mapping[str, Target]
) -> None:
    off, on = comparison.lanes[:2]
    streaming, about_header = targets["standard"].claims
    standard = replace(targets["standard"], claims=(streaming, replace(about_header, about="header")))
    assert grounds(off, standard) == (streaming,)
    assert grounds(on, standard) == standard.claims
    assert grounds(polled, standard) == ()
    assert grounds(replace(on, expected=Verdict.INCREMENTAL), standard) == ()
    assert grounds(on, None) == ()


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("https://a.b/c (2026-04-10)", ("https://a.b/c", " (2026-04-10)")),
        ("a.b/c", ("https://a.b/c", "")),
        ("nothing found", (None, "nothing found")),
        ("http://a.b/c", (None, "http://a.b/c")),
        ("https://a.b/<c>", (None, "https://a.b/<c>")),
    ],
)
def test_a_source_is_a_link_as_far_as_it_is_an_address(source: str, told: tuple[str | None, str]) -> None:
    assert linked(source) == told


def test_every_attempt_is_told_and_nothing_where_once_was_enough(retried: Lane) -> None:
    assert attempts_words(retried) == (
        "Measured 3 times, since what came before decided nothing: 1. could not be measured (unreachable); "
        "2. inconclusive (slow-link, cold-start); 3. streamed."
    )
    assert attempts_words(replace(retried, earlier=())) is None


def test_what_became_of_the_answer_is_said_in_the_headline_of_every_report(comparison: Comparison) -> None:
    lane = replace(comparison.lanes[3], doubts=(Doubt.STREAM_CUT,))
    assert verdict_words(lane) == "streamed, but the answer was cut"
    assert state(lane) is LaneState.NOT_AS_EXPECTED
    cut = replace(comparison, lanes=(replace(lane, expected=None),))
    for written in (markdown(cut, {}), junit(cut, {}), github(cut, {}), html(cut, {}), table(cut, {})):
        assert "but the answer was cut" in written
    assert probe_text(cut.lanes[0]).startswith("? streamed, but the answer was cut")


def test_an_answer_in_clumps_beside_a_way_that_streams_is_said_to_be(comparison: Comparison) -> None:
    pieces = [Piece(700.0 * (1 + place // 20), 820) for place in range(200)]
    lane = replace(
        comparison.lanes[3],
        verdict=Verdict.INCONCLUSIVE,
        doubts=(Doubt.ANSWER_IN_CLUMPS,),
        timeline=replace(comparison.lanes[3].timeline, watched=watch(pieces, (), "events")),
    )
    assert verdict_words(lane) == (
        "inconclusive: the way here streams, and the answer came in 10 clumps all the same"
    )
    assert verdict_words(replace(lane, doubts=(Doubt.APP_BUNCHED,))) == (
        "inconclusive: the way here streams, and the app itself sent the answer in a bunch"
    )


def test_where_browsers_and_plain_clients_differ_every_report_says_for_whom_and_what_to_do(
    comparison: Comparison,
) -> None:
    held = replace(comparison.lanes[2], asked_as="both", only_for="browser")
    assert verdict_words(held) == "held for browsers: compression (buffered in blocks of 64 KiB)"
    plain = replace(held, only_for="plain", verdict=Verdict.REFUSED, shape=None, block_bytes=None)
    assert verdict_words(plain) == "refused to stream for clients that accept no compression"
    for lane in (held, replace(held, only_for="plain")):
        said = advice(lane, None) or ""
        assert "not tried" in said
    only = replace(comparison, lanes=(replace(held, expected=Verdict.INCREMENTAL),))
    for written in (markdown(only, {}), junit(only, {}), github(only, {}), html(only, {}), table(only, {})):
        assert "held for browsers: compression" in written.replace("%3A", ":")
    assert "gzip off;" in (advice(held, None) or "")


def test_for_whom_it_was_not_judged_is_said_beside_what_streams(streamed: Lane, whole: Lane) -> None:
    assert remark(replace(streamed, asked_as="both")) is None
    assert "not as a client that accepts no compression" in (
        remark(replace(streamed, asked_as="browser")) or ""
    )
    assert "for no other client" in (remark(replace(streamed, asked_as="given")) or "")
    assert remark(replace(whole, asked_as="browser")) is None
