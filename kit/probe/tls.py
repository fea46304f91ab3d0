"""Which servers' certificates are trusted, and whether a port speaks TLS at all."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import httpcore2

from kit.errors import Code, KitError

_HANDSHAKE_S = 3.0


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom a client trusts.

    Attributes:
        insecure: any certificate will do.
        cacert: a PEM file of the authorities that count; None for SSL_CERT_FILE, else the machine's.
    """

    insecure: bool = False
    cacert: str | None = None


_TRUST: ContextVar[Trust] = ContextVar("_TRUST", default=Trust())  # noqa: B039 - frozen


@contextmanager
def trusting(trust: Trust) -> Iterator[None]:
    """Within it, and in all that is started within it, every client trusts so."""
    before = _TRUST.set(trust)
    try:
        yield
    finally:
        _TRUST.reset(before)


def trust_here() -> Trust:
    """Whom clients trust at this place."""
    return _TRUST.get()


def context(trust: Trust, *, http2: bool) -> ssl.SSLContext:
    """A client's context. Loading the machine's certificates takes 70 ms.

    Raises:
        KitError: TLS_FAILED, the certificates to trust cannot be read.
    """
    named = "--cacert" if trust.cacert else "SSL_CERT_FILE or SSL_CERT_DIR"
    try:
        if trust.cacert:
            made = ssl.create_default_context(cafile=trust.cacert)
        else:
            made = httpcore2.default_ssl_context()
    except OSError as error:
        raise KitError(
            Code.TLS_FAILED,
            f"The certificates to trust cannot be read: {error.strerror or error}.",
            f"Correct {named}, or leave it out for the machine's own.",
        ) from None
    if trust.insecure:
        made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    made.set_alpn_protocols(["h2", "http/1.1"] if http2 else ["http/1.1"])
    return made


async def speaks_tls(host: str, port: int) -> bool:
    """Whether a handshake succeeds there, whatever the certificate; one connection of at most 3 s."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    try:
        async with asyncio.timeout(_HANDSHAKE_S):
            _, writer = await asyncio.open_connection(host, port, ssl=made)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True
