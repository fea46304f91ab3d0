"""Addresses without what must not be shown."""

from __future__ import annotations

from urllib.parse import urlsplit


def without_credentials(url: str, instead: str = "") -> str:
    """The address without a user's name and password, `instead` in their place.

    Raises:
        ValueError: it cannot be read as an address.
    """
    parts = urlsplit(url)
    _, at, host = parts.netloc.rpartition("@")
    return parts._replace(netloc=instead + host).geturl() if at else url
