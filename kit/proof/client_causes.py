"""The closed list of what a client itself does to a stream; client_causes.toml says what fixes each."""

from __future__ import annotations

from dataclasses import dataclass

from kit.language import text
from kit.proof.texts import Explained


class ClientCause(Explained):
    """What the client does, the worst first where several are found.

    Of those that hold a stream one is found at a time: fix it, and ask again.
    """

    NO_FAULT = "no-fault-found"
    CURL_NO_BUFFER = "curl-no-buffer"
    PYTHON_STDOUT = "python-stdout"
    STDOUT_PIPE = "stdout-pipe"
    WHOLE_BODY_READER = "whole-body-reader"
    READS_FIXED_SIZE = "reads-fixed-size"
    OUTPUT_FIXED_SIZE = "output-fixed-size"
    WAITS_FOR_NEXT_EVENT = "waits-for-next-event"
    UNCHUNKED_READER = "unchunked-reader"
    MEDIA_TYPE = "media-type"
    HELD_OTHERWISE = "held-otherwise"
    LOSES_EVENTS = "loses-events"
    GARBLES = "garbles-characters"
    NOT_UTF8 = "not-utf8"
    ASKS_AGAIN = "asks-again"
    SILENCE = "gives-up-at-silence"
    WHOLE_TIME = "gives-up-after-time"
    LONG_LINE = "long-line"
    SLOW_LINE = "slow-long-line"
    LF_ONLY = "lf-only"
    NEEDS_LAST_EVENT = "needs-last-event"
    INCONCLUSIVE = "inconclusive"

    @property
    def lines(self) -> tuple[str, ...]:
        """The lines to paste, each with what it is for."""
        return tuple(self.remedy.splitlines())

    @property
    def holds(self) -> bool | None:
        """Whether the client holds the stream; None where that is not known."""
        return None if self is ClientCause.INCONCLUSIVE else bool(self.facts.get("holds", True))

    @property
    def conditional(self) -> bool:
        """Whether it harms only under conditions that its sentence names: then it is a warning."""
        return bool(self.facts.get("conditional", False))

    @property
    def fault(self) -> bool | None:
        """Whether it is the client's fault; None where that is not known."""
        return None if self is ClientCause.INCONCLUSIVE else self is not ClientCause.NO_FAULT


class Unclear(Explained):
    """Why nothing can be said of a client."""

    NEVER_ASKED = "never-asked"
    UNRECOGNISED = "unrecognised"
    FAILED = "failed"
    ENDED_EARLY = "ended-early"
    NEVER_ENDED = "never-ended"
    NOT_REPEATED = "not-repeated"


@dataclass(frozen=True, slots=True)
class Fault:
    """What a client does to a stream.

    Attributes:
        cause: which fault it is.
        how: its figures, for the cause's sentence.
        says: the sentence, where it is not the cause's own.
    """

    cause: ClientCause
    how: str = ""
    says: str = ""

    @property
    def sentence(self) -> str:
        """The same in one sentence, with its figures."""
        return self.says or text(self.cause.says, n=self.how, media=self.how)
