from __future__ import annotations

import subprocess
from dataclasses import replace

from kit.load.engine import Fleet, command, environment
from kit.load.plan import Plan, Schedule
from tests.fixtures.wire import Connection, wire


def test_a_bug_ends_the_load_with_its_traceback_and_is_no_stream_that_was_refused() -> None:
    broken = Plan(Schedule(1, 0.0, 60.0), "GET", "http://[half-an-address/")
    line = command(broken, Fleet())
    ran = subprocess.run(line, env=environment(broken), capture_output=True, text=True, timeout=120)
    assert ran.returncode != 0
    assert "Traceback" in ran.stderr
    assert "ValueError" in ran.stderr
    assert '"last": true' not in ran.stdout


def test_locusts_own_table_has_the_figures_by_names_that_people_know() -> None:
    def serve(connection: Connection) -> None:
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        for seq in range(3):
            connection.send(b'data: {"t_ms": %d}\n\n' % seq)

    with wire(serve) as server:
        plan = replace(Plan(Schedule(1, 0.0, 2.0), "GET", server.url), headers=(("host", "here"),))
        ran = subprocess.run(
            command(plan, Fleet()), env=environment(plan), capture_output=True, text=True, timeout=120
        )
        assert server.asked[0].headers == {"host": "here"}
    assert ran.returncode == 0
    for name in ("first event", "worst gap", "worst lateness", "stream"):
        assert f"STREAM   {name} " in ran.stderr
