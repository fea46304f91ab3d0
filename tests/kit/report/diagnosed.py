"""What the doctor found: three diagnoses as it makes them, and any diagnosis at all for hypothesis."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from kit.proof.causes import Cause, NamedCause
from kit.proof.conditions import Change, Conditions
from kit.proof.diagnosis import AppExamined, Diagnosis
from kit.proof.doubts import Doubt
from kit.proof.experiments import Experiment, Row, as_asked
from kit.proof.fingerprints import hops
from kit.proof.looks import Piece, watch
from kit.proof.quick_check import Observation, State
from kit.proof.verdict import Method, Shape, Verdict
from tests.kit.report.measured import AS_PROMISED, any_lane

AT = Conditions("POST", "text/event-stream", "off", coding="gzip")
PASSED = Observation(State.STREAMS, "5 events, each sent only after the one before had come: passed")
DID_NOT_COME = Observation(State.HELD, "the first event did not come within 2000 ms")
LUMP = Observation(State.HELD, "after 3050 ms of nothing, 301 events within 0 ms", proven=False)
URL = "https://example.com/chat"
_STREAMED, _HELD = AS_PROMISED.lanes[3], AS_PROMISED.lanes[2]

STREAMS = Diagnosis(
    URL,
    replace(_STREAMED, expected=None),
    (),
    (Row(as_asked(AT), PASSED),),
    (),
    (),
    1,
    first_verdict_ms=84.26,
)

HELD = Diagnosis(
    URL,
    replace(_HELD, expected=None),
    (
        NamedCause(
            Cause.NGINX_BUFFERS,
            "certain",
            "freed by X-Accel-Buffering: no",
            where="asked directly, a stream passes: it is a hop between there and here",
        ),
    ),
    (
        Row(as_asked(AT), DID_NOT_COME),
        Row(
            Experiment(AT, "as asked, to the end", whole=True),
            replace(DID_NOT_COME, shape=Shape.BLOCKS, block_bytes=65_536),
        ),
        Row(Experiment(Change.HEADER.applied(AT), Change.HEADER.words(AT)), PASSED),
    ),
    hops({"server": "varnish", "x-powered-by": "Express", "via": "1.1 varnish"}),
    (),
    1,
)

WATCHED = Diagnosis(
    URL,
    replace(
        AS_PROMISED.lanes[0],
        expected=None,
        verdict=Verdict.INCONCLUSIVE,
        shape=None,
        hold_ms=None,
        method=Method.PASSIVE,
        doubts=(Doubt.ARRIVALS_ALONE, Doubt.NO_PROOF),
        timeline=replace(
            AS_PROMISED.lanes[0].timeline, watched=watch([Piece(3_050.0, 90)] * 301, (), "events")
        ),
    ),
    tuple(
        NamedCause(
            cause, "possible", LUMP.said, "which of the two: ask the service directly as well (--direct URL)"
        )
        for cause in (Cause.WHOLE_MESSAGE, Cause.APP)
    ),
    (Row(Experiment(AT, "as asked: POST over HTTP/1.1"), LUMP),),
    (),
    ("A POST may cost or change something, so it was not sent again.",),
    1,
)

BESIDE = replace(
    STREAMS,
    causes=(
        NamedCause(Cause.ANSWER_PATH, "likely", "a stream beside it passes; the answer came in one lump"),
    ),
    lane=replace(
        STREAMS.lane,
        verdict=Verdict.INCONCLUSIVE,
        hold_ms=None,
        doubts=(Doubt.ANSWER_DISAGREES_WITH_PROOF,),
        timeline=WATCHED.lane.timeline,
    ),
)

APP = AppExamined(STREAMS, {"standard": HELD, "flex": STREAMS, "run": STREAMS})

_switches = st.sampled_from(["on", "off"])
_conditions = st.builds(
    Conditions,
    st.sampled_from(["GET", "POST"]),
    st.sampled_from(["sse", "ndjson", "text"]),
    _switches,
    _switches,
    st.sampled_from(["", "gzip"]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)


def any_diagnosis(words: st.SearchStrategy[str]) -> st.SearchStrategy[Diagnosis]:
    """Any at all; `words` are what a server, or the URL's author, may have put there."""
    seen = st.builds(
        Observation,
        st.sampled_from(State),
        words,
        st.none() | st.sampled_from(Shape),
        st.none() | st.integers(0, 10**7),
        st.none() | st.floats(0, 1e7),
        st.booleans(),
        st.lists(st.sampled_from(Doubt), max_size=2, unique=True).map(tuple),
    )
    named = st.builds(
        NamedCause,
        st.sampled_from(Cause),
        st.sampled_from(["certain", "likely", "possible"]),
        words,
        words,
        words,
    )
    experiments = st.builds(Experiment, _conditions, words, st.booleans())
    names = st.sampled_from(["server", "via", "proxy-status", "x-cache", "alt-svc", "cf-ray", "x-railway-a"])
    hints = st.builds(
        lambda headers, host: hops(headers, host=host),
        st.dictionaries(names, words, max_size=3),
        st.none() | words,
    )
    return st.builds(
        Diagnosis,
        words,
        any_lane(words),
        st.lists(named, max_size=3).map(tuple),
        st.lists(st.builds(Row, experiments, seen), max_size=3).map(tuple),
        hints,
        st.lists(words, max_size=2).map(tuple),
        st.integers(1, 100),
        st.none() | st.floats(0, 1e7),
    )


def any_app(words: st.SearchStrategy[str]) -> st.SearchStrategy[AppExamined]:
    """The same of an app behind some fronts."""
    one = any_diagnosis(words)
    names = st.sampled_from(["standard", "flex", "run"])
    return st.builds(AppExamined, one, st.dictionaries(names, one, max_size=3))
