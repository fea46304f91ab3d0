"""The log on stderr: text for people, JSON for Cloud Logging, a record a line, with its request's trace.

Cloud Logging groups what bears the same trace, and the front's own entry of the request with it. What it does
with which field: https://docs.cloud.google.com/logging/docs/structured-logging#special-payload-fields. That
is documented, and was not observed.
"""

from __future__ import annotations

import json
import logging
import re
import traceback
from collections.abc import Iterable
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import quote

from starlette.types import ASGIApp, Receive, Scope, Send

# https://www.w3.org/TR/trace-context/#traceparent-header: later versions may say more after the flags.
_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?")
# https://docs.cloud.google.com/trace/docs/trace-context#legacy-http-header: TRACE_ID/SPAN_ID;o=OPTIONS, the
# span in decimal.
_CLOUD_TRACE = re.compile(r"([0-9a-fA-F]{32})(?:/([0-9]{1,20}))?(?:;o=[0-9]+)?")

_SEVERITIES = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

# Of the servers, whose handlers are theirs; all else ends at the root.
_SERVERS = ("gunicorn.error", "uvicorn", "uvicorn.error")


class Trace(NamedTuple):
    """What a request is part of, in 32 and 16 hexadecimal digits; `span_id` None where none was named."""

    trace_id: str
    span_id: str | None


# Of the request in whose context this runs; a task has its creator's.
_trace: ContextVar[Trace | None] = ContextVar("trace", default=None)


class TraceContext:
    """ASGI middleware: whatever is logged on behalf of a request bears its trace."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Never set back: the server logs in the same context what the app failed with. And set each time: a
        # pipelined request begins in the context of the one before.
        if scope["type"] == "http":
            _trace.set(trace_of(scope["headers"]))
        await self._app(scope, receive, send)


def trace_of(headers: Iterable[tuple[bytes, bytes]]) -> Trace | None:
    """The trace in a request's headers: `traceparent`, or else `X-Cloud-Trace-Context`; each once, and valid.

    Args:
        headers: as in an ASGI scope, names in lower case.
    """
    w3c, cloud = [], []
    for name, value in headers:
        if name == b"traceparent":
            w3c.append(value.decode("latin-1"))
        elif name == b"x-cloud-trace-context":
            cloud.append(value.decode("latin-1"))
    # A header that came twice counts as none: which one is meant is unknown.
    found = _w3c(w3c[0]) if len(w3c) == 1 else None
    return found or (_cloud(cloud[0]) if len(cloud) == 1 else None)


class RequestLine(dict[str, str | int]):
    """What is logged of a request: a message whose parts are fields, `method` and `path` among them.

    Never the prompt, and never the query, which may hold it.
    """

    def __str__(self) -> str:
        rest = "".join(f" {name}={value}" for name, value in self.items() if name not in ("method", "path"))
        # The path is whatever a client sent, line ends included.
        return f"{self['method']} {quote(str(self['path']))}{rest}"


class JsonFormatter(logging.Formatter):
    """A record as one JSON object on one line.

    Args:
        project: where the traces are; None if unknown: the trace is logged without it, which Cloud Logging
            takes from stdout and stderr (the page above: "If not writing to stdout or stderr", it "should be
            formatted as" with the project).
    """

    def __init__(self, project: str | None = None) -> None:
        super().__init__()
        self._traces = f"projects/{project}/traces/" if project else ""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, object] = dict(record.msg) if isinstance(record.msg, RequestLine) else {}
        written = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds")
        entry |= {
            "severity": record.levelname if record.levelname in _SEVERITIES else "DEFAULT",
            # With the traceback, if there is one: this is where Error Reporting looks for it.
            "message": super().format(record),
            "time": written.replace("+00:00", "Z"),
            "logger": record.name,
        }
        if trace := _trace.get():
            entry["logging.googleapis.com/trace"] = self._traces + trace.trace_id
            if trace.span_id:
                entry["logging.googleapis.com/spanId"] = trace.span_id
        return json.dumps(entry)


def configure(*, as_json: bool, project: str | None = None) -> None:
    """Has this process's log written to stderr, what the server and the libraries say included."""
    formatter = JsonFormatter(project) if as_json else logging.Formatter("%(levelname)s %(name)s %(message)s")
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler])
    logging.getLogger("streamproof").setLevel(logging.INFO)
    if as_json:
        for name in _SERVERS:
            for theirs in logging.getLogger(name).handlers:
                theirs.setFormatter(formatter)


def place_of(failure: BaseException) -> str:
    """An exception's type and where it was raised. Its message is left out: it may quote the prompt."""
    return f"{type(failure).__name__}\n{''.join(traceback.format_tb(failure.__traceback__))}"


def _w3c(value: str) -> Trace | None:
    found = _TRACEPARENT.fullmatch(value)
    if found is None:
        return None
    version, trace_id, span_id, more = found.groups()
    if version == "ff" or (version == "00" and more) or not (int(trace_id, 16) and int(span_id, 16)):
        return None
    return Trace(trace_id, span_id)


def _cloud(value: str) -> Trace | None:
    found = _CLOUD_TRACE.fullmatch(value)
    if found is None or not int(found[1], 16):
        return None
    span = int(found[2] or 0)
    return Trace(found[1].lower(), f"{span:016x}" if 0 < span < 2**64 else None)
