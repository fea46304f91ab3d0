"""An answer that grows while it is written, also where the platform holds streams. Standard library only.

    python examples/answer.py https://SERVICE "Why is the sky blue?"

It begins as a stream. When nothing has come for a second, it asks on another connection how far the answer
has been written. No further: the model is slow, and it goes on waiting. Further, and nothing of that comes
on the stream in the time that a second such question takes: the stream is held on the way. Then it leaves
the stream and asks for the rest in pieces. Nothing is written, or paid for, twice. For a private service:

    export TOKEN=$(gcloud auth print-identity-token)

service/page/answer.js is the same for JavaScript; docs/polling.md says what both of them rely on.
"""

from __future__ import annotations

import http.client
import json
import os
import secrets
import socket
import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing, suppress
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

WAIT_S = 20  # how long the service may hold a request open until there is something to tell
PATH_S = 10  # how much longer than that an answer to it may take
SILENT_S = 600  # how long a stream may bring nothing: all its length, where it is held
TRIES = 5


class Event(NamedTuple):
    seq: int
    event: str  # "token", and at the end "done"
    data: dict[str, Any]


class AnswerError(Exception):
    """There is no answer, or not the whole of it. The message is for a person.

    Attributes:
        kind: "problem", from the service; "lost", it keeps the answer no longer; "cut", the stream broke
            off and the answer was not kept; "foreign", a response that the service did not write;
            "unreachable".
        problem: the service's, of RFC 9457; empty where it sent none.
        status: of the HTTP response; None where there was none.
        retry_after_s: when to try again, where the service said so.
    """

    def __init__(
        self,
        kind: Literal["problem", "lost", "cut", "foreign", "unreachable"],
        message: str,
        status: int | None = None,
        problem: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.kind, self.status, self.problem = kind, status, problem or {}
        self.retry_after_s: float | None = None


class Poll(NamedTuple):
    """The reply to a question beside the stream: the events after number `after`, or None if unusable."""

    after: int
    events: list[Event] | None
    took_s: float


News = SimpleQueue[Event | AnswerError | Poll]


class Answer:
    """One answer. Iterate over it once: over its events as they come, or over `text()`.

    Args:
        url: of the service.
        asked: what /search takes, such as {"ai_prompt": "Why?"}.
        token: for a service that wants one.
        on_switch: called when the stream is given up for polling: with "held" and how many events were
            missing, or with "cut" and 0.
        patience_s: how long nothing may come before it asks how far the answer is.
        allowance_s: how late an event may be without being held: TCP takes 0.2 s and more to repeat what
            was lost. Where three round trips are longer, those.
    """

    def __init__(
        self,
        url: str,
        asked: Mapping[str, Any],
        *,
        token: str = "",
        on_switch: Callable[[Literal["held", "cut"], int], None] = lambda why, missing: None,
        patience_s: float = 1.0,
        allowance_s: float = 0.4,
    ) -> None:
        self.mode: Literal["stream", "polling"] = "stream"
        where = urlsplit(url)
        if where.scheme not in ("http", "https") or not where.hostname:
            raise ValueError(f"{url!r} is no URL of a service, such as https://example.com")
        self._host, self._port, self._secure = where.hostname, where.port, where.scheme == "https"
        self._path = f"{where.path.rstrip('/')}/search"
        # An answer that its client has named is kept, and can be asked for on another connection.
        self._name = secrets.token_hex(16)
        self._body = json.dumps({**asked, "answer": self._name}).encode()
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._on_switch = on_switch
        self._patience_s, self._allowance_s = patience_s, allowance_s
        self._last = -1  # the number of the last event that came

    def text(self) -> Iterator[str]:
        """The text alone, as it comes."""
        return (event.data["text"] for event in self if event.event == "token")

    def __iter__(self) -> Iterator[Event]:
        """The events as they come, up to `done`. Leaving the loop ends the request.

        Raises:
            AnswerError: there will be no `done`.
        """
        with closing(self._written()) as events:
            for event in events:
                self._last = event.seq
                if event.event == "error":
                    raise _told(event.data)
                yield event
                if event.event == "done":
                    return

    def _written(self) -> Generator[Event]:
        broken = yield from self._stream()
        yield from self._poll(broken)

    # ---- The stream

    def _stream(self) -> Generator[Event, None, AnswerError | None]:
        """What comes on the stream while it is of use. Returns what broke it; None if it was held."""
        connection = self._connect(SILENT_S)
        try:
            connection.connect()
        except OSError as error:
            raise _unreachable(error) from error
        wire, news = connection.sock, News()
        Thread(target=self._receive, args=(connection, news), daemon=True).start()
        asking, missing, pause_s = False, 0, self._patience_s
        try:
            while True:
                try:
                    new = news.get(timeout=None if asking else pause_s)
                except Empty:
                    asking = True
                    Thread(target=self._ask, args=(self._last, news), daemon=True).start()
                    continue
                if isinstance(new, Event):
                    missing, pause_s = 0, self._patience_s
                    yield new
                    continue
                if isinstance(new, AnswerError):
                    return new
                asking = False
                if new.events is None:
                    # Another instance was asked, or this one takes one request at a time: it cannot tell.
                    missing, pause_s = 0, 4 * self._patience_s
                elif not new.events or new.after != self._last:
                    missing, pause_s = 0, self._patience_s  # slow, and not held
                elif not missing:
                    # All these were written before this reply, but may be on their way: wait, and ask again.
                    missing, pause_s = len(new.events), max(self._allowance_s, 3 * new.took_s)
                else:
                    # Another reply, written so much later, is here, and of those still none: they are held.
                    self._switch("held", missing)
                    yield from new.events
                    return None
        finally:
            with suppress(OSError):
                wire.shutdown(socket.SHUT_RDWR)  # ends `_receive`, wherever it is

    def _receive(self, connection: http.client.HTTPConnection, news: News) -> None:
        """Puts what the stream brings into `news`, and in the end why it brings no more."""
        headers = {"Content-Type": "application/json", "Accept": "text/event-stream", **self._headers}
        try:
            connection.request("POST", self._path, self._body, headers)
            for fields in _blocks(_as("text/event-stream", connection.getresponse())):
                data = json.loads(fields["data"])
                if "id" not in fields:  # an error that ends this response, while the answer goes on
                    raise _told(data)
                news.put(Event(int(fields["id"].rpartition(".")[2]), fields["event"], data))
            raise EOFError("it ended before the answer did")
        except AnswerError as error:
            news.put(error)
        except (OSError, EOFError, http.client.HTTPException, ValueError, KeyError) as error:
            said = f"The stream broke off ({error}), and the answer was not kept. Ask again."
            news.put(AnswerError("cut", said))
        finally:
            connection.close()

    def _ask(self, after: int, news: News) -> None:
        """Puts into `news` what has been written after number `after`."""
        began = time.monotonic()
        events = None
        with closing(self._connect(PATH_S)) as connection, suppress(AnswerError):
            events, _ = self._piece(connection, after, wait_s=0)
        news.put(Poll(after, events, time.monotonic() - began))

    def _switch(self, why: Literal["held", "cut"], missing: int) -> None:
        self.mode = "polling"
        self._on_switch(why, missing)

    # ---- Polling

    def _poll(self, broken: AnswerError | None) -> Generator[Event]:
        """What is written after the last event, in pieces.

        Args:
            broken: what broke the stream, to be raised where the answer is not kept.
        """
        # A refusal, unless the request was sent twice on the way (409), or only its response was late (504).
        if broken and broken.kind == "problem" and broken.status not in (None, 409, 504):
            raise broken
        failures = 0
        with closing(self._connect(WAIT_S + PATH_S)) as connection:
            while True:
                try:
                    events, done = self._piece(connection, self._last, WAIT_S)
                except AnswerError as error:
                    connection.close()
                    failures += 1
                    if error.status is not None and error.status < 500 and error.status != 429:
                        raise broken or error from error
                    if failures == TRIES:
                        raise
                    time.sleep(2.0 ** (failures - 2) if error.retry_after_s is None else error.retry_after_s)
                else:
                    failures = 0
                    if broken:
                        self._switch("cut", 0)
                        broken = None
                    yield from events
                    if done:
                        return

    def _piece(
        self, connection: http.client.HTTPConnection, after: int, wait_s: float
    ) -> tuple[list[Event], bool]:
        """What is written after number `after`, and whether it is all. Raises AnswerError."""
        where = f"{self._path}/{self._name}?after={after}&wait={wait_s}"
        try:
            connection.request("GET", where, headers=self._headers)
            piece = json.load(_as("application/json", connection.getresponse()))
            return [Event(e["seq"], e["event"], e["data"]) for e in piece["events"]], piece["done"]
        except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
            raise _unreachable(error) from error

    def _connect(self, timeout_s: float) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        return kind(self._host, self._port, timeout=timeout_s)


def _as(media: str, response: http.client.HTTPResponse) -> http.client.HTTPResponse:
    """The response, if it is a good one of that type. Raises AnswerError."""
    found, status = response.headers.get_content_type(), response.status
    if status == 200 and found == media:
        return response
    said = f"Not the service answered, but a proxy on the way: HTTP {status}, {found}."
    error = AnswerError("foreign", said, status)
    body = response.read(65_536)
    if found == "application/problem+json":
        error = _told(json.loads(body), status)
    after = response.headers.get("Retry-After", "")
    error.retry_after_s = float(after) if after.isdigit() else None
    raise error


def _told(problem: Mapping[str, Any], status: int | None = None) -> AnswerError:
    said = f"{problem.get('title', '')} {problem.get('detail', '')}".strip()
    return AnswerError("lost" if status == 410 else "problem", said, status, problem)


def _unreachable(error: Exception) -> AnswerError:
    return AnswerError("unreachable", f"The service cannot be reached ({error}).")


def _blocks(lines: Iterable[bytes]) -> Iterator[dict[str, str]]:
    """The fields of each server-sent event, as this service writes them: none twice, no bare CR."""
    fields: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.decode().rstrip("\r\n").partition(":")
        if name:
            fields[name] = value.removeprefix(" ")
        elif not colon:  # a blank line; one that begins with a colon is a heartbeat
            if "data" in fields:
                yield fields
            fields = {}


def main(url: str, prompt: str) -> None:
    """Prints the text as it comes, and to stderr when it had to be asked for in pieces."""

    def say(why: str, missing: int) -> None:
        events = "event" if missing == 1 else "events"
        held = f"held: {missing} {events} had been written and had not come"
        print(f"\n[The stream is {held if why == 'held' else 'cut'}. Asking in pieces.]", file=sys.stderr)

    answer = Answer(url, {"ai_prompt": prompt}, token=os.environ.get("TOKEN", ""), on_switch=say)
    for text in answer.text():
        print(text, end="", flush=True)
    print()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python examples/answer.py URL PROMPT")
    try:
        main(sys.argv[1], sys.argv[2])
    except (AnswerError, ValueError) as error:
        sys.exit(f"error: {error}")
    except BrokenPipeError:  # the reader of what is printed has left, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except KeyboardInterrupt:
        sys.exit(130)
