from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import Code, KitError
from kit.probe.address import checked, in_ascii, same_origin


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("http://example.com/search?q=a%20b&c=+#top", "http://example.com/search?q=a%20b&c=+#top"),
        ("http://example.com/ä/日本?q=ü", "http://example.com/%C3%A4/%E6%97%A5%E6%9C%AC?q=%C3%BC"),
        ("http://example.com/a b?c=d e", "http://example.com/a%20b?c=d%20e"),
        ("https://bücher.example:8443/x", "https://xn--bcher-kva.example:8443/x"),
        ("http://[::1]:80/x", "http://[::1]:80/x"),
        ("http://me:secret@example.com/x", "http://example.com/x"),
    ],
)
def test_an_address_may_be_typed_as_a_browser_shows_it(typed: str, sent: str) -> None:
    assert in_ascii(typed) == sent


@pytest.mark.parametrize(
    "url", ["", "example.com", "ftp://example.com", "http://", "http://a b/", "http://[::1", "http://x:0/",
            "http://x:99999/", f"http://{'ü' * 70}/", "http://ü..x/"],
)  # fmt: skip
def test_what_is_no_address_is_said_to_be_none(url: str) -> None:
    with pytest.raises(KitError) as caught:
        checked(url)
    assert caught.value.code is Code.BAD_USAGE


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("127.0.0.1:9101/chat", "http://127.0.0.1:9101/chat"),
        ("localhost:8000", "http://localhost:8000"),
        ("localhost/x", "http://localhost/x"),
        ("[::1]:8000/x", "http://[::1]:8000/x"),
        (":8000/chat", "http://localhost:8000/chat"),
        ("10.0.0.3/x", "http://10.0.0.3/x"),
        ("http://::1:8000/x", "http://[::1]:8000/x"),
        ("::1", "http://[::1]"),
        ("my-service:8080", "http://my-service:8080"),
        ("example.com/a?key=secret", "https://example.com/a"),
        ("example.com:443/x", "https://example.com:443/x"),
        ("//example.com/x", "https://example.com/x"),
        ("http:/example.com/b", "http://example.com/b"),
        ("https//example.com", "https://example.com"),
        ("htp://example.com", "http://example.com"),
        ("wss://example.com/x", "https://example.com/x"),
        (" 'https://example.com/x' ", "https://example.com/x"),
        ("ftp://example.com", ""),
        ("chat", ""),
        ("/chat", ""),
        ("http://", ""),
        ("http://a b/", ""),
        ("", ""),
    ],
)
def test_an_address_that_is_nearly_one_is_corrected(typed: str, meant: str) -> None:
    with pytest.raises(KitError) as caught:
        checked(typed)
    assert caught.value.hint == (
        f"Did you mean {meant}?" if meant else "Give a whole one, as in https://example.com/search."
    )


@pytest.mark.parametrize("port", ["0", "65536", "99999", "123456789"])
def test_a_port_that_is_none_is_said_to_be_none(port: str) -> None:
    with pytest.raises(KitError, match=r"The port of 'http://a\.example:") as caught:
        checked(f"http://a.example:{port}/x")
    assert caught.value.hint == "Ports go from 1 to 65535."


@given(st.text(max_size=60))
def test_whatever_is_suggested_is_an_address(typed: str) -> None:
    try:
        checked(typed)
    except KitError as error:
        if error.hint.startswith("Did you mean "):
            checked(error.hint.removeprefix("Did you mean ")[:-1])


@given(st.text(max_size=40), st.text(max_size=40))
def test_whatever_is_typed_is_ascii_when_sent_or_refused(host: str, rest: str) -> None:
    with suppress(KitError):
        assert all(32 < ord(char) < 127 for char in in_ascii(f"http://{host}/{rest}"))


SECRETS = (
    ("Authorization", "Bearer x"),
    ("cookie", "y"),
    ("X-Serverless-Authorization", "Bearer z"),
    ("Streamproof-Token", "open-sesame-open"),
    ("accept", "*/*"),
)


@pytest.mark.parametrize("same", ["https://a/proof", "https://a:443/", "https://A/x?y", "https://me@a/proof"])
def test_credentials_go_to_their_own_origin(same: str) -> None:
    assert same_origin(SECRETS, "https://a/x", same) == SECRETS


@pytest.mark.parametrize(
    "other", ["https://b/proof", "http://a/proof", "http://a:443/", "https://a:8443/proof"]
)
def test_credentials_go_to_no_other_origin(other: str) -> None:
    assert same_origin(SECRETS, "https://a/x", other) == (("accept", "*/*"),)
