"""Times as they are kept and as they are shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import Code, Exit, KitError
from kit.times import clock, epoch_s, in_words, span_s, stamp


@given(st.integers(0, 4_000_000_000))
def test_a_kept_time_is_the_time_it_was(seconds: int) -> None:
    assert epoch_s(stamp(seconds)) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:01:00Z", 60),
        ("1970-01-01T00:01:00", 60),
        ("1970-01-01T01:01:00+01:00", 60),
        ("1970-01-01T00:01:00.123456789Z", 60.123456),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_a_time_as_the_platforms_write_it(text: str | None, seconds: float | None) -> None:
    assert epoch_s(text) == seconds


@given(st.text())
def test_what_is_no_time_is_none_and_no_error(text: str) -> None:
    assert epoch_s(text) is None or isinstance(epoch_s(text), float)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (47 * 3600, "47 h"),
        (49 * 3600, "2 days"),
    ],
)
def test_a_span_in_words(seconds: float, words: str) -> None:
    assert in_words(seconds) == words


def test_a_moment_of_another_day_bears_its_date() -> None:
    assert len(clock(1_800_000_000, 1_800_000_060)) in (len("14:05"), len("2027-01-15 14:05"))
    assert len(clock(1_800_000_000, 1_800_000_000 + 3 * 86_400)) == len("2027-01-15 14:05")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("45m", 2700),
        ("45 min", 2700),
        ("2h", 7200),
        ("1h30m", 5400),
        (" 1.5H ", 5400),
        ("3d", 259_200),
    ],
)
def test_a_span_as_a_person_writes_it(text: str, seconds: float) -> None:
    assert span_s(text, option="--for") == seconds


@pytest.mark.parametrize("text", ["", "2", "h", "2 hours", "-2h", "2h!", "59s", "367d", "1e9d", "٢h"])
def test_what_is_no_span_is_wrong_usage(text: str) -> None:
    with pytest.raises(KitError) as caught:
        span_s(text, option="--for")
    assert (caught.value.code, caught.value.exit) == (Code.BAD_USAGE, Exit.USAGE)
