"""An environment of its own for a bundle. The package that is installed is made here: no index is asked."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kit.errors import Code, KitError
from kit.lab.isolated import _folder, _pips_files, _pips_index, install, missing
from kit.lab.lab import Lab
from tests.fixtures.tools import Tool
from tests.kit.lab.bundles import lane

Bundle = Callable[[str], Path]


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """A package `only_here`, as a wheel."""
    path = tmp_path / "only_here-1.0-py3-none-any.whl"
    info = "only_here-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("only_here.py", "NAME = 'only here'\n")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: only-here\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        files = ["only_here.py", *(f"{info}/{name}" for name in ("METADATA", "WHEEL", "RECORD"))]
        archive.writestr(f"{info}/RECORD", "".join(f"{file},,\n" for file in files))
    return path


@pytest.fixture
def uv(tool: Tool, monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    """uv is on PATH."""
    monkeypatch.setenv("PATH", f"{tool('uv').parent}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture
def no_uv(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    """Nothing is there but Python."""
    monkeypatch.setattr("shutil.which", lambda name: None)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@contextmanager
def aside(wheel: Path) -> Iterator[None]:
    """Nothing can be installed from it meanwhile."""
    moved = wheel.rename(wheel.with_suffix(".aside"))
    yield
    moved.rename(wheel)


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    def made(requirements: str) -> Path:
        folder = tmp_path / "standard"
        folder.mkdir(exist_ok=True)
        (folder / "requirements.txt").write_text(requirements)
        return folder

    return made


def imports(programs: Path, *names: str) -> list[str]:
    """Which of these modules a program of that environment can import."""
    code = "import importlib.util, sys; print(*[n for n in sys.argv[1:] if importlib.util.find_spec(n)])"
    ran = subprocess.run(
        [programs / "python", "-I", "-c", code, *names], capture_output=True, text=True, check=True
    )
    return ran.stdout.split()


@pytest.mark.long
@pytest.mark.parametrize("with_or_without", ["uv", "no_uv"])
def test_a_bundle_finds_its_own_packages_and_none_of_the_kits(
    with_or_without: str, request: pytest.FixtureRequest, bundle: Bundle, wheel: Path
) -> None:
    request.getfixturevalue(with_or_without)
    programs = asyncio.run(install(bundle(f"only-here @ {wheel.as_uri()}\n")))
    assert imports(programs, "only_here", "typer", "kit", "h11") == ["only_here"]


@pytest.mark.usefixtures("uv")
async def test_the_same_requirements_are_installed_once_though_asked_together(
    bundle: Bundle, wheel: Path
) -> None:
    folder = bundle(f"only-here @ {wheel.as_uri()}\n")
    first, second = await asyncio.gather(install(folder), install(folder))
    with aside(wheel):
        assert await install(folder) == first == second


@pytest.mark.usefixtures("uv")
async def test_a_failed_installation_shows_its_output_and_is_tried_again(bundle: Bundle, wheel: Path) -> None:
    folder = bundle(f"only-here @ {wheel.as_uri()}\n")
    with aside(wheel), pytest.raises(KitError) as caught:
        await install(folder)
    assert caught.value.code is Code.INSTALL_FAILED
    assert "The requirements of standard could not be installed" in caught.value.message
    assert "only_here-1.0" in caught.value.message
    assert imports(await install(folder), "only_here") == ["only_here"]


async def test_an_installer_that_is_interrupted_leaves_no_folder_behind(
    bundle: Bundle, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr("tempfile.tempdir", None)  # as in a process that starts so
    folder = bundle("")
    unpacks = [
        "/bin/sh",
        "-c",
        'mkdir "$TMPDIR/pip-unpack" && touch "$0/unpacked" && exec sleep 600',
        str(folder),
    ]
    monkeypatch.setattr("kit.lab.isolated._steps", lambda *_: [unpacks])
    installing = asyncio.create_task(install(folder))
    while not (folder / "unpacked").exists():  # noqa: ASYNC110 (another process makes it)
        await asyncio.sleep(0.01)
    assert list(temporary.rglob("pip-unpack"))
    installing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await installing
    assert list(temporary.iterdir()) == []


@pytest.mark.usefixtures("cache")
def test_what_is_there_is_not_said_to_be_installed_and_what_is_not_is_counted(bundle: Bundle) -> None:
    folder = bundle("# pinned\na==1 \\\n    --hash=sha256:00\nb==2\n-r other.txt\n")
    assert missing(folder) == 2
    (_folder((folder / "requirements.txt").read_bytes()) / "complete").mkdir(parents=True)
    assert missing(folder) == 0
    (folder / "requirements.txt").unlink()
    assert missing(folder) == 0


@pytest.mark.usefixtures("cache")
async def test_an_index_that_does_not_answer_is_said_while_the_installer_still_tries(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = bundle("")
    said: list[str] = []
    heard = asyncio.Event()

    def say(text: str) -> None:
        said.append(text)
        heard.set()

    line = "WARNING: Retrying (Retry(total=4, …)) after connection broken by …: /simple/fastapi/"
    tries = f'echo "{line}"; echo "{line}"; until [ -e "$0/over" ]; do sleep 0.01; done; exit 1'
    monkeypatch.setattr("kit.lab.isolated._steps", lambda *_: [["/bin/sh", "-c", tries, str(folder)]])
    installing = asyncio.create_task(install(folder, say, unasked=True))
    await asyncio.wait_for(heard.wait(), 60)
    assert not installing.done()
    (folder / "over").touch()
    with pytest.raises(KitError) as caught:
        await installing
    assert said == ["the package index does not answer; it is tried again, for half a minute or more"]
    assert "--isolated" not in caught.value.hint


OF_FILE = {
    "UV_DEFAULT_INDEX": "https://in.example/simple",
    "UV_INDEX": "http://a http://b",
    "UV_INDEX_STRATEGY": "unsafe-best-match",
}


@pytest.mark.parametrize(
    ("env", "seen"),
    [
        ({}, OF_FILE),
        ({"PIP_INDEX_URL": "http://own"}, {**OF_FILE, "UV_DEFAULT_INDEX": "http://own"}),
        ({"PIP_FIND_LINKS": "a b"}, {**OF_FILE, "UV_FIND_LINKS": "a,b"}),
        ({"PIP_INDEX_URL": "http://own", "UV_INDEX_URL": "http://uvs"}, {}),
    ],
)
def test_uv_asks_the_indexes_that_pip_would(
    env: dict[str, str], seen: dict[str, str], tmp_path: Path
) -> None:
    general = "[global]\nindex-url = https://in.example/simple\nextra-index-url = http://c\n"
    file = tmp_path / "pip.conf"
    file.write_text(f"{general}[install]\nextra-index-url =\n  http://a\n  http://b\n")
    env = {"XDG_CONFIG_HOME": str(tmp_path), **env}
    assert _pips_index(env, [tmp_path / "none", file]) == seen
    put = tmp_path / "uv/uv.toml"
    put.parent.mkdir()
    put.touch()
    assert _pips_index(env, [file]) == {}
    assert _pips_files({"PIP_CONFIG_FILE": str(file)})[-1] == file
    assert _pips_files({"XDG_CONFIG_HOME": "/own"})[-1] == Path("/own/pip/pip.conf")
    assert _pips_files({"PIP_CONFIG_FILE": os.devnull}) == []


async def test_a_bundle_without_requirements_is_named(tmp_path: Path) -> None:
    with pytest.raises(KitError, match=r"has no requirements\.txt") as caught:
        await install(tmp_path)
    assert caught.value.code is Code.INSTALL_FAILED


@pytest.mark.usefixtures("uv")
async def test_an_isolated_lab_runs_services_in_their_own_environment(tmp_path: Path, wheel: Path) -> None:
    one = lane(tmp_path)
    (one.bundle / "requirements.txt").write_text(f"only-here @ {wheel.as_uri()}\n")
    (one.bundle / "serve.py").write_text("import only_here\n" + (one.bundle / "serve.py").read_text())
    said: list[str] = []
    async with Lab([one], isolated=True, say=said.append) as lab:
        assert list(lab.urls) == ["run"]
    assert said == ["run: installing packages: 1", "run: ready"]
    with pytest.raises(KitError, match="No module named 'only_here'"):
        async with Lab([one]):
            pytest.fail(f"it started with {sys.executable}")
