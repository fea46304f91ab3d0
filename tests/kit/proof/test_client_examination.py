"""Which runs it takes, and what they say, with made-up clients."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle
from typing import Any

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
from tests.kit.proof.conftest import played

FLOWS = Run(Trial(Outcome.FLOWS, "it flowed"), status=0)
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
    return played(examination(argv, environment or {}, silences), lambda asked: client(asked[1]))


def script(found: Conclusion) -> str:
    """The runs in order: whether each did with the stream as it should."""
    marks = {True: "✓", False: "✗", None: "?"}
    runs = " · ".join(f"{row.experiment} {marks[row.freed]}" for row in found.rows)
    return runs.replace("unchunked ✓ · HTTP/1.0 ✓ · in pieces ✓ · a large event ✓", "FIRM")


LOST = Fault(ClientCause.LOSES_EVENTS, "loses it")
GIVES_UP = Fault(ClientCause.SILENCE, "gives up after 5 s of silence")
LIMITED = Fault(ClientCause.WHOLE_TIME, "gives up after 8 s")
LARGE = Fault(ClientCause.LONG_LINE, "loses a large one")
LF_ONLY = Fault(ClientCause.LF_ONLY, "loses one")
GARBLES = Fault(ClientCause.GARBLES, "garbles it")
SILENT = broke(GIVES_UP, lived_ms=8_000)
FAILED = lost(Outcome.ENDED_EARLY, 1)
NEVER = lost(Outcome.NEVER_ASKED, None)
UNRECOGNISED = lost(Outcome.UNRECOGNISED)
OUTPUT = Run(Trial(Outcome.HELD, "it was held", Shape.BLOCKS, (1, 1024), output_block=4096))
BLOCKS = held(Shape.BLOCKS, (4096, 4096))
CURL = ["curl", "-s", "{url}"]
NODE = ["node", "client.mjs"]


def stressed(**runs: Run) -> Client:
    """A client that flows but for this."""
    return lambda setup: FLOWS if setup.stress is None else runs.get(setup.stress.name.lower(), FLOWS)


def freed(**by: object) -> Client:
    """A client that is held unless it is run so."""
    return lambda setup: FLOWS if {name: getattr(setup, name) for name in by} == by else held()


def unless(run: Run, **by: object) -> Client:
    """A client that flows unless it is run so."""
    return lambda setup: run if {name: getattr(setup, name) for name in by} == by else FLOWS


def on(ended: int, closed: int = 1) -> Client:
    """A client that runs on after the stream's end, and how often it asked in all."""
    flowed = Trial(Outcome.FLOWS, "it flowed")
    requests = {Stress.ENDED: ended, Stress.CLOSED: closed}
    return lambda setup: Run(flowed, requests.get(setup.stress, 1) if setup.stress else 1, None)


def once(*runs: Run) -> Client:
    turn = cycle(runs)
    return lambda setup: next(turn)


def slow_at_first(setup: Setup) -> Run:
    return Run(Trial(Outcome.HELD, "it was held", Shape.WHOLE, ended=True, late=not setup.sizes))


def ndjson(client: Client) -> Client:
    return lambda setup: client(setup) if setup.media == "ndjson" else FAILED


def on_a_terminal(run: Run, on_a_pipe: Client) -> Client:
    return lambda setup: run if setup.terminal else on_a_pipe(setup)


def losing(client: Client) -> Client:
    lossy = stressed(split=broke(LOST))
    return lambda setup: lossy(setup) if client(setup) is FLOWS else client(setup)


def again(alone: Run) -> Client:
    """A client that ended at an event, and what it does with that event alone."""
    whole = stressed(split=broke(place=Place.LINE))
    return lambda setup: alone if setup.places == (Place.LINE,) else whole(setup)


CLIENTS: dict[str, Client] = {
    "prints at once": lambda setup: FLOWS,
    "curl": freed(no_buffer=True),
    "Python that buffers": freed(unbuffered=True),
    "Python in a shell that has the variable": unless(held(), unbuffered=False),
    "flows to a terminal": freed(terminal=True),
    "Node, which is not asked about Python": lambda setup: held(),
    "reads a fixed size": lambda setup: held(Shape.BLOCKS, (1024, 1024)) if setup.sizes else held(None),
    "collects its output on a terminal too": lambda setup: OUTPUT,
    "an event behind": lambda setup: held(Shape.TAIL),
    "by the clock": lambda setup: held(Shape.TIMER),
    "streams another media type": freed(media="ndjson"),
    "reads another media type alone": ndjson(lambda setup: FLOWS),
    "holds what is not chunked": unless(held(Shape.BLOCKS, (385, 512)), framing="close"),
    "was slow once without chunks": unless(held(Shape.TIMER), framing="close"),
    "asks for something else first": lambda setup: FLOWS if setup.answered == 1 else held(requests=2),
    "only tries again": lambda setup: NEVER if setup.answered else held(requests=2),
    "does something else on a terminal": on_a_terminal(UNRECOGNISED, lambda setup: BLOCKS),
    "held once, then not": on_a_terminal(UNRECOGNISED, freed(sizes=True)),
    "started slowly, and is not freed by what came next": once(held(), FLOWS, FLOWS),
    "begins slowly, and does not read the whole": slow_at_first,
    "two faults, the worse is its cause": stressed(split=broke(GARBLES), silent=SILENT),
    "holds, and loses events": losing(freed(unbuffered=True)),
    "loses pieces, of which a large event has many": stressed(split=broke(LOST), large=broke(LARGE)),
    "loses a large event": stressed(large=broke(LARGE)),
    "knows LF alone, as most servers send it": stressed(split=broke(LF_ONLY)),
    "ended at an event because of it": again(broke(LOST, place=Place.LINE)),
    "ended at an event by chance": again(FLOWS),
    "gives up at a silence": stressed(silent=SILENT),
    "gives up after a time": stressed(silent=SILENT, talking=broke(LIMITED, lived_ms=7_900)),
    "had read enough": stressed(silent=SILENT, talking=broke(LIMITED, lived_ms=3_000)),
    "asks again until a 204": on(ended=2, closed=2),
    "asks again whatever comes": on(ended=3, closed=2),
    "leaves at a last event": on(ended=2, closed=1),
    "asks again for NDJSON, which has no last event": ndjson(on(ended=2)),
    "runs on, and does not ask again": on(ended=1),
    "reads no further": lambda setup: Run(Trial(Outcome.FLOWS, "it left", ended=True), status=0),
    "could not be tried with a large event": stressed(large=lost(Outcome.UNRECOGNISED)),
}
EXAMINED: dict[str, dict[str, Any]] = {
    "prints at once": {"silences": (6,)},
    "curl": {"argv": CURL},
    "Python in a shell that has the variable": {"environment": {"PYTHONUNBUFFERED": "1"}},
    "Node, which is not asked about Python": {"argv": NODE},
    "only tries again": {"argv": NODE},
    "two faults, the worse is its cause": {"silences": SILENCES},
    "gives up at a silence": {"silences": SILENCES},
    "gives up after a time": {"silences": SILENCES},
    "had read enough": {"silences": SILENCES},
    "reads no further": {"silences": SILENCES},
}
# A client, what is concluded of it and warned of; the runs that this takes, and what is said or not tried.
PLAYBOOK = """
prints at once → no-fault-found
    as it is ✓ · FIRM · silence ✓
curl → curl-no-buffer
    as it is ✗ · curl -N ✓ · as it is, again ✗ · FIRM
Python that buffers → python-stdout
    as it is ✗ · unbuffered Python ✓ · as it is, again ✗ · FIRM
Python in a shell that has the variable → no-fault-found; warned: python-stdout
    as it is ✓ · buffered Python ✗ · FIRM
    “PYTHONUNBUFFERED is set in this shell”
flows to a terminal → stdout-pipe
    as it is ✗ · unbuffered Python ✗ · a terminal ✓ · as it is, again ✗ · FIRM
Node, which is not asked about Python → whole-body-reader
    as it is ✗ · a terminal ✗ · as ndjson ✗ · as text ✗
reads a fixed size → reads-fixed-size
    as it is ✗ · unbuffered Python ✗ · a terminal ✗
    “waits until 1,024 bytes of the stream are there”
collects its output on a terminal too → output-fixed-size
    as it is ✗ · unbuffered Python ✗ · a terminal ✗
    “4,096 bytes”
an event behind → waits-for-next-event
    as it is ✗ · unbuffered Python ✗ · a terminal ✗
by the clock → held-otherwise
    as it is ✗ · unbuffered Python ✗ · a terminal ✗
streams another media type → media-type
    as it is ✗ · unbuffered Python ✗ · a terminal ✗ · as ndjson ✓ · as text ✗
    “application/x-ndjson”
reads another media type alone → no-fault-found
    as it is ? · as ndjson ✓ · FIRM
holds what is not chunked → no-fault-found; warned: unchunked-reader
    as it is ✓ · unchunked ✗ · in pieces ✓ · a large event ✓
    “waits until about 512 bytes are there”
was slow once without chunks → no-fault-found
    as it is ✓ · unchunked ✗ · in pieces ✓ · a large event ✓
asks for something else first → no-fault-found
    as it is ✗ · a later request ✓ · FIRM
only tries again → whole-body-reader
    as it is ✗ · a later request ? · a terminal ✗ · as ndjson ✗ · as text ✗
does something else on a terminal → reads-fixed-size
    as it is ✗ · unbuffered Python ✗ · a terminal ? · by size ✗
held once, then not → inconclusive
    as it is ✗ · unbuffered Python ✗ · a terminal ? · by size ✓
started slowly, and is not freed by what came next → inconclusive
    as it is ✗ · unbuffered Python ✓ · as it is, again ✓
begins slowly, and does not read the whole → held-otherwise
    as it is ✗ · unbuffered Python ✗ · a terminal ✗
two faults, the worse is its cause → garbles-characters; warned: gives-up-at-silence
    as it is ✓ · unchunked ✓ · HTTP/1.0 ✓ · in pieces ✗ · a large event ✓ · silence ✗ · as long, without
    a silence ✓
    “The client garbles it”
holds, and loses events → python-stdout; warned: loses-events
    as it is ✗ · unbuffered Python ✓ · as it is, again ✗ · unchunked ✓ · HTTP/1.0 ✓ · in pieces ✗ · a
    large event ✓
loses pieces, of which a large event has many → loses-events
    as it is ✓ · unchunked ✓ · HTTP/1.0 ✓ · in pieces ✗ · a large event ✗
loses a large event → long-line
    as it is ✓ · unchunked ✓ · HTTP/1.0 ✓ · in pieces ✓ · a large event ✗
knows LF alone, as most servers send it → no-fault-found; warned: lf-only
    as it is ✓ · unchunked ✓ · HTTP/1.0 ✓ · in pieces ✗ · a large event ✓
    “The client loses one, as sse-starlette's do”
ended at an event because of it → loses-events
    as it is ✓ · unchunked ✓ · HTTP/1.0 ✓ · in pieces ✗ · that event again ✗ · a large event ✓
    “what else comes in pieces, as it ended there”
ended at an event by chance → no-fault-found
    as it is ✓ · unchunked ✓ · HTTP/1.0 ✓ · in pieces ✗ · that event again ✓ · a large event ✓
    “what else comes in pieces, as it ended there”
gives up at a silence → gives-up-at-silence
    as it is ✓ · FIRM · silence ✗ · as long, without a silence ✓
gives up after a time → gives-up-after-time
    as it is ✓ · FIRM · silence ✗ · as long, without a silence ✗
had read enough → no-fault-found
    as it is ✓ · FIRM · silence ✗ · as long, without a silence ✗
    “silences, as it ended by itself without one”
asks again until a 204 → asks-again
    as it is ✓ · FIRM · after the end ✗ · after a last event ✗
    “a 204 ends that, a last event (data: [DONE]”
asks again whatever comes → asks-again
    as it is ✓ · FIRM · after the end ✗ · after a last event ✗
    “a 204 does not end that, a last event (data: [DONE]”
leaves at a last event → no-fault-found; warned: needs-last-event
    as it is ✓ · FIRM · after the end ✗ · after a last event ✓
asks again for NDJSON, which has no last event → asks-again
    as it is ? · as ndjson ✓ · FIRM · after the end ✗
    “a 204 ends that.”
runs on, and does not ask again → no-fault-found
    as it is ✓ · FIRM · after the end ✓
reads no further → no-fault-found
    as it is ✓ · unchunked ✓ · HTTP/1.0 ✓
    “as it reads no further”
could not be tried with a large event → no-fault-found
    as it is ✓ · unchunked ✓ · HTTP/1.0 ✓ · in pieces ✓ · a large event ?
    “events of 60,000 to 700,000 bytes”
"""


@pytest.mark.parametrize(
    "play", re.split(r"\n(?=\S)", PLAYBOOK.strip()), ids=lambda play: play.partition(" → ")[0]
)
def test_a_client_is_run_as_often_as_it_takes(play: str) -> None:
    head, _, rest = play.partition("\n")
    name, _, concluded = head.partition(" → ")
    runs, _, said = " ".join(rest.split()).removesuffix("”").partition("“")
    found = conclude(CLIENTS[name], **EXAMINED.get(name, {}))
    warned = [str(warning.cause) for warning in found.warnings]
    assert script(found) == runs.strip()
    assert "; warned: ".join(filter(None, [str(found.cause), ", ".join(warned)])) == concluded
    texts = [found.sentence, *(warning.sentence for warning in found.warnings), *found.untried]
    assert said in " ".join(texts)


def test_sizes_media_and_times_are_those_that_were_found() -> None:
    blocks = conclude(lambda setup: held(Shape.BLOCKS, (1024, 1024)) if setup.sizes else held(None))
    assert blocks.block == (1024, 1024)
    lines = conclude(ndjson(lambda setup: FLOWS))
    assert {row.setup.media for row in lines.rows[1:]} == {"ndjson"}
    assert lines.rows[4].setup.places == PLACES["ndjson"]
    talking = conclude(stressed(silent=SILENT), silences=SILENCES).rows[-1].setup
    assert (talking.stress, talking.seconds) == (Stress.TALKING, (12.0,))
    assert conclude(on(ended=1)).rows[-1].seen.endswith("and it did not ask again")
    slow = conclude(once(held(), FLOWS, FLOWS))
    assert slow.unclear is Unclear.NOT_REPEATED


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
