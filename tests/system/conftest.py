"""What tests of whole commands share: a copy of the checkout, as a clone of it would be."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What a clone would hold if all were committed, in a folder whose name has spaces."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    )
    folder = tmp_path / "a fresh clone"
    for name in filter(None, listed.stdout.split("\0")):
        if (CHECKOUT / name).is_file():  # a file may be listed and deleted
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(CHECKOUT / name, folder / name)
    return folder
