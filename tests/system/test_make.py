"""`make` on machines of many kinds: with uv and without, with an old Python, with half a Python, offline."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fixtures.tools import Tool
from tests.system.conftest import CHECKOUT

# All that bootstrap and the Makefile use of a machine, apart from Python and uv.
COMMANDS = ("awk", "cat", "cksum", "date", "dirname", "grep", "make", "rm", "sh", "tail", "tee", "uname")
PYTHON = Path(sys._base_executable)  # type: ignore[attr-defined]  # what this environment was made with
OLD_PYTHON = '#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.2\n'

# What they run, and with what.
CLOUD = {
    "deploy-all": ["deploy", "--all"],
    "deploy-standard": ["deploy", "standard"],
    "deploy-flex": ["deploy", "flex"],
    "deploy-run": ["deploy", "run"],
    "deploy-gke": ["deploy", "gke"],
    "compare": ["compare", "--deployed"],
    "status": ["status"],
    "destroy-all": ["destroy", "--all"],
}

Machine = Callable[..., dict[str, str]]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """`machine(python3=…)` is the environment of a machine with just these programs (a path, or a script)."""

    def build(**programs: str | Path) -> dict[str, str]:
        folder = tmp_path / "bin"
        folder.mkdir()
        for name in COMMANDS:
            if found := shutil.which(name):
                (folder / name).symlink_to(found)
        for name, what in programs.items():
            program = folder / name.replace("_", ".")
            if isinstance(what, Path):
                program.symlink_to(what)
            else:
                program.write_text(what)
                program.chmod(0o755)
        return {**os.environ, "PATH": str(folder)}

    return build


@pytest.fixture
def clone(clone: Path) -> Path:
    """With no more packages than `kit --version` needs: none of these tests is about how many there are."""
    lock = clone / "locks" / "runtime.txt"
    few = re.findall(r"^(?:annotated-doc|shellingham|typer)==\S+$", lock.read_text(), re.MULTILINE)
    lock.write_text("\n".join([*few, ""]))
    return clone


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout's Makefile, with a Python that only says how it was started."""
    folder = tmp_path / "a checkout"
    python = folder / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    shutil.copy(CHECKOUT / "Makefile", folder)
    (folder / "bootstrap").write_text("#!/bin/sh\n")
    # Not in its first line: the path of an interpreter may have a space in it.
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$0.py" "$@"\n')
    python.with_name("python.py").write_text(
        "import json, os, sys\n"
        "env = {name: value for name, value in os.environ.items() if name.startswith('KIT_')}\n"
        "print(json.dumps([sys.argv[1:], env]))\n"
    )
    for program in (folder / "bootstrap", python):
        program.chmod(0o755)
    return folder


def asked(folder: Path, *argv: str, **env: str) -> tuple[list[str], dict[str, str]]:
    """What `make` starts Python with: its arguments, and the kit's variables."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("KIT_", "MAKE"))}
    ran = run(folder, "make", *argv, env={**clean, **env})
    assert ran.returncode == 0, ran.stderr
    arguments, variables = json.loads(ran.stdout)
    return arguments, variables


def run(folder: Path, *argv: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command in the folder without a terminal."""
    return subprocess.run(
        argv, cwd=folder, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300
    )


def version(folder: Path) -> str:
    return run(folder, ".venv/bin/kit", "--version").stdout


def test_make_alone_explains_every_target(clone: Path) -> None:
    ran = run(clone, "make").stdout
    targets = re.findall(r"^([a-z-]+):", (clone / "Makefile").read_text(), re.MULTILINE)
    assert {"help", "demo", "workshop", "test", "lint", "bench", "lock", "clean", *CLOUD} <= set(targets)
    for target in targets:
        assert f"make {target} " in ran


def test_bootstrap_is_given_the_python_that_the_user_names(checkout: Path) -> None:
    (checkout / "bootstrap").write_text('#!/bin/sh\necho "$PYTHON" >asked-for\n')
    for argv, env in ((("demo",), {"PYTHON": "/a/python"}), (("demo", "PYTHON=/a/python"), {})):
        assert asked(checkout, *argv, **env)[0] == ["-m", "kit", "demo"]
        assert (checkout / "asked-for").read_text() == "/a/python\n"


def test_an_environment_of_another_python_is_made_anew_and_one_of_the_same_is_kept(
    clone: Path, tool: Tool, machine: Machine
) -> None:
    env = machine(python3=PYTHON, uv=tool("uv"))
    assert run(clone, "./bootstrap", env=env).returncode == 0
    same = run(clone, "./bootstrap", env={**env, "PYTHON": str(PYTHON)})
    assert (same.returncode, same.stderr) == (0, "")
    other = clone / "other"
    # Another Python as bootstrap sees it: what it is asked for its base differs.
    other.write_text(f'#!/bin/sh\nexec {PYTHON} "$@" | sed "s/^/other /"\n')
    other.chmod(0o755)
    made = run(
        clone, "./bootstrap", env={**env, "PYTHON": str(other), "PATH": f"{env['PATH']}:/usr/bin:/bin"}
    )
    assert "making .venv" in made.stderr


def test_a_python_that_is_none_is_refused_by_name(clone: Path, machine: Machine) -> None:
    ran = run(clone, "./bootstrap", env={**machine(python3=PYTHON), "PYTHON": "/no/python"})
    assert ran.returncode == 1
    assert ran.stderr == "streamproof: PYTHON is /no/python, which is no Python 3.11 or newer\n"


@pytest.mark.parametrize("target", CLOUD)
def test_the_cloud_is_reached_by_one_word_and_by_names(checkout: Path, target: str) -> None:
    where = ("PROJECT=my-project-42", "REGION=europe-west1", "PUBLIC=1", "ARGS=--yes --json")
    assert asked(checkout, target, *where) == (
        ["-m", "kit", *CLOUD[target], "--yes", "--json"],
        {"KIT_PROJECT": "my-project-42", "KIT_REGION": "europe-west1", "KIT_PUBLIC": "1"},
    )


def test_where_nothing_is_named_the_users_own_settings_count(checkout: Path) -> None:
    arguments, variables = asked(checkout, "deploy-all", KIT_PROJECT="from-the-environment")
    assert (arguments, variables) == (
        ["-m", "kit", "deploy", "--all"],
        {"KIT_PROJECT": "from-the-environment"},
    )


def test_a_variable_that_happens_to_be_called_public_opens_nothing(checkout: Path) -> None:
    assert asked(checkout, "deploy-run", PUBLIC="1", PROJECT="theirs", REGION="theirs")[1] == {}


@pytest.mark.parametrize(
    "hostile",
    [
        "x; touch pwned",
        "$(shell touch pwned)",
        "$$(touch pwned)",
        "`touch pwned`",
        "' touch pwned '",
        '" && touch pwned "',
        "a b",
        "$(",
    ],
)
def test_no_value_is_read_by_make_or_by_a_shell(checkout: Path, hostile: str) -> None:
    names = ("PROJECT", "REGION", "PUBLIC")
    assert asked(checkout, "deploy-all", *(f"{name}={hostile}" for name in names)) == (
        ["-m", "kit", "deploy", "--all"],
        {f"KIT_{name}": hostile for name in names},
    )
    assert not (checkout / "pwned").exists()


def test_with_uv_an_environment_is_made_once(clone: Path, tool: Tool, machine: Machine) -> None:
    env = machine(python3=PYTHON, uv=tool("uv"))

    made = run(clone, "./bootstrap", env=env)
    assert made.returncode == 0, made.stderr
    assert "with uv" in made.stderr
    assert version(clone).startswith("kit ")

    again = run(clone, "./bootstrap", env=env)
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")

    with (clone / "locks" / "runtime.txt").open("a") as lock:
        lock.write("iniconfig\n")
    changed = run(clone, "./bootstrap", env=env)
    assert "installing" in changed.stderr
    assert "making" not in changed.stderr

    moved = clone.rename(clone.with_name("moved elsewhere"))
    assert "making .venv" in run(moved, "./bootstrap", env=env).stderr
    assert version(moved).startswith("kit ")


@pytest.mark.long
def test_without_uv_python_makes_the_environment(clone: Path, machine: Machine) -> None:
    env = machine(python3=PYTHON)
    made = run(clone, "./bootstrap", env=env)
    assert made.returncode == 0, made.stderr
    assert "python3 -m venv" in made.stderr
    assert version(clone).startswith("kit ")
    assert run(clone, "./bootstrap", env=env).stderr == ""


@pytest.mark.long
@pytest.mark.parametrize("uv_works", [True, False])
def test_without_uv_the_one_that_the_tests_need_installs_the_rest_and_where_it_cannot_pip_does(
    clone: Path, machine: Machine, tmp_path: Path, uv_works: bool
) -> None:
    pinned = (clone / "locks" / "dev.txt").read_text()
    few = re.findall(r"^(?:uv|iniconfig)==\S+$", pinned, re.MULTILINE)
    (clone / "locks" / "dev.txt").write_text("\n".join(few))
    for lock in ("tools", "appinfo"):
        (clone / "locks" / f"{lock}.txt").write_text(few[0])
    offline = {"UV_OFFLINE": "1", "UV_CACHE_DIR": str(tmp_path / "empty")}
    made = run(clone, "./bootstrap", "dev", env=machine(python3=PYTHON) | ({} if uv_works else offline))
    assert made.returncode == 0, made.stderr
    assert ("pip tries the same" in made.stderr) is not uv_works
    assert ("Collecting iniconfig" in (clone / ".venv" / "install.log").read_text()) is not uv_works
    for environment in (".venv", ".venv/appinfo"):
        assert run(clone, f"{environment}/bin/python", "-c", "import iniconfig").returncode == 0


@pytest.mark.parametrize(("named_to", "installs"), [("PIP_INDEX_URL", "uv"), ("UV_DEFAULT_INDEX", "python3")])
def test_a_mirror_that_is_named_to_one_installer_is_used_by_the_other(
    clone: Path, machine: Machine, named_to: str, installs: str
) -> None:
    says = '#!/bin/sh\necho "$UV_DEFAULT_INDEX $PIP_INDEX_URL" >asked-of\n'
    env = machine(**{"python3": PYTHON, installs: says})
    env = {name: value for name, value in env.items() if not name.endswith(("INDEX", "INDEX_URL"))}
    mirror = "https://mirror.example/simple"
    run(clone, "./bootstrap", env={**env, named_to: mirror})
    assert (clone / "asked-of").read_text().split() == [mirror, mirror]


def test_an_old_python3_gives_way_to_a_newer_one_beside_it(clone: Path, tool: Tool, machine: Machine) -> None:
    made = run(clone, "./bootstrap", env=machine(python3=OLD_PYTHON, python3_12=PYTHON, uv=tool("uv")))
    assert made.returncode == 0, made.stderr
    assert version(clone).startswith("kit ")


def test_with_only_an_old_python_one_sentence_says_what_to_install(clone: Path, machine: Machine) -> None:
    ran = run(clone, "make", "demo", env=machine(python3=OLD_PYTHON))
    assert ran.returncode != 0
    sentence = ran.stderr.splitlines()[0]
    assert "needs Python 3.11 or newer, and found Python 3.9.2" in sentence
    assert "python3.11-venv" in sentence
    assert not (clone / ".venv").exists()


def test_a_python_without_ensurepip_is_told_which_package_to_install(
    clone: Path, machine: Machine, tmp_path: Path
) -> None:
    # Debian's python3 without python3-venv, as bootstrap sees it.
    (tmp_path / "ensurepip.py").write_text("raise ImportError('no ensurepip')")
    env = {**machine(python3=PYTHON), "PYTHONPATH": str(tmp_path)}
    ran = run(clone, "./bootstrap", env=env)
    assert ran.returncode == 1
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    assert ran.stderr.count("\n") == 1
    assert f"apt install {package}" in ran.stderr


def test_a_failed_installation_says_so_and_is_tried_again(
    clone: Path, tool: Tool, machine: Machine, tmp_path: Path
) -> None:
    env = machine(python3=PYTHON, uv=tool("uv"))
    nothing = {"UV_OFFLINE": "1", "UV_CACHE_DIR": str(tmp_path / "empty"), "UV_NO_CONFIG": "1"}
    ran = run(clone, "./bootstrap", env={**env, **nothing})
    assert ran.returncode == 1
    assert ran.stderr.splitlines()[-1].endswith("Is this machine offline?")

    assert run(clone, "./bootstrap", env=env).returncode == 0
    assert version(clone).startswith("kit ")


def test_an_unknown_kind_of_environment_is_refused(clone: Path) -> None:
    ran = run(clone, "./bootstrap", "prod")
    assert ran.returncode == 1
    assert "runtime" in ran.stderr
