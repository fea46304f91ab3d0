"""What goes wrong, as RFC 9457 problem details: the body of a 4xx or 5xx, or the data of an `error` event."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse


class Problem(Exception):
    """A request that is not answered, or an answer that ends early, and why.

    Args:
        kind: the last part of the problem's type URI, a few words in lower case joined by hyphens.
        status: the HTTP status, if the response has not begun yet.
        title: the same sentence for every occurrence of this kind.
        detail: this occurrence; for a person. Never holds the prompt.
        retry_after_s: seconds after which the same request may succeed; None if trying again is no use.
        parameter: which parameter of the request is at fault.
        headers: that the response has as well.
    """

    def __init__(
        self,
        kind: str,
        status: int,
        title: str,
        detail: str,
        *,
        retry_after_s: int | None = None,
        parameter: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.status = status
        self.title = title
        self.detail = detail
        self.retry_after_s = retry_after_s
        self.parameter = parameter
        self.headers = headers or {}

    def body(self) -> dict[str, Any]:
        """The problem as a JSON object; `retry_after_s` and `parameter` are extension members."""
        body: dict[str, Any] = {
            "type": f"urn:streamproof:problem:{self.kind}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
        }
        if self.retry_after_s is not None:
            body["retry_after_s"] = self.retry_after_s
        if self.parameter is not None:
            body["parameter"] = self.parameter
        return body

    def response(self) -> JSONResponse:
        headers = {"Cache-Control": "no-store", **self.headers}
        if self.retry_after_s is not None:
            headers["Retry-After"] = str(self.retry_after_s)
        return JSONResponse(self.body(), self.status, headers, "application/problem+json")


def shutting_down() -> Problem:
    # The platform routes a new request to another instance: there is no need to wait longer.
    return Problem(
        "shutting-down",
        503,
        "This instance is shutting down.",
        "The instance was told to stop; send the request again and another instance answers it.",
        retry_after_s=1,
    )


def too_many_streams(limit: int) -> Problem:
    return Problem(
        "too-many-streams",
        503,
        "Too many answers are being streamed.",
        f"This instance streams {limit} answers at once at most; try again in a moment.",
        retry_after_s=2,
    )


def deadline(seconds: float) -> Problem:
    return Problem(
        "deadline",
        504,
        "The answer took too long.",
        f"The answer was not complete after {seconds:g} s, and the platform would have cut it soon after.",
    )


def internal() -> Problem:
    return Problem(
        "internal", 500, "The service failed.", "The answer could not be completed; the log says why."
    )
