from __future__ import annotations

import os
import resource
import shlex
import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from kit.errors import Code, KitError
from kit.load import engine
from kit.load.engine import LOCUSTFILE, Fleet, command, environment, need_files, need_locust, with_port
from kit.load.plan import VARIABLE, Plan, Schedule

PLAN = Plan(Schedule(200, 10.0, 60.0), "GET", "http://x/", (("authorization", "Bearer abc"),))


def words(fleet: Fleet) -> str:
    line = command(PLAN, fleet)
    assert line[:6] == [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--headless"]
    assert line[6:9] == ["--only-summary", "--exit-code-on-error", "0"]
    return shlex.join(line[9:])


def test_locusts_line_is_its_own_for_one_process_for_several_and_for_several_machines() -> None:
    users = "--users 200 --spawn-rate 200"
    assert words(Fleet()) == users
    assert words(Fleet(4, listens=("127.0.0.1", 4000))) == (
        f"{users} --processes 4 --master-host 127.0.0.1 --master-port 4000 "
        "--master-bind-host 127.0.0.1 --master-bind-port 4000"
    )
    assert words(Fleet(expected=3)) == (
        f"{users} --master --expect-workers 3 --master-bind-host 0.0.0.0 --master-bind-port 5557"
    )
    joins = "--worker --master-host 10.0.0.7 --master-port 5557"
    assert words(Fleet(joins=("10.0.0.7", 5557))) == joins
    assert words(Fleet(4, joins=("10.0.0.7", 5557))) == f"{joins} --processes 4"


def test_a_token_is_in_the_environment_and_not_on_the_command_line() -> None:
    found = environment(PLAN, {"PATH": "/bin"})
    assert Plan.of(found[VARIABLE]) == PLAN
    assert "abc" not in shlex.join(command(PLAN, Fleet()))


def test_no_file_or_variable_of_the_users_sets_options_of_locust(tmp_path: Path) -> None:
    (tmp_path / ".locust.conf").write_text("host = http://user.example\nusers = 7\n")
    found = environment(PLAN, {**os.environ, "HOME": str(tmp_path), "LOCUST_USERS": "7"})
    code = "from locust.argument_parser import parse_options as p; o = p([]); print(o.host, o.num_users)"
    line = [sys.executable, "-c", code]
    ran = subprocess.run(line, env=found, cwd="/", capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "None None"


def test_a_missing_extra_is_named_with_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    need_locust()
    monkeypatch.setattr(engine, "find_spec", lambda name: None if name == "locust" else find_spec(name))
    with pytest.raises(KitError) as raised:
        need_locust()
    assert raised.value.code is Code.INSTALL_FAILED
    assert raised.value.hint == "Install it: pip install 'streamproof[load]'"


def limits(monkeypatch: pytest.MonkeyPatch, soft: int, hard: int) -> list[Any]:
    asked: list[Any] = []

    def raised(which: int, limits: tuple[int, int]) -> None:
        if limits[0] > hard:
            raise ValueError("current limit exceeds maximum limit")
        asked.append(limits)

    monkeypatch.setattr(resource, "getrlimit", lambda which: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", raised)
    return asked


def test_the_soft_limit_of_open_files_is_raised_to_what_a_process_needs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = limits(monkeypatch, 1_024, 10_000)
    need_files(5_000, Fleet())
    need_files(5_000, Fleet(workers=2))
    need_files(500, Fleet())
    assert asked == [(5_200, 10_000), (2_700, 10_000)]


@pytest.mark.parametrize("soft", [resource.RLIM_INFINITY, 1_000_000])
def test_a_limit_that_will_do_stays(monkeypatch: pytest.MonkeyPatch, soft: int) -> None:
    asked = limits(monkeypatch, soft, soft)
    need_files(5_000, Fleet())
    assert asked == []


def test_too_low_a_hard_limit_is_said_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    limits(monkeypatch, 1_024, 4_096)
    with pytest.raises(KitError) as raised:
        need_files(5_000, Fleet())
    assert raised.value.code is Code.TOO_FEW_FILES
    assert "may open 4,096 files" in raised.value.message
    assert "ulimit" in raised.value.hint


def test_a_port_in_use_is_said_before_locust_starts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(KitError) as raised:
        with_port(Fleet(expected=2, listens=taken.getsockname()))
    assert raised.value.code is Code.PORT_IN_USE
    assert "--listen" in raised.value.hint


def test_workers_on_this_machine_join_at_a_free_port_of_loopback() -> None:
    assert with_port(Fleet()) == Fleet()
    host, port = with_port(Fleet(workers=2)).listens
    assert host == "127.0.0.1"
    assert port not in (0, engine.PORT)
