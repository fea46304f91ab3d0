"""Content coding undone in bounded pieces, so that a bomb is met by a limit and not by our memory."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Protocol

from kit.errors import Code, KitError

_GZIP = b"\x1f\x8b"
_PIECE_BYTES = 256 * 1024
# More than this no browser keeps for it (RFC 9659).
_ZSTD_WINDOW_LOG = 23


class Coding:
    """Undoes one response's coding: gzip, deflate, br and zstd, as browsers do.

    `deflate` is read with zlib's header (RFC 1950), as HTTP has it, and without, as some servers send it:
    browsers read both. What follows the end of gzip or deflate is passed over; after a frame of zstd
    another one may come.

    Args:
        coding: the Content-Encoding header.

    Raises:
        KitError: BAD_ENCODING for any other.
    """

    def __init__(self, coding: str) -> None:
        self._coding = coding.strip().lower()
        self._begun = False
        if self._coding not in ("", "identity", *_UNDONE):
            raise KitError(
                Code.BAD_ENCODING,
                f"The answer is encoded as {self._coding[:40]!r}, which the kit does not read.",
                "Ask for what it reads: --header 'Accept-Encoding: gzip, deflate, br, zstd'.",
            )
        self._undo = _UNDONE[self._coding]() if self._coding in _UNDONE else None

    def decode(self, data: bytes) -> Iterable[bytes]:
        """What these octets decode to, in pieces of at most 256 KiB.

        Raises:
            KitError: BAD_ENCODING when they are not what they were called.
        """
        if self._undo is None:
            yield data
            return
        self._begun = self._begun or bool(data)
        try:
            yield from filter(None, self._undo.decode(data))
        except self._undo.error:
            raise KitError(
                Code.BAD_ENCODING,
                f"The answer calls itself {self._coding} and is not.",
                "Ask for it plain: --header 'Accept-Encoding: identity'.",
            ) from None

    def end(self) -> None:
        """The last octet is in.

        Raises:
            KitError: BODY_CUT when the coding has not come to its own end; BAD_ENCODING when what follows it
                is another beginning, which no browser reads.
        """
        if isinstance(self._undo, _Inflate) and self._undo.after.startswith(_GZIP):
            raise KitError(
                Code.BAD_ENCODING,
                "The answer's gzip ends and begins anew, and a client shows the first piece alone.",
                "Look at what compresses each piece by itself: Django's GZipMiddleware does with an async "
                "generator.",
            )
        if self._undo is not None and self._begun and not self._undo.ended:
            raise KitError(
                Code.BODY_CUT,
                f"The answer ended in the middle of its {self._coding}.",
                "Look at the log of what compresses it: it was cut short, or never finished.",
            )


class _Undo(Protocol):
    @property
    def error(self) -> type[Exception]: ...

    @property
    def ended(self) -> bool: ...

    def decode(self, data: bytes) -> Iterator[bytes]: ...


class _Inflate:
    """gzip, or deflate where no window is given."""

    error = zlib.error

    def __init__(self, window: int | None = None) -> None:
        self._inflate = None if window is None else zlib.decompressobj(window)
        self._head = b""  # of a deflate that may have a header or not
        self.after = b""  # the first octets after its end

    @property
    def ended(self) -> bool:
        return self._inflate is not None and self._inflate.eof

    def decode(self, data: bytes) -> Iterator[bytes]:
        if self._inflate is None:
            data = self._head = self._head + data
            if len(data) < 2:  # too few to tell, and to hold anything
                return
            self._inflate = zlib.decompressobj(zlib.MAX_WBITS if _has_header(data) else -zlib.MAX_WBITS)
        full = False
        if self._inflate.eof:
            self.after = (self.after + data)[: len(_GZIP)]
        while (data or full) and not self._inflate.eof:
            piece = self._inflate.decompress(data, _PIECE_BYTES)
            data = self._inflate.unconsumed_tail
            # The window may hold more for want of room in this piece.
            full = len(piece) == _PIECE_BYTES
            yield piece
            self.after = self._inflate.unused_data[: len(_GZIP)]


class _Brotli:
    def __init__(self) -> None:
        import brotli

        self.error = brotli.error
        self._decompressor = brotli.Decompressor()

    @property
    def ended(self) -> bool:
        finished: bool = self._decompressor.is_finished()
        return finished

    def decode(self, data: bytes) -> Iterator[bytes]:
        # A piece may be half as much again, and what is left of the input comes out without more of it.
        while True:
            piece: bytes = self._decompressor.process(data, output_buffer_limit=_PIECE_BYTES // 2)
            if not data and not piece:
                return
            data = b""
            yield piece


class _Zstd:
    def __init__(self) -> None:
        if sys.version_info >= (3, 14):
            from compression import zstd
        else:
            from backports import zstd

        self.error = zstd.ZstdError
        options: Mapping[int, int] = {zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG}
        self._new = partial(zstd.ZstdDecompressor, options=options)
        self._frame = self._new()

    @property
    def ended(self) -> bool:
        return self._frame.eof

    def decode(self, data: bytes) -> Iterator[bytes]:
        while data or not self._frame.needs_input:
            if self._frame.eof:
                if not data:
                    return
                self._frame = self._new()
            yield self._frame.decompress(data, _PIECE_BYTES)
            data = self._frame.unused_data


_UNDONE: dict[str, Callable[[], _Undo]] = {
    "gzip": lambda: _Inflate(zlib.MAX_WBITS | 16),
    "x-gzip": lambda: _Inflate(zlib.MAX_WBITS | 16),
    "deflate": _Inflate,
    "br": _Brotli,
    "zstd": _Zstd,
}


def _has_header(data: bytes) -> bool:
    """Whether this begins as zlib's format does (RFC 1950, 2.2); no encoder begins a bare deflate so."""
    return data[0] & 0x8F == 8 and int.from_bytes(data[:2]) % 31 == 0
