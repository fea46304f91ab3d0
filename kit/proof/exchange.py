"""A lane's exchange: its request, and the head of the response, without what may be a secret. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from kit.proof.conditions import ACCEPT

# How it is known whether the answer bears `X-Accel-Buffering: no`: the service was asked to, or not to; it
# can be seen; neither.
HeaderKnown = Literal["asked", "seen", "unknown"]
_MOST = 200  # characters of a header's value


@dataclass(frozen=True, slots=True)
class Request:
    """The request for an answer.

    Attributes:
        method: of it.
        url: without credentials and without its query.
        accept: the media types that it asks for.
        accept_encoding: the content codings that it accepts; None where it does not say, as curl does not.
        content_type: of its body.
        body_bytes: how large that is; 0 for none.
        prompted: whether it asks the kit's own service the prompt.
    """

    method: str
    url: str
    accept: str
    accept_encoding: str | None
    content_type: str | None
    body_bytes: int
    prompted: bool = False


@dataclass(frozen=True, slots=True)
class Response:
    """The head of an answer; None is a header that it does not bear.

    Attributes:
        status: the HTTP status.
        http_version: "HTTP/1.1", "HTTP/2"; None where it is not known.
        content_length: in octets.
        redirected_to: where it came from, where that is another URL than was asked; as `Request.url`.
    """

    status: int
    http_version: str | None
    content_type: str | None
    content_length: int | None
    content_encoding: str | None
    x_accel_buffering: str | None
    server: str | None
    via: str | None
    redirected_to: str | None


def request(
    method: str, url: str, headers: Iterable[tuple[str, str]], body: bytes | None, *, prompted: bool
) -> Request:
    """A request as it may be shown; `url` without credentials and without its query."""
    sent = {name.lower(): value for name, value in headers}
    return Request(
        method,
        url,
        _clipped(sent, "accept") or ACCEPT,
        _clipped(sent, "accept-encoding"),
        _clipped(sent, "content-type"),
        len(body or b""),
        prompted,
    )


def response(status: int, http_version: str, head: Mapping[str, str], redirected_to: str | None) -> Response:
    """A response's head as it may be shown; names in lower case."""
    length = head.get("content-length", "")
    return Response(
        status,
        http_version or None,
        _clipped(head, "content-type"),
        int(length) if re.fullmatch("[0-9]{1,18}", length) else None,
        _clipped(head, "content-encoding"),
        _clipped(head, "x-accel-buffering"),
        _clipped(head, "server"),
        _clipped(head, "via"),
        redirected_to,
    )


def _clipped(headers: Mapping[str, str], name: str) -> str | None:
    return headers[name][:_MOST] if name in headers else None
