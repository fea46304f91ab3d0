"""Locust's own two readers of a stream's lines, as a locustfile for `bench.streams`; prints JSON."""

from __future__ import annotations

import json
import os
import time
from array import array
from collections.abc import Iterable

from locust import FastHttpUser as Fast
from locust import HttpUser as Http
from locust import events, task

from kit.load.histogram import Histogram

_first = Histogram()
_deltas: list[array[float]] = []
# All that Locust itself prints goes elsewhere.
_out = os.dup(1)
os.dup2(2, 1)


def _now_ms() -> float:
    return time.monotonic() * 1000


def _read(lines: Iterable[str | bytes], asked_ms: float) -> None:
    deltas = array("d")
    _deltas.append(deltas)
    for line in lines:
        now_ms = _now_ms()
        text = line.decode() if isinstance(line, bytes) else line
        if text.startswith("data: "):
            if not deltas:
                _first.add(now_ms - asked_ms)
            deltas.append(now_ms - json.loads(text[6:])["t_ms"])


class HttpUser(Http):
    """By requests: its own chunks, whole ones."""

    @task
    def stream(self) -> None:
        asked_ms = _now_ms()
        with self.client.get("/", stream=True, catch_response=True) as response:
            _read(response.iter_lines(), asked_ms)


class FastHttpUser(Fast):
    """By geventhttpclient: 1,024 octets at once."""

    @task
    def stream(self) -> None:
        asked_ms = _now_ms()
        _read(self.client.iter_lines("/"), asked_ms)


@events.quitting.add_listener
def _say(**more: object) -> None:
    late = Histogram()
    for deltas in _deltas:
        for delta in deltas if len(deltas) > 1 else ():
            late.add(delta - min(deltas))
    said = {"events": sum(map(len, _deltas)), "late": late.data, "first": _first.data}
    os.write(_out, (json.dumps(said) + "\n").encode())
