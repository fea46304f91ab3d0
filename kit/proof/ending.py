"""How an answer ended: whole, cut, or so that a cut would look the same. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from kit.proof.doubts import Doubt
from kit.proof.events import Event
from kit.proof.looks import kind_of
from kit.proof.received import Received
from kit.proof.timeline import End

# A server's or a proxy's time limit is longer; what ended sooner and in order was not cut by one.
SHORTEST_LIMIT_MS = 5_000.0
# By default these ask the service by HTTP/1.0, where a cut and an end look the same, and answer in
# chunks (nginx before 1.29.7, and what is built on it).
_BY_HTTP_1_0 = ("nginx", "openresty", "tengine", "lighttpd")
_LAST = 4  # events: after the one that says why it ended, some send what it cost, and then [DONE]
_ENDS = frozenset(
    ("complete", "completed", "done", "end", "error", "finish", "message_stop", "response.completed")
)

DOUBTS: Mapping[End, tuple[Doubt, ...]] = {
    End.WHOLE: (),
    End.UNMARKED: (Doubt.END_UNMARKED,),
    End.UNKNOWN: (Doubt.END_UNKNOWN,),
    End.CUT: (Doubt.STREAM_CUT,),
    End.LEFT: (Doubt.STILL_RUNNING,),
}


def ending(received: Received, *, asked_ms: float) -> End:
    """How it ended.

    Args:
        received: the response, on the client's clock.
        asked_ms: when its request was sent, on the same clock.
    """
    if received.ended_ms is None or received.left:
        return End.LEFT
    if not received.clean:
        return End.CUT
    events = [event for _, event in received.arrivals]
    ours = "streamproof-started-ms" in received.headers and events and events[-1].type != "chunk"
    if any(_is_end(event) for event in (events[-1:] if ours else events[-_LAST:])):
        return End.WHOLE
    if ours:
        return End.CUT
    of_a_model = bool(events) and _of_a_model(events[0])
    if received.ends_with_its_connection or of_a_model or (events and received.unfinished):
        return End.UNKNOWN
    kind = kind_of(received.headers.get("content-type", ""))
    if received.ended_ms - asked_ms < SHORTEST_LIMIT_MS or len(events) < 2 or kind == "document":
        return End.WHOLE
    # What came in one lump says more than how it ended.
    spread_ms = received.arrivals[-1][0] - received.arrivals[0][0]
    by = received.origin_http
    hidden = not by and received.headers.get("server", "").lower().startswith(_BY_HTTP_1_0)
    if (hidden or by == "1.0") and 2 * spread_ms >= SHORTEST_LIMIT_MS:
        return End.UNKNOWN
    return End.UNMARKED if kind == "events" else End.WHOLE


def _is_end(event: Event) -> bool:
    """Whether it ends an answer: one of ours, and of the models' usual interfaces."""
    if event.type.lower() in _ENDS or event.data.strip() == "[DONE]":
        return True
    data = _object(event)
    words = (data.get("event"), data.get("type"))
    if data.get("done") is True or any(isinstance(word, str) and word.lower() in _ENDS for word in words):
        return True
    return any(choice.get("finish_reason") or choice.get("finishReason") for choice in _choices(data))


def _of_a_model(event: Event) -> bool:
    """Whether its kind's answers bear such an end: OpenAI's, Gemini's, Ollama's, Anthropic's."""
    data = _object(event)
    return (
        data.get("object") == "chat.completion.chunk"
        or data.get("type") == "message_start"
        or data.get("done") is False
        or any("content" in choice for choice in _choices(data))
    )


def _choices(data: dict[str, Any]) -> list[dict[str, Any]]:
    listed = data.get("choices") or data.get("candidates")
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []


def _object(event: Event) -> dict[str, Any]:
    try:
        data = json.loads(event.data)
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}
