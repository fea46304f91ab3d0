"""A request and a response's head as they may be shown."""

from __future__ import annotations

from kit.proof.conditions import ACCEPT
from kit.proof.exchange import Request, Response, request, response


def test_a_request_shows_what_a_hop_decides_by_and_no_header_that_may_hold_a_secret() -> None:
    headers = (
        ("Authorization", "Bearer s3cret"),
        ("Cookie", "id=s3cret"),
        ("Accept-Encoding", "gzip"),
        ("content-type", "application/json"),
    )
    shown = request("POST", "https://example.com/chat", headers, b'{"key": "s3cret"}', prompted=False)
    expected = Request("POST", "https://example.com/chat", ACCEPT, "gzip", "application/json", 17)
    assert shown == expected
    assert "s3cret" not in repr(shown)


def test_a_head_shows_what_it_bears_and_cuts_what_is_long() -> None:
    head = {"content-type": "text/event-stream", "content-length": "12", "via": "x" * 900, "set-cookie": "s"}
    shown = response(200, "HTTP/2", head, None)
    assert shown == Response(200, "HTTP/2", "text/event-stream", 12, None, None, None, "x" * 200, None)


def test_a_length_that_is_no_number_is_none() -> None:
    assert response(200, "", {"content-length": "12, 12"}, None).content_length is None
    assert response(200, "", {}, None).http_version is None
