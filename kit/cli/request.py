"""The request that a user describes by options: `probe` and `doctor` take the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.errors import UsageError

if TYPE_CHECKING:
    from kit.probe.client import Ask


def request(
    url: str, method: str | None, headers: list[str], data: str | None, bearer_env: str | None
) -> Ask:
    """The request as the user gave it.

    Raises:
        KitError: a method or a header that is none, or a variable that is not set.
    """
    import os
    import re

    from kit.probe.address import checked
    from kit.probe.client import Ask

    checked(url)
    if method and not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", method):  # RFC 9110, 5.6.2
        raise UsageError(f"{method!r} is no method.", "Give one, as in --method POST.")
    variable = os.environ.get("KIT_HEADER", "")
    if headers == variable.split():  # typer splits it at white space, which most headers have
        headers = [line for line in variable.splitlines() if line.strip()]
    pairs = [_header(line) for line in headers]
    if bearer_env is not None:
        token = os.environ.get(bearer_env, "").strip()
        if not token:
            raise UsageError(
                f"The variable {bearer_env} holds no token.",
                f"Set it, for example: export {bearer_env}=$(gcloud auth print-identity-token)",
            )
        pairs.append(_header(f"authorization: Bearer {token}"))
    body = None if data is None else data.encode()
    return Ask((method or ("POST" if body else "GET")).upper(), url, tuple(pairs), body)


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    named = name.strip().isascii() and name.strip().replace("-", "").replace("_", "").isalnum()
    if not colon or not named or any(ord(c) < 32 or ord(c) == 127 for c in value.strip()):
        raise UsageError(
            f"{name.strip()[:40]!r} is no header.",
            "Write it as NAME: VALUE, for example --header 'Accept: text/event-stream'.",
        )
    return name.strip(), value.strip()
