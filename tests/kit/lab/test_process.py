"""A service as a process: its log, and what is said when it ends. The rest: tests/kit/test_process.py."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from kit.errors import Code, KitError
from kit.lab import process
from kit.lab.process import ServiceProcess, remedy
from kit.lab.sockets import hold_port
from tests.fixtures.processes import eventually

PYTHONS = {"PATH": f"{Path(sys.executable).parent}:{os.defpath}"}


def start(folder: Path, *argv: str) -> ServiceProcess:
    (folder / "bundle").mkdir()
    return ServiceProcess("standard", argv, PYTHONS, folder, grace_s=20)


async def test_a_service_that_ends_is_reported_with_its_status_and_its_log(tmp_path: Path) -> None:
    lines = "print(*range(100), sep='\\n', flush=True); import sys; sys.exit('no such table')"
    error = await start(tmp_path, "python", "-c", lines).died()
    assert error.code is Code.SERVICE_DIED
    assert error.message.startswith("The service of standard ended with status 1.")
    assert error.message.endswith("  | 99\n  | no such table")
    assert "  | 80\n" not in error.message
    assert "--isolated" in error.hint
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600


async def test_a_killed_service_is_reported_by_the_signals_name(tmp_path: Path) -> None:
    dies = "import os; print('up', flush=True); os.kill(os.getpid(), 9)"
    error = await start(tmp_path, "python", "-c", dies).died()
    assert error.message == "The service of standard ended by SIGKILL. The end of its log:\n  | up"


async def test_a_killed_supervisor_is_named(tmp_path: Path) -> None:
    service = start(tmp_path, "sleep", "600")
    os.kill(service._supervisor.pid, signal.SIGKILL)
    assert (
        await service.died()
    ).message == "The service of standard ended by SIGKILL, and its supervisor with it."


async def test_a_command_that_does_not_exist_is_named(tmp_path: Path) -> None:
    service = start(tmp_path, "no-such-command")
    assert "  | no-such-command: No such file or directory" in (await service.died()).message


async def test_an_app_that_answers_nothing_is_said_so_once_its_server_serves(tmp_path: Path) -> None:
    app = """
import asyncio, os
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        raise RuntimeError("none")
    await asyncio.Event().wait()
"""
    held, port = hold_port()
    with held:
        argv = ("python", "-m", "uvicorn", "silent:app", "--host", "127.0.0.1", "--port", str(port))
        (tmp_path / "bundle").mkdir()
        (tmp_path / "bundle" / "silent.py").write_text(app)
        service = ServiceProcess("standard", argv, PYTHONS, tmp_path, grace_s=0.1)
        try:
            with pytest.raises(KitError, match=r"its app did not answer GET /ready within 0\.2 s") as error:
                await service.wait_until_ready(port, answers_within_s=0.2)
        finally:
            await service.kill()
    assert error.value.code is Code.SERVICE_NOT_READY
    assert "--timeout" in error.value.hint


async def test_one_that_does_not_answer_in_time_is_reported_with_the_end_of_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = start(tmp_path, "python", "-c", "print('up', flush=True); import time; time.sleep(600)")
    await asyncio.to_thread(eventually, lambda: service.log_end() != "")
    monkeypatch.setattr(process, "READY_WITHIN_S", 0.0)
    held, port = hold_port()
    with held, pytest.raises(KitError) as caught:
        await service.wait_until_ready(port)
    await service.kill()
    assert caught.value.code is Code.SERVICE_NOT_READY
    said = "The service of standard did not answer GET /ready within 0 s. The end of its log:\n  | up"
    assert caught.value.message == said


@pytest.mark.parametrize(
    ("log", "says"),
    [
        ("  | KeyError: 'OPENAI_API_KEY'", "--env OPENAI_API_KEY=VALUE, or --env-file FILE"),
        (
            "  | ModuleNotFoundError: No module named 'httpx'\n  | [INFO] Shutting down",
            "the package of httpx",
        ),
        ("  | ImportError: attempted relative import with no known parent", "the folder above the package"),
        ("  | SyntaxError: invalid syntax", "The lab runs Python 3."),
        ("  | Failed to find attribute 'app' in 'mine.main'.", "--app mine.main:NAME"),
        ("  | first KeyError: 'A'\n  | No module named 'b'", "--env A=VALUE"),
        ("", "Correct what the log names"),
    ],
)
def test_what_a_services_log_ends_with_says_what_to_do(log: str, says: str) -> None:
    assert says in remedy("service", log)
    assert "a bug of the kit's" in remedy("front", log)
