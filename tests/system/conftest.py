"""What tests of whole commands share: a copy of the checkout, as a clone of it would be, and a cloud."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fixtures.tools import Tool

if TYPE_CHECKING:
    from tests.system.cloud import Cloud

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What a clone would hold if all were committed, in a folder whose name has spaces."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=CHECKOUT,
        capture_output=True,
        check=True,
    ).stdout.split(b"\0")
    # A file may be listed and deleted.
    there = [name for name in listed if name and (CHECKOUT / os.fsdecode(name)).is_file()]
    folder = tmp_path / "a fresh clone"
    folder.mkdir()
    # Copied by Python a thousand files take half a second of a processor.
    packed = subprocess.run(
        ["tar", "-c", "-f", "-", "--null", "-T", "-"],
        cwd=CHECKOUT,
        input=b"\0".join(there),
        stdout=subprocess.PIPE,
        check=True,
    )
    subprocess.run(["tar", "-x", "-f", "-"], cwd=folder, input=packed.stdout, check=True)
    return folder


@pytest.fixture
def cloud(tool: Tool, tmp_path: Path) -> Iterator[Cloud]:
    """A project on a loopback Google, for the real gcloud."""
    from tests.system.cloud import Cloud

    tool("gcloud")
    with Cloud(tmp_path) as cloud:
        yield cloud
