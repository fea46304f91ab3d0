"""A comparison as the lab measures it, with its targets, and any comparison at all for hypothesis."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import inf
from typing import get_args

from hypothesis import strategies as st

from kit.errors import Code
from kit.proof.contract import Clause, ClauseFinding, Figure, Limit, Sign, Sure, Term
from kit.proof.doubts import Doubt
from kit.proof.exchange import HeaderKnown, Request, Response
from kit.proof.lane import Arm, Attempt, Comparison, Lane, LaneError
from kit.proof.looks import Kind, Piece, watch
from kit.proof.timeline import Arrival, Timeline
from kit.proof.verdict import Method, Shape, Verdict
from kit.report.view import ComparisonView
from kit.targets import Certainty, Claim, get

PROMPT = "Why does a streamed answer feel faster than a whole one? 为什么？"


def _claim(text: str, quote: str | None, source: str, certainty: Certainty) -> Claim:
    return Claim(text=text, quote=quote, source=source, certainty=certainty, about="streaming")


# The kit's own, with claims and advice that a report's tests may quote.
_SAID: Mapping[str, tuple[str | None, tuple[Claim, ...]]] = {
    "standard": (
        "Nothing frees a stream here: deploy it to Flex or Cloud Run, or let the page poll "
        "(Prefer: respond-async).",
        (
            _claim(
                "The whole body is collected and sent as one response.",
                "App Engine doesn't support streaming responses where data is sent in incremental chunks",
                "docs.cloud.google.com/appengine/docs/standard/how-requests-are-handled",
                "A",
            ),
            _claim(
                "X-Accel-Buffering: no has no effect.",
                "attempts to disable buffering via HTTP headers (e.g., X-Accel-Buffering: no)",
                "https://openillumi.com/en/en-flask-llm-streaming-gae-standard-fix",
                "C",
            ),
        ),
    ),
    "flex": (
        "Send X-Accel-Buffering: no with the response.",
        (
            _claim(
                "Responses are held in blocks of 64 KiB.",
                "By default, all responses from App Engine are buffered in 64k-blocks.",
                "https://docs.cloud.google.com/appengine/docs/flexible/how-requests-are-handled",
                "A",
            ),
            _claim("The service learns when a client leaves.", None, "nothing found", "-"),
        ),
    ),
    "run": (
        None,
        (
            _claim(
                "Responses stream without any configuration.",
                "Cloud Run supports streaming HTTP responses.",
                "https://docs.cloud.google.com/run/docs/triggering/https-request",
                "A",
            ),
        ),
    ),
}
TARGETS = {name: replace(get(name), advice=advice, claims=claims) for name, (advice, claims) in _SAID.items()}


def _arrivals(how: str, events: int = 61) -> tuple[Arrival, ...]:
    """Events sent like a model's tokens, and when they arrived: "whole", "incremental" or "blocks"."""
    sent = [300 + 66.7 * seq + 9 * ((seq * 7) % 5) for seq in range(events)]
    arrivals = []
    for seq, at in enumerate(sent):
        match how:
            case "whole":
                arrived = sent[-1] + 8
            case "blocks":
                arrived = sent[min(events - 1, (seq // 20) * 20 + 19)] + 6
            case _:
                arrived = at + 1.3 + 0.2 * (seq % 3)
        arrivals.append(Arrival(seq, at, arrived, 160 + seq % 40))
    return tuple(arrivals)


def timeline(how: str, events: int = 61) -> Timeline:
    arrivals = _arrivals(how, events)
    ttfb = arrivals[0].arrived_ms if how != "incremental" else 300.4
    return Timeline(arrivals, ttfb, arrivals[-1].arrived_ms + 2, complete=True)


PASSED = (
    "Five pings: round trip 0.6 ms, the largest 0.9 ms.",
    "200 bytes: three events, each arrived before the next was asked for, in 0.7 ms.",
    "6,000 bytes: three events, each arrived before the next was asked for, in 0.9 ms.",
    "70,001 bytes: three events, each arrived before the next was asked for, in 1.4 ms.",
)


def _lane(target: str, header: Arm, how: str, **changes: object) -> Lane:
    verdicts = {
        "whole": (Verdict.WHOLE_MESSAGE, Shape.WHOLE, None, None),
        "blocks": (Verdict.BYTE_LIMITED, Shape.BLOCKS, 65_536, None),
        "incremental": (Verdict.INCREMENTAL, None, None, 0.3),
    }
    evidence = {
        "whole": (
            PASSED[0],
            "200 bytes: nothing arrived in 2.0 s.",
            "Fed on to 1 MiB in 11 steps: nothing arrived.",
            "The stream was ended: all of it arrived at once.",
        ),
        "blocks": (
            PASSED[0],
            "200 bytes: nothing arrived in 2.0 s.",
            "Fed on to 64 KiB: 65,536 bytes arrived; again at 128 KiB, and at 192 KiB.",
        ),
        "incremental": PASSED,
    }
    verdict, shape, block_bytes, hold_ms = verdicts[how]
    # What Flex holds in blocks of 64 KiB comes in one lump when the answer is shorter than that.
    line = timeline("whole" if how == "blocks" else how)
    lane = Lane(
        target=target,
        url=f"http://127.0.0.1:80{len(target)}/search",
        header=header,
        expected=TARGETS[target].expect[header],
        verdict=verdict,
        shape=shape,
        block_bytes=block_bytes,
        hold_ms=hold_ms,
        hold_floor_ms=15.0 if how == "incremental" else None,
        method=Method.LOCK_STEP,
        doubts=(),
        evidence=evidence[how],
        timeline=line,
    )
    return replace(lane, **changes)  # type: ignore[arg-type]


NOTHING = Timeline((), None, 0.0, complete=False)


def _comparison(*lanes: Lane) -> Comparison:
    return Comparison("lab", "2026-11-22T20:58:03Z", "0.1.0", PROMPT, lanes)


# Three targets in both arms, all as documented.
AS_PROMISED = _comparison(
    _lane("standard", "off", "whole"),
    _lane("standard", "on", "whole"),
    _lane("flex", "off", "blocks"),
    _lane("flex", "on", "incremental"),
    _lane("run", "off", "incremental"),
    _lane("run", "on", "incremental"),
)

# The same, measured on services that Google hosts.
DEPLOYED = replace(
    AS_PROMISED,
    environment="cloud",
    lanes=tuple(replace(lane, url=f"https://{lane.target}.example.org") for lane in AS_PROMISED.lanes),
)

# Asked for its answer in pieces, which arrive as they are written.
POLLED = _lane(
    "standard",
    "on",
    "incremental",
    expected=Verdict.INCREMENTAL,
    method=Method.STAMPS,
    evidence=("the answer came in 58 pieces, each a whole response",),
    delivery="polling",
)

# Unreachable, then inconclusive, then streamed.
RETRIED = _lane(
    "run",
    "on",
    "incremental",
    earlier=(
        Attempt(Verdict.INCONCLUSIVE, str(Code.UNREACHABLE), ()),
        Attempt(Verdict.INCONCLUSIVE, None, (Doubt.SLOW_LINK, Doubt.COLD_START)),
    ),
)

# A broken promise, an inconclusive lane, and one that could not be measured.
TROUBLED = _comparison(
    *AS_PROMISED.lanes[:3],
    _lane("flex", "on", "whole", doubts=(Doubt.COLD_START, Doubt.NOT_REPEATED)),
    _lane(
        "run",
        "off",
        "incremental",
        verdict=Verdict.INCONCLUSIVE,
        method=Method.PASSIVE,
        hold_ms=None,
        hold_floor_ms=None,
        doubts=(Doubt.NO_PROOF, Doubt.ARRIVALS_ALONE, Doubt.CLOCKS_NOT_ALIGNED),
        timeline=replace(
            timeline("blocks"),
            arrivals=tuple(replace(arrival, sent_ms=None) for arrival in _arrivals("blocks")),
        ),
        evidence=("The server does not answer at proof/ping.", "61 events arrived in 4 lumps."),
    ),
    _lane(
        "run",
        "on",
        "incremental",
        verdict=Verdict.INCONCLUSIVE,
        hold_ms=None,
        hold_floor_ms=None,
        evidence=(),
        timeline=NOTHING,
        error=LaneError(
            Code.SERVICE_DIED,
            "The service of run ended with status 1 before it answered.",
            "Read the end of its log in build/run.log.",
        ),
    ),
)

# Asked for its contract: one clause keeps its limit, one misses it, one is not decided, one has none.
CONTRACTED = _lane(
    "run",
    "on",
    "incremental",
    limits=(Limit(Term.MANY, ">=", 10.0), Limit(Term.CANCEL, "<", 1_000.0), Limit(Term.IDLE, ">", 60_000.0)),
    clauses=(
        ClauseFinding(
            Clause.CANCELLED,
            "goes on for the 5 s that it was watched",
            "proved",
            (Figure(Term.CANCEL, 5_000.0),),
            evidence=("A stream was left in mid-answer, twice: its origin wrote on both times.",),
            advice="nginx goes on for a client that left. Take that out:\n    proxy_ignore_client_abort off;",
        ),
        ClauseFinding(
            Clause.MANY,
            "10 at once are delivered as one is",
            "proved",
            (Figure(Term.MANY, 10.0),),
            evidence=("10 streams in lock-step at the same time: all passed.",),
        ),
        ClauseFinding(
            Clause.KEPT_ALIVE,
            "a silence of 60 s ends it",
            "likely",
            (Figure(Term.IDLE, 60_000.0, 61_000.0),),
            (Doubt.NOT_REPEATED,),
            ("A silent stream was broken off after 60.2 s, a talking one was not.",),
        ),
        ClauseFinding(Clause.DEPLOY, "no deploy was watched", "unknown"),
    ),
)

# How a lane can come out, each once: held as documented, held against the promise, undecided, not measured,
# asked for in pieces and decided at the third attempt; asked for its contract.
EVERY = _comparison(*TROUBLED.lanes[2:], replace(POLLED, earlier=RETRIED.earlier), CONTRACTED)

_ms = st.floats(0, 1e7, allow_nan=False)
_words = st.text(max_size=30)
_errors = st.builds(LaneError, st.sampled_from(Code).map(str), _words, _words)
_timelines = st.builds(
    Timeline,
    st.lists(
        st.builds(Arrival, st.integers(0, 10**6), st.none() | _ms, _ms, st.integers(0, 10**9)), max_size=12
    ).map(lambda arrivals: tuple(sorted(arrivals, key=lambda arrival: arrival.arrived_ms))),
    st.none() | _ms,
    _ms,
    st.booleans(),
    watched=st.none()
    | st.builds(
        watch,
        st.lists(st.builds(Piece, _ms, st.integers(0, 10**6), st.none() | _ms), max_size=8).map(
            lambda pieces: sorted(pieces, key=lambda piece: piece.at_ms)
        ),
        st.just(()),
        st.sampled_from(get_args(Kind)),
    ),
)


_doubts = st.lists(st.sampled_from(Doubt), max_size=3, unique=True).map(tuple)
_attempts = st.builds(Attempt, st.sampled_from(Verdict), st.none() | st.sampled_from(Code).map(str), _doubts)


_figures = st.builds(Figure, st.sampled_from(Term), _ms, _ms | st.just(inf))


def _clauses(words: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[ClauseFinding, ...]]:
    texts = st.lists(words, max_size=2).map(tuple)
    figures = st.lists(_figures, max_size=2).map(tuple)
    one = st.builds(
        ClauseFinding,
        st.sampled_from(Clause),
        words,
        st.sampled_from(get_args(Sure)),
        figures,
        _doubts,
        texts,
        words,
    )
    return st.lists(one, max_size=3, unique_by=lambda finding: finding.clause).map(tuple)


_limits = st.builds(
    Limit, st.sampled_from(Term), st.sampled_from(get_args(Sign)), st.integers(0, 999_999).map(float)
)


@st.composite
def any_lane(draw: st.DrawFn, words: st.SearchStrategy[str] = _words) -> Lane:
    error, texts, counts = draw(st.none() | _errors), st.none() | words, st.integers(0, 10**7)
    return Lane(
        target=draw(st.sampled_from(["standard", "flex", "run"]) | words),
        url=draw(words),
        header=draw(st.sampled_from(["on", "off"])),
        expected=draw(st.none() | st.sampled_from(Verdict)),
        verdict=Verdict.INCONCLUSIVE if error else draw(st.sampled_from(Verdict)),
        shape=draw(st.none() | st.sampled_from(Shape)),
        block_bytes=draw(st.none() | st.integers(0, 10**7)),
        hold_ms=draw(st.none() | _ms),
        hold_floor_ms=draw(st.none() | _ms),
        method=draw(st.sampled_from(Method)),
        doubts=draw(_doubts),
        evidence=tuple(draw(st.lists(words, max_size=3))),
        timeline=draw(_timelines),
        error=error,
        delivery=draw(st.sampled_from(["stream", "polling"])),
        earlier=tuple(draw(st.lists(_attempts, max_size=2))),
        limits=tuple(draw(st.lists(_limits, max_size=2, unique_by=lambda limit: limit.term))),
        clauses=draw(_clauses(words)),
        request=draw(st.none() | st.builds(Request, words, words, words, texts, texts, counts)),
        response=draw(
            st.none()
            | st.builds(Response, st.integers(100, 999), texts, texts, st.none() | counts, *[texts] * 5)
        ),
        header_known=draw(st.none() | st.sampled_from(get_args(HeaderKnown))),
        round_trip_ms=draw(st.none() | _ms),
    )


def filled(seen: ComparisonView, other: Callable[[], str]) -> ComparisonView:
    """The same with every string replaced that a server, an app or a target's author may choose."""
    lanes = tuple(
        replace(
            lane,
            target=other(),
            title=other(),
            name=other(),
            url=other(),
            address=other(),
            error=None if lane.error is None else LaneError("internal", other(), other()),
            advice=None if lane.advice is None else other(),
            head=other() if lane.head else "",
            evidence=tuple(other() for _ in lane.evidence),
            attempts=tuple(other() for _ in lane.attempts),
            clauses=tuple(
                replace(one, says=other(), evidence=tuple(other() for _ in one.evidence), advice=other())
                for one in lane.clauses
            ),
            grounds=tuple(
                Claim(text=other(), source=other(), certainty="C", about="streaming") for _ in lane.grounds
            ),
        )
        for lane in seen.lanes
    )
    targets = tuple(
        replace(
            target,
            title=other(),
            claims=(Claim(text=other(), quote=other(), source=other(), certainty="C", about="streaming"),),
        )
        for target in seen.targets
    )
    return replace(
        seen,
        lanes=lanes,
        targets=targets,
        tally=other(),
        measured_at=other(),
        moment=other(),
        versions=other(),
        answer=tuple(other() for _ in seen.answer),
        asked=other(),
    )


# Any comparison at all.
COMPARISONS = st.builds(
    Comparison,
    st.sampled_from(["lab", "cloud", "url"]),
    st.datetimes().map(lambda moment: moment.strftime("%Y-%m-%dT%H:%M:%SZ")),
    _words,
    _words,
    st.lists(any_lane(), max_size=4).map(tuple),
)
