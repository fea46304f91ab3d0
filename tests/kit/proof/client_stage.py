"""Made-up clients in the made-up network: each is a hop, and what it prints is what comes."""

from __future__ import annotations

from kit.proof.actions import Action, End, Feed, Observed, Open, Pair
from kit.proof.client_marks import MarkDecoder, marked_event, pair
from kit.proof.received import Received
from tests.kit.proof.conftest import Hop, Network, Output

ENDS: Output = [(0.0, None)]


class Client(Hop):
    """Prints all that it reads, as it reads it."""

    asks = True
    ends_after: int | None = None  # pieces after which it ends by itself
    ends_ms = 5.0  # after the stream's end

    def push(self, now_ms: float, data: bytes) -> Output:
        return [(0.3, data)]


class Whole(Client):
    def __init__(self) -> None:
        self.held = b""

    def push(self, now_ms: float, data: bytes) -> Output:
        self.held += data
        return []

    def close(self, now_ms: float) -> Output:
        return [(1.0, self.held)]


class ClientStage(Network):
    """Runs a trial of a client. `each`: as for `MarkDecoder`."""

    def __init__(self, client: Client, *, each: bool = False) -> None:
        super().__init__(lambda: client, 0.0)
        self.client, self.each = client, each
        self.events = 0
        self.sent: list[bytes] = []

    def act(self, action: Action) -> Observed:
        match action:
            case Open():
                self.now_ms += 700.0  # it starts slowly
                self._stream = Received(MarkDecoder("ab12", each=self.each))
                if self.client.asks:
                    self._stream.head(self.now_ms, 200, {})
                    self._event(action.bytes)
            case Feed():
                self._event(action.bytes)
            case Pair():
                for piece in pair("sse", "ab12", self.events, action.place):
                    self._until(self.now_ms + 15)
                    self._send(piece)
                self.events += 2
            case End():
                self._release(self.now_ms, self.client.close(self.now_ms))
                self._release(self.now_ms + self.client.ends_ms, ENDS)
            case _:
                return super().act(action)
        return self._observed()

    def _event(self, octets: int) -> None:
        self.events += 1
        self._send(marked_event("sse", "ab12", self.events - 1, octets))

    def _send(self, data: bytes) -> None:
        self.sent.append(data)
        self._release(self.now_ms, self.client.push(self.now_ms, data))
        if self.client.ends_after == len(self.sent):
            self._release(self.now_ms + 0.5, ENDS)
