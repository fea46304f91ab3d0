"""The fixtures that other tests stand on: a real proxy proxies, and a missing tool is said."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator

import pytest

from tests.fixtures.chinese import english_left
from tests.fixtures.origin import Origin
from tests.fixtures.proxies import Caddy, Envoy, Nginx
from tests.fixtures.stood_still import StoodStill
from tests.fixtures.wire import Connection, wire
from tests.system.matrix import Outcome, Said, said_of
from tests.system.proxy_space import Case, singles


@pytest.fixture
def hello() -> Iterator[str]:
    """An origin that says which path it was asked for and in which version of HTTP."""

    def greet(one: Connection) -> None:
        while request := one.request():
            _, path, version = request.partition(b"\r\n")[0].split()
            body = b"hello from %s over %s" % (path, version)
            one.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    with wire(greet) as server:
        yield server.url


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as response:
        body: bytes = response.read()
        return body.decode()


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_nginx_reaches_its_upstream_in_the_http_version_it_was_told(
    nginx: Nginx, hello: str, version: str
) -> None:
    base = nginx(hello, location=f"proxy_http_version {version};")
    assert _get(f"{base}/path") == f"hello from /path over HTTP/{version}"


def test_two_proxies_stand_behind_each_other(nginx: Nginx, hello: str) -> None:
    outer = nginx(nginx(hello))
    assert _get(f"{outer}/path").startswith("hello from /path")


def test_caddy_reaches_its_upstream_with_extra_directives(caddy: Caddy, hello: str) -> None:
    base = caddy(hello, directives="response_buffers 64KiB")
    assert _get(f"{base}/path").startswith("hello from /path")


@pytest.mark.parametrize("lua", ["", "function envoy_on_response(handle) handle:body() end"])
def test_envoy_reaches_its_upstream(envoy: Envoy, hello: str, lua: str) -> None:
    base = envoy(hello, lua=lua)
    assert _get(f"{base}/path").startswith("hello from /path")


def test_the_origin_is_the_service_as_the_lab_runs_it(origin: Origin) -> None:
    base = origin(tokens_per_s=1000, first_token_ms=0)
    assert json.loads(_get(f"{base}/proof/ping"))["streamproof"] == 1
    assert "event: done" in _get(f"{base}/search?ai_prompt=hello")


def test_an_origin_that_cannot_start_says_why(origin: Origin) -> None:
    with pytest.raises(pytest.fail.Exception, match="nosuch"):
        origin("service.nosuch:app")


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("✓ 流式，与预期相符：按 64 KiB 的块缓冲", []),
        ("请设置 `proxy_buffering off;`，见 https://nginx.org/en/docs/ 和 no-proof", []),
        ("    proxy_buffering off for all\n发送 X-Accel-Buffering: no，再测一次（--accel-header on）。", []),
        ("在 App Engine Standard 上用 kit doctor URL 查。", []),
        ("✓ streamed，与预期相符", ["streamed"]),
        ("它 was cut after 3 秒", ["was", "cut", "after"]),
        ("Nothing came out: 没有", ["Nothing", "came", "out"]),
    ],
)
def test_english_that_is_left_in_chinese_is_found(said: str, left: list[str]) -> None:
    assert english_left(said) == left


def test_a_process_that_was_stopped_knows_that_it_stood_still() -> None:
    looks = """
import time
from tests.fixtures.stood_still import StoodStill
with StoodStill() as stood_still:
    began_s = time.monotonic()
    print(flush=True)
    input()
    time.sleep(0.1)
    print(stood_still.ms_since(began_s), stood_still.ms_since(time.monotonic()))
"""
    with subprocess.Popen(
        [sys.executable, "-c", looks], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as one:
        assert one.stdin is not None
        assert one.stdout is not None
        one.stdout.readline()
        one.send_signal(signal.SIGSTOP)
        time.sleep(0.6)
        one.send_signal(signal.SIGCONT)
        out, _ = one.communicate("\n")
    stood_ms, since_ms = map(float, out.split())
    assert stood_ms > 400
    assert since_ms == 0


@pytest.mark.parametrize(
    ("first", "stood_ms", "asked"),
    [
        (Outcome.UNSURE, 1_570, 2),
        (Outcome.UNSURE, 100, 1),
        (Outcome.WRONG, 1_570, 1),
        (Outcome.FALSE, 1_570, 1),
        (Outcome.RIGHT, 1_570, 1),
    ],
)
def test_only_what_is_unsure_on_a_machine_that_stood_still_is_asked_again(
    first: Outcome, stood_ms: float, asked: int
) -> None:
    outcomes = [first, Outcome.WRONG]
    seen: list[Outcome] = []

    class Stood(StoodStill):
        def ms_since(self, began_s: float) -> float:
            return stood_ms

    async def examine(_: Case, __: str) -> Said:
        seen.append(outcomes[len(seen)])
        return Said(seen[-1], "", [])

    (case,) = singles(random.Random(1), 1)
    said = asyncio.run(said_of(case, "", examine, Stood()))
    assert (len(seen), said.outcome) == (asked, outcomes[asked - 1])
