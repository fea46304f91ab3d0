"""A plain client: asks the service, reads what comes as it comes, leaves when it likes."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from kit.proof.sse import SSEDecoder

GIVE_UP_S = 60.0  # for what should have happened at once, on cores that are busy


class Event(NamedTuple):
    """An SSE event with its data parsed."""

    type: str
    data: dict[str, Any]
    id: str
    octets: int


class Answer:
    """A response whose head is here and whose body is still to be read."""

    def __init__(self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse) -> None:
        self._connection = connection
        self._response = response
        self._sse: Iterator[Event] | None = None
        self.status = response.status
        self.headers = response.headers

    def __enter__(self) -> Answer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()

    def read(self) -> bytes:
        """All that is still to come. Raises IncompleteRead when it is cut."""
        body = self._response.read()
        self.leave()
        return body

    def json(self) -> Any:
        return json.loads(self.read())

    def octets(self) -> Iterator[bytes]:
        """Each read, as it comes."""
        while octets := self._response.read1(65_536):
            yield octets

    def event(self) -> Event:
        """The next SSE event. Raises StopIteration where there is none."""
        if self._sse is None:
            self._sse = self._events()
        return next(self._sse)

    def events(self) -> list[Event]:
        """All SSE events that are still to come."""
        if self._sse is None:
            self._sse = self._events()
        return list(self._sse)

    def _events(self) -> Iterator[Event]:
        decoder = SSEDecoder()
        for octets in self.octets():
            for event in decoder.feed(octets):
                yield Event(event.type, json.loads(event.data), event.id, event.octets)

    def leave(self) -> None:
        """Close the connection, whatever is still under way."""
        self._response.close()
        self._connection.close()


def ask(
    base: str,
    path: str = "/search",
    *,
    method: str = "GET",
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    **query: Any,
) -> Answer:
    """Send a request; returns when the answer's head is here."""
    where = urlsplit(base)
    assert where.hostname
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=GIVE_UP_S)
    target = where.path + path + (f"?{urlencode(query)}" if query else "")
    connection.request(method, target, body, dict(headers or {}))
    return Answer(connection, connection.getresponse())


def connected(base: str) -> socket.socket:
    """A connection to it, for octets that no client would send."""
    where = urlsplit(base)
    return socket.create_connection((where.hostname, where.port), GIVE_UP_S)


def ask_json(base: str, fields: object, **headers: str) -> Answer:
    """POST /search with this as its JSON body."""
    return ask(
        base,
        method="POST",
        body=json.dumps(fields).encode(),
        headers={"Content-Type": "application/json", **headers},
    )


def freed(status: int, base: str, path: str = "/search", **query: Any) -> Answer:
    """The first answer without this status: what another held is free a moment after the last octet."""
    give_up = time.monotonic() + GIVE_UP_S
    while (answer := ask(base, path, **query)).status == status:
        answer.leave()
        assert time.monotonic() < give_up
    return answer


def problem(answer: Answer, status: int, kind: str) -> dict[str, object]:
    """The answer's problem, with what RFC 9457 promises checked."""
    assert answer.status == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Cache-Control"] == "no-store"
    body: dict[str, object] = answer.json()
    assert body["type"] == f"urn:streamproof:problem:{kind}"
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    return body


def text_of(events: list[Event]) -> str:
    """The text that the tokens among the events make up."""
    return "".join(event.data["text"] for event in events if event.type == "token")
