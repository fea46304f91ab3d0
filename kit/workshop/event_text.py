"""The text in an answer's events, for a recording to be shown again; page/text.js is the same there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from kit.proof.events import Event

# Under which names text stands in the events of this kit's service and of OpenAI's, Anthropic's and Google's.
_NAMES: Final = ("text", "content", "delta", "token")


def event_texts(arrivals: Sequence[tuple[float, Event]]) -> list[str]:
    """The text of each event; empty for one that has none of its own."""
    return [_text(event) for _, event in arrivals]


def _text(event: Event) -> str:
    if event.type == "chunk":
        return event.data
    try:
        content = json.loads(event.data)
    except (ValueError, RecursionError):
        if event.type == "line":
            return f"{event.data}\n"
        return event.data if event.type == "message" and event.data != "[DONE]" else ""
    if not isinstance(content, dict):
        return ""
    text = _found(content)
    # An event of a form of its own is shown as it is, so that the page shows its arrival.
    return text if text is not None else event.data if event.type == "message" else ""


def _found(content: Any, *, named: bool = False) -> str | None:
    """All texts under those names; None where there is no such name."""
    if not isinstance(content, dict | list):
        return (content if isinstance(content, str) else "") if named else None
    inner = (
        [_found(value, named=name in _NAMES) for name, value in content.items()]
        if isinstance(content, dict)
        else [_found(value, named=named) for value in content]
    )
    found = [text for text in inner if text is not None]
    return "".join(found) if found or named else None
