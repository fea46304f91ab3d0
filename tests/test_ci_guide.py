"""What docs/ci.md says of the command, the action and the plugin is so."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
import typer.main
import yaml

from kit.cli.app import app
from kit.errors import Exit
from kit.pytest_plugin import Streamproof

CHECKOUT = Path(__file__).parents[1]
GUIDE = (CHECKOUT / "docs" / "ci.md").read_text(encoding="utf-8")
ACTION = yaml.safe_load((CHECKOUT / "action.yml").read_text(encoding="utf-8"))
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


def table(head: str) -> list[list[str]]:
    """The cells of the table whose first head is this."""
    rows = GUIDE.partition(f"\n| {head} |")[2].partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def test_it_names_every_input_of_the_action_and_no_other() -> None:
    named = [name for row in table("input") for name in re.findall(r"`([\w-]+)`", row[0])]
    assert sorted(named) == sorted(ACTION["inputs"])
    assert f"| `retries` | {ACTION['inputs']['retries']['default']} |" in GUIDE
    assert f"answer: {ACTION['inputs']['timeout']['default']} |" in GUIDE


def test_it_names_every_status_of_a_measurement() -> None:
    assert [int(row[0]) for row in table("status")] == [one for one in Exit if one is not Exit.INTERRUPTED]


def test_the_options_that_it_names_exist() -> None:
    # Lines of gcloud and docker have options of their own.
    text = re.sub(r"^(gcloud|docker) (.*\\\n)*.*$", "", GUIDE, flags=re.MULTILINE)
    commands = typer.main.get_command(app).commands.values()  # type: ignore[attr-defined]
    options = [option for command in commands for option in command.params]
    known = {name for option in options for name in (*option.opts, *option.secondary_opts)}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+", text)) <= {*known, "--help", "--no-promote"}


def test_the_plugins_arguments_are_those_it_has() -> None:
    (shown,) = (block for _, block in BLOCKS if "def assert_streams(" in block)
    namespace: dict[str, object] = {}
    exec(shown, namespace)
    signature = inspect.signature(namespace["assert_streams"])  # type: ignore[arg-type]
    real = inspect.signature(Streamproof().assert_streams)
    assert {name: (one.default, one.kind) for name, one in signature.parameters.items()} == {
        name: (one.default, one.kind) for name, one in real.parameters.items()
    }


@pytest.mark.parametrize("block", [block for kind, block in BLOCKS if kind == "yaml" and "uses:" in block])
def test_what_it_shows_of_the_action_uses_inputs_that_it_has(block: str) -> None:
    (step,) = yaml.safe_load(block)
    assert set(step["with"]) <= set(ACTION["inputs"])


def test_its_links_lead_somewhere() -> None:
    for link in re.findall(r"\]\(([^)#\s]+)", GUIDE):
        assert link.startswith("https://") or (CHECKOUT / "docs" / link).exists(), link
