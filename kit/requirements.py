"""The user's own requirements, with what the kit starts an app with where they lack it.

One file comes out, so that every platform, and pip with or without hashes, can install from it alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from kit.errors import Code, KitError

# gunicorn.conf.py names the worker class; the rest they bring with them.
NEEDED: Final = ("gunicorn", "uvicorn", "uvicorn-worker")

_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")
_OTHER_FILE = re.compile(r"\s*(?:-r\s*|--requirement(?:\s+|\s*=\s*))(?!https?:)(\S+)")
# What pip would read from a folder that an image does not have yet when its packages are installed.
_LOCAL = re.compile(
    r"\s*(?:-[cef]|--(?:constraint|editable)\b|--find-links\b(?!\s*=?\s*https?:)|\.{0,2}/|\.{1,2}\s*$|file:"
    r"|[^#]*@\s*file:|[^:@#]+\.(?:whl|zip|tar\.gz)\s*(?:#|$))"
)
_PASSWORD = re.compile(r"https?://[^/\s@$]+@")
_MOST_FILES: Final = 50


def read(file: Path) -> list[str]:
    """The lines of a requirements file, with those of every file that it names with -r in their place.

    Raises:
        KitError: BAD_SOURCE for a file that cannot be read or that needs others beside it, SECRET_IN_SOURCE
            for an address with a password.
    """
    return list(_lines(file, ()))


def combined(theirs: Sequence[str], lock: str) -> bytes:
    """Their lines, then those of the kit's that they lack; with hashes when theirs have them.

    Args:
        theirs: as `read` gives them.
        lock: the kit's own pinned requirements, as uv writes them, with `# via` comments.
    """
    named = {_canonical(found[1]) for line in theirs if (found := _NAME.match(line))}
    hashed = is_hashed(theirs)
    entries = _entries(lock)
    wanted = [name for name in NEEDED if name not in named]
    if hashed:
        # pip then wants every package with a hash, also those that came along by themselves.
        for name in wanted:
            wanted += [
                other for other, entry in entries.items() if name in _via(entry) and other not in wanted
            ]
        wanted = [name for name in wanted if name not in named]
    ours = [_without_comments(entries[name]) for name in sorted(wanted)]
    if not hashed:
        ours = [entry.partition(" ")[0].partition("\n")[0] for entry in ours]
    lines = list(theirs)
    while lines and not lines[-1].strip():
        lines.pop()
    if ours:
        lines += ["", "# Added by `kit render`: what starts the app.", *ours]
    return ("\n".join(lines).lstrip("\n") + "\n").encode()


def is_hashed(lines: Sequence[str]) -> bool:
    """Whether pip will want a hash for every package."""
    return any(re.match(r"[^#]*--(require-hashes|hash[= ])", line) for line in lines)


def _lines(file: Path, parents: tuple[Path, ...]) -> Iterator[str]:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        hint = (
            "Name the file in kit.toml: [app] requirements. From uv: "
            "`uv export --no-emit-project --no-dev --output-file requirements.txt`."
        )
        raise KitError(
            Code.BAD_SOURCE, f"There is no {file}: what the app needs is not known.", hint
        ) from None
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise KitError(Code.BAD_SOURCE, f"{file} cannot be read: {said}.", "Correct the file.") from None
    if file in parents or len(parents) > _MOST_FILES:
        raise KitError(Code.BAD_SOURCE, f"{file} names itself with -r.", "Remove that line.")
    for number, line in enumerate(text.splitlines(), 1):
        if _PASSWORD.search(line):
            raise KitError(
                Code.SECRET_IN_SOURCE,
                f"{file} line {number} has an address with a name or a password in it.",
                "Take it out; in an image pip can read it from ${A_VARIABLE}.",
            )
        if other := _OTHER_FILE.match(line):
            yield from _lines(file.parent / other[1], (*parents, file))
        elif _LOCAL.match(line):
            raise KitError(
                Code.BAD_SOURCE,
                f"{file} line {number} needs another file or folder: {line.strip()[:80]!r}.",
                "Make one list of packages with their versions, with `uv pip compile` or `pip freeze`.",
            )
        else:
            yield line


def _entries(lock: str) -> dict[str, str]:
    return {
        _canonical(entry.partition("==")[0]): entry.rstrip("\n")
        for entry in re.split(r"^(?=[A-Za-z0-9])", lock, flags=re.MULTILINE)
        if "==" in entry
    }


def _via(entry: str) -> set[str]:
    comments = re.findall(r"^\s+# +(?:via +)?(?!via$)(\S+)$", entry, re.MULTILINE)
    return {_canonical(name) for name in comments}


def _without_comments(entry: str) -> str:
    return "\n".join(line for line in entry.split("\n") if not line.lstrip().startswith("#"))


def _canonical(name: str) -> str:
    """https://packaging.python.org/en/latest/specifications/name-normalization/"""
    return re.sub(r"[-_.]+", "-", name).lower()
