"""Locust's user that holds streams: each read is stamped as it arrives, by whatever ends an event.

Only Locust imports this, as a part of a locustfile: it patches the standard library to be asynchronous, on
which this relies. Locust 2.47's own `FastHttpUser.iter_lines` waits for 1,024 octets before it passes any on.
"""

from __future__ import annotations

import gc
import http.client
import socket
import ssl
import time
from dataclasses import replace
from functools import cache
from typing import Final
from urllib.parse import urlsplit

import gevent
from gevent import Greenlet
from gevent.event import Event
from gevent.pool import Group
from locust import User, task
from locust.env import Environment

from kit.errors import KitError
from kit.load.plan import Plan, Schedule
from kit.load.stream_watch import How, StreamWatch
from kit.load.tally import Tally
from kit.probe.coding import Coding
from kit.proof.events import EventTooLargeError

_READ_BYTES: Final = 64 * 1024
_TICK_MS: Final = 10.0
_LOOKED_UP_MS: Final = 30_000.0
_READS_IN_A_ROW: Final = 64  # a stream that never pauses lets the others run


def now_ms() -> float:
    """This process's clock."""
    return time.perf_counter() * 1000


class Load:
    """What the users of one process share.

    Attributes:
        plan: what each asks for.
        tally: what was seen since `take` was called last.
        streams: those that are open, each with what reads it.
        begun: set once all users are there, so that spawning them makes no stream late.
        left: whether the load is over.
        place: this process's number, from 0, and how many there are: the starts are dealt out in turn.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.tally = Tally()
        self.streams: dict[StreamWatch, tuple[StreamUser, Greenlet]] = {}
        self.place = (0, 1)
        self._users = 0
        self._began_ms = 0.0
        self.begun = Event()
        self.left = False

    def begin(self, schedule: Schedule, place: tuple[int, int]) -> None:
        """The load begins now."""
        self.plan = replace(self.plan, schedule=schedule)
        self.place, self._users, self.left = place, 0, False
        # A look through thousands of streams for garbage stops all of them; nearly nothing of it is cyclic.
        gc.set_threshold(50_000, 50, 100)
        gc.freeze()
        self._began_ms = now_ms()
        self.begun.set()
        gevent.spawn(self._tick)
        gevent.spawn(self._end_silent)

    def due(self) -> list[float]:
        """When the next user's streams are asked for, on this process's clock."""
        schedule = self.plan.schedule
        index = schedule.place(self._users, *self.place)
        self._users += 1
        return [self._began_ms + at_s * 1000 for at_s in schedule.starts(index)]

    def take(self) -> Tally:
        """What was seen since the last time."""
        taken, tally = self.tally, Tally()
        self.tally = tally
        for watch in self.streams:
            watch.tally = tally
        return taken

    def leave(self) -> None:
        """The load is over: what is open is left, all at the same moment."""
        self.left = True
        now = now_ms()
        for watch, (user, _) in list(self.streams.items()):
            user.over(watch, now, "left")

    def _end_silent(self) -> None:
        """One look a second at all streams costs less than a timeout for each read of each."""
        most_ms = self.plan.timeout_s * 1000
        while not self.left:
            gevent.sleep(min(1.0, self.plan.timeout_s))
            now = now_ms()
            for watch, (_, reading) in list(self.streams.items()):
                if now - watch.heard_ms > most_ms:
                    reading.kill(TimeoutError, block=False)

    def _tick(self) -> None:
        """How late this process is, as often as it could have been noticed."""
        while not self.left:
            due = now_ms() + _TICK_MS
            gevent.sleep(_TICK_MS / 1000)
            late = max(0.0, now_ms() - due)
            own = self.tally.own
            own.add(late)
            while (late := late - _TICK_MS) > 0:
                own.add(late)


class StreamUser(User):
    """Asks for its streams when they are due, whatever became of the last, and reads each to its end.

    Fires Locust's request event as STREAM: "first event" when that came; "worst gap", "worst lateness" and
    "stream" (with what went wrong, or how long it took) when it is over.

    Attributes:
        load: set by the locustfile before users are spawned.
    """

    load: Load

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self._reading = Group()

    @task
    def streams(self) -> None:
        """All of its streams."""
        try:
            self.load.begun.wait()
            for due in self.load.due():
                gevent.sleep(max(0.0, due - now_ms()) / 1000)
                self._reading.spawn(self._stream, due)
            Event().wait()  # a task that returns is begun anew
        finally:
            self._reading.kill(block=False)

    def _stream(self, due_ms: float) -> None:
        load, plan = self.load, self.load.plan
        if load.left:
            return
        asked = now_ms()
        load.tally.start_late.add(max(0.0, asked - due_ms))
        watch = StreamWatch(load.tally, asked)
        load.streams[watch] = self, gevent.getcurrent()
        how: How = "refused"
        why = ""
        connection = None
        try:
            connection = _connect(plan)
            connection.sock.settimeout(None)  # from here on, see `Load`
            response = _ask(connection, plan)
            if response.status != 200:
                why = f"status {response.status}"
                return
            how = "cut"
            self._read(response, watch)
            how = "ended"
        except TimeoutError:
            why = f"silent for {plan.timeout_s:g} s"
        except http.client.IncompleteRead:
            why = "broke off before its end"
        except EventTooLargeError:
            why = "sent an event without an end"
        except KitError as error:
            why = error.message
        except http.client.HTTPException as error:
            why = f"is not HTTP ({type(error).__name__})"
        except OSError as error:
            why = error.strerror or str(error) or type(error).__name__
        except Exception as bug:  # of ours: no stream's fault, and no figure is right
            gevent.get_hub().handle_system_error(type(bug), bug)
        finally:
            self.over(watch, now_ms(), how, why)
            if connection is not None:
                connection.close()

    def _read(self, response: http.client.HTTPResponse, watch: StreamWatch) -> None:
        watch.heard_ms = now_ms()
        watch.head(response.headers.get("content-type", ""))
        undo = Coding(", ".join(response.headers.get_all("content-encoding", [])))
        in_a_row, last = 0, now_ms()
        begun = False
        while data := response.read1(_READ_BYTES):
            watch.heard_ms = now = now_ms()
            for piece in undo.decode(data):
                watch.body(now, piece)
            if not begun and watch.first_ms is not None:
                begun = True
                self._fire("first event", watch.first_ms)
            in_a_row = in_a_row + 1 if now - last < 1 else 0
            last = now
            if in_a_row >= _READS_IN_A_ROW:
                in_a_row = 0
                gevent.sleep(0)
        if response.length:  # what is left of its Content-Length
            raise http.client.IncompleteRead(b"")
        undo.end()

    def over(self, watch: StreamWatch, now: float, how: How, why: str = "") -> None:
        """The stream is over, for whatever reason; the first one counts."""
        if self.load.streams.pop(watch, None) is None:
            return
        watch.end(now, how, why)
        if watch.gap_ms is not None:
            self._fire("worst gap", watch.gap_ms)
        if watch.late_ms is not None:
            self._fire("worst lateness", watch.late_ms)
        wrong = RuntimeError(why) if watch.over in ("cut", "refused") else None
        self._fire("stream", now - watch.asked_ms, wrong)

    def _fire(self, name: str, ms: float, wrong: Exception | None = None) -> None:
        self.environment.events.request.fire(
            request_type="STREAM",
            name=name,
            response_time=ms,
            response_length=0,
            exception=wrong,
            context={},
        )


@cache
def _tls(insecure: bool, cacert: str | None) -> ssl.SSLContext:
    from kit.probe.tls import Trust, context

    return context(Trust(insecure, cacert), http2=False)


class _Addresses:
    """A host's addresses, looked up again now and then: a look-up for each connection would take turns."""

    def __init__(self) -> None:
        self._found: list[tuple[int, tuple[object, ...]]] = []
        self._until_ms = 0.0
        self._turn = 0

    def connected(self, host: str, port: int, timeout_s: float) -> socket.socket:
        """A connection to one of them, in turn; to the next where that fails."""
        if now_ms() > self._until_ms:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            self._found = [(family, address) for family, _, _, _, address in found]
            self._until_ms = now_ms() + _LOOKED_UP_MS
        self._turn += 1
        error: OSError | None = None
        for more in range(len(self._found)):
            family, address = self._found[(self._turn + more) % len(self._found)]
            made = socket.socket(family, socket.SOCK_STREAM)
            try:
                made.settimeout(timeout_s)
                made.connect(address)
                made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return made
            except OSError as failed:
                error = failed
                made.close()
        raise error or OSError("the name has no address")


_addresses = _Addresses()


def _connect(plan: Plan) -> http.client.HTTPConnection:
    parts = urlsplit(plan.url)
    host, secure = parts.hostname or "", parts.scheme == "https"
    made = _addresses.connected(host, parts.port or (443 if secure else 80), plan.timeout_s)
    connection = http.client.HTTPConnection(host, timeout=plan.timeout_s)
    connection.sock = made
    if secure:
        try:
            connection.sock = _tls(plan.insecure, plan.cacert).wrap_socket(made, server_hostname=host)
        except BaseException:
            made.close()
            raise
    return connection


def _ask(connection: http.client.HTTPConnection, plan: Plan) -> http.client.HTTPResponse:
    parts = urlsplit(plan.url)
    target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    connection.putrequest(plan.method, target, skip_host=True, skip_accept_encoding=True)
    for name, value in plan.headers:
        connection.putheader(name, value.encode("latin-1"))
    connection.endheaders(None if plan.body is None else plan.body.encode())
    return connection.getresponse()
