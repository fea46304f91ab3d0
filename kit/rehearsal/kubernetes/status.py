"""Failures as the API tells them: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kit.rehearsal.wire import ApiError, Response

_CODES = {
    "BadRequest": ("INVALID_ARGUMENT", 400),
    "Unauthorized": ("UNAUTHENTICATED", 401),
    "Forbidden": ("PERMISSION_DENIED", 403),
    "NotFound": ("NOT_FOUND", 404),
    "MethodNotAllowed": ("UNIMPLEMENTED", 405),
    "AlreadyExists": ("ALREADY_EXISTS", 409),
    "Conflict": ("ABORTED", 409),
    "UnsupportedMediaType": ("INVALID_ARGUMENT", 415),
    "Invalid": ("INVALID_ARGUMENT", 422),
    "InternalError": ("INTERNAL", 500),
    "ServiceUnavailable": ("UNAVAILABLE", 503),
}


class Failure(ApiError):
    """A `Status` object. `causes` are (reason, message, field)."""

    def __init__(self, reason: str, message: str, causes: Sequence[tuple[str, str, str]] = ()) -> None:
        status, code = _CODES[reason]
        super().__init__(status, message, http=code)
        self.reason = reason
        self._causes = causes

    @property
    def response(self) -> Response:
        """As an HTTP answer."""
        body: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "code": self.http,
        }
        if self._causes:
            body["details"] = {
                "causes": [
                    {"reason": reason, "message": message, "field": at}
                    for reason, message, at in self._causes
                ]
            }
        return Response(body, self.http)


def unauthorized() -> Failure:
    """401, as for a token that has expired."""
    return Failure("Unauthorized", "Unauthorized")


def conflict(fields: Sequence[tuple[str, str]]) -> Failure:
    """409 of a server-side apply: each field's path, and who has it ("kubectl" using apps/v1)."""
    several = "s" if len(fields) > 1 else ""
    sentences = "\n".join(f"conflict with {owner}: {at}" for at, owner in fields)
    return Failure(
        "Conflict",
        f"Apply failed with {len(fields)} conflict{several}: {sentences}",
        [("FieldManagerConflict", f"conflict with {owner}", at) for at, owner in fields],
    )
