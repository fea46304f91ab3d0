from __future__ import annotations

from kit.workshop.sessions import BoundedCache


def test_only_the_latest_are_kept() -> None:
    kept: BoundedCache[int] = BoundedCache(most=3)
    for number in range(5):
        kept.keep(str(number), number)
    assert [kept.get(str(number)) for number in range(5)] == [None, None, 2, 3, 4]


def test_what_is_too_old_is_forgotten_when_something_new_comes() -> None:
    kept: BoundedCache[int] = BoundedCache(most_age_s=0.0)
    kept.keep("old", 1)
    kept.keep("new", 2)
    assert (kept.get("old"), kept.get("new")) == (None, 2)


def test_no_two_names_are_alike() -> None:
    assert len({BoundedCache.name() for _ in range(100)}) == 100
