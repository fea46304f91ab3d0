"""What events say in a recording; test_page.py holds the page to the same."""

from __future__ import annotations

import pytest

from kit.proof.events import Event
from kit.workshop.event_text import event_texts

OPENAI = '{"choices":[{"index":0,"delta":{"role":"assistant","content":"水 "},"finish_reason":null}]}'
GOOGLE = (
    '{"candidates":[{"content":{"role":"model","parts":[{"text":"a"},{"text":"b"}]}}],"usageMetadata":{}}'
)
ANTHROPIC = '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"b"}}'
# Of server-sent events: type, data and what they say.
SAID = [
    ("token", '{"seq":0,"text":"水 ","t_ms":3}', "水 "),
    ("done", '{"usage":{}}', ""),
    ("message", "not JSON", "not JSON"),
    ("message", "[DONE]", ""),
    ("ping", "not JSON", ""),
    ("message", "[1]", ""),
    ("message", '{"text": 1}', ""),
    ("message", '{"delta": "a "}', "a "),
    ("message", OPENAI, "水 "),
    ("message", '{"choices":[{"delta":{"role":"assistant"}}]}', ""),
    ("message", GOOGLE, "ab"),
    ("content_block_delta", ANTHROPIC, "b"),
    ("message", '{"piece": "a"}', '{"piece": "a"}'),
    ("message", "null", ""),
]


@pytest.mark.parametrize(
    ("event", "text"),
    [
        *((Event(type_, data, "", 9), text) for type_, data, text in SAID),
        (Event("line", '{"event":"token","data":{"text":"a"}}', "", 9), "a"),
        (Event("line", '{"event":"done","data":{"usage":{}}}', "", 9), ""),
        (Event("line", "plain text", "", 9), "plain text\n"),
        (Event("chunk", "plain", "", 9), "plain"),
    ],
)
def test_what_an_event_says(event: Event, text: str) -> None:
    assert event_texts([(0.0, event)]) == [text]
