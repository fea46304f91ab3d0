"""An answer's events as octets, in each of the three media types. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from json.encoder import encode_basestring as _string
from typing import Any, Protocol

# `token` is called for each event, so it puts the JSON together by hand and counts whole milliseconds: a
# fraction would cost as much to format as all the rest.
_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Framing(Protocol):
    """How events look on the wire. `seq` counts the events of an answer from 0, the last one included."""

    media_type: str
    #: What is sent in silence; a reader passes over it.
    heartbeat: bytes

    def token(self, seq: int, text: str, t_ms: float) -> bytes:
        """A piece of the answer, written `t_ms` milliseconds after the request began."""

    def done(self, seq: int, data: Mapping[str, Any]) -> bytes:
        """The end of a whole answer."""

    def error(self, seq: int, problem: Mapping[str, Any]) -> bytes:
        """The end of an answer that is not whole."""


class Sse:
    """text/event-stream: `id: ANSWER.SEQ`, `event`, `data`, LF line ends."""

    media_type = "text/event-stream; charset=utf-8"
    heartbeat = b":\n\n"

    def __init__(self, answer: str) -> None:
        self._id = f"id: {answer}."

    def token(self, seq: int, text: str, t_ms: float) -> bytes:
        n = str(seq)
        return (
            f'{self._id}{n}\nevent: token\ndata: {{"seq":{n},"text":{_string(text)},"t_ms":{int(t_ms)}}}\n\n'
        ).encode()

    def done(self, seq: int, data: Mapping[str, Any]) -> bytes:
        return self._event(seq, "done", data)

    def error(self, seq: int, problem: Mapping[str, Any]) -> bytes:
        return self._event(seq, "error", problem)

    def _event(self, seq: int, name: str, data: Mapping[str, Any]) -> bytes:
        return f"{self._id}{seq}\nevent: {name}\ndata: {_json(data)}\n\n".encode()


class Ndjson:
    """application/x-ndjson: one line an event, its data the same object as in SSE."""

    media_type = "application/x-ndjson"
    heartbeat = b"\n"

    def token(self, seq: int, text: str, t_ms: float) -> bytes:
        n = str(seq)
        data = f'{{"seq":{n},"text":{_string(text)},"t_ms":{int(t_ms)}}}'
        return f'{{"seq":{n},"event":"token","data":{data}}}\n'.encode()

    def done(self, seq: int, data: Mapping[str, Any]) -> bytes:
        return self._event(seq, "done", data)

    def error(self, seq: int, problem: Mapping[str, Any]) -> bytes:
        return self._event(seq, "error", problem)

    def _event(self, seq: int, name: str, data: Mapping[str, Any]) -> bytes:
        return (_json({"seq": seq, "event": name, "data": data}) + "\n").encode()


class Text:
    """text/plain: the bare text. It has no place for a heartbeat, nor for `done`: a whole answer just ends.

    An answer that fails ends with a line of its own: `[streamproof: the answer ends here: …]`. Bare text
    cannot tell such a line from one that the generator wrote; who must be sure asks for another type.
    """

    media_type = "text/plain; charset=utf-8"
    heartbeat = b""

    def token(self, seq: int, text: str, t_ms: float) -> bytes:
        return text.encode()

    def done(self, seq: int, data: Mapping[str, Any]) -> bytes:
        return b""

    def error(self, seq: int, problem: Mapping[str, Any]) -> bytes:
        return f"\n[streamproof: the answer ends here: {problem['detail']}]\n".encode()
