from __future__ import annotations

import re
import shlex
from typing import Any

import pytest
import typer

from kit.cli.app import app
from kit.cli.arguments import OLD_NAMES
from kit.cli.help import EXAMPLES, GROUPS, VERBS
from kit.proof.verdict import Verdict
from tests.kit.cli.conftest import Invoke

COMMANDS: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]


def test_every_verb_stands_under_a_heading_with_its_whole_first_sentence(invoke: Invoke) -> None:
    shown = invoke("--help").out
    assert "…" not in shown
    assert "..." not in shown.replace("[ARGS]...", "")
    joined = " ".join(shown.split())
    for heading, verbs in GROUPS.items():
        assert f"\n{heading}:\n" in shown
        for verb in verbs:
            first = " ".join(COMMANDS[verb].help.split("\n\n")[0].split())
            assert f" {verb} {first}" in joined


@pytest.mark.parametrize("verb", VERBS)
def test_a_verbs_help_has_its_options_in_words_and_an_example_that_can_be_run(
    invoke: Invoke, verb: str
) -> None:
    status, shown, err = invoke(verb, "--help")
    assert (status, err) == (0, "")
    assert shown.startswith(f"Usage: kit {verb}")
    assert not re.search(r"<[a-z]|x>=|<=x|env var: KIT_|Value error", shown), shown
    assert f"\n  {EXAMPLES[verb]}\n" in shown
    program, name, *words = shlex.split(EXAMPLES[verb].partition(" > ")[0])
    assert (program, name) == ("kit", verb)
    known = {option for parameter in COMMANDS[verb].params for option in parameter.opts}
    assert {word for word in words if word.startswith("-")} <= known
    assert all(len(line) <= 80 for line in shown.split("\n"))
    joined = re.sub(r"\s+", " ", shown)
    for one in COMMANDS[verb].params:
        if isinstance(one.default, str | float) and one.default and getattr(one, "show_default", False):
            assert f"default: {one.default}".removesuffix(".0") in joined


def test_options_stand_under_what_they_are_about(invoke: Invoke) -> None:
    shown = invoke("probe", "--help").out
    headings = re.findall(r"^(\S.*):$", shown, re.M)
    assert headings == ["Arguments", "The request", "Measuring", "Output", "Options", "Example"]
    assert all(str(verdict) in re.sub(r"-\s+", "-", shown) for verdict in Verdict)


def test_an_options_old_name_is_taken_and_not_shown(invoke: Invoke) -> None:
    assert {"--arm", "--front", "--again", "--take-over", "--repeat-ok", "--request"} <= OLD_NAMES
    for verb in VERBS:
        shown = invoke(verb, "--help").out
        for parameter in COMMANDS[verb].params:
            old = OLD_NAMES.intersection(parameter.opts)
            if old and len(parameter.opts) > 1:
                assert not re.search(rf"(?<![\w-])({'|'.join(old)})(?![\w-])", shown), (verb, old)
                # KIT_TOKEN is the token itself, and KIT_FOR another verb's --for.
                kept = old - {"--token", "--for"}
                assert all(f"KIT_{name[2:].replace('-', '_').upper()}" in parameter.envvar for name in kept)


def test_a_shell_completes_verbs_and_options(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_KIT_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "kit pro")
    monkeypatch.setenv("COMP_CWORD", "1")
    assert invoke("pro").out.split() == ["probe", "proof", "promote"]
    monkeypatch.setenv("COMP_WORDS", "kit probe --exp")
    monkeypatch.setenv("COMP_CWORD", "2")
    assert invoke("probe", "--exp").out.split() == ["--expect"]
