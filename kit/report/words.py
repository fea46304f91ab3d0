"""The phrases that every report shares: methods, certainties, times, addresses, sources."""

from __future__ import annotations

import re
from contextlib import suppress

from kit.events import LaneKey
from kit.language import text
from kit.proof.verdict import Method
from kit.secret_values import looks_secret
from kit.targets import Certainty, Claim
from kit.urls import without_credentials

HEADER = "X-Accel-Buffering: no"

REHEARSAL = text(
    "A rehearsal: measured on this machine, through front ends emulated from "
    "documentation; nothing of it was observed on Google's cloud."
)

EXAMINE = text("To see what holds it, if anything does, and what frees it: `kit doctor URL`.")

NONE = "–"

# How a lane was asked.
KINDS = {"on": text("header sent"), "off": text("header not sent"), "polling": text("by polling")}

ENVIRONMENTS = {
    "lab": text("lab"),
    "cloud": text("cloud"),
    "url": text("url"),
    "rehearsal": text("rehearsal"),
}

METHODS = {
    Method.LOCK_STEP: text("lock-step: each event was sent only after the one before had arrived"),
    Method.PAUSE: text(
        "pause: the server fell silent in mid-stream, and what had arrived by then was looked at"
    ),
    Method.STAMPS: text("stamps: the send times in the events were held against their arrival"),
    Method.LENGTHS: (
        text(
            "two lengths: an answer was asked for twice, once longer, to see whether its "
            "beginning waits for its end, which never proves who holds it"
        )
    ),
    Method.PASSIVE: text("observed only: arrival times alone never prove that a stream is held"),
}

CERTAINTIES: dict[Certainty, str] = {
    "A": text("a current page or source of the platform's owner"),
    "B": text("a page of the platform's owner, known by excerpt"),
    "C": text("an old page, or a third party's claim"),
    "M": text("measured on loopback"),
    "I": text("inferred"),
    "-": text("no source found"),
}


_PAIR = re.compile(r"(?P<name>[^=&#]+)=(?P<value>[^&#]+)")
_KEY = re.compile(
    r"(?:^|[^a-z])(?:api|access|private)?(?:key|sig|signature|token|secret|password|passwd|pwd|auth|code"
    r"|authorization|credentials?)$",
    re.IGNORECASE,
)

# With or without its scheme, of characters that neither Markdown nor HTML obeys within a link.
_ADDRESS = re.compile(
    r"(?:https://)?([A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+/[A-Za-z0-9/._~%?=#&+,;:@-]*)", re.ASCII
)


def duration(ms: float | None) -> str:
    """A time for people: "2.3 ms", "310 ms", "4.3 s"; a dash when it was not measured."""
    if ms is None:
        return NONE
    if abs(ms) >= 999.5:
        return text("{s:.1f} s", s=ms / 1000)
    return text("{ms:.0f} ms", ms=ms) if abs(ms) >= 9.95 else text("{ms:.1f} ms", ms=ms)


def lane_name(key: LaneKey) -> str:
    """A lane's name in a line of text: "standard on", "standard polling"."""
    return key.target if key.kind == "as-is" else f"{key.target} {key.kind}"


def how_sure(claim: Claim) -> str:
    """How sure a claim is, with the caveat beside one that is no certainty."""
    words = CERTAINTIES[claim.certainty]
    return (
        words
        if claim.caveat in (None, words)
        else text("{words}; {caveat}", words=words, caveat=claim.caveat)
    )


def linked(source: str) -> tuple[str | None, str]:
    """The address that a source begins with, as a link, and what follows it; (None, all) without one."""
    first, space, rest = source.partition(" ")
    found = _ADDRESS.fullmatch(first)
    return (f"https://{found[1]}", space + rest) if found else (None, source)


def place(url: str) -> str:
    """The URL without a user's name and password or a key in its query: a report is passed around."""
    with suppress(ValueError):
        url = without_credentials(url, "***@")
    before, mark, query = url.partition("?")
    return before + mark + _PAIR.sub(_without_key, query)


def _without_key(pair: re.Match[str]) -> str:
    secret = _KEY.search(pair["name"]) or looks_secret("", pair["value"])
    return f"{pair['name']}=***" if secret else pair[0]


def handed_out(url: str) -> str:
    """The same without its query, which may hold a key or a question."""
    before, mark, _ = place(url).partition("?")
    return f"{before}?…" if mark else before
