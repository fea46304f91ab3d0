"""Content coding undone in bounded pieces, so that a bomb is met by a limit and not by our memory."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

from kit.errors import Code, KitError

_PIECE_BYTES = 256 * 1024


class Coding:
    """Undoes one response's coding.

    Args:
        coding: the Content-Encoding header; gzip, deflate and none are known.

    Raises:
        KitError: BAD_ENCODING for any other.
    """

    def __init__(self, coding: str) -> None:
        self._coding = coding.strip().lower()
        self._inflate: zlib._Decompress | None = None
        if self._coding in ("gzip", "x-gzip"):
            self._inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)
        elif self._coding == "deflate":
            self._inflate = zlib.decompressobj()
        elif self._coding not in ("", "identity"):
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
        if self._inflate is None:
            return (data,)
        return self._inflated(self._inflate, data)

    def _inflated(self, inflate: zlib._Decompress, data: bytes) -> Iterable[bytes]:
        while data:
            try:
                piece = inflate.decompress(data, _PIECE_BYTES)
            except zlib.error:
                raise KitError(
                    Code.BAD_ENCODING,
                    f"The answer calls itself {self._coding} and is not.",
                    "Ask for it plain: --header 'Accept-Encoding: identity'.",
                ) from None
            data = inflate.unconsumed_tail
            if piece:
                yield piece
            if inflate.eof:
                return
        # What the window still holds for want of room in the last piece.
        while piece := inflate.decompress(b"", _PIECE_BYTES):
            yield piece
