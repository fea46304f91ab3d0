"""The log's lines as text and as JSON, and whose trace they bear."""

from __future__ import annotations

import json
import logging
import re
import secrets
import subprocess
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.generate import Finish, Request
from service.logs import JsonFormatter, RequestLine, Trace, place_of, trace_of
from tests.service.asking import GIVE_UP_S, Answer, ask, ask_json, connected
from tests.service.conftest import Answering
from tests.service.entrypoints import by_gunicorn

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
OTHER = "0af7651916cd43dd8448eb211c80319c"
W3C = f"00-{TRACE}-{SPAN}-01"
LOG = logging.getLogger("streamproof")

TRACE_FIELD, SPAN_FIELD = "logging.googleapis.com/trace", "logging.googleapis.com/spanId"


def headers(*given: tuple[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode("latin-1")) for name, value in given]


def logged(message: object, *args: object, level: int = logging.INFO, **more: Any) -> logging.LogRecord:
    return logging.LogRecord("streamproof", level, __file__, 1, message, args, more.get("exc_info"))


# ---- Which trace


@pytest.mark.parametrize(
    "value", [W3C, f"00-{TRACE}-{SPAN}-00", f"cc-{TRACE}-{SPAN}-01-what-a-later-one-says"]
)
def test_a_traceparent_names_trace_and_span(value: str) -> None:
    assert trace_of(headers(("traceparent", value))) == Trace(TRACE, SPAN)


@pytest.mark.parametrize(
    "value",
    [
        "",
        TRACE,
        W3C.upper(),
        f"ff-{TRACE}-{SPAN}-01",
        f"{W3C}-more",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[:-1]}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-1",
        f" {W3C}",
        f"{W3C}\n",
        f"00-{TRACE[:-1]}\u00b2-{SPAN}-01",
    ],
)
def test_what_is_no_traceparent_is_none_and_the_other_header_counts(value: str) -> None:
    assert trace_of(headers(("traceparent", value))) is None
    both = headers(("traceparent", value), ("x-cloud-trace-context", f"{OTHER}/1"))
    assert trace_of(both) == Trace(OTHER, "0000000000000001")


@pytest.mark.parametrize(
    ("value", "span"),
    [
        (OTHER, None),
        (f"{OTHER};o=0", None),
        (f"{OTHER}/74;o=1", "000000000000004a"),
        (f"{OTHER}/18446744073709551615", "f" * 16),
        (f"{OTHER}/0;o=1", None),
        (f"{OTHER}/18446744073709551616", None),
        (f"{OTHER.upper()}/74", "000000000000004a"),
    ],
)
def test_googles_own_header_has_its_span_in_decimal(value: str, span: str | None) -> None:
    assert trace_of(headers(("x-cloud-trace-context", value))) == Trace(OTHER, span)


@pytest.mark.parametrize(
    "value", ["", "0" * 32, OTHER[:-1], f"{OTHER}/", f"{OTHER}/a", f"{OTHER};o=", f"{OTHER}/1;p=1"]
)
def test_what_is_none_of_googles_is_no_trace(value: str) -> None:
    assert trace_of(headers(("x-cloud-trace-context", value))) is None


def test_the_first_wins_where_both_are_valid_and_one_that_came_twice_is_none() -> None:
    google = ("x-cloud-trace-context", f"{OTHER}/1")
    assert trace_of(headers(google, ("traceparent", W3C))) == Trace(TRACE, SPAN)
    assert trace_of(headers(("traceparent", W3C), ("traceparent", W3C))) is None
    assert trace_of(headers(("traceparent", W3C), ("traceparent", W3C), google)) == Trace(
        OTHER, "0" * 15 + "1"
    )
    assert trace_of(headers(google, google)) is None


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["traceparent", "x-cloud-trace-context"]),
            st.text(alphabet=st.sampled_from("0aF-/;o=1\u00e9 "), max_size=60),
        ),
        max_size=3,
    )
)
def test_whatever_comes_a_trace_is_hexadecimal_and_not_zero(given: list[tuple[str, str]]) -> None:
    if found := trace_of(headers(*given)):
        assert re.fullmatch("[0-9a-f]{32}", found.trace_id)
        assert int(found.trace_id, 16)
        assert found.span_id is None or (
            re.fullmatch("[0-9a-f]{16}", found.span_id) and int(found.span_id, 16)
        )


# ---- What a line looks like


def test_a_request_line_is_a_sentence_and_fields() -> None:
    line = RequestLine(method="POST", path="/search", prompt_chars=5, status=200, end="done", events=6, ms=12)
    assert str(line) == "POST /search prompt_chars=5 status=200 end=done events=6 ms=12"
    entry = json.loads(JsonFormatter().format(logged(line)))
    assert entry.items() >= {**line, "message": str(line), "severity": "INFO"}.items()


def test_a_path_with_a_line_end_in_it_stays_on_its_line() -> None:
    line = RequestLine(method="GET", path="/search/\r\nINFO streamproof all is well", status=404)
    assert "\n" not in str(line)
    assert "\r" not in str(line)


def test_a_traceback_is_in_the_message_and_the_line_stays_one() -> None:
    try:
        _fail("kept")
    except ValueError:
        text = JsonFormatter().format(logged("It failed.", level=logging.ERROR, exc_info=sys.exc_info()))
    assert "\n" not in text
    entry = json.loads(text)
    assert entry["severity"] == "ERROR"
    assert entry["message"].startswith("It failed.\nTraceback")
    assert entry["message"].endswith("ValueError: kept")


def test_a_place_leaves_out_what_the_exception_says() -> None:
    secret = secrets.token_hex(8)
    with pytest.raises(ValueError, match=secret) as caught:
        _fail(secret)
    place = place_of(caught.value)
    assert place.startswith("ValueError\n")
    assert "in _fail" in place
    assert secret not in place


def _fail(message: str) -> None:
    raise ValueError(message)


@given(st.text(), st.integers(0, 60), st.floats(0, 4e9))
def test_any_record_is_one_line_that_cloud_logging_can_read(text: str, level: int, created: float) -> None:
    record = logged("%s", text, level=level)
    record.created = created
    line = JsonFormatter("my-project-42").format(record)
    assert line.isascii()
    assert line.isprintable()
    entry = json.loads(line)
    assert entry["message"] == text
    assert entry["severity"] in {"DEFAULT", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}
    assert entry["time"].endswith("Z")
    assert abs(datetime.fromisoformat(entry["time"]).timestamp() - created) < 1e-3
    assert TRACE_FIELD not in entry


# ---- Whose trace


class Logged:
    """What the service logs, as Cloud Logging would get it."""

    def __init__(self) -> None:
        self._lines: SimpleQueue[str] = SimpleQueue()

    def put(self, line: str) -> None:
        self._lines.put(line)

    def next(self, count: int) -> list[dict[str, Any]]:
        """So many entries: the last of a request comes after its response."""
        return [json.loads(self._lines.get(timeout=GIVE_UP_S)) for _ in range(count)]


@contextmanager
def entries(project: str | None = None) -> Iterator[Logged]:
    """What is logged while the block lasts."""
    found = Logged()

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.put(self.format(record))

    keep = Keep()
    keep.setFormatter(JsonFormatter(project))
    before = LOG.level
    LOG.addHandler(keep)
    LOG.setLevel(logging.INFO)
    try:
        yield found
    finally:
        LOG.removeHandler(keep)
        LOG.setLevel(before)


def traces(found: list[dict[str, Any]]) -> list[tuple[str | None, str | None]]:
    return [(entry.get(TRACE_FIELD), entry.get(SPAN_FIELD)) for entry in found]


async def deep(request: Request) -> AsyncGenerator[str | Finish]:
    LOG.warning("deep inside")
    if request.prompt == "Break":
        raise ValueError(request.prompt)
    yield "One "
    LOG.warning("deeper")
    yield Finish("stop", 1, 1)


def asked(base: str, prompt: str, **headers: str) -> Answer:
    return ask_json(base, {"ai_prompt": prompt}, **headers)


def test_all_that_is_logged_for_a_request_bears_its_trace(answering: Answering) -> None:
    base = answering(deep)
    with entries("my-project-42") as found:
        asked(base, "Why?", traceparent=W3C).read()
        assert traces(found.next(3)) == [(f"projects/my-project-42/traces/{TRACE}", SPAN)] * 3
        asked(base, "Why?").read()
        assert traces(found.next(3)) == [(None, None)] * 3
        asked(base, "Break", **{"X-Cloud-Trace-Context": f"{OTHER}/74;o=1"}).read()
        failed = found.next(3)
    assert traces(failed) == [(f"projects/my-project-42/traces/{OTHER}", "000000000000004a")] * 3
    assert [entry["message"].split("\n")[0] for entry in failed[:2]] == [
        "deep inside",
        "the generator failed with ValueError",
    ]


def test_without_a_project_the_trace_stands_bare(answering: Answering) -> None:
    base = answering(deep)
    with entries() as found:
        asked(base, "Why?", traceparent=W3C).read()
        assert traces(found.next(3)) == [(TRACE, SPAN)] * 3


def test_requests_that_share_a_connection_do_not_share_a_trace(answering: Answering) -> None:
    base = answering(deep)
    one = f"GET /search?ai_prompt=Why HTTP/1.1\r\nHost: a\r\ntraceparent: {W3C}\r\n\r\n"
    other = "GET /search?ai_prompt=Why HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    with entries() as found, connected(base) as wire:
        wire.sendall(f"{one}{other}".encode())  # the second is begun by the end of the first
        ids = traces(found.next(6))
    assert (ids.count((TRACE, SPAN)), ids.count((None, None))) == (3, 3)


def test_an_unforeseen_failure_is_logged_without_its_message(
    answering: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = secrets.token_hex(8)

    def broken(*given: object, **more: object) -> object:
        raise RuntimeError(secret)

    monkeypatch.setattr("service.search.AnswerStream", broken)
    base = answering(deep)
    with entries() as found:
        answer = asked(base, secret, traceparent=W3C)
        assert (answer.status, answer.json()["type"]) == (500, "urn:streamproof:problem:internal")
        (entry,) = found.next(1)
    assert entry["message"].startswith("the service failed with RuntimeError\n")
    assert entry["severity"] == "ERROR"
    assert entry[TRACE_FIELD] == TRACE
    assert secret not in entry["message"]


# ---- A real run


@pytest.mark.parametrize("lab", [0, 1], ids=["json", "text"])
def test_under_gunicorn_as_in_the_bundles_no_log_line_holds_the_prompt(tmp_path: Path, lab: int) -> None:
    secret = secrets.token_hex(8)
    pace = {"first_token_ms": 0, "tokens_per_s": 20, "max_output_tokens": 2}
    with by_gunicorn(tmp_path / "log", lab=lab, max_prompt_chars=30, **pace) as service:
        url = service.url
        assert ask(url, ai_prompt=secret).events()[-1].type == "done"
        assert ask(url, method="POST", ai_prompt=secret).events()[-1].type == "done"
        assert asked(url, secret, traceparent=W3C).events()[-1].type == "done"
        assert asked(url, secret * 9).status == 413
        assert ask(url, ai_prompt=secret, colour=secret).status == 422
        assert ask(url, f"/nothing?ai_prompt={secret}").status == 404
        assert ask(url, f"/health?ai_prompt={secret}").status == 200
        assert _sent(url, f"{secret} /search?ai_prompt={secret} HTTP/1.1\r\n\r\n") == 400
        assert _sent(url, f"GET /search?ai_prompt={secret * 9_000} HTTP/1.1\r\n\r\n") in (431, None)
        # Left with a body that lacks its end, and in the middle of an answer.
        head = f"POST /search?ai_prompt={secret} HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\n"
        with connected(url) as wire:
            wire.sendall(head.encode() + secret.encode())
        ask(url, ai_prompt=secret, max_output_tokens=1_000).leave()
        service.process.terminate()
        service.process.wait(GIVE_UP_S)
    text = service.log.read_text()
    assert secret not in text
    lines = re.findall(r"(GET|POST) /search prompt_chars=(\d+) status=(\d+) end=([\w-]+)", text)
    # In no order: a line comes a moment after its response.
    ends = sorted((int(chars), int(status), end) for _, chars, status, end in lines)
    assert ends == [
        (0, 400, "client-left"),
        (16, 200, "client-left"),
        *[(16, 200, "done")] * 3,
        (16, 422, "unknown-parameter"),
        (144, 413, "prompt-too-long"),
    ]
    read = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    if lab:
        assert read == []
        assert "INFO streamproof POST /search prompt_chars=16 status=200" in text
        return
    ours = [entry for entry in read if entry["logger"] == "streamproof"]
    assert sorted((entry["prompt_chars"], entry["status"], entry["end"]) for entry in ours) == ends
    assert [entry.get(TRACE_FIELD) for entry in ours].count(TRACE) == 1
    # The worker's server's own lines too, of what it could not even read.
    assert any("Invalid HTTP request" in entry["message"] for entry in read)


def _sent(base: str, octets: str) -> int | None:
    """The status with which whatever this is is answered; None where it was lost with the connection."""
    with connected(base) as wire, suppress(ConnectionError):
        wire.sendall(octets.encode())
        return int(wire.makefile("rb").readline().split()[1])
    return None


def test_a_service_that_cannot_start_says_so_in_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("K_SERVICE", "streamproof")
    monkeypatch.setenv("STREAMPROOF_HEARTBEAT_S", "soon")
    started = subprocess.run(
        [sys.executable, "-c", "import service.main"], capture_output=True, text=True, check=False
    )
    entry = json.loads(started.stderr)
    assert entry["severity"] == "CRITICAL"
    assert entry["message"].startswith("cannot start: STREAMPROOF_HEARTBEAT_S is 'soon'")
