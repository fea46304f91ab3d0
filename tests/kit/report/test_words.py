from __future__ import annotations

import pytest

from kit.report.words import duration, handed_out, linked, place


@pytest.mark.parametrize(
    ("ms", "said"),
    [(None, "–"), (0, "0.0 ms"), (9.94, "9.9 ms"), (9.96, "10 ms"), (999.4, "999 ms"), (999.6, "1.0 s")],
)
def test_times_are_said_with_the_digits_that_matter(ms: float | None, said: str) -> None:
    assert duration(ms) == said


@pytest.mark.parametrize(
    ("url", "shown", "given"),
    [
        ("https://user:secret@host:8443/s?q=1", "https://***@host:8443/s?q=1", "https://***@host:8443/s?…"),
        ("https://host/a@b", "https://host/a@b", "https://host/a@b"),
        ("http://[::1", "http://[::1", "http://[::1"),
    ],
)
def test_no_report_has_a_password_and_none_that_is_handed_out_a_query(
    url: str, shown: str, given: str
) -> None:
    assert (place(url), handed_out(url)) == (shown, given)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://a.b/c?q=why&key=AIzaX", "https://a.b/c?q=why&key=***"),
        ("https://a.b/c?access_token=x&n=1#t", "https://a.b/c?access_token=***&n=1#t"),
        ("https://a.b/c?X-Goog-Signature=00ff", "https://a.b/c?X-Goog-Signature=***"),
        ("https://a.b/c?id=sk-0123456789abcdefghij", "https://a.b/c?id=***"),
        ("https://a.b/c?monkeys=3&author=Ann&max_output_tokens=40", None),
    ],
)
def test_a_key_in_a_query_is_not_shown(url: str, shown: str | None) -> None:
    assert place(url) == (shown or url)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("https://a.b/c (2026-04-10)", ("https://a.b/c", " (2026-04-10)")),
        ("a.b/c", ("https://a.b/c", "")),
        ("nothing found", (None, "nothing found")),
        ("http://a.b/c", (None, "http://a.b/c")),
        ("https://a.b/<c>", (None, "https://a.b/<c>")),
    ],
)
def test_a_source_is_a_link_as_far_as_it_is_an_address(source: str, found: tuple[str | None, str]) -> None:
    assert linked(source) == found
