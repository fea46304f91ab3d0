"""Google accounts: whose a Google ID token is, as google-auth says, and whether that account may ask.

google-auth comes with Google's clients (deploy/requirements-google.txt) and takes a while to import, so it is
imported when the first token has come. Google's certificates are fetched then, and again when the answer that
brought them has expired; never for each request.
"""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from service.problems import Problem
from service.settings import Settings, SettingsError, installed

if TYPE_CHECKING:
    from google.auth.transport import Response

# What Google's clock and ours may be apart.
CLOCK_SKEW_S = 10

FETCH_S = 5.0
# While Google cannot be reached, it is asked at most this often.
RETRY_S = 5
# Whatever the answer says, its certificates are kept so long at least and at most.
KEEP_S = (60, 86_400)

# A JSON Web Token: three parts in base64url (RFC 7515, 7.1). Google's have about 1,200 characters.
_TOKEN = re.compile(rb"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_TOKEN_OCTETS = 8_192


class GoogleAccounts:
    """Lets the accounts in that were named.

    Args:
        audience: whom a token must be meant for.
        emails: of the accounts, in lower case.
    """

    def __init__(self, audience: str, emails: tuple[str, ...]) -> None:
        self.audience = audience
        self._emails = frozenset(emails)
        self._certificates = _Certificates()

    @classmethod
    def of(cls, settings: Settings) -> GoogleAccounts | None:
        """As the settings say; None where they ask for none.

        Raises:
            SettingsError: one of the two settings lacks the other, or a package is not installed.
        """
        if settings.google_audience is None and not settings.google_emails:
            return None
        if settings.google_audience is None:
            raise SettingsError(
                "STREAMPROOF_GOOGLE_EMAILS is set, so STREAMPROOF_GOOGLE_AUDIENCE must say whom their ID "
                "tokens are meant for: an OAuth client's ID, or the service's URL."
            )
        if not settings.google_emails:
            # Anyone can get a Google account: an empty list that admitted them all would guard nothing.
            raise SettingsError(
                "STREAMPROOF_GOOGLE_AUDIENCE is set, so STREAMPROOF_GOOGLE_EMAILS must name whose tokens are "
                "let in, as someone@example.org,other@example.org."
            )
        if not (installed("google.auth") and installed("requests")):
            raise SettingsError(
                "STREAMPROOF_GOOGLE_AUDIENCE is set, so the packages google-auth and requests must be "
                "installed."
            )
        return cls(settings.google_audience, settings.google_emails)

    async def admit(self, token: bytes) -> None:
        """Lets the bearer of an ID token in.

        Raises:
            Problem: 401 for what is no valid ID token for this audience, or of an address that was not
                verified; 403 for another account; 503 where Google's certificates cannot be had.
        """
        if len(token) > _TOKEN_OCTETS or not _TOKEN.fullmatch(token):
            raise self._wrong()
        claims = await asyncio.to_thread(self._claims, token)
        if claims is None or claims.get("email_verified") is not True:
            raise self._wrong()
        if str(claims.get("email")).lower() not in self._emails:
            raise Problem(
                "account-forbidden",
                403,
                "This Google account may not ask.",
                "Use one that STREAMPROOF_GOOGLE_EMAILS names, or have this one added.",
                headers={"WWW-Authenticate": 'Bearer error="insufficient_scope"'},
            )

    def _claims(self, token: bytes) -> Any:
        """What the token says, if signature, time, audience and issuer are right; else None."""
        from google.auth.exceptions import TransportError
        from google.oauth2 import id_token

        try:
            return id_token.verify_oauth2_token(  # type: ignore[no-untyped-call]
                token, self._certificates, self.audience, CLOCK_SKEW_S
            )
        except TransportError:
            raise _unreachable() from None
        except Exception:
            # A token is whatever a stranger sends, and there is no list of what that can raise on the way.
            return None

    def _wrong(self) -> Problem:
        return Problem(
            "token-wrong",
            401,
            "This token is not valid here.",
            f"Send a Google ID token for {self.audience} that has not expired, of an account whose address "
            "Google has verified.",
            headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
        )


class _Certificates:
    """google-auth's way to fetch something, with what was fetched kept. For any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: Response | None = None
        self._until = 0.0

    def __call__(self, url: str, method: str = "GET") -> Response:
        """As google.auth.transport.Request.

        Raises:
            TransportError: they cannot be had.
        """
        from google.auth.exceptions import TransportError

        with self._lock:
            if self._clock() >= self._until:
                self._kept = _fetched(url)
                keep_s = RETRY_S if self._kept is None else _lifetime_s(self._kept.headers)
                self._until = self._clock() + keep_s
            if self._kept is None:
                raise TransportError("They could not be fetched.")  # type: ignore[no-untyped-call]
            return self._kept


def _fetched(url: str) -> Response | None:
    """Certificates; None where something else came, or nothing."""
    from google.auth.exceptions import TransportError
    from google.auth.transport.requests import Request

    try:
        response = Request()(url, timeout=FETCH_S)
        return response if response.status == 200 and isinstance(json.loads(response.data), dict) else None
    except (TransportError, ValueError):
        return None


def _lifetime_s(headers: Mapping[str, str]) -> int:
    """For how long an answer may be kept, in seconds (RFC 9111, 4.2)."""
    age = re.fullmatch("[0-9]{1,9}", headers.get("age", ""))
    most = re.search("max-age=([0-9]{1,9})", headers.get("cache-control", ""))
    left = (int(most[1]) if most else 0) - (int(age[0]) if age else 0)
    return min(max(left, KEEP_S[0]), KEEP_S[1])


def _unreachable() -> Problem:
    return Problem(
        "certificates-unreachable",
        503,
        "The token cannot be checked now.",
        "Google's certificates, by which ID tokens are verified, cannot be had for the moment; try again.",
        retry_after_s=RETRY_S,
    )
