"""Which runs it takes, and what they say, with made-up clients."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.proof.client_causes import ClientCause, Fault, Unclear
from kit.proof.client_examination import (
    MOST_RUNS,
    Conclusion,
    Run,
    Setup,
    examination,
    lacks_no_buffer,
    size_in_words,
)
from kit.proof.client_marks import PLACES, Place
from kit.proof.client_stress import LONG_SILENCES, SILENCES, Stress
from kit.proof.client_trial import Outcome, Trial
from kit.proof.verdict import Shape

FLOWS = Run(Trial(Outcome.FLOWS, "it flowed"), status=0)
STRESSED = ["in pieces", "a large event"]
PYTHON = ["python", "client.py"]
Client = Callable[[Setup], Run]


def held(shape: Shape | None = Shape.WHOLE, block: tuple[int, int] | None = None, requests: int = 1) -> Run:
    return Run(Trial(Outcome.HELD, "it was held", shape, block, ended=True), requests, 0)


def lost(outcome: Outcome, status: int | None = 0) -> Run:
    return Run(Trial(outcome, "nothing", ended=status is not None), status=status)


def broke(*wrong: Fault, lived_ms: float | None = None, place: Place | None = None, requests: int = 1) -> Run:
    trial = Trial(Outcome.BROKE, "it broke", wrong=wrong, lived_ms=lived_ms, place=place)
    return Run(trial, requests, None)


def conclude(
    client: Client,
    argv: Sequence[str] = PYTHON,
    environment: Mapping[str, str] | None = None,
    silences: Sequence[float] = (),
) -> Conclusion:
    machine = examination(argv, environment or {}, silences)
    _, setup = next(machine)
    try:
        while True:
            _, setup = machine.send(client(setup))
    except StopIteration as stop:
        found: Conclusion = stop.value
        return found


def names(found: Conclusion) -> list[str]:
    return [row.experiment for row in found.rows]


def test_a_client_that_flows_is_run_without_chunks_and_with_what_else_a_stream_brings() -> None:
    found = conclude(lambda setup: FLOWS, silences=(6,))
    assert found.cause is ClientCause.NO_FAULT
    assert names(found) == ["as it is", "unchunked", "HTTP/1.0", *STRESSED, "silence"]
    assert all(row.freed for row in found.rows)
    assert not found.warnings


def test_curl_is_freed_by_its_option() -> None:
    found = conclude(lambda setup: FLOWS if setup.no_buffer else held(), ["curl", "-s", "{url}"])
    assert found.cause is ClientCause.CURL_NO_BUFFER
    assert names(found) == ["as it is", "curl -N", "as it is, again", "unchunked", "HTTP/1.0", *STRESSED]
    assert [row.freed for row in found.rows] == [False, True, False, True, True, True, True]


def test_python_is_freed_by_its_variable() -> None:
    found = conclude(lambda setup: FLOWS if setup.unbuffered else held())
    assert found.cause is ClientCause.PYTHON_STDOUT


def test_a_variable_that_only_this_shell_may_have_is_a_warning() -> None:
    found = conclude(
        lambda setup: held() if setup.unbuffered is False else FLOWS,
        environment={"PYTHONUNBUFFERED": "1"},
    )
    assert found.cause is ClientCause.NO_FAULT
    (warned,) = found.warnings
    assert warned.cause is ClientCause.PYTHON_STDOUT
    assert "PYTHONUNBUFFERED is set in this shell" in warned.sentence


def test_what_a_terminal_frees_is_the_output() -> None:
    found = conclude(lambda setup: FLOWS if setup.terminal else held())
    assert found.cause is ClientCause.STDOUT_PIPE


def test_node_is_not_asked_about_python() -> None:
    found = conclude(lambda setup: held(), ["node", "client.mjs"])
    assert names(found) == ["as it is", "a terminal", "as ndjson", "as text"]
    assert found.cause is ClientCause.WHOLE_BODY_READER


def test_reads_of_a_fixed_size_are_found_with_it() -> None:
    found = conclude(lambda setup: held(Shape.BLOCKS, (1024, 1024)) if setup.sizes else held(None))
    assert found.cause is ClientCause.READS_FIXED_SIZE
    assert "waits until 1,024 bytes of the stream are there" in found.sentence
    assert found.block == (1024, 1024)


def test_output_that_is_collected_on_a_terminal_too_is_no_way_of_reading() -> None:
    blocks = Trial(Outcome.HELD, "it was held", Shape.BLOCKS, (1, 1024), output_block=4096)
    found = conclude(lambda setup: Run(blocks))
    assert found.cause is ClientCause.OUTPUT_FIXED_SIZE
    assert "4,096 bytes" in found.sentence


def test_a_lag_of_an_event_is_no_hold_without_a_name() -> None:
    assert conclude(lambda setup: held(Shape.TAIL)).cause is ClientCause.WAITS_FOR_NEXT_EVENT
    assert conclude(lambda setup: held(Shape.TIMER)).cause is ClientCause.HELD_OTHERWISE


def test_a_client_that_streams_another_media_type_is_found() -> None:
    found = conclude(lambda setup: FLOWS if setup.media == "ndjson" else held())
    assert found.cause is ClientCause.MEDIA_TYPE
    assert "application/x-ndjson" in found.sentence


def test_a_client_of_another_media_type_is_examined_in_that() -> None:
    failed = lost(Outcome.ENDED_EARLY, 1)
    found = conclude(lambda setup: FLOWS if setup.media == "ndjson" else failed)
    assert found.cause is ClientCause.NO_FAULT
    assert names(found) == ["as it is", "as ndjson", "unchunked", "HTTP/1.0", *STRESSED]
    assert {row.setup.media for row in found.rows[1:]} == {"ndjson"}
    assert found.rows[4].setup.places == PLACES["ndjson"]


def test_a_hold_of_unchunked_bodies_is_a_warning() -> None:
    found = conclude(
        lambda setup: held(Shape.BLOCKS, (385, 512)) if setup.framing == "close" else FLOWS,
    )
    assert found.cause is ClientCause.NO_FAULT
    (warned,) = found.warnings
    assert warned.cause is ClientCause.UNCHUNKED_READER
    assert "waits until about 512 bytes are there" in warned.sentence


def test_a_client_that_was_slow_once_is_not_warned_of() -> None:
    found = conclude(lambda setup: held(Shape.TIMER) if setup.framing == "close" else FLOWS)
    assert found.cause is ClientCause.NO_FAULT
    assert not found.warnings


def test_a_client_that_asks_for_something_else_first_gets_the_stream_later() -> None:
    found = conclude(lambda setup: FLOWS if setup.answered == 1 else held(requests=2))
    assert found.cause is ClientCause.NO_FAULT
    assert names(found)[:2] == ["as it is", "a later request"]


def test_a_client_that_only_tries_again_is_judged_by_the_first_run() -> None:
    never = lost(Outcome.NEVER_ASKED, None)
    found = conclude(lambda setup: never if setup.answered else held(requests=2), ["node", "x"])
    assert found.cause is ClientCause.WHOLE_BODY_READER


def test_a_client_that_does_something_else_on_a_terminal_is_asked_on_a_pipe() -> None:
    def client(setup: Setup) -> Run:
        return lost(Outcome.UNRECOGNISED) if setup.terminal else held(Shape.BLOCKS, (4096, 4096))

    found = conclude(client)
    assert names(found) == ["as it is", "unbuffered Python", "a terminal", "by size"]
    assert found.cause is ClientCause.READS_FIXED_SIZE


def test_a_hold_that_goes_away_by_itself_is_no_cause() -> None:
    def client(setup: Setup) -> Run:
        return lost(Outcome.UNRECOGNISED) if setup.terminal else FLOWS if setup.sizes else held()

    found = conclude(client)
    assert (found.cause, found.unclear) == (ClientCause.INCONCLUSIVE, Unclear.NOT_REPEATED)


def test_a_client_that_was_slow_once_is_not_said_to_be_freed_by_what_came_next() -> None:
    runs = iter([held(), FLOWS, FLOWS])
    found = conclude(lambda setup: next(runs))
    assert (found.cause, found.unclear) == (ClientCause.INCONCLUSIVE, Unclear.NOT_REPEATED)


def test_a_client_with_a_slow_beginning_does_not_read_the_whole() -> None:
    def client(setup: Setup) -> Run:
        return Run(Trial(Outcome.HELD, "it was held", Shape.WHOLE, ended=True, late=not setup.sizes))

    assert conclude(client).cause is ClientCause.HELD_OTHERWISE


LOST = Fault(ClientCause.LOSES_EVENTS, "loses it")
GIVES_UP = Fault(ClientCause.SILENCE, "gives up after 5 s of silence")
LIMITED = Fault(ClientCause.WHOLE_TIME, "gives up after 8 s")
LARGE = Fault(ClientCause.LONG_LINE, "loses a large one")


def stressed(**runs: Run) -> Client:
    """A client that flows but for this."""
    return lambda setup: FLOWS if setup.stress is None else runs.get(setup.stress.name.lower(), FLOWS)


def test_a_fault_that_is_no_hold_is_the_headline_and_the_others_follow() -> None:
    found = conclude(
        stressed(
            split=broke(Fault(ClientCause.GARBLES, "garbles it")), silent=broke(GIVES_UP, lived_ms=5_000)
        ),
        silences=SILENCES,
    )
    assert found.cause is ClientCause.GARBLES
    assert "The client garbles it" in found.sentence
    assert [warned.cause for warned in found.warnings] == [ClientCause.SILENCE]
    assert [row.freed for row in found.rows][-4:] == [False, True, False, True]


def test_a_hold_stays_the_headline_of_a_client_that_also_loses_events() -> None:
    lossy = stressed(split=broke(LOST))
    found = conclude(lambda setup: lossy(setup) if setup.unbuffered else held())
    assert found.cause is ClientCause.PYTHON_STDOUT
    assert [warned.cause for warned in found.warnings] == [ClientCause.LOSES_EVENTS]


def test_a_client_that_loses_pieces_is_not_blamed_for_a_large_event_as_well() -> None:
    """It comes in many reads too."""
    found = conclude(stressed(split=broke(LOST), large=broke(LARGE)))
    assert (found.cause, found.warnings) == (ClientCause.LOSES_EVENTS, ())
    assert conclude(stressed(large=broke(LARGE))).cause is ClientCause.LONG_LINE


def test_lf_alone_is_a_warning_as_most_servers_send_that() -> None:
    found = conclude(stressed(split=broke(Fault(ClientCause.LF_ONLY, "loses one"))))
    assert found.cause is ClientCause.NO_FAULT
    (warned,) = found.warnings
    assert warned.sentence.startswith("The client loses one, as sse-starlette's do")


def test_a_client_that_ended_at_an_event_is_asked_with_that_event_alone() -> None:
    def client(again: Run) -> Client:
        whole = broke(place=Place.LINE)
        return lambda setup: again if setup.places == (Place.LINE,) else stressed(split=whole)(setup)

    found = conclude(client(broke(LOST, place=Place.LINE)))
    assert found.cause is ClientCause.LOSES_EVENTS
    assert "what else comes in pieces, as it ended there" in found.untried
    found = conclude(client(FLOWS))
    assert (found.cause, found.warnings) == (ClientCause.NO_FAULT, ())
    assert "what else comes in pieces, as it ended there" in found.untried


def test_a_silence_is_to_blame_only_where_the_same_time_with_events_is_not() -> None:
    silent = broke(GIVES_UP, lived_ms=8_000)
    found = conclude(stressed(silent=silent), silences=SILENCES)
    assert found.cause is ClientCause.SILENCE
    talking = found.rows[-1].setup
    assert (talking.stress, talking.seconds) == (Stress.TALKING, (12.0,))
    found = conclude(stressed(silent=silent, talking=broke(LIMITED, lived_ms=7_900)), silences=SILENCES)
    assert (found.cause, found.warnings) == (ClientCause.WHOLE_TIME, ())
    # It had read enough: neither the silence nor the time was shown to be the reason.
    found = conclude(stressed(silent=silent, talking=broke(LIMITED, lived_ms=3_000)), silences=SILENCES)
    assert (found.cause, found.warnings) == (ClientCause.NO_FAULT, ())
    assert "silences, as it ended by itself without one" in found.untried


@pytest.mark.parametrize(("requests", "word"), [(2, "ends"), (3, "does not end")])
def test_a_client_that_asks_again_is_said_to_with_what_ends_it(requests: int, word: str) -> None:
    found = conclude(on(ended=requests, closed=2))
    assert found.cause is ClientCause.ASKS_AGAIN
    assert f"a 204 {word} that, a last event (data: [DONE]" in found.sentence


def test_a_client_that_leaves_at_a_last_event_is_right_where_there_is_one() -> None:
    found = conclude(on(ended=2, closed=1))
    assert found.cause is ClientCause.NO_FAULT
    assert [warned.cause for warned in found.warnings] == [ClientCause.NEEDS_LAST_EVENT]


def test_a_last_event_is_tried_of_an_event_stream_alone() -> None:
    failed = lost(Outcome.ENDED_EARLY, 1)
    found = conclude(lambda setup: on(ended=2, closed=1)(setup) if setup.media == "ndjson" else failed)
    assert found.cause is ClientCause.ASKS_AGAIN
    assert found.sentence.endswith("a 204 ends that.")
    assert names(found)[-1] == "after the end"


def on(ended: int, closed: int = 1) -> Client:
    """A client that runs on after the stream's end, and how often it asked in all."""
    flowed = Trial(Outcome.FLOWS, "it flowed")
    requests = {Stress.ENDED: ended, Stress.CLOSED: closed}
    return lambda setup: Run(flowed, requests.get(setup.stress, 1) if setup.stress else 1, None)


def test_a_client_that_runs_on_and_does_not_ask_again_has_no_fault() -> None:
    found = conclude(on(ended=1))
    assert found.cause is ClientCause.NO_FAULT
    assert found.rows[-1].seen.endswith("and it did not ask again")


def test_what_was_not_tried_is_said_and_the_option_that_tries_it() -> None:
    beyond = "a silence over 6 s, an answer over 11 s (--long tries 61 s and 109 s)"
    assert conclude(lambda setup: FLOWS, silences=SILENCES).untried[0] == beyond
    long = conclude(lambda setup: FLOWS, silences=LONG_SILENCES).untried
    assert long == (
        "a silence over 61 s, an answer over 109 s",
        "an event over 700,000 bytes",
        "TLS",
        "HTTP/2",
        "an answer that is cut",
    )
    assert conclude(lambda setup: held()).untried == (
        "all but holding: fix this, and examine the client again",
    )


def test_a_client_that_reads_no_further_is_not_said_to_give_up() -> None:
    left = Run(Trial(Outcome.FLOWS, "it left", ended=True), status=0)
    found = conclude(lambda setup: left, silences=SILENCES)
    assert (found.cause, found.warnings) == (ClientCause.NO_FAULT, ())
    assert names(found) == ["as it is", "unchunked", "HTTP/1.0"]
    assert "as it reads no further" in found.untried[0]


def test_what_could_not_be_tried_is_not_said_to_have_passed() -> None:
    found = conclude(stressed(large=lost(Outcome.UNRECOGNISED)))
    assert found.untried[0] == "events of 60,000 to 700,000 bytes"


@pytest.mark.parametrize(
    ("run", "unclear"),
    [
        (lost(Outcome.NEVER_ASKED), Unclear.NEVER_ASKED),
        (lost(Outcome.NEVER_ASKED, None), Unclear.NEVER_ASKED),
        (lost(Outcome.NEVER_ASKED, 127), Unclear.FAILED),
        (lost(Outcome.ENDED_EARLY, 2), Unclear.FAILED),
        (lost(Outcome.ENDED_EARLY), Unclear.ENDED_EARLY),
        (lost(Outcome.UNRECOGNISED), Unclear.UNRECOGNISED),
        (lost(Outcome.UNRECOGNISED, None), Unclear.NEVER_ENDED),
    ],
)
def test_what_cannot_be_said_says_why(run: Run, unclear: Unclear) -> None:
    found = conclude(lambda setup: run)
    assert (found.cause, found.unclear) == (ClientCause.INCONCLUSIVE, unclear)


def _runs() -> st.SearchStrategy[Run]:
    trials = st.builds(
        Trial,
        st.sampled_from(Outcome),
        st.just("seen"),
        st.none() | st.sampled_from(Shape),
        st.none() | st.tuples(st.integers(1, 99), st.integers(99, 999)),
        st.booleans(),
        wrong=st.lists(st.sampled_from([LOST, GIVES_UP, LIMITED, LARGE]), max_size=2).map(tuple),
        lived_ms=st.none() | st.floats(0, 100_000),
        place=st.none() | st.sampled_from(Place),
    )
    return st.builds(Run, trials, st.integers(0, 9), st.none() | st.integers(0, 255), st.booleans())


@given(
    st.lists(_runs(), min_size=1, max_size=MOST_RUNS),
    st.sampled_from([["curl", "-s"], ["curl", "-N"], ["python"], ["node"]]),
    st.booleans(),
)
def test_every_client_is_concluded_upon_within_the_runs_that_were_announced(
    runs: list[Run], argv: list[str], unbuffered: bool
) -> None:
    """Even one that does something else each time."""
    turn = iter(runs * MOST_RUNS)
    environment = {"PYTHONUNBUFFERED": "1"} if unbuffered else {}
    found = conclude(lambda setup: next(turn), argv, environment, SILENCES)
    assert 1 <= len(found.rows) <= MOST_RUNS
    assert (found.cause is ClientCause.INCONCLUSIVE) is (found.unclear is not None)
    if found.cause.holds:
        assert any(row.freed is False for row in found.rows)
    if found.cause is ClientCause.NO_FAULT:
        assert any(row.freed for row in found.rows)


@pytest.mark.parametrize(
    ("argv", "lacks"),
    [
        (["curl", "-s", "{url}"], True),
        (["/usr/bin/curl", "{url}"], True),
        (["curl", "-sN", "{url}"], False),
        (["curl", "-N"], False),
        (["curl", "--no-buffer"], False),
        (["curl", "-HNothing: x"], True),
        (["curl", "-sH", "N: x"], True),
        (["curl", "-sdN"], True),
        (["python", "-N"], False),
        (["mycurl"], False),
    ],
)
def test_a_curl_without_its_option_is_known(argv: list[str], lacks: bool) -> None:
    assert lacks_no_buffer(argv) is lacks


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ((512, 512), "512 bytes"),
        ((385, 512), "about 512 bytes"),
        ((2048, 4096), "between 2,048 and 4,096 bytes"),
        ((1, 227), "at most 227 bytes"),
        (None, "a fixed number of bytes"),
    ],
)
def test_a_size_is_given_as_closely_as_it_is_known(block: tuple[int, int] | None, words: str) -> None:
    assert size_in_words(block) == words
