"""Which files of the user's own app are deployed, and what must never be among them.

git knows them: what it tracks under the source folder, as it lies there now. Where `include` is given it says
instead; where neither says, it is the module's own package and the Python files at the top. The user's own
.gcloudignore and .dockerignore take away from that, for every target alike, so that the same app is compared
everywhere. A secret stops the render instead of being left out silently: the owner has to know that it lay
there.
"""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Final, NoReturn

from kit.app import App
from kit.bundle import MANIFEST
from kit.errors import Code, KitError
from kit.ignore import IgnoreRules, read_rules

# App Engine Standard takes 10,000 files; a bundle is held in memory, and an app's code is no data set.
MOST_FILES: Final = 10_000
MOST_BYTES: Final = 100 * 1024 * 1024

_NEVER: Final = frozenset({".git", ".venv", "__pycache__", ".kit"})
_OURS: Final = ("gunicorn.conf.py", "streamproof_app.py", "streamproof_proof.py")
# At the top: where the bundles go, and what the kit makes anew for each target.
_STAND_IN: Final = frozenset(
    {"build", "kit.toml", "Dockerfile", "app.yaml", "requirements.txt", ".gcloudignore", ".dockerignore"}
)
_OF_GIT: Final = frozenset({".gitignore", ".gitattributes", ".gitmodules"})
# These would lead git to another repository than the folder's own: a hook has them.
_GITS_OWN: Final = frozenset({"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR"})

_CREDENTIALS: Final = ("service_account", "authorized_user")
# A CI's own: google-github-actions/auth writes it into the checkout, with a token to ask for tokens.
_EXTERNAL: Final = "external_account"
_PRIVATE_KEY = re.compile(rb"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----(?:\\r|\r)?(?:\\n|\n)[A-Za-z0-9+/=]{40}")


def files(app: App) -> dict[str, bytes]:
    """The app's files by their names in the bundle, in order of the names.

    Raises:
        KitError: SECRET_IN_SOURCE or BAD_SOURCE, naming the file and the way out.
    """
    folder = app.source
    if not folder.is_dir():
        _bad(f"{folder} is not a folder.", "Name the folder of your app: source in [app] of kit.toml.")
    tracked = None if app.include else _tracked(folder)
    included = app.include or _own_package(app)
    listed = sorted(set(_included(folder, included) if tracked is None else tracked))
    ignore_files = _ignore_files(folder, without_git=tracked is None)
    names = [
        name
        for name in listed
        if not _is_left_out(name) and not any(rules.leaves_out(name) for rules in ignore_files)
    ]
    if len(names) > MOST_FILES:
        _bad(
            f"{folder} has {len(names):,} files, and {MOST_FILES:,} is the most that is deployed.",
            "Name what does not belong to the app in its .gcloudignore.",
        )
    _check_names(names)
    found = {name: content for name in names if (content := _content(folder, name)) is not None}
    secrets = [name for name, content in found.items() if _is_secret(folder, name, content)]
    if secrets:
        shown = ", ".join(secrets[:5]) + (f" and {len(secrets) - 5} more" if len(secrets) > 5 else "")
        raise KitError(
            Code.SECRET_IN_SOURCE,
            f"A secret would be uploaded with the app in {folder}: {shown}.",
            "Name it in the .gcloudignore of that folder. On this machine --env-file FILE gives the app its "
            "variables; deployed, it reads secrets from Secret Manager itself.",
        )
    total = sum(map(len, found.values()))
    if total > MOST_BYTES:
        largest = max(found, key=lambda name: len(found[name]))
        _bad(
            f"The app in {folder} has {total >> 20} MiB; {MOST_BYTES >> 20} is the most that is deployed.",
            f"Name what does not belong to it in its .gcloudignore; the largest file is {largest}.",
        )
    _check_module(app, found, listed)
    return found


def _own_package(app: App) -> tuple[str, ...]:
    """The patterns of the package that the module is in, and of the modules beside it."""
    return f"/{app.module.partition(':')[0].partition('.')[0]}/", "/*.py"


def _tracked(folder: Path) -> list[str] | None:
    """What git tracks there; None where that is no repository, or git is not installed."""
    argv = ["git", "-c", "core.fsmonitor=false", "-C", str(folder), "ls-files", "-z", "--recurse-submodules"]
    try:
        listing = subprocess.run(
            argv,
            env=without_gits_own(os.environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    except OSError:
        listing = None
    if listing is None or (listing.returncode and b"not a git repository" in listing.stderr):
        return None
    if listing.returncode:
        said = listing.stderr.decode(errors="replace").strip().partition("\n")[0]
        _bad(
            f"git cannot list {folder}: {said}", "Correct that, or name the files: [app] include in kit.toml."
        )
    names = [os.fsdecode(name) for name in listing.stdout.split(b"\0") if name]
    if not names:
        _bad(
            f"git tracks no file in {folder}.",
            "`git add` what belongs to the app, or name the files: [app] include in kit.toml.",
        )
    # A file that was removed since is no longer part of the app.
    return [name for name in names if os.path.lexists(folder / name)]


def without_gits_own(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment in which git asks the folder that it is given, locks nothing and speaks English."""
    kept = {name: value for name, value in environment.items() if name not in _GITS_OWN}
    return {**kept, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"}


def _included(folder: Path, patterns: Iterable[str]) -> Iterator[str]:
    """What the patterns name, among all that lies there. Links are not followed."""
    named, seen = read_rules(patterns, "git"), 0
    for path, folders, names in os.walk(folder):
        here = Path(path)
        links = [name for name in folders if (here / name).is_symlink()]
        # A bundle of ours inside the source is not part of it.
        folders[:] = [
            name
            for name in folders
            if name not in links and name not in _NEVER and not (here / name / MANIFEST).exists()
        ]
        seen += len(names)
        if seen > 20 * MOST_FILES:
            _bad(f"{folder} holds too many files to look through.", "Make [app] source a smaller folder.")
        for name in (*names, *links):
            inside = (here / name).relative_to(folder).as_posix()
            if named.leaves_out(inside):
                yield inside


def _ignore_files(folder: Path, *, without_git: bool) -> list[IgnoreRules]:
    """The user's own; .gitignore only where neither git nor a .gcloudignore has a say, as gcloud has it."""
    lines = _ignore_lines(folder / ".gcloudignore")
    if lines is None:
        lines = (_ignore_lines(folder / ".gitignore") or []) if without_git else []
    rules: list[str] = []
    for line in lines:
        # gcloud's own directive: the lines of another file, here, one level deep.
        directive = line[1:].lstrip() if line.startswith("#") else ""
        if not directive.startswith("!include:"):
            rules.append(line)
            continue
        other = directive.removeprefix("!include:").strip()
        more = None if "/" in other else _ignore_lines(folder / other)
        if more is None:
            _bad(
                f"{folder / '.gcloudignore'} includes {other!r}, which is no file beside it.",
                "Correct that line.",
            )
        rules += more
    return [read_rules(rules, "git"), read_rules(_ignore_lines(folder / ".dockerignore") or [], "docker")]


def _ignore_lines(file: Path) -> list[str] | None:
    try:
        return file.read_text(encoding="utf-8-sig", errors="replace").split("\n")
    except FileNotFoundError:
        return None
    except OSError as error:
        _bad(f"{file} cannot be read: {error.strerror}.", "Correct its rights, or remove it.")


def _is_left_out(name: str) -> bool:
    parts = name.split("/")
    return (
        parts[0] in _STAND_IN or name.endswith(".pyc") or parts[-1] in _OF_GIT or not _NEVER.isdisjoint(parts)
    )


def _check_names(names: Iterable[str]) -> None:
    for name in names:
        if name in _OURS:
            _bad(
                f"{name} is what the kit starts every app with, and your app has a file of that name.",
                "Rename yours, or name it in the .gcloudignore of its folder.",
            )
        # What is not UTF-8 on the disk is a lone surrogate here, which is not printable either.
        if name == MANIFEST or not name.isprintable():
            _bad(f"The app has a file whose name cannot be deployed: {name!r}.", "Rename it.")


def _content(folder: Path, name: str) -> bytes | None:
    """A file's content, with links inside the tree followed; None for what is gone."""
    path = folder / name
    try:
        if not path.resolve(strict=True).is_relative_to(folder.resolve()):
            _bad(
                f"{name} leads out of {folder}, so what is behind it would be uploaded unseen.",
                "Put a copy in its place, or name it in the .gcloudignore of that folder.",
            )
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            _bad(
                f"{name} in {folder} is a link to a folder, or a submodule that is not checked out.",
                "Put the files in its place, or name it in the .gcloudignore of that folder.",
            )
        if not stat.S_ISREG(found.st_mode):
            _bad(f"{name} in {folder} is no regular file.", "Name it in the .gcloudignore of that folder.")
        if found.st_size > MOST_BYTES:
            _bad(
                f"{name} in {folder} has {found.st_size >> 20} MiB, more than a whole app may have.",
                "Name it in the .gcloudignore of that folder; data belongs in a bucket.",
            )
        return path.read_bytes()
    except FileNotFoundError:
        if path.is_symlink():
            _bad(
                f"{name} in {folder} is a link to nothing.",
                "Remove it, or name it in the .gcloudignore of that folder.",
            )
        return None
    except (OSError, RuntimeError) as error:
        said = error.strerror if isinstance(error, OSError) else "the link leads in a circle"
        _bad(f"{name} in {folder} cannot be read: {said}.", "Correct it, or name it in .gcloudignore.")


def _is_secret(folder: Path, name: str, content: bytes) -> bool:
    """By its name, by the name of what it links to, or by its content."""
    path = folder / name
    names = [name]
    if path.is_symlink():
        names.append(path.resolve().relative_to(folder.resolve()).as_posix())
    for one in names:
        parts = PurePosixPath(one.casefold()).parts
        if any(part.startswith(".env") for part in parts) or parts[-1].endswith((".pem", ".key")):
            return True
    return _holds_secret(content)


def _holds_secret(content: bytes) -> bool:
    if _PRIVATE_KEY.search(content):
        return True
    text = content.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not text.startswith(b"{") or not (
        b"private_key" in text or any(word.encode() in text for word in (*_CREDENTIALS, _EXTERNAL))
    ):
        return False
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return False
    if not isinstance(data, dict):
        return False
    if data.get("type") == _EXTERNAL:
        place = data.get("credential_source")
        return isinstance(place, dict) and bool(place.get("headers"))
    return data.get("type") in _CREDENTIALS or bool(data.get("private_key"))


def _check_module(app: App, found: Iterable[str], listed: Iterable[str]) -> None:
    if set(app.files) & set(found):
        return
    lying = next((name for name in app.files if (app.source / name).is_file()), None)
    ends = tuple(f"/{name}" for name in app.files)
    folders = {name.removesuffix(end) for name in found for end in ends if name.endswith(end)}
    if lying is None and len(folders) == 1:
        (folder,) = folders
        _bad(
            f"The app {app.module} is not in {app.source}, but in its folder {folder}.",
            f'Write source = "{folder}" into [app] of kit.toml; requirements names its requirements.txt, '
            "where that lies elsewhere.",
        )
    if lying is None:
        _bad(
            f"The app {app.module} is not there: {app.source} has neither {app.files[0]} nor {app.files[1]}.",
            "Correct the module (--app, or module in [app] of kit.toml); it is imported from source in "
            "[app], else from the folder that you are in.",
        )
    hint = (
        "An ignore file leaves it out: let it in there."
        if lying in listed
        else "Name it in [app] include."
        if app.include
        else f"`git add {lying}`: only what git tracks is deployed."
    )
    _bad(f"{lying}, the app itself, is not among the files that are deployed.", hint)


def _bad(said: str, hint: str) -> NoReturn:
    raise KitError(Code.BAD_SOURCE, said, hint)
