"""Many streams at once, on real connections (`kit.proof.many` decides what to do with them)."""

from __future__ import annotations

import asyncio
import errno
import json
import os
from contextlib import suppress
from dataclasses import replace
from math import inf

from kit.errors import Code, KitError, UsageError
from kit.language import text
from kit.probe.client import Ask, Client, Response, now_ms
from kit.probe.http_errors import shown
from kit.probe.lateness import Sleep, drained
from kit.probe.origin import Side, new_stream, stream_url
from kit.probe.proof_runner import ProofRequest
from kit.probe.spec import coding
from kit.proof import streams as proof
from kit.proof.actions import Reply
from kit.proof.contract import ClauseFinding
from kit.proof.events import EventTooLargeError, LineDecoder
from kit.proof.many import MOST_SIDES, MOST_STREAMS, STREAMS, Many
from kit.proof.received import Received
from kit.proof.sse import SSEDecoder
from kit.proof.steps import SMALL
from kit.proof.streams import Answer, Missing, Observed, Refusal, Stream, Watch

_TIMEOUT_S = 30.0  # of our own, beyond a stream's life: what ends a stream must not be us
# At the origin, of what neither an end nor that its client left reaches: no longer than all of it may take.
_LIVES_S, _EACH_S = 30, 20
_PARTING_MS = 1_000.0  # Ctrl-C may have been pressed
_SPARE_FILES = 64  # beside the streams: side connections, names looked up, what is open already
_OURS = {
    errno.EMFILE: text("this process may open no more files"),
    errno.ENFILE: text("this machine may open no more files"),
    errno.EADDRNOTAVAIL: text("this machine has no more ports"),
    errno.ENOBUFS: text("this machine has no more buffers"),
    errno.ENOMEM: text("this machine has no more memory"),
}


async def many(request: ProofRequest, *, streams: int = STREAMS, http2: bool = False) -> ClauseFinding:
    """How many streams at once the path delivers, up to `streams`.

    Each has a connection of its own, over HTTP/2 too: what one of these carries at once, its server says.

    Args:
        request: how the proof's stream is asked for.
        streams: how many are wanted.
        http2: offer HTTP/2.

    Raises:
        KitError: BAD_USAGE for a number that cannot be asked for.
    """
    if not 1 <= streams <= MOST_STREAMS:
        raise UsageError(
            text("{streams:,} streams at once cannot be opened.", streams=streams),
            text("Give a number from 1 to {most:,}.", most=MOST_STREAMS),
        )
    files = _files(streams + _SPARE_FILES) - _SPARE_FILES
    why = text("this process may open no more files (ulimit -n: {files:,})", files=files + _SPARE_FILES)
    lives_s = _LIVES_S + streams // _EACH_S
    return await _Runner(request, http2=http2, lives_s=lives_s).run(Many(streams, files, why))


def _files(wanted: int) -> float:
    """How many files this process may have open; it takes what it may of what is wanted."""
    try:
        import resource
    except ImportError:  # Windows: no limit of this kind
        return inf
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return inf
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with suppress(ValueError, OSError):  # macOS allows less than it says
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return soft


class _Runner:
    """Streams, each read by a task of its own, and side requests on several connections."""

    def __init__(self, request: ProofRequest, *, http2: bool, lives_s: int) -> None:
        self._request = request
        self._lives_s = lives_s
        self._http2 = http2
        self._headers = (*request.headers, *coding(request.at))
        self._streams: list[Stream] = []
        self._ids: list[str] = []
        self._readers: list[asyncio.Task[None]] = []
        self._unended: set[int] = set()  # the origin may have them yet
        self._news = asyncio.Event()
        self._sleep = Sleep()
        self._multiplexed: int | None = None
        self._sides: list[tuple[Client, Side]] = []

    async def run(self, machine: Many) -> ClauseFinding:
        """What the machine makes of it. Nothing of it is left behind."""
        steps = machine.run()
        self._sleep.start()
        try:
            action = next(steps)
            while True:
                answers = await self._act(action)
                await drained(self._news)  # what lies there came in time, however late this process looks
                self._check()
                seen = Observed(now_ms(), self._streams, answers, self._sleep.taken_ms())
                action = steps.send(seen)
        except StopIteration as stop:
            return self._with_multiplexed(stop.value)
        except BaseException:
            await self._part()
            raise
        finally:
            self._sleep.stop()
            await self._leave(range(len(self._streams)))
            await self._hang_up()

    async def _act(self, action: proof.Action) -> tuple[Answer, ...]:
        match action:
            case proof.Open():
                for _ in range(action.count):
                    self._open()
            case Watch():
                await self._watch(action)
            case proof.Leave():
                await self._leave(action.streams)
                await self._hang_up()
            case proof.Ask():
                return await self._ask(action)
        return ()

    def _open(self) -> None:
        at = self._request.at
        stream = Stream(Received(SSEDecoder() if at.framing == "sse" else LineDecoder()))
        number, one = len(self._streams), new_stream()
        url = stream_url(self._request.base, one, mode="lockstep", size=SMALL, at=at, seconds=self._lives_s)
        ask = Ask(
            at.method,
            url,
            (*self._headers, ("accept", at.accept)),
            b"" if at.method == "POST" else None,
        )
        self._streams.append(stream)
        self._ids.append(one)
        self._unended.add(number)
        self._readers.append(asyncio.create_task(self._read(stream, ask)))

    async def _read(self, stream: Stream, ask: Ask) -> None:
        """Read one to its end; every read is news."""
        received, clean = stream.received, False
        try:
            # One for each. httpcore2 may leave an event unread that came while another stream's reader waits.
            async with (
                Client(http2=self._http2, timeout_s=self._lives_s + _TIMEOUT_S) as client,
                client.stream(ask) as response,
            ):
                self._multiplexed = client.multiplexed
                if response.status != 200:
                    stream.refusal = await _refusal(response)
                received.head(response.head_ms, response.status, response.headers, response.http_version)
                self._news.set()
                if stream.refusal is None:
                    async for at, data in response.reads():
                        received.body(at, data)
                        self._news.set()
                    clean = True
        except EventTooLargeError:
            raise KitError(
                Code.TOO_LARGE,
                text("{url} sent an event without an end.", url=shown(ask.url)),
                text("That is not the proof's protocol: check the --proof address."),
            ) from None
        except KitError as error:
            if received.status is None:
                stream.refusal = _of_connection(error)
        finally:
            received.end(now_ms(), clean=clean)
            self._news.set()

    def _with_multiplexed(self, found: ClauseFinding) -> ClauseFinding:
        if self._multiplexed is None:
            return found
        said = text(
            "the server allows {multiplexed:,} streams at once on one connection of HTTP/2",
            multiplexed=self._multiplexed,
        )
        return replace(
            found,
            evidence=(*found.evidence, text("{said}; here each had a connection of its own", said=said)),
        )

    def _check(self) -> None:
        """Raises what went wrong with a stream: a bug must not look like one that was refused."""
        for reader in self._readers:
            if reader.done() and not reader.cancelled():
                reader.result()

    async def _watch(self, watch: Watch) -> None:
        def there() -> bool:
            ready = sum(
                (one := self._streams[number]).over or one.received.events >= events
                for number, events in watch.wanted
            )
            return ready >= min(watch.enough, max(1, len(watch.wanted)))

        with suppress(TimeoutError):
            async with asyncio.timeout(watch.within_ms / 1000):
                while not there():
                    self._news.clear()
                    await self._news.wait()

    async def _ask(self, ask: proof.Ask) -> tuple[Answer, ...]:
        ids = [(self._ids[number], number) for number in ask.streams] or [("", -1)]
        answers: list[Answer | None] = [None] * len(ids)
        places = iter(range(len(ids)))
        missing: list[Missing] = []

        async def one_after_another(side: Side) -> None:
            for place in places:
                if missing:
                    return
                answer = await self._side_request(side, ask, ids[place][0])
                answers[place] = answer
                if isinstance(answer, Missing):
                    missing.append(answer)
                elif ask.what == "end":
                    self._unended.discard(ids[place][1])

        sides = [self._side(place) for place in range(min(ask.sides, len(ids), MOST_SIDES))]
        await asyncio.gather(*map(one_after_another, sides))
        return tuple(missing[0] if answer is None else answer for answer in answers)

    async def _side_request(self, side: Side, ask: proof.Ask, stream: str) -> Answer:
        asked_ms = now_ms()
        reply: Reply | None
        match ask.what:
            case "ping":
                reply = await side.ping(ask.within_ms, stream)
            case "feed":
                reply = await side.feed(stream, SMALL, ask.within_ms)
            case "end":
                reply = await side.end(stream, ask.within_ms)
        if reply is not None:
            return reply
        return Missing.HUNG if now_ms() - asked_ms >= ask.within_ms else Missing.REFUSED

    def _side(self, place: int) -> Side:
        while len(self._sides) <= place:
            client = Client(http2=self._http2, timeout_s=self._lives_s + _TIMEOUT_S)
            self._sides.append(
                (client, Side(client, self._request.side or self._request.base, self._headers))
            )
        return self._sides[place][1]

    async def _hang_up(self) -> None:
        sides, self._sides = self._sides, []
        for client, _ in sides:
            await client.__aexit__(None, None, None)

    async def _leave(self, numbers: tuple[int, ...] | range) -> None:
        leaving = [self._readers[number] for number in numbers]
        for number in numbers:
            self._streams[number].left = True
        for reader in leaving:
            reader.cancel()
        if leaving:
            await asyncio.wait(leaving)

    async def _part(self) -> None:
        """The machine did not come to its end: leave nothing of it behind."""
        # Not every hop passes on that its client has left: without this its streams would go on.
        open_ = tuple(n for n in sorted(self._unended) if self._streams[n].refusal is None)
        with suppress(TimeoutError):
            async with asyncio.timeout(_PARTING_MS / 1000):
                if open_:
                    await self._ask(proof.Ask("end", open_, _PARTING_MS, MOST_SIDES))


async def _refusal(response: Response) -> Refusal:
    """Who refused a stream: the proof says so of itself."""
    try:
        said = json.loads(await response.beginning())
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict) or said.get("streamproof") != 1:
        return Refusal(str(response.status), server=response.headers.get("server", "")[:40])
    return Refusal(str(said.get("error")), "proof")


def _of_connection(error: KitError) -> Refusal:
    """What became of a connection on which no answer came."""
    cause: BaseException | None = error
    while cause is not None and not (isinstance(cause, OSError) and cause.errno):
        cause = cause.__cause__ or cause.__context__
    number = cause.errno if isinstance(cause, OSError) and cause.errno else 0
    if number in _OURS:
        return Refusal(_OURS[number], "client")
    if error.code is Code.TIMED_OUT:
        return Refusal(text("no answer in time"))
    return Refusal(os.strerror(number).lower() if number else text("connection closed"))
