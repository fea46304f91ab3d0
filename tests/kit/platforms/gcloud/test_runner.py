"""gcloud as a process: what it is given, what is reported of it, and that nothing of it is left behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from kit.errors import Code, KitError
from kit.platforms.cloud_run import commands as cloud_run
from kit.platforms.command import Command, Folder
from kit.platforms.gcloud.runner import Gcloud, Timing
from kit.rehearsal import faults
from kit.rehearsal.plane import Plane
from kit.rehearsal.wire import ApiError
from tests.fixtures.processes import eventually, is_gone
from tests.fixtures.tools import Tool
from tests.kit.platforms.releases import RUN

GIVE_UP_S = 60

# A gcloud that does what its first word names. It runs under the tests' interpreter.
STUB = r"""
import json, os, pathlib, signal, subprocess, sys, time
here, word, rest = pathlib.Path(__file__).parent, sys.argv[1], sys.argv[2:]

def say(text):
    os.write(2, text.encode())

def times():
    file = here / "times"
    file.write_text(str(int(file.read_text()) + 1 if file.exists() else 1))
    return int(file.read_text())

def fail(text, status=1):
    say(f"ERROR: (gcloud.{word}) {text}\n")
    sys.exit(status)

if word == "echo":
    print(json.dumps({"words": rest, "env": dict(os.environ), "stdin": sys.stdin.read()}))
elif word == "own":
    file = pathlib.Path(os.environ["KUBECONFIG"])
    modes = [oct(each.stat().st_mode & 0o777) for each in (file.parent.parent, file.parent, file)]
    print(json.dumps({"path": str(file), "modes": modes, "names": sorted(os.listdir(file.parent))}))
    (file.parent / "token").write_text("secret")
    if rest:
        say(f"pids {os.getpid()}\n")
        time.sleep(600)
    if times() < int(os.environ.get("SUCCEEDS_AT", "1")):
        fail(os.environ["SAYS"])
elif word == "secret":
    print("the-secret-itself")
    fail("Bearer the-other-secret is no good")
elif word == "progress":
    say("\x1b[1mUploading\x1b[0m 10%\rUploading 100%\r\nUpdating service [default]...")
    say("......")
    while not (here / "go").exists():
        time.sleep(0.01)
    say("done.\nDeployed.\n")
elif word == "much":
    sys.stdout.write("x" * 3_000_000)
    for number in range(60_000):
        say(f"line {number}\n")
elif word == "hang":
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); time.sleep(600)"
    child = subprocess.Popen([sys.executable, "-c", deaf], stdout=subprocess.PIPE)
    child.stdout.readline()
    say(f"pids {os.getpid()} {child.pid} {os.getppid()}\n")
    time.sleep(600)
elif word == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
elif word == "fails":
    fail(rest[0])
elif word == "recovers" or word in ("app", "run", "iam", "services"):
    if times() < int(os.environ.get("SUCCEEDS_AT", "1")):
        fail(os.environ["SAYS"])
    (here / "done").write_text(" ".join(sys.argv[1:]))
    print("[]")
"""
UNAVAILABLE = "UNAVAILABLE: The service is currently unavailable."
BUSY = "ABORTED: Cannot operate on apps/p because an operation is already in progress for apps/p."
DEPLOY = Command(("app", "deploy", "build/standard", "--project=p"), changes=True, repeatable=True)


class Sandbox:
    """A stub on a PATH of its own, a made-up clock, and what was said."""

    def __init__(self, folder: Path) -> None:
        self.bin = folder / "bin"
        self.logs = folder / "logs"
        self.echoed: list[str] = []
        self.lines: list[str] = []
        self.slept: list[float] = []
        self.env = {"PATH": f"{self.bin}:/usr/bin:/bin", "HOME": str(folder)}
        self.bin.mkdir()
        stub = self.bin / "gcloud"
        (self.bin / "stub.py").write_text(STUB)
        # Not in the first line itself: the path of an interpreter may have a space in it.
        stub.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{self.bin}/stub.py" "$@"\n')
        stub.chmod(0o755)
        self.gcloud = self.make()

    def make(self, **env: str) -> Gcloud:
        async def sleep(seconds: float) -> None:
            self.slept.append(seconds)

        timing = Timing(clock=lambda: sum(self.slept), sleep=sleep, chance=lambda: 0.5, grace_s=0.2)
        return Gcloud({**self.env, **env}, self.logs, self.echoed.append, timing)

    def run(self, command: Command, gcloud: Gcloud | None = None) -> str:
        return asyncio.run((gcloud or self.gcloud).run(command, log="lane", line=self.lines.append))

    def fails(self, command: Command, gcloud: Gcloud | None = None) -> KitError:
        with pytest.raises(KitError) as caught:
            self.run(command, gcloud)
        return caught.value

    @property
    def log(self) -> str:
        return (self.logs / "lane.log").read_text()


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path)


# What it is given


def test_it_gets_the_words_as_they_are_and_no_input(sandbox: Sandbox) -> None:
    words = ("--set=a b", "$HOME", "'", "ü", "")
    printed = json.loads(sandbox.run(Command(("echo", *words))))
    assert printed["words"] == list(words)
    assert printed["stdin"] == ""


def test_it_never_asks_and_has_the_users_environment_and_the_commands_own(sandbox: Sandbox) -> None:
    command = Command(("echo",), env={"CLOUDSDK_APP_TRIGGER_BUILD_SERVER_SIDE": "1"})
    env = json.loads(sandbox.run(command))["env"]
    assert env["CLOUDSDK_CORE_DISABLE_PROMPTS"] == "1"
    assert env["TERM"] == "dumb"
    assert env["HOME"] == sandbox.env["HOME"]
    assert env["CLOUDSDK_APP_TRIGGER_BUILD_SERVER_SIDE"] == "1"
    assert "CLOUDSDK_CORE_DISABLE_FILE_LOGGING" not in env
    assert "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING" not in env


def test_a_secret_is_kept_from_gclouds_own_log_files(sandbox: Sandbox) -> None:
    env = json.loads(sandbox.run(Command(("echo",), secret=True)))["env"]
    assert env["CLOUDSDK_CORE_DISABLE_FILE_LOGGING"] == "1"


def test_it_reads_a_text_or_a_file_from_its_standard_input(sandbox: Sandbox, tmp_path: Path) -> None:
    text = "kind: 'ü'\n" * 50_000
    (tmp_path / "a file.yaml").write_text(text)
    for stdin in (text, tmp_path / "a file.yaml"):
        assert json.loads(sandbox.run(Command(("echo",), stdin=stdin)))["stdin"] == text


def test_a_file_that_is_not_there_is_no_input(sandbox: Sandbox, tmp_path: Path) -> None:
    error = sandbox.fails(Command(("echo",), stdin=tmp_path / "none"))
    assert error.code is Code.CANNOT_WRITE
    assert str(tmp_path / "none") in error.message


def test_a_text_on_its_standard_input_is_only_named_when_it_is_echoed(sandbox: Sandbox) -> None:
    command = Command(("echo", "-"), changes=True, stdin="{'a': 1}", input="the route")
    sandbox.run(command)
    assert sandbox.echoed == ["gcloud echo -  # the route"]
    assert command.line == """printf %s '{'"'"'a'"'"': 1}' | gcloud echo -"""
    assert Command(("echo", "-"), stdin=Path("a b.yaml")).line == "gcloud echo - <'a b.yaml'"


def own() -> Folder:
    return Folder("KUBECONFIG", "config", {"config": b"apiVersion: v1"})


def test_its_own_files_are_private_kept_in_memory_and_gone_from_the_disk(sandbox: Sandbox) -> None:
    folder = own()
    first = json.loads(sandbox.run(Command(("own",), folder=folder)))
    assert first["modes"] == ["0o700", "0o700", "0o600"]
    assert folder.contents == {"config": b"apiVersion: v1", "token": b"secret"}
    second = json.loads(sandbox.run(Command(("own",), folder=folder)))
    assert second["names"] == ["config", "token"]
    assert second["path"] != first["path"]
    assert not any(Path(one["path"]).parent.parent.exists() for one in (first, second))


def test_another_attempt_begins_without_what_the_program_kept_beside_its_file(sandbox: Sandbox) -> None:
    gcloud = sandbox.make(SUCCEEDS_AT="2", SAYS=UNAVAILABLE)
    printed = json.loads(sandbox.run(Command(("own",), folder=own()), gcloud))
    assert printed["names"] == ["config"]


@pytest.mark.parametrize("how", ["cancelled", "killed"])
def test_its_own_files_do_not_outlive_the_kit(sandbox: Sandbox, tmp_path: Path, how: str) -> None:
    there = tmp_path / "there"
    there.mkdir()
    script = (
        "import asyncio, signal, sys, tempfile\n"
        "from pathlib import Path\n"
        "from kit.platforms.command import Command, Folder\n"
        "from kit.platforms.gcloud.runner import Gcloud\n"
        "env, logs = dict(PATH=sys.argv[1], HOME=sys.argv[1]), Path(sys.argv[2])\n"
        "command = Command(('own', 'wait'), folder=Folder('KUBECONFIG', 'config', {'config': b''}))\n"
        # What a shell runs in the background begins with SIGINT ignored.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "asyncio.run(Gcloud(env, logs, print).run(command, log='lane'))\n"
    )
    words = [sys.executable, "-c", script, sandbox.env["PATH"], str(sandbox.logs)]
    kit = subprocess.Popen(words, env={**os.environ, "TMPDIR": str(there)}, stderr=subprocess.DEVNULL)
    eventually(lambda: (sandbox.logs / "lane.log").exists() and "pids" in sandbox.log)
    assert list(there.glob("kit-*/own/token"))
    kit.send_signal(signal.SIGINT if how == "cancelled" else signal.SIGKILL)
    kit.wait(GIVE_UP_S)
    eventually(lambda: not list(there.iterdir()))


def test_without_gcloud_the_user_is_told_where_to_get_it(tmp_path: Path) -> None:
    gcloud = Gcloud({"PATH": str(tmp_path)}, tmp_path / "logs", lambda line: None)
    with pytest.raises(KitError, match="not on the PATH") as caught:
        asyncio.run(gcloud.run(DEPLOY, log="lane"))
    assert caught.value.code is Code.GCLOUD_MISSING
    assert "https://cloud.google.com/sdk/docs/install" in caught.value.hint


# What is reported


def test_the_newest_line_is_told_while_gcloud_waits_in_the_middle_of_it(sandbox: Sandbox) -> None:
    def line(text: str) -> None:
        sandbox.lines.append(text)
        if text == "Updating service [default]...":
            (sandbox.bin / "go").touch()

    asyncio.run(sandbox.gcloud.run(Command(("progress",)), log="lane", line=line))
    assert sandbox.lines == [
        "Uploading 10%",
        "Uploading 100%",
        "Updating service [default]...",
        "Updating service [default]...done.",
        "Deployed.",
    ]


def test_what_changes_something_is_echoed_before_it_runs_and_what_reads_is_not(sandbox: Sandbox) -> None:
    seen: list[bool] = []
    done = sandbox.bin / "done"
    gcloud = Gcloud(sandbox.env, sandbox.logs, lambda line: seen.append(done.exists()))
    sandbox.run(DEPLOY, gcloud)
    sandbox.run(Command(("app", "describe")), gcloud)
    assert seen == [False]
    sandbox.run(DEPLOY)
    assert sandbox.echoed == ["gcloud app deploy build/standard --project=p"]


def test_no_token_is_echoed(sandbox: Sandbox) -> None:
    sandbox.run(Command(("app", "deploy"), env={"CLOUDSDK_AUTH_ACCESS_TOKEN": "hunter2"}, changes=True))
    assert "hunter2" not in sandbox.echoed[0] + sandbox.log


def test_the_log_has_each_line_its_time_and_its_end(sandbox: Sandbox) -> None:
    sandbox.fails(Command(("fails", "no")))
    sandbox.run(Command(("echo",)))
    lines = sandbox.log.splitlines()
    assert lines[0].startswith("# 20")
    assert lines[0].endswith("Z gcloud fails no")
    assert lines[1:3] == ["ERROR: (gcloud.fails) no", "# status 1"]
    assert lines[-1] == "# status 0"
    assert (sandbox.logs / "lane.log").stat().st_mode & 0o777 == 0o600


def test_what_a_secret_command_prints_is_in_no_log_and_no_error(sandbox: Sandbox) -> None:
    error = sandbox.fails(Command(("secret",), secret=True))
    everything = sandbox.log + error.message + error.hint + "".join(sandbox.lines)
    assert "the-secret-itself" not in everything
    assert "the-other-secret" not in everything


def test_what_a_read_prints_is_not_logged(sandbox: Sandbox) -> None:
    sandbox.run(Command(("echo", "a-value-of-the-users")))
    assert sandbox.log.count("a-value-of-the-users") == 1  # in the command's own line


def test_a_log_that_cannot_be_written_is_told_in_one_sentence(sandbox: Sandbox) -> None:
    sandbox.logs.write_text("in the way")
    assert sandbox.fails(Command(("echo",))).code is Code.CANNOT_WRITE


def test_any_amount_of_output_passes_and_the_end_of_it_is_kept(sandbox: Sandbox) -> None:
    assert len(sandbox.run(Command(("much",)))) == 3_000_000
    assert sandbox.lines[-1] == "line 59999"


def test_a_failure_is_explained(sandbox: Sandbox) -> None:
    error = sandbox.fails(Command(("fails", "You do not currently have an active account selected.")))
    assert (error.code, error.hint) == (Code.NOT_SIGNED_IN, "Sign in: `gcloud auth login`.")


def test_a_failed_build_shows_the_end_of_the_log_and_where_the_rest_is(sandbox: Sandbox) -> None:
    error = sandbox.fails(Command(("fails", "Build failed; check build logs for details")))
    assert error.code is Code.BUILD_FAILED
    assert "  | ERROR: (gcloud.fails) Build failed" in error.message
    assert str(sandbox.logs / "lane.log") in error.hint


def test_an_end_by_a_signal_is_told(sandbox: Sandbox) -> None:
    assert "signal 9" in sandbox.fails(Command(("killed",))).message


def test_an_answer_that_is_no_json_is_told_in_one_sentence(sandbox: Sandbox) -> None:
    with pytest.raises(KitError, match="not JSON"):
        asyncio.run(sandbox.gcloud.read(Command(("much",)), log="lane"))


# What is tried again


def test_a_passing_trouble_is_waited_out_and_the_user_told(sandbox: Sandbox) -> None:
    assert sandbox.run(DEPLOY, sandbox.make(SUCCEEDS_AT="3", SAYS=UNAVAILABLE)) == "[]\n"
    assert sandbox.slept == [2, 4]
    said = "Google answered `gcloud app deploy` with 503 (service unavailable): trying again in 2 s (2 of 4)"
    assert said in sandbox.lines
    assert f"# {said}" in sandbox.log
    assert len(sandbox.echoed) == 1


def test_a_trouble_that_lasts_is_reported_after_four_attempts(sandbox: Sandbox) -> None:
    error = sandbox.fails(DEPLOY, sandbox.make(SUCCEEDS_AT="99", SAYS=UNAVAILABLE))
    assert error.code is Code.CLOUD_UNAVAILABLE
    assert (sandbox.bin / "times").read_text() == "4"


def test_another_operation_is_waited_for_longer(sandbox: Sandbox) -> None:
    sandbox.run(DEPLOY, sandbox.make(SUCCEEDS_AT="11", SAYS=BUSY))
    assert sandbox.slept == [5, 10, 15, 20, 30, 30, 30, 30, 30, 30]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("app", "create"), UNAVAILABLE),
        (("app", "deploy"), "RESOURCE_EXHAUSTED: Quota exceeded for quota metric 'x'."),
        (("app", "deploy"), "PERMISSION_DENIED: Permission 'appengine.versions.create' denied."),
        (("app", "deploy"), "PERMISSION_DENIED: This API method requires billing to be enabled."),
        (("app", "deploy"), "Build failed; check build logs for details"),
    ],
)
def test_what_would_not_help_or_not_be_safe_is_said_once(
    sandbox: Sandbox, words: tuple[str, ...], says: str
) -> None:
    sandbox.fails(
        Command(words, changes=True, repeatable=words[-1] == "deploy"),
        sandbox.make(SUCCEEDS_AT="2", SAYS=says),
    )
    assert sandbox.slept == []


def test_an_api_that_was_just_switched_on_gets_time_to_come_up(sandbox: Sandbox) -> None:
    gcloud = sandbox.make(SUCCEEDS_AT="2", SAYS="API [run.googleapis.com] not enabled on project [p].")
    run = Command(("run", "deploy"), changes=True, repeatable=True)
    assert sandbox.fails(run, gcloud).code is Code.API_OFF
    (sandbox.bin / "times").write_text("1")
    sandbox.run(Command(("services", "enable", "run.googleapis.com"), changes=True), gcloud)
    (sandbox.bin / "times").unlink()
    sandbox.run(run, gcloud)
    assert sandbox.slept == [2]


def test_what_the_first_attempt_removed_is_not_missed_by_the_second(sandbox: Sandbox) -> None:
    stub = sandbox.bin / "stub.py"
    stub.write_text(
        stub.read_text().replace(
            'fail(os.environ["SAYS"])', 'fail(os.environ["SAYS"].split("|")[times() > 2])'
        )
    )
    gcloud = sandbox.make(SUCCEEDS_AT="99", SAYS=f"{UNAVAILABLE}|Service [streamproof] could not be found.")
    assert sandbox.run(cloud_run.delete_service(RUN), gcloud) == ""
    assert sandbox.slept == [2]


# What is left behind: tests/kit/test_process.py has all that can happen


@pytest.mark.parametrize("times", [1, 2])
def test_cancelled_it_leaves_nothing_behind_not_even_a_deaf_child(sandbox: Sandbox, times: int) -> None:
    """With its grace; cancelled again without it."""
    timing = Timing(grace_s=0.2 if times == 1 else 10 * GIVE_UP_S)
    gcloud = Gcloud(sandbox.env, sandbox.logs, lambda line: None, timing)

    async def cancel() -> list[int]:
        pids: asyncio.Future[list[int]] = asyncio.get_running_loop().create_future()

        def line(text: str) -> None:
            pids.set_result([int(word) for word in text.split()[1:]])

        task = asyncio.create_task(gcloud.run(Command(("hang",)), log="lane", line=line))
        async with asyncio.timeout(GIVE_UP_S):
            await pids
            for _ in range(times):
                task.cancel()
                await asyncio.sleep(0)
            with pytest.raises(asyncio.CancelledError):
                await task
        return pids.result()

    pids = asyncio.run(cancel())
    assert len(pids) == 3
    for pid in pids:
        eventually(partial(is_gone, pid))


def test_cancelled_before_it_has_started_it_does_not_start(sandbox: Sandbox) -> None:
    async def cancel() -> None:
        task = asyncio.create_task(sandbox.gcloud.run(DEPLOY, log="lane"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())


# With the real one


@pytest.fixture
def real(tool: Tool, tmp_path: Path) -> Gcloud:
    tool("gcloud")
    env = {
        **os.environ,
        "CLOUDSDK_CONFIG": str(tmp_path / "config"),
        "CLOUDSDK_CORE_CHECK_GCE_METADATA": "0",
        "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "1",
    }
    return Gcloud(env, tmp_path / "logs", lambda line: None)


def test_the_real_gcloud_answers_in_json(real: Gcloud) -> None:
    version = asyncio.run(real.read(Command(("version", "--format=json")), log="lane"))
    assert "Google Cloud SDK" in version


def test_the_real_gcloud_without_an_account_is_explained(real: Gcloud) -> None:
    command = Command(("app", "services", "list", "--project=demo-project", "--quiet", "--format=json"))
    with pytest.raises(KitError) as caught:
        asyncio.run(real.read(command, log="lane"))
    assert caught.value.code is Code.NOT_SIGNED_IN


def test_a_flag_that_the_real_gcloud_does_not_know_is_explained(real: Gcloud) -> None:
    with pytest.raises(KitError, match="does not know --bogus"):
        asyncio.run(real.run(Command(("run", "deploy", "--bogus=1", "--quiet"), changes=True), log="lane"))


@pytest.fixture
def signed_in(plane: Plane, gcloud_env: dict[str, str], tmp_path: Path) -> Gcloud:
    async def sleep(seconds: float) -> None:
        plane.faults.clear()

    env = {**os.environ, **gcloud_env}
    return Gcloud(env, tmp_path / "logs", lambda line: None, Timing(sleep=sleep))


DESCRIBE = Command(("app", "describe", "--project=demo-project", "--quiet", "--format=json"))


@pytest.mark.parametrize(
    ("fault", "code", "remedy"),
    [
        (faults.denied("appengine.applications.get"), Code.PERMISSION_DENIED, "owner"),
        (
            faults.api_off("appengine.googleapis.com"),
            Code.API_OFF,
            "services enable appengine.googleapis.com",
        ),
    ],
    ids=["denied", "api-off"],
)
def test_what_google_refuses_the_real_gcloud_is_explained(
    plane: Plane, signed_in: Gcloud, fault: ApiError, code: Code, remedy: str
) -> None:
    plane.faults.add("appengine.apps.get", fault, times=None)
    with pytest.raises(KitError) as caught:
        asyncio.run(signed_in.read(DESCRIBE, log="lane"))
    assert caught.value.code is code
    assert remedy in caught.value.hint


def test_the_real_gcloud_waits_until_another_operation_has_ended(plane: Plane, signed_in: Gcloud) -> None:
    plane.faults.add("appengine.apps.get", faults.busy(), times=None)
    app = asyncio.run(signed_in.read(DESCRIBE, log="lane"))
    assert app["servingStatus"] == "SERVING"
    assert plane.names("appengine.apps.get") == ["appengine.apps.get"] * 2


def test_the_real_gcloud_is_stopped_in_the_middle_of_a_call(
    plane: Plane, signed_in: Gcloud, tmp_path: Path
) -> None:
    async def cancel() -> None:
        hang = plane.faults.hang("appengine.apps.get")
        task = asyncio.create_task(signed_in.read(DESCRIBE, log="lane"))
        assert await asyncio.to_thread(hang.reached.wait, GIVE_UP_S)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    assert "# status" not in (tmp_path / "logs" / "lane.log").read_text()
