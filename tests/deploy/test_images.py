"""The images of the rendered bundles, built as a platform's builder would, looked into, run and probed."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from tests.fixtures.images import CannotBuild, Image, Images, make_base, processes_with, unfit
from tests.fixtures.tools import Tool, required

USER = 10001
# What lies beside a bundle's files in a user's folder, and belongs into no image.
LITTER = (
    ".env",
    ".git/config",
    ".venv/bin/python",
    "tests/test_it.py",
    "key.json",
    "service/__pycache__/x.pyc",
)
# What a bundle tells its builder, and not its image.
FOR_THE_BUILDER = {"Dockerfile", "app.yaml", ".dockerignore", ".gcloudignore", ".streamproof-manifest.json"}
PLATFORM = {
    "flex": {"GAE_SERVICE": "sp-flex", "GAE_INSTANCE": "aef-default-lab-0000"},
    "run": {"K_SERVICE": "streamproof", "K_CONFIGURATION": "streamproof"},
}

pytestmark = pytest.mark.long
each_container = pytest.mark.parametrize("target", PLATFORM)


@pytest.fixture(scope="module")
def images(tool: Tool, pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Images:
    """Where images are built. The base is made once for this checkout: it takes a while."""
    buildah, mmdebstrap, uv = tool("buildah"), tool("mmdebstrap"), tool("uv")
    if reason := unfit():
        unavailable(reason)
    base = pytestconfig.cache.mkdir("image-base") / "base.tar"
    try:
        with alone(tmp_path_factory):
            if not base.exists():
                make_base(mmdebstrap, base)
    except CannotBuild as error:
        unavailable(f"the base image cannot be made: {error}")
    with alone(tmp_path_factory) as folder:
        return Images(buildah=buildah, uv=uv, base=base, folder=folder)


@contextmanager
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder that all of this run's worker processes build in, one at a time: what one built is there."""
    import fcntl

    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared-images"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def unavailable(reason: str) -> None:
    """As with a tool that is missing."""
    if "buildah" in required():
        pytest.fail(f"{reason} (STREAMPROOF_REQUIRE demands buildah)", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="module")
def bundles(images: Images, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundles of a user whose new files only he may read, and one that all may write."""
    folder = tmp_path_factory.mktemp("rendered")
    (folder / "kit.toml").write_text(f'python = "{images.python}"\n')
    render = [sys.executable, "-m", "kit", "render", *PLATFORM]
    subprocess.run(render, cwd=folder, capture_output=True, check=True, umask=0o077)
    for target in PLATFORM:
        (folder / "build" / target / "requirements.txt").chmod(0o666)
        for stray in LITTER:
            (folder / "build" / target / stray).parent.mkdir(parents=True, exist_ok=True)
            (folder / "build" / target / stray).write_text("a secret")
    return folder / "build"


@pytest.fixture(scope="module")
def built(images: Images, bundles: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Image]:
    """The image of each target that is a container."""
    with alone(tmp_path_factory):
        images.fetch(bundles / "run" / "requirements.txt")
        return {target: images.build(bundles / target, target) for target in PLATFORM}


@each_container
def test_the_image_starts_as_nobody_and_streams(
    target: str, images: Images, bundles: Path, built: dict[str, Image], tmp_path: Path
) -> None:
    env = {**PLATFORM[target], "STREAMPROOF_PROOF_UNTIL": str(int(time.time()) + 3600)}
    if target == "flex":
        env |= yaml.safe_load((bundles / "flex" / "app.yaml").read_text())["env_variables"]
    with images.run(built[target], tmp_path / "log", env) as container:
        assert container.users
        assert set(container.users.values()) == {USER}
        lane = probed(container.url)
        assert (lane["verdict"], lane["method"]) == ("incremental", "lock-step")
    assert not processes_with(f"PORT={container.port}")
    assert container.name not in images.containers()
    assert not images.mounts()


def probed(url: str) -> dict[str, object]:
    ran = subprocess.run(
        [sys.executable, "-m", "kit", "probe", url, "--expect", "incremental", "--json"],
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    lane: dict[str, object] = json.loads(ran.stdout)["data"]
    return lane


@each_container
def test_the_image_says_what_it_starts_and_as_whom(target: str, built: dict[str, Image]) -> None:
    config = built[target].config
    assert config["Cmd"] == ["gunicorn", "-c", "gunicorn.conf.py", "service.main:app"]
    assert config["User"] == f"{USER}:{USER}"
    assert config["WorkingDir"] == "/app"
    assert "Entrypoint" not in config


def added(images: Images, image: Image) -> dict[str, tarfile.TarInfo]:
    """What the image adds to its base, by name; nothing twice, and nothing of the base changed."""
    entries = [entry for layer in image.layers[images.base_layers :] for entry in layer.entries]
    names = [entry.name.removeprefix("./").rstrip("/") for entry in entries]
    assert len(set(names)) == len(names)
    return dict(zip(names, entries, strict=True))


@each_container
def test_the_image_holds_the_bundle_and_its_packages_and_no_more(
    target: str, images: Images, bundles: Path, built: dict[str, Image]
) -> None:
    entries = added(images, built[target])
    assert {name.partition("/")[0] for name in entries} == {"app", "venv"}

    manifest = json.loads((bundles / target / ".streamproof-manifest.json").read_bytes())
    files = {name for name, entry in entries.items() if name.startswith("app/") and entry.isfile()}
    ours = {f"app/{name}" for name in manifest["files"] if name not in FOR_THE_BUILDER}
    assert {name for name in files if not name.endswith(".pyc")} == ours

    pinned = re.findall(r"^([a-z0-9-]+)==", (bundles / target / "requirements.txt").read_text(), re.M)
    infos = (re.search(r"/site-packages/([^/]+)-[^/]+\.dist-info$", name) for name in entries)
    assert sorted(info[1].lower().replace("_", "-") for info in infos if info) == sorted(pinned)


@each_container
def test_what_serves_can_read_the_image_and_change_nothing(
    target: str, images: Images, built: dict[str, Image]
) -> None:
    for name, entry in added(images, built[target]).items():
        if entry.issym():
            continue
        assert entry.isfile() or entry.isdir() or entry.islnk(), name
        assert (entry.uid, entry.gid) == (0, 0), name
        allowed = stat.S_IROTH | (stat.S_IXOTH if entry.isdir() else 0)
        assert entry.mode & allowed == allowed, name
        forbidden = stat.S_IWGRP | stat.S_IWOTH | stat.S_ISUID | stat.S_ISGID
        assert entry.mode & forbidden == 0, name


@each_container
def test_nothing_is_left_to_compile_at_the_start(
    target: str, images: Images, built: dict[str, Image]
) -> None:
    entries = added(images, built[target])
    tag = f"cpython-{images.python.replace('.', '')}"
    sources = [name for name in entries if re.match(r"app/service/.*\.py$", name)]
    assert sources
    for source in sources:
        folder, _, file = source.rpartition("/")
        compiled = f"{folder}/__pycache__/{file.removesuffix('.py')}.{tag}.pyc"
        header = built[target].layers[-1].read(compiled)[:16]
        # Flags of 0: valid for as long as time and size are the source's (PEP 552).
        stamps = [int.from_bytes(header[at : at + 4], "little") for at in (4, 8, 12)]
        assert stamps == [0, int(entries[source].mtime), entries[source].size], source
