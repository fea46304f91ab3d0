from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.proof.verdict import Shape, Verdict, by_words, in_words


@pytest.mark.parametrize(
    ("verdict", "shape", "size", "hold", "words"),
    [
        (Verdict.INCREMENTAL, None, None, 0.0, "streamed"),
        (Verdict.WHOLE_MESSAGE, Shape.WHOLE, None, None, "buffered whole"),
        (Verdict.BYTE_LIMITED, Shape.BLOCKS, 65536, None, "buffered in blocks of 64 KiB"),
        (Verdict.BYTE_LIMITED, Shape.BLOCKS, 4090, None, "buffered in blocks of 4,090 bytes"),
        (Verdict.BYTE_LIMITED, Shape.BLOCKS, None, None, "buffered in blocks"),
        (Verdict.BYTE_LIMITED, Shape.PREFIX, 65536, None, "held until 64 KiB are there, then streamed"),
        (
            Verdict.BYTE_LIMITED,
            Shape.TAIL,
            4080,
            None,
            "the end of an event over 4,080 bytes waits for the next one",
        ),
        (Verdict.BYTE_LIMITED, Shape.TAIL, None, None, "the end of each event waits for the next one"),
        (Verdict.BYTE_LIMITED, Shape.FIRST_EVENT, None, None, "the first event waits for the second"),
        (Verdict.BYTE_LIMITED, None, None, None, "buffered by size"),
        (Verdict.TIME_LIMITED, Shape.TIMER, None, 208.4, "each event held 208 ms"),
        (Verdict.REFUSED, None, None, None, "refused to stream"),
        (Verdict.INCONCLUSIVE, None, None, None, "inconclusive"),
    ],
)
def test_a_verdict_in_words(
    verdict: Verdict, shape: Shape | None, size: int | None, hold: float | None, words: str
) -> None:
    assert in_words(verdict, shape, size, hold) == words


@given(
    st.sampled_from(Verdict),
    st.none() | st.sampled_from(Shape),
    st.none() | st.integers(1, 1 << 24),
    st.none() | st.floats(0, 1e6),
)
def test_the_words_of_a_verdict_lead_back_to_it(
    verdict: Verdict, shape: Shape | None, block_bytes: int | None, hold_ms: float | None
) -> None:
    assert by_words(in_words(verdict, shape, block_bytes, hold_ms)) is verdict
    assert by_words(f"● {in_words(verdict, None, None, None).upper()}") is verdict


@pytest.mark.parametrize("word", ["", "fast", "buffered", "unstreamed", "incremental "[:-2]])
def test_other_words_are_no_verdict(word: str) -> None:
    assert by_words(word) is None
