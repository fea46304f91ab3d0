"""The options `--html`, `--markdown`, `--junit` and `--github`: a comparison as files, and for GitHub."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kit.cli.arguments import Github, Html, Junit, Markdown
from kit.cli.packed import packed
from kit.cli.runner import talk

if TYPE_CHECKING:
    from kit.proof.lane import Comparison
    from kit.report.files import Format
    from kit.targets import Target


@dataclass(frozen=True, slots=True)
class Reports:
    """Where the user wants which."""

    html: Html = None
    markdown: Markdown = None
    junit: Junit = None
    github: Github = None

    def check(self) -> None:
        """See, before anything is measured for them, that they can be written; see `kit.report.files`."""
        from kit.report.files import check

        check(self._files)

    def write(
        self,
        comparison: Comparison,
        targets: Mapping[str, Target],
        summary: str | None = None,
        failed: Sequence[str] = (),
    ) -> list[str]:
        """Write them; warnings, one for each of GitHub's files that could not be written.

        Args:
            comparison: what was measured.
            targets: the targets that there are, by name.
            summary: in the place of the comparison, as Markdown and for GitHub's summary of the job.
            failed: errors beside it, a sentence each.

        Raises:
            KitError: CANNOT_WRITE.
        """
        from kit.report.files import put, write
        from kit.report.github import command, github, outputs
        from kit.report.markdown import markdown
        from kit.report.view import view

        own = self.markdown if summary is not None else None
        write(comparison, targets, self._files if own is None else {**self._files, "markdown": None})
        put([(own, summary)] if own is not None and summary is not None else [])
        if not (os.environ.get("GITHUB_ACTIONS") == "true" if self.github is None else self.github):
            return []
        seen = view(comparison, targets)
        # The runner reads workflow commands on stderr as it does on stdout.
        commands = [command("error", "streamproof", [one]) for one in failed]
        if commands := [*commands, *filter(None, [github(seen)])]:
            talk("\n".join(commands))
        files = {"GITHUB_STEP_SUMMARY": summary or markdown(seen), "GITHUB_OUTPUT": outputs(seen)}
        return [warning for variable, text in files.items() if (warning := _append(variable, text))]

    @property
    def _files(self) -> dict[Format, Path | None]:
        return {"html": self.html, "markdown": self.markdown, "junit": self.junit}


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


NO_REPORTS = Reports()

# For verbs that measure: their parameter `reports`.
with_reports = packed("reports", Reports)
