"""Tokens that a caller shows to a private service. Nothing here is logged, shown or kept."""

from __future__ import annotations

import base64
import json
import os
import re
import time
from collections.abc import Sequence
from typing import Protocol
from urllib.parse import urlsplit

from kit.errors import Code, KitError, UsageError
from kit.language import text
from kit.loopback import is_loopback
from kit.platforms.command import Command

# A JSON Web Token: three parts in base64url (RFC 7515, 7.1).
_TOKEN = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_IDENTITY = "X-Serverless-Authorization"
_LEFT_S = 600
# gcloud's own variable: the service account in whose name it acts.
_IMPERSONATED = "CLOUDSDK_AUTH_IMPERSONATE_SERVICE_ACCOUNT"


class Runs(Protocol):
    """What runs gcloud: `kit.platforms.gcloud.runner.Gcloud`."""

    async def run(self, command: Command, *, log: str) -> str:
        """Its standard output."""


class AskedOnce:
    """A gcloud that is asked for each token once, also for one that the account cannot give.

    A token that is good for less than ten minutes more is asked for anew.
    """

    def __init__(self, gcloud: Runs) -> None:
        self._gcloud = gcloud
        self._answers: dict[tuple[str, ...], str | KitError] = {}

    async def run(self, command: Command, *, log: str) -> str:
        """The token, asked for or answered before. Raises KitError, each time anew, where there is none."""
        known = self._answers.get(command.words)
        if known is None or (isinstance(known, str) and _expiry(known) < time.time() + _LEFT_S):
            try:
                known = await self._gcloud.run(command, log=log)
            except KitError as error:
                if error.code is not Code.NOT_SIGNED_IN:
                    raise
                known = error
            self._answers[command.words] = known
        if isinstance(known, KitError):
            raise known
        return known


async def identity_token(gcloud: Runs, url: str) -> str:
    """A token that says to Cloud Run who calls; good for an hour.

    A service account's is bound to `url`. gcloud cannot bind a person's, which is good for any service that
    lets this person in: so give it only a URL that gcloud itself named in this run, and send it nowhere else.

    Raises:
        KitError: NOT_SIGNED_IN where the account has none to give, BAD_USAGE for a URL that is not safe, and
            whatever else gcloud says.
    """
    _private(url)
    words: tuple[str, ...] = ("auth", "print-identity-token", "--quiet")
    if account := os.environ.get(_IMPERSONATED):
        # Here alone gcloud wants it in words (surface/auth/print_identity_token.py); without it an account of
        # Workload Identity Federation has no such token.
        words = (*words, f"--impersonate-service-account={account}")
    try:
        printed = await gcloud.run(Command((*words, f"--audiences={url}"), secret=True), log="identity-token")
    except KitError as error:
        if error.code is not Code.NOT_SIGNED_IN:
            raise
        printed = await gcloud.run(Command(words, secret=True), log="identity-token")
    token = printed.strip()
    if not _TOKEN.fullmatch(token):
        raise KitError(
            Code.GCLOUD_FAILED,
            text("`gcloud auth print-identity-token` printed something that is no token."),
            text("Run it by hand and look; another program called gcloud may come first on the PATH."),
        )
    return token


def credentials(
    url: str, *, identity: str | None = None, token: str | None = None
) -> tuple[tuple[str, str], ...]:
    """The headers that show them to the service at `url`.

    Cloud Run takes its own from either header, and `Authorization` is the service's
    (https://docs.cloud.google.com/run/docs/authenticating/service-to-service).

    Args:
        url: where they will be sent.
        identity: Cloud Run's identity token.
        token: the service's own.

    Raises:
        KitError: BAD_USAGE; the URL is not https (nor on this machine), or the token cannot be sent.
    """
    headers = []
    if identity is not None:
        headers.append((_IDENTITY, f"Bearer {identity}"))
    if token is not None:
        if not re.fullmatch(r"[!-~]+", token):
            raise UsageError(
                "The service's token holds a character that no token has.",
                "Set KIT_TOKEN to the token that `kit deploy` printed.",
            )
        headers.append(("Authorization", f"Bearer {token}"))
    if headers:
        _private(url)
    return tuple(headers)


def expiry(headers: Sequence[tuple[str, str]]) -> float | None:
    """Until when the identity token among these headers is good, in epoch seconds; None where there is none.

    A token that does not say so (RFC 7519, 4.1.4) counts as expired.
    """
    identity = dict(headers).get(_IDENTITY)
    return None if identity is None else _expiry(identity)


def _expiry(token: str) -> float:
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return float(claims["exp"])
    except (ValueError, TypeError, LookupError):
        return 0.0


async def renewed(headers: Sequence[tuple[str, str]], gcloud: Runs, url: str) -> tuple[tuple[str, str], ...]:
    """The same headers with another identity token for the service at `url`, as `identity_token` gives it."""
    identity = await identity_token(gcloud, url)
    return tuple((name, f"Bearer {identity}" if name == _IDENTITY else value) for name, value in headers)


def _private(url: str) -> None:
    """Raises for a URL on whose way others could read a token."""
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        return
    if parts.scheme == "http" and is_loopback(parts.hostname or ""):
        return
    raise UsageError(
        "A token is sent over https only, and this service's URL is another.",
        "Look at the URL with `kit status`.",
    )
