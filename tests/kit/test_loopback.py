from __future__ import annotations

import pytest

from kit.loopback import is_loopback


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "::1", "localhost", "LOCALHOST"])
def test_this_machine_is_known(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["", "10.0.0.1", "0.0.0.0", "2130706433", "localhost.example.org", "127.0.0.1.example.org"]
)
def test_what_only_looks_like_it_is_not(host: str) -> None:
    assert not is_loopback(host)
