from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from kit.cloud.record import Record
from kit.load.plan import VARIABLE, Plan
from tests.fixtures.deployments import deployed
from tests.fixtures.processes import free_port
from tests.fixtures.wire import Connection, wire
from tests.kit.cli.conftest import Invoke


def test_a_dry_run_prints_locusts_line_without_secrets_and_asks_nothing(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_TOKEN", "abc-secret")

    def never(connection: Connection) -> None:
        raise AssertionError

    with wire(never) as server:
        ended = invoke(
            "load",
            server.url,
            "--streams",
            "100",
            "--ramp",
            "20s",
            "--for",
            "2m",
            "--workers",
            "1",
            "--dry-run",
        )
        secret = invoke("load", server.url, "--dry-run", "--token-env", "MY_TOKEN", "--json")
        assert server.asked == []
    assert ended.status == 0
    plan, line = ended.out.split("' ", 1)
    assert line.startswith(f"{shlex.quote(sys.executable)} -m locust -f ")
    assert line.rstrip().endswith("--users 100 --spawn-rate 100")
    schedule = Plan.of(plan.removeprefix(f"{VARIABLE}='")).schedule
    assert (schedule.streams, schedule.ramp_s, schedule.for_s, schedule.every_s) == (100, 20, 120, None)
    assert "authorization" in secret.data["line"]
    assert "abc-secret" not in secret.out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "no address to ask"),
        (("http://x/", "--slo", "soon"), "no objective"),
        (("http://x/", "--for", "5"), "no span of time"),
        (("http://x/", "--for", "5s", "--ramp", "5s"), "as long as the whole load"),
        (("http://x/", "--join", "h", "--expect-workers", "2"), "joins a load"),
        (("http://x/", "--workers", "2", "--expect-workers", "2"), "opens no streams here"),
        (("http://x/", "--join", "host:port"), "no place"),
        (("http://x/", "--expect-workers", "2", "--listen", ":80"), "no place"),
        (("ftp://x/",), "no address"),
        (("http://x/", "--http2"), "HTTP/1.1"),
    ],
)
def test_misuse_is_one_sentence_with_a_remedy(invoke: Invoke, arguments: tuple[str, ...], says: str) -> None:
    ended = invoke("load", *arguments, "--json")
    assert ended.status == 2
    assert says in ended.error["message"]
    assert ended.error["hint"]


def test_a_server_that_refuses_is_said_before_anything_is_started(invoke: Invoke) -> None:
    ended = invoke("load", f"http://127.0.0.1:{free_port()}/", "--json")
    assert (ended.status, ended.error["code"]) == (1, "unreachable")


def test_a_status_that_is_no_answer_is_said_once_and_not_thousands_of_times(invoke: Invoke) -> None:
    def refuse(connection: Connection) -> None:
        connection.request()
        connection.send(b"HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")

    with wire(refuse) as server:
        ended = invoke("load", f"{server.url}/chat", "--json")
        assert len([one for one in server.asked if one.path == "/chat"]) == 1
    assert (ended.status, ended.error["code"]) == (1, "http-status")
    assert "--token-env" in ended.error["hint"]


def test_without_locust_it_names_the_line_that_installs_it(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kit.load.engine.find_spec", lambda name: None)
    ended = invoke("load", "http://127.0.0.1:1/")
    assert ended.status == 1
    assert "pip install 'streamproof[load]'" in ended.err
    assert "locust" not in sys.modules


def test_what_is_on_record_is_asked_and_of_several_one_must_be_named(invoke: Invoke) -> None:
    nothing = invoke("load", "--deployed", "--json")
    assert (nothing.status, nothing.error["code"]) == (1, "nothing-deployed")
    record = Record.load(Path())
    record.put(deployed("standard"))
    ended = invoke("load", "--deployed", "--dry-run", "--json")
    assert str(deployed("standard").url) in ended.data["line"]
    record.put(deployed("flex"))
    several = invoke("load", "--deployed", "--dry-run", "--json")
    assert several.status == 2
    assert "standard, flex" in several.error["message"]
    named = invoke("load", "--deployed", "flex", "--dry-run", "--json")
    assert str(deployed("flex").url) in named.data["line"]
