"""docs/workshop.md and docs/exercises.md as a trainer follows them: every block in order; and their Chinese.

A block's kind stands behind its fence. `sh` is run; `sh stays` runs to the end, as in a terminal of its own;
`sh elsewhere` shows what has tests of its own (the demo's, own apps', the doctor's matrix); `sh account`
needs a cloud account: of those two it is only checked that the lines are right. Where a line is to end with
another status than 0 it says so: `# exit 3`.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest
from typer.testing import CliRunner

from kit.cli.app import app
from tests.fixtures.processes import free_port, running
from tests.fixtures.tools import Tool
from tests.system.conftest import CHECKOUT

GUIDE, SHEET, ANSWERS = "docs/workshop", "docs/exercises", "docs/answers"
FENCED = re.compile(r"^```([\w ]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXIT = re.compile(r"#\s*exit (\d+)\s*$")
PAGE = "8765"
# What the answers to the exercises claim: where this stands in what is typed, these words come out.
SAID = {
    "8801/search?ai_prompt=Why&max": ("x-accel-buffering: no", "content-length: "),
    "8803/search?ai_prompt=Why&max": ("x-accel-buffering: no",),
    "8813/search": tuple(f"sentence {number} of" for number in range(1, 13)),
    "probe http://127.0.0.1:8802": ("streamed", "buffered in blocks of 64 kib"),
    "probe http://127.0.0.1:8804": ("waits for the next one",),
    "probe http://127.0.0.1:8805": ("on      streamed", "off     held for browsers: compression"),
    "?after=-1": ('"done":', '"token"'),
    "--polling": ("buffered whole", "arrived as written"),
    "examples/answer.py": ("the stream is held",),
}
FLEX_HEAD = "8802/search?ai_prompt=Why&max"  # where the header is gone
UNRUN = ("sh account", "sh elsewhere")
PORT = re.compile(rf"\b(?:{PAGE}|88\d\d)\b")


class Block(NamedTuple):
    kind: str
    text: str

    @property
    def commands(self) -> list[str]:
        """Its lines, those that go on joined with the next."""
        return [line for line in re.sub(r"(\\|\|)\n\s*", r"\1 ", self.text).splitlines() if line.strip()]


def blocks(name: str) -> list[Block]:
    found = FENCED.findall((CHECKOUT / name).read_text(encoding="utf-8"))
    return [Block(kind, text) for kind, text in found]


def hour() -> list[Block]:
    """All that is typed in the hour; the guide's last line removes what was made."""
    *guide, last = blocks(f"{GUIDE}.md")
    return [*guide, *blocks(f"{SHEET}.md"), last]


@pytest.fixture
def folder(clone: Path, tool: Tool) -> Path:
    """A clone whose environment is this one: what bootstrap does has tests of its own."""
    programs = {
        "bootstrap": "",
        ".venv/bin/python": f'exec "{sys.executable}" "$@"',
        ".venv/bin/kit": f'exec "{sys.executable}" -m kit "$@"',
        "bin/nginx": f'exec "{tool("nginx")}" "$@"',
    }
    for name, does in programs.items():
        program = clone / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(f"#!/bin/sh\n{does}\n")
        program.chmod(0o755)
    return clone


def speaks(port: str) -> Callable[[], bool]:
    """Whether a server that is ready speaks HTTP there, whatever it says."""

    def ready() -> bool:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
        except urllib.error.HTTPError as error:
            return error.code < 500
        except OSError:
            return False
        return True

    return ready


@pytest.mark.alone
@pytest.mark.long
def test_every_block_is_run_in_order_and_ends_as_it_says(folder: Path) -> None:
    ports: dict[str, str] = {}

    def free(text: str) -> str:
        # Others may have the guide's ports.
        return PORT.sub(lambda found: ports.setdefault(found[0], str(free_port())), text)

    env = {
        "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(folder),
        "KIT_WORKSHOP_PORT": free(PAGE),
    }
    kinds = [block.kind for block in hour()]
    assert set(kinds) == {"sh", "sh stays", "sh elsewhere", "sh account", "text", "python"}
    nginx = folder / "examples/nginx.conf"
    nginx.write_text(free(nginx.read_text()))
    with ExitStack() as terminals:
        for number, block in enumerate(hour()):
            script = f'cd "{folder}"\nset -e\n{free(block.text)}'
            if block.kind == "sh stays":
                serving = (
                    [ports[PAGE]] if "make workshop" in block.text else ports_of(free(block.text), ports)
                )
                if (
                    nginx.name in block.text
                ):  # its servers are there at once; the last has nothing behind it yet
                    serving = ports_of(nginx.read_text(), ports)[:1]
                assert serving, block
                ready = [speaks(port) for port in serving]
                terminals.enter_context(
                    running(
                        ["sh", "-c", script],
                        lambda ready=ready: all(one() for one in ready),  # type: ignore[misc]
                        folder / f"terminal-{number}.log",
                        env=env,
                    )
                )
            if block.kind != "sh":
                continue
            for command in block.commands if EXIT.search(block.text) else [block.text]:
                status = EXIT.search(command)
                wanted = int(status[1]) if status else 0
                done = subprocess.run(
                    ["sh", "-ec", free(command)],
                    cwd=folder,
                    env={**os.environ, **env},
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    timeout=300,
                )
                assert done.returncode == wanted, (command, done.stdout, done.stderr)
                said = (done.stdout + done.stderr).lower()
                missing = [
                    words for where, all_there in SAID.items() if where in command for words in all_there
                ]
                missing = [words for words in missing if words not in said]
                assert missing == [], (command, said)
                assert FLEX_HEAD not in command or "x-accel-buffering" not in said
    assert not (folder / ".venv").exists()  # its last line removed it


def ports_of(text: str, ports: dict[str, str]) -> list[str]:
    """The ports that a block's servers listen on."""
    mine = re.findall(r"(?:--port(?: \w+=| )|listen 127\.0\.0\.1:)(\d+)", text)
    return [port for port in mine if port in ports.values()]


def test_every_line_that_is_not_run_here_is_right() -> None:
    lines = [line for block in hour() if block.kind in UNRUN for line in block.commands]
    lines = [re.sub(r"^KIT_\w+=\S+ ", "", line) for line in lines]
    assert {Path(line.split()[0]).name for line in lines} == {"make", "kit", "cd", "exit"}
    checked = 0
    for line in lines:
        words = shlex.split(line, comments=True)
        if words[0] == "make":
            ran = subprocess.run(
                ["make", "--dry-run", *words[1:]], cwd=CHECKOUT, capture_output=True, text=True
            )
            assert ran.returncode == 0, (line, ran.stderr)
            recipe = [shlex.split(one) for one in ran.stdout.splitlines()]
            words = next(one[one.index("-m") + 1 :] for one in recipe if "-m" in one)
        if words[0].endswith("kit"):
            if words[1] == "rehearse":  # what follows is the rehearsed line's
                words = words[:2]
            # The options are read before --help is obeyed.
            shown = CliRunner().invoke(app, [*words[1:], "--help"])
            assert shown.exit_code == 0, (line, shown.output)
            checked += 1
    assert checked > 5
    assert CliRunner().invoke(app, ["status", "--no-such-option", "--help"]).exit_code == 2


def test_the_articles_code_is_what_runs() -> None:
    code = (CHECKOUT / "examples/article/main.py").read_text(encoding="utf-8")
    assert [block.text in code for block in hour() if block.kind == "python"] == [True]


@pytest.mark.parametrize("name", [GUIDE, SHEET, ANSWERS])
def test_the_chinese_has_the_same_blocks_sections_and_links(name: str) -> None:
    assert blocks(f"{name}.zh-CN.md") == blocks(f"{name}.md")
    english, chinese = ((CHECKOUT / f"{name}{end}").read_text("utf-8") for end in (".md", ".zh-CN.md"))
    english, chinese = FENCED.sub("", english), FENCED.sub("", chinese)
    for what in (r"^#+(?= )", r"^\|", r"`[^`\n]+`"):
        counts = [sorted(re.findall(what, text, re.MULTILINE)) for text in (english, chinese)]
        assert counts[1] == counts[0]
    files = [
        {file.replace(".zh-CN", "") for file in re.findall(r"\]\(([^)#:]+)", text)}
        for text in (english, chinese)
    ]
    assert files[1] == files[0]
    assert [file for file in files[0] if not (CHECKOUT / "docs" / file).exists()] == []
