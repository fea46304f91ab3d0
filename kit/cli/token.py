"""The token that callers of a deployed service show: made here, printed once, kept as its SHA-256 only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.cli.output import talk
from kit.errors import Code, KitError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kit.cloud.record import Deployment, Record

_TOKEN_BYTES = 32


def chosen_token(wanted: bool | None, names: list[str], record: Record) -> tuple[str | None, str | None]:
    """The token in clear, where it is known, and its SHA-256: a new one, the one there is, or none.

    Raises:
        KitError: what is deployed wants a token that KIT_TOKEN does not hold.
    """
    import secrets

    if wanted is False:
        return None, None
    if wanted:
        clear = _kept() or secrets.token_urlsafe(_TOKEN_BYTES)
        return clear, _sha256(clear)
    there = [one for one in map(record.of, names) if one is not None and one.token_sha256 is not None]
    if not there:
        return None, None
    hint = "Set KIT_TOKEN to the token that was printed then; --token makes a new one, --no-token none."
    clear = _held(there, hint)
    return clear, _sha256(clear)


def deployed_token(deployments: Sequence[Deployment]) -> str | None:
    """What KIT_TOKEN holds; None where it holds nothing and nothing that is deployed wants a token.

    Raises:
        KitError: what is deployed wants a token that KIT_TOKEN does not hold.
    """
    there = [one for one in deployments if one.token_sha256 is not None]
    return _held(there, "Set KIT_TOKEN to the token that `kit deploy` printed.") if there else _kept()


def tell_token(token: str) -> None:
    """Print the token, this once: only its SHA-256 is kept."""
    if token == _kept():
        return
    talk(
        f"The token, shown this once: {token}\n"
        "  Callers send it as Authorization: Bearer TOKEN; the kit reads it from KIT_TOKEN."
    )


def _held(deployments: Sequence[Deployment], hint: str) -> str:
    clear = _kept()
    if clear is None or {one.token_sha256 for one in deployments} != {_sha256(clear)}:
        whose = " and ".join(one.target for one in deployments)
        raise KitError(
            Code.NOT_READY_TO_DEPLOY,
            f"What is deployed ({whose}) wants a token, and "
            + ("KIT_TOKEN is not set." if clear is None else "KIT_TOKEN holds another."),
            hint,
        )
    return clear


def _kept() -> str | None:
    import os

    return os.environ.get("KIT_TOKEN", "").strip() or None


def _sha256(clear: str) -> str:
    import hashlib

    return hashlib.sha256(clear.encode()).hexdigest()
