"""Every fault of a client that holds nothing, on a made-up clock."""

from __future__ import annotations

import pytest

from kit.proof.client_causes import ClientCause, Fault
from kit.proof.client_marks import PLACES, Place
from kit.proof.client_stress import LARGE, Stress, stress
from kit.proof.client_trial import Outcome, Trial
from tests.fixtures.client_stage import Client, ClientStage, Output, Whole


def split(client: Client, *places: Place) -> Trial:
    return ClientStage(client, each=True).play(stress(Stress.SPLIT, places or PLACES["sse"], ()))


def try_(kind: Stress, client: Client, *seconds: float) -> Trial:
    return ClientStage(client, each=True).play(stress(kind, (), seconds))


def causes(found: Trial) -> list[ClientCause]:
    return [wrong.cause for wrong in found.wrong]


class PerRead(Client):
    """Takes what one read returns for whole lines; prints the data of those that are."""

    def push(self, now_ms: float, data: bytes) -> Output:
        lines = [line for line in data.split(b"\n") if line.startswith(b"data: {") and line.endswith(b"}")]
        return [(0.3, b"".join(lines))]


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


class Decodes(Client):
    """Decodes each read by itself."""

    def __init__(self, errors: str, line: str = "") -> None:
        self.errors, self.line = errors, line

    def push(self, now_ms: float, data: bytes) -> Output:
        return [(0.3, (self.line + data.decode(errors=self.errors)).encode())]


class Timed(Client):
    """Prints the time before each read."""

    def push(self, now_ms: float, data: bytes) -> Output:
        return [(0.3, b"[12:00] " + data)]


class Dies(Client):
    """Ends at the first read of which this is true, or after so many reads."""

    def __init__(self, sign: bytes = b"", after: int = 10_000) -> None:
        self.sign, self.reads_left = sign, after

    def push(self, now_ms: float, data: bytes) -> Output:
        self.reads_left -= 1
        end = self.reads_left == 0 or (self.sign and data.endswith(self.sign))
        return [(0.3, None if end else data)]


class Limited(Client):
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


class LongLine(Client):
    """Ends at an event over a limit, or loses it."""

    def __init__(self, limit: int, printed: bytes | None) -> None:
        self.limit, self.printed = limit, printed

    def push(self, now_ms: float, data: bytes) -> Output:
        return [(0.3, data if len(data) <= self.limit else self.printed)]


def test_a_client_that_keeps_what_is_not_complete_passes() -> None:
    found = split(Client())
    assert (found.outcome, found.wrong) == (Outcome.FLOWS, ())
    assert "cut inside a character" in found.seen


def test_a_client_that_takes_a_read_for_an_event_loses_what_is_cut_and_is_not_said_to_garble() -> None:
    found = split(PerRead(), *PLACES["sse"][:6])
    assert causes(found) == [ClientCause.LOSES_EVENTS]
    (wrong,) = found.wrong
    assert wrong.how.startswith("loses an event cut in the middle of a line, one cut inside")
    assert str(Place.CHARACTER) in wrong.how
    assert str(Place.BLANK) not in wrong.how


def test_a_client_that_takes_one_event_from_a_read_loses_the_next() -> None:
    found = split(OneEvent(), Place.WHOLE, Place.TOGETHER)
    assert found.wrong == (Fault(ClientCause.LOSES_EVENTS, f"loses an event {Place.TOGETHER}"),)


def test_a_client_that_knows_lf_alone_is_no_client_that_loses_pieces() -> None:
    assert causes(split(LfOnly())) == [ClientCause.LF_ONLY]
    assert split(LfOnly(), *PLACES["sse"][:6]).outcome is Outcome.FLOWS


@pytest.mark.parametrize("errors", ["replace", "ignore"])
def test_a_client_that_decodes_each_read_by_itself_garbles_a_character_that_is_cut(errors: str) -> None:
    found = split(Decodes(errors))
    assert found.wrong == (Fault(ClientCause.GARBLES, "garbles an event cut inside a character"),)


def test_one_that_marks_each_read_is_said_to_garble_only_where_it_does() -> None:
    assert split(Timed()).outcome is Outcome.FLOWS
    assert causes(split(Decodes("replace", "[12:00] "))) == [ClientCause.GARBLES]


def test_a_client_that_ends_is_said_to_give_up_at_an_event_only_where_it_does_so_again() -> None:
    found = split(Dies(sign=b"q"))  # the first half of an event that is cut in the middle of a line
    assert (found.outcome, found.place, found.wrong, found.ended) == (Outcome.BROKE, Place.LINE, (), True)
    assert "not tried then: an event cut inside" in found.seen
    again = split(Dies(sign=b"q"), Place.LINE)
    assert again.wrong == (Fault(ClientCause.LOSES_EVENTS, f"gives up at an event {Place.LINE}"),)
    assert split(Dies(after=8), Place.LINE).outcome is Outcome.FLOWS


def test_large_events_pass_a_client_that_takes_them() -> None:
    found = try_(Stress.LARGE, Client())
    assert found.outcome is Outcome.FLOWS
    assert f"{LARGE[-1]:,} bytes" in found.seen


@pytest.mark.parametrize(("printed", "what"), [(None, "gives up at"), (b"", "loses")])
def test_a_long_line_is_found_with_its_bounds(printed: bytes | None, what: str) -> None:
    found = try_(Stress.LARGE, LongLine(131_072, printed))
    assert found.wrong == (
        Fault(ClientCause.LONG_LINE, f"{what} an event of 250,000 bytes (one of 120,000 passes)"),
    )


def test_a_client_that_is_stuck_with_a_large_event_is_not_waited_for_without_end() -> None:
    class Stuck(LongLine):
        def push(self, now_ms: float, data: bytes) -> Output:
            self.limit = 0 if len(data) > self.limit else self.limit
            return super().push(now_ms, data)

    found = try_(Stress.LARGE, Stuck(70_000, b""))
    how = "takes more than 10 s for one of 120,000 bytes (one of 60,000 passes)"
    assert found.wrong == (Fault(ClientCause.SLOW_LINE, how),)


def test_a_client_that_needs_a_while_for_a_large_event_passes() -> None:
    class Busy(Client):
        free_ms = 0.0

        def push(self, now_ms: float, data: bytes) -> Output:
            self.free_ms = max(self.free_ms, now_ms) + len(data) / 100  # 7 s for the largest
            return [(self.free_ms - now_ms, data)]

    assert try_(Stress.LARGE, Busy()).outcome is Outcome.FLOWS


def test_a_client_that_waits_through_the_silences_passes() -> None:
    found = try_(Stress.SILENT, Limited(12_000, 30_000), 6, 11)
    assert found.outcome is Outcome.FLOWS
    assert "after a silence of 6, 11 s the next event was printed" in found.seen


def test_where_a_client_gave_up_is_measured_from_the_last_event_and_from_its_request() -> None:
    found = try_(Stress.SILENT, Limited(silence_ms=10_000), 6, 11)
    assert found.lived_ms == pytest.approx(17_000, abs=50)
    assert found.wrong == (Fault(ClientCause.SILENCE, "gives up after 11 s of silence"),)


def test_one_that_lives_on_and_prints_nothing_has_given_up_too() -> None:
    class Deaf(Limited):
        def push(self, now_ms: float, data: bytes) -> Output:
            return [(after, out or b"") for after, out in super().push(now_ms, data)]

    found = try_(Stress.SILENT, Deaf(silence_ms=5_000), 6)
    assert found.wrong == (Fault(ClientCause.SILENCE, "prints nothing any more after 6 s of silence"),)
    assert found.lived_ms is None


def test_a_limit_of_the_whole_time_is_met_without_a_silence() -> None:
    found = try_(Stress.TALKING, Limited(silence_ms=5_000, whole_ms=8_000), 12)
    assert causes(found) == [ClientCause.WHOLE_TIME]
    assert found.lived_ms == pytest.approx(8_000, abs=50)
    assert try_(Stress.TALKING, Limited(silence_ms=5_000), 12).outcome is Outcome.FLOWS


def test_a_client_that_ends_with_its_stream_is_not_waited_for() -> None:
    stage = ClientStage(Client(), each=True)
    begun_ms = stage.now_ms
    assert stage.play(stress(Stress.ENDED, (), ())).outcome is Outcome.FLOWS
    assert stage.now_ms - begun_ms < 1_000


@pytest.mark.parametrize("kind", Stress)
def test_without_a_first_event_nothing_is_said(kind: Stress) -> None:
    class Asleep(Client):
        asks = False

    assert try_(kind, Asleep(), 1).outcome is Outcome.NEVER_ASKED
    found = try_(kind, Whole(), 1)
    assert (found.outcome, found.wrong) == (Outcome.UNRECOGNISED, ())
