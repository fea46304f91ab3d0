from __future__ import annotations

import itertools

import pytest

from kit.proof.conditions import Change, Conditions, in_words

ALL = [
    Conditions(method, media, header, incremental, gzip, http2)  # type: ignore[arg-type]
    for method, media, header, incremental, gzip, http2 in itertools.product(
        ("GET", "POST"), ("sse", "ndjson", "text"), ("on", "off"), ("on", "off"), (True, False), (True, False)
    )
]


@pytest.mark.parametrize("change", Change)
def test_a_change_changes_one_thing_at_most(change: Change) -> None:
    for before in ALL:
        after = change.applied(before)
        differ = [name for name in Conditions.__slots__ if getattr(before, name) != getattr(after, name)]
        assert len(differ) <= 1


@pytest.mark.parametrize("change", [Change.IDENTITY, Change.HEADER, Change.EVENT_STREAM, Change.LENGTH])
def test_a_change_made_twice_is_made_once(change: Change) -> None:
    for before in ALL:
        assert change.applied(change.applied(before)) == change.applied(before)


def test_words_tell_every_two_conditions_apart_but_for_the_incremental_header() -> None:
    assert len({in_words(one) for one in ALL}) == len(ALL) / 2


def test_a_change_says_what_it_changes_to() -> None:
    assert Change.METHOD.words(Conditions("POST")) == "by GET"
    assert Change.HTTP_VERSION.words(Conditions(http2=True)) == "over HTTP/1.1"
    assert Change.INCREMENTAL.words(Conditions()) == "without Incremental: ?1"
