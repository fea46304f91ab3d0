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
