from __future__ import annotations

import pytest

from kit.urls import without_credentials


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://me:secret@a.example:8443/x?y=1#z", "https://***@a.example:8443/x?y=1#z"),
        ("https://me:se@cret@[::1]/", "https://***@[::1]/"),
        ("https://a.example/x?mail=a@b", "https://a.example/x?mail=a@b"),
        ("mailto:a@b", "mailto:a@b"),
    ],
)
def test_an_address_loses_its_credentials_and_nothing_else(url: str, shown: str) -> None:
    assert without_credentials(url, "***@") == shown
    assert without_credentials(url) == shown.replace("***@", "")


def test_what_is_no_address_cannot_be_read() -> None:
    with pytest.raises(ValueError, match="IPv6"):
        without_credentials("http://[::1")
