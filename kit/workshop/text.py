"""What an answer's events say, for a recording that can be shown again; page/text.js says it for the page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from kit.proof.events import Event

# Under which names text stands in the events of this kit's service and of OpenAI's, Anthropic's and Google's.
_NAMES: Final = ("text", "content", "delta", "token")


def texts(arrivals: Sequence[tuple[float, Event]]) -> list[str]:
    """The text of each event; empty for one that has none of its own."""
    return [_text(event) for _, event in arrivals]


def _text(event: Event) -> str:
    if event.type == "chunk":
        return event.data
    try:
        told = json.loads(event.data)
    except (ValueError, RecursionError):
        if event.type == "line":
            return f"{event.data}\n"
        return event.data if event.type == "message" and event.data != "[DONE]" else ""
    if not isinstance(told, dict):
        return ""
    said = _said(told)
    # An event of a form of its own is shown as it is, so that it is seen to arrive.
    return said if said is not None else event.data if event.type == "message" else ""


def _said(told: Any, *, named: bool = False) -> str | None:
    """All texts under those names; None where there is no such name."""
    if not isinstance(told, dict | list):
        return (told if isinstance(told, str) else "") if named else None
    inner = (
        [_said(value, named=name in _NAMES) for name, value in told.items()]
        if isinstance(told, dict)
        else [_said(value, named=named) for value in told]
    )
    found = [text for text in inner if text is not None]
    return "".join(found) if found or named else None
