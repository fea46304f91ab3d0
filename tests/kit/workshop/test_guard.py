from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.workshop.guard import host_of, is_from_us, is_ours, needs_secret, shows

NAMES = frozenset({"trainer.local"})
REACHED = "192.168.1.7"


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1:8765", "localhost:8765", "LOCALHOST", "[::1]:8765", "Trainer.local:8765", "192.168.1.7:8765"],
)
def test_a_name_of_this_machine_is_let_in(host: str) -> None:
    assert is_ours(host_of(host), NAMES, REACHED)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example:8765",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "192.168.1.8:8765",
        "[::1",
        "@localhost",
        "evil@",
    ],
)
def test_another_is_not(host: str) -> None:
    assert is_ours(host_of(host), NAMES, REACHED) is (host == "@localhost")


@given(st.text(max_size=40))
def test_no_host_is_too_odd_to_be_refused(host: str) -> None:
    is_ours(host_of(host), NAMES, None)
    is_from_us({"origin": host}, NAMES, None)


@pytest.mark.parametrize(
    ("headers", "let_in"),
    [
        ({}, True),  # no page: curl
        ({"sec-fetch-site": "same-origin", "origin": "http://127.0.0.1:8765"}, True),
        ({"sec-fetch-site": "none"}, True),  # typed in
        # Behind a proxy the Origin has another port than the Host, and the browser knows better.
        ({"sec-fetch-site": "same-origin", "origin": "http://127.0.0.1:9999"}, True),
        ({"sec-fetch-site": "same-site", "origin": "http://127.0.0.1:9999"}, False),
        ({"sec-fetch-site": "cross-site", "origin": "https://evil.example"}, False),
        # A phone on plain http: no Sec-Fetch-Site.
        ({"origin": "http://192.168.1.7:8765"}, True),
        ({"origin": "http://evil.example"}, False),
        ({"origin": "null"}, False),
    ],
)
def test_only_our_own_page_may_do_something(headers: dict[str, str], let_in: bool) -> None:
    assert is_from_us(headers, NAMES, REACHED) is let_in


@pytest.mark.parametrize(
    ("host", "names", "needed"),
    [
        ("127.0.0.1", (), False),
        ("localhost", (), False),
        ("::1", (), False),
        ("0.0.0.0", (), True),
        ("::", (), True),
        ("", (), True),
        ("192.168.1.7", (), True),
        ("trainer.local", (), True),
        ("127.0.0.1", ("8765-x.cloudshell.dev",), True),
    ],
)
def test_a_secret_is_needed_wherever_others_reach_the_page(
    host: str, names: tuple[str, ...], needed: bool
) -> None:
    assert needs_secret(host, names) is needed


@given(st.text(min_size=1, max_size=30), st.lists(st.one_of(st.none(), st.text(max_size=30)), max_size=3))
def test_only_the_secret_itself_is_taken_for_it(secret: str, shown: list[str | None]) -> None:
    assert shows(secret, shown) is (secret in shown)
    assert shows(secret, [*shown, secret])
