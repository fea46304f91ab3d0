"""`kit workshop`: a wrong option, or what is in the way, gets a sentence; and what no client may ask."""

from __future__ import annotations

import socket

from tests.kit.cli.conftest import Invoke


def test_nothing_deployed_is_told_with_what_to_do(invoke: Invoke) -> None:
    ended = invoke("workshop", "--deployed", "--json")
    assert (ended.status, ended.error["code"]) == (1, "nothing-deployed")


def test_a_port_in_use_is_told_with_a_remedy(invoke: Invoke) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = invoke("workshop", "a=http://127.0.0.1:1", "--port", port)
    assert ended.status == 1
    assert f"Port {port} is in use" in ended.err
    assert "--port PORT" in ended.err


def test_an_address_that_is_not_this_machines_is_told(invoke: Invoke) -> None:
    ended = invoke("workshop", "a=http://127.0.0.1:1", "--host", "192.0.2.1", "--port", "0", "--json")
    assert ended.status == 1
    assert "192.0.2.1" in ended.error["message"]
    assert "--host" in ended.error["hint"]
