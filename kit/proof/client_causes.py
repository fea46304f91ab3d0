"""The closed list of what a client itself does to a stream, each with the lines that fix it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ClientCause(StrEnum):
    """What the client does, the worst first where several are found.

    Of those that hold a stream one is found at a time: fix it, and ask again.
    """

    NO_FAULT = "no-fault-found"
    CURL_NO_BUFFER = "curl-no-buffer"
    PYTHON_STDOUT = "python-stdout"
    STDOUT_PIPE = "stdout-pipe"
    WHOLE_BODY_READER = "whole-body-reader"
    READS_FIXED_SIZE = "reads-fixed-size"
    OUTPUT_FIXED_SIZE = "output-fixed-size"
    WAITS_FOR_NEXT_EVENT = "waits-for-next-event"
    UNCHUNKED_READER = "unchunked-reader"
    MEDIA_TYPE = "media-type"
    HELD_OTHERWISE = "held-otherwise"
    LOSES_EVENTS = "loses-events"
    GARBLES = "garbles-characters"
    NOT_UTF8 = "not-utf8"
    ASKS_AGAIN = "asks-again"
    SILENCE = "gives-up-at-silence"
    WHOLE_TIME = "gives-up-after-time"
    LONG_LINE = "long-line"
    SLOW_LINE = "slow-long-line"
    LF_ONLY = "lf-only"
    NEEDS_LAST_EVENT = "needs-last-event"
    INCONCLUSIVE = "inconclusive"

    @property
    def sentence(self) -> str:
        """What it is, in one sentence; `{n}` in it stands for its figures, `{media}` for media types."""
        return _TEXTS[self].sentence

    @property
    def remedy(self) -> tuple[str, ...]:
        """The lines to paste, each with what it is for."""
        return _TEXTS[self].remedy

    @property
    def holds(self) -> bool | None:
        """Whether the client holds the stream; None where that is not known."""
        return self not in _HOLD_NOTHING if self is not ClientCause.INCONCLUSIVE else None

    @property
    def conditional(self) -> bool:
        """Whether it harms only under conditions that its sentence names: then it is a warning."""
        return self in _CONDITIONAL

    @property
    def fault(self) -> bool | None:
        """Whether it is the client's fault; None where that is not known."""
        return self is not ClientCause.NO_FAULT if self is not ClientCause.INCONCLUSIVE else None


class Unclear(StrEnum):
    """Why nothing can be said of a client."""

    NEVER_ASKED = "never-asked"
    UNRECOGNISED = "unrecognised"
    FAILED = "failed"
    ENDED_EARLY = "ended-early"
    NEVER_ENDED = "never-ended"
    NOT_REPEATED = "not-repeated"

    @property
    def remedy(self) -> str:
        """What to do about it."""
        return _UNCLEAR[self]


@dataclass(frozen=True, slots=True)
class _Text:
    sentence: str
    remedy: tuple[str, ...] = ()


_TEXTS = {
    ClientCause.NO_FAULT: _Text(
        "No fault was found in the client: it prints each event before the next one is sent.",
        ("kit doctor URL     # examines the server and the way here",),
    ),
    ClientCause.CURL_NO_BUFFER: _Text(
        "curl buffers its output unless that goes to a terminal; -N turns this off.",
        ("curl -N …",),
    ),
    ClientCause.PYTHON_STDOUT: _Text(
        "Python buffers what the client prints; the stream itself reaches it in time.",
        (
            'print(text, end="", flush=True)',
            "python -u client.py",
            "PYTHONUNBUFFERED=1 python client.py",
        ),
    ),
    ClientCause.STDOUT_PIPE: _Text(
        "The client buffers its output where that goes to a pipe; to a terminal it prints at once.",
        (
            "flush the output after each event (C: fflush(stdout); Go: w.Flush(); Ruby: $stdout.sync = true)",
            "stdbuf -oL COMMAND     # helps programs that leave it to the C library, and no others",
            'script -qefc "COMMAND" /dev/null     # gives it a terminal (Linux)',
        ),
    ),
    ClientCause.WHOLE_BODY_READER: _Text(
        "The client prints nothing until the stream has ended: it reads the whole answer first, or prints "
        "only at its end.",
        (
            "requests: with requests.get(url, stream=True) as r: for line in r.iter_lines(chunk_size=1): …",
            'httpx: with httpx.stream("GET", url) as r: for line in r.iter_lines(): …',
            "urllib: with urllib.request.urlopen(url) as r: for line in r: …",
            "fetch: for await (const data of response.body) …   instead of await response.text()",
            "openai: client.chat.completions.create(…, stream=True)",
        ),
    ),
    ClientCause.READS_FIXED_SIZE: _Text(
        "The client waits until {n} of the stream are there: it reads that much at a time, or buffers its "
        "output.",
        (
            "http.client, urllib: response.read1() or readline()   instead of response.read(N)",
            "httpx: response.iter_bytes()   instead of iter_bytes(N)",
            "requests: response.iter_content(chunk_size=1) or iter_lines(chunk_size=1)",
            "a socket or a pipe: take what one read returns; do not loop until a buffer is full",
            "if it reads all that is there: flush its output after each event",
        ),
    ),
    ClientCause.OUTPUT_FIXED_SIZE: _Text(
        "The client buffers its output on a terminal too, {n} at a time.",
        (
            "flush the output after each event (C: fflush(stdout); Go: w.Flush(); awk: fflush())",
            "jq --unbuffered …",
            "stdbuf -o0 COMMAND     # helps programs that leave it to the C library, and no others",
        ),
    ),
    ClientCause.WAITS_FOR_NEXT_EVENT: _Text(
        "The client prints each event only when the next one has come.",
        ("Take an event for complete at its blank line (SSE) or line break (NDJSON), not at the next one.",),
    ),
    ClientCause.UNCHUNKED_READER: _Text(
        "Only where the body is not chunked (HTTP/1.0, a proxy that takes the framing off) the client {n}.",
        (
            "requests: response.iter_lines(chunk_size=1) or iter_content(chunk_size=1)",
            "http.client, urllib: response.read1() or readline()   instead of response.read(N)",
            "or have the proxy speak HTTP/1.1 to the client: then the body is chunked",
        ),
    ),
    ClientCause.MEDIA_TYPE: _Text(
        "The client prints {media} as it comes, and holds the others.",
        ("Send the media type that it reads as it comes, or have it read the other one in the same way.",),
    ),
    ClientCause.HELD_OTHERWISE: _Text(
        "The client holds the stream in a way that is not known here: see below how.",
    ),
    ClientCause.NOT_UTF8: _Text(
        "The client {n}: it does not decode or print UTF-8, or decodes each octet by itself.",
        (
            'Python: codecs.getincrementaldecoder("utf-8")().decode(data), or iterate over lines',
            "PYTHONUTF8=1 python client.py",
            'requests: response.encoding = "utf-8"   before iter_lines(decode_unicode=True)',
        ),
    ),
    ClientCause.GARBLES: _Text(
        "The client {n}: it decodes each read by itself.",
        (
            "JavaScript: one TextDecoder, and decoder.decode(data, {stream: true}); or TextDecoderStream",
            "Node: response.setEncoding('utf8'), instead of data.toString() on each read",
            'Python: codecs.getincrementaldecoder("utf-8")().decode(data), or iterate over lines',
        ),
    ),
    ClientCause.LOSES_EVENTS: _Text(
        "The client {n}: it takes what one read returns for one event.",
        (
            "collect what is read, take an event off at each blank line (NDJSON: line break), keep the rest",
            "JavaScript: EventSourceParserStream of eventsource-parser/stream, after a TextDecoderStream",
            "Python: for line in response.iter_lines(): …   or httpx-sse, openai",
        ),
    ),
    ClientCause.LF_ONLY: _Text(
        "The client {n}, as sse-starlette's do: it looks for LF alone.",
        (
            r"split at a blank line of either kind: /\r?\n\r?\n/",
            'sse-starlette: EventSourceResponse(…, sep="\\n")',
        ),
    ),
    ClientCause.LONG_LINE: _Text(
        "The client {n}.",
        (
            "aiohttp: aiohttp.ClientSession(read_bufsize=2**20)   or response.content.iter_any()",
            "asyncio: asyncio.open_connection(…, limit=2**21)",
            "Go: scanner.Buffer(nil, 1<<21)   or bufio.NewReader(body).ReadString('\\n')",
            "or send a large answer in smaller events",
        ),
    ),
    ClientCause.SLOW_LINE: _Text(
        "Only where an event is large: the client {n}.",
        (
            "requests: iter_lines(chunk_size=1) takes the square of a line's length: use httpx there",
            "join what was read once, at the event's end, not after each read",
        ),
    ),
    ClientCause.SILENCE: _Text(
        "The client {n}: it has a read timeout.",
        (
            "httpx: timeout=httpx.Timeout(5, read=None)",
            "requests: timeout=(5, None)",
            "aiohttp: timeout=aiohttp.ClientTimeout(total=None, sock_read=None)",
            "Node: new Agent({bodyTimeout: 0}) of undici as fetch's dispatcher",
            "OkHttp: .readTimeout(0, TimeUnit.SECONDS)",
            'or have the server send a comment (": ping") before that, as sse-starlette does with ping=',
        ),
    ),
    ClientCause.WHOLE_TIME: _Text(
        "The client {n}: it limits the time of the whole answer.",
        (
            "asyncio: asyncio.timeout(…) around the connecting alone",
            "aiohttp: timeout=aiohttp.ClientTimeout(total=None, sock_read=60)",
            "curl: leave out -m (--max-time); --speed-time 60 --speed-limit 1 ends a dead stream",
            "fetch: no AbortSignal.timeout(…) on a stream; abort after a silence instead",
            "OkHttp: .callTimeout(0, TimeUnit.SECONDS)   .NET: HttpClient.Timeout = Timeout.InfiniteTimeSpan",
        ),
    ),
    ClientCause.ASKS_AGAIN: _Text(
        "The client asks again after the stream's clean end, so that an answer is bought twice: {n}.",
        (
            'end the answer with an event that says so ("event: done"), and have the client leave at it:',
            'EventSource: source.addEventListener("done", () => source.close())',
            "or answer 204 to a request whose Last-Event-ID is the last event's: EventSource then stops",
            "if it leaves at a last event of another name: see that every answer ends in that",
        ),
    ),
    ClientCause.NEEDS_LAST_EVENT: _Text(
        "Only where an answer ends without a last event that it knows, the client asks again, so that the "
        "answer is bought twice.",
        ('end every answer with that event (such as "event: done"), also after an error',),
    ),
    ClientCause.INCONCLUSIVE: _Text("Nothing can be said of this client."),
}

_CONDITIONAL = (
    ClientCause.UNCHUNKED_READER,
    ClientCause.SLOW_LINE,
    ClientCause.LF_ONLY,
    ClientCause.NEEDS_LAST_EVENT,
)
_HOLD_NOTHING = (
    ClientCause.NO_FAULT,
    ClientCause.LOSES_EVENTS,
    ClientCause.GARBLES,
    ClientCause.NOT_UTF8,
    ClientCause.ASKS_AGAIN,
    ClientCause.SILENCE,
    ClientCause.WHOLE_TIME,
    ClientCause.LONG_LINE,
    ClientCause.SLOW_LINE,
    ClientCause.LF_ONLY,
    ClientCause.NEEDS_LAST_EVENT,
)

_UNCLEAR = {
    Unclear.NEVER_ASKED: (
        "It did not ask for the URL that it was given, so there was no stream. Put {url} where its URL "
        "belongs, or have it read STREAMPROOF_URL; --timeout gives it longer to start."
    ),
    Unclear.UNRECOGNISED: (
        "It got the whole stream, and no event could be recognised in what it printed. It must print the "
        "stream's text (or all of it) on its standard output."
    ),
    Unclear.FAILED: "It failed before it had printed any event: its standard error may tell why.",
    Unclear.ENDED_EARLY: (
        "It ended by itself before the second event, and too early to say anything. Let it read on; a time "
        "limit of its own should be longer than 5 s."
    ),
    Unclear.NEVER_ENDED: (
        "It printed no event and did not end within 10 s of the stream's end. It must print the stream's "
        "text on its standard output."
    ),
    Unclear.NOT_REPEATED: (
        "It held the stream once and not again, with nothing changed: it may have started slowly. Ask again."
    ),
}
