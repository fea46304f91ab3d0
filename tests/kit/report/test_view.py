"""What every format says: each sentence is checked here, and no format has one of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kit.proof.bound import Bound
from kit.proof.contract import Clause
from kit.proof.doubts import Doubt
from kit.proof.exchange import Response, request
from kit.proof.lane import Lane, LaneState, Mark
from kit.proof.looks import Piece, Watched, watch
from kit.proof.verdict import Method, Shape, Verdict
from kit.report.view import by_doubt, lane_view, rehearsed, view, where
from kit.targets import UNSOURCED, Claim, get
from tests.kit.report.measured import (
    AS_PROMISED,
    CONTRACTED,
    DEPLOYED,
    EVERY,
    POLLED,
    PROMPT,
    RETRIED,
    TARGETS,
    TROUBLED,
)

WHOLE, _, BLOCKS, STREAMED = AS_PROMISED.lanes[:4]
BROKEN_PROMISE, WATCHED, FAILED = TROUBLED.lanes[3:]
IN_CLUMPS = watch([Piece(700.0 * (1 + place // 20), 820) for place in range(200)], (), "events")
IN_ONE_LUMP = watch([Piece(3_050.0, 90)] * 301, (), "events")
EVENLY = watch([Piece(100.0 + 70 * place, 90) for place in range(60)], (), "events")
A_PAGE = watch([Piece(90.0, 9_000)], (), "page")


def looks(lane: Lane, watched: Watched, *doubts: Doubt, **changes: Any) -> Lane:
    """The lane without a verdict, its answer looking like that."""
    line = replace(lane.timeline, watched=watched)
    return replace(
        lane,
        **{"verdict": Verdict.INCONCLUSIVE, "shape": None, "doubts": doubts, "timeline": line, **changes},
    )


@pytest.mark.parametrize(
    ("lane", "verdict"),
    [
        (FAILED, "could not be measured"),
        (BLOCKS, "buffered in blocks of 64 KiB"),
        (POLLED, "arrived as written"),
        (replace(POLLED, verdict=Verdict.TIME_LIMITED, hold_ms=600.0), "pieces held"),
        (replace(POLLED, verdict=Verdict.WHOLE_MESSAGE), "all at the end"),
        (replace(POLLED, verdict=Verdict.INCONCLUSIVE), "inconclusive"),
        (
            replace(BLOCKS, only_for="browser"),
            "held for browsers: compression (buffered in blocks of 64 KiB)",
        ),
        (
            replace(BLOCKS, only_for="plain", verdict=Verdict.REFUSED),
            "refused to stream for clients that accept no compression",
        ),
        (replace(STREAMED, doubts=(Doubt.STREAM_CUT,)), "streamed, but the answer was cut"),
        (
            looks(STREAMED, IN_ONE_LUMP, Doubt.STREAM_CUT),
            "inconclusive, but it looks held: it came in one lump; the answer was cut",
        ),
        (looks(STREAMED, EVENLY), "inconclusive, but it looks streamed"),
        (looks(STREAMED, EVENLY, Doubt.OWN_PATH_HELD), "inconclusive"),
        (looks(STREAMED, A_PAGE), "inconclusive: a web page is no stream"),
        (
            looks(STREAMED, IN_CLUMPS, Doubt.ANSWER_IN_CLUMPS),
            "inconclusive: the way here streams, and the answer came in 10 clumps all the same",
        ),
        (
            looks(STREAMED, IN_CLUMPS, Doubt.APP_BUNCHED),
            "inconclusive: the way here streams, and the app itself sent the answer in a bunch",
        ),
        (
            looks(STREAMED, EVENLY, method=Method.PASSIVE, at_most=Bound(hold_ms=200.0)),
            "nothing over 70 ms or 90 bytes was collected",
        ),
    ],
)
def test_the_verdict_in_words(lane: Lane, verdict: str) -> None:
    assert lane_view(lane).verdict == verdict


def test_the_verdict_of_a_doubted_answer_counts_against_it() -> None:
    cut = replace(STREAMED, doubts=(Doubt.STREAM_CUT,))
    assert lane_view(cut).state is LaneState.NOT_AS_EXPECTED
    assert lane_view(replace(cut, expected=None)).state is LaneState.INCONCLUSIVE


def test_a_cut_at_a_deadline_has_the_line_of_a_target_that_holds_nothing_or_of_whose_default_it_is() -> None:
    at_30_s = replace(STREAMED.timeline, duration_ms=30_040.0)
    late = replace(STREAMED, doubts=(Doubt.STREAM_CUT, Doubt.CUT_AT_DEADLINE), timeline=at_30_s)
    ends = Claim(about="deadline", text="It ends after 30 s.", source="made up", certainty="-")
    passing, holding = (
        replace(TARGETS[name], advice="Raise it.", claims=(ends,)) for name in ("run", "flex")
    )
    assert lane_view(late, passing).advice == "Raise it."
    assert lane_view(late, passing).grounds == (ends,)
    assert lane_view(STREAMED, passing).grounds == ()
    assert lane_view(late, passing).mark is Mark.BROKEN
    assert lane_view(late, passing).verdict == "streamed, but the answer was cut after 30 s"
    for target in (holding, None):
        assert "default has a Google Cloud load balancer" in (lane_view(late, target).advice or "")
    # What raises the deadline of a front that holds nothing frees no stream that is held all the same.
    held = replace(BROKEN_PROMISE, expected=Verdict.WHOLE_MESSAGE)
    assert lane_view(held, passing).advice != "Raise it."
    assert lane_view(held, holding).advice == "Raise it."


def test_what_was_expected_names_the_documented_size_where_there_is_one() -> None:
    documented, unknown = lane_view(BLOCKS, TARGETS["flex"]), lane_view(BLOCKS)
    assert (documented.expected, unknown.expected) == ("buffered in blocks of 64 KiB", "buffered by size")
    assert (documented.documented, unknown.documented) == (True, False)
    assert lane_view(POLLED, TARGETS["standard"]).expected == "arrived as written"
    assert not lane_view(POLLED, TARGETS["standard"]).documented
    assert lane_view(replace(STREAMED, at_most=Bound(200.0))).expected == "incremental, hold<=200ms"
    assert lane_view(replace(STREAMED, expected=None)).expected is None


def test_the_headline_is_the_verdict_beside_what_was_expected() -> None:
    assert lane_view(STREAMED).headline == "streamed, as expected"
    assert lane_view(BROKEN_PROMISE).headline == "buffered whole, not as expected (streamed)"
    assert lane_view(replace(STREAMED, expected=None)).headline == "streamed"


def test_codes_are_what_a_program_would_say() -> None:
    assert lane_view(STREAMED).codes == {
        "verdict": "incremental",
        "expected": "incremental",
        "shape": "",
        "hold_ms": "0.3",
        "method": "lock-step",
    }
    assert (
        lane_view(replace(BLOCKS, expected=None, at_most=Bound(octets=4096.0))).codes["expected"]
        == "block<=4096B"
    )
    assert lane_view(FAILED).codes["method"] == ""


def test_a_lane_is_called_by_its_target_and_how_it_was_asked() -> None:
    lanes = [lane_view(lane, TARGETS["standard"]) for lane in (WHOLE, POLLED, replace(WHOLE, as_is=True))]
    assert [lane.name for lane in lanes] == ["standard off", "standard polling", "standard"]
    assert [lane.kind for lane in lanes] == ["off", "polling", "off"]
    assert {lane.title for lane in lanes} == {"App Engine Standard"}
    assert lane_view(WHOLE).title == "standard"


def test_an_address_to_hand_out_has_no_query() -> None:
    lane = lane_view(replace(WHOLE, url="https://me:pw@example.org/x?q=why"))
    assert lane.url == "https://***@example.org/x?q=why"
    assert lane.address == "https://***@example.org/x?…"


@pytest.mark.parametrize(
    ("lane", "hold", "seen_from"),
    [
        (STREAMED, "< 15 ms", None),
        (replace(STREAMED, hold_ms=208.4), "208 ms", "15 ms"),
        (replace(STREAMED, hold_ms=208.4, hold_floor_ms=None), "208 ms", None),
        (replace(STREAMED, hold_ms=None), "–", None),
        (WHOLE, "to the end", None),
        (FAILED, "–", None),
    ],
)
def test_a_hold_is_never_below_what_could_have_been_seen(
    lane: Lane, hold: str, seen_from: str | None
) -> None:
    assert (lane_view(lane).hold, lane_view(lane).seen_from) == (hold, seen_from)


HELD = replace(WHOLE, expected=None)


@pytest.mark.parametrize(
    ("lane", "target", "advice"),
    [
        (FAILED, None, "Read the end of its log in build/run.log."),
        (STREAMED, "flex", None),
        (WHOLE, "standard", "Nothing frees a stream here"),
        # What should stream gets no advice to send what it sent.
        (BROKEN_PROMISE, "flex", "It should stream here: probe the service directly, then hop by hop"),
        (replace(STREAMED, expected=Verdict.WHOLE_MESSAGE), None, "It streams, against expectation"),
        (HELD, None, "Send `X-Accel-Buffering: no` and measure again (--accel-header on)."),
        (replace(HELD, header="on"), None, "`X-Accel-Buffering: no` does not free it: probe"),
        # Of what was asked for nothing but its answer it is not known that the header did not help.
        (
            replace(HELD, header="on", doubts=(Doubt.NO_PROOF,)),
            None,
            "Whether `X-Accel-Buffering: no` frees it, or",
        ),
        (
            replace(HELD, header="off", doubts=(Doubt.NO_PROOF,)),
            None,
            "Whether `X-Accel-Buffering: no` frees it, or",
        ),
        (POLLED, "standard", None),
        (replace(POLLED, verdict=Verdict.TIME_LIMITED), "standard", "No hop has a reason to hold a piece"),
        (replace(POLLED, verdict=Verdict.WHOLE_MESSAGE), "standard", "No hop has a reason to hold a piece"),
        (replace(BLOCKS, only_for="browser"), None, "Something compresses the answer for each client"),
        (replace(BLOCKS, only_for="plain"), None, "It streams to browsers, and something collects it"),
        (looks(HELD, A_PAGE), None, "Give the address that the page calls."),
        (looks(HELD, EVENLY), None, "To see what holds it, if anything does"),
        (looks(HELD, EVENLY), "run", None),
        # What is as expected needs no examination.
        (looks(HELD, EVENLY, at_most=Bound(hold_ms=200.0)), None, None),
        (looks(HELD, EVENLY, expected=Verdict.INCONCLUSIVE), None, None),
        (looks(HELD, EVENLY, at_most=Bound(hold_ms=20.0)), None, "To see what holds it, if anything does"),
        (looks(HELD, EVENLY, Doubt.OWN_PATH_HELD), None, None),
    ],
)
def test_the_advice_is_what_can_be_done(lane: Lane, target: str | None, advice: str | None) -> None:
    said = lane_view(lane, None if target is None else TARGETS[target]).advice
    assert said == advice or (said is not None and advice is not None and said.startswith(advice))


@pytest.mark.parametrize(
    ("lane", "remark"),
    [
        (BLOCKS, "The whole answer (10,750 bytes) is smaller than one block, so it came at its end; "),
        (replace(BLOCKS, block_bytes=4096), None),
        (replace(STREAMED, asked_as="both"), None),
        (replace(STREAMED, asked_as="browser"), "Judged as a browser asks, not as a client that accepts no"),
        (replace(STREAMED, asked_as="given"), "Judged with the Accept-Encoding that was given, and for no"),
        (replace(WHOLE, asked_as="browser"), None),
        (
            looks(STREAMED, EVENLY, asked_as="given"),
            "The answer is not buffered whole: since its beginning nothing over 70 ms or 90 bytes was "
            "collected. Judged with the Accept-Encoding that was given, and for no other client.",
        ),
    ],
)
def test_the_remark_keeps_the_verdict_from_being_misread(lane: Lane, remark: str | None) -> None:
    said = lane_view(lane).remark
    assert said == remark or (said is not None and remark is not None and said.startswith(remark))


def test_whether_the_header_was_asked_for_is_said_where_it_was_asked_for() -> None:
    assert lane_view(STREAMED).asked == "the service was asked to send X-Accel-Buffering: no"
    assert lane_view(WHOLE).asked == "the service was asked not to send X-Accel-Buffering: no"
    assert lane_view(replace(STREAMED, as_is=True)).asked == "the service sends X-Accel-Buffering: no"
    assert (lane_view(replace(WHOLE, as_is=True)).asked or "").startswith("the service does not send, as far")
    assert lane_view(replace(STREAMED, doubts=(Doubt.NO_PROOF,))).asked is None


def test_every_attempt_is_told_and_nothing_where_once_was_enough() -> None:
    assert lane_view(RETRIED).attempts == (
        "could not be measured (unreachable)",
        "inconclusive (slow-link, cold-start)",
        "streamed",
    )
    assert lane_view(RETRIED).again == (
        "Measured 3 times, since what came before decided nothing: 1. could not be measured (unreachable); "
        "2. inconclusive (slow-link, cold-start); 3. streamed."
    )
    once = lane_view(replace(RETRIED, earlier=()))
    assert (once.attempts, once.again) == ((), None)


def test_a_promise_rests_on_what_the_platform_says_of_its_arm() -> None:
    off, on = AS_PROMISED.lanes[:2]
    streaming, about_header = TARGETS["standard"].claims
    standard = replace(TARGETS["standard"], claims=(streaming, replace(about_header, about="header")))
    assert lane_view(off, standard).grounds == (streaming,)
    assert lane_view(on, standard).grounds == standard.claims
    assert lane_view(POLLED, standard).grounds == ()
    assert lane_view(replace(on, expected=Verdict.INCREMENTAL), standard).grounds == ()
    assert lane_view(on).grounds == ()


def test_figures_and_evidence_are_the_lanes_own() -> None:
    lane = lane_view(WATCHED)
    assert (lane.first_byte, lane.first_event, lane.duration) == ("1.6 s", "1.6 s", "4.3 s")
    assert (lane.evidence, lane.doubts, lane.error) == (WATCHED.evidence, WATCHED.doubts, None)
    assert lane.method.startswith("observed only: arrival times alone")
    assert lane.looks.clumps == 4
    assert (lane_view(FAILED).error, lane_view(FAILED).word) == (FAILED.error, Verdict.INCONCLUSIVE)
    assert lane_view(replace(STREAMED, doubts=(Doubt.REPLAYED,))).fate == "is a stored copy"


def test_a_lane_that_could_not_be_measured_has_no_doubt_about_figures_that_it_has_not() -> None:
    about_arrivals = (Doubt.ARRIVALS_ALONE, Doubt.STILL_RUNNING, Doubt.TOO_SHORT)
    failed = replace(FAILED, doubts=(*about_arrivals, Doubt.TAB_HIDDEN, Doubt.STREAM_CUT))
    assert lane_view(failed).doubts == (Doubt.TAB_HIDDEN, Doubt.STREAM_CUT)
    assert lane_view(replace(failed, error=None)).doubts == failed.doubts


def test_the_tally_counts_what_is_as_documented_and_the_others_are_named() -> None:
    kept = view(AS_PROMISED, TARGETS)
    assert (kept.tally, kept.against) == ("6 of 6 as documented", ())
    troubled = view(TROUBLED, TARGETS)
    assert troubled.tally == "3 of 6 as documented"
    assert troubled.against == (
        "flex on: buffered whole, not as documented (streamed)",
        "run off: inconclusive, documented: streamed",
        "run on: could not be measured, documented: streamed",
    )


def test_what_is_no_platforms_documentation_is_not_called_so() -> None:
    held = replace(POLLED, verdict=Verdict.WHOLE_MESSAGE)
    found = view(replace(AS_PROMISED, lanes=(*AS_PROMISED.lanes, held)), TARGETS)
    assert found.tally == "6 of 7 as expected"
    assert found.against == ("standard polling: all at the end, not as expected (arrived as written)",)
    mine = replace(AS_PROMISED, environment="url", lanes=(replace(WHOLE, target="mine"),))
    assert view(mine, {}).tally == "1 of 1 as expected"
    # What a user expects of a platform is not what the platform documents.
    asked = replace(WHOLE, expected=Verdict.INCREMENTAL)
    assert lane_view(asked, TARGETS["standard"]).kept == "not as expected (streamed)"


def test_without_expectations_nothing_is_counted() -> None:
    lanes = tuple(replace(lane, expected=None) for lane in AS_PROMISED.lanes)
    assert view(replace(AS_PROMISED, lanes=lanes), {}).tally == ""
    unsure = view(replace(AS_PROMISED, lanes=(replace(WATCHED, expected=None),)), {})
    assert (unsure.tally, unsure.against) == ("", ())


def test_what_is_deployed_is_told_apart_from_its_rehearsal_and_from_the_lab() -> None:
    rehearsal = replace(AS_PROMISED, environment="cloud")
    first, *rest = DEPLOYED.lanes
    mixed = replace(DEPLOYED, lanes=(replace(first, url="http://localhost:8080/"), *rest))
    broken = replace(DEPLOYED, lanes=(replace(first, url="http://[::1"), *rest))
    for measured, environment, sentence in (
        (AS_PROMISED, "lab", "The lab's front ends are emulated from documentation, not observed"),
        (DEPLOYED, "cloud", "Measured on deployed services, through the platforms' own front ends."),
        (rehearsal, "rehearsal", "A rehearsal: measured on this machine"),
        (mixed, "rehearsal", "A rehearsal: measured on this machine"),
        (broken, "cloud", "Measured on deployed services"),
        (replace(AS_PROMISED, environment="url"), "url", "Measured at the URLs given"),
    ):
        assert view(measured, {}).environment == environment
        assert view(measured, {}).where == where(measured)
        assert where(measured).startswith(sentence)
    assert rehearsed(mixed.lanes)
    assert not rehearsed(DEPLOYED.lanes)


def test_when_and_with_what() -> None:
    seen = view(AS_PROMISED, TARGETS)
    assert seen.moment == "2026-11-22 20:58:03 UTC"
    assert seen.versions.startswith("kit 0.1.0, Python 3.")
    assert seen.targets == tuple(TARGETS.values())
    assert view(replace(AS_PROMISED, lanes=AS_PROMISED.lanes[:2]), TARGETS).targets == (TARGETS["standard"],)


def test_methods_are_those_that_measured_the_strongest_first() -> None:
    methods = view(TROUBLED, {}).methods
    assert [method.partition(":")[0] for method in methods] == ["lock-step", "observed only"]
    assert view(replace(TROUBLED, lanes=(FAILED,)), {}).methods == ()


def test_one_sentence_compares_the_targets_that_were_compared() -> None:
    def said(lanes: int) -> str | None:
        return view(replace(AS_PROMISED, lanes=AS_PROMISED.lanes[:lanes]), TARGETS).in_short

    standard, flex, run = (TARGETS[name].in_short for name in ("standard", "flex", "run"))
    assert said(6) == f"{standard}; {flex}; {run}."
    assert said(4) == f"{standard}; {flex}."
    assert said(2) is None
    assert view(AS_PROMISED, {}).in_short is None


def test_each_doubt_is_there_once_with_its_lanes() -> None:
    lanes = [lane_view(replace(lane, doubts=(Doubt.COLD_START,))) for lane in AS_PROMISED.lanes[4:]]
    doubted = lane_view(replace(STREAMED, doubts=(Doubt.NOT_REPEATED, Doubt.COLD_START)))
    assert by_doubt([*lanes, doubted]) == {
        Doubt.COLD_START: ["run off", "run on", "flex on"],
        Doubt.NOT_REPEATED: ["flex on"],
    }


@pytest.mark.parametrize(
    ("verdicts", "worst"),
    [
        ([], Verdict.INCONCLUSIVE),
        ([Verdict.INCREMENTAL], Verdict.INCREMENTAL),
        ([Verdict.WHOLE_MESSAGE, Verdict.INCREMENTAL], Verdict.WHOLE_MESSAGE),
        ([Verdict.REFUSED, Verdict.INCONCLUSIVE], Verdict.INCONCLUSIVE),
    ],
)
def test_the_worst_verdict_is_the_whole_comparisons(verdicts: list[Verdict], worst: Verdict) -> None:
    lanes = tuple(replace(WHOLE, verdict=verdict) for verdict in verdicts)
    assert view(replace(AS_PROMISED, lanes=lanes), {}).worst is worst


def test_a_shape_without_a_size_is_said_without_one() -> None:
    assert lane_view(replace(BLOCKS, block_bytes=None)).verdict == "buffered in blocks"
    assert lane_view(replace(BLOCKS, shape=Shape.TAIL)).verdict == (
        "the end of an event over 64 KiB waits for the next one"
    )


def test_a_clause_says_how_sure_it_is_and_what_was_expected_of_it() -> None:
    said = {one.clause: one.headline for one in lane_view(CONTRACTED).clauses}
    assert said == {
        Clause.KEPT_ALIVE: "a silence of 60 s ends it (likely), expected and not proved: idle>1m",
        Clause.CANCELLED: "goes on for the 5 s that it was watched, not as expected: cancel<1s",
        Clause.MANY: "10 at once are delivered as one is, as expected: many>=10",
        Clause.DEPLOY: "unknown (no deploy was watched)",
    }


def test_a_lane_with_a_clause_that_misses_its_limit_says_so_wherever_it_is_named() -> None:
    seen = lane_view(CONTRACTED)
    missed = "cancelled: goes on for the 5 s that it was watched, not as expected: cancel<1s"
    assert (seen.state, seen.mark, seen.delivered) == (
        LaneState.NOT_AS_EXPECTED,
        Mark.STREAMED,
        LaneState.OK,
    )
    for words in (seen.headline, seen.outcome, *view(replace(EVERY, lanes=(CONTRACTED,)), {}).against):
        assert missed in words
    assert seen.delivery == "streamed, as expected"


def test_a_limit_whose_clause_was_not_asked_fails_the_lanes_own_case() -> None:
    assert lane_view(replace(CONTRACTED, clauses=())).delivered is LaneState.INCONCLUSIVE


def test_beside_what_was_asked_stands_what_the_platform_documents() -> None:
    lane = replace(CONTRACTED, clauses=CONTRACTED.clauses[:1], limits=())
    seen = {one.clause: one for one in lane_view(lane, get("run"), emulated=True).clauses}
    assert list(seen) == [Clause.KEPT_ALIVE, Clause.CANCELLED, Clause.MANY, Clause.DEPLOY]
    assert seen[Clause.KEPT_ALIVE].cell == "documented: 5 min in all"
    assert seen[Clause.MANY].claims == get("run").documented(Clause.MANY)
    assert seen[Clause.CANCELLED].documented == UNSOURCED
    # What no source says of the platform is the lab's own doing.
    assert seen[Clause.CANCELLED].says == "goes on for the 5 s that it was watched (emulated)"
    (there,) = (one for one in lane_view(lane, get("run")).clauses if one.clause is Clause.CANCELLED)
    assert there.says == "goes on for the 5 s that it was watched"
    assert lane_view(replace(lane, clauses=()), get("run")).clauses == ()


def test_a_doubt_that_is_the_lanes_own_is_said_once() -> None:
    lane = replace(CONTRACTED, doubts=(Doubt.NOT_REPEATED,))
    assert lane_view(lane).all_doubts == (Doubt.NOT_REPEATED,)


def test_what_is_known_of_the_response_is_said_in_a_few_words() -> None:
    head = Response(200, "HTTP/1.1", "text/event-stream", None, "gzip", None, "nginx/1.22.1", None, None)
    assert lane_view(replace(WHOLE, response=head)).head == (
        "200, text/event-stream, gzip, HTTP/1.1, nginx/1.22.1"
    )
    counted = replace(head, content_length=1200, content_encoding=None, server=None)
    assert lane_view(replace(WHOLE, response=counted)).head == "200, text/event-stream, 1,200 bytes, HTTP/1.1"
    assert lane_view(WHOLE).head == ""


def test_no_report_says_that_a_question_was_asked_which_was_not() -> None:
    own = request("POST", "https://example.com/chat", (), b"{}", prompted=False)
    ours = replace(own, url="https://example.com/search", prompted=True)
    lanes = tuple(replace(lane, request=own) for lane in AS_PROMISED.lanes)
    foreign = view(replace(AS_PROMISED, lanes=lanes), TARGETS)
    assert (foreign.asked, foreign.prompted) == ("POST /chat", False)
    mixed = view(replace(AS_PROMISED, lanes=(*lanes, replace(lanes[0], request=ours))), TARGETS)
    assert (mixed.asked, mixed.prompted) == (PROMPT, True)
    # What a page asked, and what an older kit recorded, was the prompt.
    assert view(AS_PROMISED, TARGETS).asked == PROMPT
