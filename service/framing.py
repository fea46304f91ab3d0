"""An answer's events as octets, in each of the three media types. Pure."""

from __future__ import annotations

import json
from typing import Protocol

from service.events import DATA, Event, in_json


class Framing(Protocol):
    """How events look on the wire."""

    media_type: str
    #: What is sent in silence; a reader passes over it.
    heartbeat: bytes

    def token(self, seq: int, text: str, t_ms: int) -> bytes:
        """The same as `frame` makes of a token, without an event in between."""

    def frame(self, seq: int | None, event: Event) -> bytes:
        """One event; `seq` is its number in the answer, the last one's included.

        None for an error that ends this response and not the answer: a client that comes back for the rest
        must not take it for one that it has had.
        """


class Sse:
    """text/event-stream: `id: ANSWER.SEQ`, `event`, `data`, LF line ends.

    An error after which asking again may help says in `retry` when an EventSource is to do so.
    """

    media_type = "text/event-stream; charset=utf-8"
    heartbeat = b":\n\n"

    def __init__(self, answer: str) -> None:
        self._id = f"id: {answer}."
        self._token = f"{self._id}%d\nevent: token\ndata: {DATA}\n\n".encode()

    def token(self, seq: int, text: str, t_ms: int) -> bytes:
        return self._token % (seq, seq, in_json(text).encode(), t_ms)

    def frame(self, seq: int | None, event: Event) -> bytes:
        name, data = event
        if name == "error":
            return self._error(seq, data)
        return f"{self._id}{seq}\nevent: {name}\ndata: {data}\n\n".encode()

    def _error(self, seq: int | None, data: str) -> bytes:
        number = "" if seq is None else f"{self._id}{seq}\n"
        after_s = json.loads(data).get("retry_after_s")
        retry = "" if after_s is None else f"retry: {after_s * 1000}\n"
        return f"{number}{retry}event: error\ndata: {data}\n\n".encode()


class Ndjson:
    """application/x-ndjson: one line an event, its data the same object as in SSE."""

    media_type = "application/x-ndjson"
    heartbeat = b"\n"
    _token = f'{{"seq":%d,"event":"token","data":{DATA}}}\n'.encode()

    def token(self, seq: int, text: str, t_ms: int) -> bytes:
        return self._token % (seq, seq, in_json(text).encode(), t_ms)

    def frame(self, seq: int | None, event: Event) -> bytes:
        return f"{in_line(seq, event)}\n".encode()


def in_line(seq: int | None, event: Event) -> str:
    """An event as one JSON object, {"seq", "event", "data"}."""
    number = "null" if seq is None else seq
    return f'{{"seq":{number},"event":"{event.name}","data":{event.data}}}'


class Text:
    """text/plain: the bare text. It has no place for a heartbeat, nor for `done`: a whole answer just ends.

    An answer that fails ends with a line of its own: `[streamproof: the answer ends here: …]`. Bare text
    cannot tell such a line from one that the generator wrote; who must be sure asks for another type.
    """

    media_type = "text/plain; charset=utf-8"
    heartbeat = b""

    def token(self, seq: int, text: str, t_ms: int) -> bytes:
        return text.encode()

    def frame(self, seq: int | None, event: Event) -> bytes:
        match event.name:
            case "token":
                text: str = json.loads(event.data)["text"]
                return text.encode()
            case "error":
                detail = json.loads(event.data)["detail"]
                return f"\n[streamproof: the answer ends here: {detail}]\n".encode()
        return b""
