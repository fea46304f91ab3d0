"""Server-sent events, parsed as bytes arrive.

The algorithm of https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
with nothing left to the end of a read: an event is out as soon as the byte that ends its blank line is in,
wherever reads are split.
"""

from __future__ import annotations

from kit.proof.events import MAX_EVENT_BYTES, Event, EventTooLargeError

_BOM = b"\xef\xbb\xbf"
_CR, _LF = 0x0D, 0x0A
COMMENT = ":"  # the origin of the proof names no event


class SSEDecoder:
    """One event stream.

    Args:
        limit: octets of an unfinished event.
        comments: whether a comment that the proof's origin sends is an event, of type `COMMENT`.

    Attributes:
        beside: octets of blocks in which nothing was said: comments, and blank lines that ended none.
    """

    def __init__(self, limit: int = MAX_EVENT_BYTES, *, comments: bool = False) -> None:
        self._limit = limit
        self._comments = comments
        self._comment = ""
        self._line = bytearray()
        self._first_line = True
        self._after_cr = False
        self._type = ""
        self._data: list[str] = []
        self._id = ""
        self._octets = 0
        self._said = False  # more than comments, in the block at hand
        self.beside = 0

    def feed(self, data: bytes) -> list[Event]:
        """The events that these bytes completed, in order.

        A CR ends its line at once (waiting to see whether LF follows would make each event one read late);
        an LF that does follow counts towards the next event's octets.

        Raises:
            EventTooLargeError: an event is over the limit.
        """
        events: list[Event] = []
        start = 0
        if self._after_cr and data:
            self._after_cr = False
            if data[0] == _LF:
                self._octets += 1
                start = 1
        while (end := _line_end(data, start)) >= 0:
            self._line += data[start:end]
            self._octets += end - start + 1
            start = end + 1
            if data[end] == _CR:
                if start == len(data):
                    self._after_cr = True
                elif data[start] == _LF:
                    self._octets += 1
                    start += 1
            event = self._end_line()
            if event is not None:
                events.append(event)
        self._line += data[start:]
        self._octets += len(data) - start
        if self._octets > self._limit:
            raise EventTooLargeError
        return events

    @property
    def unfinished(self) -> bool:
        """Whether what came last is an event without its blank line."""
        return bool(self._data) or self._line.startswith(b"data")

    def _end_line(self) -> Event | None:
        line = bytes(self._line)
        self._line.clear()
        if self._first_line:
            self._first_line = False
            line = line.removeprefix(_BOM)
        if not line:
            return self._dispatch()
        name, colon, value = line.partition(b":")
        if colon and not name:  # a comment
            if self._comments and value.startswith(b' {"seq":'):
                self._comment = value[1:].decode("utf-8", "replace")
            return None
        self._said = True
        text = value.removeprefix(b" ").decode("utf-8", "replace")
        match name:
            case b"event":
                self._type = text
            case b"data":
                self._data.append(text)
            case b"id" if "\0" not in text:
                self._id = text
        return None

    def _dispatch(self) -> Event | None:
        # A blank line ends a block; one without data is no event, a heartbeat or text without a field.
        octets, self._octets = self._octets, 0
        said, self._said = self._said, False
        kind, self._type = self._type, ""
        data, self._data = self._data, []
        comment, self._comment = self._comment, ""
        if comment and not (data or said):
            return Event(COMMENT, comment, self._id, octets)
        if not data:
            self.beside += 0 if said else octets
            return None
        return Event(kind or "message", "\n".join(data), self._id, octets)


def _line_end(data: bytes, start: int) -> int:
    """Where the next CR or LF stands; -1 if there is none."""
    lf = data.find(b"\n", start)
    cr = data.find(b"\r", start, lf if lf >= 0 else len(data))
    return cr if cr >= 0 else lf
