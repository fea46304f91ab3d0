"""Tells GitHub how a measurement came out, where it is what runs us: annotations, the summary, the output."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from kit.cli.output import talk

if TYPE_CHECKING:
    from kit.proof.lane import Comparison
    from kit.targets import Target


def annotate(comparison: Comparison, targets: Mapping[str, Target], wanted: bool | None) -> list[str]:
    """Write the workflow commands to stderr, which the runner reads like stdout, and append to its files.

    Args:
        comparison: what was measured.
        targets: the targets that there are, by name.
        wanted: what the user said; None for what GITHUB_ACTIONS says.

    Returns:
        warnings, one for each file that could not be written.
    """
    from kit.report.github import github, outputs
    from kit.report.markdown import markdown
    from kit.report.view import view

    if not (os.environ.get("GITHUB_ACTIONS") == "true" if wanted is None else wanted):
        return []
    seen = view(comparison, targets)
    if commands := github(seen):
        talk(commands)
    files = {"GITHUB_STEP_SUMMARY": markdown(seen), "GITHUB_OUTPUT": outputs(seen)}
    return [warning for variable, text in files.items() if (warning := _append(variable, text))]


def _append(variable: str, text: str) -> str | None:
    """Append to the file that the variable names, if it names one; a warning where that is not possible."""
    name = os.environ.get(variable)
    if not name:
        return None
    try:
        with Path(name).open("a", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
    except OSError as error:
        return f"{name} ({variable}) cannot be written: {error.strerror or error}"
    return None
