"""Header rules: what is documented to go goes, what is documented to come comes, the rest stays as it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import Code, KitError
from kit.lab.headers import PLACEHOLDERS, Header, check, find, rewrite, without

VALUES = {name: f"<{name}>" for name in PLACEHOLDERS}
NAMES = st.text("abcXYZ-019", min_size=1, max_size=12).map(str.encode)
HEADERS = st.lists(st.tuples(NAMES, st.binary(max_size=8)), max_size=12)


def test_a_named_header_is_removed_whatever_its_case() -> None:
    came = [(b"X-Secret", b"1"), (b"x-secret", b"2"), (b"X-Secretary", b"3")]
    assert rewrite(came, removed=["x-secret"], added={}, values={}) == ((b"X-Secretary", b"3"),)


def test_a_star_stands_for_any_end() -> None:
    came = [(b"X-Google-A", b""), (b"x-google-", b""), (b"X-Googly", b""), (b"A-X-Google-B", b"")]
    kept = rewrite(came, removed=["x-google-*"], added={}, values={})
    assert [name for name, _ in kept] == [b"X-Googly", b"A-X-Google-B"]


@pytest.mark.parametrize("name", [b"Connection", b"Keep-Alive", b"TE", b"Transfer-Encoding", b"Upgrade"])
def test_what_belongs_to_one_hop_never_passes(name: bytes) -> None:
    assert rewrite([(name, b"x")], removed=(), added={}, values={}) == ()


def test_what_the_connection_header_names_belongs_to_one_hop_too() -> None:
    came = [(b"Connection", b"close, X-Mine"), (b"X-Mine", b"1"), (b"X-Yours", b"2")]
    assert rewrite(came, removed=(), added={}, values={}) == ((b"X-Yours", b"2"),)


def test_an_added_header_takes_the_place_of_what_came() -> None:
    came = [(b"server", b"uvicorn"), (b"A", b"b")]
    added = {"Server": "Google Frontend"}
    assert rewrite(came, removed=(), added=added, values={}) == (
        (b"A", b"b"),
        (b"Server", b"Google Frontend"),
    )


def test_placeholders_are_filled_in_anywhere_in_a_value() -> None:
    added = {"X-Cloud-Trace-Context": "{trace};o=0", "X-Both": "{client}/{scheme}"}
    made = dict(rewrite([], removed=(), added=added, values=VALUES))
    assert made == {b"X-Cloud-Trace-Context": b"<trace>;o=0", b"X-Both": b"<client>/<scheme>"}


def test_what_a_client_sent_is_never_read_as_a_placeholder() -> None:
    values = {**VALUES, "forwarded_for": "{host}, 10.0.0.1"}
    made = rewrite([], removed=(), added={"X-Forwarded-For": "{forwarded_for}"}, values=values)
    assert made == ((b"X-Forwarded-For", b"{host}, 10.0.0.1"),)


@pytest.mark.parametrize("name", sorted(PLACEHOLDERS))
def test_every_documented_placeholder_is_accepted(name: str) -> None:
    check({"X": f"a{{{name}}}b"})


def test_an_unknown_placeholder_is_a_mistake_in_the_target() -> None:
    with pytest.raises(KitError, match="nonsense") as caught:
        check({"X": "{nonsense}"})
    assert caught.value.code is Code.BAD_TARGET
    assert "{trace}" in caught.value.hint


@given(HEADERS)
def test_without_rules_only_what_belongs_to_one_hop_is_lost(came: list[Header]) -> None:
    kept = rewrite(came, removed=(), added={}, values={})
    # No generated name is a hop's own except "te", and nothing names others in a Connection header.
    assert list(kept) == [header for header in came if header[0].lower() != b"te"]


@given(HEADERS, st.lists(NAMES.map(lambda name: name.decode().lower()), max_size=4))
def test_what_is_removed_is_gone_and_the_rest_keeps_its_order(came: list[Header], removed: list[str]) -> None:
    kept = rewrite(came, removed=removed, added={}, values={})
    assert not {name.decode().lower() for name, _ in kept} & set(removed)
    assert [header for header in came if header in kept] == [header for header in kept if header in came]


def test_find_and_without_know_no_case() -> None:
    came = ((b"Content-Length", b"3"), (b"A", b"b"))
    assert find(came, b"content-length") == b"3"
    assert find(came, b"content-type") is None
    assert without(came, b"content-length") == ((b"A", b"b"),)
