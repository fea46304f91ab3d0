"""`kit load` with the real Locust against servers of this machine."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import ssl
import threading
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.fixtures.certificates import Certificate
from tests.fixtures.command import VALIDATOR, ended, start
from tests.fixtures.origin import Origin
from tests.fixtures.processes import free_port
from tests.fixtures.wire import Connection, wire

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
WITHIN_S = 120.0
# Decided whatever the generator's own lateness, which a busy machine makes doubtful.
SLO = ("--slo", "cut=0,refused=0")


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def stays(connection: Connection) -> None:
    """Answer with one small event, and hold the stream open until the client leaves it."""
    if b" / " not in connection.request()[:20]:
        connection.send(b"HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        return
    connection.send(HEAD + chunk(b'data: {"seq": 0}\n\n'))
    connection.receive()


def waited(condition: Callable[[], bool]) -> bool:
    until = time.monotonic() + WITHIN_S
    while not condition() and time.monotonic() < until:
        time.sleep(0.02)
    return condition()


def of_this_load(url: str) -> list[int]:
    """Locust's processes whose plan has this address."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f'"{url}'.encode() in (process / "environ").read_bytes():
                found.append(int(process.name))
        except OSError:
            continue
    return found


def test_it_counts_the_streams_of_a_service_and_proves_beside_them(origin: Origin, tmp_path: Path) -> None:
    url = f"{origin(tokens_per_s=5)}/search?ai_prompt=Why&max_output_tokens=1000"
    files = [f"--{name}={tmp_path / name}" for name in ("markdown", "junit")]
    ran = ended(start(tmp_path, "load", url, "--streams", "12", "--for", "4s", *SLO, "--json", *files))
    assert ran.status == 0, ran
    VALIDATOR.validate(json.loads(ran.out))
    data = ran.data
    assert (data["started"], data["left"], data["cut"], data["refused"]) == (12, 12, 0, 0)
    assert (data["most_open"], data["first_event"]["count"], data["worst_gap"]["count"]) == (12, 12, 12)
    assert data["lateness"]["count"] == data["events"] > 12
    assert data["own_lateness"]["count"] > 0
    assert {proof["saw"] for proof in data["proofs"]} <= {"streams", "undecided"}
    assert [one["met"] for one in data["objectives"]] == [True, True]
    assert "12 started" in (tmp_path / "markdown").read_text()
    assert "--slo refused=0" in (tmp_path / "junit").read_text()


def test_it_says_from_how_many_streams_on_the_path_holds(origin: Origin, tmp_path: Path) -> None:
    """A hop that passes four streams on as they come, and of each further one nothing before its end."""
    port = urlsplit(origin(tokens_per_s=5)).port
    answers: list[bytes] = []  # none of them ends before the load does

    def hop(connection: Connection) -> None:
        with socket.create_connection(("127.0.0.1", port)) as upstream:
            # One request a connection: what holds one stream holds no request behind it.
            request = connection.request().replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
            held = len(answers) >= 4 and (b" /search" in request[:20] or b"/stream?" in request[:20])
            answers.extend([request] * (b" /search" in request[:20]))
            upstream.sendall(request)
            threading.Thread(target=until_left, args=(connection, upstream)).start()
            whole = b""
            while data := upstream.recv(65_536):
                if held:
                    whole += data
                else:
                    connection.send(data)
            connection.send(whole)

    with wire(hop) as server:
        url = f"{server.url}/search?ai_prompt=Why&max_output_tokens=1000"
        ran = ended(
            start(tmp_path, "load", url, "--streams", "8", "--ramp", "5s", "--for", "12s", *SLO, "--json")
        )
    assert ran.status == 0, ran
    VALIDATOR.validate(json.loads(ran.out))
    found = ran.data["holds_from"]
    assert found["saw"] == "held", ran.data["proofs"]
    assert found["streams"] >= 3  # and the one that asked before many did
    assert found["times"] == found["of"]


def until_left(connection: Connection, upstream: socket.socket) -> None:
    """Pass it on when the client leaves."""
    with contextlib.suppress(OSError):
        while connection.receive():
            pass
        upstream.shutdown(socket.SHUT_RDWR)


def test_an_event_counts_when_it_arrives_however_small(tmp_path: Path) -> None:
    with wire(stays) as server:
        ran = ended(start(tmp_path, "load", server.url, "--streams", "5", "--for", "2s", *SLO))
    assert ran.status == 0, ran
    assert "5 started" in ran.out
    assert "5 open until the end" in ran.out
    assert "events        5," in ran.out


def test_a_server_with_a_certificate_of_its_own_is_asked_over_tls(
    certificate: Certificate, tmp_path: Path
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.folder / "cert.pem", certificate.folder / "key.pem")

    def secure(connection: Connection) -> None:
        with contextlib.suppress(OSError), context.wrap_socket(connection.socket, server_side=True) as made:
            connection.socket = made
            stays(connection)

    with wire(secure) as server:
        url = server.url.replace("http:", "https:")
        arguments = ("--cacert", os.path.relpath(certificate.folder / "ca.pem", tmp_path))
        ran = ended(start(tmp_path, "load", url, "--streams", "3", "--for", "2s", *SLO, "--json", *arguments))
    assert ran.status == 0, ran
    assert (ran.data["left"], ran.data["events"], ran.data["reasons"]) == (3, 3, {})


def test_two_processes_report_as_one(tmp_path: Path) -> None:
    with wire(stays) as server:
        arguments = (
            "load",
            server.url,
            "--streams",
            "7",
            "--for",
            "5s",
            "--every",
            "2.5s",
            "--ramp",
            "0.5s",
            "--json",
        )
        one = ended(start(tmp_path, *arguments)).data
        two = ended(start(tmp_path, *arguments, "--workers", "2")).data
    assert (one["processes"], two["processes"]) == (1, 2)
    assert one["planned"] == two["planned"]
    for data in (one, two):
        assert data["started"] == data["left"] == data["events"] == data["planned"]
        assert data["first_event"]["count"] == data["planned"]


def test_what_servers_do_wrong_is_counted_by_its_reason(tmp_path: Path) -> None:
    """A stream is cut, another ends, one is no HTTP, one floods, one is refused, one says nothing."""
    turn = count()

    def flood(connection: Connection) -> None:
        connection.send(HEAD)
        while True:
            connection.send(chunk(b"x" * 16_384))

    wrongs: list[Callable[[Connection], None]] = [
        lambda to: to.send(HEAD + chunk(b"data: 1\n\n")),
        lambda to: to.send(HEAD + chunk(b"data: 1\n\n") + b"0\r\n\r\n"),
        lambda to: to.send(b"SSH-2.0-OpenSSH_9.2\r\n"),
        flood,
        lambda to: to.send(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"),
        lambda to: to.send(to.receive()),  # until the client leaves
        lambda to: to.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbut less"),
        lambda to: to.send(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nno gzip"),
    ]

    def serve(connection: Connection) -> None:
        if b" / " not in connection.request()[:20]:
            connection.send(b"HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            return
        number = next(turn)
        if number == 0:  # the one that is asked before many ask
            connection.send(HEAD)
        else:
            wrongs[(number - 1) % len(wrongs)](connection)

    with wire(serve) as server:
        ran = ended(
            start(
                tmp_path,
                "load",
                server.url,
                "--streams",
                "8",
                "--for",
                "9s",
                "--timeout",
                "5",
                "--slo",
                "cut=0",
                "--json",
            )
        )
    assert ran.status == 3, ran
    data = ran.data
    assert (data["started"], data["ended"], data["cut"], data["refused"]) == (8, 1, 4, 3)
    assert data["reasons"] == {
        "broke off before its end": 2,
        "is not HTTP (BadStatusLine)": 1,
        "sent an event without an end": 1,
        "status 503": 1,
        "silent for 5 s": 1,
        "The answer calls itself gzip and is not.": 1,
    }


@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_reports_what_was_seen_and_leaves_no_process(tmp_path: Path, workers: str) -> None:
    with wire(stays) as server:
        process = start(
            tmp_path,
            "load",
            server.url,
            "--streams",
            "6",
            "--for",
            "10m",
            "--ramp",
            "1s",
            "--workers",
            workers,
        )
        assert waited(lambda: len(server.asked) >= 6 + 2)
        assert of_this_load(server.url)
        os.kill(process.pid, signal.SIGINT)
        ran = ended(process)
        assert waited(lambda: not of_this_load(server.url))
        assert server.closed()
    assert ran.status == 130, ran
    assert "6 started" in ran.out
    assert "6 open until the end" in ran.out
    assert "interrupted" in ran.out


def test_another_machine_joins_by_the_same_line(tmp_path: Path) -> None:
    port = free_port()
    with wire(stays) as server:
        line = ("load", server.url, "--streams", "6", "--for", "2s", *SLO)
        first = start(tmp_path, *line, "--expect-workers", "2", "--listen", f"127.0.0.1:{port}", "--json")
        second = start(tmp_path, *line, "--join", f"127.0.0.1:{port}", "--workers", "2")
        ran, joined = ended(first), ended(second)
    assert (ran.status, joined.status) == (0, 0), (ran, joined)
    data = ran.data
    assert (data["processes"], data["started"], data["left"], data["events"]) == (2, 6, 6, 6)
