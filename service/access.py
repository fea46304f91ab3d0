"""Who may ask: by a token or as a Google account, where either was set; and how, where GET is switched off.

The service is given the token's SHA-256 only, so that reading its variables does not give the token away.
"""

from __future__ import annotations

import hashlib
import hmac

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from service.google_accounts import GoogleAccounts
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


class Access:
    """Asks for a bearer token, or for none where the settings name neither a token nor Google accounts.

    Raises:
        SettingsError: the settings for Google accounts are incomplete, or their package is missing.
    """

    def __init__(self, settings: Settings) -> None:
        digest = settings.token_sha256
        self._digest = None if digest is None else bytes.fromhex(digest)
        self._accounts = GoogleAccounts.of(settings)

    async def admit(self, headers: Headers) -> None:
        """Lets a request pass that may ask.

        Raises:
            Problem: 401 without a token that is right (RFC 6750), 403 for another Google account, 503 where
                Google cannot be reached.
        """
        if self._digest is None and self._accounts is None:
            return
        token = _bearer(headers.getlist("authorization"))
        if token is None:
            raise Problem(
                "token-missing",
                401,
                "A token is needed.",
                f"Send the header Authorization: Bearer TOKEN, with {self._wanted}.",
                headers={"WWW-Authenticate": "Bearer"},
            )
        # Of digests, in constant time: how long it takes tells nothing of either.
        if self._digest and hmac.compare_digest(hashlib.sha256(token).digest(), self._digest):
            return
        if self._accounts is None:
            raise Problem(
                "token-wrong",
                401,
                "This is not the service's token.",
                "Send the token that the latest deployment printed; deploy again to get a new one.",
                headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
            )
        await self._accounts.admit(token)

    @property
    def _wanted(self) -> str:
        ways = ["the token that the deployment printed"] if self._digest else []
        if self._accounts is not None:
            ways.append(f"a Google ID token for {self._accounts.audience}")
        return ", or ".join(ways)


class Guarded:
    """An ASGI app that is asked by those only who may."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._access.admit(Headers(scope=scope))
        await self._app(scope, receive, send)


def _bearer(headers: list[str]) -> bytes | None:
    """The token, as it came; None unless there is one such header, and it is of this kind."""
    if len(headers) != 1:
        return None
    scheme, _, token = headers[0].partition(" ")
    token = token.strip(" ")
    return token.encode("latin-1") if scheme.lower() == "bearer" and token else None
