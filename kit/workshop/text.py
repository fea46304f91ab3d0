"""What an answer's events say, for a recording that can be shown again."""

from __future__ import annotations

import json
from collections.abc import Sequence

from kit.proof.events import Event


def texts(arrivals: Sequence[tuple[float, Event]]) -> list[str]:
    """The text of each event; empty for one that has none of its own."""
    return [_text(event) for _, event in arrivals]


def _text(event: Event) -> str:
    if event.type == "chunk":
        return event.data
    try:
        told = json.loads(event.data)
    except (ValueError, RecursionError):
        # A line that is no JSON is text in lines.
        return f"{event.data}\n" if event.type == "line" else ""
    if isinstance(told, dict) and isinstance(told.get("data"), dict):
        told = told["data"]
    text = told.get("text") if isinstance(told, dict) else None
    return text if isinstance(text, str) else ""
