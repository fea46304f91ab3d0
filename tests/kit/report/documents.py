"""What each format makes of one comparison, as it is kept in documents/.

`python -m tests.kit.report.documents` writes them anew, to be read before they are committed.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from kit.language import Text
from kit.report.github import github
from kit.report.junit import junit
from kit.report.markdown import markdown
from kit.report.terminal import lane_text, table
from kit.report.view import view
from tests.kit.report.measured import COMPARISONS, EVERY, TARGETS

FOLDER = Path(__file__).parent / "documents"
# The same on every Python.
SEEN = replace(view(EVERY, TARGETS), versions="kit 0.1.0, Python 3")
# Of it what the kit says itself: what a test made up has no Chinese.
SAID = replace(
    SEEN,
    targets=(),
    asked="",
    prompted=False,
    lanes=tuple(
        replace(
            lane,
            grounds=(),
            evidence=(),
            clauses=(),
            error=None,
            advice=lane.advice if isinstance(lane.advice, Text) else None,
        )
        for lane in SEEN.lanes
    ),
)
# Of any comparison at all.
VIEWS = COMPARISONS.map(lambda comparison: view(comparison, TARGETS))


def texts() -> dict[str, str]:
    """Each file's name and text."""
    return {
        "table.txt": table(SEEN) + "\n",
        "lanes.txt": "\n\n".join(map(lane_text, SEEN.lanes)) + "\n",
        "report.md": markdown(SEEN),
        "report.xml": junit(SEEN),
        "commands.txt": github(SEEN) + "\n",
    }


if __name__ == "__main__":
    for name, text in texts().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
