"""Everything that can go wrong on the user's side: one exception, a closed list of codes, always a remedy.

A `KitError` is a message for a person. It never carries a traceback to the screen: `kit.cli.runner` prints
its sentence and its hint, or the same as JSON, and ends with its exit status.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum


class Exit(IntEnum):
    """Exit statuses of every command. Where several apply: 1 before 3 before 4."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_AS_EXPECTED = 3
    INCONCLUSIVE = 4
    INTERRUPTED = 130


class Code(StrEnum):
    """What went wrong, for programs that read `--json`."""

    BAD_USAGE = "bad-usage"
    BAD_CONFIG = "bad-config"
    BAD_TARGET = "bad-target"
    UNKNOWN_TARGET = "unknown-target"
    BUNDLE_EDITED = "bundle-edited"
    PORT_IN_USE = "port-in-use"
    SERVICE_DIED = "service-died"
    SERVICE_NOT_READY = "service-not-ready"
    INSTALL_FAILED = "install-failed"
    UNREACHABLE = "unreachable"
    NAME_NOT_FOUND = "name-not-found"
    TLS_FAILED = "tls-failed"
    TIMED_OUT = "timed-out"
    TOO_MANY_REDIRECTS = "too-many-redirects"
    NOT_HTTP = "not-http"
    HTTP_STATUS = "http-status"
    NO_STREAM = "no-stream"
    NO_POLLING = "no-polling"
    BODY_CUT = "body-cut"
    TOO_LARGE = "too-large"
    BAD_ENCODING = "bad-encoding"
    GCLOUD_MISSING = "gcloud-missing"
    GCLOUD_FAILED = "gcloud-failed"
    NOT_SIGNED_IN = "not-signed-in"
    NO_PROJECT = "no-project"
    API_OFF = "api-off"
    BILLING_OFF = "billing-off"
    PERMISSION_DENIED = "permission-denied"
    QUOTA_EXCEEDED = "quota-exceeded"
    BUILD_FAILED = "build-failed"
    CLOUD_BUSY = "cloud-busy"
    CLOUD_UNAVAILABLE = "cloud-unavailable"
    NOT_FOUND_IN_CLOUD = "not-found-in-cloud"
    NOT_READY_TO_DEPLOY = "not-ready-to-deploy"
    NOTHING_DEPLOYED = "nothing-deployed"
    RECORD_LOCKED = "record-locked"
    BAD_RECORD = "bad-record"
    NOT_CONFIRMED = "not-confirmed"
    LOAD_FAILED = "load-failed"
    TOO_FEW_FILES = "too-few-files"
    BAD_SOURCE = "bad-source"
    SECRET_IN_SOURCE = "secret-in-source"  # noqa: S105 - a code, no secret
    CANNOT_WRITE = "cannot-write"
    INTERRUPTED = "interrupted"
    INTERNAL = "internal"


class KitError(Exception):
    """One clear sentence, and what to do about it.

    Args:
        code: which of the closed list.
        message: one sentence, for a person, naming what was wrong ("kit.toml line 3: …").
        hint: the remedy, a sentence or a command to paste.
        exit: the exit status; `FAILED` unless the code calls for another.
        lasting: whether who tries again in a moment meets the same.
    """

    def __init__(
        self, code: Code, message: str, hint: str, *, exit: Exit = Exit.FAILED, lasting: bool = False
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.exit = exit
        self.lasting = lasting

    @property
    def data(self) -> dict[str, str]:
        """What `--json` prints of it."""
        return {"code": str(self.code), "message": self.message, "hint": self.hint}


class UsageError(KitError):
    """BAD_USAGE: the command was misused, which ends it with status 2."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(Code.BAD_USAGE, message, hint, exit=Exit.USAGE)
