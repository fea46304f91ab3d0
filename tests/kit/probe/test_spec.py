from __future__ import annotations

import pytest

from kit.probe.client import Ask
from kit.probe.spec import as_browser


def accepted(url: str, *headers: tuple[str, str]) -> list[str]:
    asked = as_browser(Ask("GET", url, headers)).headers
    return [value for name, value in asked if name.lower() == "accept-encoding"]


@pytest.mark.parametrize(
    "url", ["https://example.com/chat", "http://127.0.0.1:80/", "http://[::1]/", "http://localhost/"]
)
def test_a_browser_accepts_four_codings_over_https_and_on_its_own_machine(url: str) -> None:
    assert accepted(url) == ["gzip, deflate, br, zstd"]


def test_over_plain_http_to_another_machine_it_accepts_two() -> None:
    assert accepted("http://example.com/chat") == ["gzip, deflate"]


def test_what_a_request_says_itself_stays() -> None:
    assert accepted("https://example.com/", ("Accept-Encoding", "br")) == ["br"]
