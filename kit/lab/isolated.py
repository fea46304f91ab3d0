"""An environment of its own for a bundle: its own pinned requirements, and nothing of the kit's."""

from __future__ import annotations

import asyncio
import configparser
import fcntl
import hashlib
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from kit.errors import Code, KitError
from kit.lab.environment import without_credentials
from kit.language import text
from kit.process import Tail, run

_OUTPUT_LINES, _OUTPUT_BYTES = 12, 8 * 1024
_GRACE_S = 1.0
_RETRIES = "Retrying"  # pip's word (pip._vendor.urllib3.connectionpool)
# Options of pip: what uv calls them, and what it has between several.
_INDEXES = {
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "cert": ("SSL_CERT_FILE", " "),
}
_UVS_INDEX = ("UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_CONFIG_FILE")
_OR_WITHOUT = ", or run the lab without --isolated"


async def install(
    bundle: Path, say: Callable[[str], None] = lambda text: None, *, unasked: bool = False
) -> Path:
    """Install the bundle's requirements.txt; returns the `bin` folder of the environment.

    The same requirements under the same Python are installed once and kept in the user's cache folder.

    Args:
        bundle: the bundle.
        say: called once the package index does not answer, which the installer tries for long.
        unasked: whether it is installed although no one said --isolated, as an app of the user's own is.

    Raises:
        KitError: INSTALL_FAILED, with the end of the installer's output.
    """
    requirements = bundle / "requirements.txt"
    if not requirements.is_file():
        raise KitError(
            Code.INSTALL_FAILED,
            f"{bundle} has no requirements.txt, so there is nothing to install from.",
            f"Render it again: `kit render --force`{_OR_WITHOUT if not unasked else ''}.",
        )
    folder = _folder(requirements.read_bytes())
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Lanes, and labs, may want the same environment at once: one makes it, the others wait.
    async with _locked(folder.with_suffix(".lock")):
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            for argv in _steps(folder, requirements):
                await _run(argv, bundle, say, unasked=unasked)
            (folder / "complete").touch()
    return folder / "bin"


def missing(bundle: Path) -> int:
    """How many packages `install` would install; 0 where they are there, or nothing says which."""
    requirements = bundle / "requirements.txt"
    if not requirements.is_file() or (_folder(requirements.read_bytes()) / "complete").exists():
        return 0
    return len(re.findall(rb"^[A-Za-z0-9]", requirements.read_bytes(), re.MULTILINE))


def _folder(requirements: bytes) -> Path:
    key = hashlib.sha256(requirements + sys.version.encode() + sys.executable.encode()).hexdigest()[:16]
    return _cache() / key


def _steps(folder: Path, requirements: Path) -> list[list[str]]:
    if uv := shutil.which("uv"):
        python = str(folder / "bin" / "python")
        return [
            [uv, "venv", "--quiet", "--python", sys.executable, str(folder)],
            [uv, "pip", "install", "--quiet", "--python", python, "-r", str(requirements)],
        ]
    pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    return [[sys.executable, "-m", "venv", str(folder)], [*pip, "-r", str(requirements)]]


class _Output(Tail):
    """The end of what an installer prints; says it once when it has to try again."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__(_OUTPUT_BYTES)
        self._say, self._said = say, False

    def __call__(self, data: bytes) -> None:
        super().__call__(data)
        if not self._said and _RETRIES in str(self):
            self._said = True
            self._say(text("the package index does not answer; it is tried again, for half a minute or more"))


async def _run(argv: list[str], bundle: Path, say: Callable[[str], None], *, unasked: bool) -> None:
    output = _Output(say)
    # Interrupted, an installer leaves what it unpacked.
    with TemporaryDirectory(prefix="streamproof-install-", ignore_cleanup_errors=True) as temporary:
        # Building a package runs its code.
        outer = without_credentials(os.environ, installing=True)
        env = _pips_index(outer, _pips_files(outer)) | outer | {"TMPDIR": temporary}
        status = await run(argv, env, grace_s=_GRACE_S, stdout=output, owns=Path(temporary))
    if status:
        lines = str(output).splitlines()[-_OUTPUT_LINES:]
        end = "\n".join(f"  | {line}" for line in lines)
        raise KitError(
            Code.INSTALL_FAILED,
            f"The requirements of {bundle.name} could not be installed. The end of the output:\n{end}",
            "See whether the package index can be reached (PIP_INDEX_URL or UV_DEFAULT_INDEX names another)"
            f"{_OR_WITHOUT if not unasked else ''}.",
        )


def _pips_files(env: Mapping[str, str]) -> list[Path]:
    """Pip's configuration files, the later over the earlier (pip.pypa.io/en/stable/topics/configuration)."""
    named = env.get("PIP_CONFIG_FILE", "")
    if named == os.devnull:
        return []
    folders = [*env.get("XDG_CONFIG_DIRS", "/etc/xdg").split(os.pathsep), "/Library/Application Support"]
    files = [*(Path(folder, "pip", "pip.conf") for folder in folders), Path("/etc/pip.conf")]
    if named and Path(named).exists():
        return [*files, Path(named)]
    own = env.get("XDG_CONFIG_HOME") or "~/.config"
    users = ("~/.pip", "~/Library/Application Support/pip", f"{own}/pip")
    return [*files, *(Path(folder, "pip.conf").expanduser() for folder in users)]


def _pips_index(env: Mapping[str, str], files: Sequence[Path]) -> dict[str, str]:
    """Where pip would look for packages, as uv's variables: uv reads neither pip's variables nor its files.

    Nothing where uv's own variables name an index, or where uv has a file of its own
    (docs.astral.sh/uv/concepts/configuration-files), which these variables would overrule.
    """
    own = Path(env.get("XDG_CONFIG_HOME") or "~/.config", "uv", "uv.toml").expanduser()
    if any(env.get(name) for name in _UVS_INDEX) or own.exists() or Path("/etc/uv/uv.toml").exists():
        return {}
    found = configparser.RawConfigParser(strict=False)
    found.read(files, encoding="utf-8")
    named = {}
    for name, (variable, separator) in _INDEXES.items():
        sections = [found.get(section, name, fallback="") for section in ("install", "global")]
        value = env.get(f"PIP_{name.upper().replace('-', '_')}") or sections[0] or sections[1]
        if value:
            named[variable] = separator.join(value.split())
    # Of several indexes pip takes the best match; uv by itself the first that has the package.
    return named | ({"UV_INDEX_STRATEGY": "unsafe-best-match"} if "UV_INDEX" in named else {})


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "streamproof" / "environments"


@asynccontextmanager
async def _locked(path: Path) -> AsyncIterator[None]:
    with path.open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await asyncio.sleep(0.1)
        yield
