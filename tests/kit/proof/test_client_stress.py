"""Every fault of a client that holds nothing, on a made-up clock."""

from __future__ import annotations

from typing import Any

import pytest

from kit.proof.client_causes import ClientCause, Fault
from kit.proof.client_marks import PLACES, Place
from kit.proof.client_stress import LARGE, Stress, stress
from kit.proof.client_trial import Outcome, Trial
from tests.kit.proof.client_stage import ClientStage
from tests.kit.proof.conftest import Hop, Output
from tests.kit.proof.hops import Shows, Whole


def split(client: Hop, *places: Place) -> Trial:
    return ClientStage(client, each=True).run(stress(Stress.SPLIT, places or PLACES["sse"], ()))


def try_(kind: Stress, client: Hop, *seconds: float) -> Trial:
    return ClientStage(client, each=True).run(stress(kind, (), seconds))


def whole_lines(read: bytes) -> bytes:
    """The data of the lines in it, as by a client that takes what one read returns for whole lines."""
    lines = read.split(b"\n")
    return b"".join(line for line in lines if line.startswith(b"data: {") and line.endswith(b"}"))


def decodes(errors: str, line: str = "") -> Hop:
    """Decodes each read by itself."""
    return Shows(lambda read: (line + read.decode(errors=errors)).encode())


def long_line(limit: int, printed: bytes | None) -> Hop:
    """Ends at an event over a limit, or loses it."""
    return Shows(lambda read: read if len(read) <= limit else printed)


class OneEvent(Whole):
    """Takes all that one read returns up to the first blank line for an event, and forgets the rest."""

    def push(self, now_ms: float, data: bytes) -> Output:
        event, end, _ = (self.held + data).partition(b"\n\n")
        self.held = b"" if end else event
        return [(0.3, event)] if end else []


class LfOnly(Whole):
    """Keeps what has no blank line yet, and knows LF alone."""

    def push(self, now_ms: float, data: bytes) -> Output:
        *events, self.held = (self.held + data).split(b"\n\n")
        return [(0.3, event) for event in events if event.count(b"data:") == 1]


class Dies(Hop):
    """Ends at the first read of which this is true, or after so many reads."""

    def __init__(self, sign: bytes = b"", after: int = 10_000) -> None:
        self.sign, self.reads_left = sign, after

    def push(self, now_ms: float, data: bytes) -> Output:
        self.reads_left -= 1
        end = self.reads_left == 0 or (self.sign and data.endswith(self.sign))
        return [(0.3, None if end else data)]


class Limited(Hop):
    """Gives up after so long a silence, or so long in all."""

    def __init__(self, silence_ms: float = 1e9, whole_ms: float = 1e9) -> None:
        self.silence_ms, self.whole_ms = silence_ms, whole_ms
        self.last_ms, self.begun_ms = 0.0, 0.0

    def push(self, now_ms: float, data: bytes) -> Output:
        self.begun_ms = self.begun_ms or now_ms
        since, self.last_ms = now_ms - (self.last_ms or now_ms), now_ms
        if since >= self.silence_ms or now_ms - self.begun_ms >= self.whole_ms:
            return [(0.0, None)]
        return [(0.3, data)]


class Stuck(Hop):
    """Prints nothing any more after an event over a limit."""

    def __init__(self, limit: int) -> None:
        self.limit = limit

    def push(self, now_ms: float, data: bytes) -> Output:
        self.limit = 0 if len(data) > self.limit else self.limit
        return [(0.3, data if self.limit else b"")]


class Busy(Hop):
    """Needs 7 s for the largest event."""

    free_ms = 0.0

    def push(self, now_ms: float, data: bytes) -> Output:
        self.free_ms = max(self.free_ms, now_ms) + len(data) / 100
        return [(self.free_ms - now_ms, data)]


class Deaf(Limited):
    """Lives on where it has given up."""

    def push(self, now_ms: float, data: bytes) -> Output:
        return [(after, out or b"") for after, out in super().push(now_ms, data)]


C = ClientCause
SLOW = "one of 120,000 bytes (one of 60,000 passes)"
BOUNDS = "an event of 250,000 bytes (one of 120,000 passes)"
SIX = PLACES["sse"][:6]
# What comes, to whom, how; the fault that the client has with it, and what is said.
PLAYBOOK: dict[Stress, list[tuple[Hop, tuple[Any, ...], ClientCause | None, str]]] = {
    Stress.SPLIT: [
        (Hop(), (), None, "cut inside a character"),
        (OneEvent(), (Place.WHOLE, Place.TOGETHER), C.LOSES_EVENTS, f"loses an event {Place.TOGETHER}"),
        (LfOnly(), (), C.LF_ONLY, f"loses an event {Place.CRLF}, one {Place.CR}"),
        (LfOnly(), SIX, None, ""),
        (decodes("replace"), (), C.GARBLES, "garbles an event cut inside a character"),
        (decodes("ignore"), (), C.GARBLES, "garbles an event cut inside a character"),
        (decodes("replace", "[12:00] "), (), C.GARBLES, "garbles an event cut inside a character"),
        (Shows(lambda read: b"[12:00] " + read), (), None, ""),
        (Dies(sign=b"q"), (Place.LINE,), C.LOSES_EVENTS, f"gives up at an event {Place.LINE}"),
        (Dies(after=8), (Place.LINE,), None, ""),
    ],
    Stress.LARGE: [
        (Hop(), (), None, f"{LARGE[-1]:,} bytes"),
        (long_line(131_072, None), (), C.LONG_LINE, f"gives up at {BOUNDS}"),
        (long_line(131_072, b""), (), C.LONG_LINE, f"loses {BOUNDS}"),
        (Stuck(70_000), (), C.SLOW_LINE, f"takes more than 10 s for {SLOW}"),
        (Busy(), (), None, ""),
    ],
    Stress.SILENT: [
        (Limited(12_000, 30_000), (6, 11), None, "after a silence of 6, 11 s the next event was printed"),
        (Limited(10_000), (6, 11), C.SILENCE, "gives up after 11 s of silence"),
        (Deaf(5_000), (6,), C.SILENCE, "prints nothing any more after 6 s of silence"),
    ],
    Stress.TALKING: [
        (Limited(5_000, 8_000), (12,), C.WHOLE_TIME, "gives up after about 8 s, with no silence before"),
        (Limited(5_000), (12,), None, ""),
    ],
}


@pytest.mark.parametrize(
    ("kind", "client", "how", "cause", "said"),
    [(kind, *play) for kind, plays in PLAYBOOK.items() for play in plays],
)
def test_what_a_client_does_with_what_a_stream_brings(
    kind: Stress, client: Hop, how: tuple[Any, ...], cause: ClientCause | None, said: str
) -> None:
    found = split(client, *how) if kind is Stress.SPLIT else try_(kind, client, *how)
    if cause is None:
        assert (found.outcome, found.wrong) == (Outcome.FLOWS, ())
        assert said in found.seen
    else:
        assert (found.outcome, found.wrong) == (Outcome.BROKE, (Fault(cause, said),))


def test_a_client_that_takes_a_read_for_an_event_loses_what_is_cut_and_is_not_said_to_garble() -> None:
    (wrong,) = split(Shows(whole_lines), *SIX).wrong
    assert wrong.cause is ClientCause.LOSES_EVENTS
    assert wrong.how.startswith("loses an event cut in the middle of a line, one cut inside")
    assert str(Place.CHARACTER) in wrong.how
    assert str(Place.BLANK) not in wrong.how


def test_a_client_that_ends_at_an_event_is_asked_with_that_one_alone() -> None:
    found = split(Dies(sign=b"q"))  # the first half of an event that is cut in the middle of a line
    assert (found.outcome, found.place, found.wrong, found.ended) == (Outcome.BROKE, Place.LINE, (), True)
    assert "not tried then: an event cut inside" in found.seen


def test_where_a_client_gave_up_is_measured_from_its_request() -> None:
    assert try_(Stress.SILENT, Limited(10_000), 6, 11).lived_ms == pytest.approx(17_000, abs=50)
    assert try_(Stress.TALKING, Limited(5_000, 8_000), 12).lived_ms == pytest.approx(8_000, abs=50)
    assert try_(Stress.SILENT, Deaf(5_000), 6).lived_ms is None


def test_a_client_that_ends_with_its_stream_is_not_waited_for() -> None:
    stage = ClientStage(Hop(), each=True)
    begun_ms = stage.now_ms
    assert stage.run(stress(Stress.ENDED, (), ())).outcome is Outcome.FLOWS
    assert stage.now_ms - begun_ms < 1_000


@pytest.mark.parametrize("kind", Stress)
def test_without_a_first_event_nothing_is_said(kind: Stress) -> None:
    class Asleep(Hop):
        asks = False

    assert try_(kind, Asleep(), 1).outcome is Outcome.NEVER_ASKED
    found = try_(kind, Whole(), 1)
    assert (found.outcome, found.wrong) == (Outcome.UNRECOGNISED, ())
