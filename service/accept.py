"""Which media type an answer gets: what the client accepts (RFC 9110, 12.5.1) of what there is. Pure."""

from __future__ import annotations

from collections.abc import Callable

from service.framing import Framing, Ndjson, Sse, Text
from service.problems import Problem

# In the order of preference where Accept leaves a choice.
FRAMINGS: dict[str, Callable[[str], Framing]] = {
    "text/event-stream": Sse,
    "application/x-ndjson": lambda answer: Ndjson(),
    "text/plain": lambda answer: Text(),
}


def negotiate(accept: list[str]) -> Callable[[str], Framing]:
    """The framing of the type that the client likes best, to be given ANSWER; SSE without a preference.

    Raises:
        Problem: 406, it accepts none of them.
    """
    wishes = [_wish(part) for line in accept for part in line.split(",") if part.strip()]
    if not wishes:
        return FRAMINGS["text/event-stream"]
    best, best_q = "", 0.0
    for name in FRAMINGS:
        # The most specific range that covers the type decides: text/plain, then text/*, then */*.
        ranges = (name, name.split("/")[0] + "/*", "*/*")
        q = next((q for r in ranges for media, q in wishes if media == r), 0.0)
        if q > best_q:
            best, best_q = name, q
    if not best:
        raise Problem(
            "not-acceptable",
            406,
            "None of the accepted media types can be served.",
            f"Accept must allow one of {', '.join(FRAMINGS)}.",
        )
    return FRAMINGS[best]


def _wish(part: str) -> tuple[str, float]:
    media, *options = (piece.strip().lower() for piece in part.split(";"))
    q = next((option[2:] for option in options if option.startswith("q=")), "1")
    try:
        return media, float(q)
    except ValueError:
        return media, 0.0
