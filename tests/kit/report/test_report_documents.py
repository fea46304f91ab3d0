"""Every format over one view, word for word.

The table, its notes and the conclusion; each lane's verdict, figures, evidence and doubts; Markdown with the
table first and the evidence folded away; JUnit's XML with a test a lane; GitHub's commands.
"""

from __future__ import annotations

import pytest

from tests.kit.report.documents import FOLDER, texts


@pytest.mark.parametrize("name", texts())
def test_each_format_says_what_is_kept_of_it(name: str) -> None:
    assert texts()[name] == (FOLDER / name).read_text(encoding="utf-8")
