from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Iterable
from itertools import pairwise

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import Code, KitError
from kit.probe.coding import Coding

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

INFLATED = ["gzip", "zlib", "raw"]  # servers call the last two "deflate", and browsers read both
CODINGS = [*INFLATED, "br", "zstd"]


def coded(body: bytes, coding: str, level: int = 6) -> bytes:
    """A body as a server sends it."""
    if not coding:
        return body
    if coding == "br":
        return bytes(brotli.compress(body, quality=min(level, 5)))
    if coding == "zstd":
        return zstd.compress(body, level)
    bits = {"gzip": zlib.MAX_WBITS | 16, "zlib": zlib.MAX_WBITS, "raw": -zlib.MAX_WBITS}[coding]
    squeeze = zlib.compressobj(level, zlib.DEFLATED, bits)
    return squeeze.compress(body) + squeeze.flush()


def undone(undo: Coding, data: bytes, cuts: Iterable[int]) -> bytes:
    """What it decodes to where reads are split at these places."""
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return b"".join(piece for begin, end in pairwise(places) for piece in undo.decode(data[begin:end]))


def undoing(coding: str) -> Coding:
    return Coding("deflate" if coding in ("zlib", "raw") else coding)


BODIES = st.one_of(
    st.binary(max_size=5000),
    # More than one bounded piece, also to the octet.
    st.builds(lambda octet, size: octet * size, st.binary(min_size=1, max_size=1), st.integers(0, 3 << 18)),
    st.integers(-1, 1).map(lambda more: bytes((256 << 10) + more)),
)
CUTS = st.lists(st.integers(0, 1 << 20), max_size=20)
LEVELS = st.integers(0, 9)


@given(BODIES, CUTS, st.sampled_from([*CODINGS, ""]), LEVELS)
def test_a_coding_is_undone_however_reads_are_split(
    body: bytes, cuts: list[int], coding: str, level: int
) -> None:
    undo = undoing(coding)
    assert undone(undo, coded(body, coding, level), cuts) == body
    undo.end()


@given(BODIES.filter(bool), CUTS, st.sampled_from(CODINGS), st.integers(1, 1 << 20))
def test_what_lacks_its_end_is_cut_after_all_before(
    body: bytes, cuts: list[int], coding: str, kept: int
) -> None:
    whole, undo = coded(body, coding), undoing(coding)
    part = undone(undo, whole[: 1 + kept % (len(whole) - 1)], cuts)
    assert body.startswith(part)
    with pytest.raises(KitError) as caught:
        undo.end()
    assert caught.value.code is Code.BODY_CUT


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", ""])
def test_a_body_without_an_octet_is_whole(coding: str) -> None:
    undo = Coding(coding)
    assert list(undo.decode(b"")) in ([], [b""])
    undo.end()


JUNK = st.binary(min_size=1, max_size=50).filter(lambda more: not more.startswith(b"\x1f\x8b"))


@given(st.binary(max_size=50), JUNK, CUTS, st.sampled_from(INFLATED))
def test_what_follows_the_end_is_passed_over(body: bytes, more: bytes, cuts: list[int], coding: str) -> None:
    undo = undoing(coding)
    assert undone(undo, coded(body, coding) + more, cuts) == body
    undo.end()


@pytest.mark.parametrize("together", [True, False])
def test_a_gzip_that_begins_anew_is_an_error_since_no_browser_reads_on(*, together: bool) -> None:
    members = [gzip.compress(b"data: 1\n\n"), gzip.compress(b"data: 2\n\n")]
    undo = Coding("gzip")
    reads = [b"".join(members)] if together else members
    assert b"".join(piece for read in reads for piece in undo.decode(read)) == b"data: 1\n\n"
    with pytest.raises(KitError) as caught:
        undo.end()
    assert caught.value.code is Code.BAD_ENCODING


def flushed(coding: str, pieces: Iterable[bytes]) -> Iterable[bytes]:
    """Each piece as a server sends it that flushes."""
    if coding == "br":
        brotlied = brotli.Compressor()
        return [brotlied.process(piece) + brotlied.flush() for piece in pieces]
    if coding == "zstd":
        standard = zstd.ZstdCompressor()
        return [standard.compress(piece, zstd.ZstdCompressor.FLUSH_BLOCK) for piece in pieces]
    squeeze = zlib.compressobj(6, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    return [squeeze.compress(piece) + squeeze.flush(zlib.Z_SYNC_FLUSH) for piece in pieces]


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_what_is_flushed_comes_out_at_once(coding: str) -> None:
    events, undo = [b"data: 1\n\n", b"data: 2\n\n"], Coding(coding)
    assert [b"".join(undo.decode(octets)) for octets in flushed(coding, events)] == events


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_what_a_bomb_becomes_comes_in_bounded_pieces(coding: str) -> None:
    pieces = list(Coding(coding).decode(coded(bytes(10 << 20), coding)))
    assert sum(map(len, pieces)) == 10 << 20
    assert max(map(len, pieces)) <= 256 * 1024


@given(st.lists(st.binary(max_size=500), min_size=1, max_size=5), CUTS)
def test_a_server_may_send_a_frame_of_zstd_for_each_event(events: list[bytes], cuts: list[int]) -> None:
    undo = Coding("zstd")
    assert undone(undo, b"".join(map(zstd.compress, events)), cuts) == b"".join(events)
    undo.end()


def test_a_window_that_no_browser_has_room_for_is_not_read() -> None:
    wide = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: 27})
    with pytest.raises(KitError) as caught:
        list(Coding("zstd").decode(wide.compress(b"data: 1\n\n", zstd.ZstdCompressor.FLUSH_BLOCK)))
    assert caught.value.code is Code.BAD_ENCODING


@pytest.mark.parametrize("coding", ["compress", "gzip, gzip", "x" * 1000])
def test_a_coding_that_is_not_known_is_said_to_be_so(coding: str) -> None:
    with pytest.raises(KitError) as caught:
        Coding(coding)
    assert caught.value.code is Code.BAD_ENCODING
    assert len(caught.value.message) < 150


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_rubbish_is_said_to_be_rubbish(coding: str) -> None:
    with pytest.raises(KitError) as caught:
        list(Coding(coding).decode(b"not at all, and by no means"))
    assert caught.value.code is Code.BAD_ENCODING
