"""Who hides that a client left, by what was seen: on which side, and how sure."""

from __future__ import annotations

from math import inf

import pytest

from kit.proof.actions import By
from kit.proof.cancel_causes import hidden_by, stops
from kit.proof.cancelled import Departure, Outcome, judge
from kit.proof.causes import APART, Cause, Certainty
from kit.proof.contract import ClauseFinding
from kit.proof.fingerprints import Hop, hops

NGINX = hops({"server": "nginx"})


def left(later: Outcome, early: Outcome, *, held: bool = False, older: bool = False) -> list[Departure]:
    """What became of streams, each way of leaving twice."""

    def one(outcome: Outcome, by: By, *, silent: bool, early: bool) -> Departure:
        most_ms = 5.0 if outcome is Outcome.STOPS else 4_100.0 if silent else 600.0
        quiet_ms = 4_000.0 if silent else 500.0
        goes_on = outcome is Outcome.GOES_ON
        return Departure(
            by,
            early,
            outcome,
            4_500.0 if goes_on else 0.0,
            inf if goes_on else most_ms,
            4_500.0,
            quiet_ms,
            events=0 if outcome is Outcome.STOPS else 1,
            prompt=outcome is Outcome.AT_EVENT,
            held=held and not early,
            older=older,
        )

    return [
        one(outcome, by, silent=silent, early=is_early)
        for outcome, by, is_early in ((later, By.FIN, False), (later, By.RST, False), (early, By.FIN, True))
        for silent in (True, False)
    ]


STOPS = judge(left(Outcome.STOPS, Outcome.STOPS))
GOES_ON = judge(left(Outcome.GOES_ON, Outcome.GOES_ON))
UNKNOWN = judge([Departure(By.FIN, False, Outcome.UNDECIDED, why="it was not to be asked")])


def test_what_is_made_up_here_is_what_it_says() -> None:
    assert [stops(one) for one in (STOPS, GOES_ON, UNKNOWN, None)] == [True, False, None, None]
    assert (STOPS.sure, GOES_ON.sure, UNKNOWN.sure) == ("proved", "proved", "unknown")


@pytest.mark.parametrize(
    ("later", "early", "held", "cause"),
    [
        (Outcome.AT_EVENT, Outcome.AT_EVENT, False, Cause.CANCEL_IGNORED),
        (Outcome.AT_EVENT, Outcome.UNDECIDED, False, Cause.CANCEL_IGNORED),
        (Outcome.GOES_ON, Outcome.GOES_ON, False, Cause.CANCEL_LOST),
        (Outcome.GOES_ON, Outcome.AT_EVENT, False, Cause.CANCEL_LOST),
        (Outcome.GOES_ON, Outcome.GOES_ON, True, Cause.CANCEL_COLLECTED),
        (Outcome.STOPS, Outcome.AT_EVENT, False, Cause.CANCEL_EARLY),
        (Outcome.STOPS, Outcome.GOES_ON, False, Cause.CANCEL_EARLY),
    ],
)
def test_where_the_service_itself_notices_it_is_a_hop(
    later: Outcome, early: Outcome, held: bool, cause: Cause
) -> None:
    seen = left(later, early, held=held)
    finding = judge(seen)
    (named,) = hidden_by(seen, finding, direct=STOPS)
    sure = "certain" if finding.sure == "proved" else "likely"
    assert (named.cause, named.certainty, named.holds, named.apart) == (cause, sure, False, "")
    assert named.where.endswith("it is a hop between there and here")
    assert finding.says in named.because
    assert STOPS.says in named.because


@pytest.mark.parametrize(
    ("outcome", "cause"),
    [(Outcome.AT_EVENT, Cause.CANCEL_BY_WRITES), (Outcome.GOES_ON, Cause.CANCEL_LOST)],
)
def test_where_it_does_not_notice_either_it_is_there(outcome: Outcome, cause: Cause) -> None:
    seen = left(outcome, outcome)
    (named,) = hidden_by(seen, judge(seen), direct=judge(seen))
    assert (named.cause, named.certainty, named.apart) == (cause, "likely", "")
    assert "it is the service's own server, or a hop there" in named.where


@pytest.mark.parametrize("direct", [None, UNKNOWN])
@pytest.mark.parametrize(
    ("outcome", "server", "causes"),
    [
        (
            Outcome.AT_EVENT,
            NGINX,
            [(Cause.CANCEL_IGNORED, "likely"), (Cause.CANCEL_BY_WRITES, "possible")],
        ),
        (Outcome.AT_EVENT, (), [(Cause.CANCEL_IGNORED, "possible"), (Cause.CANCEL_BY_WRITES, "possible")]),
        (Outcome.GOES_ON, (), [(Cause.CANCEL_LOST, "likely")]),
    ],
)
def test_without_the_service_itself_both_sides_are_named(
    outcome: Outcome,
    server: tuple[Hop, ...],
    causes: list[tuple[Cause, Certainty]],
    direct: ClauseFinding | None,
) -> None:
    seen = left(outcome, outcome)
    named = hidden_by(seen, judge(seen), direct=direct, hops=server)
    assert [(one.cause, one.certainty) for one in named] == causes
    assert {one.apart for one in named} == {APART}


def test_an_older_origin_makes_nothing_certain() -> None:
    seen = left(Outcome.AT_EVENT, Outcome.UNDECIDED, older=True)
    (named,) = hidden_by(seen, judge(seen), direct=STOPS)
    assert (named.cause, named.certainty) == (Cause.CANCEL_IGNORED, "likely")


def test_the_other_version_of_http_is_said_where_it_passes_it_on() -> None:
    seen = left(Outcome.GOES_ON, Outcome.GOES_ON)
    (named,) = hidden_by(seen, judge(seen), other=STOPS, other_http="HTTP/1.1")
    assert f"over HTTP/1.1: {STOPS.says}" in named.because
    (named,) = hidden_by(seen, judge(seen), other=GOES_ON, other_http="HTTP/1.1")
    assert "HTTP/1.1" not in named.because


@pytest.mark.parametrize("finding", [STOPS, UNKNOWN])
def test_what_is_not_hidden_or_not_known_has_no_cause(finding: ClauseFinding) -> None:
    assert hidden_by(left(Outcome.STOPS, Outcome.STOPS), finding, direct=STOPS) == ()


@pytest.mark.parametrize("cause", [one for one in Cause if one.startswith("cancel-")])
def test_each_cause_has_a_line_to_paste(cause: Cause) -> None:
    assert cause.says
    assert any(line.startswith("    ") for line in cause.remedy.splitlines())
