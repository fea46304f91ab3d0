"""The token that callers of a deployed service show: made here, printed once, kept as its SHA-256 only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.cli.output import talk
from kit.errors import Code, KitError

if TYPE_CHECKING:
    from kit.cloud.record import Record

_TOKEN_BYTES = 32


def chosen_token(wanted: bool | None, names: list[str], record: Record) -> tuple[str | None, str | None]:
    """The token in clear, where it is known, and its SHA-256: a new one, the one there is, or none.

    Raises:
        KitError: what is deployed wants a token that KIT_TOKEN does not hold.
    """
    import hashlib
    import os
    import secrets

    def hashed(clear: str) -> str:
        return hashlib.sha256(clear.encode()).hexdigest()

    if wanted is False:
        return None, None
    clear = os.environ.get("KIT_TOKEN", "").strip() or None
    if wanted:
        clear = clear or secrets.token_urlsafe(_TOKEN_BYTES)
        return clear, hashed(clear)
    known = {
        one.token_sha256
        for name in names
        if (one := record.of(name)) is not None and one.token_sha256 is not None
    }
    if not known:
        return None, None
    if clear is None or known != {hashed(clear)}:
        raise KitError(
            Code.NOT_READY_TO_DEPLOY,
            "What is deployed wants a token, and "
            + ("KIT_TOKEN is not set." if clear is None else "KIT_TOKEN holds another."),
            "Set KIT_TOKEN to the token that was printed then; --token makes a new one, --no-token none.",
        )
    return clear, hashed(clear)


def tell_token(token: str) -> None:
    """Print the token, this once: only its SHA-256 is kept."""
    import os

    if os.environ.get("KIT_TOKEN", "").strip() == token:
        return
    talk(
        f"The token, shown this once: {token}\n"
        "  Callers send it as Authorization: Bearer TOKEN; the kit reads it from KIT_TOKEN."
    )
