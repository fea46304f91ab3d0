"""The options `--html`, `--markdown`, `--junit` and `--github`: a comparison as files, and for GitHub."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kit.cli.arguments import Github, Html, Junit, Markdown
from kit.cli.packed import packed
from kit.cli.runner import annotate

if TYPE_CHECKING:
    from pathlib import Path

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

        own = self.markdown if summary is not None else None
        write(comparison, targets, self._files if own is None else {**self._files, "markdown": None})
        put([(own, summary)] if own is not None and summary is not None else [])
        return annotate(comparison, targets, self.github, summary, failed)

    @property
    def _files(self) -> dict[Format, Path | None]:
        return {"html": self.html, "markdown": self.markdown, "junit": self.junit}


NO_REPORTS = Reports()

# For verbs that measure: their parameter `reports`.
with_reports = packed("reports", Reports)
