"""Requests and answers of the loopback Google, and errors in the shape in which Google sends them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# google.rpc.Code by name, and the HTTP status each is sent with:
# https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto
CODES = {
    "CANCELLED": (1, 499),
    "INVALID_ARGUMENT": (3, 400),
    "NOT_FOUND": (5, 404),
    "ALREADY_EXISTS": (6, 409),
    "PERMISSION_DENIED": (7, 403),
    "RESOURCE_EXHAUSTED": (8, 429),
    "FAILED_PRECONDITION": (9, 400),
    "ABORTED": (10, 409),
    "UNIMPLEMENTED": (12, 501),
    "INTERNAL": (13, 500),
    "UNAVAILABLE": (14, 503),
    "UNAUTHENTICATED": (16, 401),
}


@dataclass(frozen=True)
class Request:
    """One request as it came out of the proxy's tunnel. Header names are in lower case."""

    method: str
    host: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def json(self) -> Any:
        """The body; {} where there is none. Raises ApiError INVALID_ARGUMENT when it is no JSON."""
        try:
            return json.loads(self.body) if self.body else {}
        except ValueError:
            raise ApiError("INVALID_ARGUMENT", "Invalid JSON payload received.") from None


@dataclass(frozen=True)
class Response:
    """One answer. `body` is JSON unless it is bytes."""

    body: Any = field(default_factory=dict)
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        """The body as it is sent."""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


class ApiError(Exception):
    """A google.rpc.Status. `status` is its code's name; `details` are messages with an @type."""

    def __init__(self, status: str, message: str, *details: Mapping[str, Any], http: int = 0) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.details = details
        self.http = http or CODES[status][1]

    @property
    def response(self) -> Response:
        """As an HTTP answer: https://cloud.google.com/apis/design/errors#http_mapping."""
        error: dict[str, Any] = {"code": self.http, "message": self.message, "status": self.status}
        # Cloud Storage's JSON API has this list, and only it: gcloud reads it where it is.
        error["errors"] = [{"message": self.message, "domain": "global", "reason": self.status.lower()}]
        if self.details:
            error["details"] = list(self.details)
        return Response({"error": error}, self.http, {"content-type": "application/json; charset=UTF-8"})

    @property
    def rpc(self) -> dict[str, Any]:
        """As the `error` of an operation."""
        return {
            "code": CODES[self.status][0],
            "message": self.message,
            **({"details": list(self.details)} if self.details else {}),
        }
