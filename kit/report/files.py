"""The report as files: report.html for people, report.json for programs."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from kit.errors import Code, KitError
from kit.proof.lane import Comparison
from kit.report.html import html
from kit.report.json import comparison_data, document
from kit.targets import Target


def write_report(comparison: Comparison, targets: Mapping[str, Target], folder: Path) -> tuple[Path, Path]:
    """Write report.html and report.json into `folder`, which is made if need be.

    Each file is replaced in one step: whoever looks meanwhile sees the old one or the new one, whole.

    Raises:
        KitError: CANNOT_WRITE, naming the path and the system's reason.
    """
    page = html(comparison, targets)
    data = json.dumps(document(comparison_data(comparison))) + "\n"
    written = folder / "report.html", folder / "report.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in zip(written, (page, data), strict=True):
            _replace(path, text)
    except OSError as error:
        raise KitError(
            Code.CANNOT_WRITE,
            f"The report cannot be written to {folder}: {error.strerror or error}.",
            "Name another folder, or make room and see that you may write there.",
        ) from None
    return written


def _replace(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        draft.write_text(text, encoding="utf-8", newline="\n")
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
