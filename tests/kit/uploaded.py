"""What the real gcloud would upload of a bundle's folder."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.fixtures.gcloud import forked_gcloud


def uploaded(folder: Path, *strays: str) -> set[str]:
    """The names of the files, once these strays lie among them too."""
    for stray in strays:
        (folder / stray).parent.mkdir(parents=True, exist_ok=True)
        (folder / stray).write_text("a secret")
    listed = subprocess.run(
        [forked_gcloud(), "meta", "list-files-for-upload", folder],
        env={**os.environ, "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "1"},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return set(listed.stdout.splitlines())
