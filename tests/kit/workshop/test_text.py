from __future__ import annotations

import pytest

from kit.proof.events import Event
from kit.workshop.text import texts


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (Event("token", '{"seq":0,"text":"水 ","t_ms":3}', "", 9), "水 "),
        (Event("done", '{"usage":{}}', "", 9), ""),
        (Event("line", '{"event":"token","data":{"text":"a"}}', "", 9), "a"),
        (Event("line", "plain text", "", 9), "plain text\n"),
        (Event("chunk", "plain", "", 9), "plain"),
        (Event("message", "not JSON", "", 9), ""),
        (Event("message", "[1]", "", 9), ""),
        (Event("message", '{"text": 1}', "", 9), ""),
    ],
)
def test_what_an_event_says(event: Event, text: str) -> None:
    assert texts([(0.0, event)]) == [text]
