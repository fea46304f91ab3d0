"""Errors as RFC 9457 problem details: the body of a 4xx or 5xx, or the data of an `error` event."""

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

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Problem:
        """The problem whose `body` this is; headers are not in it."""
        return cls(
            body["type"].rpartition(":")[2],
            body["status"],
            body["title"],
            body["detail"],
            retry_after_s=body.get("retry_after_s"),
            parameter=body.get("parameter"),
        )

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
        "The instance is shutting down; send the request again and another instance answers it.",
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


def too_many_reads(limit: int) -> Problem:
    return Problem(
        "too-many-reads",
        503,
        "Too many requests are open.",
        f"This instance lets {limit} requests read its answers at once at most; try again in a moment.",
        retry_after_s=2,
    )


def deadline(seconds: float) -> Problem:
    return Problem(
        "deadline",
        504,
        "The answer took too long.",
        f"The answer was not complete after {seconds:g} s, and the platform would have cut it soon after.",
    )


def answer_deadline(seconds: float) -> Problem:
    """Of a kept answer, which is bound to no single request."""
    return Problem(
        "deadline",
        504,
        "The answer took too long.",
        f"The answer was not complete after {seconds:g} s (STREAMPROOF_ANSWER_DEADLINE_S); ask for less.",
    )


def response_deadline(seconds: float) -> Problem:
    """Of a kept answer's response: the answer itself goes on."""
    return Problem(
        "response-deadline",
        504,
        "This response took too long; the answer goes on.",
        f"The response was not complete after {seconds:g} s, and the platform would have cut it soon after. "
        "Come back for the rest, with Last-Event-ID or by polling.",
        retry_after_s=1,
    )


def internal() -> Problem:
    return Problem(
        "internal", 500, "The service failed.", "The answer could not be completed; the log says why."
    )


def abandoned(seconds: float) -> Problem:
    return Problem(
        "abandoned",
        410,
        "No client read this answer any more.",
        f"It was not written to its end, because no request for it was open for {seconds:g} s; ask anew.",
    )


def answer_gone() -> Problem:
    return Problem(
        "answer-gone",
        410,
        "This answer is not here.",
        "It was never asked for, or it is kept no longer, or another instance of the service has it, or the "
        "one that had it has ended; ask anew. (Several instances need one store: STREAMPROOF_STORE.)",
    )


def writer_gone() -> Problem:
    return Problem(
        "writer-gone",
        503,
        "The instance that wrote this answer is gone.",
        "It ended, or the platform stopped giving it time, before the answer was whole; ask anew.",
        retry_after_s=1,
    )


def taken_over() -> Problem:
    return Problem(
        "taken-over",
        503,
        "This answer was given up.",
        "This instance was frozen for so long that another one has ended the answer; ask again.",
        retry_after_s=1,
    )


def store_unavailable(detail: str) -> Problem:
    return Problem(
        "store-unavailable",
        503,
        "The store of answers cannot be reached.",
        detail,
        retry_after_s=2,
    )


def answer_in_use() -> Problem:
    return Problem(
        "answer-in-use",
        409,
        "There is an answer of this name.",
        "Choose another name, 128 bits at random as 32 hexadecimal digits; or read the answer that is there.",
        parameter="answer",
    )


def too_many_answers(limit: int) -> Problem:
    return Problem(
        "too-many-answers",
        503,
        "Too many answers are kept.",
        f"This instance keeps {limit} answers at most, and none has ended that could make room; try again.",
        retry_after_s=5,
    )


def no_room() -> Problem:
    return Problem(
        "no-room",
        503,
        "There is no room for the rest of this answer.",
        "The answers that this instance keeps have used up their memory; try again soon, or ask for less.",
        retry_after_s=5,
    )
