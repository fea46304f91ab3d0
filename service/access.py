"""Who may ask /search, and how: with a token where one was set, and by POST alone where GET is switched off.

The service is given the token's SHA-256 only, so that nobody who can read its variables can use it.
"""

from __future__ import annotations

import hashlib
import hmac

from starlette.requests import Request

from service.problems import Problem
from service.settings import Settings


def admit_method(request: Request, settings: Settings) -> None:
    """Lets a request to /search pass by POST, and by GET unless that is switched off.

    Raises:
        Problem: 405.
    """
    if request.method == "GET" and not settings.get_search:
        raise Problem(
            "post-only",
            405,
            "Only POST is answered here.",
            'Send it by POST, with Content-Type: application/json and a body like {"ai_prompt": "…"}.',
            headers={"Allow": "POST"},
        )


def admit(request: Request, settings: Settings) -> None:
    """Lets a request pass that may ask.

    Raises:
        Problem: 401 without the token (RFC 6750).
    """
    if settings.token_sha256 is None:
        return
    token = _bearer(request.headers.getlist("authorization"))
    if token is None:
        raise Problem(
            "token-missing",
            401,
            "A token is needed.",
            "Send the header Authorization: Bearer TOKEN, with the token that the deployment printed.",
            headers={"WWW-Authenticate": "Bearer"},
        )
    # Of digests, in constant time: how long it takes tells nothing of either.
    if not hmac.compare_digest(hashlib.sha256(token).digest(), bytes.fromhex(settings.token_sha256)):
        raise Problem(
            "token-wrong",
            401,
            "This is not the service's token.",
            "Send the token that the latest deployment printed; deploy again to get a new one.",
            headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
        )


def _bearer(headers: list[str]) -> bytes | None:
    """The token, as it came; None unless there is one such header, and it is of this kind."""
    if len(headers) != 1:
        return None
    scheme, _, token = headers[0].partition(" ")
    token = token.strip(" ")
    return token.encode("latin-1") if scheme.lower() == "bearer" and token else None
