"""Content coding undone in bounded pieces, so that a bomb is met by a limit and not by our memory."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

from kit.errors import Code, KitError

_PIECE_BYTES = 256 * 1024


class Coding:
    """Undoes one response's coding.

    `deflate` is read with zlib's header (RFC 1950), as HTTP has it, and without, as some servers send it:
    browsers read both. What follows the end of the coding is passed over, as browsers do.

    Args:
        coding: the Content-Encoding header; gzip, deflate and none are known.

    Raises:
        KitError: BAD_ENCODING for any other.
    """

    def __init__(self, coding: str) -> None:
        self._coding = coding.strip().lower()
        self._inflate: zlib._Decompress | None = None
        self._head = b""  # of a deflate that may have a header or not
        self._begun = False
        if self._coding in ("gzip", "x-gzip"):
            self._inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)
        elif self._coding not in ("", "identity", "deflate"):
            raise KitError(
                Code.BAD_ENCODING,
                f"The answer is encoded as {self._coding[:40]!r}, which the kit does not read.",
                "Ask for gzip or identity: --header 'Accept-Encoding: gzip'.",
            )

    def decode(self, data: bytes) -> Iterable[bytes]:
        """What these octets decode to, in pieces of at most 256 KiB.

        Raises:
            KitError: BAD_ENCODING when they are not what they were called.
        """
        if self._coding in ("", "identity"):
            return (data,)
        self._begun = self._begun or bool(data)
        if self._inflate is None:
            data = self._head = self._head + data
            if len(data) < 2:  # too few to tell, and to hold anything
                return ()
            self._inflate = zlib.decompressobj(zlib.MAX_WBITS if _has_header(data) else -zlib.MAX_WBITS)
        return self._inflated(self._inflate, data)

    def end(self) -> None:
        """The last octet is in.

        Raises:
            KitError: BODY_CUT when the coding has not come to its own end.
        """
        if self._begun and (self._inflate is None or not self._inflate.eof):
            raise KitError(
                Code.BODY_CUT,
                f"The answer ended in the middle of its {self._coding}.",
                "Look at the log of what compresses it: it was cut short, or never told to finish.",
            )

    def _inflated(self, inflate: zlib._Decompress, data: bytes) -> Iterable[bytes]:
        full = False
        while (data or full) and not inflate.eof:
            try:
                piece = inflate.decompress(data, _PIECE_BYTES)
            except zlib.error:
                raise KitError(
                    Code.BAD_ENCODING,
                    f"The answer calls itself {self._coding} and is not.",
                    "Ask for it plain: --header 'Accept-Encoding: identity'.",
                ) from None
            data = inflate.unconsumed_tail
            # The window may hold more for want of room in this piece.
            full = len(piece) == _PIECE_BYTES
            if piece:
                yield piece


def _has_header(data: bytes) -> bool:
    """Whether this begins as zlib's format does (RFC 1950, 2.2); no encoder begins a bare deflate so."""
    return data[0] & 0x8F == 8 and int.from_bytes(data[:2]) % 31 == 0
