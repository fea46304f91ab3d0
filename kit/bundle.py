"""A rendered bundle and its folder on the disk: written in one step, never over a hand's work unasked.

A manifest in the folder remembers what was written there. A file that differs from it was edited by hand.
Files added by hand are kept, and are not deployed: the bundle's ignore files let only its own through.
"""

from __future__ import annotations

import difflib
import json
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Final, Literal

from kit import __version__, own_folder
from kit.atomic_swap import swap
from kit.errors import Code, KitError
from kit.targets import Target

MANIFEST: Final = ".streamproof-manifest.json"

# What an interpreter leaves behind is no work of the user's.
_LITTER: Final = "__pycache__"

# Lines of a difference in an error; all of them are one `--diff` away.
_SHOWN: Final = 60


@dataclass(frozen=True, slots=True)
class Start:
    """What a bundle's platform starts.

    Attributes:
        argv: the command, for no shell.
        env: what the platform, the image and the bundle set in its environment (PORT apart).
    """

    argv: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Bundle:
    """What is deployed for one target.

    Attributes:
        target: the target.
        files: name inside the bundle, with forward slashes, to content; in order of the names.
        start: what the files make the platform start, for who starts it without the platform.
    """

    target: Target
    files: Mapping[str, bytes]
    start: Start = Start()

    @property
    def digest(self) -> str:
        """SHA-256 over all names and contents: equal exactly when the bundles are."""
        return sha256(json.dumps(_digests(self.files)).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Change:
    """One file of a bundle's folder that is not what rendering would make it.

    `state`: "missing" on the disk, "stale" as an earlier render left it, "left-over" from an earlier render
    and needed no more, or "edited" by hand since. `old` and `new` are its content, None where there is none.
    """

    name: str
    state: Literal["missing", "stale", "left-over", "edited"]
    old: bytes | None
    new: bytes | None

    def diff(self) -> list[str]:
        """A unified diff from what lies there to what would; control characters are shown, not sent."""
        if b"\0" in (self.old or b"") + (self.new or b""):
            return [f"binary file {self.name} differs"]
        old, new = (None if side is None else side.decode(errors="replace") for side in (self.old, self.new))
        lines = difflib.unified_diff(
            (old or "").splitlines(),
            (new or "").splitlines(),
            "/dev/null" if old is None else f"on disk/{self.name}",
            "/dev/null" if new is None else f"rendered/{self.name}",
            lineterm="",
        )
        return [_visible(line) for line in lines]


def differences(bundle: Bundle, root: Path) -> tuple[Change, ...]:
    """What `write` would change in root/NAME, in order of the names; empty when it is up to date."""
    try:
        return tuple(_changes(bundle, root / bundle.target.name))
    except OSError as error:
        raise _cannot("read", error) from None


def write(bundle: Bundle, root: Path, *, force: bool = False) -> Path:
    """Make root/NAME hold the bundle; a folder that already does is not touched.

    Args:
        bundle: the bundle.
        root: the folder of all bundles; made if need be.
        force: whether files edited by hand are overwritten.

    Raises:
        KitError: BUNDLE_EDITED with the difference where a hand's work would be lost, else CANNOT_WRITE.
    """
    folder = root / bundle.target.name
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise KitError(
            Code.CANNOT_WRITE, f"{folder} is not a folder.", "Move it away, or choose another --out."
        )
    changes = differences(bundle, root)
    if not force:
        keep_edits(bundle, root, changes)
    if changes:
        try:
            _replace(bundle, folder)
        except OSError as error:
            raise _cannot("write", error) from None
    return folder


def keep_edits(bundle: Bundle, root: Path, changes: Iterable[Change]) -> None:
    """Raises KitError BUNDLE_EDITED with the difference if one of the changes would undo a hand's work."""
    edited = [change for change in changes if change.state == "edited"]
    if not edited:
        return
    lines = [line for change in edited for line in change.diff()]
    more = [] if len(lines) <= _SHOWN else [f"… and {len(lines) - _SHOWN:,} more lines (--diff shows all)"]
    names = ", ".join(change.name for change in edited[:5]) + (" and more" if len(edited) > 5 else "")
    said = f"Edited by hand in {root / bundle.target.name} since it was rendered: {names}"
    raise KitError(
        Code.BUNDLE_EDITED,
        "\n".join([said, *lines[:_SHOWN], *more]),
        "Move the change to kit.toml or to a template, or lose it with --force.",
    )


def additions(bundle: Bundle, root: Path) -> tuple[str, ...]:
    """Files in root/NAME that were added by hand: kept by `write`, and not deployed."""
    folder = root / bundle.target.name
    remembered = _remembered(folder)
    return tuple(sorted(name for name in _names(folder) if _is_added(name, bundle, remembered)))


def _replace(bundle: Bundle, folder: Path) -> None:
    if folder.parent.name == "build":  # another --out may be meant to be kept
        own_folder.make(folder.parent)
    folder.parent.mkdir(parents=True, exist_ok=True)
    new = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    new.mkdir()
    try:
        for name, content in {**bundle.files, MANIFEST: _manifest(bundle)}.items():
            (new / name).parent.mkdir(parents=True, exist_ok=True)
            (new / name).write_bytes(content)
        for name in additions(bundle, folder.parent):
            (new / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(folder / name, new / name, follow_symlinks=False)
        swap(new, folder)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _changes(bundle: Bundle, folder: Path) -> Iterator[Change]:
    remembered = _remembered(folder)
    lying = set(_names(folder))
    for name in sorted({*bundle.files, *lying}):
        new = bundle.files.get(name)
        if name not in lying:
            yield Change(name, "missing", None, new)
        elif name != MANIFEST and not _is_added(name, bundle, remembered):
            file = folder / name
            old = _content(file)
            if file.is_symlink() or (old != new and sha256(old).hexdigest() != remembered.get(name)):
                yield Change(name, "edited", old, new)
            elif old != new:
                yield Change(name, "left-over" if new is None else "stale", old, new)


def _is_added(name: str, bundle: Bundle, remembered: Mapping[str, str]) -> bool:
    """Whether a file is neither of this render nor of the one before, and in the way of none of them."""
    return not (
        name == MANIFEST
        or name in remembered
        or name in bundle.files
        or any(rendered.startswith(f"{name}/") for rendered in bundle.files)
        or any(parent.as_posix() in bundle.files for parent in PurePosixPath(name).parents)
    )


def _names(folder: Path) -> Iterator[str]:
    """Every file and link below a folder. Links are not followed."""
    for path, folders, files in os.walk(folder):
        here = Path(path)
        links = [name for name in folders if (here / name).is_symlink()]
        folders[:] = [name for name in folders if name != _LITTER and name not in links]
        for name in (*links, *files):
            yield (here / name).relative_to(folder).as_posix()


def _visible(line: str) -> str:
    return "".join(char if char.isprintable() or char == "\t" else repr(char)[1:-1] for char in line)


def _content(path: Path) -> bytes:
    return os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes()


def _digests(files: Mapping[str, bytes]) -> dict[str, str]:
    return {name: sha256(content).hexdigest() for name, content in sorted(files.items())}


def _manifest(bundle: Bundle) -> bytes:
    """No time stands in it: the same bundle is the same to the byte."""
    return (
        json.dumps(
            {
                "target": bundle.target.name,
                "kit_version": __version__,
                "digest": bundle.digest,
                "files": _digests(bundle.files),
            },
            indent=2,
        )
        + "\n"
    ).encode()


def _remembered(folder: Path) -> dict[str, str]:
    """The manifest's files; empty where there is none to be trusted, so that nothing counts as ours."""
    try:
        files = json.loads((folder / MANIFEST).read_bytes())["files"]
        return {str(name): str(digest) for name, digest in files.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _cannot(what: str, error: OSError) -> KitError:
    return KitError(
        Code.CANNOT_WRITE,
        f"Cannot {what} {error.filename or 'a file'}: {error.strerror}.",
        "Free some room or correct the rights, or choose another --out.",
    )
