"""Which runs of a client it takes to say what it does to a stream and what fixes that: pure, sent each run.

One thing is changed at a time, and changed back, so that what frees it is the cause and not chance (a client
that starts slowly once). The cheapest question comes first. A client that prints each event at once is run
without chunks, and then with what else a stream brings (`kit.proof.client_stress`).
"""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Literal, TypeAlias

from kit.language import text
from kit.proof.client_causes import ClientCause, Fault, Unclear
from kit.proof.client_marks import PLACES, MarkedMedia, Place
from kit.proof.client_stress import LARGE, LONG_SILENCES, SILENCES, Stress
from kit.proof.client_trial import Outcome, Trial
from kit.proof.verdict import Shape

Framing = Literal["chunked", "close", "http10"]

MEDIA: tuple[MarkedMedia, ...] = ("sse", "ndjson", "text")
TYPES: dict[MarkedMedia, str] = {
    "sse": "text/event-stream",
    "ndjson": "application/x-ndjson",
    "text": "text/plain",
}
_FRAMINGS: dict[Framing, str] = {
    "chunked": "chunked",
    "close": "ended by closing the connection",
    "http10": "answered as by HTTP/1.0",
}
MOST_RUNS = 16

# What is never tried: the stream is HTTP/1.1 in clear, and ends as it must.
_NEVER_TRIED = (f"an event over {LARGE[-1]:,} bytes", "TLS", "HTTP/2", "an answer that is cut")
_FIX_FIRST = "all but holding: fix this, and examine the client again"

_UNSET = "PYTHONUNBUFFERED is set in this shell; where it is not, Python buffers what the client prints."

# curl's one-letter options that take a value: what follows them in a word is theirs (man curl).
_CURL_TAKES_VALUE = frozenset("AbcCdDeEFhHKmoPQrtTuUwxXyYz")
_NO_PYTHON = re.compile(r"(curl|wget|node|nodejs|deno|bun|go|java|ruby|php|perl)(\.exe)?$")


@dataclass(frozen=True, slots=True)
class Setup:
    """How to run the client, and what to send it. The defaults are what production most often is.

    Attributes:
        media, framing: of the stream.
        terminal: whether its standard output is a terminal; else a pipe.
        unbuffered: whether PYTHONUNBUFFERED is set; None for as it is.
        no_buffer: whether -N is put behind `curl`.
        sizes: whether to feed on a client that holds.
        answered: how many requests are answered at once before the stream is given to the next one.
        stress: what is tried of a client that holds nothing; None for whether it holds.
        places, seconds: of that (`kit.proof.client_stress.stress`).
    """

    media: MarkedMedia = "sse"
    framing: Framing = "chunked"
    terminal: bool = False
    unbuffered: bool | None = None
    no_buffer: bool = False
    sizes: bool = False
    answered: int = 0
    stress: Stress | None = None
    places: tuple[Place, ...] = ()
    seconds: tuple[float, ...] = ()

    def __str__(self) -> str:
        return ", ".join(self.words)

    @property
    def words(self) -> tuple[str, ...]:
        """What it is made of."""
        return (
            "standard output a terminal" if self.terminal else "standard output a pipe",
            TYPES[self.media],
            _FRAMINGS[self.framing],
            *(
                []
                if self.unbuffered is None
                else ["PYTHONUNBUFFERED=1" if self.unbuffered else "PYTHONUNBUFFERED unset"]
            ),
            *(["curl -N"] if self.no_buffer else []),
            *([f"the stream given to request {self.answered + 1}"] if self.answered else []),
            *(f"{seconds:.3g} s" for seconds in self.seconds),
        )


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the client.

    Attributes:
        trial: what its output showed.
        requests: how many it sent.
        status: the command's exit status, 128 + N after signal N; None if it had to be stopped.
        no_http: whether it sent something that is not HTTP/1.
        http10: whether it asked in HTTP/1.0, and so got no chunks.
    """

    trial: Trial
    requests: int = 1
    status: int | None = None
    no_http: bool = False
    http10: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One run as evidence.

    Attributes:
        experiment: a short name.
        setup: how it was run.
        seen: what was seen.
        freed: whether the client did with the stream as it should; None where that is not known.
    """

    experiment: str
    setup: Setup
    seen: str
    freed: bool | None


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What can be said of a client.

    Attributes:
        cause: what it does.
        sentence: the same in one sentence, with its figures.
        rows: the runs that it rests on, in order.
        block: for reads or output of N octets, N lies between these; equal where it is exact.
        unclear: why nothing can be said, if so.
        warnings: what else was found.
        untried: what the runs say nothing of.
    """

    cause: ClientCause
    sentence: str
    rows: tuple[Row, ...]
    block: tuple[int, int] | None = None
    unclear: Unclear | None = None
    warnings: tuple[Fault, ...] = ()
    untried: tuple[str, ...] = ()


Examination: TypeAlias = Generator[tuple[str, Setup], Run, Conclusion]


def examination(
    argv: Sequence[str], environment: Mapping[str, str], silences: Sequence[float] = SILENCES
) -> Examination:
    """Yields a run's name and setup, is sent what it showed, and returns what all of them say.

    Args:
        argv: the command.
        environment: the command's.
        silences: seconds without an event, one after the other; none to leave that out.
    """
    return _Examination(argv, environment, silences).run()


def lacks_no_buffer(argv: Sequence[str]) -> bool:
    """Whether this is a curl without -N."""
    if not re.fullmatch(r"curl(\.exe)?", PurePath(argv[0]).name):
        return False
    for word in argv[1:]:
        if word.startswith("--"):
            if word == "--no-buffer":
                return False
        elif word.startswith("-"):
            for letter in word[1:]:
                if letter == "N":
                    return False
                if letter in _CURL_TAKES_VALUE:
                    break
    return True


def size_in_words(block: tuple[int, int] | None) -> str:
    """N of "reads N at a time"."""
    if block is None:
        return text("a fixed number of bytes")
    low, high = block
    if low == high:
        return text("{size:,} bytes", size=high)
    if high - low < 200 and low > 200:
        return text("about {size:,} bytes", size=high)
    if low == 1:
        return text("at most {size:,} bytes", size=high)
    return text("between {low:,} and {high:,} bytes", low=low, high=high)


class _Examination:
    def __init__(
        self, argv: Sequence[str], environment: Mapping[str, str], silences: Sequence[float]
    ) -> None:
        self._silences = tuple(silences)
        self._untried: list[str] = []
        self._curl = lacks_no_buffer(argv)
        self._python = not _NO_PYTHON.match(PurePath(argv[0]).name)
        self._set = bool(environment.get("PYTHONUNBUFFERED"))
        self._rows: list[Row] = []

    def run(self) -> Examination:
        base, run = yield from self._base()
        match run.trial.outcome:
            case Outcome.FLOWS:
                return (yield from self._concluded(ClientCause.NO_FAULT, base, run))
            case Outcome.HELD:
                return (yield from self._held(base, slow=run.trial.late))
        return self._unclear(run)

    def _base(self) -> Generator[tuple[str, Setup], Run, tuple[Setup, Run]]:
        """The first setup in which the client prints anything of the stream."""
        base = Setup()
        run = yield from self._try("as it is", base)
        if run.trial.outcome in (Outcome.HELD, Outcome.UNRECOGNISED) and run.requests > 1:
            # It may have asked for something else first, and waited for the end of that.
            later = replace(base, answered=min(run.requests, 4) - 1)
            again = yield from self._try("a later request", later)
            if again.trial.outcome in (Outcome.FLOWS, Outcome.HELD):
                return later, again
        lost = run.trial.outcome is Outcome.UNRECOGNISED and run.trial.ended
        if lost or (run.trial.outcome is Outcome.ENDED_EARLY and run.status):
            # It may not read this media type.
            for media in MEDIA[1:]:
                other = replace(base, media=media)
                again = yield from self._try(f"as {media}", other)
                if again.trial.outcome in (Outcome.FLOWS, Outcome.HELD):
                    return other, again
        return base, run

    def _held(self, base: Setup, *, slow: bool) -> Examination:
        freeing = replace(base, no_buffer=self._curl, unbuffered=True if self._python else None)
        if self._curl:
            run = yield from self._try("curl -N", freeing)
            if run.trial.outcome is Outcome.FLOWS:
                return (yield from self._freed(ClientCause.CURL_NO_BUFFER, base, freeing, run))
        elif self._python and not self._set:
            run = yield from self._try("unbuffered Python", freeing)
            if run.trial.outcome is Outcome.FLOWS:
                return (yield from self._freed(ClientCause.PYTHON_STDOUT, base, freeing, run))
        # With a terminal as well, what is left is how it reads.
        terminal = replace(freeing, terminal=True)
        run = yield from self._try("a terminal", replace(terminal, sizes=True))
        if run.trial.outcome is Outcome.FLOWS:
            return (yield from self._freed(ClientCause.STDOUT_PIPE, base, terminal, run))
        if run.trial.outcome is not Outcome.HELD:  # it does something else on a terminal
            run = yield from self._try("by size", replace(freeing, sizes=True))
            if run.trial.outcome is Outcome.FLOWS:
                return self._conclusion(ClientCause.INCONCLUSIVE, unclear=Unclear.NOT_REPEATED)
        match run.trial.shape:
            case Shape.BLOCKS if run.trial.output_block is not None:
                output = run.trial.output_block
                return self._conclusion(ClientCause.OUTPUT_FIXED_SIZE, (output, output))
            case Shape.BLOCKS:
                return self._conclusion(ClientCause.READS_FIXED_SIZE, run.trial.block)
            case Shape.TAIL:
                return self._conclusion(ClientCause.WAITS_FOR_NEXT_EVENT)
            case Shape.WHOLE if not slow and not run.trial.late:
                return (yield from self._whole(freeing))
        return self._conclusion(ClientCause.HELD_OTHERWISE)

    def _freed(self, cause: ClientCause, base: Setup, flowing: Setup, flowed: Run) -> Examination:
        run = yield from self._try("as it is, again", base)
        if run.trial.outcome is not Outcome.HELD:
            return self._conclusion(ClientCause.INCONCLUSIVE, unclear=Unclear.NOT_REPEATED)
        return (yield from self._concluded(cause, flowing, flowed))

    def _whole(self, reading: Setup) -> Examination:
        streamed: list[MarkedMedia] = []
        for media in MEDIA:
            if media != reading.media:
                run = yield from self._try(f"as {media}", replace(reading, media=media))
                if run.trial.outcome is Outcome.FLOWS:
                    streamed.append(media)
        if streamed:
            return self._conclusion(
                ClientCause.MEDIA_TYPE, media=" and ".join(TYPES[each] for each in streamed)
            )
        return self._conclusion(ClientCause.WHOLE_BODY_READER)

    def _concluded(self, cause: ClientCause, flowing: Setup, flowed: Run) -> Examination:
        """It flows in this setup: would it without what this shell alone may have, or without chunks?"""
        warnings: list[Fault] = []
        if self._python and self._set:
            run = yield from self._try("buffered Python", replace(flowing, unbuffered=False))
            if run.trial.outcome is Outcome.HELD and not run.trial.late:
                warnings.append(Fault(ClientCause.PYTHON_STDOUT, says=_UNSET))
        framings: tuple[tuple[str, Framing], ...] = (("unchunked", "close"), ("HTTP/1.0", "http10"))
        for name, framing in framings:
            run = yield from self._try(name, replace(flowing, framing=framing, sizes=True))
            known = run.trial.shape in (Shape.BLOCKS, Shape.WHOLE, Shape.TAIL) and not run.trial.late
            if run.trial.outcome is Outcome.HELD and known:  # else it may have been slow this once
                warnings.append(Fault(ClientCause.UNCHUNKED_READER, _reading(run.trial)))
            if run.trial.outcome is not Outcome.FLOWS:
                break
        faults = yield from self._faults(flowing, flowed)
        faults.sort(key=lambda fault: list(ClientCause).index(fault.cause))
        concluded = self._conclusion(cause)
        if cause is ClientCause.NO_FAULT and faults and not faults[0].cause.conditional:
            first = faults.pop(0)
            concluded = replace(concluded, cause=first.cause, sentence=first.sentence)
        untried = (*self._untried, *_NEVER_TRIED)
        return replace(concluded, warnings=(*faults, *warnings), untried=untried)

    def _faults(self, flowing: Setup, flowed: Run) -> Generator[tuple[str, Setup], Run, list[Fault]]:
        """What else goes wrong, each cause once."""
        if flowed.trial.ended:
            self._untried.append("events in pieces, large ones, silences and its end, as it reads no further")
            return []
        wrong = yield from self._split(flowing)
        run = yield from self._try("a large event", replace(flowing, stress=Stress.LARGE))
        large = self._judged(run, f"events of {LARGE[0]:,} to {LARGE[-1]:,} bytes")
        if not any(each.cause is ClientCause.LOSES_EVENTS for each in wrong):  # it comes in many reads
            wrong += large
        if flowed.status is None or flowed.requests > 1 + flowing.answered:
            wrong += yield from self._ended(flowing)
        wrong += yield from self._silent(flowing)
        return wrong

    def _split(self, flowing: Setup) -> Generator[tuple[str, Setup], Run, list[Fault]]:
        split = replace(flowing, stress=Stress.SPLIT, places=PLACES[flowing.media])
        run = yield from self._try("in pieces", split)
        place, wrong = run.trial.place, self._judged(run, "events in pieces")
        if place is not None:
            # Did it end at that event, or because it had read enough?
            run = yield from self._try("that event again", replace(split, places=(place,)))
            self._untried.append("what else comes in pieces, as it ended there")
            wrong += [each for each in run.trial.wrong if each.cause not in {one.cause for one in wrong}]
        return wrong

    def _ended(self, flowing: Setup) -> Generator[tuple[str, Setup], Run, list[Fault]]:
        """It ran on after the stream's end: does it ask again, and what ends that?"""
        run = yield from self._try("after the end", replace(flowing, stress=Stress.ENDED))
        first = 1 + flowing.answered
        if run.requests <= first:
            self._judged(run, "the stream's end")
            return []
        how = f"a 204 {'ends' if run.requests == first + 1 else 'does not end'} that"
        if flowing.media == "sse":  # the last events that clients know are of event streams
            run = yield from self._try("after a last event", replace(flowing, stress=Stress.CLOSED))
            if run.requests <= first and run.trial.outcome is Outcome.FLOWS:
                return [Fault(ClientCause.NEEDS_LAST_EVENT)]
            how += ", a last event (data: [DONE], event: done, end, close …) does not"
        return [Fault(ClientCause.ASKS_AGAIN, how)]

    def _silent(self, flowing: Setup) -> Generator[tuple[str, Setup], Run, list[Fault]]:
        longest, whole = max(self._silences, default=0.0), sum(self._silences)
        tries = f" (--long tries {max(LONG_SILENCES):g} s and {sum(LONG_SILENCES):g} s)"
        beyond = f"a silence over {longest:g} s, an answer over {whole:g} s"
        beyond = beyond if longest >= max(LONG_SILENCES) else beyond + tries
        if not self._silences:
            self._untried.append(beyond)
            return []
        silent = replace(flowing, stress=Stress.SILENT, seconds=self._silences)
        run = yield from self._try("silence", silent)
        if run.trial.lived_ms is None:
            wrong = self._judged(run, "a silence")
            self._untried.append(beyond)
            return wrong
        # It gave up: at the silence, or after so long in any case?
        lived_s = run.trial.lived_ms / 1000
        talking = replace(flowing, stress=Stress.TALKING, seconds=(lived_s * 1.25 + 2,))
        talk = yield from self._try("as long, without a silence", talking)
        if talk.trial.outcome is Outcome.FLOWS:
            self._untried.append(f"an answer over {talking.seconds[0]:.0f} s")
            return list(run.trial.wrong)
        if talk.trial.lived_ms is not None and talk.trial.lived_ms >= lived_s * 800:
            return list(talk.trial.wrong)
        self._untried.append("silences, as it ended by itself without one")
        return []

    def _judged(self, run: Run, what: str) -> list[Fault]:
        if run.trial.outcome not in (Outcome.FLOWS, Outcome.BROKE):
            self._untried.append(what)
        return list(run.trial.wrong)

    def _unclear(self, run: Run) -> Conclusion:
        match run.trial.outcome:
            case Outcome.NEVER_ASKED:
                unclear = Unclear.FAILED if run.status else Unclear.NEVER_ASKED
            case _ if run.status and run.trial.ended:
                unclear = Unclear.FAILED
            case Outcome.ENDED_EARLY:
                unclear = Unclear.ENDED_EARLY
            case _:
                unclear = Unclear.UNRECOGNISED if run.trial.ended else Unclear.NEVER_ENDED
        return self._conclusion(ClientCause.INCONCLUSIVE, unclear=unclear)

    def _try(self, name: str, setup: Setup) -> Generator[tuple[str, Setup], Run, Run]:
        run = yield name, setup
        freed = {Outcome.FLOWS: True, Outcome.HELD: False, Outcome.BROKE: False}.get(run.trial.outcome)
        seen = run.trial.seen
        if setup.stress in (Stress.ENDED, Stress.CLOSED) and freed:
            freed = run.requests <= 1 + setup.answered
            seen += ", and it did not ask again" if freed else ""
        if run.requests > 1:
            seen += f"; it sent {run.requests} requests"
        if run.http10 and setup.framing == "chunked":
            seen += "; it asked in HTTP/1.0, in which nothing is chunked"
        if run.no_http:
            seen += "; it sent something that is not HTTP/1.1 (TLS, or HTTP/2 without asking)"
        if run.status:
            seen += f"; it failed with status {run.status}"
        self._rows.append(Row(name, setup, seen, freed))
        return run

    def _conclusion(
        self,
        cause: ClientCause,
        block: tuple[int, int] | None = None,
        *,
        unclear: Unclear | None = None,
        media: str = "",
    ) -> Conclusion:
        sentence = Fault(cause, media or size_in_words(block)).sentence
        untried = (_FIX_FIRST,) if cause.holds else ()
        return Conclusion(cause, sentence, tuple(self._rows), block, unclear, untried=untried)


def _reading(trial: Trial) -> str:
    """What a client that holds does, after "the client"."""
    match trial.shape:
        case Shape.BLOCKS:
            return f"waits until {size_in_words(trial.block)} are there"
        case Shape.WHOLE:
            return "reads the whole answer first"
    return "prints each event only when the next one has come"
