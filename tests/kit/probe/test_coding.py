from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import Code, KitError
from kit.probe.coding import Coding


@given(st.binary(max_size=5000), st.integers(1, 50), st.sampled_from(["gzip", "deflate", ""]))
def test_a_coding_is_undone_wherever_reads_are_split(body: bytes, step: int, coding: str) -> None:
    coded = gzip.compress(body) if coding == "gzip" else zlib.compress(body) if coding else body
    undo = Coding(coding)
    pieces = [piece for i in range(0, len(coded), step) for piece in undo.decode(coded[i : i + step])]
    assert b"".join(pieces) == body


def test_flushed_gzip_comes_out_at_once() -> None:
    squeeze = zlib.compressobj(6, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    undo = Coding("gzip")
    for event in (b"data: 1\n\n", b"data: 2\n\n"):
        coded = squeeze.compress(event) + squeeze.flush(zlib.Z_SYNC_FLUSH)
        assert b"".join(undo.decode(coded)) == event


def test_what_a_bomb_becomes_comes_in_bounded_pieces() -> None:
    pieces = list(Coding("gzip").decode(gzip.compress(bytes(10 << 20))))
    assert sum(map(len, pieces)) == 10 << 20
    assert max(map(len, pieces)) <= 256 * 1024


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip", "x" * 1000])
def test_a_coding_that_is_not_known_is_said_to_be_so(coding: str) -> None:
    with pytest.raises(KitError) as caught:
        Coding(coding)
    assert caught.value.code is Code.BAD_ENCODING
    assert len(caught.value.message) < 150


@given(st.binary(min_size=3, max_size=50).filter(lambda data: data[:2] != b"\x1f\x8b"))
def test_rubbish_is_said_to_be_rubbish(data: bytes) -> None:
    with pytest.raises(KitError) as caught:
        list(Coding("gzip").decode(data))
    assert caught.value.code is Code.BAD_ENCODING
