"""Reports as files: HTML for people, Markdown for a pull request, JUnit's XML for a CI, JSON for programs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from kit.errors import Code, KitError, UsageError
from kit.proof.lane import Comparison
from kit.report.view import ComparisonView, view
from kit.targets import Target

Format = Literal["html", "markdown", "junit", "json"]

# What they are called in a folder. The page comes first: it is the one that people open.
NAMES: dict[Format, str] = {
    "html": "report.html",
    "markdown": "report.md",
    "junit": "report.xml",
    "json": "report.json",
}


def write_report(comparison: Comparison, targets: Mapping[str, Target], folder: Path) -> dict[Format, Path]:
    """Write every format into `folder`, which is made if need be.

    Raises:
        KitError: CANNOT_WRITE, naming the path and the system's reason.
    """
    written = {form: folder / name for form, name in NAMES.items()}
    write(comparison, targets, written)
    return written


def write(comparison: Comparison, targets: Mapping[str, Target], files: Mapping[Format, Path | None]) -> None:
    """Write each format that has a path, all of them made before the first is written.

    Raises:
        KitError: CANNOT_WRITE, naming the path and the system's reason.
    """
    seen = view(comparison, targets)
    put([(path, _text(form, comparison, seen, targets)) for form, path in files.items() if path is not None])


def put(texts: Sequence[tuple[Path, str]]) -> None:
    """Write each text. A file is replaced in one step: a reader sees the old one or the new one, whole.

    Raises:
        KitError: CANNOT_WRITE, naming the path and the system's reason.
    """
    for path, text in texts:
        with _reporting(path):
            _replace(path, text)


def check(files: Mapping[Format, Path | None]) -> None:
    """See, before anything is measured for them, that the files can be written; their folders are made.

    Raises:
        KitError: CANNOT_WRITE as above; BAD_USAGE where two formats have the same path.
    """
    paths = [path.absolute() for path in files.values() if path is not None]
    for path in paths:
        if paths.count(path) > 1:
            raise UsageError(f"Two reports cannot both be {path}.", "Give each a file of its own.")
        with _reporting(path):
            _try(path)


def _text(form: Format, comparison: Comparison, seen: ComparisonView, targets: Mapping[str, Target]) -> str:
    match form:
        case "html":
            from kit.report.html import html

            return html(seen)
        case "markdown":
            from kit.report.markdown import markdown

            return markdown(seen)
        case "junit":
            from kit.report.junit import junit

            return junit(seen)
        case "json":
            from kit.report.json import comparison_data, document

            return json.dumps(document(comparison_data(comparison, targets))) + "\n"


@contextmanager
def _reporting(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise KitError(
            Code.CANNOT_WRITE,
            f"The report cannot be written to {path}: {error.strerror or error}.",
            "Name another place, or make room and see that you may write there.",
        ) from None


def _try(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        raise IsADirectoryError(None, "it is a folder")
    if _is_special(path):
        return
    draft = _draft(path.resolve())
    draft.touch()
    draft.unlink()


def _replace(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if _is_special(path):
        with path.open("a", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
        return
    path = path.resolve()  # a link goes on leading where it led
    draft = _draft(path)
    try:
        draft.write_text(text, encoding="utf-8", newline="\n")
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def _is_special(path: Path) -> bool:
    """A pipe, /dev/stdout (even where it is a file): nothing that another file may take the place of."""
    if str(path.absolute()).startswith(("/dev/std", "/dev/fd/", "/proc/")):
        return True
    return path.exists() and not path.is_file() and not path.is_dir()


def _draft(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")
