"""The GitHub Action: its scripts run with bash, in the environment that GitHub's runner would give them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import typer.main
import yaml

from kit.cli.app import app
from tests.fixtures.origin import Origin
from tests.fixtures.proxies import Nginx

QUICK = "/search?ai_prompt=Why&max_output_tokens=40"
CHECKOUT = Path(__file__).parents[1]
ACTION = yaml.safe_load((CHECKOUT / "action.yml").read_text(encoding="utf-8"))
STEPS = {step["id"]: step for step in ACTION["runs"]["steps"]}
EXPRESSION = re.compile(r"\$\{\{\s*(.+?)\s*\}\}")


class Ran(NamedTuple):
    """How the action ended."""

    status: int
    log: str
    outputs: dict[str, str]
    summary: str


class Runner:
    """GitHub's runner, as far as a composite action sees it.

    Args:
        folder: an empty one, for the workspace and the runner's own files.
    """

    def __init__(self, folder: Path) -> None:
        self.workspace = folder / "work space"
        self.temp = folder / "temp"
        self.workspace.mkdir()
        self.temp.mkdir()

    def installed(self) -> None:
        """An environment as the install step leaves it, which runs this checkout."""
        programs = self.temp / "streamproof" / "bin"
        programs.mkdir(parents=True)
        (programs.parent / "made-from").write_text(str(CHECKOUT))
        # What is isolated would not see the checkout.
        script = f'#!/bin/sh\n[ "$1" = -I ] && shift\nPYTHONPATH="{CHECKOUT}" exec "{sys.executable}" "$@"\n'
        (programs / "python").write_text(script)
        (programs / "python").chmod(0o755)

    def run(self, inputs: Mapping[str, str], env: Mapping[str, str] | None = None) -> Ran:
        """Run each step's script until one fails."""
        values = {name: one.get("default", "") for name, one in ACTION["inputs"].items()} | dict(inputs)
        outputs: dict[str, dict[str, str]] = {"python": {}}
        log, status = "", 0
        summary = self.temp / "summary"
        summary.touch()
        for name, step in STEPS.items():
            if "run" not in step:
                assert not values["python-version"], "what another action does is not run here"
                continue
            script, output = self.temp / f"{name}.sh", self.temp / f"{name}.out"
            script.write_text(step["run"])
            output.touch()
            given = {key: _valued(value, values, outputs) for key, value in step.get("env", {}).items()}
            done = subprocess.run(
                ["bash", "--noprofile", "--norc", "-eo", "pipefail", script],
                cwd=self.workspace,
                env={
                    **os.environ,
                    "CI": "true",
                    "GITHUB_ACTIONS": "true",
                    "GITHUB_ACTION_PATH": str(CHECKOUT),
                    "GITHUB_OUTPUT": str(output),
                    "GITHUB_STEP_SUMMARY": str(summary),
                    "GITHUB_WORKSPACE": str(self.workspace),
                    "RUNNER_TEMP": str(self.temp),
                    **(env or {}),
                    **given,
                },
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=300,
            )
            log, status = log + done.stdout, done.returncode
            outputs[name] = dict(line.split("=", 1) for line in output.read_text().splitlines())
            if status:
                break
        promised = {key: _valued(one["value"], values, outputs) for key, one in ACTION["outputs"].items()}
        return Ran(status, log, promised, summary.read_text(encoding="utf-8"))


def _valued(text: str, inputs: Mapping[str, str], outputs: Mapping[str, Mapping[str, str]]) -> str:
    """The text with its expressions replaced, which may be an input or a step's output and nothing else."""

    def value(found: re.Match[str]) -> str:
        match found[1].split("."):
            case ["inputs", name]:
                return inputs[name]
            case ["steps", step, "outputs", name]:
                return outputs.get(step, {}).get(name, "")
        raise AssertionError(f"unknown: {found[1]}")

    return EXPRESSION.sub(value, text)


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    made = Runner(tmp_path)
    made.installed()
    return made


def test_it_is_a_composite_action_whose_inputs_and_outputs_are_described() -> None:
    assert ACTION["runs"]["using"] == "composite"
    assert all(one["description"] for one in (*ACTION["inputs"].values(), *ACTION["outputs"].values()))
    assert [name for name, one in ACTION["inputs"].items() if one.get("required")] == ["url"]
    assert ACTION["inputs"]["expect"]["default"] == "incremental"
    assert all(step.get("shell") == "bash" for step in STEPS.values() if "run" in step)


def test_no_script_holds_an_expression_and_every_input_is_used() -> None:
    text = (CHECKOUT / "action.yml").read_text(encoding="utf-8")
    assert not [name for name, step in STEPS.items() if "${{" in step.get("run", "")]
    assert set(re.findall(r"inputs\.([\w-]+)", text)) == set(ACTION["inputs"])


def test_what_streams_passes_and_says_so(runner: Runner, origin: Origin) -> None:
    ran = runner.run({"url": f"{origin()}{QUICK}", "junit": "new/report.xml", "html": "report.html"})
    assert (ran.status, ran.outputs) == (0, {"verdict": "incremental"}), ran.log
    assert 'failures="0"' in (runner.workspace / "new/report.xml").read_text()
    assert (runner.workspace / "report.html").is_file()
    assert "**1 of 1 as expected**" in ran.summary
    assert "::" not in ran.log.replace("http://", "")


def test_what_does_not_stream_as_expected_fails_with_an_annotation(runner: Runner, origin: Origin) -> None:
    ran = runner.run({"url": f"{origin()}{QUICK}", "expect": "whole-message", "arm": "both"})
    assert (ran.status, ran.outputs) == (3, {"verdict": "incremental"}), ran.log
    assert ran.log.count("\n::error title=streamproof%3A 127.0.0.1") == 2


def test_it_fails_on_the_day_a_proxy_starts_to_buffer(runner: Runner, origin: Origin, nginx: Nginx) -> None:
    upstream = origin(http="h11")
    yesterday = nginx(upstream, location="proxy_http_version 1.1; proxy_buffering off;")
    assert runner.run({"url": f"{yesterday}{QUICK}", "arm": "both"}).outputs == {"verdict": "incremental"}
    # nginx as it comes, to an upstream that speaks HTTP/1.0: blocks, unless the service asks it not to.
    today = nginx(upstream, location="proxy_http_version 1.0; proxy_ignore_headers X-Accel-Buffering;")
    ran = runner.run({"url": f"{today}{QUICK}"})
    assert (ran.status, ran.outputs) == (3, {"verdict": "byte-limited"}), ran.log
    (line,) = [line for line in ran.log.splitlines() if line.startswith("::")]
    assert line.startswith("::error title=streamproof%3A 127.0.0.1%3A")
    assert line.count("not as expected (streamed)::It should stream here") == 1
    assert "measured again" not in ran.log, "what was found is found"


def test_what_is_undecided_is_measured_again_and_fails(runner: Runner, origin: Origin) -> None:
    ran = runner.run({"url": f"{origin()}/health", "retries": "1"})
    assert (ran.status, ran.outputs) == (4, {"verdict": "inconclusive"}), ran.log
    assert "Measured 2 times" in ran.log


def test_method_headers_data_and_a_token_go_where_they_belong(runner: Runner, origin: Origin) -> None:
    ran = runner.run(
        {
            "url": f"{origin(lab=0, proof_token='the-proofs-own-s3cret')}/search",
            "method": "POST",
            "headers": "Content-Type: application/json\nAccept: application/x-ndjson\n",
            "data": '{"ai_prompt": "Why $HOME `id`?", "max_output_tokens": 40}',
            "bearer-env": "APP_TOKEN",
            "proof-token": "the-proofs-own-s3cret",
        },
        env={"APP_TOKEN": "s3cret"},
    )
    assert (ran.status, ran.outputs) == (0, {"verdict": "incremental"}), ran.log
    assert "each sent only after the one before had arrived" in ran.log
    assert "s3cret" not in ran.log + ran.summary


PAYLOADS = (
    "$(touch pwned)",
    "`touch pwned`",
    '"; touch pwned; "',
    "'; touch pwned; '",
    "x\ntouch pwned\n",
    "${{ runner.temp }}$(touch pwned)",
    "--html=pwned",
)


@pytest.mark.parametrize("name", [name for name in ACTION["inputs"] if name != "python-version"])
def test_no_input_is_executed(runner: Runner, name: str) -> None:
    inputs = {"url": "http://127.0.0.1:1", "retries": "0", "timeout": "1"}
    payload = "; ".join(PAYLOADS)
    ran = runner.run({**inputs, name: payload})
    assert ran.status in (0, 1, 2), ran.log
    assert "Traceback" not in ran.log
    # A report may lie wherever its input says, so long as nothing made a file by running it.
    assert not [
        path for path in (*runner.workspace.rglob("*"), *runner.temp.rglob("*")) if path.name == "pwned"
    ]


def test_a_python_that_is_too_old_is_one_sentence(runner: Runner, tmp_path: Path) -> None:
    old = tmp_path / "bin" / "python3"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    (runner.temp / "streamproof" / "made-from").unlink()
    ran = runner.run({"url": "http://127.0.0.1:1"}, env={"PATH": f"{old.parent}:{os.environ['PATH']}"})
    assert ran.status == 1
    assert "It needs Python 3.11 or newer" in ran.log
    assert "Traceback" not in ran.log


@pytest.mark.long
def test_it_installs_the_kit_into_an_environment_of_its_own(tmp_path: Path, origin: Origin) -> None:
    pytest.importorskip("ensurepip", reason="this Python cannot make environments with pip in them")
    runner = Runner(tmp_path)
    # A caller's folder may hold anything, also what would take a module's place.
    (runner.workspace / "kit").mkdir()
    (runner.workspace / "kit" / "__init__.py").write_text("raise SystemExit('the wrong kit')\n")
    (runner.workspace / "venv.py").write_text("raise SystemExit('the wrong venv')\n")
    base = Path(sys.executable).resolve().parent
    ran = runner.run(
        {"url": f"{origin()}{QUICK}"},
        env={"PATH": f"{base}:{os.environ['PATH']}", "PYTHONPATH": str(runner.workspace)},
    )
    assert (ran.status, ran.outputs) == (0, {"verdict": "incremental"}), ran.log
    assert (runner.temp / "streamproof" / "bin" / "kit").is_file()
    again = runner.run({"url": f"{origin()}{QUICK}"}, env={"PATH": "/usr/bin:/bin"})
    assert again.status == 0, "the second time it is there already"


EXAMPLES: dict[str, Any] = {
    path.stem: yaml.safe_load(path.read_text(encoding="utf-8"))
    for path in sorted((CHECKOUT / "examples").glob("*.yml"))
}
every_example = pytest.mark.parametrize("name", EXAMPLES)
KEYLESS = ("deploy", "preview")


def steps_of(name: str) -> list[dict[str, Any]]:
    """The steps of all jobs of an example."""
    return [step for job in EXAMPLES[name]["jobs"].values() for step in job["steps"]]


def test_the_example_workflow_watches_what_is_deployed_by_night_and_the_app_in_each_pull_request() -> None:
    # YAML 1.1, which PyYAML reads, takes `on` for true.
    assert {"schedule", "pull_request"} <= set(EXAMPLES["streaming"][True])
    assert set(EXAMPLES["streaming"]["jobs"]) == {"deployed", "app"}


def test_the_example_workflow_uses_only_inputs_that_the_action_has() -> None:
    uses = [step for step in steps_of("streaming") if step.get("uses", "").startswith("OWNER/streamproof@")]
    assert len(uses) == 2
    for step in uses:
        assert set(step["with"]) <= set(ACTION["inputs"])
        assert "url" in step["with"]


@every_example
def test_no_script_of_an_example_workflow_holds_an_expression(name: str) -> None:
    scripts = [step["run"] for step in steps_of(name) if "run" in step]
    assert scripts
    assert not [script for script in scripts if "${{" in script]


@every_example
def test_an_example_workflow_may_do_no_more_than_it_says_and_names_versions_of_what_it_uses(
    name: str,
) -> None:
    workflow = EXAMPLES[name]
    wanted = {"contents": "read", **({"id-token": "write"} if name in KEYLESS else {})}
    if name == "preview":
        wanted["pull-requests"] = "write"
    assert workflow["permissions"] == wanted
    for step in steps_of(name):
        assert re.fullmatch(r"[\w./-]+@(v\d+|main)", step.get("uses", "a/b@v1"))
    checkouts = [step for step in steps_of(name) if step.get("uses", "").startswith("actions/checkout@")]
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


@pytest.mark.parametrize("name", KEYLESS)
def test_an_example_that_deploys_has_no_key_and_its_lines_are_the_kits(name: str) -> None:
    (auth,) = (step for step in steps_of(name) if "google-github-actions/auth@" in step.get("uses", ""))
    assert set(auth["with"]) == {"workload_identity_provider"}
    assert "secrets." not in (CHECKOUT / "examples" / f"{name}.yml").read_text(encoding="utf-8")
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    lines = [step["run"].split() for step in steps_of(name) if step.get("run", "").startswith("kit ")]
    assert lines
    for _, verb, *words in lines:
        known = {option for one in commands[verb].params for option in one.opts}
        assert {word for word in words if word.startswith("--")} <= known


def test_a_preview_is_for_branches_of_the_repository_and_a_fork_is_given_the_reason() -> None:
    jobs = EXAMPLES["preview"]["jobs"]
    assert EXAMPLES["preview"][True]["pull_request"]["types"] == [
        "opened",
        "reopened",
        "synchronize",
        "closed",
    ]
    ours = "github.event.pull_request.head.repo.full_name == github.repository"
    assert jobs["preview"]["if"] == f"{ours} && github.actor != 'dependabot[bot]'"
    assert jobs["skipped"]["if"] == f"{ours.replace('==', '!=')} || github.actor == 'dependabot[bot]'"
    (notice,) = jobs["skipped"]["steps"]
    assert "::notice title=preview::" in notice["run"]
