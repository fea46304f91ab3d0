"""Errors of Vertex AI, as problems that tell a person what to do.

The words are ours, and the log gets a code and a reason only: a message from there may quote the prompt. Only
what is wrong with the request itself is passed on in Google's words, to the one who sent it.
"""

from __future__ import annotations

import logging

from google.api_core.exceptions import GoogleAPICallError
from google.auth.exceptions import GoogleAuthError
from google.rpc.error_details_pb2 import RetryInfo

from service.problems import Problem

log = logging.getLogger("streamproof")

ROLE = "roles/aiplatform.user"

# Where Vertex AI does not say for how long: seconds in which others' requests may have ended.
RETRY_BUSY_S = 10
RETRY_FAILED_S = 5

_MESSAGE_CHARS = 500

# How gRPC begins to say that no token was to be had for the call: it never left this machine.
_NO_TOKEN = "Getting metadata from plugin failed"  # noqa: S105  # a sentence, no secret


def refused(error: GoogleAPICallError, *, model: str, location: str) -> Problem:
    """What an error of a call means for the client.

    Args:
        error: what the client raised.
        model: its resource name.
        location: as it was set.
    """
    code = error.grpc_status_code.name if error.grpc_status_code is not None else "UNKNOWN"
    reason = error.reason or ""
    log.warning("Vertex AI answered %s%s for the model %s", code, f" ({reason})" if reason else "", model)
    match code:
        case "NOT_FOUND":
            return Problem(
                "model-not-found",
                404,
                "The model is not there.",
                f"Vertex AI knows no model {model} in {location}, or this project may not use it; "
                "retired models are not found either. Set STREAMPROOF_MODEL and STREAMPROOF_LOCATION.",
            )
        case "PERMISSION_DENIED" if reason == "SERVICE_DISABLED":
            return Problem(
                "model-forbidden",
                403,
                "Vertex AI is not switched on.",
                "Switch it on in the project: gcloud services enable aiplatform.googleapis.com",
            )
        case "PERMISSION_DENIED":
            return Problem(
                "model-forbidden",
                403,
                "The service may not use Vertex AI.",
                f"Grant the service's account the role {ROLE} in the project.",
            )
        case "UNAUTHENTICATED":
            return _credentials("Vertex AI does not accept them.")
        case "RESOURCE_EXHAUSTED":
            return Problem(
                "model-busy",
                429,
                "Vertex AI is asked too much.",
                "The model's quota or capacity is used up for the moment; try again later.",
                retry_after_s=_retry_after_s(error) or RETRY_BUSY_S,
            )
        case "UNAVAILABLE" if (error.message or "").startswith(_NO_TOKEN):
            return _credentials("They could not be renewed.")
        case "UNAVAILABLE":
            return Problem(
                "model-unavailable",
                503,
                "Vertex AI cannot be reached.",
                "It is not there for the moment, or the connection to it broke; try again.",
                retry_after_s=_retry_after_s(error) or RETRY_FAILED_S,
            )
        case "DEADLINE_EXCEEDED":
            return Problem(
                "model-deadline",
                504,
                "The model took too long.",
                "Vertex AI did not complete the answer in time; ask for a shorter one.",
            )
        case "INVALID_ARGUMENT" | "FAILED_PRECONDITION" | "OUT_OF_RANGE":
            return Problem(
                "model-refused",
                400,
                "The model does not take this request.",
                f"Vertex AI says: {(error.message or code)[:_MESSAGE_CHARS]}",
            )
    return failed(f"Vertex AI answered {code}.")


def failed(detail: str) -> Problem:
    """Nothing that the one who asked did, and nothing that is known to last."""
    return Problem("model-failed", 502, "The model failed.", detail, retry_after_s=RETRY_FAILED_S)


def no_credentials(error: GoogleAuthError) -> Problem:
    """Google's sign-in library found nothing to sign in with, or what it found is worth nothing any more."""
    log.warning("no credentials for Vertex AI: %s", type(error).__name__)
    return _credentials("It found none that can be used.")


def no_project() -> Problem:
    """The credentials belong to no project (a user's own do not, for one)."""
    log.warning("no project for Vertex AI")
    return _credentials("They name no project: set STREAMPROOF_VERTEX_PROJECT.")


def _credentials(found: str) -> Problem:
    # Not a 401: no credentials of the client would help.
    return Problem(
        "model-credentials",
        500,
        "The service cannot sign in to Vertex AI.",
        f"It uses application default credentials. {found} On Google Cloud those are its service account's; "
        "elsewhere run: gcloud auth application-default login",
    )


def _retry_after_s(error: GoogleAPICallError) -> int | None:
    """How long to wait, where google.rpc.RetryInfo says so."""
    for detail in error.details:
        if isinstance(detail, RetryInfo):
            seconds = int(detail.retry_delay.seconds)
            return max(1, seconds + 1 if detail.retry_delay.nanos else seconds)
    return None
