from __future__ import annotations

import pytest

from kit.proof.verdict import Shape, Verdict, in_words


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
