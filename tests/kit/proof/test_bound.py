from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.proof.bound import Bound
from kit.proof.looks import Piece, Watched, watch


def watched(*arrivals: tuple[float, int]) -> Watched:
    pieces = [Piece(at, octets) for at, octets in arrivals]
    return watch(pieces, pieces, "events")


EVEN = watched(*((100.0 * number, 200) for number in range(1, 21)))
LUMP = watched(*((2_400.0, 200) for _ in range(20)))


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        ("hold<=200ms", Bound(hold_ms=200)),
        ("block<=2KiB", Bound(octets=2048)),
        ("hold <= 1.5s, block<=900B", Bound(1500, 900)),
        ("hold<=1KiB", None),
        ("block<=3ms", None),
        ("hold<=1s,hold<=2s", None),
        ("hold<200ms", None),
        ("hold<=-1ms", None),
        ("", None),
    ],
)
def test_a_bound_is_written_as_it_is_read(text: str, bound: Bound | None) -> None:
    assert Bound.parse(text) == bound


@given(st.builds(Bound, st.integers(0, 10**8).map(float), st.integers(0, 10**8).map(float)))
def test_its_own_words_are_read_back(bound: Bound) -> None:
    assert Bound.parse(str(bound)) == bound


@pytest.mark.parametrize(
    ("text", "answer", "met"),
    [
        ("hold<=100ms,block<=200B", EVEN, True),
        ("hold<=99ms", EVEN, False),
        ("block<=199B", EVEN, False),
        ("hold<=1s", LUMP, None),
        ("hold<=1s", None, None),
    ],
)
def test_an_answer_is_within_it_beyond_it_or_does_not_tell(
    text: str, answer: Watched | None, met: bool | None
) -> None:
    bound = Bound.parse(text)
    assert bound is not None
    assert bound.met(answer) is met
