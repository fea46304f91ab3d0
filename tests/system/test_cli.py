"""What holds for every command: `--json`, `--help`, an environment variable an option, a light start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from kit.cli.app import app
from kit.cli.help import VERBS

# A start that loads one of these costs a person at the prompt 0.1 s and more.
HEAVY = {
    "aiohttp",
    "asyncio",
    "fastapi",
    "google",
    "h2",
    "httpcore2",
    "httpx2",
    "gevent",
    "jinja2",
    "jsonschema",
    "locust",
    "pydantic",
    "rich",
    "service",
    "ssl",
    "starlette",
    "uvicorn",
    "yaml",
}

GROUP = typer.main.get_command(app)
assert isinstance(GROUP, TyperGroup)
COMMANDS = GROUP.commands


def kit(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `kit` as a person would, in another process."""
    return subprocess.run(
        [sys.executable, "-m", "kit", *arguments],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )


def test_the_promised_verbs_are_there() -> None:
    assert {"targets", "render", "lab", "probe", "compare", "demo"} <= set(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_speaks_json(verb: str) -> None:
    options = [name for option in COMMANDS[verb].params for name in option.opts]
    assert "--json" in options


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_has_an_environment_variable(verb: str) -> None:
    bare = [
        option.name
        for option in COMMANDS[verb].params
        if option.param_type_name == "option" and option.name != "help" and not option.envvar
    ]
    assert bare == []


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_says_what_it_does(verb: str) -> None:
    silent = [
        option.name
        for option in COMMANDS[verb].params
        if option.param_type_name == "option" and not getattr(option, "help", None)
    ]
    assert silent == []


def test_kit_alone_shows_what_it_can_do() -> None:
    alone, asked = kit(), kit("--help")
    assert (alone.returncode, alone.stdout, alone.stderr) == (0, asked.stdout, "")
    assert "Usage: kit" in asked.stdout


def test_an_unknown_verb_is_told_to_programs_as_json() -> None:
    ran = kit("prove", "--json")
    assert (ran.returncode, ran.stderr) == (2, "")
    error = json.loads(ran.stdout)["error"]
    assert error["code"] == "bad-usage"
    assert "'prove'" in error["message"]
    assert "--help" in error["hint"]


def test_help_loads_nothing_heavy() -> None:
    look = (
        "import sys\n"
        "from kit.cli import main\n"
        "sys.argv = ['kit', '--help']\n"
        "try:\n    main()\n"
        "finally:\n    print(*sys.modules, file=sys.stderr)"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", look], capture_output=True, text=True, check=True, timeout=60
    ).stderr
    assert "kit.cli.app" in loaded.split()
    # google-cloud-aiplatform's .pth file gives every Python here these two names, with nothing in them.
    names = set(loaded.split()) - {"google", "google.cloud"}
    assert HEAVY & {name.partition(".")[0] for name in names} == set()


def test_ctrl_c_while_it_is_still_starting_shows_no_traceback() -> None:
    start = (
        "import os, signal, sys\n"
        "class CtrlC:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'typer':\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, CtrlC())\n"
        "from kit.cli import main\n"
        "main()"
    )
    ran = subprocess.run([sys.executable, "-c", start], capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stdout, ran.stderr) == (130, "", "")


def test_a_reader_that_hangs_up_is_nobodys_error() -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        ran = subprocess.run(
            [sys.executable, "-m", "kit", "targets"], stdout=write, stderr=subprocess.PIPE, timeout=60
        )
    finally:
        os.close(write)
    assert (ran.returncode, ran.stderr) == (0, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full (Linux)")
@pytest.mark.parametrize("arguments", [["targets"], ["targets", "--json"], ["prove", "--json"]])
def test_a_full_disk_is_said_in_one_sentence(arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "kit", *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
    assert ran.returncode == 1
    assert ran.stderr.startswith("error: Cannot write to stdout: No space left on device.")
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_streams_change_nothing_but_what_is_read(closed: str) -> None:
    ran = subprocess.run(
        ["/bin/sh", "-c", f'exec "$0" -m kit targets run {closed}', sys.executable],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
